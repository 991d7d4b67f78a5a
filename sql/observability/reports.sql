-- As the reports in sql/analysis/reports.sql. Log lines are not stored so: reading all of them every hour would cost more than
-- observability.log_volume() does for those who ask.
CREATE MATERIALIZED VIEW observability.stored_incidents_by_month AS
SELECT
    i.org_id,
    date_trunc('month', i.created_at AT TIME ZONE 'UTC')::date AS month,
    i.severity,
    count(*) AS incidents,
    count(*) FILTER (WHERE i.status <> 'resolved') AS open_incidents,
    min(i.created_at) FILTER (WHERE i.status <> 'resolved') AS oldest_open_at,
    (avg(extract(epoch FROM i.resolved_at) - extract(epoch FROM i.created_at))
        FILTER (WHERE i.status = 'resolved' AND isfinite(i.resolved_at)) / 3600)::double precision AS mean_hours_to_resolve
FROM observability.incidents AS i
WHERE i.created_at >= (SELECT (date_trunc('month', codeverify.read_clock() AT TIME ZONE 'UTC') - interval '24 months') AT TIME ZONE 'UTC')
  AND i.created_at < (SELECT codeverify.read_clock() + interval '1 day')
GROUP BY i.org_id, 2, i.severity;

CREATE UNIQUE INDEX stored_incidents_by_month_org_id_month_severity_idx
    ON observability.stored_incidents_by_month (org_id, month, severity);

COMMENT ON COLUMN observability.stored_incidents_by_month.org_id IS 'Organization of the incidents.';
COMMENT ON COLUMN observability.stored_incidents_by_month.month IS 'First day of the UTC month that they began in.';
COMMENT ON COLUMN observability.stored_incidents_by_month.severity IS 'sev1 to sev4.';
COMMENT ON COLUMN observability.stored_incidents_by_month.incidents IS 'All incidents.';
COMMENT ON COLUMN observability.stored_incidents_by_month.open_incidents IS 'Those that are not resolved.';
COMMENT ON COLUMN observability.stored_incidents_by_month.oldest_open_at IS 'When the oldest of these began; NULL when there are none.';
COMMENT ON COLUMN observability.stored_incidents_by_month.mean_hours_to_resolve IS 'Mean of the hours from beginning to resolution of the others; NULL when there are none.';

CREATE VIEW observability.incidents_by_month WITH (security_barrier = true) AS
SELECT
    s.*,
    (SELECT r.refreshed_at FROM codeverify.report_refreshes AS r WHERE r.report = 'observability.stored_incidents_by_month'::regclass) AS refreshed_at
FROM observability.stored_incidents_by_month AS s
WHERE s.org_id = tenancy.current_org_id()
  AND tenancy.has_permission('read');

SELECT codeverify.publish_report(
    'observability.stored_incidents_by_month', 'observability.incidents_by_month',
    'Incidents counted by month and severity, how old the open ones are and how long the others took, over the last 25 months, as of refreshed_at.');
