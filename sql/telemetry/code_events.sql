CREATE FUNCTION telemetry.record_events(
    tenant uuid,
    repository_id uuid,
    kind text,
    events jsonb,
    received_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    recorded bigint;
BEGIN
    -- Clocks of committers say what they like: a time before 1970 or of tomorrow would be that of no report.
    INSERT INTO telemetry.code_events (org_id, repo_id, "timestamp", commit_sha, event_type, metadata)
    SELECT tenant, repository_id, e.happened_at, e.sha, kind::telemetry.event_type, e.metadata
    FROM (
        SELECT DISTINCT ON (v.said ->> 'sha', c.happened_at, v.said -> 'metadata')
               c.happened_at,
               v.said ->> 'sha' AS sha,
               CASE
                   WHEN c.happened_at = (v.said ->> 'at')::timestamptz THEN v.said -> 'metadata'
                   ELSE pg_catalog.jsonb_strip_nulls((v.said -> 'metadata') || pg_catalog.jsonb_build_object('said_at', v.said -> 'at'))
               END AS metadata
        FROM pg_catalog.jsonb_array_elements(events) AS v (said)
        CROSS JOIN LATERAL (
            SELECT CASE
                       WHEN (v.said ->> 'at')::timestamptz
                           BETWEEN timestamptz '1970-01-01 00:00:00+00' AND received_at + interval '1 day'
                       THEN (v.said ->> 'at')::timestamptz
                       ELSE received_at
                   END AS happened_at
        ) AS c
        ORDER BY v.said ->> 'sha', c.happened_at, v.said -> 'metadata'
    ) AS e
    -- The same may be told by two deliveries: one to the App and one to a webhook of the repository's own.
    -- A scalar sub-select looks in the one partition of the time, whatever the sizes were when the plan was made.
    WHERE (
        SELECT true
        FROM telemetry.code_events AS o
        WHERE o.org_id = tenant
          AND o.repo_id = repository_id
          AND o.event_type = kind::telemetry.event_type
          AND o."timestamp" = e.happened_at
          AND o.commit_sha IS NOT DISTINCT FROM e.sha
          AND o.metadata - 'delivery' = e.metadata - 'delivery'
        LIMIT 1
    ) IS NULL
    ORDER BY e.happened_at;
    GET DIAGNOSTICS recorded = ROW_COUNT;
    RETURN recorded;
END
$function$;
COMMENT ON FUNCTION telemetry.record_events(uuid, uuid, text, jsonb, timestamptz) IS
    'For integrations.handle_delivery: stores events of a repository, an array of {sha, at, metadata}, and returns how many. One that is there word for word, but for the delivery that told of it, is not stored again. One without a time, or with one before 1970 or more than a day after received_at, happened when it was received; metadata then has what was said as said_at.';
