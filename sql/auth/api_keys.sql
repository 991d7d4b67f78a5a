COMMENT ON FUNCTION auth.create_api_key(uuid, text, jsonb, timestamptz, uuid) IS
    'Makes an API key of an organization and returns its id and its text, which is shown this once: only a SHA-256 is stored. Takes the permission manage; codeverify_service may also call it without a context. scopes is an array of at most 64 names: one of them must be read, write or admin, which decide the role that the key acts with; others are yours to check. The user in context answers for the key: it never does more than that user may, and ends when they leave. A key that makes a key answers for it in the same way: the new one has no scope that the other lacks, and no later end. Raises VC014 or VC011 when the caller may not, VC020 for a missing name, malformed or wider scopes, or an expires_at in the past or after the other''s. Example: SELECT * FROM auth.create_api_key(''0f0e...'', ''CI'', ''["read","write"]'', now() + interval ''90 days'');';
ALTER FUNCTION auth.create_api_key(uuid, text, jsonb, timestamptz, uuid) ROWS 1;
GRANT EXECUTE ON FUNCTION auth.create_api_key(uuid, text, jsonb, timestamptz, uuid)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.rotate_api_key(uuid, interval) IS
    'Gives an API key a new text, which is shown this once; its id, scopes and end stay. The old text stops working at once, or goes on for grace, at most 30 days. Takes the permission manage; codeverify_service may also call it without a context. The user in context answers for the key from then on; a key rotates itself and those that it has made. Returns a jsonb object with status (ok, not_found, revoked or expired), api_key_id, api_key and previous_expires_at. Raises VC014 or VC011 when the caller may not, VC020 for another grace or another''s key. Example: SELECT auth.rotate_api_key(''7c1d...'', interval ''1 hour'')->>''api_key'';';
GRANT EXECUTE ON FUNCTION auth.rotate_api_key(uuid, interval)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.revoke_api_key(uuid) IS
    'Revokes an API key and every key that it has made, for good; false when there was nothing to revoke. Takes the permission manage; codeverify_service may also call it without a context. Raises VC014 or VC011 when the caller may not. Example: SELECT auth.revoke_api_key(''7c1d...'');';
GRANT EXECUTE ON FUNCTION auth.revoke_api_key(uuid)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.authenticate_api_key(text, text) IS
    'Verifies an API key and makes its organization the context until the transaction ends. Returns a jsonb object with status (ok, invalid, expired, revoked or insufficient_scope), org_id, api_key_id and scopes. A wrong key raises nothing; VC010 is raised when the transaction already acts for another identity, such as another key. What is committed counts, whatever the transaction''s snapshot shows. Pass the key as a bind parameter, so that it stays out of pg_stat_activity. Example: BEGIN; SELECT auth.authenticate_api_key($1, ''write'')->>''status''; ... COMMIT;';
GRANT EXECUTE ON FUNCTION auth.authenticate_api_key(text, text)
TO codeverify_service, codeverify_tenant, codeverify_ingest;

CREATE FUNCTION auth.list_api_keys()
RETURNS TABLE (
    api_key_id uuid,
    name text,
    key_prefix text,
    scopes jsonb,
    status text,
    created_by uuid,
    created_at timestamptz,
    expires_at timestamptz,
    last_used_at timestamptz,
    rotated_at timestamptz,
    previous_expires_at timestamptz,
    revoked_at timestamptz,
    service_id uuid,
    parent_id uuid)
LANGUAGE sql
STABLE
ROWS 20
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT k.id,
           k.name,
           k.key_prefix,
           k.scopes,
           CASE
               WHEN k.revoked_at IS NOT NULL THEN 'revoked'
               WHEN k.expires_at <= pg_catalog.clock_timestamp() THEN 'expired'
               WHEN k.created_by IS NOT NULL AND m.user_id IS NULL THEN 'orphaned'
               WHEN coalesce(k.rotated_at, k.created_at) < m.created_at THEN 'orphaned'
               ELSE 'active'
           END,
           k.created_by,
           k.created_at,
           k.expires_at,
           k.last_used_at,
           k.rotated_at,
           k.previous_expires_at,
           k.revoked_at,
           k.service_id,
           k.parent_id
    FROM auth.api_keys AS k
    LEFT JOIN tenancy.org_memberships AS m ON m.org_id = k.org_id AND m.user_id = k.created_by
    WHERE k.org_id = tenancy.current_org_id()
    ORDER BY k.created_at, k.id
$function$;
COMMENT ON FUNCTION auth.list_api_keys() IS
    'API keys of the organization in context, oldest first, each with its status: active, expired, revoked, or orphaned, when whoever answers for it is no member, or has joined again since. No rows without a context.';
GRANT EXECUTE ON FUNCTION auth.list_api_keys() TO codeverify_service, codeverify_tenant;

CREATE FUNCTION auth.has_scope(scope text)
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
        WHEN scope IS NULL OR tenancy.current_org_id() IS NULL THEN false
        WHEN scope IN ('read', 'write') THEN tenancy.has_permission(scope)
        WHEN scope = 'admin' THEN tenancy.has_permission('manage')
        WHEN tenancy.current_api_key_id() IS NULL THEN true
        ELSE EXISTS (
            SELECT
            FROM auth.api_keys AS k
            WHERE k.org_id = tenancy.current_org_id()
              AND k.id = tenancy.current_api_key_id()
              AND k.scopes ? scope)
    END
$function$;
COMMENT ON FUNCTION auth.has_scope(text) IS
    'Whether the API key in context has the scope: read, write and admin as its role has them, any other by name. Users and services are not limited by scopes: true for them, but for what their role lacks. False without a context. For functions and policies of your own. Example: SELECT auth.has_scope(''scan:nightly'');';
GRANT EXECUTE ON FUNCTION auth.has_scope(text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION auth.revoke_lineage(key_ids uuid[])
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    affected integer;
    revoked integer := 0;
BEGIN
    -- Again until there are none: whoever was making a key meanwhile held the lock of the one that made it, and
    -- the next statement sees what they have made.
    LOOP
        WITH RECURSIVE lineage AS (
            SELECT k.org_id, k.id
            FROM auth.api_keys AS k
            WHERE k.id = ANY (key_ids)
            UNION
            SELECT k.org_id, k.id
            FROM lineage AS l
            JOIN auth.api_keys AS k ON k.org_id = l.org_id AND k.parent_id = l.id
        )
        UPDATE auth.api_keys AS k
        SET revoked_at = pg_catalog.now()
        FROM lineage AS l
        WHERE k.id = l.id
          AND k.revoked_at IS NULL;
        GET DIAGNOSTICS affected = ROW_COUNT;
        EXIT WHEN affected = 0;
        revoked := revoked + affected;
    END LOOP;
    RETURN revoked;
END
$function$;
COMMENT ON FUNCTION auth.revoke_lineage(uuid[]) IS
    'Revokes API keys and all that descend from them, and returns how many were not revoked before.';
