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
    WITH said AS MATERIALIZED (
        SELECT c.happened_at,
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
    ),
    -- Each time once, in the one partition that has it, whatever the sizes were when the plan was made.
    known AS (
        SELECT t.happened_at, o.commit_sha AS sha, o.metadata
        FROM (SELECT DISTINCT s.happened_at FROM said AS s) AS t
        CROSS JOIN LATERAL (
            SELECT c.commit_sha, c.metadata
            FROM telemetry.code_events AS c
            WHERE c.org_id = tenant
              AND c.repo_id = repository_id
              AND c.event_type = kind::telemetry.event_type
              AND c."timestamp" = t.happened_at
            OFFSET 0
        ) AS o
    )
    INSERT INTO telemetry.code_events (org_id, repo_id, "timestamp", commit_sha, event_type, metadata)
    SELECT tenant, repository_id, e.happened_at, e.sha, kind::telemetry.event_type, (pg_catalog.array_agg(e.metadata))[1]
    FROM (
        SELECT s.happened_at, s.sha, s.metadata, false AS is_known FROM said AS s
        UNION ALL
        SELECT k.happened_at, k.sha, k.metadata, true FROM known AS k
    ) AS e
    -- The same may be told by two deliveries: one to the App and one to a webhook of the repository's own. Grouped, since
    -- looking each up among those of its time takes for ever where somebody gives the same time to all.
    GROUP BY e.happened_at, e.sha, e.metadata - 'delivery'
    HAVING NOT pg_catalog.bool_or(e.is_known)
    ORDER BY e.happened_at;
    GET DIAGNOSTICS recorded = ROW_COUNT;
    RETURN recorded;
END
$function$;
COMMENT ON FUNCTION telemetry.record_events(uuid, uuid, text, jsonb, timestamptz) IS
    'For integrations.handle_delivery: stores events of a repository, an array of {sha, at, metadata}, and returns how many. One that is there word for word, but for the delivery that told of it, is not stored again. One without a time, or with one before 1970 or more than a day after received_at, happened when it was received; metadata then has what was said as said_at.';
