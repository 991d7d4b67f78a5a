-- The second factor: enrolment, what is accepted and how often, recovery codes, and who may do what.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../key_files.sql
\ir ../totp_codes.sql
GRANT ALL ON ALL TABLES IN SCHEMA tap TO PUBLIC;
SELECT set_config('codeverify.totp_issuer', 'Tap: Inc', true);

-- Wrong codes make the next attempt wait; most of these tests are not about that.
CREATE FUNCTION tap.forget_failures()
RETURNS jsonb
LANGUAGE sql
SECURITY DEFINER
AS $$WITH gone AS (DELETE FROM auth.login_attempts) SELECT '{}'::jsonb$$;

CREATE TABLE tap.answer (name text PRIMARY KEY, answer jsonb);
GRANT ALL ON tap.answer TO PUBLIC;
CREATE FUNCTION tap.secret(name text) RETURNS text LANGUAGE sql AS $$SELECT a.answer ->> 'secret' FROM tap.answer AS a WHERE a.name = secret.name$$;
CREATE FUNCTION tap.recovery_code(name text, place int) RETURNS text LANGUAGE sql AS $$SELECT a.answer -> 'recovery_codes' ->> place FROM tap.answer AS a WHERE a.name = recovery_code.name$$;

-- Enrolment by the user.
CALL tap.act('viewer', 'a');
SELECT is(auth.confirm_totp(tap.id('viewer of a'), '123456'), '{"status": "not_enrolled"}', 'there is nothing to confirm');
SELECT is(auth.disable_totp(tap.id('viewer of a'), '123456'), '{"status": "not_enrolled"}', 'nor to disable');
SELECT is(auth.create_recovery_codes(tap.id('viewer of a'), '123456'), '{"status": "not_enrolled"}', 'nor to recover');
INSERT INTO tap.answer SELECT 'first', auth.enroll_totp(tap.id('viewer of a'));
SELECT is(a.answer ->> 'status', 'ok', 'a user enrols') FROM tap.answer AS a;
SELECT matches(a.answer ->> 'secret', '^[A-Z2-7]{32}$', 'and gets 160 bits in Base32') FROM tap.answer AS a;
SELECT is(
    a.answer ->> 'otpauth_uri', format('otpauth://totp/Tap_%%20Inc:viewer%%40a.test?secret=%s&issuer=Tap_%%20Inc', a.answer ->> 'secret'),
    'and the same as a URI with issuer and account') FROM tap.answer AS a;
INSERT INTO tap.answer SELECT 'second', auth.enroll_totp(tap.id('viewer of a'));
SELECT isnt(tap.secret('first'), tap.secret('second'), 'as often as one likes, before it is confirmed');
SELECT is(tap.forget_failures() || auth.confirm_totp(tap.id('viewer of a'), tap.totp(tap.secret('first'))), '{"status": "invalid"}', 'the last seed counts');
SELECT is(tap.forget_failures() || auth.confirm_totp(tap.id('viewer of a'), c.code), '{"status": "invalid"}', format('%L confirms nothing', c.code))
FROM unnest(ARRAY[NULL, '', 'x', '12345', '1234567', repeat('1', 10000), tap.totp(tap.secret('second'), 3), tap.totp(tap.secret('second'), -3)]) AS c (code);
SELECT is(auth.disable_totp(tap.id('viewer of a'), tap.totp(tap.secret('second'))), '{"status": "not_enrolled"}', 'before that there is none');
INSERT INTO tap.answer SELECT 'confirmed', auth.confirm_totp(tap.id('viewer of a'), tap.totp(tap.secret('second'), -1));
SELECT is(a.answer - 'recovery_codes', '{"status": "ok"}', 'a code of it brings it into force') FROM tap.answer AS a WHERE a.name = 'confirmed';
SELECT is(count(DISTINCT c.code), 10::bigint, 'ten codes come for the day when it is lost')
FROM tap.answer AS a CROSS JOIN jsonb_array_elements_text(a.answer -> 'recovery_codes') AS c (code) WHERE a.name = 'confirmed';
SELECT matches(c.code, '^([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$', 'easy to read')
FROM tap.answer AS a CROSS JOIN jsonb_array_elements_text(a.answer -> 'recovery_codes') AS c (code) WHERE a.name = 'confirmed';
SELECT is(auth.confirm_totp(tap.id('viewer of a'), tap.totp(tap.secret('second'))), '{"status": "already_enrolled"}', 'once');
SELECT is(auth.enroll_totp(tap.id('viewer of a')), '{"status": "already_enrolled"}', 'another seed takes giving this one up');

-- Each step once, and none before it. (Recovery codes are what a right code gives here.)
SELECT is(
    tap.forget_failures() || auth.create_recovery_codes(tap.id('viewer of a'), tap.totp(tap.secret('second'), -1)), '{"status": "invalid"}', 'the code that confirmed is used up');
INSERT INTO tap.answer SELECT 'renewed', auth.create_recovery_codes(tap.id('viewer of a'), tap.totp(tap.secret('second')));
SELECT is(a.answer ->> 'status', 'ok', 'that of the next step is good') FROM tap.answer AS a WHERE a.name = 'renewed';
SELECT is(tap.forget_failures() || auth.create_recovery_codes(tap.id('viewer of a'), tap.totp(tap.secret('second'))), '{"status": "invalid"}', 'once');
INSERT INTO tap.answer
SELECT 'spaced', auth.create_recovery_codes(tap.id('viewer of a'), regexp_replace(tap.totp(tap.secret('second'), 1), '...', '\& '));
SELECT is(a.answer ->> 'status', 'ok', 'a phone may be fast, and people type spaces') FROM tap.answer AS a WHERE a.name = 'spaced';
SELECT is(tap.forget_failures() || auth.create_recovery_codes(tap.id('viewer of a'), tap.totp(tap.secret('second'))), '{"status": "invalid"}', 'an older step is no more accepted');

-- Recovery codes: single use, in any spelling, and those of before are void.
SELECT is(
    tap.forget_failures() || auth.disable_totp(tap.id('viewer of a'), tap.recovery_code('confirmed', 0)), '{"status": "invalid"}', 'codes that were replaced are void');
INSERT INTO tap.answer
SELECT 'recovered', auth.create_recovery_codes(tap.id('viewer of a'), lower(replace(tap.recovery_code('spaced', 0), '-', ' ')));
SELECT is(a.answer ->> 'status', 'ok', 'a recovery code stands for a code of the app') FROM tap.answer AS a WHERE a.name = 'recovered';
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT c.code
        FROM tap.answer AS a
        CROSS JOIN jsonb_array_elements_text(a.answer -> 'recovery_codes') AS c (code)
        JOIN auth.recovery_codes AS r ON r.code_hash = encode(sha256(replace(c.code, '-', '')::bytea), 'hex')
        WHERE a.name = 'recovered' AND r.used_at IS NULL AND r.user_id = tap.id('viewer of a')
        ORDER BY c.code
    $$,
    $$
        SELECT c.code
        FROM tap.answer AS a
        CROSS JOIN jsonb_array_elements_text(a.answer -> 'recovery_codes') AS c (code)
        WHERE a.name = 'recovered'
        ORDER BY c.code
    $$,
    'of which hashes are stored');
SELECT is(count(*), 10::bigint, 'and none but those') FROM auth.recovery_codes;
SELECT is(
    (SELECT count(*) FROM auth.audit_logs AS l WHERE l.action = 'recovery_code.used' AND l.user_id = tap.id('viewer of a')), 1::bigint,
    'their use is told');

-- Whose it is.
CALL tap.act('owner', 'a');
SELECT throws_ok(format('SELECT auth.enroll_totp(%L)', tap.id('viewer of a')), 'VC014', NULL, 'an owner of the organization enrols nobody else');
SELECT throws_ok(format('SELECT auth.confirm_totp(%L, ''123456'')', tap.id('viewer of a')), 'VC014', NULL, 'confirms nobody');
SELECT throws_ok(
    format('SELECT auth.disable_totp(%L, %L)', tap.id('viewer of a'), tap.recovery_code('recovered', 1)), 'VC014', NULL, 'disables nobody');
SELECT throws_ok(
    format('SELECT auth.create_recovery_codes(%L, %L)', tap.id('viewer of a'), tap.recovery_code('recovered', 1)), 'VC014', NULL, 'and recovers nobody');
SELECT throws_ok('SELECT auth.enroll_totp(NULL)', 'VC022', NULL, 'nobody is no user');
SELECT throws_ok(format('SELECT auth.reset_totp(%L)', tap.id('owner of a')), '42501', NULL, 'nor does a tenant reset its own');
CALL tap.act();
SELECT throws_ok(format('SELECT auth.enroll_totp(%L)', tap.id('viewer of a')), 'VC014', NULL, 'nor does who is nobody');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok(format('SELECT auth.enroll_totp(%L)', tap.id('viewer of b')), 'VC014', NULL, 'the back end that acts for a tenant is that tenant''s user');
SELECT throws_ok(format('SELECT auth.reset_totp(%L)', tap.id('viewer of a')), 'VC014', NULL, 'and resets nothing');
SELECT throws_ok(s.statement, '42501', NULL, s.statement || ' is refused to ' || l.login)
FROM (VALUES ('SELECT totp_secret FROM auth.users'), ('SELECT FROM auth.users WHERE totp_secret IS NULL'),
             ('SELECT totp_confirmed_at, second_factor_step FROM auth.users'),
             ('UPDATE auth.users SET totp_confirmed_at = NULL'), ('UPDATE auth.users SET second_factor_step = NULL'),
             ('SELECT code_hash FROM auth.recovery_codes'), ('DELETE FROM auth.recovery_codes')) AS s (statement)
CROSS JOIN LATERAL (SELECT session_user) AS l (login);
CALL tap.act('viewer', 'a');
SELECT throws_ok(s.statement, '42501', NULL, s.statement || ' is refused to ' || l.login)
FROM (VALUES ('SELECT totp_secret FROM auth.users'), ('SELECT FROM auth.users WHERE totp_secret IS NULL'),
             ('SELECT second_factor_step FROM auth.users'), ('UPDATE auth.users SET totp_confirmed_at = NULL'),
             ('SELECT code_hash FROM auth.recovery_codes'), ('DELETE FROM auth.recovery_codes')) AS s (statement)
CROSS JOIN LATERAL (SELECT session_user) AS l (login);

-- A seed that was put into another user's row is none.
RESET SESSION AUTHORIZATION;
UPDATE auth.users AS u
SET totp_secret = v.totp_secret, totp_confirmed_at = now()
FROM auth.users AS v
WHERE v.id = tap.id('viewer of a') AND u.id = tap.id('member of a');
SET LOCAL client_min_messages = error;
CALL tap.act('member', 'a');
SELECT is(
    tap.forget_failures() || auth.disable_totp(tap.id('member of a'), tap.totp(tap.secret('second'), 1)), '{"status": "invalid"}',
    'a seed that was copied from another row does not open, and nobody gets in');

-- Without the key no code of the app is right; a recovery code is.
CALL tap.act();
RESET SESSION AUTHORIZATION;
UPDATE auth.users SET second_factor_step = NULL WHERE id = tap.id('viewer of a');
SELECT tap.write_key_file('other:' || encode(sha256('other'), 'base64'));
CALL tap.act('viewer', 'a');
SELECT is(tap.forget_failures() || auth.create_recovery_codes(tap.id('viewer of a'), tap.totp(tap.secret('second'))), '{"status": "invalid"}', 'without the key no code is right');
INSERT INTO tap.answer SELECT 'keyless', auth.create_recovery_codes(tap.id('viewer of a'), tap.recovery_code('recovered', 2));
SELECT is(a.answer ->> 'status', 'ok', 'but a recovery code is') FROM tap.answer AS a WHERE a.name = 'keyless';
RESET SESSION AUTHORIZATION;
SELECT tap.write_key_file('tap:' || encode(sha256('tap'), 'base64'));

-- Giving it up.
CALL tap.act('viewer', 'a');
SELECT is(tap.forget_failures() || auth.disable_totp(tap.id('viewer of a'), c.code), '{"status": "invalid"}', format('%L does not take it away', c.code))
FROM unnest(ARRAY[NULL, '', '000000x', tap.recovery_code('recovered', 3)]) AS c (code);
CALL tap.act(login => 'tap_service');
SELECT is(tap.forget_failures() || auth.disable_totp(tap.id('viewer of a'), NULL), '{"status": "invalid"}', 'a field that a form left out is no code, for the back end neither');
CALL tap.act('viewer', 'a');
SELECT is(auth.disable_totp(tap.id('viewer of a'), tap.totp(tap.secret('second'))), '{"status": "ok"}', 'a code does');
SELECT is(auth.disable_totp(tap.id('viewer of a'), tap.totp(tap.secret('second'))), '{"status": "not_enrolled"}', 'once');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT u.totp_secret, u.totp_confirmed_at, u.second_factor_step FROM auth.users AS u WHERE u.id = tap.id('viewer of a')$$,
    'VALUES (NULL::text, NULL::timestamptz, NULL::bigint)', 'nothing of it is left');
SELECT is_empty('SELECT FROM auth.recovery_codes', 'nor a recovery code');

-- Guessing: after some wrong codes none is looked at, the right one neither.
CALL tap.act('developer', 'a');
INSERT INTO tap.answer SELECT 'guessed', auth.enroll_totp(tap.id('developer of a'));
INSERT INTO tap.answer SELECT 'guessed codes', auth.confirm_totp(tap.id('developer of a'), tap.totp(tap.secret('guessed'), -1));
SELECT is(auth.disable_totp(tap.id('developer of a'), NULL), '{"status": "invalid"}', 'a missing code is no guess') FROM generate_series(1, 6);
-- Each that is heard doubles the wait, so that a server which is too slow for one second is not for those after it.
CREATE TEMP TABLE guess AS
SELECT n, auth.disable_totp(tap.id('developer of a'), '00000') AS answer FROM generate_series(1, 20) AS n;
SELECT is(array_agg(DISTINCT g.answer ->> 'status' ORDER BY g.answer ->> 'status'), '{invalid,locked}', 'wrong codes are answered until they are too many') FROM guess AS g;
RESET SESSION AUTHORIZATION;
UPDATE auth.login_attempts SET locked_until = locked_until + interval '1 hour';
CALL tap.act('developer', 'a');
SELECT is(f.answer ->> 'status', 'locked', 'then no code is looked at: ' || f.name)
FROM (VALUES ('disable_totp', auth.disable_totp(tap.id('developer of a'), tap.totp(tap.secret('guessed')))),
             ('create_recovery_codes', auth.create_recovery_codes(tap.id('developer of a'), tap.recovery_code('guessed codes', 0)))) AS f (name, answer);
SELECT cmp_ok(
    (auth.disable_totp(tap.id('developer of a'), 'x') ->> 'retry_at')::timestamptz, '>', now() + interval '1 hour', 'for some time');
SELECT is(
    auth.confirm_totp(tap.id('developer of a'), '00000'), '{"status": "already_enrolled"}', 'what takes no code says what it says');
SELECT is(auth.disable_totp(tap.id('developer of a'), 'x') ->> 'status', 'locked', 'and makes up for nothing');

-- An operator's reset.
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answer SELECT 'third', auth.enroll_totp(tap.id('viewer of b'));
INSERT INTO tap.answer SELECT 'third confirmed', auth.confirm_totp(tap.id('viewer of b'), tap.totp(tap.secret('third')));
CALL tap.act(login => 'tap_admin');
SELECT is(auth.reset_totp(tap.id('viewer of b')), '{"status": "ok"}', 'an operator takes it away without a code');
SELECT is(auth.reset_totp(tap.id('viewer of b')), '{"status": "not_enrolled"}', 'once');
SELECT throws_ok(format('SELECT auth.reset_totp(%L)', tap.id('nobody')), 'VC023', NULL, 'from a user');

-- What the ledger tells.
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT a.action, a.payload - 'at' FROM audits.audit_log AS a WHERE a.entity = 'auth' AND a.actor_id = tap.id('viewer of b') AND a.org_id IS NULL ORDER BY a.id$$,
    $$VALUES ('totp.enrolled', '{}'::jsonb), ('totp.confirmed', '{}'), ('totp.disabled', '{"reset": true}')$$, 'the ledger tells each step');
SELECT isnt_empty($$SELECT FROM audits.audit_log AS a WHERE a.action = 'totp.failed' AND a.actor_id = tap.id('viewer of a')$$, 'and wrong codes');

-- With capture on, neither ledger nor log has a secret, and logging in leaves no entry of the row.
SET LOCAL codeverify.capture = on;
SELECT audits.track('auth.recovery_codes');
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answer SELECT 'captured', auth.enroll_totp(tap.id('owner of b'));
INSERT INTO tap.answer SELECT 'captured codes', auth.confirm_totp(tap.id('owner of b'), tap.totp(tap.secret('captured'), -1));
RESET SESSION AUTHORIZATION;
CREATE TEMP TABLE entries AS SELECT count(*) AS number FROM audits.audit_log AS a WHERE a.entity = 'auth.users';
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answer SELECT 'captured again', auth.create_recovery_codes(tap.id('owner of b'), tap.totp(tap.secret('captured')));
RESET SESSION AUTHORIZATION;
SELECT cmp_ok(e.number, '>', 0::bigint, 'enrolment is captured') FROM entries AS e;
SELECT is((SELECT count(*) FROM audits.audit_log AS a WHERE a.entity = 'auth.users'), e.number, 'the step that was accepted is not') FROM entries AS e;
CREATE TEMP TABLE secret AS
SELECT a.answer ->> 'secret' AS text FROM tap.answer AS a WHERE a.name = 'captured'
UNION ALL
SELECT u.totp_secret FROM auth.users AS u WHERE u.totp_secret IS NOT NULL
UNION ALL
SELECT c.code FROM tap.answer AS a CROSS JOIN jsonb_array_elements_text(a.answer -> 'recovery_codes') AS c (code) WHERE a.name LIKE 'captured%'
UNION ALL
SELECT r.code_hash FROM auth.recovery_codes AS r;
SELECT cmp_ok((SELECT count(*) FROM secret), '>', 30::bigint, 'there are secrets to look for');
SELECT is_empty(
    'SELECT a.action FROM audits.audit_log AS a JOIN secret AS s ON strpos(a.payload::text, s.text) > 0', 'the ledger holds none of them');
SELECT is_empty(
    'SELECT l.action FROM auth.audit_logs AS l JOIN secret AS s ON strpos(to_jsonb(l)::text, s.text) > 0', 'nor does the log of log-ins');

SELECT tap.remove_key_file();
SELECT * FROM finish();
ROLLBACK;
