CREATE VIEW analysis.finding_summary WITH (security_invoker = true) AS
SELECT
    f.org_id,
    f.analysis_id,
    f.category,
    f.severity,
    count(*) AS findings,
    count(*) FILTER (WHERE NOT f.dismissed) AS open_findings,
    count(*) FILTER (WHERE f.dismissed) AS dismissed_findings,
    count(DISTINCT f.file_path) AS files
FROM analysis.findings AS f
GROUP BY f.org_id, f.analysis_id, f.category, f.severity;
COMMENT ON VIEW analysis.finding_summary IS
    'Findings counted by analysis, category and severity.';
COMMENT ON COLUMN analysis.finding_summary.org_id IS 'Organization of the analysis.';
COMMENT ON COLUMN analysis.finding_summary.analysis_id IS 'The analysis.';
COMMENT ON COLUMN analysis.finding_summary.category IS 'verification, security or semantic.';
COMMENT ON COLUMN analysis.finding_summary.severity IS 'critical, high, medium or low.';
COMMENT ON COLUMN analysis.finding_summary.findings IS 'All findings.';
COMMENT ON COLUMN analysis.finding_summary.open_findings IS 'Those that are not dismissed.';
COMMENT ON COLUMN analysis.finding_summary.dismissed_findings IS 'Those that are dismissed.';
COMMENT ON COLUMN analysis.finding_summary.files IS 'Different files with a finding.';
GRANT SELECT ON analysis.finding_summary TO codeverify_tenant;

CREATE VIEW analysis.repository_dashboard WITH (security_invoker = true) AS
SELECT
    r.org_id,
    r.id AS repo_id,
    r.full_name,
    r.enabled,
    latest.id AS latest_analysis_id,
    latest.pr_number AS latest_pr_number,
    latest.head_sha AS latest_head_sha,
    latest.status AS latest_status,
    latest.created_at AS latest_created_at,
    latest.completed_at - latest.started_at AS latest_duration,
    coalesce(open.critical, 0) AS open_critical,
    coalesce(open.high, 0) AS open_high,
    coalesce(open.medium, 0) AS open_medium,
    coalesce(open.low, 0) AS open_low
FROM scm.repositories AS r
LEFT JOIN LATERAL (
    SELECT a.id, a.pr_number, a.head_sha, a.status, a.created_at, a.started_at, a.completed_at
    FROM analysis.analyses AS a
    WHERE a.org_id = r.org_id
      AND a.repo_id = r.id
    ORDER BY a.created_at DESC, a.id DESC
    LIMIT 1
) AS latest ON true
LEFT JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE f.severity = 'critical') AS critical,
        count(*) FILTER (WHERE f.severity = 'high') AS high,
        count(*) FILTER (WHERE f.severity = 'medium') AS medium,
        count(*) FILTER (WHERE f.severity = 'low') AS low
    FROM analysis.findings AS f
    WHERE f.org_id = r.org_id
      AND f.analysis_id = latest.id
      AND NOT f.dismissed
) AS open ON true;
COMMENT ON VIEW analysis.repository_dashboard IS
    'A row for each repository: its newest analysis and the findings of it that are open.';
COMMENT ON COLUMN analysis.repository_dashboard.org_id IS 'Organization of the repository.';
COMMENT ON COLUMN analysis.repository_dashboard.repo_id IS 'The repository.';
COMMENT ON COLUMN analysis.repository_dashboard.full_name IS 'Its full name, as owner/name.';
COMMENT ON COLUMN analysis.repository_dashboard.enabled IS 'Whether it is analysed.';
COMMENT ON COLUMN analysis.repository_dashboard.latest_analysis_id IS 'Newest analysis; NULL when there was none.';
COMMENT ON COLUMN analysis.repository_dashboard.latest_pr_number IS 'Pull request of the newest analysis.';
COMMENT ON COLUMN analysis.repository_dashboard.latest_head_sha IS 'Head commit of the newest analysis.';
COMMENT ON COLUMN analysis.repository_dashboard.latest_status IS 'pending, running, completed or failed.';
COMMENT ON COLUMN analysis.repository_dashboard.latest_created_at IS 'When the newest analysis was made.';
COMMENT ON COLUMN analysis.repository_dashboard.latest_duration IS 'Time from start to completion of the newest analysis; NULL until it ends.';
COMMENT ON COLUMN analysis.repository_dashboard.open_critical IS 'Open critical findings of the newest analysis.';
COMMENT ON COLUMN analysis.repository_dashboard.open_high IS 'Open findings of high severity.';
COMMENT ON COLUMN analysis.repository_dashboard.open_medium IS 'Open findings of medium severity.';
COMMENT ON COLUMN analysis.repository_dashboard.open_low IS 'Open findings of low severity.';
GRANT SELECT ON analysis.repository_dashboard TO codeverify_tenant;
