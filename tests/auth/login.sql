-- Logging in: every status, and what each takes. What is told of it is in tests/operations/login.py, since failures are
-- told and counted apart from the transaction that they happen in.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

CREATE TABLE tap.answers (name text PRIMARY KEY, answer jsonb);
GRANT ALL ON tap.answers TO PUBLIC;
-- Logs in with the failures of before forgotten: what they do to the next attempt is not what this file is about.
SET LOCAL codeverify.login_failures_per_ip_address = 1000000;
CREATE FUNCTION tap.forget_failures(email text)
RETURNS void
LANGUAGE sql
SECURITY DEFINER
AS $function$
    SELECT auth.unlock_user(u.id)
    FROM auth.users AS u
    WHERE lower(u.email) = lower(normalize(btrim(forget_failures.email), NFKC))
$function$;
CREATE FUNCTION tap.login(
    email text,
    password text,
    totp_code text DEFAULT NULL,
    org_id uuid DEFAULT NULL,
    device_info jsonb DEFAULT '{}',
    ip_address text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM tap.forget_failures(email);
    RETURN auth.login(email, password, totp_code, org_id, device_info, ip_address);
END
$function$;

CALL tap.act(login => 'tap_service');
INSERT INTO tap.answers SELECT 'ada', auth.register_user('Ada@Example.org', 'correct horse', 'ada');
INSERT INTO tap.answers SELECT 'ben', auth.register_user('ben@example.org', 'correct horse', 'ben');
SELECT is(auth.verify_email(answer ->> 'verification_token') ->> 'status', 'ok', 'Ada''s address is verified')
FROM tap.answers WHERE name = 'ada';
RESET SESSION AUTHORIZATION;
INSERT INTO tenancy.org_memberships (org_id, user_id, role)
SELECT tap.id('a'), (answer ->> 'user_id')::uuid, 'member' FROM tap.answers WHERE name = 'ada';

-- Both the service and a tenant's login may; nobody else.
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok($$SELECT auth.login('ada@example.org', 'correct horse')$$, '42501', NULL, 'a writer of logs does not log users in');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok($$SELECT auth.login('ada@example.org', 'correct horse')$$, '42501', NULL, 'nor does a stranger');

-- ok
CALL tap.act();
INSERT INTO tap.answers SELECT 'login', tap.login('ada@example.org', 'correct horse');
SELECT is(answer ->> 'status', 'ok', 'address and password are right') FROM tap.answers WHERE name = 'login';
SELECT set_eq(
    $$SELECT jsonb_object_keys(answer) FROM tap.answers WHERE name = 'login'$$,
    ARRAY['status', 'user_id', 'org_id', 'session_id', 'session_token', 'session_token_expires_at', 'refresh_token', 'expires_at'],
    'the answer has the session and its tokens');
SELECT is(tenancy.current_user_id(), NULL, 'a log-in sets no context');
SELECT is(
    tap.login(s.spelling, 'correct horse') ->> 'status', 'ok', format('the address may be spelt %s', s.spelling))
FROM unnest(ARRAY['ADA@EXAMPLE.ORG', ' ada@example.org ', 'ａｄａ＠ｅｘａｍｐｌｅ.org']) AS s (spelling);
SELECT is(
    tap.login('ada@example.org', E'correct\u00a0horse') ->> 'status', 'ok', 'a space of another kind is a space');
SELECT is(
    tap.login('ada@example.org', 'correct horse', org_id => tap.id('a')) ->> 'org_id', tap.id('a')::text,
    'a member may choose the organization');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT s.user_id, s.login_org_id, s.ip_address, s.device_info
        FROM auth.sessions AS s
        JOIN tap.answers AS a ON s.id = (a.answer ->> 'session_id')::uuid
        WHERE s.session_token_hash = encode(sha256((a.answer ->> 'session_token')::bytea), 'hex')
          AND s.refresh_token_hash = encode(sha256((a.answer ->> 'refresh_token')::bytea), 'hex')
    $$,
    $$SELECT (answer ->> 'user_id')::uuid, NULL::uuid, NULL::text, '{}'::jsonb FROM tap.answers WHERE name = 'ada'$$,
    'the session is the user''s, under the hashes of the tokens');
SELECT ok(
    (SELECT u.last_login > now() - interval '1 minute' FROM auth.users AS u WHERE u.username = 'ada'), 'the log-in is noted');
SELECT is_empty(
    $$
        SELECT
        FROM tap.answers AS a
        JOIN audits.audit_log AS e
            ON e.payload::text LIKE '%' || (a.answer ->> 'session_token') || '%'
            OR e.payload::text LIKE '%' || (a.answer ->> 'refresh_token') || '%'
    $$, 'no token is in the ledger');

-- invalid_credentials: which of the two was wrong is not told.
CALL tap.act();
SELECT is(tap.login(c.email, c.password), '{"status": "invalid_credentials"}', format('wrong: %s', c.what))
FROM (VALUES ('ada@example.org', 'wrong horse', 'the password'),
             ('ada@example.org', 'Correct horse', 'its case'),
             ('ada@example.org', 'correct horse ', 'its length'),
             ('ada@example.org', '', 'an empty password'),
             ('ada@example.org', NULL, 'no password'),
             ('ada@example.org', repeat('x', 10000000), 'a password of ten million characters'),
             ('owner@a.test', 'correct horse', 'a user who has no password'),
             ('nobody@example.org', 'correct horse', 'the address'),
             ('ben@example.org', 'wrong horse', 'the password of a user whose address is not verified'),
             ('no address', 'correct horse', 'no address'),
             ('', '', 'nothing'),
             (NULL, NULL, 'NULL'),
             (repeat('x', 10000000), 'correct horse', 'ten million characters'),
             (E'ada@example.org\u200b', 'correct horse', 'an address with something unseen')) AS c (email, password, what);

-- unverified is told to who has the password.
SELECT is(tap.login('ben@example.org', 'correct horse'), '{"status": "unverified"}', 'an address must be verified');

-- no_membership
SELECT is(
    tap.login('ada@example.org', 'correct horse', org_id => o.id), '{"status": "no_membership"}',
    format('one is not a member of %s', o.name))
FROM (VALUES (tap.id('b'), 'another organization'), (tap.id('c'), 'none that exists')) AS o (id, name);
SELECT is(
    tap.login('ada@example.org', 'wrong horse', org_id => tap.id('b')), '{"status": "invalid_credentials"}',
    'which is told after the right password only');

-- Whatever else is malformed does no harm.
SELECT is(
    tap.login('ada@example.org', 'correct horse', c.totp_code, NULL, c.device_info, c.ip_address) ->> 'status', 'ok',
    format('device_info %s, ip_address %s, totp_code %s', left(c.device_info::text, 20), left(c.ip_address, 20), c.totp_code))
FROM (VALUES (NULL, NULL::jsonb, NULL),
             ('123456', '[]', 'x'),
             ('', 'null', ''),
             (NULL, '"text"', '300.300.300.300'),
             (NULL, '1e400', repeat('1', 100000)),
             (NULL, '{"n": 1e400}', '::ffff:192.0.2.1'),
             (NULL, jsonb_build_object('x', repeat('y', 100000)), '192.0.2.1'),
             (NULL, (repeat('[', 3000) || repeat(']', 3000))::jsonb, '2001:db8::1')) AS c (totp_code, device_info, ip_address);
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT array_agg(DISTINCT s.device_info) FROM auth.sessions AS s), ARRAY['{}'::jsonb], 'it is left out');
SELECT is_empty($$SELECT FROM auth.sessions WHERE ip_address IS NOT NULL$$, 'a tenant does not say where it comes from');
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.login('ada@example.org', 'correct horse', device_info => '{"user_agent": "curl/8"}', ip_address => '::ffff:192.0.2.1')
    ->> 'status', 'ok', 'the service does for its clients');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT ip_address, user_agent FROM auth.audit_logs WHERE action = 'login.succeeded' AND ip_address IS NOT NULL$$,
    $$VALUES ('192.0.2.1', 'curl/8')$$, 'and it is told');

-- Hashes are replaced by stronger ones as their owners log in.
UPDATE auth.users
SET password_hash = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', verified = true
WHERE id = tap.id('owner of a');
UPDATE auth.users
SET password_hash = '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8', verified = true
WHERE id = tap.id('owner of b');
CALL tap.act(login => 'tap_service');
SELECT is(tap.login('owner@a.test', 'U*V') ->> 'status', 'invalid_credentials', 'a wrong password');
RESET SESSION AUTHORIZATION;
SELECT matches(password_hash, '^\$2a\$', 'replaces nothing') FROM auth.users WHERE id = tap.id('owner of a');
CALL tap.act(login => 'tap_service');
SELECT is(tap.login('owner@a.test', 'U*U') ->> 'status', 'ok', 'a right one');
SELECT is(tap.login('owner@b.test', 'password') ->> 'status', 'ok', 'of either kind');
RESET SESSION AUTHORIZATION;
SELECT matches(password_hash, '^\$argon2id\$v=19\$m=19456,t=2,p=1\$', 'replaces ' || username || '''s')
FROM auth.users WHERE id IN (tap.id('owner of a'), tap.id('owner of b'));
CREATE TABLE tap.hash AS SELECT password_hash FROM auth.users WHERE id = tap.id('owner of a');
CALL tap.act(login => 'tap_service');
SELECT is(tap.login('owner@a.test', 'U*U') ->> 'status', 'ok', 'the password stays right');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT password_hash FROM auth.users WHERE id = tap.id('owner of a')), (SELECT password_hash FROM tap.hash),
    'and its hash the same');
SET LOCAL codeverify.argon2_iterations = 3;
SET LOCAL codeverify.argon2_parallelism = 2;
SET LOCAL SESSION AUTHORIZATION tap_service;
SELECT is(tap.login('owner@a.test', 'U*U') ->> 'status', 'ok', 'when the settings rise');
RESET SESSION AUTHORIZATION;
SELECT matches(password_hash, '^\$argon2id\$v=19\$m=19456,t=3,p=2\$', 'hashes follow') FROM auth.users WHERE id = tap.id('owner of a');
RESET codeverify.argon2_iterations;
RESET codeverify.argon2_parallelism;
SET LOCAL SESSION AUTHORIZATION tap_service;
SELECT is(tap.login('owner@a.test', 'U*U') ->> 'status', 'ok', 'when they fall');
RESET SESSION AUTHORIZATION;
SELECT matches(password_hash, '^\$argon2id\$v=19\$m=19456,t=3,p=2\$', 'hashes do not') FROM auth.users WHERE id = tap.id('owner of a');

-- Each success is told, in the ledger of the organization that was chosen.
SELECT is(
    (SELECT count(*) FROM audits.audit_log WHERE action = 'login.succeeded'),
    (SELECT count(*) FROM auth.sessions), 'each session has a log-in in the ledger');
SELECT is(
    (SELECT count(*) FROM auth.audit_logs WHERE action = 'login.succeeded' AND status = 'success'),
    (SELECT count(*) FROM auth.sessions), 'and in the logs');
SELECT is(
    (SELECT count(*) FROM audits.audit_log WHERE action = 'login.succeeded' AND org_id = tap.id('a')), 1::bigint,
    'a log-in into an organization is in its ledger');

-- A second factor, here with recovery codes, which need no clock. It is asked for after the right password only, before
-- anything else is told.
RESET SESSION AUTHORIZATION;
INSERT INTO auth.recovery_codes (user_id, code_hash)
SELECT u.id, encode(sha256(c.code::bytea), 'hex')
FROM auth.users AS u
CROSS JOIN (VALUES ('RECVERYCDEFRTESTSNEARADANE71'), ('RECVERYCDEFRTESTSTWARADATWEB')) AS c (code)
WHERE u.username IN ('ada', 'ben');
UPDATE auth.users
SET totp_secret = 'a seed that cannot be decrypted', totp_confirmed_at = now()
WHERE username IN ('ada', 'ben');
CALL tap.act();
SELECT is(
    tap.login('ada@example.org', 'correct horse', c.code, c.org_id), jsonb_build_object('status', c.status),
    format('code %s: %s', c.code, c.status))
FROM (VALUES (NULL, 'totp_required', NULL::uuid),
             ('', 'totp_required', NULL),
             (NULL, 'totp_required', tap.id('b')),
             ('123456', 'totp_invalid', NULL),
             ('123456', 'totp_invalid', tap.id('b')),
             (repeat('1', 1000000), 'totp_invalid', NULL),
             ('RECV-ERYC-DEFR-TEST-SNEA-RADA-NE72', 'totp_invalid', NULL)) AS c (code, status, org_id);
SELECT is(
    tap.login('ada@example.org', 'wrong horse', 'RECV-ERYC-DEFR-TEST-SNEA-RADA-NE71'), '{"status": "invalid_credentials"}',
    'a code does not help a wrong password');
SELECT is(
    tap.login('ben@example.org', 'correct horse'), '{"status": "totp_required"}', 'nor is a second factor spared who is not verified');
SELECT is(
    tap.login('ben@example.org', 'correct horse', 'RECV-ERYC-DEFR-TEST-SNEA-RADA-NE71'), '{"status": "unverified"}',
    'who is told so after it');
SELECT is(
    tap.login('ada@example.org', 'correct horse', 'recv erycdefr-testsnea radane71') ->> 'status', 'ok',
    'a recovery code stands in for the app');
SELECT is(
    tap.login('ada@example.org', 'correct horse', 'RECV-ERYC-DEFR-TEST-SNEA-RADA-NE71') ->> 'status', 'totp_invalid',
    'once');
SELECT is(
    tap.login('ada@example.org', 'correct horse', 'RECV-ERYC-DEFR-TEST-STWA-RADA-TWEB', tap.id('b')) ->> 'status',
    'no_membership', 'the organization is looked at after the second factor');

SELECT * FROM finish();
ROLLBACK;

