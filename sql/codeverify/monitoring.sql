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
    -- Tenants date what waits: a time without end has no age, and would be an error for whoever watches.
    SELECT q.queue, q.waiting, q.oldest_at, pg_catalog.now() - q.oldest_at
    FROM (
        SELECT 'analyses', count(*), min(a.created_at) FILTER (WHERE pg_catalog.isfinite(a.created_at))
        FROM analysis.analyses AS a
        WHERE a.status = 'pending'
        UNION ALL
        SELECT 'analyses_running', count(*), min(coalesce(a.started_at, a.created_at)) FILTER (WHERE pg_catalog.isfinite(coalesce(a.started_at, a.created_at)))
        FROM analysis.analyses AS a
        WHERE a.status = 'running'
        UNION ALL
        SELECT 'codebase_scans', count(*), min(c.created_at) FILTER (WHERE pg_catalog.isfinite(c.created_at))
        FROM analysis.codebase_scans AS c
        WHERE c.status = 'pending'
        UNION ALL
        SELECT 'jobs', count(*), min(j.created_at) FILTER (WHERE pg_catalog.isfinite(j.created_at))
        FROM analysis.jobs AS j
        WHERE j.status = 'pending'
        UNION ALL
        SELECT 'jobs_running', count(*), min(j.updated_at) FILTER (WHERE pg_catalog.isfinite(j.updated_at))
        FROM analysis.jobs AS j
        WHERE j.status = 'running'
        UNION ALL
        SELECT 'analysis_tasks', count(*), min(t.created_at) FILTER (WHERE pg_catalog.isfinite(t.created_at))
        FROM production.analysis_tasks AS t
        WHERE t.status = 'pending'
        UNION ALL
        SELECT 'scan_schedules', count(*), min(s.next_run_at) FILTER (WHERE pg_catalog.isfinite(s.next_run_at))
        FROM analysis.scan_schedules AS s
        WHERE s.enabled
          AND s.next_run_at <= pg_catalog.now()
        UNION ALL
        SELECT 'reevaluation_requests', count(*), min(r.created_at) FILTER (WHERE pg_catalog.isfinite(r.created_at))
        FROM quarantine.reevaluation_requests AS r
        WHERE r.status = 'pending'
        UNION ALL
        SELECT 'incidents', count(*), min(i.created_at) FILTER (WHERE pg_catalog.isfinite(i.created_at))
        FROM observability.incidents AS i
        WHERE i.status = 'open'
    ) AS q (queue, waiting, oldest_at);
END
$function$;
COMMENT ON FUNCTION codeverify.measure_queues() IS
    'How much waits in each queue of all organizations and since when: the rows of the view codeverify.queue_age, for codeverify_admin and codeverify_auditor. Numbers and times only.';
GRANT EXECUTE ON FUNCTION codeverify.measure_queues() TO codeverify_admin, codeverify_auditor;
