-- Rate limits of API keys.

CREATE FUNCTION auth.check_rate_limit(api_key_id uuid, max_per_minute integer, cost integer DEFAULT 1)
RETURNS TABLE (allowed boolean, remaining integer, reset_at timestamptz)
LANGUAGE c
VOLATILE
PARALLEL UNSAFE
ROWS 1
AS 'MODULE_PATHNAME', 'codeverify_check_rate_limit';

COMMENT ON FUNCTION auth.check_rate_limit(uuid, integer, integer) IS
    'Counts uses of an API key in the present UTC minute, cost of them, if it has not more than max_per_minute with them. Returns one row: whether they are allowed, how many the minute still takes, and when the next one begins. What is not allowed counts nothing. Counts outlive a rollback, and nobody waits for another transaction. A key that does not exist, or that another organization than the one in context has, is not allowed; codeverify_service may ask for any key before it takes on a tenant. Raises VC027 for NULL, a negative max_per_minute or a cost below 1. Example: SELECT allowed, reset_at FROM auth.check_rate_limit(''0f0e...'', 600);';
GRANT EXECUTE ON FUNCTION auth.check_rate_limit(uuid, integer, integer)
TO codeverify_service, codeverify_tenant, codeverify_ingest;

COMMENT ON FUNCTION auth.recheck_keys(uuid[]) IS
    'Has auth.check_rate_limit() look up again whether these API keys are there. Called when they are deleted.';

CREATE FUNCTION auth.end_keys()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM auth.recheck_keys((SELECT pg_catalog.array_agg(o.id) FROM old_rows AS o));
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION auth.end_keys() IS
    'Trigger function: an API key that is deleted is not counted any more.';
