CREATE TRIGGER code_events_check_references
AFTER INSERT ON telemetry.code_events
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION telemetry.check_code_event_references();

COMMENT ON TRIGGER code_events_check_references ON telemetry.code_events IS 'Stands for the foreign keys to organizations and repositories.';

CREATE TRIGGER organizations_delete_code_events
AFTER DELETE ON tenancy.organizations
FOR EACH ROW
EXECUTE FUNCTION telemetry.delete_organization_events();

COMMENT ON TRIGGER organizations_delete_code_events ON tenancy.organizations IS 'Stands for ON DELETE CASCADE of telemetry.code_events.';
