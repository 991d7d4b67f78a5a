-- The context cannot be forged: nobody but the functions that verify somebody, and superusers, sets it.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

CREATE FUNCTION tap.context()
RETURNS text
LANGUAGE sql
AS $function$
    SELECT concat_ws('/', tenancy.current_org_id(), tenancy.current_user_id(), tenancy."current_role"(), tenancy.current_api_key_id())
$function$;

-- The settings themselves.
SELECT set_eq(
    -- Those that only a start can set are there where it preloads the library.
    $$SELECT s.name, s.context FROM pg_settings AS s WHERE s.name LIKE 'codeverify.%' AND s.context <> 'postmaster'$$,
    $$
        VALUES ('codeverify.api_key_id', 'superuser'),
               ('codeverify.argon2_iterations', 'superuser'),
               ('codeverify.argon2_memory', 'superuser'),
               ('codeverify.argon2_parallelism', 'superuser'),
               ('codeverify.bound_identity', 'superuser'),
               ('codeverify.capture', 'superuser'),
               ('codeverify.deploy', 'superuser'),
               ('codeverify.email_verification_lifetime', 'superuser'),
               ('codeverify.encryption_key_file', 'superuser'),
               ('codeverify.flush_interval', 'sighup'),
               ('codeverify.maintenance_databases', 'sighup'),
               ('codeverify.maintenance_interval', 'sighup'),
               ('codeverify.ledger_key_file', 'superuser'),
               ('codeverify.ledger_lanes', 'superuser'),
               ('codeverify.ledger_origin', 'superuser'),
               ('codeverify.login_delay_max', 'superuser'),
               ('codeverify.login_failures_per_ip_address', 'superuser'),
               ('codeverify.max_concurrent_hashes', 'superuser'),
               ('codeverify.member_role', 'superuser'),
               ('codeverify.org_id', 'superuser'),
               ('codeverify.clock', 'superuser'),
               ('codeverify.own_transactions', 'superuser'),
               ('codeverify.password_reset_lifetime', 'superuser'),
               ('codeverify.refuse_table_locks', 'superuser'),
               ('codeverify.sarif_max_size', 'superuser'),
               ('codeverify.session_absolute_timeout', 'superuser'),
               ('codeverify.session_idle_timeout', 'superuser'),
               ('codeverify.session_token_lifetime', 'superuser'),
               ('codeverify.totp_issuer', 'superuser'),
               ('codeverify.user_id', 'superuser'),
               ('codeverify.web_token_leeway', 'superuser')
    $$,
    'every setting is a superuser''s, or the server''s');
SELECT is(
    (SELECT count(*) FROM pg_parameter_acl AS p WHERE p.parname LIKE 'codeverify.%'), 0::bigint,
    'and no other role has been granted any');
SELECT throws_ok($$SET LOCAL codeverify.org_id = 'not a uuid'$$, '22023', NULL, 'an organization is a uuid');
SELECT throws_ok($$SET LOCAL codeverify.user_id = '1'$$, '22023', NULL, 'a user is a uuid');
SELECT throws_ok($$SET LOCAL codeverify.member_role = 'emperor'$$, '22023', NULL, 'a role is one of five');
SELECT throws_ok($$SET LOCAL codeverify.api_key_id = 'cv_live_'$$, '22023', NULL, 'an API key is named by its id');
SELECT lives_ok($$SET LOCAL codeverify.org_id = ''$$, 'empty is none');
SELECT is(tenancy.current_org_id(), NULL, 'and gives NULL');

-- The accessors are what policies need: STABLE, so that no plan keeps an answer; PARALLEL SAFE; cheap.
SELECT results_eq(
    $$
        SELECT p.proname, p.provolatile, p.proparallel, p.procost, p.proleakproof
        FROM pg_proc AS p
        WHERE p.pronamespace = 'tenancy'::regnamespace
          AND p.proname IN ('current_api_key_id', 'current_org_id', 'current_user_id', 'current_role', 'has_permission', 'require_permission')
        ORDER BY p.proname
    $$,
    $$
        VALUES ('current_api_key_id'::name, 's'::"char", 's'::"char", 1::real, false),
               ('current_org_id', 's', 's', 1, false),
               ('current_role', 's', 's', 1, false),
               ('current_user_id', 's', 's', 1, false),
               ('has_permission', 's', 's', 1, false),
               ('require_permission', 's', 's', 1, false)
    $$,
    'the accessors are stable, parallel safe and cheap');

-- Each way to set them that a plain role might try. ALTER SYSTEM cannot run in a transaction.
CREATE TABLE tap.way (statement text);
GRANT SELECT ON tap.way TO PUBLIC;
GRANT CREATE ON SCHEMA tap TO PUBLIC;
INSERT INTO tap.way
SELECT format(w.statement, s.name, s.value, r.rolname)
FROM (VALUES ('codeverify.org_id', tap.id('b')::text),
             ('codeverify.user_id', tap.id('owner of b')::text),
             ('codeverify.member_role', 'owner'),
             ('codeverify.api_key_id', tap.id('key of b')::text)) AS s (name, value)
CROSS JOIN (VALUES
    ('SET %1$s = %2$L'),
    ('SET SESSION %1$s = %2$L'),
    ('SET LOCAL %1$s = %2$L'),
    ('SET %1$s TO DEFAULT'),
    ('RESET %1$s'),
    ('SELECT set_config(%1$L, %2$L, true)'),
    ('SELECT set_config(%1$L, %2$L, false)'),
    ('SELECT set_config(upper(%1$L), %2$L, false)'),
    ('UPDATE pg_catalog.pg_settings SET setting = %2$L WHERE name = %1$L'),
    ('ALTER ROLE %3$I SET %1$s = %2$L'),
    ('ALTER ROLE CURRENT_USER SET %1$s = %2$L'),
    ('ALTER ROLE %3$I IN DATABASE ' || quote_ident(current_database()) || ' SET %1$s = %2$L'),
    ('ALTER DATABASE ' || quote_ident(current_database()) || ' SET %1$s = %2$L'),
    ('GRANT SET ON PARAMETER %1$s TO %3$I'),
    ('DO $do$BEGIN SET LOCAL %1$s = %2$L; END$do$'),
    ('DO $do$BEGIN PERFORM set_config(%1$L, %2$L, true); END$do$'),
    ('CREATE FUNCTION tap.spoof() RETURNS uuid LANGUAGE sql SET %1$s = %2$L AS $f$SELECT tenancy.current_org_id()$f$; SELECT tap.spoof()')
) AS w (statement)
CROSS JOIN (VALUES ('tap_tenant')) AS r (rolname);

CALL tap.act('viewer', 'a');
SELECT throws_matching(statement, 'permission denied|must be (owner|member)|unrecognized|cannot be set', statement)
FROM tap.way;
SELECT is(
    tap.context(), concat_ws('/', tap.id('a'), tap.id('viewer of a'), 'viewer'),
    'after all of them the context is what it was');

CALL tap.act(login => 'tap_service');
SELECT throws_matching(statement, 'permission denied|must be (owner|member)', 'the service: ' || statement)
FROM tap.way
WHERE statement LIKE '%org_id%' AND statement NOT LIKE 'ALTER%' AND statement NOT LIKE 'GRANT%';
CALL tap.act(login => 'tap_admin');
SELECT throws_matching(statement, 'permission denied|must be (owner|member)', 'an administrator: ' || statement)
FROM tap.way
WHERE statement LIKE '%org_id%' AND statement NOT LIKE 'ALTER%' AND statement NOT LIKE 'GRANT%';
CALL tap.act(login => 'codeverify_owner');
SELECT throws_matching(statement, 'permission denied|must be (owner|member)', 'the owner of the tables: ' || statement)
FROM tap.way
WHERE statement LIKE '%org_id%' AND statement NOT LIKE 'ALTER%' AND statement NOT LIKE 'GRANT%';

-- What a superuser wrote carelessly: a definer function that passes any setting on. The setting refuses to be set
-- while an identity is borrowed.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION tap.set_anything(name text, value text)
RETURNS text
LANGUAGE sql
SECURITY DEFINER
AS $function$
    SELECT set_config(name, value, true)
$function$;
SELECT set_config('tap.careless', 'before', true);
SET LOCAL work_mem = '4MB';
CALL tap.act('viewer', 'a');
SELECT lives_ok(
    $$SELECT tap.set_anything('log_min_messages', 'panic')$$, 'it passes on what is a superuser''s to set');
SELECT throws_ok(
    $$SELECT tap.set_anything('codeverify.org_id', tap.id('b')::text)$$, '42501',
    'cannot set parameter "codeverify.org_id" within security-definer function', 'but not the organization');
SELECT throws_ok(
    $$SELECT tap.set_anything('codeverify.user_id', tap.id('owner of a')::text)$$, '42501', NULL, 'nor the user');
SELECT throws_ok(
    $$SELECT tap.set_anything('codeverify.member_role', 'owner')$$, '42501', NULL, 'nor the role');
SELECT throws_ok(
    $$SELECT tap.set_anything('codeverify.api_key_id', tap.id('key of a')::text)$$, '42501', NULL, 'nor the API key');

-- The same holds for the functions that take a context: they cannot be wrapped, and say so.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION tap.assume_anything(org uuid)
RETURNS void
LANGUAGE sql
SECURITY DEFINER
AS $function$
    SELECT tenancy.assume(org)
$function$;
CALL tap.act();
SELECT throws_ok($$SELECT tap.assume_anything(tap.id('b'))$$, '42501', NULL, 'a definer function takes no context for its caller');
SELECT is(tap.context(), '', 'there is none afterwards');

-- RESET ALL and DISCARD end a context and never make one.
CALL tap.act('viewer', 'a');
RESET ALL;
SELECT is(tap.context(), '', 'RESET ALL leaves none');

-- Without a context nothing is seen, and nothing is written with org_id left out.
CALL tap.act();
SELECT is((SELECT count(*) FROM tenancy.organizations), 0::bigint, 'no context: no organization');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 0::bigint, 'no context: no members');
SELECT throws_ok($$INSERT INTO tenancy.services (name) VALUES ('x')$$, '42501', NULL, 'no context: no new row');

SELECT * FROM finish();
ROLLBACK;
