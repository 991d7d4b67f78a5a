CREATE FUNCTION observability.count_logs(tenant uuid, since timestamptz, until timestamptz, width interval)
RETURNS TABLE (bucket timestamptz, level text, lines bigint)
LANGUAGE plpgsql
-- As observability.find_logs().
VOLATILE
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
