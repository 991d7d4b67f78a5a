-- What is kept by time is partitioned by UTC month or day, and takes rows of any date.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CREATE TABLE tap.partitioned (target text, key text, period text, behind int, ahead int);
INSERT INTO tap.partitioned
VALUES ('audits.audit_log', 'ts', 'month', 1, 3),
       ('telemetry.code_events', '"timestamp"', 'month', 1, 3),
       ('providers.usage_tracking', 'date', 'month', 1, 3),
       ('integrations.webhook_deliveries', 'delivered_at', 'month', 1, 3),
       ('observability.logs', 'ts', 'day', 1, 14);

SELECT set_eq(
    $$
        SELECT p.partrelid::regclass::text
        FROM pg_partitioned_table AS p
        JOIN pg_class AS c ON c.oid = p.partrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner' AND NOT c.relispartition
    $$,
    'SELECT target FROM tap.partitioned',
    'the partitioned tables are those listed here');
SELECT is(
    (SELECT format('RANGE (%s)', p.key)), pg_get_partkeydef(p.target::regclass), format('%s is partitioned by %s', p.target, p.key))
FROM tap.partitioned AS p;
SELECT isnt(
    (SELECT t.partdefid FROM pg_partitioned_table AS t WHERE t.partrelid = p.target::regclass), 0::oid, format('%s has a default', p.target))
FROM tap.partitioned AS p;

CREATE VIEW tap.partition AS
SELECT p.*, c.oid::regclass AS name, c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound
FROM tap.partitioned AS p
JOIN pg_inherits AS i ON i.inhparent = p.target::regclass
JOIN pg_class AS c ON c.oid = i.inhrelid;

-- A database that was deployed some days ago has fewer ahead; it never has a gap around today.
SELECT is(
    (SELECT count(*) FROM tap.partition AS n
     WHERE n.target = p.target
       AND right(n.relname, CASE p.period WHEN 'day' THEN 10 ELSE 7 END)
           = to_char(now() AT TIME ZONE 'UTC', CASE p.period WHEN 'day' THEN 'YYYY_MM_DD' ELSE 'YYYY_MM' END)),
    1::bigint, format('%s has a partition for now', p.target))
FROM tap.partitioned AS p;

-- Bounds are midnights in UTC, whatever the session's zone was when they were made.
SET LOCAL TimeZone = 'UTC';
SELECT is_empty(
    $$
        SELECT p.name, p.bound
        FROM tap.partition AS p
        WHERE p.bound <> 'DEFAULT'
          AND p.bound !~ '^FOR VALUES FROM \(''[0-9-]{10}( 00:00:00\+00)?''\) TO \(''[0-9-]{10}( 00:00:00\+00)?''\)$'
    $$,
    'bounds are whole days in UTC');
SELECT is_empty(
    $$
        SELECT p.name, p.bound
        FROM tap.partition AS p
        CROSS JOIN LATERAL regexp_match(p.bound, 'FROM \(''(\d+-\d+-\d+)[^)]*\) TO \(''(\d+-\d+-\d+)') AS b (days)
        WHERE p.bound <> 'DEFAULT'
          AND (b.days[1]::date + ('1 ' || p.period)::interval)::date <> b.days[2]::date
    $$,
    'a partition spans one day or one month');
SELECT is_empty(
    $$
        SELECT p.name, p.bound
        FROM tap.partition AS p
        CROSS JOIN LATERAL regexp_match(p.bound, 'FROM \(''(\d+)-(\d+)-(\d+)') AS b (days)
        WHERE p.bound <> 'DEFAULT'
          AND p.relname NOT LIKE '%' || array_to_string(b.days[:CASE p.period WHEN 'day' THEN 3 ELSE 2 END], '\_')
    $$,
    'and is named after it');

-- A row of any date is taken: tenant_rows.sql has put one of 1999 and one of now into each, but for the ledger,
-- which sets the time of its entries itself.
SELECT cmp_ok(
    (SELECT (xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s_default WHERE org_id = tap.id(''a'')', p.target), false, true, '')))[1]::text::int),
    '>=', 1, format('%s_default took a row of 1999', p.target))
FROM tap.partitioned AS p
WHERE p.target <> 'audits.audit_log';
SELECT lives_ok(
    $$INSERT INTO observability.logs (org_id, ts, message)
      SELECT tap.id('a'), t.ts, 'far' FROM unnest('{infinity,-infinity,0001-01-01 BC,294276-12-31,4713-01-01 BC}'::timestamptz[]) AS t (ts)$$,
    'the ends of time are taken too');
SELECT is((SELECT count(*) FROM observability.logs_default WHERE message = 'far'), 5::bigint, 'by the default');

-- Around a midnight in UTC.
SELECT is(
    (SELECT array_agg(right(l.tableoid::regclass::text, 10) ORDER BY l.ts)
     FROM observability.logs AS l
     WHERE l.message = 'midnight'),
    NULL, 'there is nothing yet');
SET LOCAL TimeZone = 'Asia/Kathmandu';
INSERT INTO observability.logs (org_id, ts, message)
SELECT tap.id('a'), date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + d.shift, 'midnight'
FROM unnest('{-1 microsecond,0,1 day -1 microsecond}'::interval[]) AS d (shift);
SELECT is(
    (SELECT array_agg(right(l.tableoid::regclass::text, 10) ORDER BY l.ts) FROM observability.logs AS l WHERE l.message = 'midnight'),
    ARRAY[
        to_char(now() AT TIME ZONE 'UTC' - interval '1 day', 'YYYY_MM_DD'),
        to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM_DD'),
        to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM_DD')],
    'a day begins at midnight in UTC and ends before the next');

-- codeverify.create_partitions(), in sessions of odd zones and date styles.
CREATE TABLE tap.by_day (at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE tap.by_month (at date NOT NULL) PARTITION BY RANGE (at);
SET LOCAL TimeZone = 'Pacific/Kiritimati';
SET LOCAL DateStyle = 'SQL, DMY';
SELECT is(codeverify.create_partitions('tap.by_day', 'day', 2, 3), 6, 'six days are made');
SELECT is(codeverify.create_partitions('tap.by_month', 'month', 0, 12), 13, 'thirteen months are made');
SET LOCAL TimeZone = 'America/St_Johns';
SET LOCAL DateStyle = 'German';
SELECT is(codeverify.create_partitions('tap.by_day', 'day', 2, 4), 1, 'only what is missing is made');
SELECT is(codeverify.create_partitions('tap.by_day', 'day', 2, 4), 0, 'and nothing when nothing is');
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';
SELECT results_eq(
    $$
        SELECT c.relname::text COLLATE "C", pg_get_expr(c.relpartbound, c.oid) COLLATE "C"
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'tap.by_day'::regclass
        ORDER BY 1
    $$,
    $$
        SELECT to_char(d.day, '"by_day_"YYYY_MM_DD') COLLATE "C",
               format('FOR VALUES FROM (%L) TO (%L)', to_char(d.day, 'YYYY-MM-DD 00:00:00+00'), to_char(d.day + interval '1 day', 'YYYY-MM-DD 00:00:00+00')) COLLATE "C"
        FROM generate_series(
            date_trunc('day', now() AT TIME ZONE 'UTC') - interval '2 days',
            date_trunc('day', now() AT TIME ZONE 'UTC') + interval '4 days',
            interval '1 day') AS d (day)
        ORDER BY 1
    $$,
    'bounds are midnights in UTC all the same');
SELECT is(
    (SELECT min(pg_get_expr(c.relpartbound, c.oid)) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'tap.by_month'::regclass),
    format(
        'FOR VALUES FROM (%L) TO (%L)',
        to_char(date_trunc('month', now() AT TIME ZONE 'UTC'), 'YYYY-MM-DD'),
        to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY-MM-DD')),
    'months of a date begin on the first');
SELECT throws_ok($$SELECT codeverify.create_partitions('tap.by_day', 'year', 0, 1)$$, '22023', NULL, 'there are days, weeks and months only');
SELECT throws_ok($$SELECT codeverify.create_partitions('tap.by_day', 'day; DROP TABLE x', 0, 1)$$, '22023', NULL, 'whatever else is said');
SELECT throws_ok($$SELECT codeverify.create_partitions('auth.users', 'day', 0, 1)$$, '42809', NULL, 'the table must be partitioned');

-- New partitions of our tables are isolated like the others.
SELECT codeverify.create_partitions('observability.logs', 'day', 1, 20) \g /dev/null
SELECT is_empty(
    $$
        SELECT table_name
        FROM tenancy.coverage
        WHERE is_partition
          AND (NOT row_security OR NOT forced OR NOT restrictive_policy OR direct_partition_grants)
          AND schema_name <> 'tap'
    $$,
    'a partition that is made later is isolated like the others');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    format('SELECT * FROM observability.logs_%s', to_char(now() AT TIME ZONE 'UTC' + interval '20 days', 'YYYY_MM_DD')), '42501', NULL,
    'and is closed to tenants');

SELECT * FROM finish();
ROLLBACK;
