-- providers.usage_metrics follows providers.usage_tracking as telemetry.repo_metrics follows attribution; see
-- sql/telemetry/metrics.sql for why it is made so.

CREATE FUNCTION providers.note_new_usage()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO providers.usage_changes (org_id, user_id, date)
    SELECT DISTINCT n.org_id, n.user_id, n.date
    FROM new_rows AS n;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION providers.note_new_usage() IS
    'Trigger function: notes the days whose metrics new usage changes.';

CREATE FUNCTION providers.note_changed_usage()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO providers.usage_changes (org_id, user_id, date)
    SELECT o.org_id, o.user_id, o.date FROM old_rows AS o
    UNION
    SELECT n.org_id, n.user_id, n.date FROM new_rows AS n;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION providers.note_changed_usage() IS
    'Trigger function: notes the days whose metrics an update of usage changes, the old ones and the new ones.';

CREATE FUNCTION providers.note_deleted_usage()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO providers.usage_changes (org_id, user_id, date)
    SELECT DISTINCT o.org_id, o.user_id, o.date
    FROM old_rows AS o
    -- One that goes with all it has needs no metrics.
    WHERE EXISTS (SELECT FROM tenancy.organizations AS t WHERE t.id = o.org_id);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION providers.note_deleted_usage() IS
    'Trigger function: notes the days whose metrics deleted usage changes.';

CREATE FUNCTION providers.forget_usage_changes()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    DELETE FROM providers.usage_changes AS c
    WHERE c.org_id = OLD.id;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION providers.forget_usage_changes() IS
    'Trigger function: deletes the notes about an organization that was deleted.';

CREATE FUNCTION providers.list_usage(tenant uuid, first_day date, last_day date)
RETURNS TABLE (
    user_id uuid,
    provider text,
    model text,
    date date,
    requests_count bigint,
    tokens_input bigint,
    tokens_output bigint,
    cost_usd numeric)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT t.user_id, t.provider, t.model, t.date, t.requests_count::bigint, t.tokens_input::bigint, t.tokens_output::bigint,
               t.cost_usd
        FROM providers.usage_tracking AS t
        WHERE t.org_id = tenant
          AND t.date BETWEEN first_day AND last_day
        UNION ALL
        SELECT p.user_id, p.provider, p.model, p.date, p.requests_count, p.tokens_input, p.tokens_output, p.cost_usd
        FROM providers.list_packed_usage(tenant, first_day, last_day) AS p;
END
$function$;
COMMENT ON FUNCTION providers.list_usage(uuid, date, date) IS
    'Everything that is stored of what an organization used from the first day to the last, packed or not. A day may have rows of both kinds: the sum counts.';

CREATE FUNCTION providers.is_usage_retired(tenant uuid, usage_date date)
RETURNS boolean
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- What is packed leaves the table, too, and is read where it is.
    RETURN EXISTS (
            SELECT
            FROM codeverify.partition_sets AS s
            WHERE s.parent = 'providers.usage_tracking'::regclass
              AND s.retired_until > usage_date::timestamp AT TIME ZONE 'UTC')
       AND NOT EXISTS (
            SELECT
            FROM codeverify.packed_segments AS p
            WHERE p.relation = 'providers.usage_tracking'::regclass
              AND p.period_start <= usage_date::timestamp AT TIME ZONE 'UTC'
              AND p.period_end > usage_date::timestamp AT TIME ZONE 'UTC')
       AND EXISTS (
            SELECT
            FROM providers.usage_metrics AS m
            WHERE m.org_id = tenant
              AND m.period = 'day'
              AND m.date = usage_date);
END
$function$;
COMMENT ON FUNCTION providers.is_usage_retired(uuid, date) IS
    'Whether an organization''s usage of a day has left the database by retention and has been counted before. The metrics of such a day are all that is left of it, and stay as they are.';

CREATE FUNCTION providers.refresh_some_usage(tenant uuid, last_change bigint, max_days integer DEFAULT 1000)
RETURNS TABLE (days integer, changed bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    users uuid[];
    dates date[];
BEGIN
    SELECT pg_catalog.array_agg(k.user_id), pg_catalog.array_agg(k.date)
    INTO users, dates
    FROM (
        SELECT c.date, c.user_id
        FROM providers.usage_changes AS c
        WHERE c.org_id = tenant
          AND c.id <= last_change
        GROUP BY c.date, c.user_id
        ORDER BY c.date, c.user_id
        LIMIT max_days
    ) AS k;
    days := coalesce(pg_catalog.cardinality(dates), 0);
    changed := 0;
    IF days = 0 THEN
        RETURN NEXT;
        RETURN;
    END IF;

    -- Whoever deletes them locks them first, too. One that is gone has taken its metrics with it, and none can be added.
    PERFORM FROM auth.users AS u WHERE u.id = ANY (users) ORDER BY u.id FOR KEY SHARE;

    DELETE FROM providers.usage_changes AS c
    USING ROWS FROM (pg_catalog.unnest(users), pg_catalog.unnest(dates)) AS k (user_id, date)
    WHERE c.org_id = tenant
      AND c.date = k.date
      AND c.user_id = k.user_id;

    -- Retention takes partitions away from everybody at once, also from a snapshot that does not see that they are retired. So
    -- the snapshot below is taken when that is over or has to wait.
    LOCK TABLE providers.usage_tracking IN ACCESS SHARE MODE;

    -- A statement of its own, whose snapshot is later than that of the one before: all that the notes are about is seen.
    WITH retired AS MATERIALIZED (
        SELECT d.date, providers.is_usage_retired(tenant, d.date) AS is_retired
        FROM (SELECT DISTINCT k.date FROM pg_catalog.unnest(dates) AS k (date)) AS d
    ),
    key AS MATERIALIZED (
        SELECT k.user_id, k.date
        FROM ROWS FROM (pg_catalog.unnest(users), pg_catalog.unnest(dates)) AS k (user_id, date)
        JOIN retired AS r ON r.date = k.date AND NOT r.is_retired
        JOIN auth.users AS u ON u.id = k.user_id
        JOIN tenancy.organizations AS o ON o.id = tenant
    ),
    span AS (
        SELECT DISTINCT
            k.user_id,
            p.period,
            pg_catalog.date_trunc(p.period, k.date::timestamp)::date AS first_day,
            (pg_catalog.date_trunc(p.period, k.date::timestamp) + ('1 ' || p.period)::interval)::date AS next_day
        FROM key AS k
        CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
    ),
    day AS (
        SELECT u.user_id, u.provider, u.model, u.date, u.requests_count, u.tokens_input, u.tokens_output, u.cost_usd
        FROM providers.list_usage(
            tenant,
            (SELECT pg_catalog.min(k.date) FROM key AS k),
            (SELECT pg_catalog.max(k.date) FROM key AS k)) AS u
        JOIN key AS k ON k.user_id = u.user_id AND k.date = u.date
        UNION ALL
        SELECT m.user_id, m.provider, m.model, m.date, m.requests_count, m.tokens_input, m.tokens_output, m.cost_usd
        FROM (
            SELECT s.user_id, pg_catalog.min(s.first_day) AS first_day, pg_catalog.max(s.next_day) AS next_day
            FROM span AS s
            GROUP BY s.user_id
        ) AS r
        JOIN providers.usage_metrics AS m
            ON m.org_id = tenant
           AND m.user_id = r.user_id
           AND m.date >= r.first_day
           AND m.date < r.next_day
        WHERE m.period = 'day'
          AND NOT EXISTS (SELECT FROM key AS k WHERE k.user_id = m.user_id AND k.date = m.date)
    ),
    summed AS (
        SELECT s.user_id,
               d.provider,
               d.model,
               s.first_day,
               s.period,
               pg_catalog.sum(d.requests_count)::bigint AS requests_count,
               pg_catalog.sum(d.tokens_input)::bigint AS tokens_input,
               pg_catalog.sum(d.tokens_output)::bigint AS tokens_output,
               pg_catalog.sum(d.cost_usd) AS cost_usd
        FROM span AS s
        JOIN day AS d ON d.user_id = s.user_id AND d.date >= s.first_day AND d.date < s.next_day
        GROUP BY s.user_id, d.provider, d.model, s.first_day, s.period
    ),
    stored AS (
        INSERT INTO providers.usage_metrics AS m
            (org_id, user_id, provider, model, date, period, requests_count, tokens_input, tokens_output, cost_usd)
        SELECT tenant, s.user_id, s.provider, s.model, s.first_day, s.period, s.requests_count, s.tokens_input, s.tokens_output,
               s.cost_usd
        FROM summed AS s
        ON CONFLICT ON CONSTRAINT usage_metrics_org_id_user_id_provider_model_date_period_key
        DO UPDATE SET
            requests_count = excluded.requests_count,
            tokens_input = excluded.tokens_input,
            tokens_output = excluded.tokens_output,
            cost_usd = excluded.cost_usd
        WHERE (m.requests_count, m.tokens_input, m.tokens_output, m.cost_usd)
            IS DISTINCT FROM (excluded.requests_count, excluded.tokens_input, excluded.tokens_output, excluded.cost_usd)
        RETURNING m.id
    ),
    removed AS (
        DELETE FROM providers.usage_metrics AS m
        USING span AS s
        WHERE m.org_id = tenant
          AND m.user_id = s.user_id
          AND m.date = s.first_day
          AND m.period = s.period
          AND NOT EXISTS (
              SELECT
              FROM summed AS u
              WHERE u.user_id = m.user_id
                AND u.provider = m.provider
                AND u.model = m.model
                AND u.first_day = m.date
                AND u.period = m.period)
        RETURNING m.id
    )
    SELECT (SELECT pg_catalog.count(*) FROM stored) + (SELECT pg_catalog.count(*) FROM removed)
    INTO changed;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION providers.refresh_some_usage(uuid, bigint, integer) IS
    'Computes usage metrics of an organization anew for up to max_days of the users'' days that are noted, by notes up to last_change, and forgets the notes. Returns how many days these were and how many rows of providers.usage_metrics were written or removed. The caller holds codeverify.lock_metrics().';

CREATE FUNCTION providers.refresh_organization_usage(tenant uuid, since timestamptz DEFAULT NULL)
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
    PERFORM codeverify.lock_metrics('providers.usage_metrics', tenant, true);
    IF since IS NOT NULL THEN
        INSERT INTO providers.usage_changes (org_id, user_id, date)
        SELECT tenant, u.user_id, u.date
        FROM providers.list_usage(tenant, first_day, 'infinity') AS u
        UNION
        SELECT tenant, m.user_id, m.date
        FROM providers.usage_metrics AS m
        WHERE m.org_id = tenant
          AND m.date >= first_day;
    END IF;

    -- What is noted from here on is left for the next refresh: with busy writers there would be no end.
    SELECT pg_catalog.max(c.id)
    INTO last_change
    FROM providers.usage_changes AS c
    WHERE c.org_id = tenant;
    LOOP
        SELECT b.days, b.changed
        INTO STRICT batch
        FROM providers.refresh_some_usage(tenant, last_change) AS b;
        EXIT WHEN batch.days = 0;
        changed := changed + batch.changed;
    END LOOP;
    RETURN changed;
END
$function$;
COMMENT ON FUNCTION providers.refresh_organization_usage(uuid, timestamptz) IS
    'Does for one organization what providers.refresh_usage_metrics() does, without asking who calls.';

CREATE FUNCTION providers.refresh_usage_metrics(since timestamptz DEFAULT NULL)
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
        RAISE EXCEPTION 'providers.refresh_usage_metrics() needs a transaction at READ COMMITTED'
            USING ERRCODE = 'VC121',
                  DETAIL = 'It counts what others have committed since the transaction began.',
                  HINT = 'Call it by itself, or BEGIN ISOLATION LEVEL READ COMMITTED.';
    END IF;
    IF tenant IS NOT NULL THEN
        tenant := tenancy.require_permission('write');
        RETURN providers.refresh_organization_usage(tenant, since);
    END IF;
    -- In one order, in which no two wait for each other.
    FOR tenant IN
        SELECT c.org_id FROM providers.usage_changes AS c
        UNION
        SELECT o.id FROM tenancy.organizations AS o WHERE since IS NOT NULL
        ORDER BY 1
    LOOP
        changed := changed + providers.refresh_organization_usage(tenant, since);
    END LOOP;
    RETURN changed;
END
$function$;
COMMENT ON FUNCTION providers.refresh_usage_metrics(timestamptz) IS
    'Brings providers.usage_metrics up to date with providers.usage_tracking, packed rows included, and returns how many rows of it were written or removed: all that is committed when it is called is counted. It computes the days whose usage changed, and their weeks and months; with since, every day from that time on (-infinity for all). Days whose usage has left by retention keep their metrics. For codeverify_service and codeverify_admin: the organization in context, which takes the permission write, or all of them without a context. codeverify.maintain() does the same in small steps. Raises VC121 at other isolation levels than READ COMMITTED. Example: SELECT providers.refresh_usage_metrics();';
GRANT EXECUTE ON FUNCTION providers.refresh_usage_metrics(timestamptz) TO codeverify_admin, codeverify_service;

CREATE FUNCTION providers.read_organization_usage(
    period text DEFAULT 'day',
    since date DEFAULT NULL,
    until date DEFAULT NULL)
RETURNS TABLE (
    date date,
    provider text,
    model text,
    users bigint,
    requests_count bigint,
    tokens_input bigint,
    tokens_output bigint,
    cost_usd numeric)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant constant uuid := tenancy.require_permission('manage');
BEGIN
    RETURN QUERY
        SELECT m.date,
               m.provider,
               m.model,
               pg_catalog.count(*),
               pg_catalog.sum(m.requests_count)::bigint,
               pg_catalog.sum(m.tokens_input)::bigint,
               pg_catalog.sum(m.tokens_output)::bigint,
               pg_catalog.sum(m.cost_usd)
        FROM providers.usage_metrics AS m
        WHERE m.org_id = tenant
          AND m.period = read_organization_usage.period
          AND m.date >= coalesce(since, '-infinity')
          AND m.date <= coalesce(until, 'infinity')
        GROUP BY m.date, m.provider, m.model
        ORDER BY m.date, m.provider, m.model;
END
$function$;
COMMENT ON FUNCTION providers.read_organization_usage(text, date, date) IS
    'What all users of the organization in context used, by provider, model and period (day, week or month), for periods that begin from since to until; of each user alone nothing is told. As of the last refresh of providers.usage_metrics. Takes the permission manage. Example: SELECT * FROM providers.read_organization_usage(''month'', ''2026-01-01'');';
GRANT EXECUTE ON FUNCTION providers.read_organization_usage(text, date, date) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION providers.list_due_usage()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT 'providers.usage_metrics'
        WHERE EXISTS (SELECT FROM providers.usage_changes);
END
$function$;
COMMENT ON FUNCTION providers.list_due_usage() IS
    'The target of the maintenance task usage, where some metrics are out of date.';

CREATE FUNCTION providers.refresh_usage_step(target text)
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
    IF target <> 'providers.usage_metrics' THEN
        RETURN;
    END IF;
    LOOP
        -- The one that has waited longest, unless somebody is at it.
        SELECT c.org_id
        INTO tenant
        FROM providers.usage_changes AS c
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
            IF codeverify.lock_metrics('providers.usage_metrics', tenant, false) THEN
                SELECT b.days, b.changed
                INTO STRICT days, changed
                FROM providers.refresh_some_usage(tenant, 9223372036854775807) AS b;
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
    more := EXISTS (SELECT FROM providers.usage_changes AS c);
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION providers.refresh_usage_step(text) IS
    'A step of the maintenance task usage: up to 1000 users'' days of the organization whose metrics have been out of date for longest.';
