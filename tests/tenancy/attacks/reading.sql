-- Past the policies by way of other relations: 1 views, 2 materialized views and foreign tables, 3 leaky functions, 11 EXPLAIN,
-- 12 COPY. Where a careless schema leaks, it is seen to leak first.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- 1: a view with the rights of its owner.
CREATE VIEW careless.definer_view WITH (security_barrier = true) AS SELECT secret FROM careless.secrets;
GRANT SELECT ON careless.definer_view TO codeverify_tenant;
CALL tap.act('owner', 'a');
SELECT is((SELECT string_agg(secret, '' ORDER BY secret) FROM careless.definer_view), 'ab', '1: a view with its owner''s rights leaks');
SELECT is((SELECT string_agg(secret, '') FROM careless.secrets), 'a', '1: the table does not');
SELECT is((SELECT count(*) FROM analysis.finding_summary WHERE org_id <> tap.id('a')), 0::bigint, '1: nor does finding_summary');
SELECT is((SELECT count(*) FROM analysis.finding_summary), 1::bigint, '1: which shows one''s own');
SELECT is((SELECT count(*) FROM analysis.repository_dashboard WHERE org_id <> tap.id('a')), 0::bigint, '1: nor the dashboard');
SELECT is((SELECT count(*) FROM analysis.repository_dashboard), 1::bigint, '1: which shows one''s own');
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind = 'v'
          AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
          AND c.oid::regclass::text <> ALL (ARRAY[
              'analysis.analyses_by_week',
              'analysis.findings_by_week',
              'observability.incidents_by_month',
              'telemetry.events_by_week'])
    $$,
    '1: every view has its caller''s rights but those in front of reports');
-- What is stored has no row security, so these filter themselves, before anything else; see tests/telemetry/reports.sql.
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind = 'v'
          AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
          AND NOT (c.reloptions = '{security_barrier=true}'
                   AND pg_get_viewdef(c.oid) ~
                       'FROM [a-z_]+\.stored_[a-z_]+ s\s+WHERE \(\((s\.)?org_id = tenancy\.current_org_id\(\)\) AND tenancy\.has_permission\(''read''::text\)\);$')
    $$,
    '1: these let no filter see another organization''s rows');

-- 2: a materialized view.
CREATE MATERIALIZED VIEW careless.stored AS SELECT secret FROM careless.secrets;
GRANT SELECT ON careless.stored TO codeverify_tenant;
CALL tap.act('owner', 'a');
SELECT is((SELECT string_agg(secret, '' ORDER BY secret) FROM careless.stored), 'ab', '2: a materialized view leaks');
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND (c.relkind = 'f' OR c.relkind = 'm' AND EXISTS (SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee <> c.relowner))
    $$,
    '2: those of codeverify are nobody''s but their owner''s, and there is no foreign table');

-- 3: a cheap function in a filter that tells what it is given.
RESET SESSION AUTHORIZATION;
CREATE VIEW careless.filtered AS SELECT secret FROM careless.secrets WHERE org_id = tenancy.current_org_id();
GRANT SELECT ON careless.filtered TO codeverify_tenant;
-- Not analyzed, it passes for large enough to be read by an index, which would filter first.
ANALYZE careless.secrets;
CALL tap.act('owner', 'a');
SELECT is((SELECT count(*) FROM careless.filtered WHERE attacker.tell(secret)), 1::bigint, '3: a view filters');
SELECT is((SELECT string_agg(value, '' ORDER BY value) FROM attacker.loot), 'ab', '3: but tells a leaky function everything');
TRUNCATE attacker.loot;
SELECT is((SELECT count(*) FROM analysis.findings WHERE attacker.tell(title)), 1::bigint, '3: a table of codeverify filters');
SELECT is((SELECT string_agg(value, '') FROM attacker.loot), 'Secret of a', '3: and tells nothing');
TRUNCATE attacker.loot;
SELECT is((SELECT count(*) FROM analysis.repository_dashboard WHERE attacker.tell(full_name)), 1::bigint, '3: so does a view of codeverify');
SELECT is((SELECT string_agg(value, '') FROM attacker.loot), 'tap-a/repository', '3: and tells nothing');
SELECT throws_ok(
    'CREATE FUNCTION attacker.leakproof(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS ''SELECT true''', '42501', NULL,
    '3: a tenant makes no function LEAKPROOF');

-- 11: EXPLAIN ANALYZE counts the rows that a filter removes.
RESET SESSION AUTHORIZATION;
CREATE TABLE careless.unindexed AS
SELECT CASE WHEN n > 2990 THEN tap.id('a') ELSE tap.id('b') END AS org_id, n AS n FROM generate_series(1, 3000) AS n;
ALTER TABLE careless.unindexed ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON careless.unindexed USING (org_id = tenancy.current_org_id());
GRANT SELECT ON careless.unindexed TO codeverify_tenant;
INSERT INTO analysis.findings (org_id, analysis_id, category, severity, title, file_path)
SELECT tap.id(o.name), tap.id('analysis of ' || o.name), 'security', 'low', 'Finding ' || n, 'f'
FROM generate_series(1, 3000) AS n
CROSS JOIN LATERAL (SELECT CASE WHEN n > 2990 THEN 'a' ELSE 'b' END) AS o (name);
ANALYZE analysis.findings, careless.unindexed;
CALL tap.act('owner', 'a');
SELECT matches(tap.plan('SELECT * FROM careless.unindexed'), 'Rows Removed by Filter: 2990', '11: without an index EXPLAIN counts the others'' rows');
SELECT unalike(tap.plan('SELECT * FROM analysis.findings'), '%Removed by Filter%', '11: with one that begins with org_id it does not');
SELECT unalike(
    tap.plan($$SELECT * FROM analysis.findings WHERE title LIKE 'Finding 1%'$$), '%Removed by Filter: 2%',
    '11: nor with a filter beside');

-- 12: COPY.
\set file `mktemp`
COPY analysis.analyses (id) TO STDOUT \g :file
\set copied `cat :'file'; rm :'file'`
SELECT is(:'copied'::uuid, tap.id('analysis of a'), '12: COPY TO is filtered');
RESET SESSION AUTHORIZATION;
GRANT pg_read_server_files TO tap_tenant;
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$COPY analysis.findings FROM '/dev/null'$$, '0A000', 'COPY FROM not supported with row-level security',
    '12: COPY FROM is refused');
RESET SESSION AUTHORIZATION;
REVOKE pg_read_server_files FROM tap_tenant;


SELECT * FROM finish();
ROLLBACK;
