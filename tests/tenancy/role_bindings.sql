-- Logins that act for one organization: which may be bound, and to whom. What a bound session does is in
-- tests/operations/bound_roles.py, since a setting of a role is read when it connects.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
SET LOCAL client_min_messages = error;

CREATE ROLE tap_acme LOGIN IN ROLE codeverify_tenant;
CREATE FUNCTION tap.setting(login name)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT array_to_string(s.setconfig, ' ')
    FROM pg_db_role_setting AS s
    JOIN pg_database AS d ON d.oid = s.setdatabase
    WHERE s.setrole = login::regrole
      AND d.datname = current_database()
$function$;

-- Binding.
SELECT lives_ok($$SELECT tenancy.bind_role('tap_acme', tap.id('a'))$$, 'a role and an organization are enough');
SELECT is(tap.setting('tap_acme'), format('codeverify.bound_identity=%s/developer', tap.id('a')), 'the login is a setting of the role in this database');
SELECT results_eq(
    'SELECT * FROM tenancy.role_bindings', $$VALUES ('tap_acme'::name, tap.id('a'), 'developer', NULL::uuid)$$, 'it is shown');
SELECT lives_ok(
    $$SELECT tenancy.bind_role('tap_acme', tap.id('b'), 'viewer', tap.id('owner of b'))$$, 'it may be bound again, as a user who could do more');
SELECT results_eq(
    'SELECT * FROM tenancy.role_bindings', $$VALUES ('tap_acme'::name, tap.id('b'), 'viewer', tap.id('owner of b'))$$, 'which is shown instead');
SELECT is(tenancy.current_org_id(), NULL, 'the session that binds is not bound');
SELECT ok(tenancy.unbind_role('tap_acme'), 'it is taken back');
SELECT is(tap.setting('tap_acme'), NULL, 'and nothing stays');
SELECT ok(NOT tenancy.unbind_role('tap_acme'), 'once');
SELECT ok(NOT tenancy.unbind_role('tap_no_such_role'), 'and not from nobody');
SELECT is_empty('SELECT * FROM tenancy.role_bindings', 'there are no bindings');

CREATE ROLE "tap ""odd"" 'role" LOGIN IN ROLE codeverify_tenant;
SELECT lives_ok($$SELECT tenancy.bind_role('tap "odd" ''role', tap.id('a'), 'owner')$$, 'a name may be odd');
SELECT is((SELECT role FROM tenancy.role_bindings), 'tap "odd" ''role', 'and is shown as it is');
SELECT ok(tenancy.unbind_role('tap "odd" ''role'), 'and taken back');

-- What cannot be bound.
CREATE ROLE tap_group IN ROLE codeverify_tenant;
CREATE ROLE tap_plain LOGIN;
CREATE ROLE tap_bypass LOGIN BYPASSRLS IN ROLE codeverify_tenant;
CREATE ROLE tap_replica LOGIN REPLICATION IN ROLE codeverify_tenant;
CREATE ROLE tap_maker LOGIN CREATEROLE IN ROLE codeverify_tenant;
CREATE ROLE tap_super LOGIN SUPERUSER;
CREATE ROLE tap_reader LOGIN IN ROLE codeverify_tenant, pg_read_all_data;
CREATE ROLE tap_deep LOGIN IN ROLE tap_group;
CREATE ROLE tap_deeper LOGIN NOINHERIT IN ROLE codeverify_tenant, tap_bypass;
SELECT throws_matching(
    format('SELECT tenancy.bind_role(%L, tap.id(''a''))', b.login), '^role "' || b.login || '" cannot be bound: ' || b.problem, b.login)
FROM (VALUES
    ('tap_no_such_role', 'it does not exist'),
    ('tap_group', 'it cannot log in'),
    ('codeverify_tenant', 'it cannot log in'),
    ('tap_super', 'it is a superuser'),
    ('tap_bypass', 'row security does not bind it'),
    ('tap_replica', 'it has REPLICATION'),
    ('tap_maker', 'it has CREATEROLE'),
    ('tap_service', 'it is a member of codeverify_service'),
    ('tap_admin', 'it is a member of codeverify_admin'),
    ('tap_auditor', 'it is a member of codeverify_auditor'),
    ('tap_ingest', 'it is a member of codeverify_ingest'),
    ('tap_reader', 'it is a member of pg_read_all_data'),
    ('tap_deeper', 'it is a member of tap_bypass'),
    ('tap_plain', 'it is no member of codeverify_tenant')
) AS b (login, problem);
SELECT lives_ok($$SELECT tenancy.bind_role('tap_deep', tap.id('a'))$$, 'a tenant by way of a group is one');
SELECT throws_ok(
    format('SELECT tenancy.bind_role(%s)', b.arguments), b.code, NULL, format('refused: %s', b.arguments))
FROM (VALUES
    ('VC029', $$NULL, tap.id('a')$$),
    ('VC029', $$'tap_acme', NULL$$),
    ('VC029', $$'tap_acme', tap.id('a'), NULL$$),
    ('VC029', $$'tap_acme', tap.id('a'), 'emperor'$$),
    ('VC015', $$'tap_acme', tap.id('nowhere')$$),
    ('VC012', $$'tap_acme', tap.id('a'), 'viewer', tap.id('owner of b')$$),
    ('VC012', $$'tap_acme', tap.id('a'), 'viewer', tap.id('nobody')$$),
    ('VC029', $$'tap_acme', tap.id('a'), 'developer', tap.id('viewer of a')$$),
    ('VC029', $$'tap_acme', tap.id('a'), 'owner', tap.id('admin of a')$$)
) AS b (code, arguments);
SELECT is(tap.setting('tap_acme'), NULL, 'what is refused leaves nothing');

-- The setting itself: nobody gives it a value but ALTER ROLE.
SELECT throws_ok(w.way, w.code, NULL, w.way)
FROM (VALUES
    ('22023', format($$SET LOCAL codeverify.bound_identity = '%s/owner'$$, tap.id('a'))),
    ('22023', format($$SELECT set_config('codeverify.bound_identity', '%s/owner', true)$$, tap.id('a'))),
    ('22023', format($$ALTER ROLE tap_acme SET codeverify.bound_identity = '%s'$$, tap.id('a'))),
    ('22023', $$ALTER ROLE tap_acme SET codeverify.bound_identity = 'x/owner'$$)
) AS w (code, way);
GRANT CREATE ON SCHEMA tap TO tap_acme;
SELECT tenancy.bind_role('tap_acme', tap.id('a'), 'viewer') \g /dev/null
CALL tap.act(login => 'tap_acme');
SELECT throws_ok(w.way, '42501', NULL, 'a tenant: ' || w.way)
FROM (VALUES
    (format($$SET codeverify.bound_identity = '%s/owner'$$, tap.id('b'))),
    ($$RESET codeverify.bound_identity$$),
    (format($$ALTER ROLE tap_acme SET codeverify.bound_identity = '%s/owner'$$, tap.id('b'))),
    (format($$ALTER ROLE tap_acme IN DATABASE %I SET codeverify.bound_identity = '%s/owner'$$, current_database(), tap.id('b'))),
    (format($$ALTER ROLE tap_acme IN DATABASE %I RESET codeverify.bound_identity$$, current_database())),
    (format($$CREATE FUNCTION tap.f() RETURNS int LANGUAGE sql SET codeverify.bound_identity = '%s/owner' AS 'SELECT 1'$$, tap.id('b'))),
    ($$SELECT tenancy.bind_role('tap_acme', tap.id('b'))$$),
    ($$SELECT tenancy.unbind_role('tap_acme')$$),
    ($$SELECT * FROM tenancy.role_bindings$$)
) AS w (way);
SELECT lives_ok(format('ALTER ROLE tap_acme IN DATABASE %I RESET ALL', current_database()), 'a tenant may reset its own settings');
RESET SESSION AUTHORIZATION;
SELECT is(tap.setting('tap_acme'), format('codeverify.bound_identity=%s/viewer', tap.id('a')), 'but not this one');

CALL tap.act(login => 'tap_service');
SELECT throws_ok($$SELECT tenancy.bind_role('tap_acme', tap.id('b'))$$, '42501', NULL, 'the service binds nobody');
SELECT isnt_empty('SELECT * FROM tenancy.role_bindings', 'but sees who is bound');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok($$SELECT tenancy.bind_role('tap_acme', tap.id('b'))$$, '42501', NULL, 'nor does an administrator');
SELECT throws_ok($$SELECT tenancy.unbind_role('tap_acme')$$, '42501', NULL, 'or take it back');
SELECT isnt_empty('SELECT * FROM tenancy.role_bindings', 'who sees who is bound');
CALL tap.act(login => 'tap_auditor');
SELECT isnt_empty('SELECT * FROM tenancy.role_bindings', 'as an auditor does');

SELECT * FROM finish();
ROLLBACK;
