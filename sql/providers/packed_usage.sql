CREATE FUNCTION providers.list_packed_usage(tenant uuid, first_day date, last_day date, of_user uuid DEFAULT NULL)
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
ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Users who are gone have taken their usage with them.
    RETURN QUERY
    SELECT r.user_id, r.provider, r.model, r.date, r.requests_count, r.tokens_input, r.tokens_output, r.cost_usd
    FROM codeverify.packed_segments AS s
    CROSS JOIN LATERAL codeverify.segment_rows(s.id) AS r (
        org_id uuid,
        user_id uuid,
        provider text,
        model text,
        date date,
        requests_count bigint,
        tokens_input bigint,
        tokens_output bigint,
        cost_usd numeric)
    WHERE s.org_id = tenant
      AND s.relation = pg_catalog.to_regclass('providers.usage_tracking')
      AND s.max_ts >= first_day::timestamp AT TIME ZONE 'UTC'
      AND s.min_ts <= last_day::timestamp AT TIME ZONE 'UTC'
      AND (of_user IS NULL OR coalesce(s.summary -> 'user_id' -> 'in' ? of_user::text, true))
      AND r.org_id = tenant
      AND r.date BETWEEN first_day AND last_day
      AND (of_user IS NULL OR r.user_id = of_user)
      AND EXISTS (SELECT FROM auth.users AS u WHERE u.id = r.user_id);
END
$function$;
COMMENT ON FUNCTION providers.list_packed_usage(uuid, date, date, uuid) IS
    'The packed rows of what an organization used, or one of its users, from the first day to the last. Its caller vouches for both. A day may have rows in the table as well, which came later: the sum counts.';

CREATE FUNCTION providers.read_usage(since date DEFAULT NULL, until date DEFAULT NULL)
RETURNS TABLE (
    provider text,
    model text,
    date date,
    requests_count bigint,
    tokens_input bigint,
    tokens_output bigint,
    cost_usd numeric)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('read');
    first_day constant date := coalesce(since, '-infinity');
    last_day constant date := coalesce(until, 'infinity');
BEGIN
    RETURN QUERY
    SELECT u.provider, u.model, u.date, pg_catalog.sum(u.requests_count)::bigint, pg_catalog.sum(u.tokens_input)::bigint,
           pg_catalog.sum(u.tokens_output)::bigint, pg_catalog.sum(u.cost_usd)
    FROM (
        SELECT t.provider, t.model, t.date, t.requests_count::bigint, t.tokens_input::bigint, t.tokens_output::bigint, t.cost_usd
        FROM providers.usage_tracking AS t
        WHERE t.org_id = tenant
          AND t.user_id = tenancy.current_user_id()
          AND t.date BETWEEN first_day AND last_day
        UNION ALL
        SELECT p.provider, p.model, p.date, p.requests_count, p.tokens_input, p.tokens_output, p.cost_usd
        FROM providers.list_packed_usage(tenant, first_day, last_day, tenancy.current_user_id()) AS p
        WHERE tenancy.current_user_id() IS NOT NULL
    ) AS u
    GROUP BY u.provider, u.model, u.date
    ORDER BY u.date, u.provider, u.model;
END
$function$;
COMMENT ON FUNCTION providers.read_usage(date, date) IS
    'What the user in context used in the organization in context, by provider, model and UTC day, from "since" to "until", both included: rows of the table and packed ones together. Takes the permission read. Raises VC105 for a damaged segment. Example: SELECT * FROM providers.read_usage(''2026-01-01'', ''2026-01-31'');';
GRANT EXECUTE ON FUNCTION providers.read_usage(date, date)
TO codeverify_service, codeverify_tenant;
