-- Checks of the installation, by subject in checks/. Each has a fault, NULL when there is none; || makes it NULL when a list of
-- culprits is.

CREATE FUNCTION codeverify.doctor()
RETURNS TABLE (check_name text, status text, detail text, hint text)
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 50
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT e.check_name,
           CASE WHEN e.fault IS NULL THEN 'ok' ELSE e.severity END,
           coalesce(e.fault, e.fine),
           CASE WHEN e.fault IS NOT NULL THEN e.hint END
    FROM (
        SELECT * FROM codeverify.examine_server()
        UNION ALL
        SELECT * FROM codeverify.examine_ledger()
        UNION ALL
        SELECT * FROM codeverify.examine_isolation()
        UNION ALL
        SELECT * FROM codeverify.examine_roles()
        UNION ALL
        SELECT * FROM codeverify.examine_secrets()
        UNION ALL
        SELECT * FROM codeverify.examine_upkeep()
    ) AS e
$function$;
COMMENT ON FUNCTION codeverify.doctor() IS
    'Examines the installation, the server''s settings and the roles: a row for each check, with status ok, warning or error, what was found, and what to do about it. Settings are those of the session that asks. Example: SELECT * FROM codeverify.doctor() WHERE status <> ''ok'';';
GRANT EXECUTE ON FUNCTION codeverify.doctor() TO codeverify_admin, codeverify_auditor;
