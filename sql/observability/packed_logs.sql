CREATE FUNCTION observability.read_packed_logs(
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL,
    query tsquery DEFAULT NULL,
    of_service uuid DEFAULT NULL,
    of_environment uuid DEFAULT NULL,
    of_level text DEFAULT NULL,
    of_meta jsonb DEFAULT NULL,
    max_rows int DEFAULT 100,
    before_ts timestamptz DEFAULT NULL,
    before_id bigint DEFAULT NULL)
RETURNS TABLE (
    id bigint,
    service_id uuid,
    environment_id uuid,
    ts timestamptz,
    level text,
    message text,
    meta_json jsonb)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('read');
BEGIN
    RETURN QUERY
    SELECT l.id, l.service_id, l.environment_id, l.ts, l.level, l.message, l.meta_json
    FROM codeverify.scan_packed_logs(
        tenant, since, until, query, of_service, of_environment, of_level, of_meta, max_rows, before_ts, before_id) AS l;
END
$function$;
COMMENT ON FUNCTION observability.read_packed_logs(timestamptz, timestamptz, tsquery, uuid, uuid, text, jsonb, int, timestamptz, bigint) IS
    'Packed log lines of the organization in context, newest first (by ts, then id): from "since" on and before "until", of one service, environment or level, with meta_json @> of_meta, with words that "query" matches in to_tsvector(''simple'', "left"(message, 100000)), before the line (before_ts, before_id), at most max_rows (NULL for all). Segments that can have none of them are skipped. Takes the permission read. Raises VC105 for a damaged segment.';
GRANT EXECUTE ON FUNCTION observability.read_packed_logs(timestamptz, timestamptz, tsquery, uuid, uuid, text, jsonb, int, timestamptz, bigint)
TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.count_packed_logs(
    since timestamptz,
    until timestamptz,
    bucket interval,
    of_service uuid DEFAULT NULL,
    of_environment uuid DEFAULT NULL,
    of_level text DEFAULT NULL)
RETURNS TABLE (bucket_start timestamptz, level text, lines bigint)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('read');
BEGIN
    RETURN QUERY
    SELECT c.bucket_start, c.level, c.lines
    FROM codeverify.count_packed_logs(tenant, since, until, bucket, of_service, of_environment, of_level) AS c
    ORDER BY c.bucket_start, c.level;
END
$function$;
COMMENT ON FUNCTION observability.count_packed_logs(timestamptz, timestamptz, interval, uuid, uuid, text) IS
    'How many packed log lines the organization in context has from "since" on and before "until", by bucket and level. Buckets begin as those of date_bin(bucket, ts, ''2000-01-03 00:00+00''). Takes the permission read. Raises VC105 for a damaged segment.';
GRANT EXECUTE ON FUNCTION observability.count_packed_logs(timestamptz, timestamptz, interval, uuid, uuid, text)
TO codeverify_service, codeverify_tenant;
