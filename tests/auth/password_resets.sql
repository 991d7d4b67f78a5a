-- Password resets: a mailed token sets a password once, tells nothing before, and passes no second factor.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../key_files.sql
\ir ../totp_codes.sql

CREATE TABLE tap.answer (place int GENERATED ALWAYS AS IDENTITY, name text PRIMARY KEY, answer jsonb);
GRANT ALL ON tap.answer TO PUBLIC;
CREATE FUNCTION tap.token(name text) RETURNS text LANGUAGE sql AS $$SELECT a.answer ->> 'token' FROM tap.answer AS a WHERE a.name = token.name$$;
CREATE FUNCTION tap.hash(token text) RETURNS text LANGUAGE sql AS $$SELECT encode(sha256(token::bytea), 'hex')$$;

-- Users a and b exist, one of them without an address; nobody has that of c.
UPDATE auth.users SET email = NULL WHERE id = tap.id('stranger of b');

-- Asking.
CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT auth.request_password_reset('owner@a.test')$$, '42501', NULL, 'a tenant asks for no token');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok($$SELECT auth.request_password_reset('owner@a.test')$$, 'VC014', NULL, 'nor does the back end for one');
CALL tap.act(login => 'tap_service');
SELECT is(auth.request_password_reset(e.email), '{"status": "invalid_email"}', format('%L is no address', left(e.email, 40)))
FROM unnest(ARRAY[NULL, '', 'x', 'owner@a', '@a.test', repeat('x', 400) || '@a.test']) AS e (email);
INSERT INTO tap.answer (name, answer) SELECT 'known', auth.request_password_reset(E' OWNER@a.Test\n');
INSERT INTO tap.answer (name, answer) SELECT 'unknown', auth.request_password_reset('nobody@c.test');
INSERT INTO tap.answer (name, answer) SELECT 'known again', auth.request_password_reset('owner@a.test');
INSERT INTO tap.answer (name, answer) SELECT 'known a third time', auth.request_password_reset('owner@a.test');
INSERT INTO tap.answer (name, answer) SELECT 'too many', auth.request_password_reset('owner@a.test');
SELECT is(
    array(SELECT jsonb_object_keys(a.answer) ORDER BY 1), '{expires_at,status,token}', 'the answer has the same fields: ' || a.name)
FROM tap.answer AS a ORDER BY a.place;
SELECT is(a.answer ->> 'status', 'ok', 'and says the same: ' || a.name) FROM tap.answer AS a ORDER BY a.place;
SELECT matches(a.answer ->> 'token', '^cv_reset_[0-9A-Za-z]{36}$', 'with a token of one form: ' || a.name) FROM tap.answer AS a ORDER BY a.place;
SELECT ok(
    (a.answer ->> 'expires_at')::timestamptz BETWEEN clock_timestamp() + interval '59 min' AND clock_timestamp() + interval '60 min',
    'that is good for an hour: ' || a.name)
FROM tap.answer AS a ORDER BY a.place;
SELECT is((SELECT count(DISTINCT a.answer ->> 'token') FROM tap.answer AS a), 5::bigint, 'no two tokens are alike');

RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT a.name, r.user_id, r.email, r.expires_at::text = (a.answer ->> 'expires_at')::timestamptz::text
        FROM auth.password_resets AS r
        LEFT JOIN tap.answer AS a ON tap.hash(a.answer ->> 'token') = r.token_hash
        ORDER BY a.place
    $$,
    $$
        VALUES ('known', tap.id('owner of a'), 'owner@a.test', true),
               ('known again', tap.id('owner of a'), 'owner@a.test', true),
               ('known a third time', tap.id('owner of a'), 'owner@a.test', true)
    $$,
    'what is stored is the hash, for three an hour and for users only');
SELECT is(
    (SELECT count(*) FROM audits.audit_log AS l WHERE l.action = 'password.reset_requested' AND l.actor_id = tap.id('owner of a')), 3::bigint,
    'the ledger tells those');
SELECT is((SELECT count(*) FROM audits.audit_log AS l WHERE l.action = 'password.reset_requested'), 3::bigint, 'and no others');
UPDATE auth.password_resets SET created_at = created_at - interval '1 hour', expires_at = expires_at - interval '1 min' WHERE email = 'owner@a.test';
SET LOCAL codeverify.password_reset_lifetime = '5 min';
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answer (name, answer) SELECT 'later', auth.request_password_reset('owner@a.test');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT r.expires_at - r.created_at FROM auth.password_resets AS r WHERE r.token_hash = tap.hash(tap.token('later'))), interval '5 min',
    'an hour later there is room again, for as long as is set');

-- Tokens that do nothing.
CALL tap.act();
SELECT is(auth.reset_password(t.token, 'correct horse battery'), '{"status": "invalid"}', format('%L resets nothing', left(t.token, 20)))
FROM unnest(ARRAY[NULL, '', 'x', 'cv_reset_', repeat('x', 100000), 'cv_live_' || repeat('0', 36), tap.token('unknown'), tap.token('too many'),
                  overlay(tap.token('known') PLACING '!' FROM 45), upper(tap.token('known'))]) AS t (token);

-- An unfit password does not use it up.
SELECT is(auth.reset_password(tap.token('known'), p.password), p.answer::jsonb, 'a password is unfit: ' || p.answer)
FROM (VALUES (NULL, '{"status": "invalid_password", "reason": "too_short"}'),
             ('1234567', '{"status": "invalid_password", "reason": "too_short"}'),
             (repeat('x', 1025), '{"status": "invalid_password", "reason": "too_long"}')) AS p (password, answer);

-- What a reset does: a user without a password, with two sessions, not verified, who is locked.
RESET SESSION AUTHORIZATION;
INSERT INTO auth.sessions (user_id, session_token_hash, refresh_token_hash, expires_at, absolute_expires_at)
SELECT tap.id('owner of a'), tap.hash('s' || n), tap.hash('r' || n), now() + interval '1 day', now() + interval '1 day' FROM generate_series(1, 2) AS n;
INSERT INTO auth.sessions (user_id, session_token_hash, refresh_token_hash, expires_at, absolute_expires_at)
VALUES (tap.id('owner of b'), tap.hash('other'), tap.hash('other'), now() + interval '1 day', now() + interval '1 day');
CALL tap.act();
SELECT is(
    auth.login('owner@a.test', 'correct horse battery') ->> 'status', 'invalid_credentials', 'there is no password yet');
SELECT is(
    auth.reset_password(tap.token('known'), 'correct horse battery'),
    jsonb_build_object('status', 'ok', 'user_id', tap.id('owner of a'), 'sessions_revoked', 2),
    'a tenant''s login returns a token and a password');
SELECT is(auth.login('owner@a.test', 'correct horse battery') ->> 'status', 'ok', 'which logs in, since who has the token reads the mail');
SELECT is(auth.reset_password(tap.token('known'), 'another horse battery'), '{"status": "used"}', 'a token works once');
SELECT is(auth.reset_password(tap.token(t.name), 'another horse battery'), '{"status": "used"}', 'and voids the others: ' || t.name)
FROM unnest(ARRAY['known again', 'known a third time', 'later']) AS t (name);
SELECT is(auth.login('owner@a.test', 'another horse battery') ->> 'status', 'invalid_credentials', 'which set nothing');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT u.verified, u.password_hash ~ '^\$argon2id\$', u.password_changed_at IS NOT NULL FROM auth.users AS u WHERE u.id = tap.id('owner of a')$$,
    'VALUES (true, true, true)', 'the address is verified');
SELECT bag_eq(
    $$
        SELECT s.user_id, r.reason
        FROM auth.sessions AS s
        LEFT JOIN auth.session_revocations AS r ON r.session_id = s.id
    $$,
    $$
        VALUES (tap.id('owner of a'), 'password_reset'), (tap.id('owner of a'), 'password_reset'), (tap.id('owner of a'), NULL),
               (tap.id('owner of b'), NULL)
    $$,
    'the user''s sessions are over, but for the one of the new password; other users'' are not');

-- Expiry, and an address that was changed.
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answer (name, answer) SELECT 'expired', auth.request_password_reset('admin@a.test');
INSERT INTO tap.answer (name, answer) SELECT 'moved', auth.request_password_reset('member@a.test');
RESET SESSION AUTHORIZATION;
UPDATE auth.password_resets SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 second' WHERE email = 'admin@a.test';
UPDATE auth.users SET email = 'new@a.test' WHERE id = tap.id('member of a');
CALL tap.act();
SELECT is(auth.reset_password(tap.token('expired'), 'correct horse battery'), '{"status": "expired"}', 'a token ends');
SELECT is(auth.reset_password(tap.token('moved'), 'correct horse battery'), '{"status": "invalid"}', 'also when the user gets another address');
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$SELECT FROM auth.users AS u WHERE u.id IN (tap.id('admin of a'), tap.id('member of a')) AND (u.password_hash IS NOT NULL OR u.verified)$$,
    'neither set or verified anything');
SELECT bag_eq(
    $$SELECT l.actor_id, l.payload - 'at' FROM audits.audit_log AS l WHERE l.action = 'password.reset_failed' AND l.actor_id <> tap.id('owner of a')$$,
    $$VALUES (tap.id('admin of a'), '{"reason": "expired"}'::jsonb), (tap.id('member of a'), '{"reason": "invalid"}')$$,
    'the ledger tells it');

-- Old ones are cleared away when the user asks again.
UPDATE auth.password_resets SET created_at = now() - interval '3 days', expires_at = now() - interval '2 days' WHERE email = 'admin@a.test';
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answer (name, answer) SELECT 'anew', auth.request_password_reset('admin@a.test');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM auth.password_resets AS r WHERE r.email = 'admin@a.test'), 1::bigint, 'old tokens do not pile up');

-- The second factor stays, and is asked for.
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answer (name, answer) SELECT 'seed', auth.enroll_totp(tap.id('admin of a'));
INSERT INTO tap.answer (name, answer)
SELECT 'confirmed', auth.confirm_totp(tap.id('admin of a'), tap.totp(a.answer ->> 'secret', -1)) FROM tap.answer AS a WHERE a.name = 'seed';
CALL tap.act();
SELECT is(auth.reset_password(tap.token('anew'), 'correct horse battery') ->> 'status', 'ok', 'a user with a second factor sets a password');
SELECT is(auth.login('admin@a.test', 'correct horse battery') ->> 'status', 'totp_required', 'which alone logs nobody in');
SELECT is(auth.login('admin@a.test', 'correct horse battery', 'x') ->> 'status', 'totp_invalid', 'nor with a wrong code');
SELECT is(
    auth.login('admin@a.test', 'correct horse battery', tap.totp(a.answer ->> 'secret')) ->> 'status', 'ok', 'a code of the app does')
FROM tap.answer AS a WHERE a.name = 'seed';
SELECT is(
    auth.login('admin@a.test', 'correct horse battery', tap.totp(a.answer ->> 'secret')) ->> 'status', 'totp_invalid', 'once')
FROM tap.answer AS a WHERE a.name = 'seed';
SELECT is(
    auth.login('admin@a.test', 'correct horse battery', a.answer -> 'recovery_codes' ->> 0) ->> 'status', s.status, 'and a recovery code: ' || s.status)
FROM tap.answer AS a CROSS JOIN (VALUES (1, 'ok'), (2, 'totp_invalid')) AS s (place, status) WHERE a.name = 'confirmed' ORDER BY s.place;

-- Nobody reads or makes tokens by hand.
SELECT throws_ok(s.statement, '42501', NULL, s.statement || ' is refused to ' || l.login)
FROM (VALUES ('SELECT token_hash FROM auth.password_resets'), ('UPDATE auth.password_resets SET used = false'),
             ('INSERT INTO auth.password_resets (user_id, email, token_hash, expires_at) VALUES (tap.id(''owner of b''), ''x@y.z'', repeat(''a'', 64), now() + interval ''1 hour'')'))
     AS s (statement)
CROSS JOIN LATERAL (SELECT session_user) AS l (login);
CALL tap.act(login => 'tap_service');
SELECT throws_ok(s.statement, '42501', NULL, s.statement || ' is refused to ' || l.login)
FROM (VALUES ('SELECT token_hash FROM auth.password_resets'), ('UPDATE auth.password_resets SET used = false')) AS s (statement)
CROSS JOIN LATERAL (SELECT session_user) AS l (login);

-- With capture on, the ledger has neither tokens nor passwords nor their hashes.
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.capture = on;
SELECT audits.track('auth.password_resets');
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answer (name, answer) SELECT 'captured', auth.request_password_reset('viewer@a.test');
INSERT INTO tap.answer (name, answer) SELECT 'captured reset', auth.reset_password(tap.token('captured'), 'a captured horse');
RESET SESSION AUTHORIZATION;
CREATE TEMP TABLE secret AS
SELECT a.answer ->> 'token' AS text FROM tap.answer AS a WHERE a.answer ? 'token'
UNION ALL
SELECT r.token_hash FROM auth.password_resets AS r
UNION ALL
SELECT u.password_hash FROM auth.users AS u WHERE u.password_hash IS NOT NULL
UNION ALL
VALUES ('a captured horse'), ('correct horse battery');
SELECT isnt_empty($$SELECT FROM audits.audit_log AS a WHERE a.entity = 'auth.password_resets'$$, 'tokens are captured');
SELECT is_empty(
    'SELECT a.action FROM audits.audit_log AS a JOIN secret AS s ON strpos(a.payload::text, s.text) > 0', 'without what they are');
SELECT is_empty(
    'SELECT l.action FROM auth.audit_logs AS l JOIN secret AS s ON strpos(to_jsonb(l)::text, s.text) > 0', 'also in the log of log-ins');

SELECT tap.remove_key_file();
SELECT * FROM finish();
ROLLBACK;
