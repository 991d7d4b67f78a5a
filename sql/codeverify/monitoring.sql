-- What operators watch, where a view with the reader's rights cannot see it.

CREATE FUNCTION codeverify.measure_queues()
RETURNS TABLE (queue text, waiting bigint, oldest_at timestamptz, age interval)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    WITH waits (queue, since) AS (
        SELECT 'analyses', a.created_at FROM analysis.analyses AS a WHERE a.status = 'pending'
        UNION ALL
        SELECT 'analyses_running', coalesce(a.started_at, a.created_at) FROM analysis.analyses AS a WHERE a.status = 'running'
        UNION ALL
        SELECT 'codebase_scans', c.created_at FROM analysis.codebase_scans AS c WHERE c.status = 'pending'
        UNION ALL
        SELECT 'jobs', j.created_at FROM analysis.jobs AS j WHERE j.status = 'pending'
        UNION ALL
        SELECT 'jobs_running', j.updated_at FROM analysis.jobs AS j WHERE j.status = 'running'
        UNION ALL
        SELECT 'analysis_tasks', t.created_at FROM production.analysis_tasks AS t WHERE t.status = 'pending'
        UNION ALL
        SELECT 'scan_schedules', s.next_run_at FROM analysis.scan_schedules AS s WHERE s.enabled AND s.next_run_at <= pg_catalog.now()
        UNION ALL
        SELECT 'reevaluation_requests', r.created_at FROM quarantine.reevaluation_requests AS r WHERE r.status = 'pending'
        UNION ALL
        SELECT 'incidents', i.created_at FROM observability.incidents AS i WHERE i.status = 'open'
        UNION ALL
        SELECT 'unclaimed_deliveries', d.created_at FROM integrations.inbound_deliveries AS d WHERE d.status = 'unclaimed'
        UNION ALL
        SELECT 'metrics', c.noted_at FROM codeverify.metric_changes AS c
    ),
    -- Tenants date what waits: a time without end has no age, and would be an error for whoever watches.
    counted AS (
        SELECT w.queue, count(*) AS waiting, min(w.since) FILTER (WHERE pg_catalog.isfinite(w.since)) AS oldest_at
        FROM waits AS w
        GROUP BY w.queue
    )
    SELECT n.queue, coalesce(c.waiting, 0), c.oldest_at, pg_catalog.now() - c.oldest_at
    FROM pg_catalog.unnest(ARRAY[
        'analyses', 'analyses_running', 'codebase_scans', 'jobs', 'jobs_running', 'analysis_tasks', 'scan_schedules',
        'reevaluation_requests', 'incidents', 'unclaimed_deliveries', 'metrics']) WITH ORDINALITY AS n (queue, place)
    LEFT JOIN counted AS c ON c.queue = n.queue
    ORDER BY n.place;
END
$function$;
COMMENT ON FUNCTION codeverify.measure_queues() IS
    'How much waits in each queue of all organizations and since when: the rows of the view codeverify.queue_age, for codeverify_admin and codeverify_auditor. Numbers and times only.';
GRANT EXECUTE ON FUNCTION codeverify.measure_queues() TO codeverify_admin, codeverify_auditor;
