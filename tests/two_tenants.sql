-- Two organizations, "a" and "b", each with a member of every role, a login for each group role, and a procedure
-- that acts as them. Test files include this by \ir after BEGIN and the plan, as the superuser that pg_prove
-- connects as.
--
-- A transaction takes one context only, so tap.act() sets the settings itself, as only a superuser can. It then
-- changes the session's own user, so that SET ROLE allows what it would allow that login. Files on tenancy.assume()
-- and auth.authenticate_api_key() take their context from those instead.

-- Loads the library, so that its settings are more than placeholders.
DO 'BEGIN PERFORM codeverify.version(); END';
-- What changes to tables leave in the ledger is not what most files are about; those on capture turn it on.
SET LOCAL codeverify.capture = off;
-- Failures are to be seen in the transaction, and rolled back with it. Files in tests/operations are on what is kept apart.
SET LOCAL codeverify.own_transactions = off;

CREATE SCHEMA tap;
GRANT USAGE ON SCHEMA tap TO PUBLIC;

CREATE FUNCTION tap.id(name text)
RETURNS uuid
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $function$
    SELECT pg_catalog.md5(name)::uuid
$function$;

DO $roles$
DECLARE
    member text;
BEGIN
    FOREACH member IN ARRAY ARRAY['admin', 'service', 'tenant', 'ingest', 'auditor'] LOOP
        EXECUTE format('CREATE ROLE tap_%1$s LOGIN IN ROLE codeverify_%1$s', member);
    END LOOP;
    CREATE ROLE tap_nobody LOGIN;
END
$roles$;

CREATE PROCEDURE tap.act(member text DEFAULT NULL, organization text DEFAULT NULL, login name DEFAULT 'tap_tenant')
LANGUAGE plpgsql
AS $procedure$
BEGIN
    RESET SESSION AUTHORIZATION;
    PERFORM set_config('codeverify.org_id', coalesce(tap.id(organization)::text, ''), true);
    PERFORM set_config('codeverify.user_id', coalesce(tap.id(member || ' of ' || organization)::text, ''), true);
    PERFORM set_config('codeverify.member_role', coalesce(member, ''), true);
    EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', login);
END
$procedure$;
COMMENT ON PROCEDURE tap.act(text, text, name) IS
    'Goes on as a member of an organization, CALL tap.act(''viewer'', ''a''), or without a context, CALL tap.act(), in the session of a login.';

INSERT INTO tenancy.organizations (id, name, login, github_id)
VALUES (tap.id('a'), 'Organization A', 'tap-a', 9000000001),
       (tap.id('b'), 'Organization B', 'tap-b', 9000000002);

INSERT INTO auth.users (id, username, email)
SELECT tap.id(format('%s of %s', m.role, o.name)),
       format('%s of %s', m.role, o.name),
       format('%s@%s.test', m.role, o.name)
FROM unnest(ARRAY['owner', 'admin', 'member', 'developer', 'viewer', 'stranger']) AS m (role)
CROSS JOIN unnest(ARRAY['a', 'b']) AS o (name);

INSERT INTO tenancy.org_memberships (org_id, user_id, role)
SELECT tap.id(o.name), tap.id(format('%s of %s', m.role, o.name)), m.role
FROM unnest(ARRAY['owner', 'admin', 'member', 'developer', 'viewer']) AS m (role)
CROSS JOIN unnest(ARRAY['a', 'b']) AS o (name);
