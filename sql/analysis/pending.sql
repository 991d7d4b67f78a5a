CREATE FUNCTION analysis.request_analysis(tenant uuid, repository_id uuid, pull_request jsonb, facts jsonb)
RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    analysis_id uuid;
BEGIN
    -- The unique index keeps apart what the snapshot of an older transaction does not show.
    INSERT INTO analysis.analyses AS a (org_id, repo_id, pr_number, pr_title, head_sha, base_sha, metadata)
    SELECT tenant,
           repository_id,
           (pull_request ->> 'number')::int,
           pull_request ->> 'title',
           pull_request ->> 'head_sha',
           pull_request ->> 'base_sha',
           facts
    WHERE NOT EXISTS (
        SELECT
        FROM analysis.analyses AS o
        WHERE o.org_id = tenant
          AND o.repo_id = repository_id
          AND o.pr_number = (pull_request ->> 'number')::int
          AND o.head_sha = pull_request ->> 'head_sha')
    ON CONFLICT (org_id, repo_id, pr_number, head_sha) WHERE metadata ? 'delivery' DO NOTHING
    RETURNING a.id INTO analysis_id;
    IF analysis_id IS NULL THEN
        RETURN NULL;
    END IF;

    INSERT INTO audits.audit_log (org_id, entity, action, resource_id, payload)
    VALUES (
        tenant,
        'analysis',
        'analysis.requested',
        analysis_id,
        pg_catalog.jsonb_build_object(
            'repo_id', repository_id,
            'pr_number', pull_request -> 'number',
            'head_sha', pull_request -> 'head_sha'));
    RETURN analysis_id;
END
$function$;
COMMENT ON FUNCTION analysis.request_analysis(uuid, uuid, jsonb, jsonb) IS
    'For integrations.handle_delivery: makes a pending analysis for the head of a pull request, {number, title, head_sha, base_sha}, unless it has one of whatever status, with facts as its metadata, and returns its id, or NULL. Leaves the entry analysis.requested in the ledger.';
