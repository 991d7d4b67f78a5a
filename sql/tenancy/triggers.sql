CREATE TRIGGER org_memberships_lock_organization
BEFORE DELETE OR UPDATE OF role ON tenancy.org_memberships
FOR EACH STATEMENT
EXECUTE FUNCTION tenancy.keep_an_owner();
COMMENT ON TRIGGER org_memberships_lock_organization ON tenancy.org_memberships IS 'Makes managers who remove each other wait in order.';

CREATE TRIGGER org_memberships_lock_owners
BEFORE DELETE OR UPDATE OF role ON tenancy.org_memberships
FOR EACH ROW
WHEN (OLD.role = 'owner')
EXECUTE FUNCTION tenancy.keep_an_owner();
COMMENT ON TRIGGER org_memberships_lock_owners ON tenancy.org_memberships IS 'Locks the organization before one of its owners goes.';

CREATE TRIGGER org_memberships_keep_an_owner
AFTER DELETE OR UPDATE OF role ON tenancy.org_memberships
FOR EACH ROW
WHEN (OLD.role = 'owner')
EXECUTE FUNCTION tenancy.keep_an_owner();
COMMENT ON TRIGGER org_memberships_keep_an_owner ON tenancy.org_memberships IS 'Refuses to leave the organization without an owner.';
