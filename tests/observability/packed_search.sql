-- Searching and counting find the same before and after a day is packed, also page by page, and late lines beside it.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
DELETE FROM codeverify.packed_segments;

-- Yesterday has a partition.
CREATE FUNCTION tap.yesterday()
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $function$
    SELECT date_trunc('day', now(), 'UTC') - interval '24 hours'
$function$;
GRANT EXECUTE ON FUNCTION tap.yesterday() TO PUBLIC;
DELETE FROM observability.logs;
INSERT INTO observability.logs (org_id, service_id, environment_id, ts, level, message, meta_json)
SELECT
    tap.id(o.name),
    CASE n.n % 3 WHEN 0 THEN tap.id('service of ' || o.name) END,
    CASE n.n % 2 WHEN 0 THEN tap.id('environment of ' || o.name) END,
    tap.yesterday() + d.hours * interval '1 hour' + (n.n / 7) * interval '1 minute',
    (ARRAY['info', 'warn', 'error', 'debug', 'fatal'])[1 + n.n % 5],
    format('Request %s of %s took %s ms%s', n.n, o.name, n.n % 10, CASE WHEN n.n % 50 = 0 THEN ', timeout!' END),
    jsonb_build_object('status', 200 + n.n % 4)
FROM (VALUES ('a'), ('b')) AS o (name)
CROSS JOIN (VALUES (0), (20), (24), (-200)) AS d (hours)
CROSS JOIN generate_series(1, 200) AS n (n);

CREATE TABLE tap.search (arguments text);
INSERT INTO tap.search
VALUES (''), ($$'timeout',$$), ($$'"took 3 ms"',$$), ($$'timeout or 199',$$), ($$'-timeout',$$), ($$level => 'error',$$),
       ($$service_id => tap.id('service of a'),$$), ($$environment_id => tap.id('environment of a'), level => 'fatal',$$),
       ($$meta => '{"status": 203}',$$), ($$'timeout', meta => '{"status": 202}',$$), ($$until => tap.yesterday() + interval '10 hours',$$),
       ($$since => tap.yesterday() + interval '10 hours',$$), ($$'nothing has this',$$), ($$max_rows => 150,$$);
GRANT SELECT ON tap.search TO PUBLIC;
CREATE TABLE tap.found (
    packed text, arguments text, place bigint, id bigint, ts timestamptz, level text, service_id uuid, environment_id uuid,
    message text, meta_json jsonb);
GRANT INSERT, SELECT ON tap.found TO PUBLIC;
CREATE TABLE tap.counted (packed text, bucket timestamptz, level text, lines bigint);
GRANT INSERT ON tap.counted TO PUBLIC;

CREATE PROCEDURE tap.search_all(packed text)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    arguments text;
    last bigint;
    page bigint;
    total bigint;
BEGIN
    FOR arguments IN SELECT s.arguments FROM tap.search AS s LOOP
        EXECUTE format(
            'INSERT INTO tap.found SELECT $1, $2, row_number() OVER (), f.* FROM observability.search_logs(%s) AS f',
            CASE WHEN arguments LIKE '%max_rows%' THEN rtrim(arguments, ',') ELSE arguments || ' max_rows => 1000' END)
        USING packed, arguments;
    END LOOP;
    -- All of it, in pages that end within a time.
    total := 0;
    LOOP
        INSERT INTO tap.found
        SELECT search_all.packed, 'pages', total + row_number() OVER (), f.*
        FROM observability.search_logs(before_id => last, max_rows => 45) AS f;
        GET DIAGNOSTICS page = ROW_COUNT;
        EXIT WHEN page = 0;
        total := total + page;
        SELECT f.id INTO last FROM tap.found AS f WHERE f.packed = search_all.packed AND f.arguments = 'pages' AND f.place = total;
    END LOOP;
    INSERT INTO tap.counted
    SELECT search_all.packed, v.*
    FROM observability.log_volume(tap.yesterday() - interval '3 hours', tap.yesterday() + interval '30 hours', '17 minutes') AS v;
    INSERT INTO tap.counted
    SELECT search_all.packed || ' by week', v.*
    FROM observability.log_volume(tap.yesterday() - interval '30 days', tap.yesterday() + interval '30 days', '7 days') AS v;
END
$procedure$;
GRANT EXECUTE ON PROCEDURE tap.search_all(text) TO PUBLIC;

-- What alert rules count: the whole day, a part of it, and times on both sides of its end, by what they group by.
CREATE TABLE tap.observed (packed text, params jsonb, ends timestamptz, scope text, service_id uuid, environment_id uuid, lines numeric);
CREATE PROCEDURE tap.count_errors(packed text)
LANGUAGE sql
AS $procedure$
    INSERT INTO tap.observed
    SELECT packed, p.params, e.ends, c.scope, c.service_id, c.environment_id, c.observed
    FROM (
        VALUES ('{"window_minutes": 1440}'::jsonb), ('{"window_minutes": 17, "group_by": []}'),
               ('{"window_minutes": 300, "levels": ["warn"], "group_by": ["environment"]}'),
               ('{"window_minutes": 1440, "levels": ["trace"], "group_by": []}'),
               (jsonb_build_object('window_minutes', 1440, 'service_id', tap.id('service of a'), 'environment_id', tap.id('environment of a')))
    ) AS p (params)
    CROSS JOIN (
        SELECT tap.yesterday() + h.hours * interval '1 hour' FROM (VALUES (-3), (0.2), (20.25), (24), (24.2)) AS h (hours)
    ) AS e (ends)
    CROSS JOIN LATERAL observability.count_errors(
        tap.id('a'), observability.complete_alert_params('error_count', p.params), e.ends) AS c
$procedure$;

CALL tap.count_errors('before');
CALL tap.act('viewer', 'a');
CALL tap.search_all('before');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT count(*) FROM tap.found AS f WHERE f.arguments = 'pages'), 800::bigint, 'there are lines of four times to find');

DO $pack$
BEGIN
    PERFORM codeverify.pack_partition(
        'observability.logs',
        format('observability.logs_%s', to_char(tap.yesterday() AT TIME ZONE 'UTC', 'YYYY_MM_DD'))::regclass);
END
$pack$;
SELECT is(
    (SELECT sum(s.row_count) FROM codeverify.packed_segments AS s), 800::bigint, 'those of yesterday are packed, of both organizations');
SELECT is_empty(
    $$SELECT FROM observability.logs AS l WHERE l.ts >= tap.yesterday() AND l.ts < tap.yesterday() + interval '1 day'$$,
    'and gone from the table');

CALL tap.act('viewer', 'a');
CALL tap.search_all('after');
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        (SELECT arguments, place, id, ts, level, service_id, environment_id, message, meta_json FROM tap.found WHERE packed = 'before'
         EXCEPT ALL
         SELECT arguments, place, id, ts, level, service_id, environment_id, message, meta_json FROM tap.found WHERE packed = 'after')
        UNION ALL
        (SELECT arguments, place, id, ts, level, service_id, environment_id, message, meta_json FROM tap.found WHERE packed = 'after'
         EXCEPT ALL
         SELECT arguments, place, id, ts, level, service_id, environment_id, message, meta_json FROM tap.found WHERE packed = 'before')
    $$,
    'every search finds the same lines in the same order');
SELECT bag_eq(
    $$SELECT replace(packed, 'after', 'before'), bucket, level, lines FROM tap.counted WHERE packed LIKE 'after%'$$,
    $$SELECT packed, bucket, level, lines FROM tap.counted WHERE packed LIKE 'before%'$$,
    'and every count is the same');
SELECT is(
    (SELECT sum(lines) FROM tap.counted WHERE packed = 'after'), 600::numeric, 'of the lines that there are');
CALL tap.count_errors('after');
SELECT bag_eq(
    $$SELECT params, ends, scope, service_id, environment_id, lines FROM tap.observed WHERE packed = 'after'$$,
    $$SELECT params, ends, scope, service_id, environment_id, lines FROM tap.observed WHERE packed = 'before'$$,
    'alert rules count packed lines');
SELECT is(
    (SELECT sum(o.lines) FROM tap.observed AS o
     WHERE o.packed = 'after' AND o.ends = tap.yesterday() + interval '24 hours' AND o.params = '{"window_minutes": 1440}'),
    (SELECT count(*)::numeric FROM tap.found AS f
     WHERE f.packed = 'before' AND f.arguments = 'pages' AND f.level IN ('error', 'fatal')
       AND f.ts > tap.yesterday() AND f.ts <= tap.yesterday() + interval '24 hours'),
    'all of them');

-- A line that comes late is found beside the packed ones.
INSERT INTO observability.logs (org_id, ts, message)
VALUES (tap.id('a'), tap.yesterday() + interval '20 hours 5 minutes', 'late timeout'),
       (tap.id('b'), tap.yesterday() + interval '20 hours 5 minutes', 'late timeout');
CALL tap.act('viewer', 'a');
SELECT is(
    (SELECT count(*) FROM observability.search_logs('timeout', since => tap.yesterday(), until => tap.yesterday() + interval '1 day')),
    9::bigint, 'late lines are found beside packed ones');
SELECT is(
    (SELECT array_agg(f.ts ORDER BY f.place) = array_agg(f.ts ORDER BY f.ts DESC)
     FROM (SELECT s.ts, row_number() OVER () AS place FROM observability.search_logs(max_rows => 1000) AS s) AS f),
    true, 'in their place');
SELECT is(
    (SELECT sum(v.lines) FROM observability.log_volume(tap.yesterday(), tap.yesterday() + interval '1 day', '1 hour') AS v),
    401::numeric, 'and counted');

-- A line that another organization has packed is no place to go on from.
RESET SESSION AUTHORIZATION;
SELECT set_config('tap.packed', (SELECT max((s.summary -> 'id' ->> 'max')::bigint) FROM codeverify.packed_segments AS s WHERE s.org_id = tap.id('b'))::text, true) \g /dev/null
CALL tap.act('viewer', 'a');
SELECT is_empty(
    $$SELECT FROM observability.search_logs(before_id => current_setting('tap.packed')::bigint)$$,
    'a packed line of another organization is no place to go on from');

-- What cannot be read is not passed over.
RESET SESSION AUTHORIZATION;
UPDATE codeverify.packed_segments SET content = 'damaged' WHERE org_id = tap.id('a');
CALL tap.act('viewer', 'a');
SELECT throws_ok(
    'SELECT FROM observability.search_logs(max_rows => 1000)', 'VC105', NULL, 'a damaged segment is an error of its own');
SELECT is(
    (SELECT count(*) FROM observability.search_logs(max_rows => 10)), 10::bigint, 'for who reads that far');

SELECT * FROM finish();
ROLLBACK;
