-- What follows from each event. All of them act for the organization that integrations.handle_delivery has found, on a
-- repository of its own.

CREATE FUNCTION integrations.handle_repository_lists(tenant uuid, installation bigint, said jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    removed bigint;
BEGIN
    PERFORM r.id
    FROM scm.repositories AS r
    WHERE r.org_id = tenant
      AND r.installation_id = installation
      AND r.github_id IN (SELECT v.id::bigint FROM pg_catalog.jsonb_array_elements_text(said -> 'removed') AS v (id))
    ORDER BY r.github_id
    FOR NO KEY UPDATE;
    UPDATE scm.repositories AS r
    SET installation_id = NULL
    WHERE r.org_id = tenant
      AND r.installation_id = installation
      AND r.github_id IN (SELECT v.id::bigint FROM pg_catalog.jsonb_array_elements_text(said -> 'removed') AS v (id));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN scm.add_repositories(tenant, installation, said -> 'added') || pg_catalog.jsonb_build_object('removed', removed);
END
$function$;
COMMENT ON FUNCTION integrations.handle_repository_lists(uuid, bigint, jsonb) IS
    'For integrations.handle_delivery, event installation_repositories: repositories that were added come in, those that were removed stay, of no installation.';

CREATE FUNCTION integrations.handle_repository(tenant uuid, repository uuid, what text, said jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    UPDATE scm.repositories AS r
    SET name = said #>> '{repository,name}',
        full_name = said #>> '{repository,full_name}',
        private = (said #>> '{repository,private}')::boolean,
        enabled = r.enabled AND what <> 'deleted',
        installation_id = CASE WHEN what <> 'deleted' THEN r.installation_id END
    WHERE r.org_id = tenant
      AND r.id = repository
      AND (what = 'deleted'
           OR (r.name, r.full_name, r.private)
              IS DISTINCT FROM (said #>> '{repository,name}', said #>> '{repository,full_name}', (said #>> '{repository,private}')::boolean));
    RETURN pg_catalog.jsonb_build_object('full_name', said #> '{repository,full_name}');
END
$function$;
COMMENT ON FUNCTION integrations.handle_repository(uuid, uuid, text, jsonb) IS
    'For integrations.handle_delivery, event repository: name and visibility are as GitHub says. A deleted one stays with all that hangs from it, of no installation and disabled.';

CREATE FUNCTION integrations.record_event(
    delivery uuid,
    tenant uuid,
    repository uuid,
    received_at timestamptz,
    event_type text,
    sha jsonb,
    happened_at jsonb,
    metadata jsonb)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN telemetry.record_events(
        tenant,
        repository,
        event_type,
        pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
            'sha', sha,
            'at', happened_at,
            'metadata', metadata || pg_catalog.jsonb_build_object('delivery', delivery))),
        received_at);
END
$function$;
COMMENT ON FUNCTION integrations.record_event(uuid, uuid, uuid, timestamptz, text, jsonb, jsonb, jsonb) IS
    'Records the one code event that a delivery tells of, with the delivery in its metadata, and returns how many were new.';

CREATE FUNCTION integrations.handle_push(delivery uuid, tenant uuid, repository uuid, received_at timestamptz, said jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    events jsonb;
BEGIN
    -- A commit that is not distinct was pushed before, to another branch.
    SELECT coalesce(
               pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                   'sha', v.commit -> 'sha',
                   'at', v.commit -> 'at',
                   'metadata', pg_catalog.jsonb_strip_nulls(
                       (v.commit - '{sha,at,distinct}'::text[])
                       || pg_catalog.jsonb_build_object('ref', said -> 'ref', 'delivery', delivery)))),
               '[]')
    INTO events
    FROM pg_catalog.jsonb_array_elements(said -> 'commits') AS v (commit)
    WHERE (v.commit ->> 'distinct')::boolean;
    RETURN pg_catalog.jsonb_build_object(
        'ref', said -> 'ref',
        'before', said -> 'before',
        'after', said -> 'after',
        'forced', said -> 'forced',
        'commits', pg_catalog.jsonb_array_length(said -> 'commits'),
        'recorded', telemetry.record_events(tenant, repository, 'commit', events, received_at));
END
$function$;
COMMENT ON FUNCTION integrations.handle_push(uuid, uuid, uuid, timestamptz, jsonb) IS
    'For integrations.handle_delivery, event push: a code event commit for each commit that was not pushed before.';

CREATE FUNCTION integrations.handle_pull_request(
    delivery uuid,
    tenant uuid,
    repository uuid,
    received_at timestamptz,
    what text,
    said jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    pull_request constant jsonb := said -> 'pull_request';
    is_merge constant boolean := what = 'closed' AND (said #>> '{pull_request,merged}')::boolean;
    recorded bigint := 0;
    analysis_id uuid;
BEGIN
    IF what = 'opened' OR is_merge THEN
        recorded := integrations.record_event(
            delivery,
            tenant,
            repository,
            received_at,
            CASE WHEN is_merge THEN 'pr_merged' ELSE 'pr_opened' END,
            CASE WHEN is_merge THEN pull_request -> 'merge_sha' ELSE pull_request -> 'head_sha' END,
            CASE WHEN is_merge THEN pull_request -> 'merged_at' ELSE pull_request -> 'created_at' END,
            pg_catalog.jsonb_strip_nulls(pull_request - '{merged,created_at,merged_at,merge_sha}'::text[]));
    END IF;
    IF what <> 'closed'
        AND EXISTS (
            SELECT
            FROM scm.repositories AS r
            WHERE r.org_id = tenant
              AND r.id = repository
              AND r.enabled)
        AND NOT EXISTS (
            SELECT
            FROM scm.installations AS i
            WHERE i.org_id = tenant
              AND i.github_installation_id = (said #>> '{installation,id}')::bigint
              AND i.suspended_at IS NOT NULL)
    THEN
        analysis_id := analysis.request_analysis(
            tenant,
            repository,
            pull_request,
            pg_catalog.jsonb_build_object('delivery', delivery, 'head', pull_request -> 'head', 'base', pull_request -> 'base'));
    END IF;
    RETURN pg_catalog.jsonb_build_object(
        'number', pull_request -> 'number',
        'head_sha', pull_request -> 'head_sha',
        'merged', CASE what WHEN 'closed' THEN is_merge END,
        'recorded', recorded,
        'analysis_id', analysis_id);
END
$function$;
COMMENT ON FUNCTION integrations.handle_pull_request(uuid, uuid, uuid, timestamptz, text, jsonb) IS
    'For integrations.handle_delivery, event pull_request: code events pr_opened and pr_merged, and a pending analysis for a head that is new, where the repository is enabled and the installation is not suspended.';

CREATE FUNCTION integrations.handle_review(delivery uuid, tenant uuid, repository uuid, received_at timestamptz, said jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    review constant jsonb := said -> 'review';
    metadata constant jsonb := pg_catalog.jsonb_strip_nulls(review - '{commit_sha,at}'::text[]);
BEGIN
    RETURN metadata || pg_catalog.jsonb_build_object(
        'recorded', integrations.record_event(
            delivery, tenant, repository, received_at, 'pr_reviewed', review -> 'commit_sha', review -> 'at', metadata));
END
$function$;
COMMENT ON FUNCTION integrations.handle_review(uuid, uuid, uuid, timestamptz, jsonb) IS
    'For integrations.handle_delivery, event pull_request_review: a code event pr_reviewed.';

CREATE FUNCTION integrations.handle_workflow_run(
    delivery uuid,
    tenant uuid,
    repository uuid,
    received_at timestamptz,
    said jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    run constant jsonb := pg_catalog.jsonb_strip_nulls(said -> 'workflow_run');
    recorded bigint := 0;
BEGIN
    IF run ->> 'conclusion' = 'success'
        AND EXISTS (
            SELECT
            FROM scm.repositories AS r
            WHERE r.org_id = tenant
              AND r.id = repository
              AND r.settings -> 'deployment_workflows' ? (run ->> 'workflow'))
    THEN
        recorded := integrations.record_event(
            delivery, tenant, repository, received_at, 'deploy', run -> 'head_sha', run -> 'finished_at',
            run - '{head_sha,finished_at}'::text[]);
    END IF;
    RETURN run || pg_catalog.jsonb_build_object('recorded', recorded);
END
$function$;
COMMENT ON FUNCTION integrations.handle_workflow_run(uuid, uuid, uuid, timestamptz, jsonb) IS
    'For integrations.handle_delivery, event workflow_run: what alert rules about deployments go by, and a code event deploy where the workflow succeeded and is among deployment_workflows in the repository''s settings.';

CREATE FUNCTION integrations.handle_deployment(
    delivery uuid,
    tenant uuid,
    repository uuid,
    received_at timestamptz,
    said jsonb)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    deployment constant jsonb := pg_catalog.jsonb_strip_nulls(said -> 'deployment');
    recorded bigint := 0;
BEGIN
    IF deployment ->> 'state' = 'success' THEN
        recorded := integrations.record_event(
            delivery, tenant, repository, received_at, 'deploy', deployment -> 'sha', deployment -> 'at',
            deployment - '{sha,at}'::text[]);
    END IF;
    RETURN deployment || pg_catalog.jsonb_build_object('recorded', recorded);
END
$function$;
COMMENT ON FUNCTION integrations.handle_deployment(uuid, uuid, uuid, timestamptz, jsonb) IS
    'For integrations.handle_delivery, event deployment_status: a code event deploy for a deployment that succeeded.';
