COMMENT ON FUNCTION integrations.set_inbound_secret(text, text, uuid) IS
    'Makes a secret good for verifying inbound deliveries, beside those that are good already, and returns its id. For codeverify_service and codeverify_admin outside of a context. provider is github; secret is what was entered there, 16 to 1024 bytes, which is stored encrypted and never shown; org_id is the organization whose own webhooks are signed with it, NULL for the GitHub App''s. To change a secret, set the new one, enter it at the provider, and retire the old one; at most four are good at a time. Raises VC115 for an argument that will not do, VC015 for an unknown organization, VC024 when the secret cannot be encrypted, VC014 inside a context. Pass a secret as a bind parameter. Example: SELECT integrations.set_inbound_secret(''github'', $1);';
GRANT EXECUTE ON FUNCTION integrations.set_inbound_secret(text, text, uuid)
TO codeverify_admin, codeverify_service;

CREATE FUNCTION integrations.require_no_context()
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF tenancy.current_org_id() IS NOT NULL THEN
        RAISE EXCEPTION 'only codeverify_service may do this, outside of a context'
            USING ERRCODE = 'VC014',
                  HINT = 'Connect as a login of codeverify_service, and call it in a transaction that acts for no tenant.';
    END IF;
END
$function$;
COMMENT ON FUNCTION integrations.require_no_context() IS
    'Raises VC014 inside a context: what no tenant may do, nobody does while it acts for one.';

CREATE FUNCTION integrations.retire_inbound_secret(secret_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM integrations.require_no_context();
    DELETE FROM integrations.inbound_secrets AS s
    WHERE s.id = secret_id;
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION integrations.retire_inbound_secret(uuid) IS
    'Removes a secret: deliveries that are signed with it are refused from the next on. False when there is none. For codeverify_service and codeverify_admin outside of a context. Raises VC014 inside one. Example: SELECT integrations.retire_inbound_secret(''0f0e...'');';
GRANT EXECUTE ON FUNCTION integrations.retire_inbound_secret(uuid) TO codeverify_admin, codeverify_service;

CREATE FUNCTION integrations.list_inbound_secrets()
RETURNS TABLE (
    secret_id uuid,
    provider text,
    org_id uuid,
    created_at timestamptz)
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT s.id, s.provider, s.org_id, s.created_at
    FROM integrations.inbound_secrets AS s
    ORDER BY s.provider, s.org_id NULLS FIRST, s.created_at, s.id
$function$;
COMMENT ON FUNCTION integrations.list_inbound_secrets() IS
    'The secrets that inbound deliveries are verified with, without the secrets themselves. verified_by of integrations.inbound_deliveries tells which are still in use.';
GRANT EXECUTE ON FUNCTION integrations.list_inbound_secrets() TO codeverify_admin, codeverify_service;
