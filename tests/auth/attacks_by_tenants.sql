-- What gets people in, called by those who are in already, for others: as the owner of an organization after the users,
-- keys, sessions and invitations of another; as a writer of logs; as the service while it acts for somebody.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../careless.sql

-- A session, an invitation and a key of b, as b made them.
CALL tap.act('owner', 'b');
SELECT auth.create_invitation(tap.id('b'), 'admin') AS answer \gset
SELECT :'answer'::jsonb ->> 'code' AS code, :'answer'::jsonb ->> 'invitation_id' AS invitation_id \gset
SELECT * FROM auth.create_api_key(tap.id('b'), 'of b', '["admin"]') \gset
RESET SESSION AUTHORIZATION;
CREATE TABLE tap.thing (name text PRIMARY KEY, id uuid, secret text);
GRANT SELECT ON tap.thing TO PUBLIC;
INSERT INTO tap.thing
VALUES ('invitation', :'invitation_id', :'code'), ('key', :'api_key_id', :'api_key');
INSERT INTO tap.thing SELECT 'session', s.id, NULL FROM auth.sessions AS s WHERE s.user_id = tap.id('owner of b');

-- For another user, or with what is another's. Errors are of two kinds: no EXECUTE, and not your user.
CREATE TABLE tap.deed (place int GENERATED ALWAYS AS IDENTITY, statement text, tenant text, service text);
COMMENT ON TABLE tap.deed IS 'What comes of a statement for the owner of a, and for the service that acts for that owner: a SQLSTATE, or the answer.';
GRANT SELECT ON tap.deed TO PUBLIC;
INSERT INTO tap.deed (statement, tenant, service)
VALUES
    -- Functions of the back end: not for tenants, and not while it acts for one.
    ($$SELECT auth.register_user('eve@example.org', 'correct horse')$$, '42501', 'VC014'),
    ($$SELECT auth.request_email_verification(tap.id('owner of b'))$$, '42501', 'VC014'),
    ($$SELECT auth.request_email_verification(tap.id('owner of a'))$$, '42501', 'VC014'),
    ($$SELECT auth.request_password_reset('owner@b.test')$$, '42501', 'VC014'),
    ($$SELECT auth.request_password_reset('owner@a.test')$$, '42501', 'VC014'),
    ($$SELECT auth.link_identity(tap.id('owner of b'), 4711)$$, '42501', 'VC014'),
    ($$SELECT auth.link_identity(tap.id('owner of a'), 4711)$$, '42501', 'VC014'),
    ($$SELECT auth.reset_totp(tap.id('owner of b'))$$, '42501', 'VC014'),
    ($$SELECT auth.add_jwt_key('https://evil.test', 'HS256', repeat('x', 32))$$, '42501', 'VC014'),
    ($$SELECT auth.import_password_hash(tap.id('owner of b'), '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')$$, '42501', '42501'),
    -- One's own user only.
    ($$SELECT auth.change_password(tap.id('owner of b'), 'x', 'correct horse')$$, 'VC014', 'VC014'),
    ($$SELECT auth.enroll_totp(tap.id('owner of b'))$$, 'VC014', 'VC014'),
    ($$SELECT auth.confirm_totp(tap.id('owner of b'), '000000')$$, 'VC014', 'VC014'),
    ($$SELECT auth.disable_totp(tap.id('owner of b'), '000000')$$, 'VC014', 'VC014'),
    ($$SELECT auth.create_recovery_codes(tap.id('owner of b'), '000000')$$, 'VC014', 'VC014'),
    ($$SELECT auth.enroll_totp(tap.id('developer of a'))$$, 'VC014', 'VC014'),
    ($$SELECT auth.revoke_sessions(tap.id('owner of b'))$$, 'VC014', 'VC014'),
    ($$SELECT auth.revoke_sessions(tap.id('developer of a'))$$, 'VC014', 'VC014'),
    ($$SELECT count(*) FROM auth.list_sessions(tap.id('owner of b'))$$, 'VC014', 'VC014'),
    ($$SELECT auth.accept_invitation((SELECT secret FROM tap.thing WHERE name = 'invitation'), tap.id('owner of b'))$$, 'VC014', 'VC014'),
    ($$SELECT auth.accept_invitation((SELECT secret FROM tap.thing WHERE name = 'invitation'), tap.id('developer of a'))$$, 'VC014', 'VC014'),
    -- Another organization's things are as if they were not there.
    ($$SELECT auth.revoke_session((SELECT id FROM tap.thing WHERE name = 'session'))$$, 'false', 'false'),
    ($$SELECT auth.revoke_api_key((SELECT id FROM tap.thing WHERE name = 'key'))$$, 'false', 'false'),
    ($$SELECT auth.rotate_api_key((SELECT id FROM tap.thing WHERE name = 'key')) ->> 'status'$$, 'not_found', 'not_found'),
    ($$SELECT auth.revoke_invitation((SELECT id FROM tap.thing WHERE name = 'invitation'))$$, 'false', 'false'),
    ($$SELECT count(*) FROM auth.list_api_keys() AS k WHERE k::text LIKE '%of b%'$$, '0', '0'),
    ($$SELECT count(*) FROM auth.list_invitations() AS i WHERE i::text LIKE '%' || (SELECT id FROM tap.thing WHERE name = 'invitation') || '%'$$, '0', '0'),
    ($$SELECT auth.create_api_key(tap.id('b'), 'k')$$, 'VC015', 'VC015'),
    ($$SELECT auth.create_invitation(tap.id('b'), 'admin')$$, 'VC015', 'VC015'),
    ($$SELECT tenancy.transfer_ownership(tap.id('b'), tap.id('owner of a'))$$, 'VC015', 'VC015'),
    ($$SELECT tenancy.add_member(tap.id('b'), tap.id('owner of a'), 'owner')$$, 'VC015', 'VC015'),
    ($$SELECT tenancy.remove_member(tap.id('b'), tap.id('owner of b'))$$, 'false', 'false'),
    -- Nobody is made a member, or an owner, who is not asked.
    ($$SELECT tenancy.add_member(tap.id('a'), tap.id('owner of b'), 'member')$$, 'VC012', NULL),
    ($$SELECT auth.create_invitation(tap.id('a'), 'owner')$$, 'VC025', 'VC025'),
    ($$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('owner of b'))$$, 'VC012', 'VC012'),
    -- Another identity is refused, whatever proves it.
    ($$SELECT auth.authenticate_api_key((SELECT secret FROM tap.thing WHERE name = 'key'))$$, 'VC010', 'VC010'),
    -- A login is bound by a superuser alone.
    ($$SET codeverify.bound_identity = '92eb5ffe-e6ae-2fec-3ad7-1c777531578f/owner'$$, '42501', '42501'),
    ($$SELECT set_config('codeverify.bound_identity', '92eb5ffe-e6ae-2fec-3ad7-1c777531578f/owner', true)$$, '42501', '42501'),
    ($$ALTER ROLE CURRENT_USER SET codeverify.bound_identity = '92eb5ffe-e6ae-2fec-3ad7-1c777531578f/owner'$$, '42501', '42501'),
    ($$SELECT tenancy.bind_role(current_user, tap.id('b'), 'owner')$$, '42501', '42501'),
    ($$SELECT tenancy.unbind_role('tap_service')$$, '42501', '42501'),
    -- The settings that are in the way of somebody.
    ($$SET codeverify.login_delay_max = 1$$, '42501', '42501'),
    ($$SET codeverify.own_transactions = off$$, '42501', '42501'),
    ($$SET codeverify.argon2_memory = 8$$, '42501', '42501'),
    ($$SET codeverify.encryption_key_file = '/tmp/key'$$, '42501', '42501'),
    ($$SET codeverify.web_token_leeway = 600$$, '42501', '42501');

-- The SQLSTATE or the first value; what was done is undone.
CREATE FUNCTION tap.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $function$
DECLARE
    answer text;
    state text;
BEGIN
    BEGIN
        IF statement ~ '^SELECT' THEN
            EXECUTE statement INTO answer;
        ELSE
            EXECUTE statement;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'VC999';
    EXCEPTION
        WHEN OTHERS THEN
            state := SQLSTATE;
    END;
    RETURN CASE state WHEN 'VC999' THEN answer ELSE state END;
END
$function$;
CALL tap.act('owner', 'a');
SELECT is(tap.outcome(d.statement), d.tenant, 'an owner of another organization: ' || d.statement) FROM tap.deed AS d ORDER BY d.place;
CALL tap.act('owner', 'a', 'tap_service');
SELECT is(tap.outcome(d.statement), d.service, 'the service in context: ' || d.statement)
FROM tap.deed AS d
WHERE d.service IS NOT NULL
ORDER BY d.place;
-- A viewer and nobody can do none of what an owner cannot.
CALL tap.act('viewer', 'a');
SELECT ok(
    tap.outcome(d.statement) ~ '^(42501|VC\d{3}|false|0|not_found)$', 'a viewer: ' || d.statement || ': ' || coalesce(tap.outcome(d.statement), 'NULL'))
FROM tap.deed AS d
ORDER BY d.place;
CALL tap.act();
SELECT ok(
    tap.outcome(d.statement) ~ '^(42501|VC\d{3}|false|0|not_found)$', 'without a context: ' || d.statement || ': ' || coalesce(tap.outcome(d.statement), 'NULL'))
FROM tap.deed AS d
WHERE d.statement !~ 'authenticate_api_key'
ORDER BY d.place;
-- A writer of logs has a key looked at, and nothing else of these.
CALL tap.act(login => 'tap_ingest');
SELECT is(tap.outcome(d.statement), '42501', 'a writer of logs: ' || d.statement)
FROM tap.deed AS d
WHERE d.statement !~ 'authenticate_api_key'
ORDER BY d.place;

-- Another's key is counted for as little as one that there is not.
CALL tap.act('owner', 'a');
SELECT results_eq(
    format('SELECT allowed, remaining FROM auth.check_rate_limit(%L, 5)', k.id), 'VALUES (false, 0)', k.what)
FROM (SELECT t.id, 'a key of another organization has no uses for a tenant' FROM tap.thing AS t WHERE t.name = 'key'
      UNION ALL
      SELECT tap.id('nothing'), 'as if it were not there') AS k (id, what);

SELECT * FROM finish();
ROLLBACK;
