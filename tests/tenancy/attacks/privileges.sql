-- Privileges and roles: 7 TRUNCATE, REFERENCES and TRIGGER, 8 LOCK TABLE, 13 sequences, 15 EXECUTE by PUBLIC,
-- 21 stronger roles.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- 7: TRUNCATE, REFERENCES and TRIGGER know no row security.
RESET SESSION AUTHORIZATION;
SAVEPOINT before_truncating;
CREATE TABLE careless.names (org_id uuid DEFAULT tenancy.current_org_id(), name text);
INSERT INTO careless.names VALUES (tap.id('b'), 'b');
SELECT tenancy.protect('careless.names');
GRANT TRUNCATE ON careless.names TO codeverify_tenant;
CALL tap.act('owner', 'a');
TRUNCATE careless.names;
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM careless.names), 0::bigint, '7: whoever may TRUNCATE removes everybody''s rows');
ROLLBACK TO SAVEPOINT before_truncating;
CALL tap.act('owner', 'a');
SELECT is_empty(
    $$
        SELECT c.oid::regclass, p.name
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        CROSS JOIN unnest('{TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p (name)
        WHERE r.rolname = 'codeverify_owner' AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege(c.oid, p.name)
    $$,
    '7: a tenant has none of them on any table');
SELECT throws_ok('TRUNCATE analysis.findings', '42501', NULL, '7: it truncates nothing');
SELECT throws_ok(
    'CREATE TABLE attacker.probe (id uuid REFERENCES analysis.findings)', '42501', NULL, '7: it references nothing');
CREATE FUNCTION attacker.on_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT throws_ok(
    'CREATE TRIGGER spy AFTER INSERT ON analysis.findings FOR EACH ROW EXECUTE FUNCTION attacker.on_write()', '42501', NULL,
    '7: it puts no trigger on anything');
SELECT throws_ok('CREATE RULE spy AS ON INSERT TO analysis.findings DO ALSO NOTHING', '42501', NULL, '7: nor a rule');
SELECT throws_ok('CREATE POLICY mine ON analysis.findings USING (true)', '42501', NULL, '7: nor a policy');
SELECT throws_ok('ALTER TABLE analysis.findings DISABLE ROW LEVEL SECURITY', '42501', NULL, '7: nor does it take one away');
SELECT throws_ok('DROP POLICY findings_tenant ON analysis.findings', '42501', NULL, '7: nor drop one');
SELECT throws_ok('CREATE INDEX spy ON analysis.findings (attacker.tell(title))', '42501', NULL, '7: nor an index that calls its function');
SELECT throws_ok('CREATE STATISTICS attacker.spy ON title, file_path FROM analysis.findings', '42501', NULL, '7: nor statistics');
SELECT throws_ok(
    'CREATE TABLE attacker.heir () INHERITS (analysis.findings)', '42501', NULL, '7: nor does it inherit from a table');
SELECT throws_ok('CREATE TABLE analysis.mine (id int)', '42501', NULL, '7: it makes nothing in our schemas');

-- 8: LOCK TABLE takes a grant to write.
SELECT throws_ok(
    format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', t.name), '42501', NULL, format('8: a tenant does not lock %s', t.name))
FROM unnest('{auth.users,auth.sessions,auth.password_resets,scm.installations,attestations.verification_attestations,integrations.webhook_deliveries,analysis.trust_score_cache}'::text[]) AS t (name);

-- 13: sequences count for everybody.
RESET SESSION AUTHORIZATION;
CREATE SEQUENCE careless.numbers;
GRANT SELECT, USAGE ON careless.numbers TO codeverify_tenant;
SELECT nextval('careless.numbers') FROM generate_series(1, 41) \g /dev/null
CALL tap.act('owner', 'a');
SELECT is((SELECT last_value FROM careless.numbers), 41::bigint, '13: a sequence tells how much everybody has');
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS o ON o.oid = c.relowner
        WHERE o.rolname = 'codeverify_owner'
          -- CASE, so that the function is not asked about tables.
          AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT, USAGE, UPDATE') ELSE false END
    $$,
    '13: those of codeverify are closed to tenants');

-- 15: functions are everybody's unless revoked.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION careless.count_members() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
    'SELECT count(*) FROM tenancy.org_memberships';
CALL tap.act(login => 'tap_nobody');
SELECT ok(has_function_privilege('careless.count_members()', 'EXECUTE'), '15: a function is everybody''s to call at first');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM pg_proc AS p
        JOIN pg_roles AS r ON r.oid = p.proowner
        WHERE r.rolname = 'codeverify_owner' AND has_function_privilege(p.oid, 'EXECUTE')
    $$,
    '15: none of codeverify''s is');

-- 21: stronger roles, and policies of another role that come with its membership.
SELECT throws_ok(format('SET ROLE %I', r.name), '42501', NULL, format('21: a tenant does not become %s', r.name))
FROM unnest('{codeverify_owner,codeverify_admin,codeverify_service,codeverify_ingest,codeverify_auditor,tap_service}'::text[]) AS r (name)
WHERE r.name IN (SELECT rolname FROM pg_roles);
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_reporter;
CREATE TABLE careless.permissive (org_id uuid, secret text);
INSERT INTO careless.permissive VALUES (tap.id('b'), 'b');
ALTER TABLE careless.permissive ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON careless.permissive TO codeverify_tenant USING (org_id = tenancy.current_org_id());
CREATE POLICY reports ON careless.permissive TO tap_reporter USING (true);
CREATE POLICY reports ON analysis.findings TO tap_reporter USING (true) WITH CHECK (true);
GRANT SELECT ON careless.permissive TO codeverify_tenant;
GRANT tap_reporter TO tap_tenant;
CALL tap.act('owner', 'a');
SELECT is((SELECT string_agg(secret, '') FROM careless.permissive), 'b', '21: membership in a role adds its policies');
SELECT is((SELECT count(*) FROM analysis.findings WHERE org_id <> tap.id('a')), 0::bigint, '21: our restrictive policy stays');


SELECT * FROM finish();
ROLLBACK;
