-- providers.usage_metrics follows providers.usage_tracking, as sql/codeverify/metrics.sql says.

CREATE FUNCTION providers.note_usage()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date)
    SELECT DISTINCT 'providers.usage_metrics', t.org_id, t.user_id, t.date
    FROM touched_rows AS t
    -- One that goes with all it has needs no metrics.
    WHERE EXISTS (SELECT FROM tenancy.organizations AS o WHERE o.id = t.org_id);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION providers.note_usage() IS
    'Trigger function: notes the days whose metrics new or deleted usage changes.';

CREATE FUNCTION providers.note_changed_usage()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date)
    SELECT 'providers.usage_metrics', o.org_id, o.user_id, o.date FROM old_rows AS o
    UNION
    SELECT 'providers.usage_metrics', n.org_id, n.user_id, n.date FROM new_rows AS n;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION providers.note_changed_usage() IS
    'Trigger function: notes the days whose metrics an update of usage changes, the old ones and the new ones.';

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

CREATE FUNCTION providers.note_due_metrics(tenant uuid, first_day date)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF first_day IS NOT NULL THEN
        INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date)
        SELECT 'providers.usage_metrics', tenant, u.user_id, u.date
        FROM providers.list_usage(tenant, first_day, 'infinity') AS u
        UNION
        SELECT 'providers.usage_metrics', tenant, m.user_id, m.date
        FROM providers.usage_metrics AS m
        WHERE m.org_id = tenant
          AND m.date >= first_day;
    END IF;
END
$function$;
COMMENT ON FUNCTION providers.note_due_metrics(uuid, date) IS
    'What codeverify.note_due_metrics() does for providers.usage_metrics: with first_day notes every day from that on.';

CREATE FUNCTION providers.count_usage(tenant uuid, users uuid[], dates date[])
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    changed bigint;
BEGIN
    -- Whoever deletes them locks them first, too. One that is gone has taken its metrics with it, and none can be added.
    PERFORM FROM auth.users AS u WHERE u.id = ANY (users) ORDER BY u.id FOR KEY SHARE;

    -- Retention takes partitions away from everybody at once, also from a snapshot that does not see that they are retired. So
    -- the snapshot below is taken when that is over or has to wait.
    LOCK TABLE providers.usage_tracking IN ACCESS SHARE MODE;

    -- A statement of its own, whose snapshot is taken with the locks held.
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
            p.first_day,
            p.next_day
        FROM key AS k
        CROSS JOIN LATERAL codeverify.list_metric_periods(k.date) AS p
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
    INTO STRICT changed;
    RETURN changed;
END
$function$;
COMMENT ON FUNCTION providers.count_usage(uuid, uuid[], date[]) IS
    'Computes the usage metrics of an organization anew for days of users, by position, with their weeks and months. Returns how many rows of providers.usage_metrics were written or removed. For codeverify.refresh_some_metrics().';

CREATE FUNCTION providers.refresh_usage_metrics(since timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT codeverify.refresh_metrics('providers.usage_metrics', since)
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
