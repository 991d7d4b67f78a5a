-- Passwords: their hashes, what may be one, changing one, and hashes of older systems.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

-- The superuser reads what no other role may.
CREATE FUNCTION tap.hash_of(name text)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT u.password_hash FROM auth.users AS u WHERE u.username = hash_of.name
$function$;

-- A hash is a PHC string of Argon2id with the settings' parameters.
CALL tap.act(login => 'tap_service');
SELECT is(
    auth.register_user('ada@example.org', 'correct horse', 'ada') ->> 'status', 'ok', 'a user registers with a password');
SELECT is(
    auth.register_user('ben@example.org', 'correct horse', 'ben') ->> 'status', 'ok', 'and another with the same');
RESET SESSION AUTHORIZATION;
SELECT matches(
    tap.hash_of('ada'), '^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$',
    'which is stored as a hash of Argon2id');
SELECT isnt(tap.hash_of('ada'), tap.hash_of('ben'), 'salted, so that equal passwords do not show');
SELECT isnt(
    (SELECT u.password_changed_at FROM auth.users AS u WHERE u.username = 'ada'), NULL, 'and dated');
SELECT is_empty(
    $$SELECT FROM audits.audit_log WHERE payload::text LIKE '%correct horse%' OR payload::text LIKE '%argon2%'$$,
    'the ledger has neither');
SELECT is_empty(
    $$SELECT FROM auth.audit_logs WHERE details::text LIKE '%correct horse%' OR details::text LIKE '%argon2%'$$,
    'nor have the logs');

-- The settings have bounds.
SELECT throws_ok(
    format('SET LOCAL codeverify.%s = %L', s.name, s.value), '22023', NULL, format('%s cannot be %s', s.name, s.value))
FROM (VALUES ('argon2_memory', '19455'),
             ('argon2_memory', '1048577'),
             ('argon2_iterations', '1'),
             ('argon2_iterations', '17'),
             ('argon2_parallelism', '0'),
             ('argon2_parallelism', '17'),
             ('max_concurrent_hashes', '0')) AS s (name, value);
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    $$SET LOCAL codeverify.argon2_memory = '32MB'$$, '42501', NULL, 'and are not the service''s to set');

-- What may be a password.
SELECT is(
    auth.register_user('new@example.org', s.password), jsonb_build_object('status', 'invalid_password', 'reason', s.reason),
    format('a password cannot be %s', s.what))
FROM (VALUES (NULL, 'too_short', 'NULL'),
             ('', 'too_short', 'empty'),
             ('1234567', 'too_short', 'of seven characters'),
             ('ééééééé', 'too_short', 'of seven characters, however many bytes they are'),
             (E'e\u0301123456', 'too_short', 'of seven characters, of which one is typed as two'),
             (repeat('x', 1025), 'too_long', 'of 1,025 characters'),
             (repeat('x', 10000000), 'too_long', 'of ten million'),
             (E'tab\tulator', 'control_characters', 'with a control character')) AS s (password, reason, what);
SELECT is(auth.register_user('short@example.org', '12345678') ->> 'status', 'ok', 'eight characters may be one');
SELECT is(auth.register_user('long@example.org', repeat('🔑', 1024)) ->> 'status', 'ok', 'and so may 1,024');

-- Changing it. What failed before, in other files too, is forgotten.
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.login_failures_per_ip_address = 1000000;
SELECT auth.unlock_user(u.id) FROM auth.users AS u WHERE u.email LIKE '%@a.test' \g /dev/null
CALL tap.act();
SELECT throws_ok(
    $$SELECT auth.change_password(tap.id('owner of a'), 'correct horse', 'battery staple')$$, 'VC014', NULL,
    'without a context nobody changes a password');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT auth.change_password(tap.id('viewer of a'), 'correct horse', 'battery staple')$$, 'VC014', NULL,
    'nor does an owner change another''s');
SELECT throws_ok(
    $$SELECT auth.change_password(NULL, 'correct horse', 'battery staple')$$, 'VC022', NULL, 'nor nobody''s');
SELECT is(
    auth.change_password(tap.id('owner of a'), 'correct horse', 'battery staple'), '{"status": "invalid_credentials"}',
    'who has no password has none to change');
SELECT is(
    auth.change_password(tap.id('owner of a'), NULL, 'battery staple'), '{"status": "invalid_credentials"}',
    'not even from none');
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    $$SELECT auth.change_password(tap.id('no user'), 'correct horse', 'battery staple')$$, 'VC023', NULL,
    'the user must exist');

RESET SESSION AUTHORIZATION;
UPDATE auth.users SET password_hash = tap.hash_of('ada') WHERE id = tap.id('owner of a');
INSERT INTO auth.sessions (user_id, refresh_token_hash, expires_at)
VALUES (tap.id('owner of a'), repeat('a', 64), now() + interval '1 day'),
       (tap.id('viewer of a'), repeat('b', 64), now() + interval '1 day');
SELECT auth.unlock_user(tap.id('owner of a')) \g /dev/null
CALL tap.act('owner', 'a');
SELECT is(
    auth.change_password(tap.id('owner of a'), 'wrong horse', 'battery staple'), '{"status": "invalid_credentials"}',
    'the old password must be right');
SELECT is(
    auth.change_password(tap.id('owner of a'), 'correct horse', 'short'), '{"status": "invalid_password", "reason": "too_short"}',
    'and the new one fit');
SELECT is(
    auth.change_password(tap.id('owner of a'), 'correct horse', 'battery staple'), '{"status": "ok", "sessions_revoked": 1}',
    'a user changes their own');
SELECT is(
    auth.change_password(tap.id('owner of a'), 'correct horse', 'battery staple'), '{"status": "invalid_credentials"}',
    'after which the old one is wrong');
CALL tap.act(login => 'tap_service');
SELECT is(
    auth.change_password(tap.id('owner of a'), 'battery staple', 'correct horse'), '{"status": "ok", "sessions_revoked": 0}',
    'the service changes anybody''s who knows it');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT s.user_id, r.reason
        FROM auth.sessions AS s
        LEFT JOIN auth.session_revocations AS r ON r.session_id = s.id
        ORDER BY s.refresh_token_hash
    $$,
    $$VALUES (tap.id('owner of a'), 'password_changed'), (tap.id('viewer of a'), NULL)$$,
    'the user''s sessions are ended, and nobody else''s');
SELECT is(
    (SELECT count(*) FROM audits.audit_log WHERE action = 'password.changed' AND actor_id = tap.id('owner of a')), 2::bigint,
    'each change is told');

-- Hashes of older systems.
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT auth.import_password_hash(tap.id('admin of a'), 'x')$$, '42501', NULL, 'a tenant imports no hash');
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    $$SELECT auth.import_password_hash(tap.id('admin of a'), 'x')$$, '42501', NULL, 'nor does the service');
SELECT throws_ok(
    $$UPDATE auth.users SET password_hash = 'x'$$, '42501', NULL, 'which writes no hash by hand either');
SELECT throws_ok(
    $$INSERT INTO auth.users (email, password_hash) VALUES ('x@example.org', 'x')$$, '42501', NULL, 'nor with a new user');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok(
    format('SELECT auth.import_password_hash(tap.id(''admin of a''), %L)', h.hash), 'VC021', NULL,
    format('no hash is %s', coalesce(h.hash, 'NULL')))
FROM unnest(ARRAY[
    NULL,
    '',
    'correct horse',
    '5f4dcc3b5aa765d61d8327deb882cf99',
    '$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    '$argon2id$v=19$m=65536,t=1000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    '$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    '$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW']) AS h (hash);
SELECT throws_ok(
    $$SELECT auth.import_password_hash(tap.id('no user'), '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')$$,
    'VC023', NULL, 'the user must exist');
SELECT throws_ok(
    $$SELECT auth.import_password_hash(tap.id('owner of a'), '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')$$,
    'VC022', NULL, 'and have no password: an operator does not put theirs in its place');
SELECT lives_ok(
    $$SELECT auth.import_password_hash(tap.id('admin of a'), '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')$$,
    'bcrypt is imported');
SELECT lives_ok(
    $$SELECT auth.import_password_hash(tap.id('admin of a'), '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')$$,
    'twice, as when a migration is run again');
SELECT lives_ok(
    $$SELECT auth.import_password_hash(tap.id('member of a'), '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8')$$,
    'and so is another Argon2');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT user_id, details ->> 'kind' FROM auth.audit_logs WHERE action = 'password.imported' ORDER BY 2$$,
    $$VALUES (tap.id('member of a'), 'argon2i'), (tap.id('admin of a'), 'bcrypt')$$,
    'each import is told once');
CALL tap.act(login => 'tap_service');
SELECT is(
    auth.change_password(tap.id('admin of a'), 'U*U', 'battery staple') ->> 'status', 'ok',
    'an imported password is right, also if it is shorter than new ones may be');
SELECT is(
    auth.change_password(tap.id('member of a'), 'password', 'battery staple') ->> 'status', 'ok', 'of either kind');

-- Whatever a hash says, it does not take the memory: one that got into the table is not tried.
RESET SESSION AUTHORIZATION;
UPDATE auth.users
SET password_hash = '$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
WHERE id = tap.id('developer of a');
CALL tap.act('developer', 'a');
SELECT is(
    auth.change_password(tap.id('developer of a'), 'password', 'battery staple'), '{"status": "invalid_credentials"}',
    'a hash of four gigabytes is not verified');
RESET SESSION AUTHORIZATION;

-- An attempt is counted like a log-in. Each that is heard after the fifth doubles the wait: however slow the server is, some
-- are not.
CALL tap.act('viewer', 'a');
SELECT set_eq(
    $$
        SELECT auth.change_password(tap.id('viewer of a'), 'guess ' || g, 'battery staple') ->> 'status'
        FROM generate_series(1, 15) AS g
    $$,
    ARRAY['invalid_credentials', 'locked'], 'after some the account is locked');
RESET SESSION AUTHORIZATION;
SELECT auth.unlock_user(tap.id('viewer of a')) \g /dev/null

-- A slot for hashing is held no longer than the hash takes.
SELECT is_empty(
    $$SELECT FROM pg_locks WHERE locktype = 'userlock' AND database = 0$$, 'no slot for hashing is held after it');

SELECT * FROM finish();
ROLLBACK;
