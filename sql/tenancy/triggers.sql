CREATE TRIGGER org_memberships_lock_organization
BEFORE DELETE OR UPDATE OF role ON tenancy.org_memberships
FOR EACH STATEMENT
EXECUTE FUNCTION tenancy.keep_an_owner();

CREATE TRIGGER org_memberships_lock_owners
BEFORE DELETE OR UPDATE OF role ON tenancy.org_memberships
FOR EACH ROW
WHEN (OLD.role = 'owner')
EXECUTE FUNCTION tenancy.keep_an_owner();

CREATE TRIGGER org_memberships_keep_an_owner
AFTER DELETE OR UPDATE OF role ON tenancy.org_memberships
FOR EACH ROW
WHEN (OLD.role = 'owner')
EXECUTE FUNCTION tenancy.keep_an_owner();
