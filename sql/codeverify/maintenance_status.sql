CREATE FUNCTION codeverify.count_default_rows(parent regclass)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    enough constant integer := 1000;
    default_partition oid;
    counted integer;
BEGIN
    SELECT p.partdefid
    INTO default_partition
    FROM pg_catalog.pg_partitioned_table AS p
    WHERE p.partrelid = parent;
    IF coalesce(default_partition, 0) = 0 THEN
        RETURN NULL;
    END IF;
    counted := codeverify.read_as_owner_of(parent, pg_catalog.format(
        'SELECT count(*)::text FROM (SELECT FROM %s LIMIT %s) AS r', default_partition::regclass, enough + 1))::integer;
    RETURN CASE WHEN counted > enough THEN enough || '+' ELSE counted::text END;
EXCEPTION WHEN insufficient_privilege OR SQLSTATE 'VC093' THEN
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION codeverify.count_default_rows(regclass) IS
    'Number of rows in the DEFAULT partition of a table, 1000+ for more than a thousand; NULL without such a partition, and for a table that codeverify_owner may not read.';

CREATE FUNCTION codeverify.find_runway(parent regclass)
RETURNS interval
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    covered timestamptz := codeverify.read_clock();
    part record;
BEGIN
    FOR part IN
        SELECT p.lower_bound, p.upper_bound
        FROM codeverify.list_set_partitions(parent) AS p
        WHERE NOT p.is_default
        ORDER BY p.lower_bound
    LOOP
        IF part.lower_bound <= covered AND part.upper_bound > covered THEN
            covered := part.upper_bound;
        END IF;
    END LOOP;
    RETURN CASE WHEN pg_catalog.isfinite(covered) THEN covered - codeverify.read_clock() ELSE interval '100 years' END;
END
$function$;
COMMENT ON FUNCTION codeverify.find_runway(regclass) IS
    'How far ahead of the clock the partitions of a table reach without a gap; 100 years for no end.';

CREATE FUNCTION codeverify.find_oldest_snapshot()
RETURNS TABLE (holder text, pid integer, age bigint)
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT h.holder, h.pid, h.age
    FROM (
        SELECT 'process ' || a.pid, a.pid, pg_catalog.age(a.backend_xmin)::bigint
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.backend_xmin IS NOT NULL
          AND a.pid <> pg_catalog.pg_backend_pid()
          AND (a.datname = pg_catalog.current_database() OR a.datname IS NULL)
        UNION ALL
        SELECT 'prepared transaction ' || p.gid, NULL, pg_catalog.age(p.transaction)
        FROM pg_catalog.pg_prepared_xacts AS p
        WHERE p.database = pg_catalog.current_database()
        UNION ALL
        SELECT 'replication slot ' || s.slot_name, s.active_pid, pg_catalog.age(s.xmin)
        FROM pg_catalog.pg_replication_slots AS s
        WHERE s.xmin IS NOT NULL
    ) AS h (holder, pid, age)
    ORDER BY h.age DESC
    LIMIT 1
$function$;
COMMENT ON FUNCTION codeverify.find_oldest_snapshot() IS
    'What keeps vacuum from removing rows for longest: a process, a prepared transaction or a replication slot, and how many transactions it is behind. No row when nothing does.';

CREATE FUNCTION codeverify.report_maintenance()
RETURNS TABLE (
    parent regclass,
    period text,
    partitions integer,
    runway_days numeric,
    default_rows text,
    retention interval,
    compress_after interval,
    last_run_at timestamptz,
    last_success_at timestamptz,
    last_task text,
    last_action text,
    last_detail text,
    last_error text,
    last_error_at timestamptz,
    dead_tuples bigint,
    total_bytes numeric,
    oldest_snapshot_holder text,
    oldest_snapshot_pid integer,
    oldest_snapshot_age bigint)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.parent,
           s.period,
           leaves.partitions,
           round((extract(epoch FROM codeverify.find_runway(s.parent)) / 86400)::numeric, 1),
           codeverify.count_default_rows(s.parent),
           s.retention,
           s.compress_after,
           run.last_run_at,
           run.last_success_at,
           last.task,
           last.last_action,
           last.last_detail,
           coalesce(s.last_error, failed.last_error),
           coalesce(s.last_error_at, failed.last_error_at),
           leaves.dead_tuples,
           leaves.total_bytes,
           oldest.holder,
           oldest.pid,
           oldest.age
    FROM codeverify.list_partition_sets() AS s
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS partitions,
               sum(pg_catalog.pg_stat_get_dead_tuples(i.inhrelid))::bigint AS dead_tuples,
               sum(pg_catalog.pg_total_relation_size(i.inhrelid)) AS total_bytes
        FROM pg_catalog.pg_inherits AS i
        WHERE i.inhparent = s.parent
    ) AS leaves
    LEFT JOIN codeverify.maintenance_tasks AS run ON run.task = 'maintain' AND run.target = ''
    LEFT JOIN LATERAL (
        SELECT t.task, t.last_action, t.last_detail
        FROM codeverify.maintenance_tasks AS t
        WHERE t.target = s.parent::text
          AND t.last_success_at IS NOT NULL
        ORDER BY t.last_success_at DESC
        LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
        SELECT pg_catalog.format('%s: %s', t.task, t.last_error) AS last_error, t.last_error_at
        FROM codeverify.maintenance_tasks AS t
        WHERE t.target = s.parent::text
          AND t.last_error IS NOT NULL
        ORDER BY t.last_error_at DESC
        LIMIT 1
    ) AS failed ON true
    LEFT JOIN codeverify.find_oldest_snapshot() AS oldest ON true
    ORDER BY s.parent::text;
END
$function$;
COMMENT ON FUNCTION codeverify.report_maintenance() IS
    'What codeverify.maintenance_status shows.';
GRANT EXECUTE ON FUNCTION codeverify.report_maintenance()
TO codeverify_admin, codeverify_service, codeverify_auditor;
