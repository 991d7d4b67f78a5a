-- Packing of partitions: every type comes back as it was, in whichever settings; what damage does; who sees what; what
-- a step of maintenance does.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
SET LOCAL client_min_messages = error;
-- The clock of maintenance, long after what is packed here.
SET LOCAL codeverify.clock = '2024-03-01 00:00:00+00';

-- A table of a user's, with a column of every kind of type.
CREATE TYPE tap.mood AS ENUM ('sad', 'glad');
CREATE DOMAIN tap.positive AS numeric CHECK (VALUE > 0);
CREATE TYPE tap.pair AS (a int, b text);
CREATE TABLE tap.everything (
    gone int,
    id bigint,
    ts timestamptz NOT NULL,
    yes boolean,
    tiny smallint,
    usual int,
    single real,
    double double precision,
    exact numeric,
    scaled numeric(10, 2),
    day date,
    clock time,
    clock_of_zone timetz,
    local timestamp,
    span interval,
    words text,
    short varchar(20),
    padded char(5),
    letter "char",
    bytes bytea,
    plain json,
    binary_json jsonb,
    key uuid,
    address inet,
    bits bit(3),
    numbers int[],
    texts text[],
    nested int[][],
    mood tap.mood,
    moods tap.mood[],
    pair tap.pair,
    more_than_none tap.positive,
    r int4range,
    ranges int4multirange,
    markup xml,
    price money,
    place point,
    searched tsvector,
    asked tsquery,
    relation regclass,
    position pg_lsn,
    "odd "" name" text,
    twice bigint GENERATED ALWAYS AS (id * 2) STORED
) PARTITION BY RANGE (ts);
ALTER TABLE tap.everything DROP COLUMN gone;
CREATE TABLE tap.everything_2024_01_01 PARTITION OF tap.everything
FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-01-02 00:00:00+00');
CREATE TABLE tap.everything_default PARTITION OF tap.everything DEFAULT;
INSERT INTO tap.everything
VALUES
    (
        1, '2024-01-01 06:00:00.123456+00', true, -32768, 2147483647, 'NaN', '-Infinity', 'NaN', 1, 'infinity', '24:00',
        '12:00:00.5+05:30', '-infinity', '1 year 2 mons -3 days 04:05:06.000007', E'gr\u00f6\u00dfer "x" \\ \n', '', 'ab', 'z',
        '\x00ff', '{"a" : 1,  "a": 2}', '{"n": 1.500, "big": 1e400, "z": [null, {}]}', gen_random_uuid(), '10.0.0.1/8', B'101',
        '{1,NULL,3}', '{a,"b c",NULL,""}', '[0:1][2:3]={{1,2},{3,4}}', 'glad', '{sad,NULL}', '(1,"x,y")', 12.340, '[1,5)',
        '{[1,2),[5,9)}', '<a>&amp;</a>', -12.34, '(1.1,-0)', 'a:1A b', '''a'' & !''b''', 'pg_class', '16/B374D848', 'odd'
    ),
    (
        2, '2024-01-01 06:00:00.123456+00', false, 1, 2, '1e-40', '-0', 1.00, 1.50, '-infinity', '00:00', '00:00Z', 'infinity', '0',
        repeat('x', 3000000), 'v', 'c', NULL, '', 'null', 'null', NULL, '::1', B'000', '{}', '{}', '{}', 'sad', '{}', '(,)', 1.0,
        'empty', '{}', NULL, 0, '(Infinity,NaN)', '', 'a', 'pg_proc', '0/0', ''
    );
INSERT INTO tap.everything (id, ts, words)
SELECT n, '2024-01-01 07:00:00+00'::timestamptz + n * interval '1 ms', nullif('line ' || n % 10, 'line 3')
FROM generate_series(3, 500) AS n;
INSERT INTO tap.everything (id, ts) VALUES (3, '2024-01-01 23:59:59.999999+00'), (3, '2024-01-01 23:59:59.999999+00');
GRANT ALL ON SCHEMA tap TO codeverify_owner;
CREATE TABLE tap.before AS SELECT row_to_json(e.*)::text AS line, e::text AS whole FROM tap.everything AS e;

SELECT throws_ok(
    $$SELECT codeverify.pack_partition('tap.everything', 'tap.everything_2024_01_01')$$, 'VC093', NULL,
    'tables whose owner codeverify_owner may not act for are left alone');
CREATE ROLE tap_app;
GRANT tap_app TO codeverify_owner;
GRANT ALL ON SCHEMA tap TO tap_app;
ALTER TABLE tap.everything OWNER TO tap_app;
ALTER TABLE tap.everything_2024_01_01 OWNER TO tap_app;
ALTER TABLE tap.everything_default OWNER TO tap_app;

-- Settings that make output functions lossy, or ambiguous.
SET LOCAL timezone = 'Asia/Tokyo';
SET LOCAL datestyle = 'German';
SET LOCAL extra_float_digits = -5;
SET LOCAL intervalstyle = 'iso_8601';
SET LOCAL bytea_output = 'escape';
SET LOCAL ROLE codeverify_owner;
SELECT results_eq(
    $$SELECT (p ->> 'rows')::int, p ->> 'skipped', p ->> 'partition'
      FROM codeverify.pack_partition('tap.everything', 'tap.everything_2024_01_01') AS p$$,
    $$VALUES (502, '0', 'tap.everything_2024_01_01')$$, 'a partition is packed');
RESET ROLE;
SELECT is((SELECT count(*) FROM tap.everything), 0::bigint, 'its rows are gone');
SELECT is(codeverify.find_row_state('tap.everything', 'tap.everything_2024_01_01'), 'free', 'for everybody, since nobody else has seen them');
SELECT is(codeverify.empty_partition('tap.everything', 'tap.everything_2024_01_01'), true, 'so that their room can be given back');
SELECT is((SELECT pg_relation_size('tap.everything_2024_01_01')), 0::bigint, 'and is');
SELECT results_eq(
    $$SELECT row_count, min_ts, max_ts, period_start, period_end, org_id, words IS NULL
      FROM codeverify.packed_segments
      WHERE relation = 'tap.everything'::regclass
      ORDER BY min_ts$$,
    $$VALUES (
        502, '2024-01-01 06:00:00.123456+00'::timestamptz, '2024-01-01 23:59:59.999999+00'::timestamptz,
        '2024-01-01 00:00:00+00'::timestamptz, '2024-01-02 00:00:00+00'::timestamptz, NULL::uuid, true)$$,
    'into a segment of its period');
SELECT is_empty('SELECT * FROM codeverify.verify_packed()', 'which verifies');
SELECT is(
    (SELECT sum(length(s.content)) < 30000 FROM codeverify.packed_segments AS s WHERE s.relation = 'tap.everything'::regclass), true,
    'and is small');

CALL tap.act(NULL, NULL, 'tap_admin');
SELECT is((SELECT count(*) FROM codeverify.read_all_packed('tap.everything')), 502::bigint, 'an administrator reads all of them');
SELECT is(
    (SELECT count(*)
     FROM codeverify.read_all_packed('tap.everything', '2024-01-01 06:00:00.123456+00', '2024-01-01 06:00:00.123457+00')),
    2::bigint, 'or those of a time, to the microsecond');
SELECT is(
    (SELECT r ->> 'double' || ' ' || (r ->> 'exact') || ' ' || (r -> 'binary_json' ->> 'n') || ' ' || (r ->> 'mood') || ' '
            || (r -> 'moods' ->> 0) || ' ' || (r -> 'numbers' ->> 2) || ' ' || (r ->> 'pair') || ' ' || (r ->> 'odd " name')
     FROM codeverify.read_all_packed('tap.everything') AS r
     WHERE (r ->> 'id')::int = 1),
    '-Infinity NaN 1.500 glad sad 3 (1,"x,y") odd', 'as objects');
CALL tap.act('viewer', 'a');
SELECT throws_ok($$SELECT * FROM codeverify.read_all_packed('tap.everything')$$, '42501', NULL, 'a tenant does not');
SELECT throws_ok($$SELECT * FROM codeverify.read_packed('tap.everything')$$, '42501', NULL, 'nor with a context');
SELECT throws_ok('SELECT * FROM codeverify.packed_segments', '42501', NULL, 'nor does it see segments');
RESET SESSION AUTHORIZATION;

-- Back again, by the row.
ALTER TABLE tap.everything RENAME TO whole;
ALTER TABLE tap.whole DROP COLUMN texts;
SELECT throws_ok(
    $$SELECT codeverify.unpack_partition('tap.whole', '2024-01-01 00:00:00+00')$$, 'VC107', NULL,
    'rows do not come back to a table that has lost a column');
ALTER TABLE tap.whole ADD COLUMN texts text[], ADD COLUMN since_then int DEFAULT 5;
SELECT is(codeverify.unpack_partition('tap.whole', '2024-01-01 00:00:00+00'), 502::bigint, 'they do where it has it');
RESET timezone;
RESET datestyle;
RESET extra_float_digits;
RESET intervalstyle;
RESET bytea_output;
SELECT is(
    (SELECT count(*) FROM (
        SELECT to_jsonb(l.*) - 'since_then' FROM tap.whole AS l
        EXCEPT ALL
        SELECT b.line::jsonb FROM tap.before AS b) AS d),
    0::bigint, 'to the last of them, under its new name');
SELECT results_eq(
    'SELECT count(*), count(since_then), count(twice) FROM tap.whole', 'VALUES (502::bigint, 502::bigint, 502::bigint)',
    'what is new has its default, what is generated its value');
SELECT is(
    (SELECT count(*) FROM (
        SELECT l.id, l.exact::text, l.scaled::text, l.plain::text, l.binary_json::text, l.double::text, l.span FROM tap.whole AS l WHERE l.id < 3) AS d
     WHERE (d.id, d.exact, d.scaled, d.plain) IN ((1, 'NaN', '1.00', '{"a" : 1,  "a": 2}'), (2, '1.00', '1.50', 'null'))),
    2::bigint, 'with the scale of numbers and the spaces of json');
SELECT is_empty('SELECT FROM codeverify.packed_segments', 'and the segments are gone');

-- What a trigger would change is not brought back.
CREATE FUNCTION tap.change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.words := ''changed''; RETURN NEW; END';
SELECT lives_ok($$SELECT codeverify.pack_partition('tap.whole', 'tap.everything_2024_01_01')$$, 'it can be packed again');
CREATE TRIGGER change BEFORE INSERT ON tap.whole FOR EACH ROW EXECUTE FUNCTION tap.change();
SELECT throws_ok(
    $$SELECT codeverify.unpack_partition('tap.whole', '2024-01-01 00:00:00+00')$$, 'VC107', NULL,
    'a trigger that changes rows keeps them packed');
SELECT is((SELECT count(*) FROM tap.whole), 0::bigint, 'and nothing is left of the attempt');
DROP TABLE tap.whole;
SELECT results_eq(
    'SELECT DISTINCT problem FROM codeverify.verify_packed()', $$VALUES ('its table is gone'::text)$$,
    'segments of a table that was dropped are told');
DELETE FROM codeverify.packed_segments;

-- What cannot be packed.
CREATE TABLE observability.logs_2024_01_01 PARTITION OF observability.logs
FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-01-02 00:00:00+00');
CREATE TABLE observability.logs_2024_01_02 PARTITION OF observability.logs
FOR VALUES FROM ('2024-01-02 00:00:00+00') TO ('2024-01-03 00:00:00+00');
ALTER TABLE observability.logs_2024_01_01 OWNER TO codeverify_owner;
ALTER TABLE observability.logs_2024_01_02 OWNER TO codeverify_owner;
SELECT throws_ok(
    format('SELECT codeverify.pack_partition(%L, %L)', c.parent, c.partition), 'VC106', NULL, c.what)
FROM (VALUES
    ('audits.audit_log', 'audits.audit_log_default', 'the ledger is not packed'),
    ('observability.logs', 'observability.logs_default', 'nor is a default partition'),
    ('observability.logs', 'tenancy.services', 'nor a table that is no partition'),
    ('providers.usage_tracking', 'observability.logs_2024_01_01', 'nor one of another table')
) AS c (parent, partition, what);
CREATE TABLE tap.kept_together (at timestamptz PRIMARY KEY) PARTITION BY RANGE (at);
CREATE TABLE tap.kept_together_2024_01_01 PARTITION OF tap.kept_together FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-01-02 00:00:00+00');
CREATE TABLE tap.refers (at timestamptz REFERENCES tap.kept_together);
SELECT throws_ok(
    $$SELECT codeverify.pack_partition('tap.kept_together', 'tap.kept_together_2024_01_01')$$, 'VC106', NULL, 'nor one whose rows others refer to');
SET LOCAL ROLE codeverify_owner;
SELECT throws_ok(
    format('SELECT codeverify.delete_packed_rows(%L)', c.relation), c.code, NULL, format('below SQL nothing is deleted from %s', c.relation))
FROM (VALUES ('audits.audit_log_default', 'VC106'), ('auth.users', 'VC106'), ('pg_authid', 'VC093'), ('tap.kept_together_2024_01_01', 'VC093'))
    AS c (relation, code);
RESET ROLE;
SET LOCAL codeverify.clock = '2024-01-01 23:59:59+00';
SELECT throws_ok(
    $$SELECT codeverify.pack_partition('observability.logs', 'observability.logs_2024_01_01')$$, 'VC106', NULL,
    'nor one that is not over');
SET LOCAL codeverify.clock = '2024-03-01 00:00:00+00';

SELECT throws_ok(
    format($$INSERT INTO codeverify.partition_sets (parent, period, premake, compress_after) VALUES (%L, 'month', 3, '1 year')$$, c.parent),
    'VC091', NULL, format('%s has no compress_after', c.parent))
FROM unnest(ARRAY['audits.audit_log', 'telemetry.code_events', 'integrations.webhook_deliveries']) AS c (parent);

-- Log lines of two organizations, and of one that is gone.
INSERT INTO tenancy.services (id, org_id, name)
VALUES (tap.id('service of a'), tap.id('a'), 'api'), (tap.id('service of b'), tap.id('b'), 'api');
INSERT INTO tenancy.organizations (id, name, login, github_id) VALUES (tap.id('c'), 'Organization C', 'tap-c', 9000000003);
INSERT INTO observability.logs (org_id, service_id, ts, level, message, meta_json)
SELECT tap.id(o.name),
       CASE WHEN n % 3 = 0 AND o.name <> 'c' THEN tap.id('service of ' || o.name) END,
       '2024-01-01 00:00:00+00'::timestamptz + n * interval '50 s',
       (ARRAY['info', 'debug', 'error'])[1 + n % 3],
       format('%s served request %s in %s ms, it''s fine', o.name, md5(n::text), n % 100),
       jsonb_build_object('host', 'web-' || n % 4, 'n', n)
FROM unnest(ARRAY['a', 'b', 'c']) AS o (name)
CROSS JOIN generate_series(0, CASE o.name WHEN 'a' THEN 1700 ELSE 300 END) AS n;
-- The rows of c stay behind, as they may for a while where there are many.
SET LOCAL session_replication_role = replica;
DELETE FROM tenancy.organizations WHERE id = tap.id('c');
SET LOCAL session_replication_role = origin;

CREATE TABLE tap.line AS SELECT * FROM observability.logs WHERE org_id <> tap.id('c');
CREATE TABLE tap.search (
    since timestamptz,
    until timestamptz,
    query tsquery,
    service uuid,
    level text,
    meta jsonb,
    max_rows int,
    before_ts timestamptz,
    before_id bigint);
INSERT INTO tap.search
VALUES (NULL, NULL, NULL, NULL, NULL, NULL, 10, NULL, NULL),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('2024-01-01 12:00:00+00', '2024-01-01 12:01:00+00', NULL, NULL, NULL, NULL, 100, NULL, NULL),
    (NULL, NULL, websearch_to_tsquery('simple', md5('77')), NULL, NULL, NULL, 100, NULL, NULL),
    (NULL, NULL, websearch_to_tsquery('simple', 'a "7 ms" -web'), NULL, 'debug', NULL, 25, NULL, NULL),
    (NULL, NULL, websearch_to_tsquery('simple', 'nothing or ' || md5('1')), NULL, NULL, NULL, 100, NULL, NULL),
    (NULL, NULL, 'serv:* & !''debug'''::tsquery, NULL, NULL, '{"host": "web-1"}', 3, NULL, NULL),
    (NULL, NULL, ''::tsquery, NULL, NULL, NULL, 3, NULL, NULL),
    (NULL, NULL, NULL, tap.id('service of a'), 'info', NULL, 7, '2024-01-01 06:00:00+00', 20000),
    (NULL, NULL, NULL, tap.id('service of b'), NULL, NULL, 7, NULL, NULL),
    (NULL, NULL, NULL, NULL, 'fatal', NULL, 7, NULL, NULL),
    (NULL, NULL, NULL, NULL, NULL, '{"n": 1400}', 100, NULL, NULL),
    (NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL),
    ('-infinity', 'infinity', NULL, NULL, NULL, '{"n": 1}', 5, NULL, NULL);
ALTER TABLE tap.search ADD COLUMN place int GENERATED ALWAYS AS IDENTITY;
CREATE FUNCTION tap.search_lines(tenant uuid, s tap.search)
RETURNS SETOF text
LANGUAGE sql
AS $function$
    SELECT format('%s %s %s %s %s %s', l.id, l.service_id, l.ts, l.level, l.message, l.meta_json)
    FROM tap.line AS l
    WHERE l.org_id = tenant
      AND (s.since IS NULL OR l.ts >= s.since)
      AND (s.until IS NULL OR l.ts < s.until)
      AND (s.query IS NULL OR to_tsvector('simple', l.message) @@ s.query)
      AND (s.service IS NULL OR l.service_id = s.service)
      AND (s.level IS NULL OR l.level = s.level)
      AND (s.meta IS NULL OR l.meta_json @> s.meta)
      AND (s.before_ts IS NULL OR (l.ts, l.id) < (s.before_ts, s.before_id))
    ORDER BY l.ts DESC, l.id DESC
    LIMIT s.max_rows
$function$;
GRANT SELECT ON ALL TABLES IN SCHEMA tap TO PUBLIC;

SELECT lives_ok(
    $$SET LOCAL ROLE codeverify_owner;
      SELECT codeverify.pack_rows('observability.logs', 'observability.logs_2024_01_01', 'false', '2024-01-01', '2024-01-02')$$,
    'nothing is packed into nothing');
RESET ROLE;
SELECT is((SELECT count(*) FROM codeverify.packed_segments), 0::bigint, 'no segment');
SELECT is(
    (SELECT p - 'bytes' - 'bytes_before' FROM codeverify.pack_partition('observability.logs', 'observability.logs_2024_01_01') AS p),
    '{"rows": 2002, "skipped": 301, "partition": "observability.logs_2024_01_01"}', 'lines are packed; those of nobody go');
-- Late ones, before and between those.
INSERT INTO observability.logs (org_id, ts, message, meta_json)
VALUES (tap.id('a'), '2024-01-01 12:00:00.5+00', 'late', '{"n": 1400}'), (tap.id('a'), '2024-01-01 00:00:00+00', 'late', '{}');
INSERT INTO tap.line SELECT * FROM observability.logs WHERE message = 'late';
SELECT lives_ok($$SELECT codeverify.pack_partition('observability.logs', 'observability.logs_2024_01_01')$$, 'a later pack adds to it');
SELECT results_eq(
    'SELECT org_id, sum(row_count), count(*), count(words) FROM codeverify.packed_segments GROUP BY org_id ORDER BY count(*) DESC',
    $$VALUES (tap.id('a'), 1703::bigint, 2::bigint, 2::bigint), (tap.id('b'), 301, 1, 1)$$, 'each segment is of one organization');
SELECT is_empty('SELECT * FROM codeverify.verify_packed()', 'and verifies');

CALL tap.act('viewer', 'a');
SELECT results_eq(
    format($$SELECT format('%%s %%s %%s %%s %%s %%s', r.id, r.service_id, r.ts, r.level, r.message, r.meta_json)
             FROM tap.search AS s
             CROSS JOIN LATERAL observability.read_packed_logs(
                 s.since, s.until, s.query, s.service, NULL, s.level, s.meta, s.max_rows, s.before_ts, s.before_id) AS r
             WHERE s.place = %s$$, s.place),
    format($$SELECT l FROM tap.search AS s CROSS JOIN LATERAL tap.search_lines(tap.id('a'), s) AS l WHERE s.place = %s$$, s.place),
    format('search %s finds what it found in the table, in the same order', s.place))
FROM tap.search AS s;
SELECT is((SELECT count(*) FROM observability.read_packed_logs(max_rows => NULL)), 1703::bigint, 'all of them are one''s own');
SELECT results_eq(
    $$SELECT * FROM observability.count_packed_logs('2024-01-01 06:00:00+00', '2024-01-02', '6 hours')$$,
    $$SELECT date_bin('6 hours', l.ts, '2000-01-01 00:00:00+00'), l.level, count(*)
      FROM tap.line AS l
      WHERE l.org_id = tap.id('a') AND l.ts >= '2024-01-01 06:00:00+00'
      GROUP BY 1, 2
      ORDER BY 1, 2$$,
    'and are counted');
SELECT throws_ok(
    $$SELECT * FROM observability.count_packed_logs(NULL, NULL, '1 month')$$, '22023', NULL, 'months are no buckets');
CALL tap.act(NULL, NULL, 'tap_tenant');
SELECT throws_ok('SELECT * FROM observability.read_packed_logs()', 'VC011', NULL, 'without a context there is nothing');
CALL tap.act('owner', 'b', 'tap_service');
SELECT is(
    (SELECT count(*) FROM codeverify.read_packed('observability.logs') AS r WHERE r ->> 'org_id' = tap.id('b')::text), 301::bigint,
    'the service reads those of its context');
SELECT is((SELECT count(*) FROM codeverify.read_packed('observability.logs')), 301::bigint, 'and no others');
CALL tap.act('owner', 'b', 'tap_ingest');
SELECT throws_ok('SELECT * FROM observability.read_packed_logs()', '42501', NULL, 'collectors read nothing');
RESET SESSION AUTHORIZATION;

-- Usage: one's own.
CREATE TABLE providers.usage_tracking_2024_01 PARTITION OF providers.usage_tracking FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
ALTER TABLE providers.usage_tracking_2024_01 OWNER TO codeverify_owner;
INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count, tokens_input, tokens_output, cost_usd)
SELECT tap.id(o.name), tap.id(format('%s of %s', m.name, o.name)), 'acme', 'large', '2024-01-01'::date + n, 1, 10, 20, 0.10
FROM unnest(ARRAY['a', 'b']) AS o (name)
CROSS JOIN unnest(ARRAY['owner', 'viewer']) AS m (name)
CROSS JOIN generate_series(0, 30) AS n;
SELECT lives_ok(
    $$SELECT codeverify.pack_partition('providers.usage_tracking', 'providers.usage_tracking_2024_01')$$, 'usage is packed');
INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count, tokens_input, tokens_output, cost_usd)
VALUES (tap.id('a'), tap.id('viewer of a'), 'acme', 'large', '2024-01-31', 5, 50, 100, 0.505);
CALL tap.act('viewer', 'a');
SELECT results_eq(
    $$SELECT * FROM providers.read_usage('2024-01-30', '2024-01-31')$$,
    $$VALUES
        ('acme'::text, 'large'::text, '2024-01-30'::date, 1::bigint, 10::bigint, 20::bigint, 0.10::numeric),
        ('acme', 'large', '2024-01-31', 6, 60, 120, 0.605)$$,
    'what came later counts with what is packed');
SELECT is((SELECT sum(requests_count) FROM providers.read_usage()), 36::numeric, 'one''s own alone');
CALL tap.act('owner', 'b', 'tap_service');
SELECT is((SELECT count(*) FROM codeverify.read_packed('providers.usage_tracking')), 31::bigint, 'for the service as well');
SELECT is(
    (SELECT count(*) FROM codeverify.read_packed('providers.usage_tracking', '2024-01-02', '2024-01-04')), 2::bigint,
    'days are compared as UTC midnights');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT sum(u.requests_count) FROM providers.list_usage(tap.id('a'), '2024-01-01', '2024-01-31') AS u), 67::numeric,
    'metrics count what is packed');
DELETE FROM auth.users WHERE id = tap.id('viewer of a');
SELECT is(
    (SELECT sum(u.requests_count) FROM providers.list_usage(tap.id('a'), '2024-01-01', '2024-01-31') AS u), 31::numeric,
    'not that of a user who is gone');

-- Damage.
CREATE TABLE tap.kept AS SELECT * FROM codeverify.packed_segments;
CREATE FUNCTION tap.restore() RETURNS void LANGUAGE sql AS $$
    DELETE FROM codeverify.packed_segments;
    INSERT INTO codeverify.packed_segments SELECT * FROM tap.kept;
$$;
CREATE FUNCTION tap.read_all() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM codeverify.read_all_packed('observability.logs')
$$;
SELECT is(tap.read_all(), 2004::bigint, 'all is well');
CREATE TABLE tap.damage (what text, statement text, is_read boolean, problem text);
INSERT INTO tap.damage
VALUES
    ('a byte of the content', 'content = set_byte(content, length(content) / 2, get_byte(content, length(content) / 2) # 1)', false, 'the compressed content is damaged|the checksum'),
    ('a byte of the header', 'content = set_byte(content, 8, get_byte(content, 8) # 1)', false, '.'),
    ('its end', 'content = substr(content, 1, length(content) - 1)', false, '.'),
    ('the organization', format('org_id = %L', tap.id('a')), false, 'another organization'),
    ('the number of rows', 'row_count = row_count - 1', false, 'another number of rows'),
    ('names of columns', $$columns = replace(columns::text, '"message"', '"massage"')::jsonb$$, false, 'other names'),
    ('types of columns', $$columns = replace(columns::text, '"bigint"', '"integer"')::jsonb$$, false, 'other names or types'),
    ('the summary', $$summary = '{}'$$, true, 'summary is not'),
    ('times', $$max_ts = max_ts + '1 us'$$, true, 'min_ts and max_ts'),
    ('words', 'words = set_byte(words, 100, get_byte(words, 100) # 1)', true, 'words are not');
CREATE FUNCTION tap.damage(d tap.damage) RETURNS SETOF text LANGUAGE plpgsql AS $function$
DECLARE
    damaged uuid;
BEGIN
    EXECUTE format(
        'UPDATE codeverify.packed_segments SET %s
         WHERE id = (SELECT id FROM codeverify.packed_segments WHERE org_id = tap.id(''b'') AND relation = ''observability.logs''::regclass
                     ORDER BY min_ts LIMIT 1)
         RETURNING id', d.statement)
    INTO STRICT damaged;
    IF d.is_read THEN
        RETURN NEXT lives_ok('SELECT tap.read_all()', format('%s do not matter to what is read', d.what));
    ELSE
        RETURN NEXT throws_ok('SELECT tap.read_all()', 'VC105', format('packed segment %s is damaged', damaged), format('changing %s is found', d.what));
    END IF;
    RETURN NEXT results_eq(
        format('SELECT segment, problem ~ %L FROM codeverify.verify_packed()', d.problem), format('VALUES (%L::uuid, true)', damaged),
        format('%s: verification says so', d.what));
    PERFORM tap.restore();
END
$function$;
SELECT tap.damage(d) FROM tap.damage AS d;
UPDATE codeverify.packed_segments SET content = set_byte(content, length(content) / 2, get_byte(content, length(content) / 2) # 1)
WHERE org_id = tap.id('b')
  AND relation = 'observability.logs'::regclass;
CALL tap.act('viewer', 'b');
SELECT throws_ok('SELECT * FROM observability.read_packed_logs()', 'VC105', NULL, 'a search is an error and never wrong');
SELECT throws_ok($$SELECT * FROM observability.count_packed_logs(NULL, NULL, '1 h')$$, 'VC105', NULL, 'so is a count');
CALL tap.act('viewer', 'a');
SELECT is((SELECT count(*) FROM observability.read_packed_logs()), 100::bigint, 'others go on');
RESET SESSION AUTHORIZATION;
SELECT tap.restore();

-- A step of maintenance after the other.
INSERT INTO codeverify.partition_sets (parent, period, premake, compress_after) VALUES ('observability.logs', 'day', 14, '30 days');
INSERT INTO observability.logs (org_id, ts, message)
VALUES (tap.id('a'), '2024-01-01 01:00:00+00', 'late'), (tap.id('a'), '2024-01-02 01:00:00+00', 'next');
SET LOCAL codeverify.clock = '2024-02-01 00:00:00+00';
CREATE FUNCTION tap.step() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(
        (SELECT format('%s %s %s', action, regexp_replace(detail, ', \d.*', ''), more) FROM codeverify.compress_rows('observability.logs')),
        'nothing')
$$;
SELECT is(tap.step(), 'packed 1 rows of observability.logs_2024_01_01 t', 'what is past compress_after is packed');
SELECT is(tap.step(), 'emptied observability.logs_2024_01_01 t', 'when nobody sees the rows any more, their room comes back');
SELECT is(tap.step(), 'dropped observability.logs_2024_01_01, which has been packed t', 'and the partition goes');
SELECT is(tap.step(), 'nothing', 'what is not is left');
SELECT is(
    (SELECT retired_until FROM codeverify.partition_sets WHERE parent = 'observability.logs'::regclass), '2024-01-02 00:00:00+00',
    'so that it is not made again');
INSERT INTO observability.logs (org_id, ts, message)
VALUES (tap.id('b'), '2023-12-31 23:59:59.999999+00', 'much too late'),
    (tap.id('a'), '2024-01-01 00:00:00+00', 'too late'),
    (tap.id('a'), '2024-01-01 23:59:59+00', 'too late'),
    (tap.id('a'), '2024-01-03 00:00:00+00', 'waits for its partition'),
    (tap.id('a'), '-infinity', 'of no day');
SELECT is(tap.step(), 'packed 1 rows that came too late for their partition of 2023-12-31 t', 'late rows follow, a period a step');
SELECT is(tap.step(), 'packed 2 rows that came too late for their partition of 2024-01-01 t', 'the next one');
SELECT is(tap.step(), 'nothing', 'until there are none');
SELECT is((SELECT count(*) FROM ONLY observability.logs_default), 2::bigint, 'others stay');
SET LOCAL codeverify.clock = '2024-02-02 00:00:00+00';
SELECT is(
    (SELECT array_agg(s::text) FROM codeverify.list_compressible_sets() AS s), '{observability.logs}', 'the set is due when a day is past');
SELECT is(tap.step(), 'packed 1 rows of observability.logs_2024_01_02 t', 'it goes on with the next day');
SELECT is(tap.step(), 'emptied observability.logs_2024_01_02 t', 'which is emptied as well');
SELECT is(tap.step(), 'dropped observability.logs_2024_01_02, which has been packed t', 'and goes');
SELECT is(codeverify.unpack_partition('observability.logs', '2024-01-01'), 2007::bigint, 'what is gone comes back to DEFAULT');
SELECT is(
    (SELECT count(*) FROM (TABLE tap.line EXCEPT ALL SELECT * FROM observability.logs) AS d), 0::bigint, 'as it was');
UPDATE codeverify.partition_sets SET compress_after = NULL;
SELECT is(tap.step(), 'nothing', 'without compress_after nothing is packed');
SELECT is_empty('SELECT codeverify.list_compressible_sets()', 'nor is a set due');

SELECT * FROM finish();
ROLLBACK;
