-- Privileges and roles: 7 TRUNCATE, REFERENCES and TRIGGER, 8 LOCK TABLE, 13 sequences, 15 EXECUTE by PUBLIC,
-- 21 stronger roles, 34 columns of hashes.
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

-- 8: LOCK TABLE. Whoever may UPDATE or DELETE in a table may lock all others out of it; SELECT and INSERT, and UPDATE of
-- some columns, are not enough. First the rights alone, as a session has them that has not loaded the library.
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.refuse_table_locks = off;
CREATE TABLE careless.lockable (org_id uuid, name text);
SELECT tenancy.protect('careless.lockable') \g /dev/null
GRANT SELECT, UPDATE ON careless.lockable TO codeverify_tenant;
CALL tap.act('viewer', 'a');
SELECT is(
    tap.error_of('LOCK TABLE careless.lockable IN ACCESS EXCLUSIVE MODE'), NULL,
    '8: a viewer without a row locks a table that it may update');
CREATE TABLE attacker.lock (relation regclass, mode text, is_granted boolean);
CREATE PROCEDURE attacker.try_locks()
LANGUAGE plpgsql
AS $lock$
DECLARE
    target regclass;
    mode text;
BEGIN
    FOR target IN
        SELECT c.oid
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner' AND c.relkind IN ('r', 'p', 'v')
    LOOP
        FOREACH mode IN ARRAY '{ACCESS EXCLUSIVE,EXCLUSIVE,SHARE,ROW EXCLUSIVE}'::text[] LOOP
            INSERT INTO attacker.lock
            SELECT target, mode, tap.error_of(format('LOCK TABLE %s IN %s MODE', target, mode)) IS NULL;
        END LOOP;
    END LOOP;
END
$lock$;
CALL attacker.try_locks();
SELECT is_empty(
    $$
        SELECT relation, mode
        FROM attacker.lock
        WHERE is_granted AND mode <> 'ROW EXCLUSIVE' AND NOT has_table_privilege(relation, 'UPDATE, DELETE')
    $$,
    '8: a tenant locks nothing that it has no right to change as a whole');
SELECT is_empty(
    $$SELECT relation FROM attacker.lock WHERE is_granted AND NOT has_table_privilege(relation, 'INSERT, UPDATE, DELETE')$$,
    '8: what it only reads it does not lock against anybody');
-- What every tenant needs in order to come in, and what machines write, stays open whatever one tenant does.
SELECT is_empty(
    $$
        SELECT relation, mode
        FROM attacker.lock
        JOIN pg_class AS c ON c.oid = relation
        WHERE is_granted
          AND mode <> 'ROW EXCLUSIVE'
          AND c.relnamespace::regnamespace::text = ANY ('{auth,audits,scm,telemetry,attestations,codeverify}')
    $$,
    '8: nothing through which others come in, and no ledger, can be locked by a tenant');

-- Then what the library refuses.
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.refuse_table_locks = on;
SELECT lives_ok('LOCK TABLE tenancy.environments', '8: a superuser locks any table');
CALL tap.act('viewer', 'a');
DELETE FROM attacker.lock;
CALL attacker.try_locks();
SELECT is_empty(
    $$SELECT relation, mode FROM attacker.lock WHERE is_granted AND mode <> 'ROW EXCLUSIVE'$$,
    '8: with the library it locks nothing of codeverify against others');
SELECT isnt_empty(
    $$SELECT relation FROM attacker.lock WHERE is_granted AND mode = 'ROW EXCLUSIVE'$$, '8: what it writes it locks as a writer');
CREATE TEMPORARY VIEW inner_view AS
SELECT 1 AS one WHERE EXISTS (SELECT FROM (SELECT FROM analysis.findings) AS f);
CREATE TEMPORARY VIEW outer_view AS SELECT v.one FROM inner_view AS v;
SELECT throws_ok('LOCK TABLE outer_view IN SHARE MODE', 'VC151', NULL, '8: nor through views of its own');
SELECT throws_ok('LOCK TABLE careless.lockable, analysis.findings', 'VC151', NULL, '8: nor among others');
CREATE TEMPORARY TABLE mine ();
SELECT lives_ok('LOCK TABLE mine', '8: its own table it locks');
-- What watches LOCK TABLE sees every utility statement of everybody, and their errors pass through it.
SELECT throws_ok(
    $test$DO $do$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'ZZ123', DETAIL = 'detail', HINT = 'hint'; END $do$$test$, 'ZZ123', 'own',
    '8: codes of others stay as they are');

-- Rows are locked by whoever may change them, and by nobody else.
SELECT throws_ok(
    format('SELECT * FROM %s FOR UPDATE', c.oid::regclass), '42501', NULL, format('8: no row of %s can be locked', c.oid::regclass))
FROM pg_class AS c
JOIN pg_roles AS r ON r.oid = c.relowner
WHERE r.rolname = 'codeverify_owner'
  AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND c.relnamespace IN ('auth'::regnamespace, 'audits'::regnamespace)
  AND NOT has_any_column_privilege(c.oid, 'UPDATE');

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
CALL tap.act('owner', 'a');
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

-- 34: a hash that can be read can be guessed at without anybody noticing. tests/auth/columns.sql lists the columns.
RESET SESSION AUTHORIZATION;
CREATE TABLE careless.codes (org_id uuid, code_hash text);
INSERT INTO careless.codes VALUES (tap.id('a'), encode(sha256('4711'), 'hex'));
SELECT tenancy.protect('careless.codes') \g /dev/null
GRANT SELECT ON careless.codes TO codeverify_tenant;
CALL tap.act('viewer', 'a');
SELECT is(
    (SELECT g::text FROM generate_series(0, 9999) AS g WHERE encode(sha256(g::text::bytea), 'hex') = (SELECT code_hash FROM careless.codes)),
    '4711', '34: a hash that a viewer may read gives the code away');
CALL tap.act('owner', 'a');
SELECT is_empty(
    $$
        SELECT a.attrelid::regclass, a.attname
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind IN ('r', 'p', 'v')
          AND c.relnamespace IN ('auth'::regnamespace, 'providers'::regnamespace, 'integrations'::regnamespace, 'tenancy'::regnamespace)
          AND a.attnum > 0
          AND NOT a.attisdropped
          AND a.attname ~ '_hash$|^hash$|_salt$|encrypted|secret|_seed$'
          -- What a delivery carried, and not who sent it.
          AND a.attname <> 'payload_hash'
          AND has_column_privilege(c.oid, a.attnum, 'SELECT')
    $$,
    '34: no column of hashes or ciphertext is readable');

SELECT * FROM finish();
ROLLBACK;
