CREATE FUNCTION codeverify.read_clock()
RETURNS timestamptz
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(
        nullif(pg_catalog.current_setting('codeverify.clock', true), '')::timestamptz,
        pg_catalog.now())
$function$;
COMMENT ON FUNCTION codeverify.read_clock() IS
    'What time it is for maintenance: now(), or what codeverify.clock says in a test.';
