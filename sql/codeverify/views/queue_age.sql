CREATE VIEW codeverify.queue_age
WITH (security_invoker = true)
AS
SELECT q.queue, q.waiting, q.oldest_at, q.age
FROM codeverify.measure_queues() AS q;

COMMENT ON VIEW codeverify.queue_age IS 'What waits to be done, of all organizations: how much, and since when.';
COMMENT ON COLUMN codeverify.queue_age.queue IS 'What waits: analyses, codebase_scans, jobs and analysis_tasks to be begun; analyses_running and jobs_running to end; scan_schedules that are due; reevaluation_requests to be decided; incidents to be taken up.';
COMMENT ON COLUMN codeverify.queue_age.waiting IS 'How many.';
COMMENT ON COLUMN codeverify.queue_age.oldest_at IS 'Since when the oldest of them waits; NULL when nothing does.';
COMMENT ON COLUMN codeverify.queue_age.age IS 'How long that is; NULL when nothing does.';

GRANT SELECT ON codeverify.queue_age TO codeverify_admin, codeverify_auditor;
