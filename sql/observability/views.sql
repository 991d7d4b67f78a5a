CREATE VIEW observability.incident_progress WITH (security_invoker = true) AS
SELECT
    i.org_id,
    i.id,
    i.severity,
    CASE i.status WHEN 'open' THEN 'investigating' ELSE i.status END::observability.incident_status AS status
FROM observability.incidents AS i;
COMMENT ON VIEW observability.incident_progress IS
    'Incidents for clients that expect the enum type incident_status; an open incident is being investigated there.';
COMMENT ON COLUMN observability.incident_progress.org_id IS 'Organization of the incident.';
COMMENT ON COLUMN observability.incident_progress.id IS 'The incident.';
COMMENT ON COLUMN observability.incident_progress.severity IS 'sev1 to sev4.';
COMMENT ON COLUMN observability.incident_progress.status IS 'investigating, identified or resolved.';
GRANT SELECT ON observability.incident_progress TO codeverify_tenant;
