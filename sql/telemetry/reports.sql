-- As the reports in sql/analysis/reports.sql.
CREATE MATERIALIZED VIEW telemetry.stored_events_by_week AS
SELECT
    e.org_id,
    e.repo_id,
    date_trunc('week', e."timestamp" AT TIME ZONE 'UTC')::date AS week,
    e.event_type,
    count(*) AS events
FROM telemetry.code_events AS e
WHERE e."timestamp" >= (SELECT (date_trunc('week', codeverify.read_clock() AT TIME ZONE 'UTC') - interval '52 weeks') AT TIME ZONE 'UTC')
  AND e."timestamp" < (SELECT codeverify.read_clock() + interval '1 day')
GROUP BY e.org_id, e.repo_id, 3, e.event_type;

CREATE UNIQUE INDEX stored_events_by_week_org_id_repo_id_week_event_type_idx
    ON telemetry.stored_events_by_week (org_id, repo_id, week, event_type);

COMMENT ON COLUMN telemetry.stored_events_by_week.org_id IS 'Organization of the repository.';
COMMENT ON COLUMN telemetry.stored_events_by_week.repo_id IS 'Repository that they are about; it may have been deleted since.';
COMMENT ON COLUMN telemetry.stored_events_by_week.week IS 'Monday of the UTC week that they happened in.';
COMMENT ON COLUMN telemetry.stored_events_by_week.event_type IS 'What happened.';
COMMENT ON COLUMN telemetry.stored_events_by_week.events IS 'How often.';

CREATE VIEW telemetry.events_by_week WITH (security_barrier = true) AS
SELECT
    s.*,
    (SELECT r.refreshed_at FROM codeverify.report_refreshes AS r WHERE r.report = 'telemetry.stored_events_by_week'::regclass) AS refreshed_at
FROM telemetry.stored_events_by_week AS s
WHERE s.org_id = tenancy.current_org_id()
  AND tenancy.has_permission('read');

SELECT codeverify.publish_report(
    'telemetry.stored_events_by_week', 'telemetry.events_by_week',
    'Code events counted by repository, week and type, over the last 53 weeks, as of refreshed_at.');

-- Not stored: the metrics are few rows, and always newer.
CREATE VIEW telemetry.ai_share WITH (security_invoker = true) AS
SELECT
    m.org_id,
    m.repo_id,
    r.full_name,
    m.period,
    m.date,
    m.files_analyzed,
    m.ai_files,
    m.ai_files::double precision / nullif(m.files_analyzed, 0) AS ai_share,
    m.avg_ai_confidence
FROM telemetry.repo_metrics AS m
JOIN scm.repositories AS r ON r.org_id = m.org_id AND r.id = m.repo_id;
COMMENT ON VIEW telemetry.ai_share IS
    'How much of the code of each repository a model wrote, by day, week and month.';
COMMENT ON COLUMN telemetry.ai_share.org_id IS 'Organization of the repository.';
COMMENT ON COLUMN telemetry.ai_share.repo_id IS 'The repository.';
COMMENT ON COLUMN telemetry.ai_share.full_name IS 'Name of the repository with its owner''s.';
COMMENT ON COLUMN telemetry.ai_share.period IS 'Length of the period.';
COMMENT ON COLUMN telemetry.ai_share.date IS 'First day of the period, in UTC.';
COMMENT ON COLUMN telemetry.ai_share.files_analyzed IS 'Number of files attributed in the period.';
COMMENT ON COLUMN telemetry.ai_share.ai_files IS 'Number of them that count as written by a model.';
COMMENT ON COLUMN telemetry.ai_share.ai_share IS 'Their share, 0 to 1; NULL when there were no files.';
COMMENT ON COLUMN telemetry.ai_share.avg_ai_confidence IS 'Mean of ai_confidence over the files.';
GRANT SELECT ON telemetry.ai_share TO codeverify_tenant;
