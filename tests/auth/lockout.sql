-- Failed log-ins: which attempts are heard, and what a success, time and the trusted roles make of the others. That a
-- rollback forgets nothing is in tests/operations/outcomes.py: here it does, with the whole file.
BEGIN;
SELECT no_plan();
\ir ../two_tenants.sql

CREATE TABLE tap.users (name text PRIMARY KEY, user_id uuid, email text);
GRANT ALL ON tap.users TO PUBLIC;
CALL tap.act(login => 'tap_service');
WITH registered AS (
    SELECT n.name, n.name || '@lockout.test' AS email, auth.register_user(n.name || '@lockout.test', 'correct horse') AS answer
    FROM unnest(ARRAY['ada', 'ben']) AS n (name)
)
INSERT INTO tap.users
SELECT r.name, (r.answer ->> 'user_id')::uuid, r.email
FROM registered AS r
WHERE auth.verify_email(r.answer ->> 'verification_token') ->> 'status' = 'ok';

RESET SESSION AUTHORIZATION;
CREATE FUNCTION tap.login(name text, password text DEFAULT 'wrong', ip_address text DEFAULT NULL)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT auth.login(name || '@lockout.test', password, ip_address => ip_address) ->> 'status'
$function$;

-- What is stored of an account or an address.
CREATE FUNCTION tap.hash(kind text, name text)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT encode(sha256(kind::bytea || '\x00'::bytea || name::bytea), 'hex')
$function$;

CREATE PROCEDURE tap.set_failures(name text, failures integer)
LANGUAGE sql
AS $procedure$
    INSERT INTO auth.login_attempts AS a (subject_hash, kind, failures, last_failed_at)
    VALUES (tap.hash('account', name || '@lockout.test'), 'account', failures, now() - interval '2 days')
    ON CONFLICT (subject_hash) DO UPDATE
    SET failures = excluded.failures, last_failed_at = excluded.last_failed_at, locked_until = NULL
$procedure$;

CREATE FUNCTION tap.delay(name text)
RETURNS interval
LANGUAGE sql
AS $function$
    SELECT a.locked_until - a.last_failed_at
    FROM auth.login_attempts AS a
    WHERE a.subject_hash = tap.hash('account', name || '@lockout.test')
$function$;

-- A second may pass between two statements of a busy server: this puts an end of a lock off that a test counts on, and
-- what it is measured from with it.
CREATE PROCEDURE tap.hold_locks()
LANGUAGE sql
AS $procedure$
    UPDATE auth.login_attempts
    SET last_failed_at = last_failed_at + interval '1 hour', locked_until = locked_until + interval '1 hour'
    WHERE locked_until IS NOT NULL
$procedure$;

-- Five are heard, whoever they are about.
CALL tap.act();
SELECT is(tap.login(a.name), 'invalid_credentials', format('failure %s of %s is heard', a.number, a.name))
FROM (SELECT n.name, f.number FROM unnest(ARRAY['ada', 'nobody']) AS n (name), generate_series(1, 5) AS f (number)) AS a;
RESET SESSION AUTHORIZATION;
CALL tap.hold_locks();
CALL tap.act();
SELECT is(tap.login(n.name, p.password), 'locked', format('after five %s waits, with the password %s', n.name, p.password))
FROM unnest(ARRAY['ada', 'nobody']) AS n (name), unnest(ARRAY['wrong', 'correct horse']) AS p (password);
SELECT ok(
    (auth.login('ada@lockout.test', 'wrong') ->> 'retry_at')::timestamptz
        BETWEEN now() + interval '1 hour' AND clock_timestamp() + interval '1 hour 1 second',
    'and is told until when');
SELECT is(tap.login('ben', 'correct horse'), 'ok', 'others do not');

RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT failures, locked_until - last_failed_at FROM auth.login_attempts WHERE subject_hash = tap.hash('account', 'ada@lockout.test')$$,
    $$VALUES (5, interval '1 second')$$, 'what is refused is not counted: the delay is a second');
SELECT results_eq(
    $$
        SELECT u.failed_login_attempts, u.locked_until + interval '1 hour' = a.locked_until
        FROM auth.users AS u
        JOIN auth.login_attempts AS a ON a.subject_hash = tap.hash('account', u.email)
        WHERE u.email = 'ada@lockout.test'
    $$, $$VALUES (5, true)$$, 'the user''s row shows it');
SELECT is_empty(
    $$SELECT FROM auth.login_attempts AS a WHERE to_jsonb(a)::text LIKE '%lockout.test%'$$,
    'of the addresses only hashes are kept');

-- Each later failure doubles the delay, up to the limit.
CREATE TABLE tap.delays (failures integer, seconds integer);
GRANT ALL ON tap.delays TO PUBLIC;
DO $delays$
DECLARE
    before integer;
BEGIN
    FOREACH before IN ARRAY ARRAY[4, 5, 6, 9, 13, 14, 30, 98] LOOP
        CALL tap.set_failures('ada', before);
        PERFORM tap.login('ada');
        INSERT INTO tap.delays VALUES (before + 1, extract(epoch FROM tap.delay('ada')));
    END LOOP;
END
$delays$;
SELECT results_eq(
    'SELECT failures, seconds FROM tap.delays ORDER BY failures',
    $$VALUES (5, 1), (6, 2), (7, 4), (10, 32), (14, 512), (15, 900), (31, 900), (99, 900)$$,
    'a second after five failures, twice as long after each more, fifteen minutes at most');
SET LOCAL codeverify.login_delay_max = '10s';
CALL tap.set_failures('ada', 30);
SELECT is(tap.login('ada'), 'invalid_credentials', 'a lock whose time has passed locks nobody');
SELECT is(tap.delay('ada'), interval '10 seconds', 'the longest delay is a setting');
RESET codeverify.login_delay_max;
CALL tap.act();
SELECT throws_ok($$SET LOCAL codeverify.login_delay_max = '1s'$$, '42501', NULL, 'of the superuser''s');
SELECT throws_ok($$SET LOCAL codeverify.own_transactions = off$$, '42501', NULL, 'as is what a rollback forgets');
RESET SESSION AUTHORIZATION;
SELECT throws_ok($$SET LOCAL codeverify.login_delay_max = 0$$, '22023', NULL, 'without a delay there is no lockout');

-- A success.
CALL tap.set_failures('ada', 50);
SELECT is(tap.login('ada', 'correct horse'), 'ok', 'after any number of failures the right password is right');
SELECT results_eq(
    $$SELECT failures, locked_until FROM auth.login_attempts WHERE subject_hash = tap.hash('account', 'ada@lockout.test')$$,
    $$VALUES (0, NULL::timestamptz)$$, 'and forgets them');
SELECT results_eq(
    $$SELECT failed_login_attempts, locked_until FROM auth.users WHERE email = 'ada@lockout.test'$$,
    $$VALUES (0, NULL::timestamptz)$$, 'in the user''s row too');

-- A hundred.
CALL tap.set_failures('ada', 99);
SELECT is(tap.login('ada'), 'invalid_credentials', 'the hundredth is heard');
SELECT is(
    auth.login('ada@lockout.test', 'correct horse'), '{"status": "locked", "retry_at": null}', 'none after it is, at any time');
SELECT is(
    (SELECT locked_until FROM auth.users WHERE email = 'ada@lockout.test'), '9999-01-01 00:00:00+00',
    'the row has a date that every driver can read');

-- Who lifts a lock.
CALL tap.act(login => 'tap_tenant');
SELECT throws_ok('SELECT auth.unlock_user(NULL)', '42501', NULL, 'tap_tenant does not');
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok('SELECT auth.unlock_user(NULL)', '42501', NULL, 'tap_ingest does not');
CALL tap.act(login => 'tap_auditor');
SELECT throws_ok('SELECT auth.unlock_user(NULL)', '42501', NULL, 'tap_auditor does not');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok('SELECT auth.unlock_user(NULL)', '42501', NULL, 'tap_nobody does not');
CALL tap.act(login => 'tap_admin');
SELECT is(auth.unlock_user(user_id), '{"status": "ok"}', 'an administrator of the server does') FROM tap.users WHERE name = 'ada';
SELECT is(auth.unlock_user(user_id), '{"status": "ok"}', 'also of an account that is not locked') FROM tap.users WHERE name = 'ada';
SELECT is(auth.unlock_user(u), '{"status": "unknown_user"}', 'not of one that does not exist')
FROM unnest(ARRAY[NULL, tap.id('no user')]) AS u;
CALL tap.act(login => 'tap_service');
SELECT is(tap.login('ada', 'correct horse'), 'ok', 'after that the next attempt is heard');
SELECT is(auth.unlock_user(user_id), '{"status": "ok"}', 'the service lifts locks too') FROM tap.users WHERE name = 'ada';
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT DISTINCT e.action, e.resource_id, l.status
        FROM audits.audit_log AS e
        JOIN auth.audit_logs AS l ON l.action = e.action AND l.resource = e.resource_id::text
        WHERE e.action = 'user.unlocked'
    $$,
    $$SELECT 'user.unlocked', user_id, 'success' FROM tap.users WHERE name = 'ada'$$, 'which is told');


-- Addresses that attempts come from.
CALL tap.act(login => 'tap_service');
SELECT results_eq(
    $$SELECT tap.login('stranger ' || n, 'wrong', '192.0.2.1') FROM generate_series(1, 20) AS n$$,
    $$SELECT unnest(array_fill('invalid_credentials'::text, ARRAY[20]))$$, 'twenty failures are an address''s');
RESET SESSION AUTHORIZATION;
CALL tap.hold_locks();
CALL tap.act(login => 'tap_service');
SELECT is(tap.login('stranger 21', 'wrong', '192.0.2.1'), 'locked', 'then it waits');
SELECT is(tap.login('ben', 'correct horse', '192.0.2.1'), 'locked', 'whatever the account');
SELECT is(tap.login('ben', 'correct horse', '192.0.2.2'), 'ok', 'and not those of another');
SELECT is(tap.login('ben', 'correct horse', 'nonsense'), 'ok', 'what is no address is none');
SELECT results_eq(
    $$SELECT tap.login('other ' || n, 'wrong', '2001:db8:1:1::' || n) FROM generate_series(1, 20) AS n$$,
    $$SELECT unnest(array_fill('invalid_credentials'::text, ARRAY[20]))$$, 'as many are a network''s');
RESET SESSION AUTHORIZATION;
CALL tap.hold_locks();
CALL tap.act(login => 'tap_service');
SELECT is(tap.login('other 21', 'wrong', '2001:db8:1:1::21'), 'locked', 'a network of IPv6 is one address');
SELECT is(tap.login('ben', 'correct horse', '2001:db8:1:2::1'), 'ok', 'the next network is another');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT failures FROM auth.login_attempts WHERE subject_hash = tap.hash('ip_address', '192.0.2.2')), 0,
    'a success takes back its own attempt');
UPDATE auth.login_attempts
SET last_failed_at = now() - interval '1 hour', locked_until = now() - interval '1 second'
WHERE subject_hash = tap.hash('ip_address', '192.0.2.1');
CALL tap.act(login => 'tap_service');
SELECT is(tap.login('ben', 'wrong', '192.0.2.1'), 'invalid_credentials', 'an hour later an address may try again');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT failures, locked_until FROM auth.login_attempts WHERE subject_hash = tap.hash('ip_address', '192.0.2.1')$$,
    $$VALUES (1, NULL::timestamptz)$$, 'as if nothing had been');
CALL tap.act();
SELECT results_eq(
    $$SELECT DISTINCT tap.login('yet another ' || n, 'wrong', '198.51.100.1') FROM generate_series(1, 25) AS n$$,
    ARRAY['invalid_credentials'], 'a tenant does not say where it comes from: its word counts against nobody');
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$SELECT FROM auth.login_attempts WHERE subject_hash = tap.hash('ip_address', '198.51.100.1')$$, 'nor is it kept');

-- Whose account it is is known, and what is about nobody's does not stay.
SELECT results_eq(
    $$
        SELECT n.name, a.user_id
        FROM unnest(ARRAY['ada', 'nobody']) AS n (name)
        JOIN auth.login_attempts AS a ON a.subject_hash = tap.hash('account', n.name || '@lockout.test')
        ORDER BY n.name
    $$,
    $$VALUES ('ada', (SELECT u.user_id FROM tap.users AS u WHERE u.name = 'ada')), ('nobody', NULL)$$,
    'an account is its user''s');
INSERT INTO auth.login_attempts (subject_hash, kind, failures, last_failed_at, locked_until, user_id)
SELECT tap.hash('account', r.name), 'account', r.failures, now() - r.age, r.locked_until, u.user_id
FROM (VALUES ('aged: nobody', 7, interval '31 days', NULL::timestamptz, NULL),
             ('aged: nobody, locked', 100, interval '31 days', '9999-01-01 00:00+00', NULL),
             ('aged: few', 4, interval '31 days', NULL, 'ada'),
             ('recent: nobody', 7, interval '29 days', NULL, NULL),
             ('kept: a user', 5, interval '400 days', NULL, 'ada'),
             ('kept: a user, locked', 100, interval '400 days', '9999-01-01 00:00+00', 'ada'))
     AS r (name, failures, age, locked_until, owner)
LEFT JOIN tap.users AS u ON u.name = r.owner;
INSERT INTO auth.login_attempts (subject_hash, kind, failures, last_failed_at, user_id)
VALUES (tap.hash('account', 'aged: a user who is gone'), 'account', 7, now() - interval '31 days', gen_random_uuid());
UPDATE auth.login_attempts
SET locked_until = '9999-01-01 00:00+00'
WHERE subject_hash = tap.hash('account', 'nobody@lockout.test');
CREATE FUNCTION tap.kept()
RETURNS text[]
LANGUAGE sql
AS $function$
    SELECT array_agg(n.name ORDER BY n.name)
    FROM unnest(ARRAY[
        'aged: a user who is gone', 'aged: few', 'aged: nobody', 'aged: nobody, locked', 'kept: a user', 'kept: a user, locked',
        'recent: nobody']) AS n (name)
    JOIN auth.login_attempts AS a ON a.subject_hash = tap.hash('account', n.name)
$function$;
DO $do$
BEGIN
    -- One attempt in 64 clears up.
    FOR attempt IN 1..3000 LOOP
        PERFORM tap.login('nobody');
        EXIT WHEN cardinality(tap.kept()) < 7;
    END LOOP;
END
$do$;
SELECT is(
    tap.kept(), ARRAY['kept: a user', 'kept: a user, locked', 'recent: nobody'], 'only what is known of users'' accounts is kept for ever');

-- An account that is taken after it was attacked: it becomes its user's at the next attempt, heard or not.
UPDATE auth.login_attempts SET user_id = NULL, locked_until = '9999-01-01 00:00+00'
WHERE subject_hash = tap.hash('account', 'ada@lockout.test');
SELECT is(tap.login('ada', 'correct horse'), 'locked', 'an attempt that is refused');
SELECT is(
    (SELECT a.user_id FROM auth.login_attempts AS a WHERE a.subject_hash = tap.hash('account', 'ada@lockout.test')),
    (SELECT u.user_id FROM tap.users AS u WHERE u.name = 'ada'), 'notes whose account it is');

-- What is kept is for functions only.
CALL tap.act(login => 'tap_tenant');
SELECT throws_ok('SELECT FROM auth.login_attempts', '42501', NULL, 'tap_tenant reads no counts');
CALL tap.act(login => 'tap_service');
SELECT throws_ok('SELECT FROM auth.login_attempts', '42501', NULL, 'tap_service reads no counts');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok('SELECT FROM auth.login_attempts', '42501', NULL, 'tap_admin reads no counts');
CALL tap.act(login => 'tap_auditor');
SELECT throws_ok('SELECT FROM auth.login_attempts', '42501', NULL, 'tap_auditor reads no counts');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
ROLLBACK;
