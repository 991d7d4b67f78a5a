-- Searching log lines: which are found, page by page, within bounds, and those of the organization in context only.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
DELETE FROM codeverify.packed_segments;

-- A day that is closed, with its indexes; the days since, without; and DEFAULT, long ago.
CREATE FUNCTION tap.midnight(days int)
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $function$
    SELECT date_trunc('day', now(), 'UTC') + days * interval '24 hours'
$function$;
GRANT EXECUTE ON FUNCTION tap.midnight(int) TO PUBLIC;

DO $indexes$
DECLARE
    closed constant name := 'logs_' || to_char(tap.midnight(-1) AT TIME ZONE 'UTC', 'YYYY_MM_DD');
BEGIN
    EXECUTE format('CREATE INDEX ON observability.%I USING gin (to_tsvector(''simple'', left(message, 100000)))', closed);
    EXECUTE format('CREATE INDEX ON observability.%I USING gin (meta_json jsonb_path_ops)', closed);
END
$indexes$;

DELETE FROM observability.logs;
INSERT INTO observability.logs (org_id, service_id, environment_id, ts, level, message, meta_json)
SELECT
    tap.id(o.name),
    CASE n.n % 3 WHEN 0 THEN tap.id('service of ' || o.name) END,
    CASE n.n % 2 WHEN 0 THEN tap.id('environment of ' || o.name) END,
    -- Seven lines at a time.
    tap.midnight(d.day) + (n.n / 7) * interval '1 minute',
    (ARRAY['info', 'warn', 'error', 'debug', 'fatal'])[1 + n.n % 5],
    format('Request %s to /api/items of %s took %s ms%s', n.n, o.name, n.n % 10, CASE WHEN n.n % 50 = 0 THEN ', timeout!' END),
    jsonb_build_object('status', 200 + n.n % 4, 'tags', jsonb_build_array('t' || n.n % 3))
FROM (VALUES ('a'), ('b')) AS o (name)
CROSS JOIN (VALUES (-1), (0), (-9)) AS d (day)
CROSS JOIN generate_series(1, 300) AS n (n);
INSERT INTO observability.logs (org_id, ts, message) VALUES (tap.id('a'), tap.midnight(-40), 'older than searched by default');

-- What a search is to find: all of it, without row security, limits or indexes.
CREATE FUNCTION tap.expected(condition text)
RETURNS TABLE (id bigint, ts timestamptz, level text, service_id uuid, environment_id uuid, message text, meta_json jsonb)
LANGUAGE plpgsql
AS $function$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT l.id, l.ts, l.level, l.service_id, l.environment_id, l.message, l.meta_json'
        ' FROM observability.logs AS l WHERE l.org_id = tap.id(''a'') AND l.ts >= now() - interval ''30 days'' AND (%s)'
        ' ORDER BY l.ts DESC, l.id DESC LIMIT 1000', condition);
END
$function$;
CREATE TABLE tap.finding (arguments text, what text, lines bigint, is_right boolean);
GRANT SELECT, INSERT, UPDATE ON tap.finding TO PUBLIC;
CREATE TABLE tap.found (arguments text, place bigint, id bigint, ts timestamptz, level text, service_id uuid, environment_id uuid, message text, meta_json jsonb);
GRANT SELECT, INSERT ON tap.found TO PUBLIC;
CREATE TABLE tap.search (arguments text, condition text, lines int);
GRANT SELECT ON tap.search TO PUBLIC;
INSERT INTO tap.search
VALUES ('', 'true', 900),
       ($$'timeout'$$, $$message LIKE '%timeout%'$$, 18),
       ($$'TIMEOUT'$$, $$message LIKE '%timeout%'$$, 18),
       ($$'timeout 300'$$, $$message LIKE 'Request 300 %'$$, 3),
       ($$'"took 3 ms"'$$, $$message LIKE '%took 3 ms%'$$, 90),
       ($$'"ms took"'$$, 'false', 0),
       ($$'timeout or 299'$$, $$message LIKE '%timeout%' OR message LIKE 'Request 299 %'$$, 21),
       ($$'request -timeout'$$, $$message NOT LIKE '%timeout%'$$, 882),
       ($$'-timeout'$$, $$message NOT LIKE '%timeout%'$$, 882),
       ($$'of b'$$, 'false', 0),
       ($$''$$, 'true', 900),
       ($$' '$$, 'true', 900),
       ($$'!!!'$$, 'false', 0),
       ($$level => 'error'$$, $$level = 'error'$$, 180),
       ($$'timeout', level => 'info'$$, $$message LIKE '%timeout%'$$, 18),
       ($$'timeout', level => 'error'$$, 'false', 0),
       ($$service_id => tap.id('service of a')$$, $$service_id = tap.id('service of a')$$, 300),
       ($$environment_id => tap.id('environment of a'), level => 'fatal'$$,
        $$environment_id = tap.id('environment of a') AND level = 'fatal'$$, 90),
       ($$service_id => tap.id('service of a'), environment_id => tap.id('environment of a'), query => '3'$$,
        $$service_id = tap.id('service of a') AND environment_id = tap.id('environment of a') AND message ~ '\m3\M'$$, NULL),
       ($$meta => '{"status": 203}'$$, $$meta_json @> '{"status": 203}'$$, 225),
       ($$meta => '{"tags": ["t1"], "status": 203}'$$, $$meta_json @> '{"status": 203, "tags": ["t1"]}'$$, 75),
       ($$meta => '{}'$$, 'true', 900),
       ($$meta => '[]'$$, 'false', 0),
       ($$'timeout', meta => '{"status": 202}'$$, $$message LIKE '%timeout%' AND meta_json @> '{"status": 202}'$$, 9),
       ($$since => tap.midnight(0)$$, 'ts >= tap.midnight(0)', 300),
       ($$since => tap.midnight(-1), until => tap.midnight(0)$$, 'ts >= tap.midnight(-1) AND ts < tap.midnight(0)', 300),
       ($$'timeout', since => tap.midnight(-1) + interval '7 minutes', until => tap.midnight(-1) + interval '28 minutes'$$,
        $$message LIKE '%timeout%' AND ts >= tap.midnight(-1) + interval '7 minutes' AND ts < tap.midnight(-1) + interval '28 minutes'$$, 3),
       ($$until => tap.midnight(-5)$$, 'ts < tap.midnight(-5)', 300),
       ($$since => tap.midnight(0), until => tap.midnight(0)$$, 'false', 0),
       ($$since => tap.midnight(1), until => tap.midnight(-1)$$, 'false', 0),
       ($$since => 'infinity'$$, 'false', 0),
       ($$until => 'infinity', level => 'debug'$$, $$level = 'debug'$$, 180),
       ($$until => '-infinity'$$, 'false', 0);

CREATE PROCEDURE tap.search_all()
LANGUAGE plpgsql
AS $procedure$
DECLARE
    arguments text;
BEGIN
    FOR arguments IN SELECT s.arguments FROM tap.search AS s LOOP
        EXECUTE format(
            'INSERT INTO tap.found'
            ' SELECT $1, row_number() OVER (), f.*'
            ' FROM observability.search_logs(%s max_rows => 1000) AS f',
            CASE WHEN arguments <> '' THEN arguments || ', ' END)
        USING arguments;
    END LOOP;
END
$procedure$;
GRANT EXECUTE ON PROCEDURE tap.search_all() TO PUBLIC;
CALL tap.act('viewer', 'a');
CALL tap.search_all();
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    format(
        'SELECT id, ts, level, service_id, environment_id, message, meta_json FROM tap.found WHERE arguments = %L ORDER BY place',
        s.arguments),
    format('SELECT * FROM tap.expected(%L)', s.condition),
    format('search_logs(%s) finds what it should, newest first', s.arguments))
FROM tap.search AS s;
SELECT is_empty(
    $$
        SELECT s.arguments, s.lines, count(f.id)
        FROM tap.search AS s
        LEFT JOIN tap.found AS f USING (arguments)
        GROUP BY s.arguments, s.lines
        HAVING count(f.id) <> s.lines
    $$,
    'which are as many as were put there');

-- The same when all partitions have their indexes, and when none has but the key.
TRUNCATE tap.found;
DO $indexes$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN SELECT p.partition FROM codeverify.list_set_partitions('observability.logs') AS p LOOP
        EXECUTE format('CREATE INDEX ON %s USING gin (to_tsvector(''simple'', left(message, 100000)))', partition);
        EXECUTE format('CREATE INDEX ON %s USING gin (meta_json jsonb_path_ops)', partition);
    END LOOP;
END
$indexes$;
CALL tap.act('viewer', 'a');
CALL tap.search_all();
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    format(
        'SELECT id FROM tap.expected(%L) EXCEPT SELECT id FROM tap.found WHERE arguments = %L', s.condition, s.arguments),
    format('with indexes everywhere search_logs(%s) finds the same', s.arguments))
FROM tap.search AS s;
SELECT is(
    (SELECT count(*) FROM tap.found AS f), (SELECT sum((SELECT count(*) FROM tap.expected(s.condition))) FROM tap.search AS s)::bigint,
    'and nothing else');
TRUNCATE tap.found;
DROP INDEX observability.logs_scope_ts_idx, observability.logs_org_ts_idx, observability.logs_level_idx;
DO $indexes$
DECLARE
    gin regclass;
BEGIN
    FOR gin IN
        SELECT i.indexrelid
        FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_am AS m ON m.oid = c.relam
        JOIN pg_inherits AS h ON h.inhrelid = i.indrelid
        WHERE m.amname = 'gin' AND h.inhparent = 'observability.logs'::regclass
    LOOP
        EXECUTE format('DROP INDEX %s', gin);
    END LOOP;
END
$indexes$;
CALL tap.act('viewer', 'a');
CALL tap.search_all();
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    format('SELECT id FROM tap.found WHERE arguments = %L ORDER BY place', s.arguments),
    format('SELECT id FROM tap.expected(%L)', s.condition),
    format('with no index but the key search_logs(%s) finds the same', s.arguments))
FROM tap.search AS s;

-- Page by page: every line once, in order, though seven have the same time.
CREATE FUNCTION tap.pages(arguments text, page int)
RETURNS TABLE (place bigint, id bigint)
LANGUAGE plpgsql
AS $function$
DECLARE
    last bigint;
BEGIN
    place := 0;
    LOOP
        FOR id IN EXECUTE format(
            'SELECT f.id FROM observability.search_logs(%s max_rows => $1, before_id => $2) AS f',
            CASE WHEN arguments <> '' THEN arguments || ', ' END)
            USING page, last
        LOOP
            place := place + 1;
            last := id;
            RETURN NEXT;
        END LOOP;
        -- Past 30 pages there is a loop.
        EXIT WHEN place % page <> 0 OR last IS NULL OR place >= 1000 OR place = 0;
        IF NOT EXISTS (SELECT FROM observability.search_logs(before_id => last, max_rows => 1)) THEN
            EXIT;
        END IF;
    END LOOP;
END
$function$;
GRANT EXECUTE ON FUNCTION tap.pages(text, int) TO PUBLIC;
CREATE TABLE tap.paged (arguments text, page int, place bigint, id bigint);
GRANT INSERT ON tap.paged TO PUBLIC;
CALL tap.act('viewer', 'a');
INSERT INTO tap.paged
SELECT c.arguments, c.page, p.place, p.id
FROM (VALUES ('', 100), ('', 37), ($$'"took 3 ms"'$$, 8), ($$level => 'error'$$, 25), ($$meta => '{"status": 203}'$$, 50))
    AS c (arguments, page)
CROSS JOIN LATERAL tap.pages(c.arguments, c.page) AS p;
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    format('SELECT id FROM tap.paged WHERE arguments = %L AND page = %s ORDER BY place', c.arguments, c.page),
    format('SELECT id FROM tap.expected(%L)', s.condition),
    format('pages of %s of search_logs(%s) have every line once', c.page, c.arguments))
FROM (VALUES ('', 100), ('', 37), ($$'"took 3 ms"'$$, 8), ($$level => 'error'$$, 25), ($$meta => '{"status": 203}'$$, 50))
    AS c (arguments, page)
JOIN tap.search AS s USING (arguments);

-- Limits.
CALL tap.act('viewer', 'a');
SELECT is((SELECT count(*) FROM observability.search_logs()), 100::bigint, 'a page has 100 lines by default');
SELECT is((SELECT count(*) FROM observability.search_logs(max_rows => NULL)), 100::bigint, 'or with NULL');
SELECT is((SELECT count(*) FROM observability.search_logs(max_rows => 7)), 7::bigint, 'or as many as asked for');
SELECT is((SELECT count(*) FROM observability.search_logs(max_rows => 0)), 0::bigint, 'or none');
SELECT is((SELECT count(*) FROM observability.search_logs(max_rows => -1)), 0::bigint, 'or fewer, which is none');
SELECT is(
    (SELECT count(*) FROM observability.search_logs('older', since => '-infinity')), 1::bigint,
    'what is more than 30 days old is found with a since');
SELECT is((SELECT count(*) FROM observability.search_logs('older')), 0::bigint, 'and not without');
SELECT throws_ok(
    $$SELECT observability.search_logs(level => 'warning')$$, 'VC102', '"warning" is not a level', 'a level must be one');

-- Where no index helps, so many lines are read and no more. The warning that says so, and how to go on, is in
-- tests/clients/psycopg_logs.py.
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT count(*)
     FROM observability.find_logs(tap.id('a'), 'timeout', NULL, NULL, NULL, NULL, NULL, NULL, 1000, NULL, s.scan_limit)),
    s.lines, format('of %s lines that are read', s.scan_limit))
FROM (VALUES (300, 6::bigint), (700, 14), (901, 18)) AS s (scan_limit, lines);

-- Words that no text search can hold, and messages that are too long for one.
INSERT INTO observability.logs (org_id, message)
VALUES (tap.id('a'), 'long ' || repeat('x', 3000) || ' tail'),
       (tap.id('a'), (SELECT string_agg(n::text, ' ') FROM generate_series(1, 160000) AS n)),
       (tap.id('a'), repeat('y', 100000) || ' beyond');
CALL tap.act('viewer', 'a');
SELECT is((SELECT count(*) FROM observability.search_logs('tail')), 1::bigint, 'a word of 3 kB is passed over');
SELECT is((SELECT count(*) FROM observability.search_logs('9999 10000')), 1::bigint, 'of a message of 1 MB the beginning is searched');
SELECT is((SELECT count(*) FROM observability.search_logs('beyond')), 0::bigint, 'and not what follows');
SELECT is(
    (SELECT count(*) FROM observability.search_logs(q.query)), 0::bigint, format('%s finds nothing', left(q.query, 20)))
FROM (VALUES
    ($$' OR 1=1 --$$), ($$'); DROP TABLE observability.logs; --$$), ($$%L$$), ($$%1$s$$), ($$"unclosed$$), ($$-$$), ($$& | ! ( ) <->$$),
    ($$\$$), ($$a:*b\:c'd$$), ($$or or or$$), (repeat('z', 10000)), (repeat('"', 10001)), (repeat('zz ', 100000)), (repeat('z or ', 100000)), (repeat('z-z ', 2500))) AS q (query);

-- Other organizations.
SELECT is_empty(
    $$SELECT FROM observability.search_logs(service_id => tap.id('service of b'))$$, 'a service of another organization has no lines');
SELECT is_empty(
    $$SELECT FROM observability.search_logs(environment_id => tap.id('environment of b'))$$, 'nor has an environment');
RESET SESSION AUTHORIZATION;
SELECT set_config('tap.other', (SELECT max(l.id) FROM observability.logs AS l WHERE l.org_id = tap.id('b'))::text, true) \g /dev/null
CALL tap.act('viewer', 'a');
SELECT is_empty(
    $$SELECT FROM observability.search_logs(before_id => current_setting('tap.other')::bigint)$$,
    'a line of another organization is no place to go on from');
SELECT is_empty('SELECT FROM observability.search_logs(before_id => 9223372036854775807)', 'nor is one that does not exist');
CALL tap.act('owner', 'a', 'tap_service');
SELECT is((SELECT count(*) FROM observability.search_logs('timeout')), 18::bigint, 'the service searches for the organization it acts for');
CALL tap.act();
SELECT throws_ok('SELECT observability.search_logs()', 'VC011', NULL, 'nobody searches without a context');
CALL tap.act('owner', 'a', 'tap_auditor');
SELECT throws_ok('SELECT observability.search_logs()', '42501', NULL, 'nor as an auditor');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT observability.find_logs(tap.id('b'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL, 1)$$, '42501', NULL,
    'nor past the check of the context');

SELECT * FROM finish();
ROLLBACK;
