-- Who wrote the files of a commit, as detections and people say it.

CREATE FUNCTION telemetry.find_attribution_fault(files jsonb)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH field (name, type, required) AS (
        VALUES ('file_path', 'string', true),
               ('ai_confidence', 'number', true),
               ('risk_tier', 'string', true),
               ('detection_method', 'string', false),
               ('detection_signals', 'object', false),
               ('detected_at', 'string', false)
    ),
    element AS (
        SELECT e.place,
               e.file,
               CASE pg_catalog.jsonb_typeof(e.file) WHEN 'object' THEN e.file END AS object
        FROM pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(files) WHEN 'array' THEN files END)
            WITH ORDINALITY AS e (file, place)
    ),
    fault (place, problem) AS (
        SELECT 0, 'files is not an array'
        WHERE pg_catalog.jsonb_typeof(files) IS DISTINCT FROM 'array'
        UNION ALL
        SELECT e.place, 'it is not an object'
        FROM element AS e
        WHERE e.object IS NULL
        UNION ALL
        SELECT e.place,
               CASE
                   WHEN f.name IS NULL THEN pg_catalog.format('there is no field "%s"', v.key)
                   ELSE pg_catalog.format('"%s" is no %s', v.key, f.type)
               END
        FROM element AS e
        CROSS JOIN LATERAL pg_catalog.jsonb_each(e.object) AS v (key, value)
        LEFT JOIN field AS f ON f.name = v.key
        WHERE f.name IS NULL OR f.type <> pg_catalog.jsonb_typeof(v.value)
        UNION ALL
        SELECT e.place, pg_catalog.format('"%s" is missing', f.name)
        FROM element AS e
        JOIN field AS f ON f.required AND NOT e.object ? f.name
        UNION ALL
        SELECT d.place, 'the file is there already'
        FROM (
            SELECT e.place, pg_catalog.row_number() OVER (PARTITION BY e.object -> 'file_path' ORDER BY e.place) AS occurrence
            FROM element AS e
            WHERE e.object ? 'file_path'
        ) AS d
        WHERE d.occurrence > 1
    )
    SELECT CASE f.place WHEN 0 THEN f.problem ELSE pg_catalog.format('File %s: %s', f.place, f.problem) END || '.'
    FROM fault AS f
    ORDER BY f.place, f.problem
    LIMIT 1
$function$;
COMMENT ON FUNCTION telemetry.find_attribution_fault(jsonb) IS
    'What is wrong with the form of the files that telemetry.record_attribution() is given, with their place from 1; NULL when nothing is.';

CREATE FUNCTION telemetry.store_attribution(tenant uuid, target_repo_id uuid, target_commit_sha text, files jsonb)
RETURNS TABLE (file_path text, outcome text)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    fault constant text := telemetry.find_attribution_fault(files);
    inserted text[];
    updated text[];
    late_file text;
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'invalid attribution'
            USING ERRCODE = 'VC122',
                  DETAIL = fault,
                  HINT = 'Give an array of objects with file_path, ai_confidence, risk_tier and, if you like, detection_method, detection_signals and detected_at.';
    END IF;
    -- One that claims to be from the future would keep all others out until then.
    SELECT f.file_path
    INTO late_file
    FROM pg_catalog.jsonb_to_recordset(files) AS f (file_path text, detected_at timestamptz)
    WHERE f.detected_at > pg_catalog.clock_timestamp() + interval '5 minutes'
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'invalid attribution'
            USING ERRCODE = 'VC122',
                  DETAIL = pg_catalog.format('The detection of "%s" is dated in the future.', late_file),
                  HINT = 'Check the clock of the detector.';
    END IF;

    -- Rows are locked in one order, so that two calls about the same files do not wait for each other.
    WITH detection AS MATERIALIZED (
        SELECT pg_catalog.gen_random_uuid() AS id,
               f.file_path,
               f.ai_confidence,
               f.risk_tier::telemetry.risk_tier AS risk_tier,
               coalesce(f.detection_method, 'heuristic')::telemetry.detection_method AS detection_method,
               coalesce(f.detection_signals, '{}') AS detection_signals,
               coalesce(f.detected_at, pg_catalog.now()) AS detected_at
        FROM pg_catalog.jsonb_to_recordset(files) AS f (
            file_path text,
            ai_confidence double precision,
            risk_tier text,
            detection_method text,
            detection_signals jsonb,
            detected_at timestamptz)
        ORDER BY f.file_path
    ),
    written AS (
        INSERT INTO telemetry.code_attribution AS a
            (id, org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier, detection_method, detection_signals, detected_at)
        SELECT d.id, tenant, target_repo_id, target_commit_sha, d.file_path, d.ai_confidence, d.risk_tier, d.detection_method,
               d.detection_signals, d.detected_at
        FROM detection AS d
        ON CONFLICT ON CONSTRAINT code_attribution_org_id_commit_sha_file_path_key
        DO UPDATE SET
            ai_confidence = excluded.ai_confidence,
            risk_tier = excluded.risk_tier,
            detection_method = excluded.detection_method,
            detection_signals = excluded.detection_signals,
            detected_at = excluded.detected_at
        WHERE a.repo_id = excluded.repo_id
          -- A person corrects whatever a program found, when that was, and is corrected by persons only.
          AND CASE
              WHEN (a.detection_method = 'manual_override') <> (excluded.detection_method = 'manual_override')
              THEN excluded.detection_method = 'manual_override'
              ELSE excluded.detected_at >= a.detected_at
          END
          AND (a.ai_confidence, a.risk_tier, a.detection_method, a.detection_signals, a.detected_at)
              IS DISTINCT FROM
              (excluded.ai_confidence, excluded.risk_tier, excluded.detection_method, excluded.detection_signals, excluded.detected_at)
        RETURNING a.id, a.file_path
    )
    SELECT pg_catalog.array_agg(w.file_path) FILTER (WHERE d.id IS NOT NULL),
           pg_catalog.array_agg(w.file_path) FILTER (WHERE d.id IS NULL)
    INTO inserted, updated
    FROM written AS w
    LEFT JOIN detection AS d ON d.id = w.id;

    -- A statement of its own, which sees the rows that stood in the way, whoever has written them.
    RETURN QUERY
        SELECT d.file_path,
               CASE
                   WHEN d.file_path = ANY (inserted) THEN 'inserted'
                   WHEN d.file_path = ANY (updated) THEN 'updated'
                   WHEN a.repo_id <> target_repo_id THEN 'other_repository'
                   WHEN a.detection_method = 'manual_override' AND d.detection_method IS DISTINCT FROM 'manual_override' THEN 'overridden'
                   WHEN coalesce(d.detected_at, pg_catalog.now()) < a.detected_at THEN 'stale'
                   ELSE 'unchanged'
               END
        FROM ROWS FROM (
            pg_catalog.jsonb_to_recordset(files) AS (file_path text, detection_method text, detected_at timestamptz)
        ) WITH ORDINALITY AS d (file_path, detection_method, detected_at, place)
        LEFT JOIN telemetry.code_attribution AS a
            ON a.org_id = tenant
           AND a.commit_sha = target_commit_sha
           AND a.file_path = d.file_path
        ORDER BY d.place;
END
$function$;
COMMENT ON FUNCTION telemetry.store_attribution(uuid, uuid, text, jsonb) IS
    'Stores what telemetry.record_attribution() and telemetry.correct_attribution() are given, which check who may.';

CREATE FUNCTION telemetry.record_attribution(repo_id uuid, commit_sha text, files jsonb)
RETURNS TABLE (file_path text, outcome text)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant constant uuid := tenancy.require_permission('write');
BEGIN
    RETURN QUERY
        SELECT s.file_path, s.outcome
        FROM telemetry.store_attribution(tenant, repo_id, commit_sha, files) AS s;
END
$function$;
COMMENT ON FUNCTION telemetry.record_attribution(uuid, text, jsonb) IS
    'Stores who wrote files of a commit, an array of objects with file_path, ai_confidence, risk_tier and, if known, detection_method (heuristic), detection_signals ({}) and detected_at (now). Returns for each file, in their order: inserted, updated, unchanged, stale (a later detection is stored), overridden (a person''s correction is stored) or other_repository (the commit''s file is attributed in another repository of the organization). All of them are stored or, on an error, none. For codeverify_service; takes the permission write. Raises VC122 for files of another form, twice in one call or detected in the future, check_violation for values that the table refuses and foreign_key_violation for a repository that is not the organization''s.';
GRANT EXECUTE ON FUNCTION telemetry.record_attribution(uuid, text, jsonb) TO codeverify_service;

CREATE FUNCTION telemetry.record_attribution(
    repo_id uuid,
    commit_sha text,
    file_path text,
    ai_confidence double precision,
    risk_tier text,
    detection_method text DEFAULT 'heuristic',
    detection_signals jsonb DEFAULT '{}',
    detected_at timestamptz DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant constant uuid := tenancy.require_permission('write');
BEGIN
    RETURN (
        SELECT s.outcome
        FROM telemetry.store_attribution(
            tenant,
            repo_id,
            commit_sha,
            pg_catalog.jsonb_build_array(
                pg_catalog.jsonb_build_object(
                    'file_path', file_path,
                    'ai_confidence', ai_confidence,
                    'risk_tier', risk_tier,
                    'detection_method', detection_method,
                    'detection_signals', detection_signals,
                    'detected_at', coalesce(detected_at, pg_catalog.now())))) AS s);
END
$function$;
COMMENT ON FUNCTION telemetry.record_attribution(uuid, text, text, double precision, text, text, jsonb, timestamptz) IS
    'Stores who wrote one file of a commit and returns what became of it, as the form for many files does. Example: SELECT telemetry.record_attribution(repo_id, ''6666...'', ''src/main.py'', 0.93, ''T3_core'', ''ml_model'');';
GRANT EXECUTE ON FUNCTION telemetry.record_attribution(uuid, text, text, double precision, text, text, jsonb, timestamptz)
TO codeverify_service;

CREATE FUNCTION telemetry.correct_attribution(
    repo_id uuid,
    commit_sha text,
    file_path text,
    ai_confidence double precision,
    risk_tier text,
    reason text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant constant uuid := tenancy.require_permission('write');
BEGIN
    RETURN (
        SELECT s.outcome
        FROM telemetry.store_attribution(
            tenant,
            repo_id,
            commit_sha,
            pg_catalog.jsonb_build_array(
                pg_catalog.jsonb_build_object(
                    'file_path', file_path,
                    'ai_confidence', ai_confidence,
                    'risk_tier', risk_tier,
                    'detection_method', 'manual_override',
                    'detection_signals', pg_catalog.jsonb_build_object(
                        'corrected_by', tenancy.current_user_id(), 'reason', reason),
                    'detected_at', pg_catalog.now()))) AS s);
END
$function$;
COMMENT ON FUNCTION telemetry.correct_attribution(uuid, text, text, double precision, text, text) IS
    'A person''s correction of who wrote a file of a commit, whether a detection has been stored or not. It stands against every detection; a later correction replaces it. Who corrected and why is kept in detection_signals. Takes the permission write; raises what telemetry.record_attribution() raises. Example: SELECT telemetry.correct_attribution(repo_id, ''6666...'', ''src/main.py'', 0, ''T3_core'', ''I wrote this myself'');';
GRANT EXECUTE ON FUNCTION telemetry.correct_attribution(uuid, text, text, double precision, text, text)
TO codeverify_service, codeverify_tenant;
