COMMENT ON FUNCTION integrations.read_delivery(text, text, bytea, text) IS
    'For integrations.receive_delivery: verifies the signature of a body and reads it: {status: verified, secret_id, org_id, payload_hash, facts}, where org_id is the organization whose own secret it was, or {status, problem} with the status invalid_signature or malformed. What is not signed is counted (delivery.refused in the ledger, once a minute with its number) and leaves nothing else. Raises VC024 when the secrets cannot be decrypted.';

CREATE FUNCTION integrations.receive_delivery(
    provider text,
    delivery_id text,
    event text,
    body bytea,
    signature text DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    said jsonb;
    signer uuid;
    identifier text;
    installation bigint;
    received uuid;
    known record;
BEGIN
    PERFORM integrations.require_no_context();

    said := integrations.read_delivery(provider, event, body, signature);
    IF said ->> 'status' = 'verified'
        AND (coalesce(pg_catalog.length(delivery_id), 0) NOT BETWEEN 1 AND 200
             OR coalesce(pg_catalog.length(event), 0) NOT BETWEEN 1 AND 255)
    THEN
        said := '{"status": "malformed", "problem": "delivery_id must have 1 to 200 characters, event 1 to 255"}';
    END IF;
    IF said ->> 'status' <> 'verified' THEN
        RETURN said;
    END IF;
    signer := (said ->> 'org_id')::uuid;
    -- Whoever has a secret of an organization's own says what identifiers it likes: they are in nobody else's way.
    identifier := pg_catalog.concat_ws('@', delivery_id, signer);
    installation := (said #>> '{facts,installation,id}')::bigint;

    -- Of several at once, the others wait here until the first is committed, or goes on in its place if it is not.
    INSERT INTO integrations.inbound_deliveries AS d
        (provider, delivery_id, event, payload_hash, created_at, org_id, action, status, installation_id, verified_by)
    VALUES (
        receive_delivery.provider,
        identifier,
        receive_delivery.event,
        said ->> 'payload_hash',
        pg_catalog.clock_timestamp(),
        signer,
        said #>> '{facts,action}',
        'ignored',
        installation,
        (said ->> 'secret_id')::uuid)
    ON CONFLICT ON CONSTRAINT uq_webhook_delivery_provider_id DO NOTHING
    RETURNING d.id INTO received;
    IF received IS NULL THEN
        SELECT d.id, d.status, d.payload_hash
        INTO known
        FROM integrations.inbound_deliveries AS d
        WHERE d.provider = receive_delivery.provider
          AND d.delivery_id = identifier;
        RETURN pg_catalog.jsonb_build_object(
            'status', 'duplicate',
            'id', known.id,
            'outcome', known.status,
            'same_body', known.payload_hash = said ->> 'payload_hash');
    END IF;

    -- What came while the claim was under way, in a transaction that could not see it.
    IF installation IS NOT NULL AND signer IS NULL THEN
        PERFORM scm.lock_installation(installation, for_claim => false);
        PERFORM integrations.handle_unclaimed(installation);
    END IF;
    RETURN '{"status": "accepted"}' || integrations.handle_delivery(received, signer, said -> 'facts');
END
$function$;
COMMENT ON FUNCTION integrations.receive_delivery(text, text, text, bytea, text) IS
    'Takes a webhook delivery as it came in: for GitHub the headers X-GitHub-Delivery, X-GitHub-Event and X-Hub-Signature-256 and the body, byte for byte. For codeverify_service outside of a context. Returns status accepted with id, outcome (handled, ignored, refused or unclaimed), org_id and details; duplicate, for one that is there, with its id, its outcome and same_body; invalid_signature, or malformed, with problem. An accepted delivery and all that follows from it commit together and once, at every isolation level; above READ COMMITTED the second of two at once may fail with serialization_failure and is a duplicate when tried again. Raises VC024 when the secrets cannot be decrypted, VC014 inside a context. Example: SELECT integrations.receive_delivery(''github'', $1, $2, $3, $4);';
GRANT EXECUTE ON FUNCTION integrations.receive_delivery(text, text, text, bytea, text) TO codeverify_service;

CREATE FUNCTION integrations.handle_unclaimed(installation bigint)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    delivery record;
    handled bigint := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM scm.installations AS i WHERE i.github_installation_id = installation) THEN
        RETURN 0;
    END IF;
    FOR delivery IN
        SELECT d.id, d.facts
        FROM integrations.inbound_deliveries AS d
        WHERE d.installation_id = installation
          AND d.status = 'unclaimed'
        ORDER BY d.created_at, d.id
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        PERFORM integrations.handle_delivery(delivery.id, NULL, delivery.facts);
        handled := handled + 1;
    END LOOP;
    RETURN handled;
END
$function$;
COMMENT ON FUNCTION integrations.handle_unclaimed(bigint) IS
    'For scm.claim_installation and integrations.receive_delivery: handles what was delivered of an installation before it was claimed, in the order in which it came, and returns how many deliveries that were.';

CREATE FUNCTION integrations.is_followed(event text, action text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(
        CASE event
            WHEN 'ping' THEN true
            WHEN 'push' THEN true
            WHEN 'installation' THEN action IN ('created', 'deleted', 'suspend', 'unsuspend', 'new_permissions_accepted')
            WHEN 'installation_repositories' THEN action IN ('added', 'removed')
            WHEN 'repository' THEN action IN ('created', 'edited', 'renamed', 'transferred', 'privatized', 'publicized', 'deleted')
            WHEN 'pull_request' THEN action IN ('opened', 'reopened', 'synchronize', 'ready_for_review', 'closed')
            WHEN 'pull_request_review' THEN action = 'submitted'
            WHEN 'workflow_run' THEN action = 'completed'
            WHEN 'deployment_status' THEN action = 'created'
        END,
        false)
$function$;
COMMENT ON FUNCTION integrations.is_followed(text, text) IS
    'Whether anything follows from an event with an action; all others are stored and ignored.';

CREATE FUNCTION integrations.handle_delivery(delivery uuid, signer uuid, said jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    received record;
    installation constant bigint := (said #>> '{installation,id}')::bigint;
    github_repository constant bigint := (said #>> '{repository,id}')::bigint;
    tenant uuid := signer;
    -- Without what says whose secret it was.
    shared_identifier text;
    repository uuid;
    outcome text := 'handled';
    summary jsonb;
    reason text;
BEGIN
    SELECT d.provider, d.delivery_id, d.event, d.action, d.created_at, integrations.is_followed(d.event, d.action) AS is_followed
    INTO received
    FROM integrations.inbound_deliveries AS d
    WHERE d.id = delivery;
    shared_identifier := CASE
        WHEN signer IS NULL THEN received.delivery_id
        ELSE pg_catalog."left"(received.delivery_id, -pg_catalog.length('@' || signer))
    END;

    -- Whom it concerns: an organization by its own secret; else by the installation, and where none is named, as by a
    -- webhook that is no App's, by the repository.
    IF tenant IS NULL AND installation IS NOT NULL THEN
        SELECT i.org_id INTO tenant FROM scm.installations AS i WHERE i.github_installation_id = installation;
    ELSIF tenant IS NULL THEN
        SELECT r.org_id INTO tenant FROM scm.repositories AS r WHERE r.github_id = github_repository;
    END IF;

    IF NOT received.is_followed THEN
        outcome := 'ignored';
        reason := 'nothing follows from this event';
        SELECT r.id INTO repository FROM scm.repositories AS r WHERE r.org_id = tenant AND r.github_id = github_repository;
    ELSIF signer IS NOT NULL AND received.event LIKE 'installation%' THEN
        outcome := 'refused';
        reason := 'only the App tells of installations';
    ELSIF tenant IS NULL AND installation IS NOT NULL THEN
        IF received.event = 'installation' AND received.action = 'deleted' THEN
            outcome := 'ignored';
            reason := 'the installation was deleted before anybody claimed it';
            UPDATE integrations.inbound_deliveries AS d
            SET status = 'ignored',
                facts = NULL,
                details = pg_catalog.jsonb_build_object('reason', reason)
            WHERE d.installation_id = installation
              AND d.status = 'unclaimed';
        -- Anybody can install an App that is public, and claim nothing.
        ELSIF (
            SELECT pg_catalog.count(*)
            FROM (
                SELECT
                FROM integrations.inbound_deliveries AS d
                WHERE d.installation_id = installation
                  AND d.status = 'unclaimed'
                LIMIT 500
            ) AS waiting
        ) = 500
        THEN
            outcome := 'ignored';
            reason := 'too many deliveries of the installation wait for its claim';
        ELSE
            outcome := 'unclaimed';
        END IF;
    ELSIF received.event = 'ping' THEN
        summary := pg_catalog.jsonb_build_object('hook_id', said -> 'hook_id');
    ELSIF tenant IS NULL THEN
        outcome := 'ignored';
        reason := 'no organization has the repository';
    ELSIF received.event = 'installation' THEN
        PERFORM scm.change_installation(tenant, installation, received.action, said -> 'installation', received.created_at);
        IF received.action = 'created' THEN
            summary := scm.add_repositories(tenant, installation, said -> 'repositories');
        END IF;
    ELSIF received.event = 'installation_repositories' THEN
        summary := integrations.handle_repository_lists(tenant, installation, said);
    ELSE
        repository := scm.see_repository(tenant, CASE WHEN signer IS NULL THEN installation END, said -> 'repository');
        IF repository IS NULL AND EXISTS (SELECT FROM scm.repositories AS r WHERE r.github_id = github_repository) THEN
            outcome := 'refused';
            reason := 'another organization has the repository';
        ELSIF repository IS NULL THEN
            outcome := 'ignored';
            reason := 'the organization does not have the repository';
        -- GitHub delivers an event to all webhooks under one identifier. The repository's row is locked: another that is
        -- under way has ended.
        ELSIF EXISTS (
            SELECT
            FROM integrations.inbound_deliveries AS d
            WHERE d.provider = received.provider
              AND d.delivery_id = ANY (ARRAY[shared_identifier, shared_identifier || '@' || tenant])
              AND d.id <> delivery
              AND d.org_id = tenant
              AND d.repo_id = repository
              AND d.event = received.event
              AND d.status = 'handled')
        THEN
            outcome := 'ignored';
            reason := 'the event came through another webhook before';
        ELSE
            summary := CASE received.event
                WHEN 'push' THEN integrations.handle_push(delivery, tenant, repository, received.created_at, said)
                WHEN 'pull_request' THEN
                    integrations.handle_pull_request(delivery, tenant, repository, received.created_at, received.action, said)
                WHEN 'pull_request_review' THEN integrations.handle_review(delivery, tenant, repository, received.created_at, said)
                WHEN 'workflow_run' THEN integrations.handle_workflow_run(delivery, tenant, repository, received.created_at, said)
                WHEN 'deployment_status' THEN integrations.handle_deployment(delivery, tenant, repository, received.created_at, said)
                WHEN 'repository' THEN integrations.handle_repository(tenant, repository, received.action, said)
            END;
        END IF;
    END IF;

    summary := pg_catalog.jsonb_strip_nulls(coalesce(summary, '{}') || pg_catalog.jsonb_build_object('reason', reason));
    UPDATE integrations.inbound_deliveries AS d
    SET org_id = tenant,
        repo_id = repository,
        status = outcome,
        details = summary,
        facts = CASE WHEN outcome = 'unclaimed' THEN said END
    WHERE d.id = delivery;
    RETURN pg_catalog.jsonb_build_object('id', delivery, 'outcome', outcome, 'org_id', tenant, 'details', summary);
END
$function$;
COMMENT ON FUNCTION integrations.handle_delivery(uuid, uuid, jsonb) IS
    'For integrations.receive_delivery and integrations.handle_unclaimed: does what follows from a delivery, and writes into its row whom it concerns and what became of it. signer is the organization whose own secret it was signed with, NULL for the App''s. What it says reaches no other organization than the one that the secret, the installation or the repository belongs to.';
