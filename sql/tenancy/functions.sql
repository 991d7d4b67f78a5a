COMMENT ON FUNCTION tenancy.current_org_id() IS
    'Organization that the current transaction acts for; NULL without a context. Every isolation policy compares with it. Example: SELECT * FROM analysis.analyses WHERE org_id = tenancy.current_org_id();';
COMMENT ON FUNCTION tenancy.current_user_id() IS
    'User that the current transaction acts for; NULL without a context and for API keys.';
COMMENT ON FUNCTION tenancy."current_role"() IS
    'Role inside the organization that the current transaction acts with: owner, admin, member, developer or viewer; NULL without a context.';
COMMENT ON FUNCTION tenancy.current_api_key_id() IS
    'API key that the current transaction acts with; NULL without a context and for users and services.';
COMMENT ON FUNCTION tenancy.list_permissions() IS
    'Which role has which permission: what has_permission and require_permission answer, for every role and permission. The view tenancy.permissions shows it.';
COMMENT ON FUNCTION tenancy.has_permission(text) IS
    'Whether the role in context has the permission: read (every role), write (member, developer, admin, owner), manage (admin, owner) or own (owner). False without a context. Raises VC017 for any other name.';
COMMENT ON FUNCTION tenancy.require_permission(text) IS
    'The organization in context, where its role has the permission. Raises VC011 without a context, VC014 without the permission, VC017 for an unknown one. For functions: tenant uuid := tenancy.require_permission(''write'');';
COMMENT ON FUNCTION tenancy.assume(uuid, uuid) IS
    'For the trusted service role: makes an organization, and the user if one is named, the context until the transaction ends. The user must be a member; without one the caller acts as an owner would. Raises VC010 when the transaction already acts for another identity, VC012 when the user is no member, VC015 when the organization does not exist. Example: BEGIN; SELECT tenancy.assume(''0f0e...'', ''5a5b...''); ... COMMIT;';
GRANT EXECUTE ON FUNCTION tenancy.current_org_id()
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;
GRANT EXECUTE ON FUNCTION tenancy.current_user_id()
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;
GRANT EXECUTE ON FUNCTION tenancy."current_role"()
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;
GRANT EXECUTE ON FUNCTION tenancy.current_api_key_id()
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;
GRANT EXECUTE ON FUNCTION tenancy.list_permissions()
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;
GRANT EXECUTE ON FUNCTION tenancy.has_permission(text)
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;
GRANT EXECUTE ON FUNCTION tenancy.require_permission(text)
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;
GRANT EXECUTE ON FUNCTION tenancy.assume(uuid, uuid) TO codeverify_service;

CREATE FUNCTION tenancy.create_organization(
    name text,
    login text DEFAULT NULL,
    github_id bigint DEFAULT NULL,
    owner_id uuid DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    new_id uuid;
BEGIN
    INSERT INTO tenancy.organizations (name, login, github_id)
    VALUES (create_organization.name, create_organization.login, create_organization.github_id)
    RETURNING id INTO new_id;

    IF owner_id IS NOT NULL THEN
        INSERT INTO tenancy.org_memberships (org_id, user_id, role)
        VALUES (new_id, owner_id, 'owner');
    END IF;
    RETURN new_id;
END
$function$;
COMMENT ON FUNCTION tenancy.create_organization(text, text, bigint, uuid) IS
    'Creates an organization, with its first owner if one is named, and returns its id. For codeverify_service and codeverify_admin. Raises unique_violation for a GitHub id or login that is taken and foreign_key_violation for an owner who does not exist. Example: SELECT tenancy.create_organization(''Acme'', ''acme'', owner_id => ''5a5b...'');';
GRANT EXECUTE ON FUNCTION tenancy.create_organization(text, text, bigint, uuid)
TO codeverify_admin, codeverify_service;

CREATE FUNCTION tenancy.add_member(org_id uuid, user_id uuid, role text DEFAULT 'member')
RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission(CASE WHEN role = 'owner' THEN 'own' ELSE 'manage' END);
    membership_id uuid;
BEGIN
    IF org_id IS DISTINCT FROM tenant THEN
        RAISE EXCEPTION 'organization % is not the one in context', org_id
            USING ERRCODE = 'VC015',
                  HINT = 'Act for that organization, or check the id.';
    END IF;

    -- Who is added shows their profile to all members, so tenants have to ask: by invitation.
    IF pg_catalog.pg_has_role(CURRENT_USER, 'codeverify_service', 'USAGE') THEN
        INSERT INTO tenancy.org_memberships AS m (org_id, user_id, role)
        VALUES (tenant, add_member.user_id, add_member.role)
        ON CONFLICT ON CONSTRAINT org_memberships_org_id_user_id_key
        DO UPDATE SET role = excluded.role
        RETURNING m.id INTO membership_id;
        RETURN membership_id;
    END IF;

    UPDATE tenancy.org_memberships AS m
    SET role = add_member.role
    WHERE m.org_id = tenant
      AND m.user_id = add_member.user_id
    RETURNING m.id INTO membership_id;
    IF FOUND THEN
        RETURN membership_id;
    END IF;
    IF EXISTS (
        SELECT
        FROM tenancy.org_memberships AS m
        WHERE m.org_id = tenant
          AND m.user_id = add_member.user_id)
    THEN
        RAISE EXCEPTION 'the member role in context does not allow this'
            USING ERRCODE = 'VC014',
                  DETAIL = 'Only an owner changes what an owner is.',
                  HINT = 'Ask an owner of the organization.';
    END IF;
    RAISE EXCEPTION 'user % is not a member of organization %', add_member.user_id, tenant
        USING ERRCODE = 'VC012',
              DETAIL = 'Nobody is made a member by another without having agreed.',
              HINT = 'Invite the user with auth.create_invitation(org_id, role).';
END
$function$;
COMMENT ON FUNCTION tenancy.add_member(uuid, uuid, text) IS
    'Changes the role of a member of the organization in context and returns the membership''s id. codeverify_service adds any user in this way; for everybody else a user joins by accepting an invitation. Takes the permission manage; own for the role owner. Raises VC012 for a user who is no member, VC013 for the last owner, who cannot be given a lesser role, VC014 or VC011 when the caller may not, VC015 for another organization. Example: SELECT tenancy.add_member(''0f0e...'', ''5a5b...'', ''developer'');';
GRANT EXECUTE ON FUNCTION tenancy.add_member(uuid, uuid, text) TO codeverify_service, codeverify_tenant;

-- With its owner's rights, since whoever may DELETE may also lock the table, and with it everybody who comes in.
CREATE FUNCTION tenancy.remove_member(org_id uuid, user_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    DELETE FROM tenancy.org_memberships AS m
    WHERE m.org_id = remove_member.org_id
      AND m.org_id = tenancy.current_org_id()
      AND m.user_id = remove_member.user_id
      AND tenancy.has_permission(CASE m.role WHEN 'owner' THEN 'own' ELSE 'manage' END);
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION tenancy.remove_member(uuid, uuid) IS
    'Removes a user from an organization; false when there was nothing to remove or the caller may not see it. Takes the permission manage; own for an owner. Raises VC013 for the last owner.';
GRANT EXECUTE ON FUNCTION tenancy.remove_member(uuid, uuid) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION tenancy.keep_an_owner()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Taken before any row of the statement, so that two managers at once wait here and not for each other's rows.
    IF TG_LEVEL = 'STATEMENT' THEN
        -- Whom the log will name, if keys end: whoever deletes a user locks the user first, and then the organization.
        PERFORM FROM auth.users AS u
        WHERE u.id = tenancy.current_user_id()
        FOR KEY SHARE;
        PERFORM FROM tenancy.organizations AS o
        WHERE o.id = tenancy.current_org_id()
        FOR NO KEY UPDATE;
        RETURN NULL;
    END IF;

    -- Before the row goes, the lock makes two owners who remove each other wait for one another.
    IF TG_WHEN = 'BEFORE' THEN
        PERFORM FROM tenancy.organizations AS o
        WHERE o.id = OLD.org_id
        FOR NO KEY UPDATE;
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;

    -- An organization that is being deleted takes its memberships with it. The row lock makes an older
    -- snapshot (REPEATABLE READ) fail rather than count an owner who has left since.
    PERFORM FROM tenancy.org_memberships AS m
    WHERE m.org_id = OLD.org_id
      AND m.role = 'owner'
    FOR UPDATE;
    IF NOT FOUND AND EXISTS (SELECT FROM tenancy.organizations AS o WHERE o.id = OLD.org_id) THEN
        RAISE EXCEPTION 'organization % would be left without an owner', OLD.org_id
            USING ERRCODE = 'VC013',
                  HINT = 'Make another member an owner first, or delete the organization.';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION tenancy.keep_an_owner() IS
    'Trigger function: refuses to remove or demote the last owner of an organization. Raises VC013.';

CREATE FUNCTION tenancy.list_members()
RETURNS TABLE (user_id uuid, username text, email text, avatar_url text, role text, member_since timestamptz)
LANGUAGE sql
STABLE
PARALLEL SAFE
SECURITY DEFINER
ROWS 50
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT m.user_id, u.username, u.email, u.avatar_url, m.role, m.created_at
    FROM tenancy.org_memberships AS m
    JOIN auth.users AS u ON u.id = m.user_id
    WHERE m.org_id = tenancy.current_org_id()
    ORDER BY m.created_at, m.user_id
$function$;
COMMENT ON FUNCTION tenancy.list_members() IS
    'Members of the organization in context with the public part of their profile, oldest first. No rows without a context.';
GRANT EXECUTE ON FUNCTION tenancy.list_members() TO codeverify_service, codeverify_tenant;
