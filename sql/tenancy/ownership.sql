COMMENT ON FUNCTION tenancy.transfer_ownership(uuid, uuid) IS
    'Hands the organization in context over: the member becomes an owner, and the owner in context an administrator. For owners. Of two transfers at once the second is refused. Raises VC012 for a user who is no member, VC014 for anybody but a user who is an owner now, VC015 for another organization. Example: SELECT tenancy.transfer_ownership(''0f0e...'', ''5a5b...'');';
GRANT EXECUTE ON FUNCTION tenancy.transfer_ownership(uuid, uuid) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION tenancy.leave_organization()
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('read');
BEGIN
    IF tenancy.current_user_id() IS NULL THEN
        RAISE EXCEPTION 'no user in context'
            USING ERRCODE = 'VC014',
                  DETAIL = 'API keys and services are no members.',
                  HINT = 'Revoke a key with auth.revoke_api_key(api_key_id).';
    END IF;
    DELETE FROM tenancy.org_memberships AS m
    WHERE m.org_id = tenant
      AND m.user_id = tenancy.current_user_id();
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION tenancy.leave_organization() IS
    'Ends the membership of the user in context in the organization in context, with the API keys and invitations that they have made there; false when it had ended. The context stays until the transaction ends. Raises VC013 for the last owner, VC014 for a key or a service. Example: SELECT tenancy.leave_organization();';
GRANT EXECUTE ON FUNCTION tenancy.leave_organization() TO codeverify_service, codeverify_tenant;
