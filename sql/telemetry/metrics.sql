-- telemetry.repo_metrics follows telemetry.code_attribution. Every statement that changes attribution notes the days that
-- it touched, and a refresh takes the notes and counts those days anew.
--
-- A watermark on created_at, or on ids, would miss the rows of a writer that commits after a later one; one on
-- transaction ids would see no deletes, and wait for the oldest writer of the whole server. A note is committed together
-- with its rows, and the refresh counts in a statement that begins after it has taken the notes: what it takes it counts, and what it
-- does not see yet keeps its note. One refresh at a time works on an organization, since of two the one with the older
-- snapshot could write last.

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

CREATE FUNCTION telemetry.note_new_attribution()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO telemetry.metric_changes (org_id, repo_id, date)
    SELECT DISTINCT n.org_id, n.repo_id, (n.created_at AT TIME ZONE 'UTC')::date
    FROM new_rows AS n;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.note_new_attribution() IS
    'Trigger function: notes the days whose metrics new attribution changes.';

CREATE FUNCTION telemetry.note_changed_attribution()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO telemetry.metric_changes (org_id, repo_id, date)
    SELECT DISTINCT c.org_id, c.repo_id, (c.created_at AT TIME ZONE 'UTC')::date
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

CREATE FUNCTION telemetry.note_deleted_attribution()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO telemetry.metric_changes (org_id, repo_id, date)
    SELECT DISTINCT o.org_id, o.repo_id, (o.created_at AT TIME ZONE 'UTC')::date
    FROM old_rows AS o
    -- One that goes with all it has needs no metrics.
    WHERE EXISTS (SELECT FROM tenancy.organizations AS t WHERE t.id = o.org_id);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.note_deleted_attribution() IS
    'Trigger function: notes the days whose metrics deleted attribution changes.';

CREATE FUNCTION telemetry.forget_metric_changes()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    DELETE FROM telemetry.metric_changes AS c
    WHERE c.org_id = OLD.id;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.forget_metric_changes() IS
    'Trigger function: deletes the notes about an organization that was deleted.';

CREATE FUNCTION telemetry.note_all_attribution()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO telemetry.metric_changes (org_id)
    SELECT DISTINCT m.org_id
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
    INSERT INTO telemetry.metric_changes (org_id, repo_id)
    VALUES (NEW.org_id, NEW.id);
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
    INSERT INTO telemetry.metric_changes (org_id)
    VALUES (NEW.id);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.note_organization_threshold() IS
    'Trigger function: notes that all metrics of an organization change with its ai_confidence_threshold.';

CREATE FUNCTION telemetry.spread_metric_changes(tenant uuid)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Days that have attribution and no metrics yet have a note of their own.
    WITH wide AS (
        DELETE FROM telemetry.metric_changes AS c
        WHERE c.org_id = tenant
          AND c.date IS NULL
        RETURNING c.repo_id
    )
    INSERT INTO telemetry.metric_changes (org_id, repo_id, date)
    SELECT m.org_id, m.repo_id, m.date
    FROM telemetry.repo_metrics AS m
    WHERE m.org_id = tenant
      AND m.period = 'day'
      AND EXISTS (SELECT FROM wide AS w WHERE w.repo_id = m.repo_id OR w.repo_id IS NULL);
END
$function$;
COMMENT ON FUNCTION telemetry.spread_metric_changes(uuid) IS
    'Turns notes about all days of a repository or an organization into one for each day that has metrics.';

CREATE FUNCTION telemetry.refresh_some_metrics(tenant uuid, last_change bigint, max_days integer DEFAULT 1000)
RETURNS TABLE (days integer, changed bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    repos uuid[];
    dates date[];
BEGIN
    SELECT pg_catalog.array_agg(k.repo_id), pg_catalog.array_agg(k.date)
    INTO repos, dates
    FROM (
        SELECT c.date, c.repo_id
        FROM telemetry.metric_changes AS c
        WHERE c.org_id = tenant
          AND c.date IS NOT NULL
          AND c.id <= last_change
        GROUP BY c.date, c.repo_id
        ORDER BY c.date, c.repo_id
        LIMIT max_days
    ) AS k;
    days := coalesce(pg_catalog.cardinality(dates), 0);
    changed := 0;
    IF days = 0 THEN
        RETURN NEXT;
        RETURN;
    END IF;

    -- Whoever deletes them locks them first, too. One that is gone has taken its metrics with it, and none can be added.
    PERFORM FROM scm.repositories AS r WHERE r.org_id = tenant AND r.id = ANY (repos) ORDER BY r.id FOR KEY SHARE;

    DELETE FROM telemetry.metric_changes AS c
    USING ROWS FROM (pg_catalog.unnest(repos), pg_catalog.unnest(dates)) AS k (repo_id, date)
    WHERE c.org_id = tenant
      AND c.date = k.date
      AND c.repo_id = k.repo_id;

    -- A statement of its own, whose snapshot is later than that of the one before: all that the notes are about is seen.
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
            pg_catalog.date_trunc(p.period, k.date::timestamp)::date AS first_day,
            (pg_catalog.date_trunc(p.period, k.date::timestamp) + ('1 ' || p.period)::interval)::date AS next_day
        FROM key AS k
        CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
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
    INTO changed;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION telemetry.refresh_some_metrics(uuid, bigint, integer) IS
    'Computes metrics of an organization anew for up to max_days of the days that are noted, by notes up to last_change, and forgets the notes. Returns how many days these were and how many rows of telemetry.repo_metrics were written or removed. The caller holds codeverify.lock_metrics().';

CREATE FUNCTION telemetry.refresh_organization_metrics(tenant uuid, since timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    first_day constant date := (since AT TIME ZONE 'UTC')::date;
    last_change bigint;
    batch record;
    changed bigint := 0;
BEGIN
    PERFORM codeverify.lock_metrics('telemetry.repo_metrics', tenant, true);
    -- Metrics that have no attribution, as those that somebody wrote by hand, are computed too, whatever their period.
    IF since IS NOT NULL THEN
        INSERT INTO telemetry.metric_changes (org_id, repo_id, date)
        SELECT DISTINCT tenant, a.repo_id, (a.created_at AT TIME ZONE 'UTC')::date
        FROM telemetry.code_attribution AS a
        WHERE a.org_id = tenant
          AND a.created_at >= first_day::timestamp AT TIME ZONE 'UTC'
        UNION
        SELECT tenant, m.repo_id, m.date
        FROM telemetry.repo_metrics AS m
        WHERE m.org_id = tenant
          AND m.date >= first_day;
    END IF;
    PERFORM telemetry.spread_metric_changes(tenant);

    -- What is noted from here on is left for the next refresh: with busy writers there would be no end.
    SELECT pg_catalog.max(c.id)
    INTO last_change
    FROM telemetry.metric_changes AS c
    WHERE c.org_id = tenant;
    LOOP
        SELECT b.days, b.changed
        INTO STRICT batch
        FROM telemetry.refresh_some_metrics(tenant, last_change) AS b;
        EXIT WHEN batch.days = 0;
        changed := changed + batch.changed;
    END LOOP;
    RETURN changed;
END
$function$;
COMMENT ON FUNCTION telemetry.refresh_organization_metrics(uuid, timestamptz) IS
    'Does for one organization what telemetry.refresh_repo_metrics() does, without asking who calls.';

CREATE FUNCTION telemetry.refresh_repo_metrics(since timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.current_org_id();
    changed bigint := 0;
BEGIN
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'telemetry.refresh_repo_metrics() needs a transaction at READ COMMITTED'
            USING ERRCODE = 'VC121',
                  DETAIL = 'It counts what others have committed since the transaction began.',
                  HINT = 'Call it by itself, or BEGIN ISOLATION LEVEL READ COMMITTED.';
    END IF;
    IF tenant IS NOT NULL THEN
        tenant := tenancy.require_permission('write');
        RETURN telemetry.refresh_organization_metrics(tenant, since);
    END IF;
    -- In one order, in which no two wait for each other.
    FOR tenant IN
        SELECT c.org_id FROM telemetry.metric_changes AS c
        UNION
        SELECT o.id FROM tenancy.organizations AS o WHERE since IS NOT NULL
        ORDER BY 1
    LOOP
        changed := changed + telemetry.refresh_organization_metrics(tenant, since);
    END LOOP;
    RETURN changed;
END
$function$;
COMMENT ON FUNCTION telemetry.refresh_repo_metrics(timestamptz) IS
    'Brings telemetry.repo_metrics up to date with telemetry.code_attribution and returns how many rows of it were written or removed: all that is committed when it is called is counted. It computes the days whose attribution changed, and their weeks and months; with since, every day from that time on (-infinity for all). Days, weeks and months without attribution have no row. For codeverify_service and codeverify_admin: the organization in context, which takes the permission write, or all of them without a context. codeverify.maintain() does the same in small steps. Raises VC121 at other isolation levels than READ COMMITTED. Example: SELECT telemetry.refresh_repo_metrics();';
GRANT EXECUTE ON FUNCTION telemetry.refresh_repo_metrics(timestamptz) TO codeverify_admin, codeverify_service;

CREATE FUNCTION telemetry.list_due_metrics()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT 'telemetry.repo_metrics'
        WHERE EXISTS (SELECT FROM telemetry.metric_changes);
END
$function$;
COMMENT ON FUNCTION telemetry.list_due_metrics() IS
    'The target of the maintenance task metrics, where some are out of date.';

CREATE FUNCTION telemetry.refresh_metrics_step(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid;
    passed uuid[] := ARRAY[]::uuid[];
    days integer := 0;
    changed bigint;
    fault_code text;
    fault text;
BEGIN
    IF target <> 'telemetry.repo_metrics' THEN
        RETURN;
    END IF;
    LOOP
        -- The one that has waited longest, unless somebody is at it.
        SELECT c.org_id
        INTO tenant
        FROM telemetry.metric_changes AS c
        WHERE c.org_id <> ALL (passed)
        ORDER BY c.id
        LIMIT 1;
        IF NOT FOUND THEN
            -- One that fails does not keep the others from being refreshed.
            IF fault IS NOT NULL THEN
                RAISE EXCEPTION USING ERRCODE = fault_code, MESSAGE = fault;
            END IF;
            RETURN;
        END IF;
        BEGIN
            IF codeverify.lock_metrics('telemetry.repo_metrics', tenant, false) THEN
                PERFORM telemetry.spread_metric_changes(tenant);
                SELECT b.days, b.changed
                INTO STRICT days, changed
                FROM telemetry.refresh_some_metrics(tenant, 9223372036854775807) AS b;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS fault_code = RETURNED_SQLSTATE, fault = MESSAGE_TEXT;
            days := 0;
        END;
        EXIT WHEN days > 0;
        passed := passed || tenant;
    END LOOP;
    action := 'refreshed';
    detail := pg_catalog.format('%s days of organization %s, %s rows changed', days, tenant, changed);
    more := EXISTS (SELECT FROM telemetry.metric_changes AS c);
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION telemetry.refresh_metrics_step(text) IS
    'A step of the maintenance task metrics: up to 1000 days of the organization whose metrics have been out of date for longest.';
