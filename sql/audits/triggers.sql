CREATE TRIGGER audit_log_chain_entry
BEFORE INSERT ON audits.audit_log
FOR EACH ROW
EXECUTE FUNCTION audits.chain_entry();

-- Under session_replication_role = replica too: what a subscription brings is verified.
ALTER TABLE audits.audit_log ENABLE ALWAYS TRIGGER audit_log_chain_entry;

COMMENT ON TRIGGER audit_log_chain_entry ON audits.audit_log IS 'Chains new entries and verifies those that arrive with hashes.';

-- What is in the ledger stays as it is. The trigger for rows comes with every partition; the one for statements stands
-- on each by itself, and refuses those that would find no row too.
CREATE TRIGGER audit_log_refuse_changes
BEFORE UPDATE OR DELETE ON audits.audit_log
FOR EACH ROW
EXECUTE FUNCTION audits.refuse_change();

ALTER TABLE audits.audit_log ENABLE ALWAYS TRIGGER audit_log_refuse_changes;

COMMENT ON TRIGGER audit_log_refuse_changes ON audits.audit_log IS 'Entries are final.';

SELECT audits.refuse_statements(t.relation)
FROM audits.list_final_tables() AS t (relation);

-- Lanes are not forgotten, keep who they belong to, and what is checkpointed or archived does not become less.
CREATE TRIGGER lanes_refuse_changes
BEFORE UPDATE ON audits.lanes
FOR EACH ROW
WHEN (OLD.org_id IS DISTINCT FROM NEW.org_id
      OR OLD.lane <> NEW.lane
      OR OLD.checkpointed_seq > NEW.checkpointed_seq
      OR OLD.archived_seq > NEW.archived_seq)
EXECUTE FUNCTION audits.refuse_change();

COMMENT ON TRIGGER lanes_refuse_changes ON audits.lanes IS 'What is checkpointed or archived does not become less.';

CREATE TRIGGER lanes_refuse_removal
BEFORE DELETE OR TRUNCATE ON audits.lanes
FOR EACH STATEMENT
EXECUTE FUNCTION audits.refuse_change();

ALTER TABLE audits.lanes
    ENABLE ALWAYS TRIGGER lanes_refuse_changes,
    ENABLE ALWAYS TRIGGER lanes_refuse_removal;

COMMENT ON TRIGGER lanes_refuse_removal ON audits.lanes IS 'A lane is not forgotten.';

-- A tile of the Merkle tree gains hashes until it is full; those that it has stay.
CREATE TRIGGER merkle_tiles_refuse_changes
BEFORE UPDATE ON audits.merkle_tiles
FOR EACH ROW
WHEN (OLD.level <> NEW.level
      OR OLD.tile_index <> NEW.tile_index
      OR substring(NEW.hashes FOR length(OLD.hashes)) <> OLD.hashes)
EXECUTE FUNCTION audits.refuse_change();

COMMENT ON TRIGGER merkle_tiles_refuse_changes ON audits.merkle_tiles IS 'Hashes that are in the tree stay as they are.';

CREATE TRIGGER merkle_tiles_refuse_removal
BEFORE DELETE OR TRUNCATE ON audits.merkle_tiles
FOR EACH STATEMENT
EXECUTE FUNCTION audits.refuse_change();

ALTER TABLE audits.merkle_tiles
    ENABLE ALWAYS TRIGGER merkle_tiles_refuse_changes,
    ENABLE ALWAYS TRIGGER merkle_tiles_refuse_removal;

COMMENT ON TRIGGER merkle_tiles_refuse_removal ON audits.merkle_tiles IS 'The tree only grows.';

-- Every session keeps them in memory.
CREATE TRIGGER personal_fields_forget
AFTER INSERT OR UPDATE OR DELETE ON audits.personal_fields
FOR EACH ROW
EXECUTE FUNCTION audits.forget_personal_fields();

CREATE TRIGGER personal_fields_forget_all
AFTER TRUNCATE ON audits.personal_fields
FOR EACH STATEMENT
EXECUTE FUNCTION audits.forget_personal_fields();

ALTER TABLE audits.personal_fields
    ENABLE ALWAYS TRIGGER personal_fields_forget,
    ENABLE ALWAYS TRIGGER personal_fields_forget_all;

COMMENT ON TRIGGER personal_fields_forget ON audits.personal_fields IS 'Lets every session read the table again.';
COMMENT ON TRIGGER personal_fields_forget_all ON audits.personal_fields IS 'Lets every session read the table again.';

-- A key is destroyed on purpose, with the record of who did it, and never changed.
CREATE TRIGGER subject_keys_refuse_changes
BEFORE UPDATE ON audits.subject_keys
FOR EACH ROW
WHEN (OLD.id <> NEW.id
      OR OLD.subject_id <> NEW.subject_id
      OR OLD.created_at <> NEW.created_at
      OR OLD.erased_at IS NOT NULL
      OR OLD.key <> NEW.key)
EXECUTE FUNCTION audits.refuse_change();

CREATE TRIGGER subject_keys_refuse_removal
BEFORE DELETE OR TRUNCATE ON audits.subject_keys
FOR EACH STATEMENT
EXECUTE FUNCTION audits.refuse_change();

ALTER TABLE audits.subject_keys
    ENABLE ALWAYS TRIGGER subject_keys_refuse_changes,
    ENABLE ALWAYS TRIGGER subject_keys_refuse_removal;

COMMENT ON TRIGGER subject_keys_refuse_changes ON audits.subject_keys IS 'A key is erased or stays as it is.';
COMMENT ON TRIGGER subject_keys_refuse_removal ON audits.subject_keys IS 'That a key was erased is not forgotten.';
