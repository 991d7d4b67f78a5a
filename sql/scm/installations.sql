COMMENT ON FUNCTION scm.lock_installation(bigint, boolean) IS
    'Keeps a claim of an installation and the deliveries of it apart until the transaction ends; deliveries do not wait for each other.';

CREATE FUNCTION scm.claim_installation(installation_id bigint, org_id uuid)
RETURNS uuid
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    claimed record;
BEGIN
    PERFORM integrations.require_no_context();
    PERFORM o.id
    FROM tenancy.organizations AS o
    WHERE o.id = claim_installation.org_id
    FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'organization % does not exist', claim_installation.org_id
            USING ERRCODE = 'VC015',
                  HINT = 'Create it with tenancy.create_organization(name), or check the id.';
    END IF;

    -- A delivery that comes at the same time is either seen below or sees the claim.
    PERFORM scm.lock_installation(claim_installation.installation_id, for_claim => true);
    INSERT INTO scm.installations AS i (github_installation_id, org_id, account_type)
    SELECT claim_installation.installation_id,
           claim_installation.org_id,
           coalesce(
               (
                   SELECT d.facts #>> '{installation,account_type}'
                   FROM integrations.inbound_deliveries AS d
                   WHERE d.installation_id = claim_installation.installation_id
                     AND d.status = 'unclaimed'
                     AND d.event = 'installation'
                     AND d.facts #>> '{installation,account_type}' IN ('Organization', 'User')
                   ORDER BY d.created_at DESC
                   LIMIT 1
               ),
               'Organization')
    ON CONFLICT (github_installation_id) DO NOTHING;
    SELECT i.id, i.org_id
    INTO claimed
    FROM scm.installations AS i
    WHERE i.github_installation_id = claim_installation.installation_id;
    IF claimed.org_id IS DISTINCT FROM claim_installation.org_id THEN
        RAISE EXCEPTION 'installation % belongs to another organization', claim_installation.installation_id
            USING ERRCODE = 'VC116',
                  HINT = 'Uninstall the App there first, or check the number.';
    END IF;

    PERFORM integrations.handle_unclaimed(claim_installation.installation_id);
    RETURN claimed.id;
END
$function$;
COMMENT ON FUNCTION scm.claim_installation(bigint, uuid) IS
    'Gives an installation of the GitHub App, by GitHub''s number, to an organization and returns its id in scm.installations; what was delivered of it before is handled now, so its repositories come in. For codeverify_service outside of a context, which must have made sure with GitHub that whoever asks administers the installation: deliveries alone give nothing to anybody. Calling it again changes nothing. Raises VC015 for an unknown organization, VC116 for an installation of another one, VC014 inside a context. Example: SELECT scm.claim_installation(957387, ''5a5b...'');';
GRANT EXECUTE ON FUNCTION scm.claim_installation(bigint, uuid) TO codeverify_service;

CREATE FUNCTION scm.add_repositories(tenant uuid, installation bigint, repositories jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    refused jsonb;
BEGIN
    -- In one order, so that two deliveries that name the same repositories do not wait for each other in a circle.
    PERFORM r.id
    FROM scm.repositories AS r
    WHERE r.org_id = tenant
      AND r.github_id IN (SELECT (v.said ->> 'id')::bigint FROM pg_catalog.jsonb_array_elements(repositories) AS v (said))
    ORDER BY r.github_id
    FOR NO KEY UPDATE;

    UPDATE scm.repositories AS r
    SET installation_id = installation,
        name = v.said ->> 'name',
        full_name = v.said ->> 'full_name',
        private = (v.said ->> 'private')::boolean
    FROM pg_catalog.jsonb_array_elements(repositories) AS v (said)
    WHERE r.org_id = tenant
      AND r.github_id = (v.said ->> 'id')::bigint
      AND (r.installation_id, r.name, r.full_name, r.private)
          IS DISTINCT FROM (installation, v.said ->> 'name', v.said ->> 'full_name', (v.said ->> 'private')::boolean);

    INSERT INTO scm.repositories (org_id, github_id, name, full_name, private, installation_id)
    SELECT tenant, (v.said ->> 'id')::bigint, v.said ->> 'name', v.said ->> 'full_name', (v.said ->> 'private')::boolean, installation
    FROM pg_catalog.jsonb_array_elements(repositories) AS v (said)
    ORDER BY (v.said ->> 'id')::bigint
    ON CONFLICT (github_id) DO NOTHING;

    -- What another organization has it keeps, whatever a payload says.
    SELECT pg_catalog.jsonb_agg(r.github_id ORDER BY r.github_id)
    INTO refused
    FROM scm.repositories AS r
    WHERE r.org_id <> tenant
      AND r.github_id IN (SELECT (v.said ->> 'id')::bigint FROM pg_catalog.jsonb_array_elements(repositories) AS v (said));
    RETURN pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'repositories', pg_catalog.jsonb_array_length(repositories),
        'refused', refused));
END
$function$;
COMMENT ON FUNCTION scm.add_repositories(uuid, bigint, jsonb) IS
    'For integrations.handle_delivery: makes repositories that an installation covers, an array of {id, name, full_name, private}, known to its organization, and brings those up to date that are known. Returns how many were named, and as refused the numbers of those that another organization has.';

CREATE FUNCTION scm.see_repository(tenant uuid, installation bigint, repository jsonb)
RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    known record;
    branch constant text := repository ->> 'default_branch';
BEGIN
    -- Locked, so that deliveries about one repository see what the others did.
    SELECT r.id, r.github_default_branch
    INTO known
    FROM scm.repositories AS r
    WHERE r.org_id = tenant
      AND r.github_id = (repository ->> 'id')::bigint
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        -- Only an installation brings repositories in.
        IF installation IS NULL THEN
            RETURN NULL;
        END IF;
        PERFORM scm.add_repositories(tenant, installation, pg_catalog.jsonb_build_array(repository));
        SELECT r.id, r.github_default_branch
        INTO known
        FROM scm.repositories AS r
        WHERE r.org_id = tenant
          AND r.github_id = (repository ->> 'id')::bigint
        FOR NO KEY UPDATE;
    END IF;

    IF branch <> coalesce(known.github_default_branch, '') THEN
        UPDATE scm.repositories AS r
        SET github_default_branch = branch,
            default_branch = CASE r.default_branch
                WHEN coalesce(known.github_default_branch, 'main') THEN branch
                ELSE r.default_branch
            END
        WHERE r.org_id = tenant
          AND r.id = known.id;
    END IF;
    RETURN known.id;
END
$function$;
COMMENT ON FUNCTION scm.see_repository(uuid, bigint, jsonb) IS
    'For integrations.handle_delivery: the id of the repository that a delivery is about, {id, name, full_name, private, default_branch}, locked until the transaction ends; NULL when the organization has none. One that an installation names and nobody has comes in. default_branch follows GitHub''s unless the organization has chosen another.';

CREATE FUNCTION scm.change_installation(tenant uuid, installation bigint, what text, said jsonb, received_at timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF what = 'deleted' THEN
        PERFORM r.id
        FROM scm.repositories AS r
        WHERE r.org_id = tenant
          AND r.installation_id = installation
        ORDER BY r.github_id
        FOR NO KEY UPDATE;
        UPDATE scm.repositories AS r
        SET installation_id = NULL
        WHERE r.org_id = tenant
          AND r.installation_id = installation;
        DELETE FROM scm.installations AS i
        WHERE i.org_id = tenant
          AND i.github_installation_id = installation;
        RETURN;
    END IF;

    UPDATE scm.installations AS i
    SET account_type = n.account_type,
        permissions = n.permissions,
        events = n.events,
        suspended_at = n.suspended_at
    FROM (
        SELECT o.id,
               CASE WHEN said ->> 'account_type' IN ('Organization', 'User') THEN said ->> 'account_type' ELSE o.account_type END
                   AS account_type,
               said -> 'permissions' AS permissions,
               said -> 'events' AS events,
               CASE what
                   WHEN 'suspend' THEN coalesce(o.suspended_at, (said ->> 'suspended_at')::timestamptz, received_at)
                   WHEN 'new_permissions_accepted' THEN o.suspended_at
               END AS suspended_at
        FROM scm.installations AS o
        WHERE o.org_id = tenant
          AND o.github_installation_id = installation
    ) AS n
    WHERE i.id = n.id
      AND (i.account_type, i.permissions, i.events, i.suspended_at)
          IS DISTINCT FROM (n.account_type, n.permissions, n.events, n.suspended_at);
END
$function$;
COMMENT ON FUNCTION scm.change_installation(uuid, bigint, text, jsonb, timestamptz) IS
    'For integrations.handle_delivery: what happened to an installation: created, new_permissions_accepted, suspend, unsuspend or deleted. A deleted one is removed, and its repositories stay, of no installation.';
