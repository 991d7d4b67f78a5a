COMMENT ON FUNCTION observability.read_log_time(text) IS
    'A time of ISO 8601 and RFC 3339, with date and time of day such as 2026-01-31T23:59:59.123456Z, in UTC where it has no offset; NULL for any other text. Digits beyond microseconds are rounded. Example: SELECT observability.read_log_time(''2026-01-31T23:59:59+01:00'');';

COMMENT ON FUNCTION observability.read_log_id(text) IS
    'A UUID in its usual form, with hyphens; NULL for any other text.';

COMMENT ON FUNCTION observability.read_log_json(text) IS
    'JSON text as jsonb; NULL for what is none or holds what a jsonb cannot: the character NUL, half a surrogate pair, a number without end.';

CREATE FUNCTION observability.store_logs(
    tenant uuid,
    service_ids uuid[],
    environment_ids uuid[],
    times timestamptz[],
    levels text[],
    messages text[],
    metas jsonb[],
    faults text[],
    entries jsonb)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    landed bigint;
BEGIN
    WITH line AS MATERIALIZED (
        SELECT u.service_id, u.environment_id, u.ts, u.level, u.message, u.meta, u.fault, u.place
        FROM ROWS FROM (
            pg_catalog.unnest(service_ids),
            pg_catalog.unnest(environment_ids),
            pg_catalog.unnest(times),
            pg_catalog.unnest(levels),
            pg_catalog.unnest(messages),
            pg_catalog.unnest(metas),
            pg_catalog.unnest(faults)
        ) WITH ORDINALITY AS u (service_id, environment_id, ts, level, message, meta, fault, place)
    ),
    -- Each distinct id is looked up by index, whatever the sizes were when the plan was made.
    service AS MATERIALIZED (
        SELECT d.service_id
        FROM (SELECT DISTINCT l.service_id FROM line AS l) AS d
        WHERE (SELECT true FROM tenancy.services AS s WHERE s.org_id = tenant AND s.id = d.service_id)
    ),
    environment AS MATERIALIZED (
        SELECT d.environment_id
        FROM (SELECT DISTINCT l.environment_id FROM line AS l) AS d
        WHERE (SELECT true FROM tenancy.environments AS e WHERE e.org_id = tenant AND e.id = d.environment_id)
    ),
    judged AS MATERIALIZED (
        SELECT
            l.service_id,
            l.environment_id,
            l.ts,
            l.level,
            l.message,
            l.meta,
            l.place,
            CASE
                WHEN l.fault IS NOT NULL THEN l.fault
                WHEN l.message IS NULL THEN 'no_message'
                WHEN pg_catalog.octet_length(l.message) > 1048576 THEN 'message_too_long'
                WHEN l.level NOT IN ('trace', 'debug', 'info', 'warn', 'error', 'fatal') THEN 'invalid_level'
                WHEN l.ts IN ('-infinity', 'infinity') THEN 'invalid_ts'
                WHEN l.ts > pg_catalog.now() + interval '1 day' THEN 'ts_in_future'
                WHEN pg_catalog.jsonb_typeof(l.meta) <> 'object' THEN 'invalid_meta'
                WHEN l.service_id IS NOT NULL
                     AND NOT EXISTS (SELECT FROM service AS s WHERE s.service_id = l.service_id) THEN 'unknown_service'
                WHEN l.environment_id IS NOT NULL
                     AND NOT EXISTS (SELECT FROM environment AS e WHERE e.environment_id = l.environment_id)
                    THEN 'unknown_environment'
            END AS fault
        FROM line AS l
    ),
    landing AS (
        INSERT INTO observability.logs (org_id, service_id, environment_id, ts, level, message, meta_json)
        SELECT
            tenant,
            j.service_id,
            j.environment_id,
            coalesce(j.ts, pg_catalog.now()),
            coalesce(j.level, 'info'),
            j.message,
            coalesce(j.meta, '{}')
        FROM judged AS j
        WHERE j.fault IS NULL
        ORDER BY j.place
    ),
    rejecting AS (
        INSERT INTO observability.rejected_logs (org_id, reason, entry)
        SELECT
            tenant,
            j.fault,
            pg_catalog."left"(
                coalesce(
                    entries -> (j.place - 1)::int,
                    -- What is left out here would be cut off below, and a jsonb does not hold any text.
                    pg_catalog.jsonb_build_object(
                        'service_id', j.service_id,
                        'environment_id', j.environment_id,
                        'ts', j.ts,
                        'level', pg_catalog."left"(j.level, 10000),
                        'message', pg_catalog."left"(j.message, 10000),
                        'meta', j.meta))::text,
                10000)
        FROM judged AS j
        WHERE j.fault IS NOT NULL
        ORDER BY j.place
    )
    SELECT count(*)
    INTO landed
    FROM judged AS j
    WHERE j.fault IS NULL;
    RETURN landed;
END
$function$;
COMMENT ON FUNCTION observability.store_logs(uuid, uuid[], uuid[], timestamptz[], text[], text[], jsonb[], text[], jsonb) IS
    'For the forms of observability.ingest_logs(): writes the lines of an organization that are good, keeps the others in observability.rejected_logs, and returns how many were good. faults holds what is known to be wrong with a line, entries the lines as they came; both may be NULL.';

CREATE FUNCTION observability.ingest_logs(entries jsonb)
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant constant uuid := tenancy.require_permission('write');
    service_ids uuid[];
    environment_ids uuid[];
    times timestamptz[];
    levels text[];
    messages text[];
    metas jsonb[];
    faults text[];
BEGIN
    IF pg_catalog.jsonb_typeof(entries) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'log lines must come in a JSON array, not in %', coalesce(pg_catalog.jsonb_typeof(entries), 'NULL')
            USING ERRCODE = 'VC100',
                  HINT = 'Send [{"level": "info", "message": "..."}], also for a single line.';
    END IF;

    SELECT
        pg_catalog.array_agg(e.service_id),
        pg_catalog.array_agg(e.environment_id),
        pg_catalog.array_agg(e.ts),
        pg_catalog.array_agg(e.level),
        pg_catalog.array_agg(e.message),
        pg_catalog.array_agg(e.meta),
        pg_catalog.array_agg(
            CASE
                WHEN pg_catalog.jsonb_typeof(e.entry) <> 'object' THEN 'not_an_object'
                WHEN pg_catalog.jsonb_typeof(e.entry -> 'message') NOT IN ('string', 'null') THEN 'invalid_message'
                WHEN e.service_id IS NULL AND e.entry ->> 'service_id' IS NOT NULL THEN 'invalid_service_id'
                WHEN e.environment_id IS NULL AND e.entry ->> 'environment_id' IS NOT NULL THEN 'invalid_environment_id'
                WHEN e.ts IS NULL AND e.entry ->> 'ts' IS NOT NULL THEN 'invalid_ts'
            END)
    INTO service_ids, environment_ids, times, levels, messages, metas, faults
    FROM (
        SELECT
            a.entry,
            observability.read_log_id(a.entry ->> 'service_id') AS service_id,
            observability.read_log_id(a.entry ->> 'environment_id') AS environment_id,
            observability.read_log_time(a.entry ->> 'ts') AS ts,
            a.entry ->> 'level' AS level,
            a.entry ->> 'message' AS message,
            nullif(a.entry -> 'meta', 'null') AS meta
        FROM pg_catalog.jsonb_array_elements(entries) AS a (entry)
        -- What the columns are made of is worked out once a line.
        OFFSET 0
    ) AS e;
    RETURN observability.store_logs(
        tenant, service_ids, environment_ids, times, levels, messages, metas, faults, entries);
END
$function$;
COMMENT ON FUNCTION observability.ingest_logs(jsonb) IS
    'Writes log lines into the organization in context, [{"service_id", "environment_id", "ts", "level", "message", "meta"}, ...], and returns how many landed. Only message must be there; ts is the time of the call and level info by default, a ts without an offset is UTC, other keys are ignored. A line that is not good (no object, a value of another type, an unknown level, service or environment, a ts more than a day ahead, a message above 1 MB) goes into observability.rejected_logs with the reason, and the others land. Takes the permission write. Raises VC100 when it is no array, VC011 without a context. Example: SELECT observability.ingest_logs(''[{"level": "warn", "message": "the queue is slow"}]'');';
GRANT EXECUTE ON FUNCTION observability.ingest_logs(jsonb) TO codeverify_ingest, codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.ingest_logs(entries text)
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant constant uuid := tenancy.require_permission('write');
    readable jsonb := observability.read_log_json(entries);
BEGIN
    -- What is no array at all, or no JSON, is refused as jsonb is.
    IF readable IS NOT NULL OR entries IS NULL OR pg_catalog.json_typeof(entries::json) <> 'array' THEN
        RETURN observability.ingest_logs(coalesce(readable, entries::jsonb));
    END IF;

    WITH entry AS MATERIALIZED (
        SELECT e.value::text AS value, observability.read_log_json(e.value::text) AS readable, e.place
        FROM pg_catalog.json_array_elements(entries::json) WITH ORDINALITY AS e (value, place)
    ),
    rejecting AS (
        INSERT INTO observability.rejected_logs (org_id, reason, entry)
        SELECT tenant, 'invalid_json', pg_catalog."left"(e.value, 10000)
        FROM entry AS e
        WHERE e.readable IS NULL
        ORDER BY e.place
    )
    SELECT pg_catalog.jsonb_agg(e.readable ORDER BY e.place)
    INTO readable
    FROM entry AS e
    WHERE e.readable IS NOT NULL;
    RETURN observability.ingest_logs(coalesce(readable, '[]'));
END
$function$;
COMMENT ON FUNCTION observability.ingest_logs(text) IS
    'The same for JSON text, which jsonb would refuse as a whole when it cannot hold one of the lines: with the character NUL, half a surrogate pair, or a number without end. Such a line goes into observability.rejected_logs too, with the reason invalid_json. Example: SELECT observability.ingest_logs(''[{"message": "the queue is slow"}]''::text);';
GRANT EXECUTE ON FUNCTION observability.ingest_logs(text) TO codeverify_ingest, codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.ingest_logs(
    service_id uuid[],
    environment_id uuid[],
    ts timestamptz[],
    level text[],
    message text[],
    meta jsonb[])
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant constant uuid := tenancy.require_permission('write');
    lengths constant int[] := ARRAY[
        pg_catalog.cardinality(message),
        pg_catalog.cardinality(service_id),
        pg_catalog.cardinality(environment_id),
        pg_catalog.cardinality(ts),
        pg_catalog.cardinality(level),
        pg_catalog.cardinality(meta)];
BEGIN
    -- NULL for an array is NULL for each line.
    IF message IS NULL OR lengths[1] <> ANY (lengths) THEN
        RAISE EXCEPTION 'the arrays of log lines differ in length'
            USING ERRCODE = 'VC101',
                  DETAIL = pg_catalog.format(
                      'message has %s, service_id %s, environment_id %s, ts %s, level %s and meta %s elements.',
                      coalesce(lengths[1]::text, 'no'),
                      coalesce(lengths[2]::text, 'no'),
                      coalesce(lengths[3]::text, 'no'),
                      coalesce(lengths[4]::text, 'no'),
                      coalesce(lengths[5]::text, 'no'),
                      coalesce(lengths[6]::text, 'no')),
                  HINT = 'Give each array an element for each line, NULL where it has none; an array that is NULL has none for any line.';
    END IF;
    RETURN observability.store_logs(tenant, service_id, environment_id, ts, level, message, meta, NULL, NULL);
END
$function$;
COMMENT ON FUNCTION observability.ingest_logs(uuid[], uuid[], timestamptz[], text[], text[], jsonb[]) IS
    'The same for drivers: line n is made of the n-th elements. All arrays have the same length, or are NULL where no line has such a value; message may not be. Raises VC101 when they differ. Example: SELECT observability.ingest_logs(NULL, NULL, NULL, ARRAY[''warn''], ARRAY[''the queue is slow''], NULL);';
GRANT EXECUTE ON FUNCTION observability.ingest_logs(uuid[], uuid[], timestamptz[], text[], text[], jsonb[])
TO codeverify_ingest, codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.take_log_line()
RETURNS trigger
VOLATILE
PARALLEL UNSAFE
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_take_log_line';
COMMENT ON FUNCTION observability.take_log_line() IS
    'Trigger function of the view observability.log_intake, for its rows and for the statement before and after: writes lines into the organization in context, up to 1,000 at a time, as observability.ingest_logs() does; NULL is the default of a column. Takes the permission write.';
