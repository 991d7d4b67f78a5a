CREATE TRIGGER logs_check_references
AFTER INSERT ON observability.logs
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION observability.check_log_references();

COMMENT ON TRIGGER logs_check_references ON observability.logs IS 'Stands for the foreign keys to organizations, services and environments.';

CREATE TRIGGER organizations_delete_logs
AFTER DELETE ON tenancy.organizations
FOR EACH ROW
EXECUTE FUNCTION observability.delete_organization_logs();

COMMENT ON TRIGGER organizations_delete_logs ON tenancy.organizations IS 'Stands for ON DELETE CASCADE of observability.logs.';

CREATE TRIGGER alert_rules_check_params
BEFORE INSERT OR UPDATE OF type, params_json ON observability.alert_rules
FOR EACH ROW
EXECUTE FUNCTION observability.check_alert_rule();
COMMENT ON TRIGGER alert_rules_check_params ON observability.alert_rules IS 'Holds the parameters to the JSON schema of the rule''s type.';

CREATE TRIGGER incidents_enforce_transition
BEFORE UPDATE OF status ON observability.incidents
FOR EACH ROW
WHEN (OLD.status <> NEW.status)
EXECUTE FUNCTION codeverify.enforce_transition(
    'incident',
    'open>investigating', 'open>identified', 'open>resolved',
    'investigating>identified', 'investigating>resolved',
    'identified>investigating', 'identified>resolved',
    'resolved>open', 'resolved>investigating');
COMMENT ON TRIGGER incidents_enforce_transition ON observability.incidents IS 'Keeps the status on legal paths.';

CREATE TRIGGER incidents_keep_times
BEFORE INSERT OR UPDATE OF status ON observability.incidents
FOR EACH ROW
EXECUTE FUNCTION observability.keep_incident_times();
COMMENT ON TRIGGER incidents_keep_times ON observability.incidents IS 'Keeps resolved_at, and who acknowledged it, in step with the status.';

CREATE TRIGGER incidents_record_event
AFTER INSERT OR UPDATE ON observability.incidents
FOR EACH ROW
EXECUTE FUNCTION observability.record_incident_event();
COMMENT ON TRIGGER incidents_record_event ON observability.incidents IS 'Writes the timeline.';

SELECT tenancy.bind_authors('observability.incidents', 'acknowledged_by', 'acknowledged_at');
SELECT tenancy.bind_authors('observability.incident_events', 'actor_id', 'note');
