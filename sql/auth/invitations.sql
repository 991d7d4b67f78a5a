COMMENT ON FUNCTION auth.create_invitation(uuid, text, text, integer, interval) IS
    'Makes an invitation into an organization and returns a jsonb object with status (ok or invalid_email), invitation_id, code, which is shown this once, and expires_at. role is admin, member, developer or viewer. With email, only a user who has verified that address may accept; without, max_uses users who have the code. Takes the permission manage; codeverify_service may also call it without a context. Raises VC014 or VC011 when the caller may not, VC025 for a role, a max_uses (1 to 10000, 1 with email) or an expires_in (at most a year) that cannot be. Example: SELECT auth.create_invitation(''0f0e...'', ''developer'', ''ada@example.org'')->>''code'';';
GRANT EXECUTE ON FUNCTION auth.create_invitation(uuid, text, text, integer, interval)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.accept_invitation(text, uuid) IS
    'Makes a user a member of the organization that an invitation is for. Returns a jsonb object with status (ok, invalid, expired, used_up, revoked, already_member or wrong_email), org_id and role. Works in any context or none: codeverify_service, outside of a context, for any user; everybody else for the user in context. An invitation is worth what whoever made it may give at this moment: revoked when they may not invite any more. It admits each user once, so that a member who was removed does not come back with it. Raises VC014 for another user, VC025 for one who does not exist. Pass the code as a bind parameter. Example: SELECT auth.accept_invitation($1, ''5a5b...'')->>''status'';';
GRANT EXECUTE ON FUNCTION auth.accept_invitation(text, uuid)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.revoke_invitation(uuid) IS
    'Takes an invitation back; false when there was nothing to take back. Who has joined with it stays a member. Takes the permission manage; codeverify_service may also call it without a context. Raises VC014 or VC011 when the caller may not. Example: SELECT auth.revoke_invitation(''7c1d...'');';
GRANT EXECUTE ON FUNCTION auth.revoke_invitation(uuid)
TO codeverify_service, codeverify_tenant;

CREATE FUNCTION auth.list_invitations()
RETURNS TABLE (
    invitation_id uuid,
    role text,
    email text,
    status text,
    uses integer,
    max_uses integer,
    expires_at timestamptz,
    created_by uuid,
    api_key_id uuid,
    created_at timestamptz)
LANGUAGE sql
STABLE
ROWS 20
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT i.id,
           i.role,
           i.email,
           CASE
               WHEN i.revoked_at IS NOT NULL THEN 'revoked'
               WHEN i.uses >= i.max_uses THEN 'used_up'
               WHEN i.expires_at <= pg_catalog.clock_timestamp() THEN 'expired'
               -- As auth.accept_invitation() would find.
               WHEN i.created_by IS NOT NULL AND coalesce(m.role, '') NOT IN ('owner', 'admin') THEN 'revoked'
               WHEN k.revoked_at IS NOT NULL OR k.expires_at <= pg_catalog.clock_timestamp() THEN 'revoked'
               ELSE 'open'
           END,
           i.uses,
           i.max_uses,
           i.expires_at,
           i.created_by,
           i.api_key_id,
           i.created_at
    FROM auth.invitations AS i
    LEFT JOIN tenancy.org_memberships AS m ON m.org_id = i.org_id AND m.user_id = i.created_by
    LEFT JOIN auth.api_keys AS k ON k.org_id = i.org_id AND k.id = i.api_key_id
    WHERE i.org_id = tenancy.current_org_id()
    ORDER BY i.created_at, i.id
$function$;
COMMENT ON FUNCTION auth.list_invitations() IS
    'Invitations into the organization in context, oldest first, each with its status: open, used_up, expired or revoked. For those with the permission manage; no rows for others.';
GRANT EXECUTE ON FUNCTION auth.list_invitations() TO codeverify_service, codeverify_tenant;
