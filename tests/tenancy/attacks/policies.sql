-- Policies and those who write them: 17 what a policy believes, 22 owners and partitions, 23 careless policies, 26 moved
-- rows, 27 forgotten tables, 31 row_security = off.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- 17: a policy that reads a setting believes whoever sets it.
RESET SESSION AUTHORIZATION;
CREATE TABLE careless.believing (org_id uuid, secret text);
INSERT INTO careless.believing VALUES (tap.id('b'), 'b');
ALTER TABLE careless.believing ENABLE ROW LEVEL SECURITY;
CREATE POLICY believing ON careless.believing USING (org_id = current_setting('app.org_id', true)::uuid);
GRANT SELECT ON careless.believing TO codeverify_tenant;
CALL tap.act('viewer', 'a');
SELECT set_config('app.org_id', tap.id('b')::text, true) \g /dev/null
SELECT is((SELECT string_agg(secret, '') FROM careless.believing), 'b', '17: a policy on a plain setting believes anybody');
SELECT is_empty(
    $$
        SELECT p.polrelid::regclass, p.polname
        FROM pg_policy AS p
        JOIN pg_class AS c ON c.oid = p.polrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) LIKE '%current_setting%'
    $$,
    '17: no policy of codeverify reads a setting');

-- 22: the owner of a table without FORCE, and a partition by its own name.
RESET SESSION AUTHORIZATION;
CREATE TABLE careless.owned (org_id uuid, secret text);
INSERT INTO careless.owned VALUES (tap.id('b'), 'b');
ALTER TABLE careless.owned ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON careless.owned USING (org_id = tenancy.current_org_id());
ALTER TABLE careless.owned OWNER TO tap_tenant;
CREATE TABLE careless.parent (org_id uuid, n int) PARTITION BY RANGE (n);
CREATE TABLE careless.part PARTITION OF careless.parent DEFAULT;
INSERT INTO careless.parent VALUES (tap.id('b'), 1);
ALTER TABLE careless.parent ENABLE ROW LEVEL SECURITY;
ALTER TABLE careless.parent FORCE ROW LEVEL SECURITY;
CREATE POLICY tenants ON careless.parent USING (org_id = tenancy.current_org_id());
GRANT SELECT ON careless.parent, careless.part TO codeverify_tenant;
CALL tap.act('owner', 'a');
SELECT is((SELECT string_agg(secret, '') FROM careless.owned), 'b', '22: row security does not bind an owner by itself');
SELECT is((SELECT count(*) FROM careless.parent), 0::bigint, '22: a partitioned table is protected');
SELECT is((SELECT count(*) FROM careless.part), 1::bigint, '22: its partition is not');
SELECT throws_ok(
    format('SELECT * FROM %s', c.oid::regclass), '42501', NULL, format('22: %s is closed', c.oid::regclass))
FROM pg_class AS c
JOIN pg_roles AS r ON r.oid = c.relowner
WHERE r.rolname = 'codeverify_owner' AND c.relispartition AND c.relkind = 'r' AND c.relname LIKE '%default';

-- 23: a careless permissive policy. tests/tenancy/isolation.sql does this to every table.
RESET SESSION AUTHORIZATION;
CREATE POLICY careless ON scm.repositories USING (true) WITH CHECK (true);
CALL tap.act('viewer', 'a');
SELECT is((SELECT string_agg(full_name, '') FROM scm.repositories), 'tap-a/repository', '23: the restrictive policy holds');

-- 26: UPDATE of org_id, MERGE and INSERT … ON CONFLICT.
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$UPDATE analysis.analyses SET org_id = tap.id('b')$$, '42501', NULL, '26: UPDATE moves no row');
SELECT throws_ok(
    $$MERGE INTO tenancy.services AS s USING (SELECT 1) AS x ON false
      WHEN NOT MATCHED THEN INSERT (org_id, name) VALUES (tap.id('b'), 'merged')$$, '42501', NULL, '26: MERGE inserts none');
SELECT throws_ok(
    $$MERGE INTO tenancy.services AS s USING (SELECT 1) AS x ON true
      WHEN MATCHED THEN UPDATE SET org_id = tap.id('b')$$, '42501', NULL, '26: MERGE moves none');
SELECT lives_ok(
    $$MERGE INTO tenancy.services AS s USING (SELECT tap.id('b') AS org_id) AS x ON s.org_id = x.org_id
      WHEN MATCHED THEN DELETE$$, '26: MERGE finds nothing to delete');
SELECT throws_ok(
    $$INSERT INTO tenancy.services (id, org_id, name) VALUES (tap.id('service of b'), tap.id('b'), 'x')
      ON CONFLICT (id) DO UPDATE SET name = 'overwritten'$$, '42501', NULL, '26: ON CONFLICT overwrites none');
SELECT throws_ok(
    $$INSERT INTO tenancy.services (id, name) VALUES (tap.id('service of b'), 'x')
      ON CONFLICT (id) DO UPDATE SET name = 'overwritten'$$, '42501', NULL, '26: not with org_id left out either');
SELECT throws_ok(
    $$INSERT INTO tenancy.services (org_id, name) VALUES (NULL, 'x')$$, '42501', NULL, '26: a row of nobody is refused');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT name FROM tenancy.services WHERE id = tap.id('service of b')), 'api', '26: the other''s service is what it was');

-- 27: a table that was added without row security leaks, and coverage names it.
CREATE TABLE careless.forgotten (org_id uuid, secret text);
INSERT INTO careless.forgotten VALUES (tap.id('b'), 'b');
GRANT SELECT ON careless.forgotten TO codeverify_tenant;
SELECT isnt_empty(
    $$SELECT FROM tenancy.coverage WHERE table_name = 'forgotten' AND NOT row_security$$, '27: coverage names a new table');
CALL tap.act('owner', 'a');
SELECT is((SELECT count(*) FROM careless.forgotten), 1::bigint, '27: which leaks');
RESET SESSION AUTHORIZATION;
SELECT tenancy.protect('careless.forgotten');
CALL tap.act('owner', 'a');
SELECT is((SELECT count(*) FROM careless.forgotten), 0::bigint, '27: until it is protected');
SELECT results_eq(
    $$SELECT t.evtenabled, t.evtevent FROM pg_event_trigger AS t WHERE t.evtname = 'codeverify_warn_of_unprotected_tables'$$,
    $$VALUES ('O'::"char", 'ddl_command_end'::name)$$,
    '27: the event trigger that warns is on');

-- 31: row_security = off raises an error instead of showing everything.
SET LOCAL row_security = off;
SELECT throws_ok('SELECT * FROM analysis.findings', '42501', NULL, '31: without row security there is nothing');
SELECT throws_ok('SELECT * FROM analysis.repository_dashboard', '42501', NULL, '31: not through a view either');
SET LOCAL row_security = on;

SELECT * FROM finish();
ROLLBACK;
