-- Partitions are made ahead of the clock, in place of gaps, and for what DEFAULT holds.
\ir ../month_goes_on.sql
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

CREATE ROLE tap_app NOLOGIN;
GRANT tap_app TO codeverify_owner;
CREATE SCHEMA app AUTHORIZATION tap_app;

-- Does what is due for a set, as a run of maintenance does.
CREATE FUNCTION tap.keep(target text)
RETURNS SETOF text
LANGUAGE plpgsql
AS $function$
DECLARE
    step record;
BEGIN
    LOOP
        SELECT * INTO step FROM codeverify.partition_next(target);
        EXIT WHEN NOT FOUND;
        RETURN NEXT step.detail;
        EXIT WHEN NOT step.more;
    END LOOP;
END
$function$;
CREATE FUNCTION tap.keep_all()
RETURNS bigint
LANGUAGE sql
AS $function$
    SELECT count(*) FROM codeverify.list_sets_to_partition() AS t (target) CROSS JOIN LATERAL tap.keep(t.target) WHERE t.target LIKE 'app.%'
$function$;
CREATE VIEW tap.gap AS
SELECT s.parent, l.upper_bound, l.next_bound
FROM codeverify.list_partition_sets() AS s
CROSS JOIN LATERAL (
    SELECT p.upper_bound, lead(p.lower_bound) OVER (ORDER BY p.lower_bound) AS next_bound
    FROM codeverify.list_set_partitions(s.parent) AS p
    WHERE NOT p.is_default
) AS l
WHERE l.upper_bound <> l.next_bound;


-- A year, month by month, in a session of another zone and style, where clocks change twice.
SET LOCAL TimeZone = 'America/New_York';
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL ROLE tap_app;
CREATE TABLE app.weekly (at timestamptz NOT NULL, n int) PARTITION BY RANGE (at);
CREATE TABLE app.weekly_default PARTITION OF app.weekly DEFAULT;
CREATE TABLE app.monthly (day date NOT NULL, n int) PARTITION BY RANGE (day);
CREATE TABLE app.monthly_default PARTITION OF app.monthly DEFAULT;
RESET ROLE;
SELECT codeverify.configure_partitions('app.weekly', 'week', premake => 9) \g /dev/null
SELECT codeverify.configure_partitions('app.monthly', 'month', premake => 2) \g /dev/null
SET LOCAL codeverify.clock = '2030-01-15 03:30:00+00';
SELECT cmp_ok(tap.keep_all(), '>', 10::bigint, 'the first run makes partitions');
SELECT is(tap.keep_all(), 0::bigint, 'and the second none');

CREATE TABLE tap.month (first timestamptz, gaps bigint, weekly_ahead boolean, monthly_ahead boolean, in_default bigint, rows bigint);
DO $year$
DECLARE
    first timestamp;
BEGIN
    FOR first IN SELECT generate_series('2030-02-01'::timestamp, '2031-01-01', '1 month')
    LOOP
        PERFORM set_config('codeverify.clock', (first + interval '12 days 5 hours')::text || '+00', true);
        -- Of now, of last week, of a time that nothing was made for, and of a far future.
        INSERT INTO app.weekly (at)
        SELECT codeverify.read_clock() + d.shift
        FROM unnest('{0,-7 days,80 days,200 days}'::interval[]) AS d (shift);
        INSERT INTO app.monthly (day)
        SELECT (codeverify.read_clock() AT TIME ZONE 'UTC')::date + d.days
        FROM unnest('{0,-7,100,200}'::int[]) AS d (days);
        PERFORM tap.keep_all();
        INSERT INTO tap.month
        SELECT first AT TIME ZONE 'UTC',
               (SELECT count(*) FROM tap.gap),
               (SELECT max(l.upper_bound) FROM codeverify.list_set_partitions('app.weekly') AS l) >= codeverify.read_clock() + interval '9 weeks',
               (SELECT max(l.upper_bound) FROM codeverify.list_set_partitions('app.monthly') AS l) >= codeverify.read_clock() + interval '2 months',
               (SELECT count(*) FROM app.weekly_default AS d WHERE d.at < codeverify.read_clock() + interval '9 weeks')
               + (SELECT count(*) FROM app.monthly_default AS d WHERE d.day < (codeverify.read_clock() AT TIME ZONE 'UTC' + interval '2 months')::date),
               (SELECT count(*) FROM app.weekly) + (SELECT count(*) FROM app.monthly);
    END LOOP;
END
$year$;
SELECT is((SELECT count(*) FROM tap.month), 12::bigint, 'a year passes');
SELECT is_empty('SELECT * FROM tap.month WHERE gaps > 0', 'without a gap');
SELECT is_empty('SELECT * FROM tap.month WHERE NOT weekly_ahead OR NOT monthly_ahead', 'always ahead of the clock');
SELECT is_empty('SELECT * FROM tap.month WHERE in_default > 0', 'with nothing in DEFAULT that has a partition to go to');
SELECT is_empty($$SELECT * FROM tap.month WHERE rows <> 8 * (1 + extract(month FROM age(first AT TIME ZONE 'UTC', '2030-02-01')))$$, 'no row is lost or doubled');
SELECT cmp_ok((SELECT count(*) FROM app.weekly_default), '>', 0::bigint, 'rows of a far future wait in DEFAULT');
SELECT set_eq(
    $$SELECT DISTINCT date_trunc(s.period, l.lower_bound AT TIME ZONE 'UTC') = l.lower_bound AT TIME ZONE 'UTC'
                      AND l.upper_bound AT TIME ZONE 'UTC' = l.lower_bound AT TIME ZONE 'UTC' + ('1 ' || s.period)::interval
      FROM codeverify.list_partition_sets() AS s
      CROSS JOIN LATERAL codeverify.list_set_partitions(s.parent) AS l
      WHERE NOT l.is_default$$,
    '{true}'::boolean[],
    'partitions are whole days, weeks and months in UTC, also where clocks changed');
SELECT ok(to_regclass('app.weekly_2030_03_11') IS NOT NULL AND to_regclass('app.monthly_2030_03') IS NOT NULL, 'named after their beginning');
SELECT is((SELECT tableoid::regclass::text FROM app.weekly WHERE at >= '2030-03-11 00:00+00' AND at < '2030-03-18 00:00+00' LIMIT 1), 'app.weekly_2030_03_11', 'where their rows are');

RESET DateStyle;

-- Our own, from today.
CREATE TABLE tap.made (target text, month int, partitions bigint);
DO $year$
DECLARE
    target text;
BEGIN
    -- What has become due since the database was made comes first.
    FOR month IN 0 .. 3 LOOP
        PERFORM set_config('codeverify.clock', (now() AT TIME ZONE 'UTC' + make_interval(months => month))::text || '+00', true);
        FOREACH target IN ARRAY '{audits.audit_log,telemetry.code_events,providers.usage_tracking,integrations.webhook_deliveries}'::text[] LOOP
            INSERT INTO tap.made SELECT target, month, count(*) FROM tap.keep(target);
        END LOOP;
    END LOOP;
END
$year$;
SELECT is_empty('SELECT * FROM tap.made WHERE month > 0 AND partitions <> 1', 'every month each has a new one');
SELECT is_empty('SELECT * FROM tap.gap', 'and no gap');

-- Gaps, and what is older than all.
SET LOCAL codeverify.clock = '2030-06-10 00:00:00+00';
SET LOCAL ROLE tap_app;
CREATE TABLE app.daily (at timestamptz, kept text DEFAULT 'x') PARTITION BY RANGE (at);
CREATE TABLE app.daily_default PARTITION OF app.daily DEFAULT;
RESET ROLE;
SELECT codeverify.configure_partitions('app.daily', 'day') \g /dev/null
SELECT is((SELECT count(*) FROM tap.keep('app.daily')), 15::bigint, 'today and fourteen days are made');
DROP TABLE app.daily_2030_06_12;
SELECT is((SELECT array_agg(k) FROM tap.keep('app.daily') AS k), '{app.daily_2030_06_12}', 'one that is gone is made again');
INSERT INTO app.daily (at)
VALUES ('2030-06-05 12:00+00'), ('2030-06-04 23:59:59.999999+00'), ('2031-01-01 00:00+00'), (NULL), ('infinity'), ('-infinity'), ('0001-01-01 00:00+00 BC');
SELECT set_eq(
    $$SELECT tap.keep('app.daily')$$,
    ARRAY['app.daily_2030_06_05 with 1 rows of the default partition', 'app.daily_2030_06_04 with 1 rows of the default partition',
          'app.daily_2030_06_06', 'app.daily_2030_06_07', 'app.daily_2030_06_08', 'app.daily_2030_06_09'],
    'old rows get their days, and the days in between');
SELECT is((SELECT count(*) FROM app.daily_default), 5::bigint, 'rows of no day, and of one far from here, stay');
SELECT is((SELECT count(*) FROM app.daily), 7::bigint, 'nothing is lost');
UPDATE codeverify.partition_sets SET retired_until = '2030-06-03 00:00+00' WHERE parent = 'app.daily'::regclass;
INSERT INTO app.daily (at) VALUES ('2030-06-02 12:00+00');
SELECT is_empty($$SELECT tap.keep('app.daily')$$, 'what has left the table before does not come back');
UPDATE codeverify.partition_sets SET retired_until = NULL, retention = '7 days' WHERE parent = 'app.daily'::regclass;
SELECT is_empty($$SELECT tap.keep('app.daily')$$, 'nor does what is past retention');
UPDATE codeverify.partition_sets SET retention = '8 days' WHERE parent = 'app.daily'::regclass;
SELECT is((SELECT count(*) FROM tap.keep('app.daily')), 2::bigint, 'before that it does');

-- What a collector with a wrong clock sends is no history.
SET LOCAL ROLE tap_app;
CREATE TABLE app.odd (at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE app.odd_default PARTITION OF app.odd DEFAULT;
RESET ROLE;
SELECT codeverify.configure_partitions('app.odd', 'month', premake => 2) \g /dev/null
INSERT INTO app.odd
SELECT '1990-01-01 00:00+00'::timestamptz + n * interval '1 month' FROM generate_series(1, 300) AS n
UNION ALL SELECT '2026-01-01 00:00+00'::timestamptz + n * interval '1 minute' FROM generate_series(1, 1000) AS n
UNION ALL SELECT '2026-02-01 00:00+00'::timestamptz + n * interval '1 minute' FROM generate_series(1, 999) AS n
UNION ALL SELECT '2028-06-10 12:00+00';
CREATE TABLE tap.odd AS SELECT tap.keep('app.odd') AS made;
SELECT bag_eq(
    $$SELECT made FROM tap.odd WHERE made LIKE '%rows%'$$,
    '{app.odd_2028_06 with 1 rows of the default partition,app.odd_2026_01 with 1000 rows of the default partition}'::text[],
    'rows of the last two years, and many of an earlier month, get their partition');
SELECT is((SELECT count(*) FROM app.odd_default), 1299::bigint, 'a few of each of many months stay');
SELECT is((SELECT count(*) FROM tap.odd), 3 + 24 + 1::bigint, 'and gaps are filled in the last two years alone');
SELECT is((SELECT default_rows FROM codeverify.maintenance_status WHERE parent = 'app.odd'::regclass), '1000+', 'the status shows that they are there');
SELECT is((SELECT moved FROM codeverify.make_partition('app.odd', 'month', '2026-02-10 00:00+00')), 999::bigint, 'whoever wants a partition of them makes it');
SELECT is_empty($$SELECT tap.keep('app.odd')$$, 'which makes no others');
DROP TABLE app.odd;

-- Neighbours of another length leave what room they leave.
SELECT codeverify.configure_partitions('app.daily', 'month') \g /dev/null
UPDATE codeverify.partition_sets SET retention = NULL WHERE parent = 'app.daily'::regclass;
SELECT set_eq(
    $$SELECT tap.keep('app.daily')$$,
    '{app.daily_2030_06_01,app.daily_2030_06_25,app.daily_2030_07,app.daily_2030_08,app.daily_2030_09}'::text[],
    'a month takes what the days leave');
SELECT is(
    (SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'app.daily_2030_06_25'::regclass),
    format('FOR VALUES FROM (%L) TO (%L)', '2030-06-25 00:00:00+00'::timestamptz, '2030-07-01 00:00:00+00'::timestamptz), 'to its end');

-- Beyond 150, only what the clock asks for is made.
SET LOCAL ROLE tap_app;
CREATE TABLE app.many (at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE app.many_default PARTITION OF app.many DEFAULT;
RESET ROLE;
SELECT codeverify.configure_partitions('app.many', 'day') \g /dev/null
DO $many$
BEGIN
    FOR i IN 0 .. 149 LOOP
        EXECUTE format('CREATE TABLE app.many_%s PARTITION OF app.many FOR VALUES FROM (%L) TO (%L)',
            i, '2030-06-01 00:00+00'::timestamptz - make_interval(hours => i), '2030-06-01 00:00+00'::timestamptz - make_interval(hours => i - 1));
        EXECUTE format('ALTER TABLE app.many_%s OWNER TO tap_app', i);
    END LOOP;
END
$many$;
INSERT INTO app.many VALUES ('2030-06-05 00:00+00'), ('2020-01-01 00:00+00');
SELECT is((SELECT count(*) FROM tap.keep('app.many')), 15::bigint, 'many partitions keep no new ones from being made');
SELECT is((SELECT count(*) FROM app.many_default), 2::bigint, 'but old rows stay where they are');

-- Where codeverify_owner may become the owner, but has not got their rights by itself, such as on the schema.
SET LOCAL ROLE tap_app;
CREATE TABLE app.hidden (at timestamptz NOT NULL, note text) PARTITION BY RANGE (at);
CREATE TABLE app.hidden_default PARTITION OF app.hidden DEFAULT;
GRANT SELECT ON app.hidden, app.hidden_default TO codeverify_owner;
RESET ROLE;
INSERT INTO app.hidden VALUES ('2030-05-15 00:00+00', 'x');
SELECT codeverify.configure_partitions(
    'app.hidden', 'month', premake => 2, compress_after => '30 days', closed_indexes => '{(lower(note))}') \g /dev/null
ALTER ROLE codeverify_owner NOINHERIT;
GRANT USAGE ON SCHEMA tap TO codeverify_owner;
SET LOCAL ROLE codeverify_owner;
SELECT bag_eq(
    $$SELECT tap.keep('app.hidden') UNION ALL SELECT detail FROM codeverify.close_partitions('app.hidden')$$,
    '{app.hidden_2030_06,app.hidden_2030_07,app.hidden_2030_08,app.hidden_2030_05 with 1 rows of the default partition,hidden_2030_05_note_idx of app.hidden_2030_05}'::text[],
    'its set is kept nevertheless');
SELECT is_empty($$SELECT * FROM codeverify.compress_rows('app.hidden')$$, 'and nothing is packed that is not due');
RESET ROLE;
ALTER ROLE codeverify_owner INHERIT;
DROP TABLE app.hidden;

-- What a partition has that the table does not hand down.
SET LOCAL ROLE tap_app;
CREATE TABLE app.rich (
    id int GENERATED ALWAYS AS IDENTITY,
    org_id uuid,
    at timestamptz NOT NULL,
    gone int,
    body text CONSTRAINT rich_body_check CHECK (body <> ''),
    twice text GENERATED ALWAYS AS (body || body) STORED,
    CONSTRAINT rich_pkey PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
COMMENT ON TABLE app.rich IS 'Rich.';
COMMENT ON COLUMN app.rich.body IS 'Body.';
CREATE TABLE app.rich_default PARTITION OF app.rich DEFAULT WITH (fillfactor = 70, toast.autovacuum_enabled = off);
CREATE INDEX rich_lower_idx ON app.rich (lower(body));
ALTER TABLE app.rich DROP COLUMN gone;
ALTER TABLE app.rich ADD COLUMN later text DEFAULT 'there all the time';
ALTER TABLE app.rich ALTER body SET STATISTICS 17;
ALTER TABLE app.rich_default REPLICA IDENTITY FULL;
GRANT SELECT ON app.rich_default TO tap_tenant WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT DELETE ON TABLES TO tap_nobody;
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'a trigger was fired by %', TG_OP;
END
$function$;
INSERT INTO app.rich (at, org_id, body) VALUES ('2030-06-10 12:00+00', tap.id('a'), repeat('toasted', 10000)), ('2030-06-10 13:00+00', tap.id('b'), NULL);
CREATE TRIGGER rich_refuse BEFORE DELETE ON app.rich FOR EACH ROW EXECUTE FUNCTION app.note();
CREATE TRIGGER rich_default_refuse_all AFTER INSERT OR DELETE ON app.rich_default FOR EACH STATEMENT EXECUTE FUNCTION app.note();
ALTER TABLE app.rich_default ENABLE ALWAYS TRIGGER rich_default_refuse_all;
RESET ROLE;
SELECT tenancy.protect('app.rich') \g /dev/null
SELECT audits.track('app.rich', redact => '{later}') \g /dev/null
CREATE TABLE tap.rich AS SELECT * FROM app.rich;
SELECT codeverify.configure_partitions('app.rich', 'month', premake => 2) \g /dev/null
SELECT is((SELECT min(k) FROM tap.keep('app.rich') AS k), 'app.rich_2030_06 with 2 rows of the default partition', 'rows go to their partition below triggers and policies');
SELECT results_eq('SELECT id, org_id, at, body, twice, later FROM ONLY app.rich_2030_06 ORDER BY id', 'SELECT id, org_id, at, body, twice, later FROM tap.rich ORDER BY id', 'as they were, also what was stored apart or came later');
SELECT is((SELECT count(*) FROM ONLY app.rich_default), 0::bigint, 'and are in one place');
SET LOCAL enable_seqscan = off;
SELECT is((SELECT count(*) FROM app.rich_2030_06 WHERE lower(body) = repeat('toasted', 10000)), 1::bigint, 'indexes know them');
RESET enable_seqscan;
SELECT is(
    (SELECT array_agg(i.indexrelid::regclass::text ORDER BY i.indexrelid::regclass::text COLLATE "C") FROM pg_index AS i JOIN pg_inherits AS h ON h.inhrelid = i.indexrelid WHERE i.indrelid = 'app.rich_2030_07'::regclass),
    '{app.rich_2030_07_lower_idx,app.rich_2030_07_org_id_idx,app.rich_2030_07_pkey}', 'there is an index for each of the table''s');
SELECT is(
    (SELECT concat_ws(' ', c.relowner::regrole, c.relreplident, c.relrowsecurity, c.relforcerowsecurity, c.reloptions, t.reloptions, obj_description(c.oid, 'pg_class'))
     FROM pg_class AS c JOIN pg_class AS t ON t.oid = c.reltoastrelid WHERE c.oid = 'app.rich_2030_07'::regclass),
    'tap_app f t t {fillfactor=70} {autovacuum_enabled=off} Rich.',
    'owner, replica identity, row security, storage parameters and comment are those of the others');
SELECT set_eq(
    $$SELECT a.grantee::regrole::text, a.privilege_type, a.is_grantable FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a WHERE c.oid = 'app.rich_2030_07'::regclass AND a.grantee <> c.relowner$$,
    $$VALUES ('tap_tenant', 'SELECT', true)$$, 'and so are grants');
SELECT set_eq(
    $$SELECT polname::text, polpermissive FROM pg_policy WHERE polrelid = 'app.rich_2030_07'::regclass$$,
    $$VALUES ('rich_2030_07_tenant', false), ('rich_2030_07_members', true)$$, 'policies');
SELECT is_empty(
    $$SELECT table_name FROM tenancy.coverage WHERE schema_name = 'app' AND table_name LIKE 'rich_2030%' AND NOT (row_security AND forced AND restrictive_policy)$$,
    'isolation');
SELECT is((SELECT attstattarget::int FROM pg_attribute WHERE attrelid = 'app.rich_2030_07'::regclass AND attname = 'later'), 0, 'statistics targets');
SELECT set_eq(
    $$SELECT tgname::text, tgenabled FROM pg_trigger WHERE tgrelid = 'app.rich_2030_07'::regclass AND NOT tgisinternal$$,
    $$VALUES ('rich_refuse', 'O'::"char"), ('rich_2030_07_refuse_all', 'A'), ('codeverify_capture_insert', 'O'), ('codeverify_capture_update', 'O'), ('codeverify_capture_delete', 'O'), ('codeverify_capture_truncate', 'O')$$,
    'and triggers, those for statements too');
SELECT is(
    (SELECT treatment FROM pg_trigger AS g CROSS JOIN LATERAL audits.column_treatments(g.tgrelid, g.tgargs) AS t
     WHERE g.tgrelid = 'app.rich_2030_07'::regclass AND g.tgname = 'codeverify_capture_insert' AND t.column_name = 'later'),
    'redact', 'changes are captured as they are of the table');

-- The ledger: a month that began in DEFAULT.
RESET codeverify.clock;
SELECT format('audits.audit_log_%s', to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')) AS month \gset
ALTER TABLE audits.audit_log DETACH PARTITION :month;
DROP TABLE :month;
SELECT count(audits.append('project', 'project.renamed', payload => jsonb_build_object('n', n), org_id => tap.id('a'))) AS entries FROM generate_series(1, 20) AS n \gset
SELECT is((SELECT count(*) FROM ONLY audits.audit_log_default WHERE org_id = tap.id('a')), 20::bigint, 'entries are in DEFAULT');
CREATE TABLE tap.entries AS SELECT * FROM audits.audit_log;
CREATE ROLE tap_insider LOGIN IN ROLE codeverify_owner;
GRANT USAGE ON SCHEMA tap TO tap_insider;
CALL tap.act(login => 'tap_insider');
SET LOCAL ROLE codeverify_owner;
SELECT matches((SELECT detail FROM codeverify.partition_next('audits.audit_log')), ' with \d+ rows of the default partition$', 'they move');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM ONLY audits.audit_log_default), 0::bigint, 'all of them');
SELECT results_eq('SELECT * FROM audits.audit_log ORDER BY id', 'SELECT * FROM tap.entries ORDER BY id', 'as they are');
SELECT is_empty($$SELECT * FROM audits.verify_chain(tap.id('a'))$$, 'and the chain holds');
SELECT is_empty('SELECT codeverify.list_unguarded()', 'the month is guarded like any other');
SELECT cmp_ok(audits.append('project', 'project.renamed', org_id => tap.id('a')), '>', 0::bigint, 'the ledger goes on');
SELECT is_empty($$SELECT * FROM audits.verify_chain(tap.id('a'))$$, 'where it was');

-- One that cannot be kept among ten.
DROP TABLE app.weekly, app.monthly, app.daily, app.many, app.rich;
DELETE FROM codeverify.partition_sets WHERE parent NOT IN (SELECT partrelid FROM pg_partitioned_table);
SELECT 'set_5_' || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY_MM') AS obstacle \gset
SET LOCAL ROLE tap_app;
DO $ten$
BEGIN
    FOR i IN 1 .. 10 LOOP
        EXECUTE format('CREATE TABLE app.set_%s (at timestamptz) PARTITION BY RANGE (at)', i);
        EXECUTE format('CREATE TABLE app.set_%s_default PARTITION OF app.set_%s DEFAULT', i, i);
    END LOOP;
END
$ten$;
CREATE TABLE app.:obstacle (other int);
RESET ROLE;
SELECT codeverify.configure_partitions(format('app.set_%s', i)::regclass, 'month') FROM generate_series(1, 10) AS i \g /dev/null
CREATE TABLE tap.run AS SELECT * FROM codeverify.maintain('partitions');
SELECT set_eq(
    $$SELECT target, action FROM tap.run WHERE action <> 'made' AND target LIKE 'app.%'$$, $$VALUES ('app.set_5', 'failed')$$, 'one fails');
SELECT is_empty(
    $$SELECT i FROM generate_series(1, 10) AS i WHERE i <> 5 AND (SELECT count(*) FROM codeverify.list_set_partitions(format('app.set_%s', i)::regclass)) <> 5$$,
    'nine advance');
SELECT is((SELECT count(*) FROM codeverify.list_set_partitions('app.set_5')), 2::bigint, 'and what went before stays');
SELECT matches((SELECT last_error FROM codeverify.list_partition_sets() WHERE parent = 'app.set_5'::regclass), 'app\.' || :'obstacle', 'it is told what stopped it');
DROP TABLE app.:obstacle;
SELECT is((SELECT count(*) FROM codeverify.maintain('partitions')), 3::bigint, 'once that is gone it goes on');
SELECT is((SELECT last_error FROM codeverify.list_partition_sets() WHERE parent = 'app.set_5'::regclass), NULL, 'and nothing is wrong any more');

SELECT * FROM finish();
ROLLBACK;
