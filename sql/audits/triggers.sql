CREATE TRIGGER audit_log_check_references
AFTER INSERT ON audits.audit_log
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT
EXECUTE FUNCTION audits.check_audit_log_references();

COMMENT ON TRIGGER audit_log_check_references ON audits.audit_log IS 'Stands for the foreign keys to organizations and users, without what deleting those would do.';
