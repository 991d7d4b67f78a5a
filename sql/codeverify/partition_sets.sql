-- Which tables are partition sets, and how they are kept.

COMMENT ON FUNCTION codeverify.list_set_partitions(regclass) IS
    'The partitions of a table that is partitioned by range of one date or timestamptz column, with their bounds in time, DEFAULT (without bounds) last; MINVALUE and MAXVALUE are infinities. No row for any other table. Example: SELECT * FROM codeverify.list_set_partitions(''observability.logs'');';
GRANT EXECUTE ON FUNCTION codeverify.list_set_partitions(regclass)
TO codeverify_admin, codeverify_service, codeverify_auditor;

CREATE FUNCTION codeverify.list_partition_sets()
RETURNS TABLE (
    parent regclass,
    period text,
    premake integer,
    retention interval,
    action text,
    compress_after interval,
    closed_indexes text[],
    live_search boolean,
    closes_after interval,
    retired_until timestamptz,
    last_error text,
    last_error_at timestamptz,
    is_stored boolean)
LANGUAGE plpgsql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.parent, s.period, s.premake, s.retention, s.action, s.compress_after, s.closed_indexes, s.live_search,
           s.closes_after, s.retired_until, s.last_error, s.last_error_at, true
    FROM codeverify.partition_sets AS s
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = s.parent
    UNION ALL
    -- As the columns of the table have their defaults. Nothing is deleted or packed unless somebody asks for it.
    SELECT p.partrelid::regclass, d.period, d.premake, NULL::interval, d.action, NULL::interval, d.closed_indexes, false,
           '1 hour'::interval, NULL::timestamptz, NULL::text, NULL::timestamptz, false
    FROM (VALUES
        ('observability.logs', 'day', 14, 'drop', ARRAY[
            -- As the server writes them: by that they are found again.
            'USING gin (to_tsvector(''simple''::regconfig, "left"(message, 100000)))',
            'USING gin (meta_json jsonb_path_ops)']),
        ('telemetry.code_events', 'month', 3, 'drop', '{}'),
        ('providers.usage_tracking', 'month', 3, 'drop', '{}'),
        ('integrations.webhook_deliveries', 'month', 3, 'drop', '{}'),
        ('audits.audit_log', 'month', 3, 'archive', ARRAY[
            'USING gin (audits.entry_document(entity, action, payload))'])
    ) AS d (name, period, premake, action, closed_indexes)
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = pg_catalog.to_regclass(d.name)
    WHERE NOT EXISTS (SELECT FROM codeverify.partition_sets AS s WHERE s.parent = p.partrelid);
END
$function$;
COMMENT ON FUNCTION codeverify.list_partition_sets() IS
    'The partition sets as maintenance keeps them: the rows of codeverify.partition_sets whose table is there, and the partitioned tables of codeverify that have none yet, as they are kept by default. Example: SELECT parent, period, retention FROM codeverify.list_partition_sets();';
GRANT EXECUTE ON FUNCTION codeverify.list_partition_sets()
TO codeverify_admin, codeverify_service, codeverify_auditor;

CREATE FUNCTION codeverify.store_partition_set(parent regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    INSERT INTO codeverify.partition_sets (parent, period, premake, action, closed_indexes, live_search, closes_after)
    SELECT s.parent, s.period, s.premake, s.action, s.closed_indexes, s.live_search, s.closes_after
    FROM codeverify.list_partition_sets() AS s
    WHERE s.parent = store_partition_set.parent
      AND NOT s.is_stored
    ON CONFLICT ON CONSTRAINT partition_sets_pkey DO NOTHING;
END
$function$;
COMMENT ON FUNCTION codeverify.store_partition_set(regclass) IS
    'Makes the row of codeverify.partition_sets for a set that is kept by default, as soon as there is something to note about it. Does nothing when it is there.';

CREATE FUNCTION codeverify.require_set_table(parent regclass)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    problem text;
    advice text;
BEGIN
    SELECT CASE
               WHEN c.oid IS NULL THEN 'There is no such table.'
               WHEN c.relispartition THEN pg_catalog.format('It is a partition of %s.', pg_catalog.pg_partition_root(parent))
               WHEN p.partrelid IS NULL THEN 'It is not partitioned.'
               WHEN p.partstrat <> 'r' OR p.partnatts <> 1 THEN 'It is not partitioned by range of one column.'
               WHEN a.attname IS NULL THEN 'It is partitioned by an expression.'
               WHEN a.atttypid NOT IN ('pg_catalog.date'::regtype, 'pg_catalog.timestamptz'::regtype)
               THEN pg_catalog.format('Its column %I is of type %s.', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
           END,
           CASE
               WHEN c.relispartition THEN 'Name that table.'
               WHEN p.partrelid IS NULL THEN 'SELECT codeverify.partition_table(...) makes a partitioned table of an ordinary one.'
               ELSE 'A set is partitioned by range of one column of type date or timestamptz.'
           END
    INTO problem, advice
    FROM (SELECT parent AS oid) AS o
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = o.oid
    LEFT JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = c.oid
    LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND a.attnum > 0;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be a partition set', parent
            USING ERRCODE = 'VC092', DETAIL = problem, HINT = advice;
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.require_set_table(regclass) IS
    'Raises VC092 for a table that is not partitioned by range of one date or timestamptz column.';
GRANT EXECUTE ON FUNCTION codeverify.require_set_table(regclass) TO codeverify_admin;
