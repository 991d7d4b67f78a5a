-- For statements on the table: what maintenance moves between partitions, packs or retires changes no total.
CREATE TRIGGER usage_tracking_note_new
AFTER INSERT ON providers.usage_tracking
REFERENCING NEW TABLE AS touched_rows
FOR EACH STATEMENT
EXECUTE FUNCTION providers.note_usage();

CREATE TRIGGER usage_tracking_note_changed
AFTER UPDATE ON providers.usage_tracking
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION providers.note_changed_usage();

CREATE TRIGGER usage_tracking_note_deleted
AFTER DELETE ON providers.usage_tracking
REFERENCING OLD TABLE AS touched_rows
FOR EACH STATEMENT
EXECUTE FUNCTION providers.note_usage();

COMMENT ON TRIGGER usage_tracking_note_new ON providers.usage_tracking IS 'Says which metrics are out of date.';
COMMENT ON TRIGGER usage_tracking_note_changed ON providers.usage_tracking IS 'Says which metrics are out of date.';
COMMENT ON TRIGGER usage_tracking_note_deleted ON providers.usage_tracking IS 'Says which metrics are out of date.';
