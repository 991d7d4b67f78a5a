-- Users are the same for every organization, and seen by nobody but themselves and, in part, by fellow members.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

SELECT throws_ok(
    $$INSERT INTO auth.users (email) VALUES ('owner@a.test')$$, '23505', NULL, 'an e-mail address is one user''s');
SELECT throws_ok(
    $$INSERT INTO auth.users (email) VALUES ('OWNER@a.test')$$, '23505', NULL, 'whatever its case');
SELECT lives_ok($$INSERT INTO auth.users (github_id) VALUES (9000000001), (NULL), (NULL)$$, 'a user may have none');
SELECT throws_ok($$INSERT INTO auth.users (github_id) VALUES (9000000001)$$, '23505', NULL, 'a GitHub id is one user''s');
SELECT lives_ok($$INSERT INTO auth.users (auth0_sub) VALUES ('auth0|1')$$, 'a subject of Auth0 is taken');
SELECT throws_ok($$INSERT INTO auth.users (auth0_sub) VALUES ('auth0|1')$$, '23505', NULL, 'by one user');

CALL tap.act('viewer', 'a');
SELECT results_eq('SELECT id FROM auth.users', $$VALUES (tap.id('viewer of a'))$$, 'a user sees itself');
SELECT throws_ok($$UPDATE auth.users SET email = 'new@a.test'$$, '42501', NULL, 'and changes nothing by hand');
SELECT throws_ok($$INSERT INTO auth.users (email) VALUES ('new@a.test')$$, '42501', NULL, 'nor makes users');
SELECT throws_ok('DELETE FROM auth.users', '42501', NULL, 'nor deletes any');
SELECT bag_eq(
    'SELECT user_id, role::text FROM tenancy.organization_members',
    $$VALUES (tap.id('owner of a'), 'owner'), (tap.id('admin of a'), 'admin'), (tap.id('member of a'), 'member'),
             (tap.id('developer of a'), 'member'), (tap.id('viewer of a'), 'viewer')$$,
    'clients that speak in enums see the members of their organization');
CALL tap.act();
SELECT is((SELECT count(*) FROM auth.users), 0::bigint, 'without a context there is no user to see');

CALL tap.act(login => 'tap_service');
SELECT lives_ok($$INSERT INTO auth.users (email, username) VALUES ('new@a.test', 'new')$$, 'the service signs users up');
SELECT lives_ok($$UPDATE auth.users SET last_login = now() WHERE email = 'new@a.test'$$, 'and keeps their profiles');
SELECT throws_ok('SELECT password_hash FROM auth.users', '42501', NULL, 'but reads no secret of theirs');
SELECT throws_ok($$UPDATE auth.users SET verified = true$$, '42501', NULL, 'nor vouches for them');

RESET SESSION AUTHORIZATION;
SELECT lives_ok(
    $$INSERT INTO auth.sessions (user_id, refresh_token_hash, expires_at) VALUES (tap.id('viewer of a'), repeat('a', 64), now() + interval '1 day')$$,
    'a session has a token of either kind');
SELECT throws_ok(
    $$INSERT INTO auth.sessions (user_id, refresh_token_hash, expires_at) VALUES (tap.id('viewer of b'), repeat('a', 64), now() + interval '1 day')$$,
    '23505', NULL, 'which is its own');
DELETE FROM auth.users WHERE id = tap.id('viewer of a');
SELECT is((SELECT count(*) FROM auth.sessions), 0::bigint, 'sessions go with their user');

-- Registering takes an address, a password and little else.
CREATE TABLE tap.answers (name text PRIMARY KEY, answer jsonb);
GRANT ALL ON tap.answers TO PUBLIC;
CREATE FUNCTION tap.token(name text)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT a.answer ->> 'verification_token' FROM tap.answers AS a WHERE a.name = token.name
$function$;
CREATE FUNCTION tap.user_id(name text)
RETURNS uuid
LANGUAGE sql
SECURITY DEFINER
AS $function$
    SELECT u.id FROM auth.users AS u WHERE u.username = user_id.name
$function$;

CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT auth.register_user('ada@example.org', 'correct horse')$$, '42501', NULL, 'a tenant registers nobody');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok(
    $$SELECT auth.register_user('ada@example.org', 'correct horse')$$, 'VC014', NULL, 'nor does the service while it acts for one');
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answers
SELECT 'ada', auth.register_user(' Ada@Example.ORG', 'correct horse', 'ada', '{"theme": "dark"}');
SELECT is(answer ->> 'status', 'ok', 'the service does') FROM tap.answers;
SELECT set_eq(
    $$SELECT jsonb_object_keys(answer) FROM tap.answers$$, ARRAY['status', 'user_id', 'verification_token', 'expires_at'],
    'and gets what is to be mailed');
SELECT matches(tap.token('ada'), '^cv_verify_[0-9A-Za-z]{36}$', 'which is a token');
SELECT results_eq(
    $$SELECT id, email, username, settings, verified, role FROM auth.users WHERE username = 'ada'$$,
    $$SELECT (answer ->> 'user_id')::uuid, 'ada@example.org', 'ada', '{"theme": "dark"}'::jsonb, false, 'user' FROM tap.answers$$,
    'the user is stored with the address in its plain form');
SELECT is(
    auth.register_user(s.spelling, 'battery staple'), '{"status": "email_taken"}', format('%s is taken', s.spelling))
FROM unnest(ARRAY['ada@example.org', 'ADA@EXAMPLE.ORG', 'ａda@example.org', 'owner@a.test', 'NEW@a.test']) AS s (spelling);
SELECT is(
    auth.register_user(s.address, 'correct horse'), '{"status": "invalid_email"}', format('no address: %s', left(s.address, 20)))
FROM unnest(ARRAY[NULL, '', 'ada', '@', 'ada@example', 'a@b@c.org', 'a da@example.org', E'ada\u200b@example.org', repeat('x', 10000000)]) AS s (address);
SELECT is(
    auth.register_user('bob@example.org', 'correct horse', s.name), '{"status": "invalid_username"}',
    format('no name: %s', left(s.name, 20)))
FROM unnest(ARRAY['', '  ', E'a\tb', repeat('x', 256)]) AS s (name);
SELECT is(
    auth.register_user('bob@example.org', 'correct horse', 'bob', s.settings), '{"status": "invalid_settings"}',
    format('no settings: %s', left(s.settings::text, 20)))
FROM unnest(ARRAY['[]', 'null', '1', '"{"', jsonb_build_object('x', repeat('y', 100000))]) AS s (settings);
SELECT is(
    auth.register_user('bob@example.org', 'correct horse', NULL, NULL) ->> 'status', 'ok', 'name and settings may be left out');

-- Verifying the address.
CALL tap.act();
SELECT is(auth.verify_email(s.token), '{"status": "invalid"}', format('no token: %s', left(s.token, 20)))
FROM unnest(ARRAY[NULL, '', 'x', 'cv_verify_', repeat('x', 1000000), 'cv_verify_000000000000000000000000000000000000']) AS s (token);
SELECT is(auth.verify_email(tap.token('ada')) ->> 'status', 'ok', 'the token verifies');
SELECT is(auth.verify_email(tap.token('ada')), '{"status": "used"}', 'once');
SELECT throws_ok(
    $$SELECT auth.request_email_verification(tap.user_id('ada'))$$, '42501', NULL,
    'a tenant asks for no token, not even for its own user: it would verify what is not read');
RESET SESSION AUTHORIZATION;
SELECT ok(verified, 'then the user is verified') FROM auth.users WHERE username = 'ada';
SELECT is_empty(
    $$SELECT FROM auth.email_verifications WHERE token_hash = tap.token('ada') OR token_hash !~ '^[0-9a-f]{64}$'$$,
    'of the token a hash is stored');

CALL tap.act(login => 'tap_service');
SELECT is(
    auth.request_email_verification(tap.user_id('ada')), '{"status": "already_verified"}', 'a verified address is not verified again');
SELECT throws_ok($$SELECT auth.request_email_verification(tap.id('no user'))$$, 'VC023', NULL, 'the user must exist');
SELECT throws_ok($$SELECT auth.request_email_verification(NULL)$$, 'VC022', NULL, 'and be named');
INSERT INTO tap.answers SELECT 'ben', auth.register_user('ben@example.org', 'correct horse', 'ben');
INSERT INTO tap.answers SELECT 'ben again', auth.request_email_verification(tap.user_id('ben'));
SELECT is(answer ->> 'email', 'ben@example.org', 'the service asks for another token')
FROM tap.answers WHERE name = 'ben again';
SELECT is(auth.verify_email(tap.token('ben')), '{"status": "invalid"}', 'after which the first one is void');
RESET SESSION AUTHORIZATION;
UPDATE auth.email_verifications
SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'
WHERE user_id = tap.user_id('ben');
CALL tap.act(login => 'tap_service');
SELECT is(auth.verify_email(tap.token('ben again')), '{"status": "expired"}', 'a token expires');
INSERT INTO tap.answers SELECT 'ben anew', auth.request_email_verification(tap.user_id('ben'));
UPDATE auth.users SET email = 'benjamin@example.org' WHERE username = 'ben';
SELECT is(
    auth.verify_email(tap.token('ben anew')), '{"status": "invalid"}',
    'one that was mailed to another address verifies nothing');
INSERT INTO auth.users (username) VALUES ('nowhere');
SELECT is(
    auth.request_email_verification(tap.user_id('nowhere')), '{"status": "no_email"}', 'who has no address has none to verify');

-- A changed address is not verified, whoever changes it.
UPDATE auth.users SET email = 'Ada@Example.org', avatar_url = 'https://example.org/ada' WHERE username = 'ada';
SELECT ok(verified, 'another case is the same address') FROM auth.users WHERE username = 'ada';
UPDATE auth.users SET email = 'ada@example.com' WHERE username = 'ada';
SELECT ok(NOT verified, 'another address is to be verified') FROM auth.users WHERE username = 'ada';
RESET SESSION AUTHORIZATION;
UPDATE auth.users SET email = 'ada@example.net', verified = true WHERE username = 'ada';
SELECT ok(NOT verified, 'also when it is said to be verified in one breath') FROM auth.users WHERE username = 'ada';
UPDATE auth.users SET verified = true WHERE username = 'ada';
SELECT ok(verified, 'an operator may vouch for it') FROM auth.users WHERE username = 'ada';
UPDATE auth.users SET email = NULL WHERE username = 'ada';
SELECT ok(NOT verified, 'no address is not verified') FROM auth.users WHERE username = 'ada';

-- Identities elsewhere.
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT auth.link_identity(tap.id('owner of a'), 5)$$, '42501', NULL, 'a tenant links no identity');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok(
    $$SELECT auth.link_identity(tap.id('owner of a'), 5)$$, 'VC014', NULL, 'nor does the service while it acts for one');
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    format('SELECT auth.link_identity(tap.user_id(''ada''), %L, %L)', i.github_id, i.auth0_sub), 'VC022', NULL,
    format('no identity: %s', i.what))
FROM (VALUES (NULL::bigint, NULL, 'none'),
             (0, NULL, 'a GitHub id of 0'),
             (-1, NULL, 'a negative one'),
             (NULL, '', 'an empty subject'),
             (NULL, repeat('x', 256), 'a long one')) AS i (github_id, auth0_sub, what);
SELECT throws_ok($$SELECT auth.link_identity(NULL, 5)$$, 'VC022', NULL, 'nobody has none');
SELECT throws_ok($$SELECT auth.link_identity(tap.id('no user'), 5)$$, 'VC023', NULL, 'the user must exist');
SELECT is(
    auth.link_identity(tap.user_id('ada'), i.github_id, i.auth0_sub), jsonb_build_object('status', i.status), i.what)
FROM (VALUES (9000000077, NULL, 'ok', 'GitHub is linked'),
             (9000000077, NULL, 'ok', 'linked again it stays'),
             (9000000077, 'auth0|ada', 'ok', 'Auth0 is added'),
             (9000000078, NULL, 'already_linked', 'another account of GitHub does not replace the first'),
             (NULL, 'auth0|other', 'already_linked', 'nor one of Auth0')) AS i (github_id, auth0_sub, status, what);
SELECT is(
    auth.link_identity(tap.user_id('ben'), i.github_id, i.auth0_sub), '{"status": "identity_taken"}', i.what)
FROM (VALUES (9000000077, NULL, 'an identity is one user''s'),
             (NULL, 'auth0|ada', 'of either kind'),
             (9000000079, 'auth0|ada', 'and with one that is free')) AS i (github_id, auth0_sub, what);
SELECT results_eq(
    $$SELECT username, github_id, auth0_sub FROM auth.users WHERE username IN ('ada', 'ben') ORDER BY username$$,
    $$VALUES ('ada', 9000000077, 'auth0|ada'), ('ben', NULL, NULL)$$, 'refusals change nothing');
SELECT throws_ok(
    $$SELECT auth.set_identity(tap.user_id('ben'), 9000000080, NULL)$$, '42501', NULL, 'there is no way past the function');

-- Failures are told apart from this transaction.
RESET SESSION AUTHORIZATION;
SELECT bag_eq(
    $$
        SELECT action, count(*)
        FROM auth.audit_logs
        WHERE action LIKE 'user.%' AND status = 'success'
        GROUP BY action
    $$,
    $$
        VALUES ('user.registered', 3::bigint),
               ('user.email_verified', 1),
               ('user.email_verification_requested', 2),
               ('user.identity_linked', 3)
    $$, 'each success is told');
SELECT is_empty(
    $$SELECT FROM auth.audit_logs WHERE action LIKE 'user.%' AND details::text ~ '(example|horse|cv_verify)'$$,
    'without addresses and secrets');

SELECT * FROM finish();
ROLLBACK;
