-- The tenant itself: its members see it and its managers change what describes it.
SELECT tenancy.force_row_security('tenancy.organizations');
SELECT tenancy.hide_statistics('tenancy.organizations');

CREATE POLICY organizations_tenant ON tenancy.organizations
    AS RESTRICTIVE
    FOR ALL
    USING (id = tenancy.current_org_id())
    WITH CHECK (id = tenancy.current_org_id());
COMMENT ON POLICY organizations_tenant ON tenancy.organizations IS
    'The organization in context and no other, whatever other policies allow.';

SELECT tenancy.allow('tenancy.organizations', selects => 'read', inserts => NULL, updates => 'manage', deletes => NULL);

REVOKE UPDATE ON tenancy.organizations FROM codeverify_tenant;
GRANT UPDATE (name, avatar_url, settings) ON tenancy.organizations TO codeverify_tenant;

-- Functions and maintenance only.
SELECT tenancy.force_row_security('tenancy.deleted_organizations');

SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('tenancy.org_memberships', 'read', NULL,     'manage', NULL),
    ('tenancy.services',        'read', 'manage', 'manage', 'manage'),
    ('tenancy.environments',    'read', 'manage', 'manage', 'manage')
) AS t (target, selects, inserts, updates, deletes);

-- A membership is moved to another user or organization by making a new one. It is ended by tenancy.remove_member():
-- a privilege on the whole table would let any tenant lock everybody out with LOCK TABLE.
REVOKE UPDATE ON tenancy.org_memberships FROM codeverify_tenant;
GRANT UPDATE (role) ON tenancy.org_memberships TO codeverify_tenant;

-- A new member has agreed, by accepting an invitation; or the trusted back end answers for it.
GRANT INSERT ON tenancy.org_memberships TO codeverify_service;
CREATE POLICY org_memberships_insert ON tenancy.org_memberships
    FOR INSERT
    TO codeverify_service
    WITH CHECK (tenancy.has_permission('manage'));
COMMENT ON POLICY org_memberships_insert ON tenancy.org_memberships IS
    'The trusted service role only, and the user that it acts for must have the permission "manage".';

-- Whoever manages members without being an owner could otherwise become one, or remove one.
CREATE POLICY org_memberships_owner_insert ON tenancy.org_memberships
    AS RESTRICTIVE
    FOR INSERT
    WITH CHECK (role <> 'owner' OR tenancy.has_permission('own'));
COMMENT ON POLICY org_memberships_owner_insert ON tenancy.org_memberships IS
    'Only an owner makes an owner.';

CREATE POLICY org_memberships_owner_update ON tenancy.org_memberships
    AS RESTRICTIVE
    FOR UPDATE
    USING (role <> 'owner' OR tenancy.has_permission('own'))
    WITH CHECK (role <> 'owner' OR tenancy.has_permission('own'));
COMMENT ON POLICY org_memberships_owner_update ON tenancy.org_memberships IS
    'Only an owner changes what an owner is, or makes a member one.';
