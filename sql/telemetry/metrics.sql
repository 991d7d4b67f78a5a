-- telemetry.repo_metrics follows telemetry.code_attribution, as sql/codeverify/metrics.sql says.

CREATE FUNCTION telemetry.read_ai_threshold(organization_settings jsonb, repository_settings jsonb)
RETURNS double precision
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(
        (
            -- What is smaller than any double precision is an error to convert.
            SELECT pg_catalog.round(n.threshold, 300)::double precision
            FROM (VALUES (1, repository_settings -> 'ai_confidence_threshold'), (2, organization_settings -> 'ai_confidence_threshold'))
                AS s (place, setting)
            CROSS JOIN LATERAL (SELECT CASE pg_catalog.jsonb_typeof(s.setting) WHEN 'number' THEN s.setting::numeric END) AS n (threshold)
            WHERE n.threshold BETWEEN 0 AND 1
            ORDER BY s.place
            LIMIT 1
        ),
        0.5)
$function$;
COMMENT ON FUNCTION telemetry.read_ai_threshold(jsonb, jsonb) IS
    'The ai_confidence from which on a file counts as written by a model: ai_confidence_threshold in the settings of the repository, else of the organization, else 0.5. A value that is no number from 0 to 1 counts as none. Example: SELECT telemetry.read_ai_threshold(o.settings, r.settings) ...;';
GRANT EXECUTE ON FUNCTION telemetry.read_ai_threshold(jsonb, jsonb) TO codeverify_admin, codeverify_service, codeverify_tenant;

CREATE FUNCTION telemetry.note_attribution()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date)
    SELECT DISTINCT 'telemetry.repo_metrics', t.org_id, t.repo_id, (t.created_at AT TIME ZONE 'UTC')::date
    FROM touched_rows AS t
    -- One that goes with all it has needs no metrics.
    WHERE EXISTS (SELECT FROM tenancy.organizations AS o WHERE o.id = t.org_id);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.note_attribution() IS
    'Trigger function: notes the days whose metrics new or deleted attribution changes.';

CREATE FUNCTION telemetry.note_changed_attribution()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date)
    SELECT DISTINCT 'telemetry.repo_metrics', c.org_id, c.repo_id, (c.created_at AT TIME ZONE 'UTC')::date
    FROM (
        (
            SELECT o.id, o.org_id, o.repo_id, o.created_at, o.ai_confidence, o.risk_tier FROM old_rows AS o
            EXCEPT
            SELECT n.id, n.org_id, n.repo_id, n.created_at, n.ai_confidence, n.risk_tier FROM new_rows AS n
        )
        UNION ALL
        (
            SELECT n.id, n.org_id, n.repo_id, n.created_at, n.ai_confidence, n.risk_tier FROM new_rows AS n
            EXCEPT
            SELECT o.id, o.org_id, o.repo_id, o.created_at, o.ai_confidence, o.risk_tier FROM old_rows AS o
        )
    ) AS c;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.note_changed_attribution() IS
    'Trigger function: notes the days whose metrics an update of attribution changes, the old ones and the new ones.';

CREATE FUNCTION telemetry.note_all_attribution()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO codeverify.metric_changes (relation, org_id)
    SELECT DISTINCT 'telemetry.repo_metrics', m.org_id
    FROM telemetry.repo_metrics AS m;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.note_all_attribution() IS
    'Trigger function: notes that all metrics change, after TRUNCATE.';

CREATE FUNCTION telemetry.note_repository_threshold()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO codeverify.metric_changes (relation, org_id, subject_id)
    VALUES ('telemetry.repo_metrics', NEW.org_id, NEW.id);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.note_repository_threshold() IS
    'Trigger function: notes that all metrics of a repository change with its ai_confidence_threshold.';

CREATE FUNCTION telemetry.note_organization_threshold()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Its repositories are looked up by the refresh: one that is being added cannot be seen here.
    INSERT INTO codeverify.metric_changes (relation, org_id)
    VALUES ('telemetry.repo_metrics', NEW.id);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.note_organization_threshold() IS
    'Trigger function: notes that all metrics of an organization change with its ai_confidence_threshold.';

CREATE FUNCTION telemetry.note_due_metrics(tenant uuid, first_day date)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Metrics that have no attribution, as those that somebody wrote by hand, are computed too, whatever their period.
    IF first_day IS NOT NULL THEN
        INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date)
        SELECT 'telemetry.repo_metrics', tenant, a.repo_id, (a.created_at AT TIME ZONE 'UTC')::date
        FROM telemetry.code_attribution AS a
        WHERE a.org_id = tenant
          AND a.created_at >= first_day::timestamp AT TIME ZONE 'UTC'
        UNION
        SELECT 'telemetry.repo_metrics', tenant, m.repo_id, m.date
        FROM telemetry.repo_metrics AS m
        WHERE m.org_id = tenant
          AND m.date >= first_day;
    END IF;

    -- Notes about all days of a repository or an organization become one for each day that has metrics. Days that have
    -- attribution and no metrics yet have a note of their own.
    WITH wide AS (
        DELETE FROM codeverify.metric_changes AS c
        WHERE c.org_id = tenant
          AND c.relation = 'telemetry.repo_metrics'
          AND c.date IS NULL
        RETURNING c.subject_id
    )
    INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date)
    SELECT 'telemetry.repo_metrics', m.org_id, m.repo_id, m.date
    FROM telemetry.repo_metrics AS m
    WHERE m.org_id = tenant
      AND m.period = 'day'
      AND EXISTS (SELECT FROM wide AS w WHERE w.subject_id = m.repo_id OR w.subject_id IS NULL);
END
$function$;
COMMENT ON FUNCTION telemetry.note_due_metrics(uuid, date) IS
    'What codeverify.note_due_metrics() does for telemetry.repo_metrics: with first_day notes every day from that on, and one by one the days that notes about all of them mean.';

CREATE FUNCTION telemetry.count_attribution(tenant uuid, repos uuid[], dates date[])
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    changed bigint;
BEGIN
    -- Whoever deletes them locks them first, too. One that is gone has taken its metrics with it, and none can be added.
    PERFORM FROM scm.repositories AS r WHERE r.org_id = tenant AND r.id = ANY (repos) ORDER BY r.id FOR KEY SHARE;

    -- A statement of its own, whose snapshot is taken with the locks held.
    WITH key AS (
        SELECT k.repo_id, k.date, telemetry.read_ai_threshold(o.settings, r.settings) AS threshold
        FROM ROWS FROM (pg_catalog.unnest(repos), pg_catalog.unnest(dates)) AS k (repo_id, date)
        JOIN tenancy.organizations AS o ON o.id = tenant
        JOIN scm.repositories AS r ON r.org_id = tenant AND r.id = k.repo_id
    ),
    span AS (
        SELECT DISTINCT
            k.repo_id,
            p.period,
            p.first_day,
            p.next_day
        FROM key AS k
        CROSS JOIN LATERAL codeverify.list_metric_periods(k.date) AS p
    ),
    -- The sum is numeric, so that it is the same in whatever order the rows come.
    counted AS (
        SELECT k.repo_id,
               k.date,
               pg_catalog.count(*) AS files,
               pg_catalog.count(*) FILTER (WHERE a.ai_confidence >= k.threshold) AS ai_files,
               pg_catalog.sum(a.ai_confidence::numeric) AS confidence_sum,
               pg_catalog.count(*) FILTER (WHERE a.risk_tier = 'T1_boilerplate') AS t1,
               pg_catalog.count(*) FILTER (WHERE a.risk_tier = 'T2_glue') AS t2,
               pg_catalog.count(*) FILTER (WHERE a.risk_tier = 'T3_core') AS t3,
               pg_catalog.count(*) FILTER (WHERE a.risk_tier = 'T4_novel') AS t4
        FROM key AS k
        JOIN telemetry.code_attribution AS a
            ON a.org_id = tenant
           AND a.repo_id = k.repo_id
           AND a.created_at >= k.date::timestamp AT TIME ZONE 'UTC'
           AND a.created_at < (k.date + 1)::timestamp AT TIME ZONE 'UTC'
        GROUP BY k.repo_id, k.date
    ),
    day AS (
        SELECT c.repo_id, c.date, c.files, c.ai_files, c.confidence_sum, c.t1, c.t2, c.t3, c.t4
        FROM counted AS c
        UNION ALL
        SELECT m.repo_id, m.date, m.files_analyzed, m.ai_files, m.confidence_sum, m.t1_boilerplate_files, m.t2_glue_files,
               m.t3_core_files, m.t4_novel_files
        FROM (
            SELECT s.repo_id, pg_catalog.min(s.first_day) AS first_day, pg_catalog.max(s.next_day) AS next_day
            FROM span AS s
            GROUP BY s.repo_id
        ) AS r
        JOIN telemetry.repo_metrics AS m
            ON m.org_id = tenant
           AND m.repo_id = r.repo_id
           AND m.date >= r.first_day
           AND m.date < r.next_day
        WHERE m.period = 'day'
          AND NOT EXISTS (SELECT FROM key AS k WHERE k.repo_id = m.repo_id AND k.date = m.date)
    ),
    summed AS (
        SELECT s.repo_id,
               s.first_day,
               s.period,
               pg_catalog.sum(d.files)::integer AS files,
               pg_catalog.sum(d.ai_files)::integer AS ai_files,
               pg_catalog.sum(d.confidence_sum) AS confidence_sum,
               pg_catalog.round(
                   pg_catalog.sum(d.confidence_sum) / nullif(pg_catalog.sum(d.files), 0), 300)::double precision AS avg_ai_confidence,
               pg_catalog.sum(d.t1)::integer AS t1,
               pg_catalog.sum(d.t2)::integer AS t2,
               pg_catalog.sum(d.t3)::integer AS t3,
               pg_catalog.sum(d.t4)::integer AS t4
        FROM span AS s
        JOIN day AS d ON d.repo_id = s.repo_id AND d.date >= s.first_day AND d.date < s.next_day
        GROUP BY s.repo_id, s.first_day, s.period
    ),
    stored AS (
        INSERT INTO telemetry.repo_metrics AS m (
            org_id, repo_id, date, period, files_analyzed, ai_files, confidence_sum, avg_ai_confidence,
            t1_boilerplate_files, t2_glue_files, t3_core_files, t4_novel_files)
        SELECT tenant, s.repo_id, s.first_day, s.period::telemetry.time_period, s.files, s.ai_files, s.confidence_sum,
               s.avg_ai_confidence, s.t1, s.t2, s.t3, s.t4
        FROM summed AS s
        ON CONFLICT ON CONSTRAINT repo_metrics_org_id_repo_id_date_period_key
        DO UPDATE SET
            files_analyzed = excluded.files_analyzed,
            ai_files = excluded.ai_files,
            confidence_sum = excluded.confidence_sum,
            avg_ai_confidence = excluded.avg_ai_confidence,
            t1_boilerplate_files = excluded.t1_boilerplate_files,
            t2_glue_files = excluded.t2_glue_files,
            t3_core_files = excluded.t3_core_files,
            t4_novel_files = excluded.t4_novel_files
        WHERE (m.files_analyzed, m.ai_files, m.confidence_sum, m.avg_ai_confidence,
               m.t1_boilerplate_files, m.t2_glue_files, m.t3_core_files, m.t4_novel_files)
            IS DISTINCT FROM
              (excluded.files_analyzed, excluded.ai_files, excluded.confidence_sum, excluded.avg_ai_confidence,
               excluded.t1_boilerplate_files, excluded.t2_glue_files, excluded.t3_core_files, excluded.t4_novel_files)
        RETURNING m.id
    ),
    removed AS (
        DELETE FROM telemetry.repo_metrics AS m
        USING span AS s
        WHERE m.org_id = tenant
          AND m.repo_id = s.repo_id
          AND m.date = s.first_day
          AND m.period = s.period::telemetry.time_period
          AND NOT EXISTS (
              SELECT
              FROM summed AS u
              WHERE u.repo_id = s.repo_id AND u.first_day = s.first_day AND u.period = s.period)
        RETURNING m.id
    )
    SELECT (SELECT pg_catalog.count(*) FROM stored) + (SELECT pg_catalog.count(*) FROM removed)
    INTO STRICT changed;
    RETURN changed;
END
$function$;
COMMENT ON FUNCTION telemetry.count_attribution(uuid, uuid[], date[]) IS
    'Computes the metrics of an organization anew for days of repositories, by position, with their weeks and months. Returns how many rows of telemetry.repo_metrics were written or removed. For codeverify.refresh_some_metrics().';

CREATE FUNCTION telemetry.refresh_repo_metrics(since timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT codeverify.refresh_metrics('telemetry.repo_metrics', since)
$function$;
COMMENT ON FUNCTION telemetry.refresh_repo_metrics(timestamptz) IS
    'Brings telemetry.repo_metrics up to date with telemetry.code_attribution and returns how many rows of it were written or removed: all that is committed when it is called is counted. It computes the days whose attribution changed, and their weeks and months; with since, every day from that time on (-infinity for all). Days, weeks and months without attribution have no row. For codeverify_service and codeverify_admin: the organization in context, which takes the permission write, or all of them without a context. codeverify.maintain() does the same in small steps. Raises VC121 at other isolation levels than READ COMMITTED. Example: SELECT telemetry.refresh_repo_metrics();';
GRANT EXECUTE ON FUNCTION telemetry.refresh_repo_metrics(timestamptz) TO codeverify_admin, codeverify_service;
