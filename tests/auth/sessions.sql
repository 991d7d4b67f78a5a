-- Sessions: a token that opens transactions for a user, one that is exchanged for the next two, and their end.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../session_tokens.sql

CREATE TABLE tap.answer (name text PRIMARY KEY, answer jsonb);
GRANT ALL ON tap.answer TO PUBLIC;

-- The user of most tests is a viewer of "a" and a member of nothing else.
CALL tap.begin_session('phone', 'viewer of a', 'a');
CALL tap.begin_session('laptop', 'viewer of a');
CALL tap.begin_session('other', 'viewer of b', 'b');
CALL tap.begin_session('stranger', 'stranger of a', 'a');

-- What is refused: a status, no error, no context.
CALL tap.act();
SELECT is(
    auth.authenticate_session(t.token),
    '{"status": "invalid", "org_id": null, "user_id": null, "role": null, "session_id": null, "expires_at": null, "organizations": []}',
    'no session token: ' || t.what)
FROM (VALUES ('NULL', NULL),
             ('nothing', ''),
             ('anything', 'x'),
             ('100000 characters', repeat('x', 100000)),
             ('a token that nobody has', tap.token('cv_session_', 'nobody')),
             ('a refresh token', tap.token('cv_refresh_', 'phone')),
             ('a hash', tap.hash(tap.token('cv_session_', 'phone'))),
             ('a blank after it', tap.token('cv_session_', 'phone') || ' ')) AS t (what, token);
SELECT is(
    auth.refresh_session(t.token),
    '{"status": "invalid", "session_id": null, "session_token": null, "session_token_expires_at": null, "refresh_token": null, "expires_at": null}',
    'no refresh token: ' || t.what)
FROM (VALUES ('NULL', NULL),
             ('nothing', ''),
             ('anything', 'x'),
             ('a token that nobody has', tap.token('cv_refresh_', 'nobody')),
             ('a session token', tap.token('cv_session_', 'phone')),
             ('a hash', tap.hash(tap.token('cv_refresh_', 'phone')))) AS t (what, token);
SELECT is(auth.logout(t.token), '{"status": "invalid"}', 'nobody is logged out by ' || t.what)
FROM (VALUES ('NULL', NULL), ('anything', 'x'), ('a token that nobody has', tap.token('cv_session_', 'nobody'))) AS t (what, token);
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'phone'), tap.id('b')) ->> 'status', 'no_membership',
    'a user does not act for an organization of others');
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'phone'), tap.id('no organization')) ->> 'status', 'no_membership',
    'nor for one that does not exist: the answers are alike');
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'stranger')) ->> 'status', 'no_membership',
    'who is a member of nothing acts for nothing, whatever was chosen at log-in');

RESET SESSION AUTHORIZATION;
UPDATE auth.sessions SET session_token_expires_at = now() - interval '1 second' WHERE id = tap.id('phone');
UPDATE auth.sessions SET expires_at = now() - interval '1 second' WHERE id = tap.id('laptop');
CALL tap.act();
SELECT is(auth.authenticate_session(tap.token('cv_session_', 'phone')) ->> 'status', 'expired', 'a session token expires by itself');
SELECT is(auth.authenticate_session(tap.token('cv_session_', 'laptop')) ->> 'status', 'expired', 'and with its session');
SELECT is(auth.refresh_session(tap.token('cv_refresh_', 'laptop')) ->> 'status', 'expired', 'which is not prolonged after its end');
SELECT is(auth.logout(tap.token('cv_session_', 'laptop')) ->> 'status', 'expired', 'and needs no log-out');
RESET SESSION AUTHORIZATION;
UPDATE auth.sessions SET expires_at = now() + interval '1 day', absolute_expires_at = NULL WHERE id = tap.id('laptop');
UPDATE auth.sessions SET session_token_expires_at = now() + interval '1 hour', expires_at = now() + interval '20 minutes'
WHERE id = tap.id('phone');
SELECT is((SELECT count(*) FROM auth.sessions WHERE last_used IS NOT NULL), 0::bigint, 'no session counts as used');
CALL tap.act();
SELECT is(tenancy.current_org_id(), NULL, 'after all that there is no context');

-- Several organizations to choose from.
RESET SESSION AUTHORIZATION;
INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (tap.id('b'), tap.id('viewer of a'), 'admin');
CALL tap.act();
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'laptop')),
    jsonb_build_object(
        'status', 'org_required', 'org_id', NULL, 'user_id', NULL, 'role', NULL, 'session_id', NULL, 'expires_at', NULL,
        'organizations', jsonb_build_array(
            jsonb_build_object('org_id', tap.id('a'), 'name', 'Organization A', 'role', 'viewer'),
            jsonb_build_object('org_id', tap.id('b'), 'name', 'Organization B', 'role', 'admin'))),
    'who has several is asked to choose');
SELECT is(tenancy.current_org_id(), NULL, 'and acts for none before');

-- What is accepted.
INSERT INTO tap.answer SELECT 'authenticated', auth.authenticate_session(tap.token('cv_session_', 'phone'));
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT answer FROM tap.answer WHERE name = 'authenticated'),
    (SELECT jsonb_build_object(
        'status', 'ok', 'org_id', tap.id('a'), 'user_id', tap.id('viewer of a'), 'role', 'viewer', 'session_id', tap.id('phone'),
        'expires_at', now() + interval '20 minutes', 'organizations', '[]'::jsonb)),
    'the organization of the log-in is taken; the token ends with whatever ends first');
SELECT ok(
    last_used >= now() AND expires_at BETWEEN now() + interval '14 days' AND clock_timestamp() + interval '14 days',
    'the session is used, and lives on')
FROM auth.sessions
WHERE id = tap.id('phone');
SELECT is(session_token_expires_at, now() + interval '1 hour', 'but its token does not') FROM auth.sessions WHERE id = tap.id('phone');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT results_eq(
    'SELECT tenancy.current_org_id(), tenancy.current_user_id(), tenancy."current_role"()',
    $$VALUES (tap.id('a'), tap.id('viewer of a'), 'viewer')$$, 'the context is that of the member');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 5::bigint, 'the rows are there');
SELECT throws_ok(
    format('SELECT auth.authenticate_session(%L, tap.id(''b''))', tap.token('cv_session_', 'laptop')), 'VC010', NULL,
    'another organization is a second identity');
SELECT throws_ok(
    format('SELECT auth.authenticate_session(%L)', tap.token('cv_session_', 'other')), 'VC010', NULL, 'so is another user');
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'laptop'), tap.id('a')) ->> 'status', 'ok',
    'another session of the same user in the same organization is not');
RESET SESSION AUTHORIZATION;
DELETE FROM tenancy.org_memberships WHERE org_id = tap.id('b') AND user_id = tap.id('viewer of a');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'laptop')) ->> 'org_id', tap.id('a')::text,
    'who has one organization acts for it');
RESET SESSION AUTHORIZATION;
UPDATE auth.sessions SET login_org_id = tap.id('b') WHERE id = tap.id('laptop');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'laptop')) ->> 'org_id', tap.id('a')::text,
    'also when another was chosen, and is lost');
RESET SESSION AUTHORIZATION;
SELECT is(expires_at, now() + interval '1 day', 'a session without an absolute end is not prolonged by its use')
FROM auth.sessions
WHERE id = tap.id('laptop');

-- The stamp is renewed once a minute.
UPDATE auth.sessions SET last_used = clock_timestamp() - interval '20 seconds', expires_at = now() + interval '1 hour' WHERE id = tap.id('phone');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(auth.authenticate_session(tap.token('cv_session_', 'phone')) ->> 'status', 'ok', 'used again');
RESET SESSION AUTHORIZATION;
SELECT is(expires_at, now() + interval '1 hour', 'within a minute, which is not noted') FROM auth.sessions WHERE id = tap.id('phone');
UPDATE auth.sessions SET last_used = now() - interval '70 seconds', absolute_expires_at = now() + interval '2 days' WHERE id = tap.id('phone');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(auth.authenticate_session(tap.token('cv_session_', 'phone')) ->> 'status', 'ok', 'used after more than a minute');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT last_used >= now(), expires_at FROM auth.sessions WHERE id = tap.id('phone')$$,
    $$VALUES (true, now() + interval '2 days')$$,
    'which is noted, and prolongs it no further than to its absolute end');

-- A member who is removed.
DELETE FROM tenancy.org_memberships WHERE org_id = tap.id('a') AND user_id = tap.id('viewer of a');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(auth.authenticate_session(tap.token('cv_session_', 'phone')) ->> 'status', 'no_membership', 'a member who was removed is refused');
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'phone'), tap.id('a')) ->> 'status', 'no_membership',
    'by name of the organization, too');
RESET SESSION AUTHORIZATION;
INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (tap.id('a'), tap.id('viewer of a'), 'owner');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT throws_ok(
    format('SELECT auth.authenticate_session(%L)', tap.token('cv_session_', 'phone')), 'VC010', NULL,
    'another role in one transaction is another identity');
RESET SESSION AUTHORIZATION;
UPDATE tenancy.org_memberships SET role = 'viewer' WHERE user_id = tap.id('viewer of a');

-- Refreshing. The absolute end is two days from now.
CALL tap.act();
INSERT INTO tap.answer SELECT 'first', auth.refresh_session(tap.token('cv_refresh_', 'phone'));
RESET SESSION AUTHORIZATION;
SELECT ok(
    answer ->> 'status' = 'ok'
    AND answer ->> 'session_id' = tap.id('phone')::text
    AND answer ->> 'session_token' ~ '^cv_session_[0-9A-Za-z]{36}$'
    AND answer ->> 'refresh_token' ~ '^cv_refresh_[0-9A-Za-z]{36}$'
    AND (answer ->> 'expires_at')::timestamptz = now() + interval '2 days'
    AND (answer ->> 'session_token_expires_at')::timestamptz
        BETWEEN now() + interval '15 minutes' AND clock_timestamp() + interval '15 minutes',
    'a refresh gives two tokens, and no more time than there is')
FROM tap.answer
WHERE name = 'first';
SELECT is_empty(
    $$
        SELECT s.id
        FROM auth.sessions AS s
        CROSS JOIN tap.answer AS t
        WHERE s.id = tap.id('phone')
          AND t.name = 'first'
          AND (s.session_token_hash <> tap.hash(t.answer ->> 'session_token')
               OR s.refresh_token_hash <> tap.hash(t.answer ->> 'refresh_token')
               OR s.parent_token_hash <> tap.hash(tap.token('cv_refresh_', 'phone'))
               OR to_jsonb(s)::text LIKE '%' || substr(t.answer ->> 'refresh_token', 12, 30) || '%'
               OR to_jsonb(s)::text LIKE '%' || substr(t.answer ->> 'session_token', 12, 30) || '%')
    $$,
    'their hashes are stored, not the tokens');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'phone')) ->> 'status', 'invalid', 'the session token before is no longer good');
SELECT is(
    auth.authenticate_session((SELECT answer ->> 'session_token' FROM tap.answer WHERE name = 'first')) ->> 'status', 'ok',
    'the new one is');
SELECT is(
    auth.refresh_session(tap.token('cv_refresh_', 'phone')), answer, 'the same token again, at once, gives the same pair')
FROM tap.answer
WHERE name = 'first';
INSERT INTO tap.answer SELECT 'second', auth.refresh_session(answer ->> 'refresh_token') FROM tap.answer WHERE name = 'first';
SELECT is(auth.refresh_session(f.answer ->> 'refresh_token'), s.answer, 'so does its child')
FROM tap.answer AS f
CROSS JOIN tap.answer AS s
WHERE f.name = 'first' AND s.name = 'second';
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM auth.refresh_tokens WHERE session_id = tap.id('phone')), 2::bigint, 'a retry exchanges nothing');
UPDATE auth.sessions SET refreshed_at = clock_timestamp() - interval '2 seconds' WHERE id = tap.id('phone');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(auth.refresh_session(f.answer ->> 'refresh_token') ->> 'status', 'ok', 'after some seconds as well')
FROM tap.answer AS f
WHERE f.name = 'first';

-- Theft, by the parent too late and by an older token at once.
RESET SESSION AUTHORIZATION;
CALL tap.begin_session('late', 'owner of b', 'b');
CALL tap.begin_session('old', 'owner of b', 'b');
CALL tap.act();
INSERT INTO tap.answer SELECT 'late', auth.refresh_session(tap.token('cv_refresh_', 'late'));
INSERT INTO tap.answer SELECT 'old 1', auth.refresh_session(tap.token('cv_refresh_', 'old'));
INSERT INTO tap.answer SELECT 'old 2', auth.refresh_session(answer ->> 'refresh_token') FROM tap.answer WHERE name = 'old 1';
RESET SESSION AUTHORIZATION;
UPDATE auth.sessions SET refreshed_at = clock_timestamp() - interval '10.001 seconds' WHERE id = tap.id('late');
CALL tap.act();
SELECT is(
    auth.refresh_session(tap.token('cv_refresh_', 'late')),
    '{"status": "reused", "session_id": null, "session_token": null, "session_token_expires_at": null, "refresh_token": null, "expires_at": null}',
    'theft: the parent after more than 10 seconds');
SELECT is(auth.refresh_session(tap.token('cv_refresh_', 'old')) ->> 'status', 'reused', 'theft: an older token, however soon');
SELECT is(
    auth.refresh_session(t.answer ->> 'refresh_token') ->> 'status', 'revoked', 'which ends the session for the token ' || t.name)
FROM tap.answer AS t
WHERE t.name IN ('late', 'old 1', 'old 2');
SELECT is(
    auth.authenticate_session(t.answer ->> 'session_token') ->> 'status', CASE t.name WHEN 'old 1' THEN 'invalid' ELSE 'revoked' END,
    'and for the session token ' || t.name)
FROM tap.answer AS t
WHERE t.name IN ('late', 'old 1', 'old 2');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT session_id, reason FROM auth.session_revocations ORDER BY session_id = tap.id('old')$$,
    $$VALUES (tap.id('late'), 'reuse'), (tap.id('old'), 'reuse')$$, 'the reason is kept, once');

-- Logging out, by whatever token of the session.
CALL tap.begin_session('out by session token', 'owner of b', 'b');
CALL tap.begin_session('out by refresh token', 'owner of b', 'b');
CALL tap.begin_session('out by old token', 'owner of b', 'b');
CALL tap.begin_session('out when expired', 'owner of b', 'b');
UPDATE auth.sessions SET session_token_expires_at = now() - interval '1 second' WHERE id = tap.id('out when expired');
CALL tap.act();
INSERT INTO tap.answer SELECT 'out', auth.refresh_session(tap.token('cv_refresh_', 'out by old token'));
SELECT is(auth.logout(tap.token(t.mark, t.name)), '{"status": "ok"}', t.name)
FROM (VALUES ('cv_session_', 'out by session token'),
             ('cv_refresh_', 'out by refresh token'),
             ('cv_refresh_', 'out by old token'),
             ('cv_session_', 'out when expired')) AS t (mark, name);
SELECT is(auth.logout(tap.token('cv_session_', 'out by session token')), '{"status": "revoked"}', 'once');
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'out by refresh token')) ->> 'status', 'revoked', 'nothing opens it any more');
SELECT is(auth.refresh_session(answer ->> 'refresh_token') ->> 'status', 'revoked', 'nor prolongs it')
FROM tap.answer
WHERE name = 'out';

-- The sessions of a user: for that user and the trusted back end.
RESET SESSION AUTHORIZATION;
UPDATE auth.sessions
SET device_info = '{"agent": "Firefox"}', ip_address = '2001:db8::1', last_used = now() - interval '1 hour',
    created_at = now() - interval '2 hours', expires_at = now() + interval '1 day'
WHERE id = tap.id('laptop');
UPDATE auth.sessions SET last_used = now() WHERE id = tap.id('phone');
CALL tap.begin_session('ended', 'viewer of a', 'a');
UPDATE auth.sessions SET expires_at = now() - interval '1 second' WHERE id = tap.id('ended');
CALL tap.act('viewer', 'a');
SELECT results_eq(
    $$SELECT id, created_at, last_used, expires_at, device_info, ip_address FROM auth.list_sessions()$$,
    $$
        VALUES (tap.id('phone'),  now() - interval '1 hour',  now(),                     now() + interval '2 days', '{}'::jsonb,              NULL),
               (tap.id('laptop'), now() - interval '2 hours', now() - interval '1 hour', now() + interval '1 day',  '{"agent": "Firefox"}', '2001:db8::1')
    $$,
    'a user lists the sessions that have not ended, the last used first');
SELECT throws_ok($$SELECT * FROM auth.list_sessions(tap.id('viewer of b'))$$, 'VC014', NULL, 'and not those of others');
SELECT throws_ok($$SELECT auth.revoke_sessions(tap.id('viewer of b'))$$, 'VC014', NULL, 'nor ends them all');
SELECT is(auth.revoke_session(tap.id('other')), false, 'nor one: it is as if there were none');
SELECT is(auth.revoke_session(tap.id('no session')), false, 'like one that there is not');
SELECT is(auth.revoke_session(NULL), false, 'or NULL');
SELECT is(auth.revoke_session(tap.id('ended')), false, 'or one that has expired');
SELECT is(auth.revoke_session(tap.id('laptop')), true, 'a user ends a session from elsewhere');
SELECT is(auth.revoke_session(tap.id('laptop')), false, 'once');
SELECT is((SELECT count(*) FROM auth.list_sessions(tap.id('viewer of a'))), 1::bigint, 'it is listed no more');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT auth.revoke_sessions(tap.id('viewer of a'))$$, 'VC014', NULL,
    'an owner ends no sessions of a member, who may be a member elsewhere');
SELECT is(auth.revoke_session(tap.id('phone')), false, 'nor a single one');
CALL tap.act();
SELECT throws_ok('SELECT * FROM auth.list_sessions()', 'VC014', NULL, 'nobody has no sessions to list');
SELECT throws_ok($$SELECT auth.revoke_session(tap.id('phone'))$$, 'VC014', NULL, 'nor to end');
SELECT throws_ok('SELECT auth.revoke_sessions(NULL)', 'VC014', NULL, 'nor all of them');
CALL tap.act('viewer', 'a', 'tap_service');
SELECT throws_ok(
    $$SELECT auth.revoke_sessions(tap.id('viewer of b'))$$, 'VC014', NULL, 'the service is one user while it acts for one');
SELECT is(auth.revoke_session(tap.id('other')), false, 'in every respect');
CALL tap.act(login => 'tap_service');
SELECT results_eq(
    $$SELECT id, is_current FROM auth.list_sessions(tap.id('viewer of b'))$$, $$VALUES (tap.id('other'), false)$$,
    'else it lists those of anybody');
SELECT throws_ok('SELECT * FROM auth.list_sessions()', 'VC014', NULL, 'by name');
SELECT is(auth.revoke_session(tap.id('other')), true, 'and ends one');
SELECT is(auth.revoke_session(tap.id('no session')), false, 'if there is one');
SELECT is(auth.revoke_sessions(tap.id('viewer of a')), 1, 'or all');
SELECT is(auth.revoke_sessions(tap.id('viewer of a')), 0, 'once');
SELECT is(auth.revoke_sessions(tap.id('nobody')), 0, 'of nobody there are none');
CALL tap.act();
SELECT is(
    auth.authenticate_session(tap.token('cv_session_', 'other')) ->> 'status', 'revoked', 'so nothing opens them any more');

-- Who may call what.
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok(t.call, '42501', NULL, 'a writer of logs has no ' || t.call)
FROM (VALUES ($$SELECT auth.authenticate_session('x')$$), ($$SELECT auth.refresh_session('x')$$), ($$SELECT auth.logout('x')$$),
             ('SELECT * FROM auth.list_sessions()'), ('SELECT auth.delete_expired_sessions()')) AS t (call);
CALL tap.act('owner', 'a');
SELECT throws_ok('SELECT auth.delete_expired_sessions()', '42501', NULL, 'an owner cleans nothing up');
SELECT throws_ok(format('SELECT * FROM auth.%I', t.name), '42501', NULL, format('auth.%s is closed', t.name))
FROM unnest(ARRAY['sessions', 'refresh_tokens', 'session_revocations']) AS t (name);

-- The end of a session is remembered for a week, with the tokens that it had.
RESET SESSION AUTHORIZATION;
DELETE FROM auth.sessions WHERE user_id NOT IN (tap.id('viewer of a'), tap.id('owner of b'));
UPDATE auth.sessions
SET created_at = now() - interval '30 days', session_token_expires_at = now() - interval '10 days',
    expires_at = now() - CASE user_id WHEN tap.id('viewer of a') THEN interval '7 days 1 second' ELSE interval '6 days' END;
CALL tap.act(login => 'tap_admin');
-- Also where the planner takes nested loops, as it does for a table that it believes to be nearly empty.
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_hashagg = off;
SET LOCAL enable_material = off;
SET LOCAL enable_sort = off;
SELECT is(auth.delete_expired_sessions(2), 2, 'what ended more than a week ago is deleted in batches');
SELECT is(auth.delete_expired_sessions(2), 1, 'until there is less');
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_hashagg;
RESET enable_material;
RESET enable_sort;
SELECT is(auth.delete_expired_sessions(), 0, 'and then nothing');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(DISTINCT user_id) FROM auth.sessions), 1::bigint, 'what ended since then is kept');
SELECT is_empty('SELECT FROM auth.refresh_tokens WHERE session_id NOT IN (SELECT id FROM auth.sessions)', 'the history goes with a session');
SELECT is_empty(
    'SELECT FROM auth.session_revocations WHERE session_id NOT IN (SELECT id FROM auth.sessions)', 'and so does its revocation');
SELECT isnt_empty('SELECT FROM auth.session_revocations', 'others stay');

-- What the ledger tells of success; failures are written apart from this transaction (tests/operations/session_refresh.py).
SELECT set_eq(
    $$SELECT DISTINCT action, payload ->> 'reason' FROM audits.audit_log WHERE action ~ '^session\.(refreshed|logged_out|revoked)$'$$,
    $$VALUES ('session.refreshed', NULL), ('session.logged_out', NULL), ('session.revoked', 'revoked')$$,
    'the ledger has what came of sessions');
SELECT is_empty(
    $$SELECT payload FROM audits.audit_log WHERE action LIKE 'session.%' AND payload::text ~ 'cv_(session|refresh)_|[0-9a-f]{64}'$$,
    'and no secret of theirs');

SELECT * FROM finish();
ROLLBACK;
