CREATE TRIGGER audit_log_chain_entry
BEFORE INSERT ON audits.audit_log
FOR EACH ROW
EXECUTE FUNCTION audits.chain_entry();

-- Under session_replication_role = replica too: what a subscription brings is verified.
ALTER TABLE audits.audit_log ENABLE ALWAYS TRIGGER audit_log_chain_entry;

COMMENT ON TRIGGER audit_log_chain_entry ON audits.audit_log IS 'Chains new entries and verifies those that arrive with hashes.';
