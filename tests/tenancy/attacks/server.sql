-- Ways beside the tables: 10 old servers, 20 replication, 28 what other sessions run, 29 notifications, large objects and
-- advisory locks, 30 settings, 36 logs, 37 scheduled jobs; files, programs, other servers, and what is built in languages
-- that know no bounds. Those that need several sessions or a server of their own are in
-- tests/operations/secrets_in_sight.py.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- 10: the server that runs this has none of the holes that are known.
SELECT is((SELECT status FROM codeverify.doctor() WHERE check_name = 'server_version'), 'ok', '10: this server has no known hole in row security');
SELECT isnt_empty('SELECT codeverify.list_server_flaws(150002)', '10: an old one has');

-- 20: whoever may replicate reads what row security hides.
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT pg_create_logical_replication_slot('tap', 'test_decoding')$$, '42501', NULL, '20: a tenant makes no slot');
SELECT throws_ok($$SELECT pg_create_physical_replication_slot('tap')$$, '42501', NULL, '20: of no kind');
SELECT throws_ok(
    $$SELECT * FROM pg_logical_slot_peek_changes('tap', NULL, NULL)$$, '42501', NULL, '20: nor does it read one');
SELECT throws_ok(
    format('CREATE PUBLICATION tap FOR TABLE analysis.findings'), '42501', NULL, '20: it publishes nothing');
SELECT throws_ok(
    $$CREATE SUBSCRIPTION tap CONNECTION 'dbname=postgres' PUBLICATION tap WITH (connect = false)$$, '42501', NULL,
    '20: nor does it subscribe');
RESET SESSION AUTHORIZATION;
ALTER ROLE tap_tenant REPLICATION;
SELECT matches(
    (SELECT detail FROM codeverify.doctor() WHERE check_name = 'tenant_attributes'), 'tap_tenant \(REPLICATION\)',
    '20: doctor() names a tenant who may');
ALTER ROLE tap_tenant NOREPLICATION;

-- 28: what a session runs is shown to sessions of the same login, whatever tenant they act for.
CALL tap.act('owner', 'a');
SELECT is_empty(
    $$SELECT query FROM pg_stat_activity WHERE usename <> current_user AND query <> '' AND query <> '<insufficient privilege>'$$,
    '28: a login sees nothing that others run');
SELECT ok(NOT pg_has_role('codeverify_tenant', r.rolname, 'MEMBER'), format('28: a tenant is no %s', r.rolname))
FROM pg_roles AS r
WHERE r.rolname LIKE 'pg\_%'
ORDER BY r.rolname;

-- 29: NOTIFY, advisory locks and large objects know no tenants, and so nothing of ours is in them.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION tap.sources() RETURNS SETOF text LANGUAGE sql AS $function$
    SELECT p.oid::regprocedure::text
    FROM pg_proc AS p
    JOIN pg_roles AS r ON r.oid = p.proowner
    WHERE r.rolname = 'codeverify_owner'
      -- What doctor() asks of row security names the functions of large objects in order to warn of them.
      AND p.oid <> 'codeverify.examine_isolation()'::regprocedure
      AND p.prosrc ~* '\m(NOTIFY|pg_notify|lo_\w+|pg_(try_)?advisory\w*)\M'
$function$;
SELECT is_empty('SELECT tap.sources()', '29: no function of ours notifies, locks by number or keeps a large object');
CREATE FUNCTION careless.keep(secret text) RETURNS oid LANGUAGE sql SECURITY DEFINER AS
    'SELECT lo_from_bytea(0, convert_to(secret, ''UTF8''))';
CREATE TABLE careless.kept (id oid);
INSERT INTO careless.kept SELECT careless.keep('secret of b');
GRANT SELECT ON careless.kept TO codeverify_tenant;
DO $grant$
BEGIN
    EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO codeverify_tenant', (SELECT id FROM careless.kept));
END
$grant$;
CALL tap.act('owner', 'a');
SELECT is(
    convert_from(lo_get((SELECT id FROM careless.kept)), 'UTF8'), 'secret of b',
    '29: a large object that is granted to tenants is granted to all of them');
RESET SESSION AUTHORIZATION;
SAVEPOINT before_revoking;
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
CALL tap.act('owner', 'a');
SELECT throws_ok(statement, '42501', NULL, '29: hardened: ' || statement)
FROM unnest('{SELECT lo_creat(-1),SELECT lo_create(0),"SELECT lo_from_bytea(0, '''')"}'::text[]) AS s (statement);
ROLLBACK TO SAVEPOINT before_revoking;
CALL tap.act('owner', 'a');
SELECT throws_ok(statement, '42501', NULL, '29: of all servers: ' || statement)
FROM unnest(ARRAY[$$SELECT lo_import('/etc/passwd')$$, $$SELECT lo_import('/etc/passwd', 4711)$$]) AS s (statement);

-- 30: everybody reads the settings of databases and roles.
RESET SESSION AUTHORIZATION;
ALTER ROLE tap_service SET app.provider_secret = 'swordfish';
CALL tap.act('viewer', 'a');
SELECT is(
    (SELECT s.setconfig[1] FROM pg_db_role_setting AS s WHERE s.setrole = 'tap_service'::regrole), 'app.provider_secret=swordfish',
    '30: a viewer reads a secret in the settings of another role');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT detail LIKE '%app.provider_secret%' AND detail NOT LIKE '%swordfish%' FROM codeverify.doctor() WHERE check_name = 'secrets_in_settings'),
    true, '30: doctor() tells its name');
SET LOCAL codeverify.ledger_key_file = '/run/secrets/ledger.key';
CALL tap.act('owner', 'a');
SELECT throws_ok(
    format('SHOW %s', s.name), '42501', NULL, format('30: a tenant does not read %s', s.name))
FROM unnest('{codeverify.ledger_key_file}'::text[]) AS s (name);
SELECT is_empty(
    $$SELECT name FROM pg_settings WHERE name LIKE 'codeverify.%' AND name ~ '(key|secret|file)' AND vartype = 'string' AND setting <> ''$$,
    '30: nor is any file of keys among what it sees');

-- 36: doctor() warns of parameters in logs. tests/operations/secrets_in_sight.py reads the log.
RESET SESSION AUTHORIZATION;
SET LOCAL log_parameter_max_length = -1;
SELECT is((SELECT status FROM codeverify.doctor() WHERE check_name = 'log_parameters'), 'warning', '36: doctor() warns of parameters in logs');
SET LOCAL log_parameter_max_length = 0;
SET LOCAL log_parameter_max_length_on_error = 0;
SELECT is((SELECT status FROM codeverify.doctor() WHERE check_name = 'log_parameters'), 'ok', '36: and is content when there are none');

-- 37: a job of a superuser sees everything; one of a role that row security binds sees nothing until it acts for somebody.
SELECT is((SELECT count(DISTINCT org_id) FROM analysis.findings), 2::bigint, '37: a job of a superuser sees everybody''s rows');
CALL tap.act(login => 'tap_service');
SELECT is((SELECT count(*) FROM analysis.findings), 0::bigint, '37: one of the service sees none');
SELECT lives_ok($$SELECT tenancy.assume(tap.id('a'))$$, '37: until it acts for an organization');
SELECT is((SELECT count(DISTINCT org_id) FROM analysis.findings), 1::bigint, '37: whose rows it sees');

-- Files, programs and other servers. A tenant that may make schemas may do no more than that.
CALL tap.act('owner', 'a');
SELECT throws_ok(statement, '42501', NULL, 'beside: ' || statement)
FROM unnest(ARRAY[
    $$SELECT pg_read_file('PG_VERSION')$$,
    $$SELECT pg_read_binary_file('PG_VERSION')$$,
    $$SELECT * FROM pg_ls_dir('.')$$,
    $$SELECT * FROM pg_ls_logdir()$$,
    $$SELECT * FROM pg_stat_file('PG_VERSION')$$,
    $$SELECT pg_current_logfile()$$,
    $$SELECT * FROM pg_hba_file_rules$$,
    $$SELECT * FROM pg_file_settings$$,
    $$SELECT * FROM pg_authid$$,
    $$SELECT passwd FROM pg_shadow$$,
    $$SELECT * FROM pg_statistic$$,
    $$SELECT * FROM pg_user_mapping$$,
    $$COPY attacker.loot FROM '/etc/passwd'$$,
    $$COPY attacker.loot FROM PROGRAM 'id'$$,
    $$COPY attacker.loot TO PROGRAM 'cat'$$,
    $$COPY attacker.loot TO '/tmp/loot'$$,
    $$LOAD '/tmp/evil.so'$$,
    $$CREATE FUNCTION attacker.evil() RETURNS int LANGUAGE c AS '/tmp/evil.so', 'evil'$$,
    $$CREATE FUNCTION attacker.evil() RETURNS int LANGUAGE internal AS 'pg_backend_pid'$$,
    $$CREATE FUNCTION attacker.set_anything(text, text, boolean) RETURNS text LANGUAGE c AS '$libdir/codeverify', 'set_context'$$,
    $$CREATE EXTENSION dblink$$,
    $$CREATE EXTENSION postgres_fdw$$,
    $$CREATE EXTENSION file_fdw$$,
    $$CREATE EVENT TRIGGER spy ON ddl_command_start EXECUTE FUNCTION codeverify.version()$$,
    $$ALTER EVENT TRIGGER codeverify_warn_of_unprotected_tables DISABLE$$,
    $$DROP EVENT TRIGGER codeverify_warn_of_unprotected_tables$$,
    $$CREATE CAST (uuid AS boolean) WITH INOUT AS IMPLICIT$$,
    $$CREATE OPERATOR CLASS attacker.uuid_ops DEFAULT FOR TYPE uuid USING btree AS OPERATOR 3 =, FUNCTION 1 uuid_cmp(uuid, uuid)$$,
    $$CREATE ROLE evil$$,
    $$ALTER ROLE tap_tenant BYPASSRLS$$,
    $$GRANT codeverify_owner TO tap_tenant$$,
    $$ALTER EXTENSION codeverify UPDATE$$,
    $$DROP EXTENSION codeverify$$,
    $$CREATE SCHEMA evil$$,
    $$ALTER DEFAULT PRIVILEGES FOR ROLE codeverify_owner GRANT SELECT ON TABLES TO tap_tenant$$,
    $$ALTER FUNCTION tenancy.current_org_id() OWNER TO tap_tenant$$,
    $$CREATE OR REPLACE FUNCTION tenancy.current_org_id() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'$$,
    $$COMMENT ON TABLE analysis.findings IS 'mine'$$,
    $$REINDEX TABLE analysis.findings$$,
    $$CLUSTER analysis.findings USING findings_pkey$$,
    $$SET session_replication_role = replica$$,
    $$SET session_preload_libraries = 'evil'$$,
    $$SET dynamic_library_path = '/tmp'$$,
    $$SET log_statement = 'all'$$,
    $$SET log_parameter_max_length = -1$$,
    $$SELECT pg_reload_conf()$$,
    $$SELECT pg_cancel_backend(pg_backend_pid())$$,
    $$SELECT pg_export_snapshot() FROM pg_authid$$,
    $$SELECT pg_stat_reset()$$,
    $$SELECT pg_switch_wal()$$,
    $$SELECT * FROM pg_get_backend_memory_contexts()$$
]) AS s (statement);
-- ANALYZE and VACUUM of what is not one's own are skipped with a warning.
SELECT is(tap.error_of('ANALYZE analysis.findings'), NULL, 'beside: ANALYZE of another''s table does nothing');
SELECT is_empty($$SELECT FROM pg_stats WHERE schemaname = 'analysis'$$, 'beside: and pg_stats shows nothing of ours');
SELECT is_empty(
    $$SELECT extname FROM pg_extension WHERE extname IN ('dblink', 'postgres_fdw', 'file_fdw')$$,
    'beside: no extension that reaches out is needed');
SELECT is_empty(
    $$SELECT lanname FROM pg_language WHERE NOT lanpltrusted AND lanname NOT IN ('c', 'internal')$$, 'beside: nor an untrusted language');

SELECT * FROM finish();
ROLLBACK;
