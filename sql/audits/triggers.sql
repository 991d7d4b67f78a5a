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

ALTER TABLE audits.lanes ENABLE ALWAYS TRIGGER lanes_refuse_changes;

COMMENT ON TRIGGER lanes_refuse_changes ON audits.lanes IS 'What is checkpointed or archived does not become less.';

CREATE TRIGGER lanes_refuse_removal
BEFORE DELETE OR TRUNCATE ON audits.lanes
FOR EACH STATEMENT
EXECUTE FUNCTION audits.refuse_change();

ALTER TABLE audits.lanes ENABLE ALWAYS TRIGGER lanes_refuse_removal;

COMMENT ON TRIGGER lanes_refuse_removal ON audits.lanes IS 'A lane is not forgotten.';

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
