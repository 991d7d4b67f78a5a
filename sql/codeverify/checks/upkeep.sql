-- Checks of what has to be done again and again: maintenance, partitions, indexes. Each works where the tables are missing, as
-- during a restore.

CREATE FUNCTION codeverify.list_filled_defaults()
RETURNS SETOF regclass
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    partition regclass;
    is_filled boolean;
BEGIN
    FOR partition IN
        SELECT p.partdefid
        FROM pg_catalog.pg_partitioned_table AS p
        JOIN pg_catalog.pg_class AS c ON c.oid = p.partdefid
        JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
        ORDER BY p.partrelid::regclass::text
    LOOP
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s)', partition) INTO is_filled;
        IF is_filled THEN
            RETURN NEXT partition;
        END IF;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION codeverify.list_filled_defaults() IS
    'Default partitions of codeverify that hold rows.';

CREATE FUNCTION codeverify.find_maintenance_fault()
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    last_run timestamptz;
BEGIN
    IF pg_catalog.to_regclass('codeverify.maintenance_tasks') IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT t.last_success_at
    INTO last_run
    FROM codeverify.maintenance_tasks AS t
    WHERE t.task = 'maintain'
      AND t.target = '';
    RETURN CASE
        WHEN last_run IS NULL THEN 'codeverify.maintain() has never run'
        WHEN last_run < pg_catalog.now() - interval '1 day' THEN pg_catalog.format(
            'codeverify.maintain() ran last at %s', pg_catalog.date_trunc('second', last_run))
    END;
END
$function$;
COMMENT ON FUNCTION codeverify.find_maintenance_fault() IS
    'That codeverify.maintain() has not run for a day, in words; NULL when it has.';

CREATE FUNCTION codeverify.list_failing_tasks()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF pg_catalog.to_regclass('codeverify.maintenance_tasks') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT pg_catalog.format('%s of %s: %s', t.task, t.target, t.last_error)
    FROM codeverify.maintenance_tasks AS t
    WHERE t.last_error IS NOT NULL
    ORDER BY t.last_error_at DESC, t.task, t.target
    LIMIT 10;
END
$function$;
COMMENT ON FUNCTION codeverify.list_failing_tasks() IS
    'Tasks of maintenance that failed when they were last tried, the newest ten, with what was wrong.';

CREATE FUNCTION codeverify.list_set_faults()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF pg_catalog.to_regclass('codeverify.partition_sets') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT CASE
               WHEN p.partitions > 150 THEN pg_catalog.format('%s has %s partitions', s.parent, p.partitions)
               ELSE pg_catalog.format('%s has partitions until %s', s.parent, coalesce(p.reach::text, 'no time'))
           END
    FROM codeverify.list_partition_sets() AS s
    CROSS JOIN LATERAL (
        SELECT max(l.upper_bound) AS reach, count(*) AS partitions
        FROM codeverify.list_set_partitions(s.parent) AS l
        WHERE NOT l.is_default
    ) AS p
    WHERE p.partitions > 150
       OR p.reach IS NULL
       OR p.reach < codeverify.read_clock() + s.premake / 2 * ('1 ' || s.period)::interval
    ORDER BY s.parent::text;
END
$function$;
COMMENT ON FUNCTION codeverify.list_set_faults() IS
    'Partition sets whose partitions reach less than half as far ahead as they should, or that have more than 150, which makes planning slow.';

CREATE FUNCTION codeverify.list_invalid_indexes()
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT i.indexrelid::regclass::text
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
    WHERE NOT i.indisvalid
      AND r.rolname = 'codeverify_owner'
    ORDER BY 1
$function$;
COMMENT ON FUNCTION codeverify.list_invalid_indexes() IS
    'Indexes of codeverify that no query uses, because building them did not end.';

CREATE FUNCTION codeverify.list_report_faults()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF pg_catalog.to_regclass('codeverify.report_refreshes') IS NULL THEN
        RETURN;
    END IF;
    -- Nobody reads what holds nothing yet.
    RETURN QUERY
    SELECT pg_catalog.format('%s (%s)', l.report, f.fault)
    FROM codeverify.list_reports() AS l
    CROSS JOIN LATERAL codeverify.find_report_fault(l.report) AS f (fault)
    WHERE l.is_populated
      AND l.refresh_interval IS NOT NULL
      AND f.fault IS NOT NULL;
END
$function$;
COMMENT ON FUNCTION codeverify.list_report_faults() IS
    'Reports that keep their readers out while they are refreshed, and why.';

CREATE FUNCTION codeverify.examine_upkeep()
RETURNS TABLE (check_name text, severity text, fault text, fine text, hint text)
LANGUAGE sql
STABLE
ROWS 7
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT 'default_partitions', 'warning',
           'default partitions hold rows: ' || (
               SELECT pg_catalog.string_agg(f.partition::text, ', ' ORDER BY f.partition::text)
               FROM codeverify.list_filled_defaults() AS f (partition)),
           'default partitions are empty',
           'SELECT * FROM codeverify.maintain(''partitions''); rows of a far future stay until their time is near, and a few of a distant past until they are moved or deleted.'
    UNION ALL
    SELECT 'partitions', 'warning',
           (SELECT pg_catalog.string_agg(f.fault, ', ') FROM codeverify.list_set_faults() AS f (fault)),
           'every partition set reaches far enough ahead, and none is too large',
           'SELECT * FROM codeverify.maintain(''partitions''); for too many, a retention or a longer period with codeverify.configure_partitions().'
    UNION ALL
    SELECT 'maintenance', 'warning',
           codeverify.find_maintenance_fault(),
           'codeverify.maintain() has run within a day',
           'SELECT codeverify.schedule(); with pg_cron, or set codeverify.maintenance_interval where the library is preloaded.'
    UNION ALL
    SELECT 'maintenance_tasks', 'warning',
           (SELECT pg_catalog.string_agg(f.failure, '; ') FROM codeverify.list_failing_tasks() AS f (failure)),
           'no task failed when it was last tried',
           'Mend what it tells of; SELECT * FROM codeverify.maintain(); tries again.'
    UNION ALL
    SELECT 'reports', 'warning',
           'readers wait while these are refreshed: ' || (
               SELECT pg_catalog.string_agg(r.fault, ', ' ORDER BY r.fault) FROM codeverify.list_report_faults() AS r (fault)),
           'every report is refreshed beside its readers',
           pg_catalog.format(
               'GRANT TEMPORARY ON DATABASE %I TO codeverify_owner; or CREATE UNIQUE INDEX ON ... of what it is grouped by.',
               pg_catalog.current_database())
    UNION ALL
    SELECT 'clock', 'error',
           'codeverify.clock is set: maintenance takes it to be ' || nullif(pg_catalog.current_setting('codeverify.clock', true), ''),
           'maintenance follows the real clock',
           'ALTER SYSTEM RESET codeverify.clock; SELECT pg_reload_conf(); or RESET it where it was set: it is for tests.'
    UNION ALL
    SELECT 'invalid_indexes', 'warning',
           'indexes that no query uses: ' || (
               SELECT pg_catalog.string_agg(i.name, ', ') FROM codeverify.list_invalid_indexes() AS i (name)),
           'every index is valid',
           'REINDEX INDEX ...;'
$function$;
COMMENT ON FUNCTION codeverify.examine_upkeep() IS
    'The checks of codeverify.doctor() of what has to be done again and again.';
