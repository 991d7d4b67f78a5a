-- Of the last 53 weeks, so that what a tenant dates otherwise can neither fill a report nor stop it.
CREATE MATERIALIZED VIEW analysis.stored_findings_by_week AS
SELECT
    f.org_id,
    a.repo_id,
    date_trunc('week', f.created_at AT TIME ZONE 'UTC')::date AS week,
    f.severity,
    count(*) AS findings,
    count(*) FILTER (WHERE NOT f.dismissed) AS open_findings,
    count(*) FILTER (WHERE f.dismissed) AS dismissed_findings
FROM analysis.findings AS f
JOIN analysis.analyses AS a ON a.org_id = f.org_id AND a.id = f.analysis_id
WHERE f.created_at >= (SELECT (date_trunc('week', codeverify.read_clock() AT TIME ZONE 'UTC') - interval '52 weeks') AT TIME ZONE 'UTC')
  AND f.created_at < (SELECT codeverify.read_clock() + interval '1 day')
GROUP BY f.org_id, a.repo_id, 3, f.severity;

CREATE UNIQUE INDEX stored_findings_by_week_org_id_repo_id_week_severity_idx
    ON analysis.stored_findings_by_week (org_id, repo_id, week, severity);

COMMENT ON COLUMN analysis.stored_findings_by_week.org_id IS 'Organization of the repository.';
COMMENT ON COLUMN analysis.stored_findings_by_week.repo_id IS 'Repository that was analysed.';
COMMENT ON COLUMN analysis.stored_findings_by_week.week IS 'Monday of the UTC week that they were found in.';
COMMENT ON COLUMN analysis.stored_findings_by_week.severity IS 'critical, high, medium or low.';
COMMENT ON COLUMN analysis.stored_findings_by_week.findings IS 'All findings.';
COMMENT ON COLUMN analysis.stored_findings_by_week.open_findings IS 'Those that are not dismissed.';
COMMENT ON COLUMN analysis.stored_findings_by_week.dismissed_findings IS 'Those that are dismissed.';

-- With its owner's rights, since nobody else reads what is stored: it shows the rows of the organization in context alone,
-- and lets no filter see others before.
CREATE VIEW analysis.findings_by_week WITH (security_barrier = true) AS
SELECT
    s.*,
    (SELECT r.refreshed_at FROM codeverify.report_refreshes AS r WHERE r.report = 'analysis.stored_findings_by_week'::regclass) AS refreshed_at
FROM analysis.stored_findings_by_week AS s
WHERE s.org_id = tenancy.current_org_id()
  AND tenancy.has_permission('read');

SELECT codeverify.publish_report(
    'analysis.stored_findings_by_week', 'analysis.findings_by_week',
    'Findings counted by repository, week and severity, over the last 53 weeks, as of refreshed_at.');

CREATE MATERIALIZED VIEW analysis.stored_analyses_by_week AS
SELECT
    a.org_id,
    a.repo_id,
    date_trunc('week', a.created_at AT TIME ZONE 'UTC')::date AS week,
    count(*) AS analyses,
    count(*) FILTER (WHERE a.status = 'completed') AS completed,
    count(*) FILTER (WHERE a.status = 'failed') AS failed,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY (extract(epoch FROM a.completed_at) - extract(epoch FROM a.started_at))::double precision)
        FILTER (WHERE a.status = 'completed' AND isfinite(a.completed_at) AND isfinite(a.started_at)) AS median_seconds
FROM analysis.analyses AS a
WHERE a.created_at >= (SELECT (date_trunc('week', codeverify.read_clock() AT TIME ZONE 'UTC') - interval '52 weeks') AT TIME ZONE 'UTC')
  AND a.created_at < (SELECT codeverify.read_clock() + interval '1 day')
GROUP BY a.org_id, a.repo_id, 3;

CREATE UNIQUE INDEX stored_analyses_by_week_org_id_repo_id_week_idx
    ON analysis.stored_analyses_by_week (org_id, repo_id, week);

COMMENT ON COLUMN analysis.stored_analyses_by_week.org_id IS 'Organization of the repository.';
COMMENT ON COLUMN analysis.stored_analyses_by_week.repo_id IS 'Repository that was analysed.';
COMMENT ON COLUMN analysis.stored_analyses_by_week.week IS 'Monday of the UTC week that they were made in.';
COMMENT ON COLUMN analysis.stored_analyses_by_week.analyses IS 'All analyses.';
COMMENT ON COLUMN analysis.stored_analyses_by_week.completed IS 'Those that are completed.';
COMMENT ON COLUMN analysis.stored_analyses_by_week.failed IS 'Those that failed.';
COMMENT ON COLUMN analysis.stored_analyses_by_week.median_seconds IS 'Median of the time from start to completion of those that are completed, in seconds; NULL when there are none.';

CREATE VIEW analysis.analyses_by_week WITH (security_barrier = true) AS
SELECT
    s.*,
    (SELECT r.refreshed_at FROM codeverify.report_refreshes AS r WHERE r.report = 'analysis.stored_analyses_by_week'::regclass) AS refreshed_at
FROM analysis.stored_analyses_by_week AS s
WHERE s.org_id = tenancy.current_org_id()
  AND tenancy.has_permission('read');

SELECT codeverify.publish_report(
    'analysis.stored_analyses_by_week', 'analysis.analyses_by_week',
    'Analyses counted by repository and week, and how long they take, over the last 53 weeks, as of refreshed_at.');
