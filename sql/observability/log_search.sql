-- What of observability.logs can be read in one go: from the bounds of one partition to those of the next, or what lies
-- between them, which is packed or in DEFAULT.

CREATE FUNCTION observability.list_log_windows(tenant uuid, since timestamptz, until timestamptz)
RETURNS TABLE (window_start timestamptz, window_end timestamptz, partition regclass, is_packed boolean)
LANGUAGE plpgsql
STABLE
ROWS 30
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    WITH part AS MATERIALIZED (
        SELECT p.partition, p.lower_bound, p.upper_bound, p.is_default
        FROM codeverify.list_set_partitions('observability.logs'::regclass) AS p
        WHERE p.is_default
           OR p.lower_bound < until AND p.upper_bound > since
    ),
    packed AS MATERIALIZED (
        SELECT DISTINCT s.period_start, s.period_end
        FROM codeverify.packed_segments AS s
        WHERE s.org_id = tenant
          AND s.relation = 'observability.logs'::regclass
          AND s.max_ts >= since
          AND s.min_ts < until
    ),
    span AS (
        SELECT b.bound AS opens, pg_catalog.lead(b.bound) OVER (ORDER BY b.bound) AS closes
        FROM (
            VALUES (since), (until)
            UNION
            -- What is ahead of the clock is next to nothing: it is one window with today.
            SELECT e.bound
            FROM part AS p
            CROSS JOIN LATERAL (VALUES (p.lower_bound), (p.upper_bound)) AS e (bound)
            WHERE e.bound > since
              AND e.bound < until
              AND e.bound <= pg_catalog.now()
            UNION
            SELECT e.bound
            FROM packed AS p
            CROSS JOIN LATERAL (VALUES (p.period_start), (p.period_end)) AS e (bound)
            WHERE e.bound > since
              AND e.bound < until
              AND e.bound <= pg_catalog.now()
        ) AS b (bound)
    )
    SELECT
        s.opens,
        s.closes,
        coalesce(
            (SELECT p.partition FROM part AS p WHERE p.lower_bound <= s.opens AND p.upper_bound > s.opens),
            (SELECT p.partition FROM part AS p WHERE p.is_default),
            'observability.logs'::regclass),
        EXISTS (SELECT FROM packed AS p WHERE p.period_start < s.closes AND p.period_end > s.opens)
    FROM span AS s
    WHERE s.closes IS NOT NULL
    ORDER BY s.opens DESC;
END
$function$;
COMMENT ON FUNCTION observability.list_log_windows(uuid, timestamptz, timestamptz) IS
    'The time from "since" on and before "until", cut at the bounds of the partitions of observability.logs and of the periods in which the organization has packed lines, newest first, each with the partition that holds it, which is DEFAULT where there is none of its own. What is ahead of the clock belongs to the window of now.';

CREATE FUNCTION observability.hold_logs(since timestamptz, until timestamptz)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- The names are those of partitions, quoted.
    partitions text;
BEGIN
    -- With it none is dropped before it is locked itself.
    LOCK TABLE ONLY observability.logs IN ACCESS SHARE MODE;
    SELECT pg_catalog.string_agg('ONLY ' || p.partition::text, ', ')
    INTO partitions
    FROM codeverify.list_set_partitions('observability.logs'::regclass) AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.partition AND c.relkind <> 'f'
    WHERE p.is_default
       OR p.lower_bound < until AND p.upper_bound > since;
    IF partitions IS NOT NULL THEN
        EXECUTE 'LOCK TABLE ' || partitions || ' IN ACCESS SHARE MODE';
    END IF;
END
$function$;
COMMENT ON FUNCTION observability.hold_logs(timestamptz, timestamptz) IS
    'Keeps the partitions of observability.logs that have lines from "since" on and before "until" from leaving the table until the transaction ends, between when they are found and when they are read.';

CREATE FUNCTION observability.find_logs(
    tenant uuid,
    query text,
    of_service uuid,
    of_environment uuid,
    of_level text,
    since timestamptz,
    until timestamptz,
    of_meta jsonb,
    max_rows int,
    before_id bigint,
    scan_limit int)
RETURNS TABLE (
    id bigint,
    ts timestamptz,
    level text,
    service_id uuid,
    environment_id uuid,
    message text,
    meta_json jsonb)
LANGUAGE plpgsql
-- One snapshot for all of its statements: a day that is packed between two of them is found as rows or packed, once.
STABLE
ROWS 100
SET search_path = pg_catalog, pg_temp
-- A text search says of each word above 2 kB that it is none.
SET client_min_messages = 'warning'
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- The statements are put together from literals that are written here, %L of ids and times, and parameters.
    columns constant text := 'l.id, l.ts, l.level, l.service_id, l.environment_id, l.message, l.meta_json';
    newest_first constant text := 'ORDER BY l.ts DESC, l.id DESC';
    -- Of a query without end: each word is a level deeper, and the server's stack is not.
    terms constant tsquery := CASE
        WHEN query ~ '\S' THEN pg_catalog.websearch_to_tsquery('pg_catalog.simple', pg_catalog."left"(query, 4000))
    END;
    words_by_index constant boolean := terms IS NOT NULL AND pg_catalog.querytree(terms) NOT IN ('', 'T');
    -- What a btree or a cheap comparison decides.
    scope constant text := pg_catalog.concat(
        pg_catalog.format('l.org_id = %L', tenant),
        CASE WHEN of_service IS NOT NULL THEN ' AND l.service_id = $1' END,
        CASE WHEN of_environment IS NOT NULL THEN ' AND l.environment_id = $2' END,
        CASE WHEN of_level IS NOT NULL THEN ' AND l.level = $3' END);
    -- What takes reading the line.
    filter constant text := pg_catalog.concat_ws(
        ' AND ',
        CASE WHEN terms IS NOT NULL
            THEN 'pg_catalog.to_tsvector(''pg_catalog.simple'', pg_catalog."left"(l.message, 100000)) @@ $4'
        END,
        CASE WHEN of_meta IS NOT NULL THEN 'l.meta_json @> $5' END);
    -- Of up to "few" lines that an index finds, all are read and sorted. When there are more, the word is frequent, and
    -- is looked for in the newest lines first.
    few constant int := 5000;
    newest constant int := 20000;
    before_ts timestamptz;
    day regclass;
    span record;
    has_index boolean;
    is_ordered boolean;
    piece interval;
    piece_start timestamptz;
    piece_end timestamptz;
    source text;
    to_scan int;
    scannable int := scan_limit;
    total bigint;
    fetched bigint;
    last_ts timestamptz;
    last_id bigint;
    last_place bigint;
    missing bigint := least(coalesce(max_rows, 100), 1000);
BEGIN
    IF of_level NOT IN ('trace', 'debug', 'info', 'warn', 'error', 'fatal') THEN
        RAISE EXCEPTION '"%" is not a level', of_level
            USING ERRCODE = 'VC102',
                  HINT = 'Use one of trace, debug, info, warn, error and fatal.';
    END IF;
    until := coalesce(until, 'infinity');
    since := coalesce(since, least(until, pg_catalog.now()) - interval '30 days');
    IF pg_catalog.numnode(terms) = 0 OR missing <= 0 OR since >= until THEN
        RETURN;
    END IF;
    PERFORM observability.hold_logs(since, until);

    IF before_id IS NOT NULL THEN
        EXECUTE pg_catalog.format(
            'SELECT l.ts FROM observability.logs AS l'
            ' WHERE l.org_id = %L AND l.id = %L AND l.ts >= %L AND l.ts < %L',
            tenant, before_id, since, until)
        INTO before_ts;
        IF before_ts IS NULL THEN
            SELECT l.ts
            INTO before_ts
            FROM codeverify.packed_segments AS s
            CROSS JOIN LATERAL codeverify.segment_rows(s.id) AS l (id bigint, ts timestamptz)
            WHERE s.org_id = tenant
              AND s.relation = 'observability.logs'::regclass
              AND s.max_ts >= since
              AND s.min_ts < until
              AND coalesce(find_logs.before_id >= (s.summary -> 'id' ->> 'min')::bigint, true)
              AND coalesce(find_logs.before_id <= (s.summary -> 'id' ->> 'max')::bigint, true)
              AND l.id = find_logs.before_id
              AND l.ts >= since
              AND l.ts < until;
        END IF;
        IF before_ts IS NULL THEN
            RETURN;
        END IF;
        until := before_ts + interval '1 microsecond';
    END IF;

    -- A search of one day is read from that day's partition, which costs less to plan than the table.
    SELECT i.inhrelid::regclass
    INTO day
    FROM pg_catalog.pg_inherits AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhrelid = pg_catalog.to_regclass('observability.logs_' || pg_catalog.to_char(since, 'YYYY_MM_DD'))
      AND i.inhparent = 'observability.logs'::regclass
      AND until <= pg_catalog.date_trunc('day', since) + interval '1 day'
      AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) = pg_catalog.format(
          'FOR VALUES FROM (%L) TO (%L)',
          pg_catalog.date_trunc('day', since),
          pg_catalog.date_trunc('day', since) + interval '1 day')
      AND NOT EXISTS (
          SELECT
          FROM codeverify.packed_segments AS s
          WHERE s.org_id = tenant
            AND s.relation = 'observability.logs'::regclass
            AND s.max_ts >= since
            AND s.min_ts < until);

    FOR span IN
        SELECT since AS window_start, until AS window_end, day AS partition, false AS is_packed
        WHERE day IS NOT NULL
        UNION ALL
        (
            SELECT w.window_start, w.window_end, w.partition, w.is_packed
            FROM observability.list_log_windows(tenant, since, until) AS w
            WHERE day IS NULL
        )
    LOOP
        SELECT
            coalesce(pg_catalog.bool_or(
                m.amname = 'gin'
                AND (words_by_index
                     AND i.indkey[0] = 0
                     AND pg_catalog.pg_get_indexdef(i.indexrelid, 1, false)
                         = 'to_tsvector(''simple''::regconfig, "left"(message, 100000))'
                     OR of_meta IS NOT NULL
                     AND a.attname = 'meta_json')), false),
            coalesce(pg_catalog.bool_or(m.amname = 'btree' AND a.attname = 'org_id' AND b.attname = 'ts'), false)
        INTO has_index, is_ordered
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        LEFT JOIN pg_catalog.pg_attribute AS b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[1]
        WHERE i.indrelid = span.partition
          AND i.indisvalid
          AND i.indpred IS NULL;

        -- Where no index has the lines in order, all of a window would be read for the newest ones. So it is read in
        -- pieces from its end on, each twice as long as the one before.
        piece := '15 minutes';
        piece_end := span.window_end;
        LOOP
            piece_start := CASE
                WHEN is_ordered OR has_index OR span.is_packed OR piece > interval '30 days' THEN span.window_start
                ELSE greatest(span.window_start, least(piece_end, pg_catalog.now()) - piece)
            END;
            source := pg_catalog.concat(
                ' FROM ', coalesce(day, 'observability.logs'::regclass), ' AS l WHERE ', scope,
                pg_catalog.format(' AND l.ts >= %L AND l.ts < %L', piece_start, piece_end),
                CASE WHEN before_id IS NOT NULL
                    THEN pg_catalog.format(' AND (l.ts, l.id) < (%L, %L)', before_ts, before_id)
                END,
                ' ');

            IF span.is_packed THEN
                -- What is not packed of such a day are a few late lines.
                RETURN QUERY EXECUTE pg_catalog.concat(
                    'SELECT ', columns, ' FROM ((SELECT ', columns, source, 'AND ', coalesce(nullif(filter, ''), 'true'),
                    ' ', newest_first, ' LIMIT $6) UNION ALL (SELECT ', columns,
                    ' FROM codeverify.scan_packed_logs($7, $8, $9, $4, $1, $2, $3, $5, $6::int, $10, $11) AS l)) AS l ',
                    newest_first, ' LIMIT $6')
                USING of_service, of_environment, of_level, terms, of_meta, missing,
                    tenant, piece_start, piece_end, before_ts, before_id;
                GET DIAGNOSTICS fetched = ROW_COUNT;
                missing := missing - fetched;
            ELSIF filter = '' THEN
                RETURN QUERY EXECUTE pg_catalog.concat('SELECT ', columns, source, newest_first, ' LIMIT $6')
                USING of_service, of_environment, of_level, terms, of_meta, missing;
                GET DIAGNOSTICS fetched = ROW_COUNT;
                missing := missing - fetched;
            ELSE
                to_scan := scannable;
                IF has_index THEN
                    to_scan := 0;
                    FOR id, ts, level, service_id, environment_id, message, meta_json, total IN EXECUTE pg_catalog.concat(
                        'WITH found AS MATERIALIZED (SELECT ', columns, source, 'AND ', filter, ' LIMIT $7 + 1)',
                        ' SELECT ', columns, ', (SELECT count(*) FROM found) AS total FROM found AS l ',
                        newest_first, ' LIMIT $6')
                        USING of_service, of_environment, of_level, terms, of_meta, missing, few
                    LOOP
                        IF total > few THEN
                            to_scan := newest;
                            EXIT;
                        END IF;
                        RETURN NEXT;
                        missing := missing - 1;
                    END LOOP;
                END IF;

                IF to_scan > 0 THEN
                    RETURN QUERY EXECUTE pg_catalog.concat(
                        'SELECT ', columns, ' FROM (SELECT ', columns, source, newest_first, ' LIMIT $7) AS l',
                        ' WHERE ', filter, ' ', newest_first, ' LIMIT $6')
                    USING of_service, of_environment, of_level, terms, of_meta, missing, to_scan;
                    GET DIAGNOSTICS fetched = ROW_COUNT;
                    missing := missing - fetched;
                END IF;
                IF to_scan > 0 AND missing > 0 THEN
                    -- The last line that was read, and how many they were.
                    EXECUTE pg_catalog.concat(
                        'SELECT l.ts, l.id, l.place FROM (',
                        'SELECT l.ts, l.id, pg_catalog.row_number() OVER (', newest_first, ') AS place',
                        source, newest_first, ' LIMIT $7) AS l ORDER BY l.place DESC LIMIT 1')
                    INTO last_ts, last_id, last_place
                    USING of_service, of_environment, of_level, terms, of_meta, missing, to_scan;
                    IF last_place = to_scan AND has_index THEN
                        RETURN QUERY EXECUTE pg_catalog.concat(
                            'SELECT ', columns, source, pg_catalog.format('AND (l.ts, l.id) < (%L, %L)', last_ts, last_id),
                            ' AND ', filter, ' ', newest_first, ' LIMIT $6')
                        USING of_service, of_environment, of_level, terms, of_meta, missing;
                        GET DIAGNOSTICS fetched = ROW_COUNT;
                        missing := missing - fetched;
                    ELSIF last_place = to_scan THEN
                        RAISE WARNING 'the search stopped after % lines that no index has the words or values of', scan_limit
                            USING ERRCODE = 'VC103',
                                  DETAIL = pg_catalog.format('Lines before %s were not looked at.', last_ts),
                                  HINT = pg_catalog.format('Go on with before_id => %s, or narrow the search.', last_id);
                        RETURN;
                    ELSIF NOT has_index THEN
                        scannable := scannable - coalesce(last_place, 0);
                    END IF;
                END IF;
            END IF;

            IF missing <= 0 THEN
                RETURN;
            END IF;
            EXIT WHEN piece_start <= span.window_start;
            piece_end := piece_start;
            piece := piece * 2;
        END LOOP;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION observability.find_logs(uuid, text, uuid, uuid, text, timestamptz, timestamptz, jsonb, int, bigint, int) IS
    'What observability.search_logs() returns, for an organization that has been checked: partition by partition from the newest on, until there are max_rows. Lines of partitions without an index for the words or values are read one by one, at most scan_limit; when these do not suffice, it warns with VC103. Raises VC102 for an unknown level.';

CREATE FUNCTION observability.search_logs(
    query text DEFAULT NULL,
    service_id uuid DEFAULT NULL,
    environment_id uuid DEFAULT NULL,
    level text DEFAULT NULL,
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL,
    meta jsonb DEFAULT NULL,
    max_rows int DEFAULT 100,
    before_id bigint DEFAULT NULL)
RETURNS TABLE (
    id bigint,
    ts timestamptz,
    level text,
    service_id uuid,
    environment_id uuid,
    message text,
    meta_json jsonb)
LANGUAGE sql
VOLATILE
SECURITY DEFINER
ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Some parameters have the names of columns.
    SELECT f.id, f.ts, f.level, f.service_id, f.environment_id, f.message, f.meta_json
    FROM observability.find_logs(
        tenancy.require_permission('read'),
        $1, $2, $3, $4, $5, $6, $7, $8, $9,
        scan_limit => 100000) AS f
$function$;
COMMENT ON FUNCTION observability.search_logs(text, uuid, uuid, text, timestamptz, timestamptz, jsonb, int, bigint) IS
    'Log lines of the organization in context, newest first: with all the words of query in the first 100,000 characters of the message ("quoted phrases", or and -without as in a web search, of which 4,000 characters count; no query for any line), of a service, an environment and exactly one level, from since on (30 days before until, or now, by default) and before until, with metadata that contains meta. At most max_rows (100, up to 1000); the next page is what comes before the line before_id. Warns with VC103 when it stopped in a partition that is still open before it found enough. Takes the permission read. Raises VC011 without a context, VC102 for an unknown level. Example: SELECT ts, message FROM observability.search_logs(''timeout -retry'', level => ''error'', since => now() - interval ''1 hour'');';
GRANT EXECUTE ON FUNCTION observability.search_logs(text, uuid, uuid, text, timestamptz, timestamptz, jsonb, int, bigint)
TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.count_logs(tenant uuid, since timestamptz, until timestamptz, width interval)
RETURNS TABLE (bucket timestamptz, level text, lines bigint)
LANGUAGE plpgsql
-- As observability.find_logs().
STABLE
ROWS 1000
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $function$
DECLARE
    -- @plpgsql_check_options: extra_warnings = off
    -- RETURN QUERY sets the columns. Weeks begin on a Monday.
    origin constant timestamptz := '2000-01-03 00:00:00+00'::timestamptz;
    most constant int := 10000;
    opens timestamptz;
    problem text;
BEGIN
    problem := CASE
        WHEN since IS NULL OR until IS NULL OR NOT pg_catalog.isfinite(since) OR NOT pg_catalog.isfinite(until)
            THEN 'since and until must be times'
        WHEN width IS NULL OR width <= '0' THEN 'a bucket must be longer than nothing'
        -- Of another length each.
        WHEN extract(year FROM width) <> 0 OR extract(month FROM width) <> 0 THEN 'a bucket has no months and years'
    END;
    IF problem IS NULL THEN
        opens := pg_catalog.date_bin(width, since, origin);
        -- Not of until - opens: times that are far apart overflow without an error, and the series would have no end.
        IF extract(epoch FROM until) - extract(epoch FROM opens) > most * extract(epoch FROM width) THEN
            problem := pg_catalog.format('that would be more than %s buckets', most);
        END IF;
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'log lines cannot be counted so: %', problem
            USING ERRCODE = 'VC102',
                  HINT = 'Give two times and an interval such as 5 minutes, 1 hour or 7 days that cuts what is between them into at most 10,000 buckets.';
    END IF;

    PERFORM observability.hold_logs(since, until);
    RETURN QUERY EXECUTE pg_catalog.format(
        'SELECT b.opens, c.level, coalesce(pg_catalog.sum(c.lines), 0)::bigint'
        ' FROM pg_catalog.generate_series($1, %2$L::timestamptz - interval ''1 microsecond'', $2) AS b (opens)'
        ' LEFT JOIN ('
        '     SELECT pg_catalog.date_bin($2, l.ts, $3) AS opens, l.level, count(*) AS lines'
        '     FROM observability.logs AS l'
        '     WHERE l.org_id = %3$L AND l.ts >= %1$L AND l.ts < %2$L'
        '     GROUP BY 1, 2'
        '     UNION ALL'
        '     SELECT p.bucket_start, p.level, p.lines'
        '     FROM codeverify.count_packed_logs(%3$L, %1$L, %2$L, $2, NULL, NULL, NULL) AS p'
        ' ) AS c ON c.opens = b.opens'
        ' GROUP BY b.opens, c.level'
        ' ORDER BY b.opens, pg_catalog.array_position($4, c.level)',
        since, until, tenant)
    USING opens, width, origin, ARRAY['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
END
$function$;
COMMENT ON FUNCTION observability.count_logs(uuid, timestamptz, timestamptz, interval) IS
    'What observability.log_volume() returns, for an organization that has been checked.';

CREATE FUNCTION observability.log_volume(since timestamptz, until timestamptz, bucket interval)
RETURNS TABLE (bucket timestamptz, level text, lines bigint)
LANGUAGE sql
VOLATILE
SECURITY DEFINER
ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT c.bucket, c.level, c.lines
    FROM observability.count_logs(tenancy.require_permission('read'), $1, $2, $3) AS c
$function$;
COMMENT ON FUNCTION observability.log_volume(timestamptz, timestamptz, interval) IS
    'How many log lines the organization in context has, by bucket and level, for charts: from since on and before until, oldest first, levels from trace to fatal. A bucket is where it begins, in UTC, counted from Monday, 2000-01-03; one without lines has a row with level NULL and 0 lines. Of the first and last bucket only what lies between since and until counts. Takes the permission read. Raises VC102 for a bucket of months or years, which differ in length, and for more than 10,000 buckets, VC011 without a context. Example: SELECT * FROM observability.log_volume(now() - interval ''1 day'', now(), ''1 hour'');';
GRANT EXECUTE ON FUNCTION observability.log_volume(timestamptz, timestamptz, interval)
TO codeverify_service, codeverify_tenant;
