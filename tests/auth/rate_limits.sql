-- auth.check_rate_limit(): whose keys, what is allowed, what is refused. Sessions at once, restarts and crashes are in
-- tests/operations/rate_limits.py.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
-- What a session counts must outlive rollbacks here too.
SET LOCAL codeverify.own_transactions = on;

INSERT INTO auth.api_keys (id, org_id, name, key_hash)
SELECT tap.id(k.name), tap.id(right(k.name, 1)), k.name, encode(sha256(k.name::bytea), 'hex')
FROM unnest(ARRAY['first of a', 'second of a', 'third of a', 'first of b']) AS k (name);

-- Enough of the minute for what follows.
DO $wait$
BEGIN
    IF extract(second FROM clock_timestamp()) > 50 THEN
        PERFORM pg_sleep(60.1 - extract(second FROM clock_timestamp()));
    END IF;
END
$wait$;

-- Counting.
CALL tap.act('viewer', 'a');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of a'), 5)$$, 'VALUES (true, 4)', 'a use is one');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of a'), 5, 3)$$, 'VALUES (true, 1)', 'or what it costs');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of a'), 5, 2)$$, 'VALUES (false, 1)', 'too much takes nothing');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of a'), 5)$$, 'VALUES (true, 0)', 'the last');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of a'), 5)$$, 'VALUES (false, 0)', 'one more');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of a'), 3)$$, 'VALUES (false, 0)', 'a limit that is lowered');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of a'), 7)$$, 'VALUES (true, 1)', 'one that is raised');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('second of a'), 5)$$, 'VALUES (true, 4)', 'each key by itself');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('second of a'), 0)$$, 'VALUES (false, 0)', 'a limit of none');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('second of a'), 2147483647, 2147483647)$$,
    'VALUES (false, 2147483646)', 'no number is too large');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('second of a'), 2147483647, 2147483646)$$,
    'VALUES (true, 0)', 'the largest that fits');
SELECT is(
    (SELECT reset_at FROM auth.check_rate_limit(tap.id('first of a'), 5)),
    date_trunc('minute', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '1 minute',
    'counting begins anew at the next minute');
SET LOCAL TimeZone = 'Asia/Kathmandu';
SELECT is(
    (SELECT extract(second FROM reset_at AT TIME ZONE 'UTC') FROM auth.check_rate_limit(tap.id('first of a'), 5)), 0::numeric,
    'of the clock, wherever the session is');

-- What does not end a count.
SAVEPOINT before_uses;
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('third of a'), 5, 2)$$, 'VALUES (true, 3)', 'in a subtransaction');
ROLLBACK TO before_uses;
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('third of a'), 5)$$, 'VALUES (true, 2)', 'it outlives the rollback');
SELECT throws_ok(
    $$SELECT 1 / (remaining - 1) FROM auth.check_rate_limit(tap.id('third of a'), 5)$$, '22012', NULL, 'an error after a use');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('third of a'), 5)$$, 'VALUES (true, 0)', 'leaves it counted');

-- As a value of a query, for each of its rows.
SELECT results_eq(
    $$
        SELECT (auth.check_rate_limit(tap.id('second of a'), 2147483647)).allowed
        FROM generate_series(1, 2)
    $$,
    'VALUES (false), (false)', 'in a list of values');
SELECT results_eq(
    $$SELECT r.allowed FROM auth.api_keys AS k, auth.check_rate_limit(k.id, 0) AS r$$,
    'VALUES (false), (false), (false)', 'and of a join');

-- Whose keys.
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of b'), 5)$$, 'VALUES (false, 0)',
    'a key of another organization');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('none'), 5)$$, 'VALUES (false, 0)', 'looks like none');
CALL tap.act('owner', 'b');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of b'), 5)$$, 'VALUES (true, 4)', 'and was not counted');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of a'), 100)$$, 'VALUES (false, 0)',
    'nor is it shown what others have counted');
CALL tap.act();
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of b'), 5)$$, 'VALUES (false, 0)',
    'nobody''s key without a context');
CALL tap.act(login => 'tap_ingest');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of b'), 5)$$, 'VALUES (false, 0)', 'an ingester''s too');
CALL tap.act(login => 'tap_service');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of b'), 5)$$, 'VALUES (true, 3)',
    'but the service may ask for any');
CALL tap.act('owner', 'a', 'tap_service');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('first of b'), 5)$$, 'VALUES (false, 0)',
    'unless it acts for a tenant');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok($$SELECT FROM auth.check_rate_limit(tap.id('first of b'), 5)$$, '42501', NULL, 'nobody else asks');

-- A key that is gone.
RESET SESSION AUTHORIZATION;
DELETE FROM auth.api_keys WHERE id = tap.id('second of a');
INSERT INTO auth.api_keys (id, org_id, name, key_hash)
VALUES (tap.id('gone'), tap.id('a'), 'gone', encode(sha256('gone'), 'hex'));
DELETE FROM auth.api_keys WHERE id = tap.id('gone');
CALL tap.act('viewer', 'a');
SELECT results_eq(
    $$SELECT allowed, remaining FROM auth.check_rate_limit(tap.id('gone'), 5)$$, 'VALUES (false, 0)', 'a key that was deleted');

-- What makes no sense.
SELECT throws_ok(format('SELECT FROM auth.check_rate_limit(%s)', a.arguments), 'VC027', NULL, a.arguments)
FROM unnest(ARRAY[
    'NULL, 5', 'tap.id(''first of a''), NULL', 'tap.id(''first of a''), 5, NULL', 'tap.id(''first of a''), -1',
    'tap.id(''first of a''), 5, 0', 'tap.id(''first of a''), 5, -1']) AS a (arguments);

-- The function as the planner sees it.
SELECT results_eq(
    $$SELECT p.provolatile, p.proparallel, p.prorows FROM pg_proc AS p WHERE p.proname = 'check_rate_limit'$$,
    $$VALUES ('v'::"char", 'u'::"char", 1::real)$$, 'it is never folded, moved to a worker, or expected to return many rows');

SELECT * FROM finish();
ROLLBACK;
