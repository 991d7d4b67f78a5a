-- Retention: partitions that are past it leave, oldest first, one a step; nothing else does.
\ir ../month_goes_on.sql
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

-- The cutoff, by days, weeks and months in UTC.
SET LOCAL TimeZone = 'America/New_York';
SET LOCAL DateStyle = 'SQL, DMY';
CREATE FUNCTION tap.cutoff(clock text, period text, retention interval)
RETURNS text
LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM set_config('codeverify.clock', clock, true);
    RETURN to_char(codeverify.find_retention_cutoff(period, retention) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US');
END
$function$;
SELECT is(tap.cutoff(c.clock, c.period, c.retention::interval), c.cutoff || ' 00:00:00.000000', format('%s, %s, at %s', c.period, c.retention, c.clock))
FROM (VALUES
    ('2026-03-11 00:00:00+00', 'day', '90 days', '2025-12-11'),
    ('2026-03-10 23:59:59.999999+00', 'day', '90 days', '2025-12-10'),
    -- The end of January and a month are the last of February; of a leap year, another.
    ('2026-02-28 00:00:00+00', 'day', '1 month', '2026-01-31'),
    ('2026-02-27 23:59:59.999999+00', 'day', '1 month', '2026-01-27'),
    ('2024-02-29 00:00:00+00', 'day', '1 month', '2024-01-31'),
    ('2024-02-28 00:00:00+00', 'day', '1 month', '2024-01-28'),
    ('2026-03-30 00:00:00+00', 'day', '1 month', '2026-02-28'),
    ('2026-03-01 00:00:00+00', 'month', '24 months', '2024-03-01'),
    ('2026-02-28 23:59:59.999999+00', 'month', '24 months', '2024-02-01'),
    ('2026-03-31 12:00:00+00', 'month', '1 hour', '2026-03-01'),
    ('2026-01-07 12:00:00+00', 'week', '7 days', '2025-12-29'),
    -- A day of 23 hours in New York is one of 24 here.
    ('2026-03-09 03:59:59+00', 'day', '24 hours', '2026-03-08'),
    ('2026-03-09 03:59:59+00', 'day', '1 day', '2026-03-08')
) AS c (clock, period, retention, cutoff);
SELECT is(codeverify.find_retention_cutoff('day', NULL), '-infinity', 'without retention nothing is past it');
SELECT is(codeverify.find_retention_cutoff('day', '100000 years'), '-infinity', 'nor when it is longer than time');

-- Sets of a table with four months and rows in each, one row on each edge.
CREATE PROCEDURE tap.make_set(retention interval, action text, compress_after interval DEFAULT NULL)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    month timestamptz;
    relation regclass;
BEGIN
    SET LOCAL TimeZone = 'UTC';
    SET LOCAL DateStyle = 'ISO';
    DROP TABLE IF EXISTS observability.tap_lines;
    DELETE FROM codeverify.partition_sets WHERE parent NOT IN (SELECT oid FROM pg_class);
    CREATE TABLE observability.tap_lines (id bigserial, org_id uuid, ts timestamptz NOT NULL) PARTITION BY RANGE (ts);
    CREATE TABLE observability.tap_lines_default PARTITION OF observability.tap_lines DEFAULT;
    FOR month IN SELECT generate_series('2026-01-01 00:00+00'::timestamptz, '2026-04-01 00:00+00', '1 month') LOOP
        EXECUTE format(
            'CREATE TABLE observability.tap_lines_%s PARTITION OF observability.tap_lines FOR VALUES FROM (%L) TO (%L)',
            to_char(month, 'YYYY_MM'), month, month + '1 month'::interval);
    END LOOP;
    PERFORM tenancy.isolate('observability.tap_lines');
    FOR relation IN SELECT relid FROM pg_partition_tree('observability.tap_lines') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO codeverify_owner', relation);
    END LOOP;
    INSERT INTO observability.tap_lines (org_id, ts)
    SELECT tap.id('a'), b.edge + d.shift
    FROM generate_series('2026-01-01 00:00+00'::timestamptz, '2026-05-01 00:00+00', '1 month') AS b (edge)
    CROSS JOIN unnest('{-1 microsecond,0}'::interval[]) AS d (shift);
    INSERT INTO codeverify.partition_sets (parent, period, premake, retention, action, compress_after)
    VALUES ('observability.tap_lines', 'month', 1, retention, action, compress_after);
END
$procedure$;
CREATE FUNCTION tap.partitions()
RETURNS text
LANGUAGE sql
AS $function$
    SELECT string_agg(right(p.partition::text, 7), ' ' ORDER BY p.upper_bound)
    FROM codeverify.list_set_partitions(to_regclass('observability.tap_lines')) AS p
$function$;
CREATE FUNCTION tap.retire()
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE sql
AS $function$
    SELECT * FROM codeverify.retire_rows('observability.tap_lines')
$function$;

-- Drop.
CALL tap.make_set('1 month', 'drop');
SET LOCAL codeverify.clock = '2026-02-28 23:59:59.999999+00';
SELECT is_empty('SELECT * FROM codeverify.list_retirable_partitions(''observability.tap_lines'')', 'until the interval has passed since its end, a partition stays');
SELECT results_eq(
    'SELECT action, detail, more FROM tap.retire()',
    $$VALUES ('deleted'::text, '1 rows that came too late for their partition', true)$$,
    'but a row of the year before is past it, in the default');
SELECT is_empty('SELECT * FROM tap.retire()', 'and no other');
SELECT is((SELECT count(*) FROM observability.tap_lines), 9::bigint, 'which stay');
SET LOCAL codeverify.clock = '2026-05-15 00:00:00+00';
SELECT is((SELECT array_agg(s::text) FROM codeverify.list_retirable_sets() AS s), ARRAY['observability.tap_lines'], 'the set has something to do');
SELECT results_eq(
    'SELECT action, detail, more FROM tap.retire()',
    $$VALUES ('dropped'::text, 'observability.tap_lines_2026_01, until 2026-02-01 00:00:00+00', true)$$, 'the oldest leaves first');
SELECT is(tap.partitions(), '2026_02 2026_03 2026_04 default', 'alone');
SELECT hasnt_table('observability', 'tap_lines_2026_01', 'and is gone');
SELECT is(
    (SELECT retired_until FROM codeverify.partition_sets WHERE parent = 'observability.tap_lines'::regclass),
    '2026-02-01 00:00+00'::timestamptz, 'it is noted, so that it is not made again');
SELECT is((SELECT count(*) FROM tap.retire()), 1::bigint, 'the next step takes the next');
SELECT is((SELECT count(*) FROM tap.retire()), 1::bigint, 'and the next');
SELECT is_empty('SELECT * FROM tap.retire()', 'until nothing is past it');
SELECT is(tap.partitions(), '2026_04 default', 'what is not past it stays');
INSERT INTO observability.tap_lines (ts)
SELECT '2026-03-31 23:59:59.999999+00'::timestamptz FROM generate_series(1, 3)
UNION ALL SELECT '-infinity' UNION ALL SELECT 'infinity';
SELECT is(codeverify.delete_retired_rows('observability.tap_lines', 3), 3::bigint, 'late rows leave in batches');
SELECT is(codeverify.delete_retired_rows('observability.tap_lines', 3), 1::bigint, 'to the last');
SELECT is(codeverify.delete_retired_rows('observability.tap_lines', 3), 0::bigint, 'which is the last');
SELECT set_eq('SELECT ts FROM observability.tap_lines_default', ARRAY['2026-05-01 00:00+00', 'infinity']::timestamptz[], 'others stay');

-- What is packed goes by the same rule, a period a step.
INSERT INTO codeverify.packed_segments (org_id, relation, period_start, period_end, min_ts, max_ts, row_count, columns, content)
SELECT tap.id(o.name), r.relation, m.month, m.month + interval '1 month', m.month, m.month, 7, '[]', ''
FROM generate_series('2025-11-01 00:00+00'::timestamptz, '2026-05-01 00:00+00', '1 month') AS m (month)
CROSS JOIN unnest('{a,b}'::text[]) AS o (name)
CROSS JOIN unnest('{observability.tap_lines,observability.logs}'::regclass[]) AS r (relation);
SELECT results_eq(
    'SELECT action, detail, more FROM tap.retire()',
    $$VALUES ('deleted'::text, '14 packed rows, until 2025-12-01 00:00:00+00', true)$$, 'packed rows leave by their period');
SELECT is((SELECT count(*) FROM generate_series(1, 10) AS g CROSS JOIN LATERAL codeverify.retire_rows('observability.tap_lines' || left('', g))), 4::bigint, 'one after another');
SELECT is(
    (SELECT min(period_end) FROM codeverify.packed_segments WHERE relation = 'observability.tap_lines'::regclass),
    '2026-05-01 00:00+00'::timestamptz, 'and stay when they are not past retention');
SELECT is((SELECT count(*) FROM codeverify.packed_segments WHERE relation = 'observability.logs'::regclass), 14::bigint, 'those of another table do');

-- Detach: it keeps its rows and its isolation, and is no partition.
CALL tap.make_set('1 month', 'detach');
INSERT INTO codeverify.packed_segments (org_id, relation, period_start, period_end, min_ts, max_ts, row_count, columns, content)
VALUES (tap.id('a'), 'observability.tap_lines', '2025-01-01', '2025-02-01', '2025-01-01', '2025-01-01', 7, '[]', '');
SELECT results_eq(
    'SELECT action, detail, more FROM tap.retire()',
    $$VALUES ('detached'::text, 'observability.tap_lines_2026_01, until 2026-02-01 00:00:00+00', true)$$, 'it leaves');
SELECT is((SELECT count(*) FROM observability.tap_lines_2026_01), 2::bigint, 'with its rows');
SELECT is(tap.partitions(), '2026_02 2026_03 2026_04 default', 'and is no partition any more');
SELECT is(
    (SELECT (c.relrowsecurity, c.relforcerowsecurity, c.relacl IS NULL OR NOT EXISTS (SELECT FROM aclexplode(c.relacl) AS x WHERE x.grantee <> c.relowner))::text
     FROM pg_class AS c WHERE c.oid = 'observability.tap_lines_2026_01'::regclass),
    '(t,t,t)', 'row security holds, and nobody has grants');
SELECT isnt_empty(
    $$SELECT FROM pg_policy AS p WHERE p.polrelid = 'observability.tap_lines_2026_01'::regclass AND tenancy.is_isolating_policy(p.oid, 'org_id')$$,
    'its rows are those of their organizations');
ALTER TABLE observability.tap_lines_2026_02 DISABLE ROW LEVEL SECURITY;
ALTER TABLE observability.tap_lines_2026_02 NO FORCE ROW LEVEL SECURITY;
SELECT isnt_empty('SELECT * FROM tap.retire()', 'the next leaves');
SELECT is(
    (SELECT (c.relrowsecurity, c.relforcerowsecurity)::text FROM pg_class AS c WHERE c.oid = 'observability.tap_lines_2026_02'::regclass),
    '(t,t)', 'with row security, also where the partition itself had none');
SELECT isnt_empty('SELECT * FROM tap.retire()', 'and the third');
SELECT is_empty('SELECT * FROM tap.retire()', 'what is detached is not found again, and nothing is deleted where the rows are to be kept');
SELECT is((SELECT count(*) FROM observability.tap_lines_default), 2::bigint, 'late rows stay');
SELECT is((SELECT count(*) FROM codeverify.packed_segments WHERE relation = 'observability.tap_lines'::regclass AND period_end < '2026-01-01'), 1::bigint, 'packed ones do');
SELECT is(tap.partitions(), '2026_04 default', 'partitions that are not past retention are left');
DROP TABLE observability.tap_lines_2026_01, observability.tap_lines_2026_02, observability.tap_lines_2026_03;

-- Archive: its rows are packed, and it is dropped when it is empty.
CALL tap.make_set('1 month', 'archive');
SELECT results_eq(
    'SELECT action, detail, more FROM tap.retire()',
    $$VALUES ('archived'::text, 'observability.tap_lines_2026_01, until 2026-02-01 00:00:00+00', true)$$, 'its rows are packed');
SELECT is(tap.partitions(), '2026_01 2026_02 2026_03 2026_04 default', 'and it stays, empty');
SELECT results_eq(
    'SELECT action, detail, more FROM tap.retire()',
    $$VALUES ('dropped'::text, 'observability.tap_lines_2026_01, until 2026-02-01 00:00:00+00', true)$$, 'until the next step');
SELECT set_eq(
    $$SELECT (value ->> 'ts')::timestamptz FROM codeverify.read_all_packed('observability.tap_lines') AS value$$,
    ARRAY['2026-01-01 00:00+00', '2026-01-31 23:59:59.999999+00']::timestamptz[], 'they are read with codeverify.read_all_packed()');
SELECT is((SELECT count(*) FROM observability.tap_lines), 8::bigint, 'and from the table no more');
SELECT is((SELECT count(*) FROM generate_series(1, 10) AS g CROSS JOIN LATERAL codeverify.retire_rows('observability.tap_lines' || left('', g))), 4::bigint, 'then the others');
SELECT is(tap.partitions(), '2026_04 default', 'that are past retention');
SELECT is((SELECT count(*) FROM codeverify.read_all_packed('observability.tap_lines')), 6::bigint, 'and nothing of it is deleted later');

-- Without retention nothing leaves.
CALL tap.make_set(NULL, 'drop');
SELECT is_empty('SELECT * FROM tap.retire()', 'without retention there is nothing to do');
SELECT is_empty('SELECT * FROM codeverify.list_retirable_sets()', 'for no set: out of the box rows are kept');

-- Foreign keys: dropping a partition takes no lock on the tables that it refers to.
CALL tap.make_set('1 month', 'drop');
ALTER TABLE observability.tap_lines ADD CONSTRAINT tap_lines_org_id_fkey FOREIGN KEY (org_id) REFERENCES tenancy.organizations (id);
CREATE TEMPORARY TABLE locked_before AS
SELECT l.relation, l.mode FROM pg_locks AS l WHERE l.pid = pg_backend_pid() AND l.relation = 'tenancy.organizations'::regclass;
SELECT isnt_empty('SELECT * FROM tap.retire()', 'a partition with a foreign key leaves');
SELECT is_empty(
    $$SELECT l.mode FROM pg_locks AS l WHERE l.pid = pg_backend_pid() AND l.relation = 'tenancy.organizations'::regclass AND l.mode = 'AccessExclusiveLock'
      EXCEPT SELECT b.mode FROM locked_before AS b$$, 'without a lock on what it refers to');

-- A partition that something depends on fails, and nothing is lost.
CREATE VIEW tap.dependent AS SELECT * FROM observability.tap_lines_2026_02;
SELECT throws_ok('SELECT * FROM tap.retire()', '2BP01', NULL, 'what a view depends on is not dropped');
SELECT is(tap.partitions(), '2026_02 2026_03 2026_04 default', 'and stays where it is');
DROP VIEW tap.dependent;

-- What retire_partition() does not take.
SELECT throws_ok($$SELECT codeverify.retire_partition('observability.tap_lines', 'observability.tap_lines_default', 'drop')$$, 'VC091', NULL, 'a default partition does not leave');
SELECT throws_ok($$SELECT codeverify.retire_partition('observability.tap_lines', 'auth.users', 'drop')$$, 'VC091', NULL, 'nor does another table');
SELECT throws_ok(
    format($$SELECT codeverify.retire_partition('audits.audit_log', %L, 'drop')$$, (SELECT min(p.partition::text) FROM codeverify.list_set_partitions('audits.audit_log') AS p)),
    'VC091', NULL, 'nor does a partition of the ledger');
SELECT is(codeverify.retire_partition('observability.tap_lines', 'observability.tap_lines_2026_03', 'archive'), false, 'with rows that are to be archived it stays');
TRUNCATE observability.tap_lines_2026_03;
SELECT is(codeverify.retire_partition('observability.tap_lines', 'observability.tap_lines_2026_03', 'archive'), true, 'and without leaves');

-- The ledger's entries leave for an archive only.
SELECT throws_ok(
    format($$INSERT INTO codeverify.partition_sets (parent, period, premake, retention, action) VALUES ('audits.audit_log', 'month', 3, '24 months', %L)$$, a.action),
    'VC091', NULL, format('%s is refused for the ledger', a.action))
FROM (VALUES ('drop'), ('detach')) AS a (action);
SELECT throws_ok(
    $$INSERT INTO codeverify.partition_sets (parent, period, premake, action, compress_after) VALUES ('audits.audit_log', 'month', 3, 'archive', '1 month')$$,
    'VC091', NULL, 'and so is packing');
SELECT throws_ok(
    format($$SELECT codeverify.configure_partitions('audits.audit_log', retention => '24 months', action => %L)$$, a.action),
    'VC091', NULL, format('%s cannot be configured for the ledger', a.action))
FROM (VALUES ('drop'), ('detach')) AS a (action);
SELECT lives_ok($$SELECT codeverify.configure_partitions('audits.audit_log', retention => '24 months')$$, 'the ledger is archived by default');
SELECT is((SELECT action FROM codeverify.list_partition_sets() WHERE parent = 'audits.audit_log'::regclass), 'archive', 'archive is not');

CREATE TABLE tap.oldest AS
SELECT p.partition::text AS name, p.upper_bound
FROM codeverify.list_set_partitions('audits.audit_log') AS p
WHERE NOT p.is_default
ORDER BY p.upper_bound
LIMIT 1;
SELECT set_config('codeverify.clock', (SELECT (upper_bound + interval '24 months')::text FROM tap.oldest), true) \g /dev/null
SET LOCAL ROLE codeverify_owner;
SELECT is((SELECT action FROM codeverify.retire_rows('audits.audit_log')), 'archived', 'a month is archived when its time has come');
RESET ROLE;
SELECT is((SELECT max(partition_name) FROM audits.list_archives()), (SELECT split_part(name, '.', 2) FROM tap.oldest), 'as an archive');
SELECT is_empty('SELECT * FROM codeverify.retire_rows(''audits.audit_log'')', 'one month and no other');
-- Entries may still come to the month that it is, whatever the clock of a test says. Others may have passed since the
-- database was made.
SET LOCAL codeverify.clock = '2100-01-01';
SELECT throws_ok('SELECT codeverify.retire_rows(''audits.audit_log'') FROM generate_series(1, 1000)', 'VC058', NULL, 'months that are not over are not archived');

-- A table of somebody else's, in their schema: done with its owner's rights, if codeverify_owner may be them.
CREATE ROLE tap_app;
CREATE SCHEMA tap_app AUTHORIZATION tap_app;
SET LOCAL ROLE tap_app;
CREATE TABLE tap_app.lines (at date NOT NULL, text text) PARTITION BY RANGE (at);
CREATE TABLE tap_app.lines_default PARTITION OF tap_app.lines DEFAULT;
CREATE TABLE tap_app.lines_2026_01 PARTITION OF tap_app.lines FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE tap_app.lines_2026_02 PARTITION OF tap_app.lines FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO tap_app.lines (at) VALUES ('2025-12-31'), ('2026-01-31'), ('2026-02-01');
RESET ROLE;
GRANT tap_app TO codeverify_owner;
SET LOCAL codeverify.clock = '2026-03-01 01:00:00+00';
SET LOCAL ROLE codeverify_owner;
INSERT INTO codeverify.partition_sets (parent, period, premake, retention, action, closed_indexes)
VALUES ('tap_app.lines', 'month', 1, '28 days', 'drop', '{"((lower(text)))"}');
SELECT is((SELECT detail FROM codeverify.retire_rows('tap_app.lines')), 'tap_app.lines_2026_01, until 2026-02-01 00:00:00+00', 'their partitions leave');
SELECT is((SELECT detail FROM codeverify.retire_rows('tap_app.lines')), '1 rows that came too late for their partition', 'and their late rows');
SELECT is_empty($$SELECT * FROM codeverify.retire_rows('tap_app.lines')$$, 'and no more');
SELECT is((SELECT detail FROM codeverify.close_partitions('tap_app.lines')), 'lines_2026_02_text_idx of tap_app.lines_2026_02', 'they get their indexes');
RESET ROLE;
SELECT is((SELECT c.relowner::regrole::text FROM pg_class AS c WHERE c.oid = 'tap_app.lines_2026_02_text_idx'::regclass), 'tap_app', 'which are the owner''s');
-- Row security that holds for the owner, too, hides late rows from who deletes them.
INSERT INTO tap_app.lines (at) VALUES ('2025-12-31');
ALTER TABLE tap_app.lines_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE tap_app.lines_default FORCE ROW LEVEL SECURITY;
SET LOCAL ROLE codeverify_owner;
SELECT throws_ok($$SELECT * FROM codeverify.retire_rows('tap_app.lines')$$, 'VC091', NULL, 'rows that the owner may not delete are told of');
RESET ROLE;
REVOKE tap_app FROM codeverify_owner;
SET LOCAL codeverify.clock = '2026-05-01 01:00:00+00';
SET LOCAL ROLE codeverify_owner;
SELECT throws_ok($$SELECT * FROM codeverify.retire_rows('tap_app.lines')$$, 'VC093', NULL, 'nothing is done for an owner that codeverify_owner may not be');
RESET ROLE;

-- Nobody else may.
SELECT is_empty(
    $$SELECT p.oid::regprocedure, r.rolname
      FROM pg_proc AS p
      CROSS JOIN (VALUES ('tap_admin'), ('tap_service'), ('tap_tenant'), ('tap_auditor'), ('tap_ingest'), ('tap_nobody')) AS r (rolname)
      WHERE p.pronamespace = 'codeverify'::regnamespace
        AND p.proname IN ('retire_rows', 'retire_partition', 'delete_retired_rows', 'delete_retired_segments', 'close_partitions', 'build_closed_index', 'run_in_time', 'normalize_index')
        AND has_function_privilege(r.rolname, p.oid, 'EXECUTE')$$,
    'steps are taken by maintenance only');

-- Parts of a default partition have rows at the same address.
SET LOCAL codeverify.clock = '2026-06-15 12:00:00+00';
CREATE TABLE observability.tap_parts (org_id uuid, ts timestamptz NOT NULL) PARTITION BY RANGE (ts);
CREATE TABLE observability.tap_parts_default PARTITION OF observability.tap_parts DEFAULT PARTITION BY RANGE (ts);
CREATE TABLE observability.tap_parts_old PARTITION OF observability.tap_parts_default FOR VALUES FROM (MINVALUE) TO ('2026-05-01 00:00+00');
CREATE TABLE observability.tap_parts_new PARTITION OF observability.tap_parts_default DEFAULT;
ALTER TABLE observability.tap_parts OWNER TO codeverify_owner;
ALTER TABLE observability.tap_parts_default OWNER TO codeverify_owner;
INSERT INTO observability.tap_parts (ts) VALUES ('2026-04-01 00:00+00'), ('2026-06-01 00:00+00');
SELECT codeverify.configure_partitions('observability.tap_parts', 'month', retention => '30 days') \g /dev/null
SELECT is(codeverify.delete_retired_rows('observability.tap_parts'), 1::bigint, 'of a default partition with parts a row that is past retention goes');
SELECT results_eq('SELECT ts FROM observability.tap_parts', $$VALUES ('2026-06-01 00:00+00'::timestamptz)$$, 'and none that is not');

SELECT * FROM finish();
ROLLBACK;
