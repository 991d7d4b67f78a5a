-- Which tables are partition sets, and how they are kept.

COMMENT ON FUNCTION codeverify.list_set_partitions(regclass) IS
    'The partitions of a table that is partitioned by range of one date or timestamptz column, with their bounds in time, DEFAULT (without bounds) last; MINVALUE and MAXVALUE are infinities. No row for any other table. Example: SELECT * FROM codeverify.list_set_partitions(''observability.logs'');';
GRANT EXECUTE ON FUNCTION codeverify.list_set_partitions(regclass)
TO codeverify_admin, codeverify_service, codeverify_auditor;

COMMENT ON FUNCTION codeverify.run_as_owner_of(regclass, text) IS
    'Runs a statement as the owner of a table, in a security-restricted operation as VACUUM does, with a pinned search_path, UTC and ISO dates, and returns how many rows it processed. For what maintenance does to a table of somebody else, so that triggers, defaults and index expressions there have the owner''s rights and no others. What guards the ledger does not let it pass. Raises VC093 when codeverify_owner is no member of the owner, or the owner is a superuser.';

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
            'USING gin (to_tsvector(''simple''::regconfig, message))',
            'USING gin (meta_json jsonb_path_ops)']),
        ('telemetry.code_events', 'month', 3, 'drop', '{}'),
        ('providers.usage_tracking', 'month', 3, 'drop', '{}'),
        ('integrations.webhook_deliveries', 'month', 3, 'drop', '{}'),
        ('audits.audit_log', 'month', 3, 'archive', '{}')
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
