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
UPDATE auth.sessions SET session_token_expires_at = now() + interval '1 minute', expires_at = now() + interval '20 seconds'
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
        'expires_at', now() + interval '20 seconds', 'organizations', '[]'::jsonb)),
    'the organization of the log-in is taken; the token ends with whatever ends first');
SELECT ok(
    last_used >= now() AND expires_at BETWEEN now() + interval '14 days' AND clock_timestamp() + interval '14 days',
    'the session is used, and lives on')
FROM auth.sessions
WHERE id = tap.id('phone');
SELECT is(session_token_expires_at, now() + interval '1 minute', 'but its token does not') FROM auth.sessions WHERE id = tap.id('phone');
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
UPDATE auth.sessions SET last_used = clock_timestamp() - interval '50 seconds', expires_at = now() + interval '1 hour' WHERE id = tap.id('phone');
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
UPDATE auth.sessions SET refreshed_at = clock_timestamp() - interval '9 seconds' WHERE id = tap.id('phone');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(auth.refresh_session(f.answer ->> 'refresh_token') ->> 'status', 'ok', 'after 9 seconds as well')
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
