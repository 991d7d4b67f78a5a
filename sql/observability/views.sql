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

CREATE TRIGGER log_intake_begin
BEFORE INSERT ON observability.log_intake
FOR EACH STATEMENT
EXECUTE FUNCTION observability.take_log_line();
COMMENT ON TRIGGER log_intake_begin ON observability.log_intake IS 'Asks for the permission, and has lines collected.';

CREATE TRIGGER log_intake_take
INSTEAD OF INSERT ON observability.log_intake
FOR EACH ROW
EXECUTE FUNCTION observability.take_log_line();
COMMENT ON TRIGGER log_intake_take ON observability.log_intake IS 'Collects lines, and writes them into observability.logs, 1,000 at a time.';

CREATE TRIGGER log_intake_end
AFTER INSERT ON observability.log_intake
FOR EACH STATEMENT
EXECUTE FUNCTION observability.take_log_line();
COMMENT ON TRIGGER log_intake_end ON observability.log_intake IS 'Writes what was collected and is left.';
CREATE VIEW observability.open_alerts WITH (security_invoker = true) AS
SELECT
    f.org_id,
    f.rule_id,
    r.type,
    f.fingerprint,
    f.fired_at,
    f.evaluated_at,
    f.observed,
    f.threshold,
    f.incident_id,
    i.title,
    i.severity,
    i.status,
    i.acknowledged_at
FROM observability.alert_firings AS f
JOIN observability.alert_rules AS r ON r.org_id = f.org_id AND r.id = f.rule_id
LEFT JOIN observability.incidents AS i ON i.org_id = f.org_id AND i.id = f.incident_id
WHERE f.state = 'firing'
  AND r.enabled;
COMMENT ON VIEW observability.open_alerts IS
    'Alerts whose condition holds, with the incident that each is under.';
COMMENT ON COLUMN observability.open_alerts.org_id IS 'Organization of the rule.';
COMMENT ON COLUMN observability.open_alerts.rule_id IS 'The rule.';
COMMENT ON COLUMN observability.open_alerts.type IS 'What the rule watches.';
COMMENT ON COLUMN observability.open_alerts.fingerprint IS 'What it fired for.';
COMMENT ON COLUMN observability.open_alerts.fired_at IS 'When it last fired.';
COMMENT ON COLUMN observability.open_alerts.evaluated_at IS 'As of when the condition holds.';
COMMENT ON COLUMN observability.open_alerts.observed IS 'What was counted then.';
COMMENT ON COLUMN observability.open_alerts.threshold IS 'The rule''s threshold then.';
COMMENT ON COLUMN observability.open_alerts.incident_id IS 'The incident; NULL when it was deleted.';
COMMENT ON COLUMN observability.open_alerts.title IS 'What the incident is about.';
COMMENT ON COLUMN observability.open_alerts.severity IS 'How bad it is.';
COMMENT ON COLUMN observability.open_alerts.status IS 'Where the incident is: open, investigating, identified or resolved.';
COMMENT ON COLUMN observability.open_alerts.acknowledged_at IS 'When somebody took it on; NULL before.';
GRANT SELECT ON observability.open_alerts TO codeverify_tenant;
