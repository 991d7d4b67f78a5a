-- The main job, from an empty database to a completed analysis. scripts/demo runs it from the checkout's root
-- as a superuser of its own cluster; the tenant's part runs as the login demo_tenant, a plain codeverify_tenant.
\set ON_ERROR_STOP on
\set demo_superuser :USER
\pset footer off
\pset null '-'
SET client_min_messages = warning;

\echo
\echo 1. CREATE EXTENSION codeverify
\echo
CREATE EXTENSION codeverify;

SELECT n.nspname AS domain,
       (SELECT count(*)
        FROM pg_class AS c
        WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition) AS tables,
       (SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind = 'v') AS views,
       (SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = n.oid) AS functions,
       (SELECT count(*)
        FROM pg_policy AS p
        JOIN pg_class AS c ON c.oid = p.polrelid
        WHERE c.relnamespace = n.oid AND NOT c.relispartition) AS policies
FROM pg_namespace AS n
WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'public')
ORDER BY n.nspname;

\echo 2. Felicia registers, shows that she reads her mail, and logs in
\echo
SET ROLE codeverify_service;
SELECT answer ->> 'user_id' AS owner_id, answer ->> 'verification_token' AS verification_token
FROM auth.register_user('Felicia@Example.org', 'correct horse', 'felicia') AS answer
\gset
SELECT auth.link_identity(:'owner_id', github_id => 3275593)
\g /dev/null
SELECT auth.login('felicia@example.org', 'wrong horse') ->> 'status' AS wrong_password,
       auth.login('felicia@example.org', 'correct horse') ->> 'status' AS too_early;
SELECT auth.verify_email(:'verification_token') ->> 'status' AS verification;
SELECT answer ->> 'status' AS status, answer ->> 'session_token' AS session_token, left(answer ->> 'session_token', 11) || '...' AS token
FROM auth.login('felicia@example.org', 'correct horse', device_info => '{"browser": "Firefox"}', ip_address => '192.0.2.7') AS answer
\gset
\echo :status, session token :token
\echo
RESET ROLE;

\echo 3. An organization with its owner, a repository and an API key
\echo
SELECT tenancy.create_organization('Django Software Foundation', 'django', 27804, :'owner_id') AS org_id
\gset
INSERT INTO scm.repositories (org_id, github_id, name, full_name)
VALUES (:'org_id', 4164482, 'django', 'django/django')
RETURNING id AS repo_id
\gset
SELECT api_key
FROM auth.create_api_key(:'org_id', 'continuous integration', '["read", "write"]')
\gset

SELECT o.name AS organization, u.username, m.role, r.full_name AS repository, k.name AS api_key, k.scopes
FROM tenancy.organizations AS o
JOIN tenancy.org_memberships AS m ON m.org_id = o.id
JOIN auth.users AS u ON u.id = m.user_id
JOIN scm.repositories AS r ON r.org_id = o.id
JOIN auth.api_keys AS k ON k.org_id = o.id;

\echo 4. A second organization, to be kept apart from the first
\echo
INSERT INTO auth.users (github_id, username, email)
VALUES (16711, 'marek', 'marek@example.org')
RETURNING id AS other_owner_id
\gset
SELECT tenancy.create_organization('Pallets', 'pallets', 16748505, :'other_owner_id') AS other_org_id
\gset
SELECT api_key AS other_api_key
FROM auth.create_api_key(:'other_org_id', 'continuous integration', '["read", "write"]')
\gset
SELECT name, login FROM tenancy.organizations ORDER BY name;

DROP ROLE IF EXISTS demo_tenant;
CREATE ROLE demo_tenant LOGIN IN ROLE codeverify_tenant;

\echo 5. From here on as the login demo_tenant: without a key it sees nothing, and a wrong key changes nothing
\echo
\connect - demo_tenant
SELECT current_user, count(*) AS repositories
FROM scm.repositories;

SELECT answer ->> 'status' AS status
FROM auth.authenticate_api_key('not-a-key', 'write') AS answer;

\echo 6. The session opens a transaction for its user, in an organization that it names
\echo
BEGIN;
SELECT auth.authenticate_session(:'session_token', :'org_id') ->> 'status' AS status;
SELECT u.username, tenancy."current_role"() AS role, r.full_name AS repository
FROM auth.users AS u
CROSS JOIN scm.repositories AS r;
COMMIT;

\echo 7. The key authenticates, for one transaction; the Bandit log of Django 4.2.16 becomes findings
\echo
\set sarif `cat tests/data/sarif/bandit-django-4.2.16.sarif`
BEGIN;
SELECT answer ->> 'status' AS status,
       answer -> 'scopes' AS scopes,
       answer ->> 'org_id' = :'org_id' AS is_django
FROM auth.authenticate_api_key(:'api_key', 'write') AS answer;

SELECT analysis.start_analysis(
           :'repo_id', 18575, '6e1ece7ed522c904a674966fa985159b31bb9545', pr_title => 'Security release 4.2.16') AS analysis_id
\gset
SELECT * FROM analysis.import_sarif(:'analysis_id', :'sarif');
COMMIT;

\echo 8. What was found
\echo
BEGIN;
SELECT answer ->> 'status' AS status
FROM auth.authenticate_api_key(:'api_key', 'read') AS answer
\gset
SELECT category, severity, findings
FROM analysis.finding_summary
WHERE analysis_id = :'analysis_id'
ORDER BY findings DESC;

SELECT severity, title, file_path || ':' || line_start AS place
FROM analysis.findings
WHERE analysis_id = :'analysis_id' AND severity IN ('critical', 'high')
ORDER BY severity, file_path, line_start
LIMIT 8;

\echo 9. Complete the analysis; the dashboard of the repository
\echo
SELECT analysis.complete_analysis(:'analysis_id')
\g /dev/null
SELECT full_name, latest_pr_number AS pull_request, latest_status AS status,
       open_critical, open_high, open_medium, open_low
FROM analysis.repository_dashboard;
COMMIT;

\echo 10. The second organization sees none of it
\echo
BEGIN;
SELECT answer ->> 'status' AS status,
       answer ->> 'org_id' = :'other_org_id' AS is_pallets
FROM auth.authenticate_api_key(:'other_api_key', 'read') AS answer;
SELECT (SELECT count(*) FROM tenancy.organizations) AS organizations,
       (SELECT count(*) FROM scm.repositories) AS repositories,
       (SELECT count(*) FROM analysis.analyses) AS analyses,
       (SELECT count(*) FROM analysis.findings) AS findings;
COMMIT;

\echo 11. The ledger has an entry for every step, in hash chains
\echo
\connect - :demo_superuser
SELECT entity, action, count(*) AS entries
FROM audits.audit_log
WHERE org_id = :'org_id'
GROUP BY entity, action
ORDER BY min(ts);

\echo 12. A checkpoint of all chains, signed, for somebody outside to keep
\echo
SELECT current_setting('data_directory') || '/demo_ledger.key' AS key_file
\gset
COPY (SELECT private_key FROM audits.create_signing_key('codeverify/codeverify_demo'))
TO PROGRAM 'umask 077; cat > demo_ledger.key';
SET codeverify.ledger_key_file = :'key_file';
SELECT audits.checkpoint() AS note
\gset
\echo :note

\echo 13. A superuser, whom nothing stops, changes what an entry says and hides the traces: each shows
\echo
SELECT audits.verify() ->> 'verdict' AS verdict_before;

BEGIN;
ALTER TABLE audits.audit_log DISABLE TRIGGER USER;
UPDATE audits.audit_log
SET payload = jsonb_set(payload, '{runs,0,imported}', '0')
WHERE action = 'sarif.imported';
SELECT verdict, detail FROM audits.verify_chain();

-- The hash of the entry is made to fit again: now the checkpoint that somebody kept tells.
UPDATE audits.audit_log
SET signature = audits.hash_entry(
        org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id, payload, ip_address,
        user_agent)
WHERE action = 'sarif.imported';
SELECT audits.verify_against(:'note') ->> 'status' AS against_the_checkpoint;
ROLLBACK;
SELECT audits.verify_against(:'note') ->> 'status' AS after_the_rollback;
