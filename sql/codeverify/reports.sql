-- Reports for dashboards are materialized views that nobody but their owner reads, each behind a view that shows the
-- organization in context its rows.

CREATE FUNCTION codeverify.list_reports()
RETURNS TABLE (report regclass, refresh_interval interval, refreshed_at timestamptz, elapsed interval, is_populated boolean)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT c.oid::regclass,
               CASE WHEN r.report IS NULL THEN interval '1 hour' ELSE r.refresh_interval END,
               r.refreshed_at,
               r.elapsed,
               c.relispopulated
        FROM pg_catalog.pg_class AS c
        LEFT JOIN codeverify.report_refreshes AS r ON r.report = c.oid
        WHERE c.relkind = 'm'
          AND c.relowner = 'codeverify_owner'::regrole
        ORDER BY c.oid::regclass::text;
END
$function$;
COMMENT ON FUNCTION codeverify.list_reports() IS
    'The stored reports, how often maintenance refreshes them (refresh_interval, NULL for never), when it last did, how long that took, and whether they hold anything yet. Example: SELECT report, refreshed_at FROM codeverify.list_reports();';
GRANT EXECUTE ON FUNCTION codeverify.list_reports() TO codeverify_admin, codeverify_service, codeverify_auditor;

CREATE FUNCTION codeverify.require_report(target regclass)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT EXISTS (SELECT FROM codeverify.list_reports() AS l WHERE l.report = target) THEN
        RAISE EXCEPTION '% is no report of codeverify', target
            USING ERRCODE = 'VC123',
                  HINT = 'codeverify.list_reports() names them.';
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.require_report(regclass) IS
    'Raises VC123 for anything but a materialized view of codeverify.';

CREATE FUNCTION codeverify.configure_report(target regclass, refresh_interval interval)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM codeverify.require_report(target);
    INSERT INTO codeverify.report_refreshes AS r (report, refresh_interval)
    VALUES (target, configure_report.refresh_interval)
    ON CONFLICT ON CONSTRAINT report_refreshes_pkey
    DO UPDATE SET refresh_interval = excluded.refresh_interval;
END
$function$;
COMMENT ON FUNCTION codeverify.configure_report(regclass, interval) IS
    'Says how old a report may become before codeverify.maintain() refreshes it; NULL for never, an hour by default. For codeverify_admin. Raises VC123 for what is no report and check_violation for an interval that is not positive. Example: SELECT codeverify.configure_report(''analysis.stored_findings_by_week'', ''6 hours'');';
GRANT EXECUTE ON FUNCTION codeverify.configure_report(regclass, interval) TO codeverify_admin;

CREATE FUNCTION codeverify.find_report_fault(target regclass)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Beside readers a refresh compares with what is there, in a temporary table and by a unique index.
    SELECT CASE
        WHEN NOT c.relispopulated THEN 'it holds nothing yet'
        WHEN NOT pg_catalog.has_database_privilege(c.relowner, pg_catalog.current_database(), 'TEMPORARY')
            THEN pg_catalog.format('%I may not make temporary tables', pg_catalog.pg_get_userbyid(c.relowner))
        WHEN NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_index AS i
            WHERE i.indrelid = c.oid
              AND i.indisunique
              AND i.indisvalid
              AND i.indpred IS NULL
              AND i.indexprs IS NULL)
            THEN 'it has no unique index'
    END
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = target
$function$;
COMMENT ON FUNCTION codeverify.find_report_fault(regclass) IS
    'What keeps a report from being refreshed beside its readers, in words; NULL when nothing does.';

CREATE FUNCTION codeverify.refresh_report(target regclass)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    began constant timestamptz := pg_catalog.clock_timestamp();
    is_concurrent boolean;
BEGIN
    PERFORM codeverify.require_report(target);
    is_concurrent := codeverify.find_report_fault(target) IS NULL;
    IF is_concurrent THEN
        EXECUTE pg_catalog.format('REFRESH MATERIALIZED VIEW CONCURRENTLY %s', target);
    ELSE
        EXECUTE pg_catalog.format('REFRESH MATERIALIZED VIEW %s', target);
    END IF;

    INSERT INTO codeverify.report_refreshes AS r (report, refreshed_at, elapsed)
    VALUES (target, codeverify.read_clock(), pg_catalog.clock_timestamp() - began)
    ON CONFLICT ON CONSTRAINT report_refreshes_pkey
    DO UPDATE SET refreshed_at = excluded.refreshed_at, elapsed = excluded.elapsed;
    RETURN CASE WHEN is_concurrent THEN 'concurrently' ELSE 'exclusively' END;
END
$function$;
COMMENT ON FUNCTION codeverify.refresh_report(regclass) IS
    'Refreshes a report at once, and returns how: concurrently, while others read it, or exclusively, where it holds nothing yet, has lost its unique index or codeverify_owner may make no temporary table: then readers wait until the transaction ends. For codeverify_admin. Raises VC123 for what is no report. Example: SELECT codeverify.refresh_report(''analysis.stored_findings_by_week'');';
GRANT EXECUTE ON FUNCTION codeverify.refresh_report(regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.list_due_reports()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT l.report::text
        FROM codeverify.list_reports() AS l
        WHERE l.refresh_interval IS NOT NULL
          AND (NOT l.is_populated OR l.refreshed_at IS NULL OR l.refreshed_at <= codeverify.read_clock() - l.refresh_interval);
END
$function$;
COMMENT ON FUNCTION codeverify.list_due_reports() IS
    'The targets of the maintenance task reports: those that hold nothing yet or are older than they may be.';

CREATE FUNCTION codeverify.refresh_report_step(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Somebody else may just have refreshed it.
    IF NOT EXISTS (SELECT FROM codeverify.list_due_reports() AS d (report) WHERE d.report = target) THEN
        RETURN;
    END IF;
    action := 'refreshed';
    detail := codeverify.refresh_report(target::regclass);
    more := false;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION codeverify.refresh_report_step(text) IS
    'The step of the maintenance task reports: refreshes one.';

CREATE FUNCTION codeverify.publish_report(stored regclass, shown regclass, description text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    part record;
BEGIN
    EXECUTE pg_catalog.format('COMMENT ON MATERIALIZED VIEW %s IS %L', stored, pg_catalog.format('What %s shows, of all organizations.', shown));
    EXECUTE pg_catalog.format('COMMENT ON VIEW %s IS %L', shown, description);
    EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.refreshed_at IS %L', shown, 'When the report was last refreshed; NULL before the first time.');
    FOR part IN
        SELECT a.attname AS name, pg_catalog.col_description(stored, a.attnum) AS description
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = stored
          AND a.attnum > 0
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', shown, part.name, part.description);
    END LOOP;
    EXECUTE pg_catalog.format('GRANT SELECT ON %s TO codeverify_tenant', shown);
END
$function$;
COMMENT ON FUNCTION codeverify.publish_report(regclass, regclass, text) IS
    'For deployment: describes a report and the view in front of it, whose columns are the report''s and refreshed_at, and lets tenants read the view.';
