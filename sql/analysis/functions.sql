CREATE FUNCTION analysis.start_analysis(
    repo_id uuid,
    pr_number int,
    head_sha text,
    base_sha text DEFAULT NULL,
    pr_title text DEFAULT NULL,
    metadata jsonb DEFAULT '{}')
RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('write');
    repository_enabled boolean;
    analysis_id uuid;
BEGIN
    SELECT r.enabled
    INTO repository_enabled
    FROM scm.repositories AS r
    WHERE r.org_id = tenant
      AND r.id = start_analysis.repo_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'repository % does not exist', start_analysis.repo_id
            USING ERRCODE = 'VC030',
                  HINT = 'Check the id and the organization in context.';
    ELSIF NOT repository_enabled THEN
        RAISE EXCEPTION 'repository % is not enabled for analysis', start_analysis.repo_id
            USING ERRCODE = 'VC031',
                  HINT = 'Set scm.repositories.enabled to true first.';
    END IF;

    INSERT INTO analysis.analyses
        (org_id, repo_id, pr_number, pr_title, head_sha, base_sha, status, triggered_by, started_at, metadata)
    VALUES (
        tenant,
        start_analysis.repo_id,
        start_analysis.pr_number,
        start_analysis.pr_title,
        start_analysis.head_sha,
        start_analysis.base_sha,
        'running',
        tenancy.current_user_id(),
        pg_catalog.now(),
        start_analysis.metadata)
    RETURNING id INTO analysis_id;

    PERFORM audits.append(
        'analysis',
        'analysis.started',
        pg_catalog.jsonb_build_object(
            'repo_id', start_analysis.repo_id,
            'pr_number', start_analysis.pr_number,
            'head_sha', start_analysis.head_sha),
        resource_id => analysis_id);
    RETURN analysis_id;
END
$function$;
COMMENT ON FUNCTION analysis.start_analysis(uuid, int, text, text, text, jsonb) IS
    'Starts the analysis of a pull request of a repository of the organization in context and returns its id; its status is running. Leaves the entry analysis.started in the ledger. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC030 for an unknown repository, VC031 for one that is not enabled. Example: SELECT analysis.start_analysis(''8c1d...'', 42, ''9fceb02d0ae598e95dc970b74767f19372d61af8'');';
GRANT EXECUTE ON FUNCTION analysis.start_analysis(uuid, int, text, text, text, jsonb)
TO codeverify_service, codeverify_tenant;

CREATE FUNCTION analysis.finish_analysis(analysis_id uuid, outcome text, reason text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('write');
    current_status text;
BEGIN
    IF outcome NOT IN ('completed', 'failed') THEN
        RAISE EXCEPTION 'an analysis ends completed or failed, not %', outcome
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    SELECT a.status
    INTO current_status
    FROM analysis.analyses AS a
    WHERE a.org_id = tenant
      AND a.id = finish_analysis.analysis_id
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'analysis % does not exist', finish_analysis.analysis_id
            USING ERRCODE = 'VC040',
                  HINT = 'Check the id and the organization in context.';
    ELSIF current_status IN ('completed', 'failed') THEN
        RAISE EXCEPTION 'analysis % is % already', finish_analysis.analysis_id, current_status
            USING ERRCODE = 'VC041',
                  HINT = 'Start a new analysis with analysis.start_analysis(...).';
    END IF;

    UPDATE analysis.analyses AS a
    SET status = outcome,
        completed_at = pg_catalog.now(),
        error_message = reason
    WHERE a.org_id = tenant
      AND a.id = finish_analysis.analysis_id;

    PERFORM audits.append('analysis', 'analysis.' || outcome, resource_id => analysis_id);
END
$function$;
COMMENT ON FUNCTION analysis.finish_analysis(uuid, text, text) IS
    'What complete_analysis and fail_analysis share: moves a running analysis to its outcome and leaves the entry analysis.completed or analysis.failed in the ledger.';
GRANT EXECUTE ON FUNCTION analysis.finish_analysis(uuid, text, text)
TO codeverify_service, codeverify_tenant;

CREATE FUNCTION analysis.complete_analysis(analysis_id uuid)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT analysis.finish_analysis(analysis_id, 'completed', NULL)
$function$;
COMMENT ON FUNCTION analysis.complete_analysis(uuid) IS
    'Moves a running analysis to completed. Takes the permission write. Raises VC040 when the organization in context has no such analysis, VC041 when it is not running.';
GRANT EXECUTE ON FUNCTION analysis.complete_analysis(uuid) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION analysis.fail_analysis(analysis_id uuid, error_message text)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT analysis.finish_analysis(analysis_id, 'failed', error_message)
$function$;
COMMENT ON FUNCTION analysis.fail_analysis(uuid, text) IS
    'Moves a pending or running analysis to failed and keeps the error message. Takes the permission write. Raises VC040 when the organization in context has no such analysis, VC041 when it has ended already.';
GRANT EXECUTE ON FUNCTION analysis.fail_analysis(uuid, text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION analysis.mark_finding(finding_id uuid, dismiss boolean, reason text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('write');
BEGIN
    UPDATE analysis.findings AS f
    SET dismissed = dismiss,
        dismissed_by = CASE WHEN dismiss THEN tenancy.current_user_id() END,
        dismissed_reason = reason,
        dismissed_at = CASE WHEN dismiss THEN pg_catalog.now() END
    WHERE f.org_id = tenant
      AND f.id = mark_finding.finding_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'finding % does not exist', mark_finding.finding_id
            USING ERRCODE = 'VC042',
                  HINT = 'Check the id and the organization in context.';
    END IF;

    PERFORM audits.append(
        'finding',
        CASE WHEN dismiss THEN 'finding.dismissed' ELSE 'finding.reopened' END,
        pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('reason', reason)),
        resource_id => finding_id);
END
$function$;
COMMENT ON FUNCTION analysis.mark_finding(uuid, boolean, text) IS
    'What dismiss_finding and reopen_finding share: says whether a finding is dismissed, by whom, when and why, and leaves the entry finding.dismissed or finding.reopened in the ledger.';
GRANT EXECUTE ON FUNCTION analysis.mark_finding(uuid, boolean, text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION analysis.dismiss_finding(finding_id uuid, reason text)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT analysis.mark_finding(finding_id, true, reason)
$function$;
COMMENT ON FUNCTION analysis.dismiss_finding(uuid, text) IS
    'Dismisses a finding and keeps who did it, when and why; importing the same log again leaves it dismissed. Takes the permission write. Raises VC042 when the organization in context has no such finding.';
GRANT EXECUTE ON FUNCTION analysis.dismiss_finding(uuid, text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION analysis.reopen_finding(finding_id uuid)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT analysis.mark_finding(finding_id, false, NULL)
$function$;
COMMENT ON FUNCTION analysis.reopen_finding(uuid) IS
    'Takes the dismissal of a finding back. Takes the permission write. Raises VC042 when the organization in context has no such finding.';
GRANT EXECUTE ON FUNCTION analysis.reopen_finding(uuid) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION analysis.import_sarif(uuid, jsonb) IS
    'Imports a SARIF 2.1.0 log into a running analysis of the organization in context, in one transaction, and returns a row for each run: new findings (imported), findings that were there and are brought up to date (updated), how many of both the log suppresses (suppressed, stored as dismissed), and results that are no finding: passed, not applicable, absent (skipped). Importing the same log again updates. pg_stat_progress_copy shows how far it is: bytes_total is the size of the log, tuples_processed counts findings stored. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC040 and VC041 for an unknown analysis or one that is not running, VC043 with the JSON path of the fault for a malformed log, VC044 for one above codeverify.sarif_max_size. Example: SELECT * FROM analysis.import_sarif(''1b2c...'', $1);';
GRANT EXECUTE ON FUNCTION analysis.import_sarif(uuid, jsonb) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION analysis.import_sarif(uuid, text) IS
    'The same for a log that is text, as clients have it: an untyped parameter or literal comes here. It is faster, because the text is read once; text that is not JSON raises VC043 too. Example: SELECT * FROM analysis.import_sarif(''1b2c...'', $1);';
GRANT EXECUTE ON FUNCTION analysis.import_sarif(uuid, text) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION analysis.export_sarif(uuid) IS
    'The findings of an analysis of the organization in context as a SARIF 2.1.0 log, one run for each tool; importing it gives the same findings. Raises VC011 without a context, VC040 for an unknown analysis. Example: SELECT analysis.export_sarif(''1b2c...'');';
GRANT EXECUTE ON FUNCTION analysis.export_sarif(uuid) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION analysis.is_judged_by_a_person(
    metadata jsonb,
    dismissed boolean,
    dismissed_by uuid,
    dismissed_at timestamptz)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Otherwise a finding is dismissed just where the log that brought it suppresses it.
    SELECT dismissed_by IS NOT NULL
        OR dismissed_at IS NOT NULL
        OR dismissed IS DISTINCT FROM (
            metadata @? '$.sarif.suppressions[*]'
            AND NOT metadata @? '$.sarif.suppressions[*] ? (@.status == "underReview" || @.status == "rejected")')
$function$;
COMMENT ON FUNCTION analysis.is_judged_by_a_person(jsonb, boolean, uuid, timestamptz) IS
    'Whether a finding, given by its columns, is dismissed or open because a person said so, and not because of the suppressions in the log that brought it.';

CREATE FUNCTION analysis.fill_fingerprint()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    NEW.fingerprint := pg_catalog.encode(pg_catalog.sha256(pg_catalog.uuid_send(NEW.id)), 'hex');
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION analysis.fill_fingerprint() IS
    'Trigger function: gives a finding that comes without a fingerprint one made of its id, so that a log that was exported updates it when it is imported again.';
