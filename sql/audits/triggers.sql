CREATE TRIGGER audit_log_chain_entry
BEFORE INSERT ON audits.audit_log
FOR EACH ROW
EXECUTE FUNCTION audits.chain_entry();

-- Under session_replication_role = replica too: what a subscription brings is verified.
ALTER TABLE audits.audit_log ENABLE ALWAYS TRIGGER audit_log_chain_entry;

COMMENT ON TRIGGER audit_log_chain_entry ON audits.audit_log IS 'Chains new entries and verifies those that arrive with hashes.';

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
