-- Authenticating where it might be undone, wrapped or borrowed: 18 definer functions, 32 a second identity after a
-- savepoint, an exception or RESET ALL, 35 what is revoked meanwhile.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

CREATE TABLE tap.key (name text PRIMARY KEY, api_key_id uuid, api_key text);
GRANT SELECT ON tap.key TO PUBLIC;
CALL tap.act('owner', 'a', 'tap_service');
SELECT * FROM auth.create_api_key(tap.id('a'), 'a', '["read", "write"]') \gset a_
SELECT * FROM auth.create_api_key(tap.id('a'), 'admin of a', '["admin"]') \gset admin_
CALL tap.act('owner', 'b', 'tap_service');
SELECT * FROM auth.create_api_key(tap.id('b'), 'b', '["read", "write"]') \gset b_
RESET SESSION AUTHORIZATION;
INSERT INTO tap.key
VALUES ('a', :'a_api_key_id', :'a_api_key'), ('admin of a', :'admin_api_key_id', :'admin_api_key'), ('b', :'b_api_key_id', :'b_api_key');

CREATE FUNCTION tap.status_of(key_name text) RETURNS text LANGUAGE sql AS $function$
    SELECT auth.authenticate_api_key((SELECT k.api_key FROM tap.key AS k WHERE k.name = key_name)) ->> 'status'
$function$;
CREATE FUNCTION tap.context() RETURNS text LANGUAGE sql AS $function$
    SELECT concat_ws('/', tenancy.current_org_id(), tenancy."current_role"())
$function$;
CALL tap.act();

-- The tenant's own functions, made by itself.
CREATE FUNCTION attacker.as_definer(key_name text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $function$
BEGIN
    RETURN tap.status_of(key_name);
END
$function$;
CREATE FUNCTION attacker.in_a_block(key_name text) RETURNS text LANGUAGE plpgsql AS $function$
DECLARE
    seen text;
BEGIN
    BEGIN
        PERFORM tap.status_of(key_name);
        seen := tap.context();
        RAISE EXCEPTION USING ERRCODE = 'VC999';
    EXCEPTION
        WHEN SQLSTATE 'VC999' THEN
            RETURN format('%s then %s', seen, tap.context());
    END;
END
$function$;
CREATE FUNCTION attacker.with_a_setting(key_name text) RETURNS text LANGUAGE plpgsql SET work_mem = '1MB' AS $function$
BEGIN
    RETURN tap.status_of(key_name);
END
$function$;

-- 18: with borrowed rights nothing is taken, whoever the rights are borrowed from.
SELECT throws_ok(
    $$SELECT attacker.as_definer('a')$$, '42501', NULL, '18: a definer function of the tenant''s own takes no context');
SELECT is(tap.context(), '', '18: there is none afterwards');
RESET SESSION AUTHORIZATION;
CREATE FUNCTION careless.authenticate(key_name text) RETURNS text LANGUAGE sql SECURITY DEFINER AS
    'SELECT tap.status_of(key_name)';
CALL tap.act();
SELECT throws_ok(
    $$SELECT careless.authenticate('a')$$, '42501', NULL, '18: nor does one of a superuser');
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('b'))$$, '42501', NULL, '18: a tenant itself assumes nobody');
-- An index expression and a materialized view run as their owner, in a restricted operation.
CREATE FUNCTION attacker.authenticate(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $function$
BEGIN
    PERFORM tap.status_of('a');
    RETURN 1;
END
$function$;
CREATE TABLE attacker.indexed AS SELECT 1 AS id;
SELECT throws_ok(
    'CREATE INDEX ON attacker.indexed (attacker.authenticate(id))', '42501', NULL, '18: nothing is taken while an index is built');
SELECT throws_ok(
    'CREATE MATERIALIZED VIEW attacker.view AS SELECT attacker.authenticate(1)', '42501', NULL, '18: nor while a view is filled');
SELECT is(tap.context(), '', '18: there is no context afterwards');

-- 32: what is undone is undone, and is the transaction's first identity nevertheless.
SAVEPOINT before_the_key;
SELECT is(attacker.in_a_block('a'), tap.id('a') || '/developer then ', '32: an exception takes the context away');
SELECT is((SELECT count(*) FROM analysis.findings), 0::bigint, '32: with all rows');
SELECT throws_ok($$SELECT tap.status_of('b')$$, 'VC010', NULL, '32: another key is refused then');
SELECT throws_ok($$SELECT tap.status_of('admin of a')$$, 'VC010', NULL, '32: so is a stronger one of the same organization');
SELECT throws_ok($$SELECT attacker.in_a_block('b')$$, 'VC010', NULL, '32: in a block too');
SELECT is(tap.context(), '', '32: all of which leaves none');
SELECT is(tap.status_of('a'), 'ok', '32: the first key is taken again');
SELECT is((SELECT count(*) FROM analysis.findings), 1::bigint, '32: and its rows are there');
SELECT is(attacker.in_a_block('a'), format('%1$s/developer then %1$s/developer', tap.id('a')), '32: a block inside changes nothing');
DECLARE findings_of_a CURSOR FOR SELECT org_id FROM analysis.findings;

RESET ALL;
SELECT is(tap.context(), '', '32: RESET ALL ends the context');
SELECT throws_ok($$SELECT tap.status_of('b')$$, 'VC010', NULL, '32: and opens it to nobody else');
SELECT is(attacker.with_a_setting('a'), 'ok', '32: a function with settings of its own takes the same key');
SELECT is(tap.context(), tap.id('a') || '/developer', '32: whose context outlives the function');
SELECT throws_ok('RESET codeverify.org_id', '42501', NULL, '32: one of the settings alone is not reset');
SELECT throws_ok('RESET codeverify.member_role', '42501', NULL, '32: nor is the role');
SELECT throws_ok('DISCARD ALL', '25001', NULL, '32: DISCARD ALL is for between transactions');
DISCARD PLANS;
DISCARD SEQUENCES;
SELECT is(tap.context(), tap.id('a') || '/developer', '32: other DISCARDs keep the context');
ROLLBACK TO SAVEPOINT before_the_key;
SELECT is(tap.context(), '', '32: ROLLBACK TO ends it');
SELECT throws_ok($$SELECT tap.status_of('b')$$, 'VC010', NULL, '32: and opens it to nobody else either');

-- Another role of the session does not change whom it acts for, and gains nothing.
SELECT is(tap.status_of('a'), 'ok', '21: the key once more');
SET LOCAL ROLE codeverify_tenant;
SELECT is(tap.context(), tap.id('a') || '/developer', '21: the group role acts for the same organization');
SELECT is((SELECT count(*) FROM analysis.findings), 1::bigint, '21: and sees the same');
RESET ROLE;
SELECT throws_ok('SET LOCAL ROLE codeverify_owner', '42501', NULL, '21: a tenant does not become the owner');
SELECT throws_ok('SET LOCAL ROLE tap_service', '42501', NULL, '21: nor the service');

-- 35: a key that is revoked while it is in use. What has begun ends with its transaction; it is not taken again.
RESET SESSION AUTHORIZATION;
DELETE FROM auth.api_keys WHERE id = :'a_api_key_id';
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(tap.context(), tap.id('a') || '/developer', '35: the transaction goes on');
SELECT is(tap.status_of('a'), 'invalid', '35: the key is invalid from now on');

SELECT * FROM finish();
ROLLBACK;
