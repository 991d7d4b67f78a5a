-- Metrics that follow a table: telemetry.repo_metrics follows telemetry.code_attribution, providers.usage_metrics follows
-- providers.usage_tracking. Every statement that changes such a table notes the days that it touched, and a refresh takes the
-- notes and counts those days anew. What to note and how to count are the domain's, in sql/telemetry/metrics.sql and
-- sql/providers/usage.sql; when, in which order and beside whom is the same for all, and here.
--
-- A watermark on times, or on ids, would miss the rows of a writer that commits after a later one; one on transaction ids
-- would see no deletes, and wait for the oldest writer of the whole server. A note is committed together with its rows, and
-- the refresh counts in a statement that begins after it has taken the notes: what it takes it counts, and what it does not
-- see yet keeps its note. One refresh at a time works on an organization, since of two the one with the older snapshot could
-- write last.

CREATE FUNCTION codeverify.lock_metrics(relation text, tenant uuid, waits boolean)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- First, as it is whoever deletes it locks first. One that is gone has nothing to refresh.
    PERFORM FROM tenancy.organizations AS o WHERE o.id = tenant FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN true;
    END IF;

    -- ON CONFLICT would wait for whoever has the row.
    IF NOT EXISTS (
        SELECT
        FROM codeverify.metric_refreshes AS r
        WHERE r.org_id = tenant
          AND r.relation = lock_metrics.relation)
    THEN
        INSERT INTO codeverify.metric_refreshes (relation, org_id)
        VALUES (lock_metrics.relation, tenant)
        ON CONFLICT ON CONSTRAINT metric_refreshes_pkey DO NOTHING;
    END IF;
    IF NOT waits THEN
        PERFORM FROM codeverify.metric_refreshes AS r
        WHERE r.org_id = tenant
          AND r.relation = lock_metrics.relation
        FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    UPDATE codeverify.metric_refreshes AS r
    SET refreshed_at = codeverify.read_clock()
    WHERE r.org_id = tenant
      AND r.relation = lock_metrics.relation;
    RETURN true;
END
$function$;
COMMENT ON FUNCTION codeverify.lock_metrics(text, uuid, boolean) IS
    'Keeps others from refreshing an organization''s metrics in a table until the transaction ends. Without waits it returns false when somebody else is at it.';

CREATE FUNCTION codeverify.forget_metric_changes()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    DELETE FROM codeverify.metric_changes AS c
    WHERE c.org_id = OLD.id;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION codeverify.forget_metric_changes() IS
    'Trigger function: deletes the notes about an organization that was deleted.';

CREATE FUNCTION codeverify.list_metric_periods(day date)
RETURNS TABLE (period text, first_day date, next_day date)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 3
BEGIN ATOMIC
    SELECT p.period,
           pg_catalog.date_trunc(p.period, day::timestamp)::date,
           (pg_catalog.date_trunc(p.period, day::timestamp) + ('1 ' || p.period)::interval)::date
    FROM (VALUES ('day'), ('week'), ('month')) AS p (period);
END;
COMMENT ON FUNCTION codeverify.list_metric_periods(date) IS
    'The periods that metrics have a row for and a day belongs to: itself, its week from Monday and its month, each with its first day and the first of the next.';

CREATE FUNCTION codeverify.note_due_metrics(relation text, tenant uuid, first_day date)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    CASE relation
        WHEN 'telemetry.repo_metrics' THEN PERFORM telemetry.note_due_metrics(tenant, first_day);
        WHEN 'providers.usage_metrics' THEN PERFORM providers.note_due_metrics(tenant, first_day);
    END CASE;
END
$function$;
COMMENT ON FUNCTION codeverify.note_due_metrics(text, uuid, date) IS
    'Completes the notes about an organization''s metrics in a table before these are refreshed: with first_day by every day from that on. The caller holds codeverify.lock_metrics().';

CREATE FUNCTION codeverify.refresh_some_metrics(
    relation text,
    tenant uuid,
    last_change bigint,
    max_days integer DEFAULT 1000)
RETURNS TABLE (days integer, changed bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    subjects uuid[];
    dates date[];
BEGIN
    WITH key AS MATERIALIZED (
        SELECT c.date, c.subject_id
        FROM codeverify.metric_changes AS c
        WHERE c.org_id = tenant
          AND c.relation = refresh_some_metrics.relation
          AND c.date IS NOT NULL
          AND c.id <= last_change
        GROUP BY c.date, c.subject_id
        ORDER BY c.date, c.subject_id
        LIMIT max_days
    ),
    taken AS (
        DELETE FROM codeverify.metric_changes AS c
        USING key AS k
        WHERE c.org_id = tenant
          AND c.relation = refresh_some_metrics.relation
          AND c.date = k.date
          AND c.subject_id = k.subject_id
    )
    SELECT pg_catalog.array_agg(k.subject_id), pg_catalog.array_agg(k.date)
    INTO subjects, dates
    FROM key AS k;
    days := coalesce(pg_catalog.cardinality(dates), 0);
    changed := 0;
    -- Statements of their own, whose snapshots are later than that of the one before: all that the notes are about is seen.
    IF days > 0 THEN
        CASE relation
            WHEN 'telemetry.repo_metrics' THEN changed := telemetry.count_attribution(tenant, subjects, dates);
            WHEN 'providers.usage_metrics' THEN changed := providers.count_usage(tenant, subjects, dates);
        END CASE;
    END IF;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION codeverify.refresh_some_metrics(text, uuid, bigint, integer) IS
    'Computes an organization''s metrics in a table anew for up to max_days of the days that are noted, by notes up to last_change, and forgets the notes. Returns how many days these were and how many rows of metrics were written or removed. The caller holds codeverify.lock_metrics().';

CREATE FUNCTION codeverify.refresh_organization_metrics(relation text, tenant uuid, since timestamptz)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    last_change bigint;
    batch record;
    changed bigint := 0;
BEGIN
    PERFORM codeverify.lock_metrics(relation, tenant, true);
    PERFORM codeverify.note_due_metrics(relation, tenant, (since AT TIME ZONE 'UTC')::date);

    -- What is noted from here on is left for the next refresh: with busy writers there would be no end.
    SELECT pg_catalog.max(c.id)
    INTO last_change
    FROM codeverify.metric_changes AS c
    WHERE c.org_id = tenant
      AND c.relation = refresh_organization_metrics.relation;
    LOOP
        SELECT b.days, b.changed
        INTO STRICT batch
        FROM codeverify.refresh_some_metrics(relation, tenant, last_change) AS b;
        EXIT WHEN batch.days = 0;
        changed := changed + batch.changed;
    END LOOP;
    RETURN changed;
END
$function$;
COMMENT ON FUNCTION codeverify.refresh_organization_metrics(text, uuid, timestamptz) IS
    'Does for one organization what codeverify.refresh_metrics() does, without asking who calls.';

CREATE FUNCTION codeverify.refresh_metrics(relation text, since timestamptz)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.current_org_id();
    changed bigint := 0;
BEGIN
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a refresh of % needs a transaction at READ COMMITTED', relation
            USING ERRCODE = 'VC121',
                  DETAIL = 'It counts what others have committed since the transaction began.',
                  HINT = 'Call it by itself, or BEGIN ISOLATION LEVEL READ COMMITTED.';
    END IF;
    IF tenant IS NOT NULL THEN
        tenant := tenancy.require_permission('write');
        RETURN codeverify.refresh_organization_metrics(relation, tenant, since);
    END IF;
    -- In one order, in which no two wait for each other.
    FOR tenant IN
        SELECT c.org_id FROM codeverify.metric_changes AS c WHERE c.relation = refresh_metrics.relation
        UNION
        SELECT o.id FROM tenancy.organizations AS o WHERE since IS NOT NULL
        ORDER BY 1
    LOOP
        changed := changed + codeverify.refresh_organization_metrics(relation, tenant, since);
    END LOOP;
    RETURN changed;
END
$function$;
COMMENT ON FUNCTION codeverify.refresh_metrics(text, timestamptz) IS
    'What telemetry.refresh_repo_metrics() and providers.refresh_usage_metrics() share: refreshes the metrics in a table of the organization in context, which takes the permission write, or of all without a context. Raises VC121 at other isolation levels than READ COMMITTED.';

CREATE FUNCTION codeverify.list_due_metrics(relation text)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT list_due_metrics.relation
        WHERE EXISTS (SELECT FROM codeverify.metric_changes AS c WHERE c.relation = list_due_metrics.relation);
END
$function$;
COMMENT ON FUNCTION codeverify.list_due_metrics(text) IS
    'The target of the maintenance tasks metrics and usage: the table of metrics, where some are out of date.';

CREATE FUNCTION codeverify.refresh_metrics_step(target text)
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
    LOOP
        -- The one that has waited longest, unless somebody is at it.
        SELECT c.org_id
        INTO tenant
        FROM codeverify.metric_changes AS c
        WHERE c.relation = target
          AND c.org_id <> ALL (passed)
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
            IF codeverify.lock_metrics(target, tenant, false) THEN
                PERFORM codeverify.note_due_metrics(target, tenant, NULL);
                SELECT b.days, b.changed
                INTO STRICT days, changed
                FROM codeverify.refresh_some_metrics(target, tenant, 9223372036854775807) AS b;
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
    more := EXISTS (SELECT FROM codeverify.metric_changes AS c WHERE c.relation = target);
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION codeverify.refresh_metrics_step(text) IS
    'A step of the maintenance tasks metrics and usage: up to 1000 days of the organization whose metrics in a table have been out of date for longest.';
