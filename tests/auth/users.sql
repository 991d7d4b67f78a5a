-- Users are the same for every organization, and seen by nobody but themselves and, in part, by fellow members.
BEGIN;
SELECT plan(19);
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

SELECT * FROM finish();
ROLLBACK;
