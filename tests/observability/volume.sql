-- How many lines there are, by bucket and level.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
DELETE FROM codeverify.packed_segments;

DELETE FROM observability.logs;
INSERT INTO observability.logs (org_id, ts, level, message)
VALUES (tap.id('a'), '2026-01-31 09:59:59.999999+00', 'info', 'before'),
       (tap.id('a'), '2026-01-31 10:00+00', 'info', '1'),
       (tap.id('a'), '2026-01-31 10:14:59.999999+00', 'fatal', '2'),
       (tap.id('a'), '2026-01-31 10:14+00', 'trace', '3'),
       (tap.id('a'), '2026-01-31 10:14+00', 'info', '4'),
       (tap.id('a'), '2026-01-31 10:45+00', 'warn', '5'),
       (tap.id('a'), '2026-01-31 11:00+00', 'error', 'after'),
       (tap.id('b'), '2026-01-31 10:20+00', 'error', 'of b');

CALL tap.act('viewer', 'a');
-- A day is 23 hours long here some day.
SET LOCAL timezone = 'America/New_York';
SELECT results_eq(
    $$SELECT * FROM observability.log_volume('2026-01-31 10:00+00', '2026-01-31 11:00+00', '15 minutes')$$,
    $$
        VALUES ('2026-01-31 10:00+00'::timestamptz, 'trace', 1::bigint),
               ('2026-01-31 10:00+00', 'info', 2),
               ('2026-01-31 10:00+00', 'fatal', 1),
               ('2026-01-31 10:15+00', NULL, 0),
               ('2026-01-31 10:30+00', NULL, 0),
               ('2026-01-31 10:45+00', 'warn', 1)
    $$,
    'each bucket has a row for each level it has lines of, or one that says there are none');
SELECT results_eq(
    $$SELECT * FROM observability.log_volume('2026-01-31 10:14+00', '2026-01-31 10:46+00', '15 minutes')$$,
    $$
        VALUES ('2026-01-31 10:00+00'::timestamptz, 'trace', 1::bigint),
               ('2026-01-31 10:00+00', 'info', 1),
               ('2026-01-31 10:00+00', 'fatal', 1),
               ('2026-01-31 10:15+00', NULL, 0),
               ('2026-01-31 10:30+00', NULL, 0),
               ('2026-01-31 10:45+00', 'warn', 1)
    $$,
    'of the first and last bucket what is between the times');
SELECT results_eq(
    $$SELECT bucket, sum(lines) FROM observability.log_volume('2026-01-30 00:00+00', '2026-02-02 00:00+00', '1 day') GROUP BY 1 ORDER BY 1$$,
    $$
        VALUES ('2026-01-30 00:00+00'::timestamptz, 0::numeric),
               ('2026-01-31 00:00+00', 7),
               ('2026-02-01 00:00+00', 0)
    $$,
    'days are those of UTC');
SELECT is(
    (SELECT count(*) FROM observability.log_volume('2026-03-01 00:00+00', '2026-04-01 00:00+00', '1 day')), 31::bigint,
    'also where the clocks of the client change');
SELECT results_eq(
    $$SELECT bucket, sum(lines) FROM observability.log_volume('2026-01-31 00:00+00', '2026-02-03 00:00+00', '7 days') GROUP BY 1 ORDER BY 1$$,
    $$VALUES ('2026-01-26 00:00+00'::timestamptz, 7::numeric), ('2026-02-02 00:00+00', 0)$$,
    'weeks begin on a Monday');
RESET timezone;
SELECT is_empty(
    $$SELECT * FROM observability.log_volume('2026-01-31 10:00+00', '2026-01-31 10:00+00', '1 hour')$$, 'no time has no buckets');
SELECT is_empty(
    $$SELECT * FROM observability.log_volume('2026-02-01', '2026-01-31', '1 hour')$$, 'nor has less');
SELECT is(
    (SELECT count(*) FROM observability.log_volume('2026-01-31 00:00:00+00', '2026-01-31 02:46:40+00', '1 second')), 10000::bigint,
    'there may be 10,000 buckets');
SELECT throws_ok(
    format('SELECT observability.log_volume(%s)', c.arguments), 'VC102', 'log lines cannot be counted so: ' || c.problem, c.arguments)
FROM (VALUES
    ($$'2026-01-31 00:00:00+00', '2026-01-31 02:46:40.000001+00', '1 second'$$, 'that would be more than 10000 buckets'),
    ($$'4700-01-01 BC', '294000-01-01', '1 microsecond'$$, 'that would be more than 10000 buckets'),
    ($$'2026-01-31', '2026-02-01', '0'$$, 'a bucket must be longer than nothing'),
    ($$'2026-01-31', '2026-02-01', '-1 hour'$$, 'a bucket must be longer than nothing'),
    ($$'2026-01-31', '2026-02-01', NULL$$, 'a bucket must be longer than nothing'),
    ($$'2026-01-31', '2026-02-01', '1 month'$$, 'a bucket has no months and years'),
    ($$'2026-01-31', '2026-02-01', '1 year'$$, 'a bucket has no months and years'),
    ($$'2026-01-31', '2026-02-01', '1 month -30 days 1 hour'$$, 'a bucket has no months and years'),
    ($$NULL, '2026-02-01', '1 hour'$$, 'since and until must be times'),
    ($$'2026-02-01', NULL, '1 hour'$$, 'since and until must be times'),
    ($$'-infinity', '2026-02-01', '1 hour'$$, 'since and until must be times'),
    ($$'2026-02-01', 'infinity', '1 hour'$$, 'since and until must be times')) AS c (arguments, problem);

-- Other organizations.
CALL tap.act('viewer', 'b');
SELECT results_eq(
    $$SELECT level, lines FROM observability.log_volume('2026-01-31 00:00+00', '2026-02-01 00:00+00', '1 day')$$,
    $$VALUES ('error', 1::bigint)$$,
    'each organization counts its own');
CALL tap.act();
SELECT throws_ok(
    $$SELECT observability.log_volume('2026-01-31', '2026-02-01', '1 day')$$, 'VC011', NULL, 'nobody counts without a context');
CALL tap.act('owner', 'a', 'tap_admin');
SELECT throws_ok(
    $$SELECT observability.log_volume('2026-01-31', '2026-02-01', '1 day')$$, '42501', NULL, 'nor as an administrator');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT observability.count_logs(tap.id('b'), '2026-01-31', '2026-02-01', '1 day')$$, '42501', NULL,
    'nor past the check of the context');

SELECT * FROM finish();
ROLLBACK;
