-- What a user has made for an organization, and could not make any more, ends when they leave it.

CREATE FUNCTION auth.revoke_for_departed(departed_org_id uuid, departed_user_id uuid)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    key_ids uuid[];
    -- The user in context may be one of those whom this statement deletes.
    actor uuid := (SELECT u.id FROM auth.users AS u WHERE u.id = tenancy.current_user_id());
BEGIN
    SELECT pg_catalog.array_agg(k.id)
    INTO key_ids
    FROM auth.api_keys AS k
    WHERE k.org_id = departed_org_id
      AND k.created_by = departed_user_id
      AND k.revoked_at IS NULL;
    IF key_ids IS NOT NULL THEN
        PERFORM auth.revoke_lineage(key_ids);
        INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload)
        SELECT departed_org_id, 'auth', 'api_key.revoked', actor, u.id, pg_catalog.jsonb_build_object('reason', 'owner_left')
        FROM pg_catalog.unnest(key_ids) AS u (id);
        INSERT INTO auth.audit_logs (org_id, user_id, action, resource, details)
        SELECT departed_org_id, actor, 'api_key.revoked', u.id::text, pg_catalog.jsonb_build_object('reason', 'owner_left')
        FROM pg_catalog.unnest(key_ids) AS u (id);
    END IF;

    WITH revoked AS (
        UPDATE auth.invitations AS i
        SET revoked_at = pg_catalog.now()
        WHERE i.org_id = departed_org_id
          AND i.created_by = departed_user_id
          AND i.revoked_at IS NULL
          AND i.uses < i.max_uses
          AND i.expires_at > pg_catalog.clock_timestamp()
        RETURNING i.id
    ),
    ledger AS (
        INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload)
        SELECT departed_org_id, 'auth', 'invitation.revoked', actor, r.id, pg_catalog.jsonb_build_object('reason', 'inviter_left')
        FROM revoked AS r
    )
    INSERT INTO auth.audit_logs (org_id, user_id, action, resource, details)
    SELECT departed_org_id, actor, 'invitation.revoked', r.id::text, pg_catalog.jsonb_build_object('reason', 'inviter_left')
    FROM revoked AS r;
END
$function$;
COMMENT ON FUNCTION auth.revoke_for_departed(uuid, uuid) IS
    'Revokes the API keys that a user answers for in an organization, with all that descend from them, and the open invitations that the user has made there, and tells the ledger.';

CREATE FUNCTION auth.end_membership()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- An organization that is being deleted takes its keys and invitations with it.
    PERFORM auth.revoke_for_departed(OLD.org_id, OLD.user_id)
    FROM tenancy.organizations AS o
    WHERE o.id = OLD.org_id;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION auth.end_membership() IS
    'Trigger function: a member who leaves takes along the API keys and invitations that they have made.';

CREATE FUNCTION auth.end_user()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- In the order in which everything else locks them: organizations, memberships, keys, invitations.
    PERFORM FROM tenancy.organizations AS o
    WHERE o.id IN (SELECT m.org_id FROM tenancy.org_memberships AS m WHERE m.user_id = OLD.id)
    ORDER BY o.id
    FOR NO KEY UPDATE;
    PERFORM FROM tenancy.org_memberships AS m
    WHERE m.user_id = OLD.id
    ORDER BY m.org_id
    FOR UPDATE;

    -- Before the foreign keys make their owner nobody, for nobody's keys are those of a trusted service.
    PERFORM auth.revoke_for_departed(d.org_id, OLD.id)
    FROM (
        SELECT k.org_id FROM auth.api_keys AS k WHERE k.created_by = OLD.id
        UNION
        SELECT i.org_id FROM auth.invitations AS i WHERE i.created_by = OLD.id
    ) AS d;
    RETURN OLD;
END
$function$;
COMMENT ON FUNCTION auth.end_user() IS
    'Trigger function: a user who is deleted takes along the API keys and invitations that they have made.';
