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

CREATE TRIGGER code_attribution_note_new
AFTER INSERT ON telemetry.code_attribution
REFERENCING NEW TABLE AS touched_rows
FOR EACH STATEMENT
EXECUTE FUNCTION telemetry.note_attribution();

CREATE TRIGGER code_attribution_note_changed
AFTER UPDATE ON telemetry.code_attribution
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION telemetry.note_changed_attribution();

CREATE TRIGGER code_attribution_note_deleted
AFTER DELETE ON telemetry.code_attribution
REFERENCING OLD TABLE AS touched_rows
FOR EACH STATEMENT
EXECUTE FUNCTION telemetry.note_attribution();

CREATE TRIGGER code_attribution_note_truncated
AFTER TRUNCATE ON telemetry.code_attribution
FOR EACH STATEMENT
EXECUTE FUNCTION telemetry.note_all_attribution();

CREATE TRIGGER repositories_note_threshold
AFTER UPDATE OF settings ON scm.repositories
FOR EACH ROW
WHEN (OLD.settings -> 'ai_confidence_threshold' IS DISTINCT FROM NEW.settings -> 'ai_confidence_threshold')
EXECUTE FUNCTION telemetry.note_repository_threshold();

CREATE TRIGGER organizations_note_threshold
AFTER UPDATE OF settings ON tenancy.organizations
FOR EACH ROW
WHEN (OLD.settings -> 'ai_confidence_threshold' IS DISTINCT FROM NEW.settings -> 'ai_confidence_threshold')
EXECUTE FUNCTION telemetry.note_organization_threshold();

COMMENT ON TRIGGER code_attribution_note_new ON telemetry.code_attribution IS 'Says which metrics are out of date.';
COMMENT ON TRIGGER code_attribution_note_changed ON telemetry.code_attribution IS 'Says which metrics are out of date.';
COMMENT ON TRIGGER code_attribution_note_deleted ON telemetry.code_attribution IS 'Says which metrics are out of date.';
COMMENT ON TRIGGER code_attribution_note_truncated ON telemetry.code_attribution IS 'Says which metrics are out of date.';
COMMENT ON TRIGGER repositories_note_threshold ON scm.repositories IS 'Says which metrics are out of date.';
COMMENT ON TRIGGER organizations_note_threshold ON tenancy.organizations IS 'Says which metrics are out of date.';

-- For everybody, its owner included. Partitions get the trigger for rows with their table; nobody but the owner reaches
-- a partition by its own name.
CREATE TRIGGER code_events_refuse_changes
BEFORE UPDATE OR DELETE ON telemetry.code_events
FOR EACH ROW
EXECUTE FUNCTION telemetry.refuse_event_change();

CREATE TRIGGER code_events_refuse_truncate
BEFORE TRUNCATE ON telemetry.code_events
FOR EACH STATEMENT
EXECUTE FUNCTION telemetry.refuse_event_change();

COMMENT ON TRIGGER code_events_refuse_changes ON telemetry.code_events IS 'Events are append-only.';
COMMENT ON TRIGGER code_events_refuse_truncate ON telemetry.code_events IS 'Events are append-only.';
