-- 14: what a definer function looks up by a bare name.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- 14: what a definer function looks up by a bare name is whatever its caller has put in the path.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION careless.count_members()
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
AS $function$
BEGIN
    RETURN (SELECT count(*) FROM org_memberships WHERE org_id = tenancy.current_org_id());
END
$function$;
CALL tap.act('owner', 'a');
CREATE FUNCTION attacker.steal(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $function$
BEGIN
    INSERT INTO attacker.loot VALUES (current_user);
    RETURN true;
END
$function$;
GRANT ALL ON SCHEMA attacker TO PUBLIC;
GRANT ALL ON attacker.loot TO PUBLIC;
TRUNCATE attacker.loot;
CREATE OPERATOR attacker.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = attacker.steal);
CREATE TEMP TABLE org_memberships (org_id uuid, user_id uuid, role text, created_at timestamptz);
CREATE TEMP TABLE users (id uuid, username text);
CREATE TEMP TABLE organizations (id uuid);
CREATE TEMP TABLE api_keys (id uuid);
INSERT INTO org_memberships VALUES (tap.id('b'));
SET LOCAL search_path = pg_temp, attacker, tenancy, auth, analysis, pg_catalog, public;
SELECT public.is(careless.count_members(), 1::bigint, '14: a definer function without a path reads a table of its caller');
SELECT public.is(
    (SELECT string_agg(DISTINCT value, '') FROM attacker.loot),
    (SELECT p.proowner::regrole::text FROM pg_proc AS p WHERE p.oid = 'careless.count_members()'::regprocedure),
    '14: and runs its caller''s operator with its owner''s rights');
TRUNCATE attacker.loot;
SELECT public.is((SELECT count(*) FROM tenancy.list_members()), 5::bigint, '14: list_members() reads the real tables');
SELECT public.throws_ok(
    $$SELECT tenancy.remove_member(tap.id('a'), tap.id('owner of a'))$$, 'VC013', NULL, '14: so does the trigger that keeps an owner');
SELECT public.is(
    (auth.authenticate_api_key('cv_live_' || repeat('0', 36)) ->> 'status'), 'invalid', '14: so does authenticate_api_key()');
SELECT public.lives_ok($$SELECT * FROM auth.create_api_key(tap.id('a'), 'k')$$, '14: and create_api_key()');
SELECT public.lives_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), 3, repeat('b', 40))$$, '14: and start_analysis()');
SELECT public.is((SELECT count(*) FROM attacker.loot), 0::bigint, '14: none ran the attacker''s operator');
RESET search_path;
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM pg_proc AS p
        JOIN pg_roles AS r ON r.oid = p.proowner
        WHERE p.prosecdef
          AND r.rolname = 'codeverify_owner'
          AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)
    $$,
    '14: every definer function of codeverify has a fixed path');


SELECT * FROM finish();
ROLLBACK;
