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
