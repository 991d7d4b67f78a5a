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

-- PostgreSQL refuses COPY FROM into a table with row security. A view has none, and its trigger takes the context's
-- organization and no other.
CREATE VIEW observability.log_intake WITH (security_invoker = true) AS
SELECT
    l.service_id,
    l.environment_id,
    l.ts,
    l.level,
    l.message,
    l.meta_json
FROM observability.logs AS l;
COMMENT ON VIEW observability.log_intake IS
    'Log lines for COPY, which takes no table with row security: what is copied into it goes into observability.logs.';
COMMENT ON COLUMN observability.log_intake.service_id IS 'Service that wrote the line; NULL when unknown.';
COMMENT ON COLUMN observability.log_intake.environment_id IS 'Environment that the service ran in; NULL when unknown.';
COMMENT ON COLUMN observability.log_intake.ts IS 'When the line was written; NULL for now.';
COMMENT ON COLUMN observability.log_intake.level IS 'trace, debug, info, warn, error or fatal; NULL for info.';
COMMENT ON COLUMN observability.log_intake.message IS 'Text of the line.';
COMMENT ON COLUMN observability.log_intake.meta_json IS 'What else the service says about the line, a JSON object; NULL for an empty one.';
GRANT INSERT ON observability.log_intake TO codeverify_ingest, codeverify_service;

CREATE TRIGGER log_intake_take
INSTEAD OF INSERT ON observability.log_intake
FOR EACH ROW
EXECUTE FUNCTION observability.take_log_line();

COMMENT ON TRIGGER log_intake_take ON observability.log_intake IS 'Writes what comes into observability.logs.';
