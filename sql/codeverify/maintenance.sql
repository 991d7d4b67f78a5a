COMMENT ON FUNCTION codeverify.maintain(text) IS
    'Does what has to be done again and again: makes and retires partitions, cleans up what has expired, and so on, step by step; returns one row for each step that did something or failed (action failed, with the error as its detail). Each step is committed by itself, in a background worker that the call starts when anything is due, as codeverify_owner and with a short lock_timeout; cancelling the call stops it. One that fails does not stop the others and is tried again at the next call. only is the name of a task or a target, such as observability.logs. While another runs in this database, returns one row that says so (action skipped). Without a free background worker, or with codeverify.own_transactions off, it works in the caller''s transaction. Raises VC095 for a task or target that does not exist, VC096 on a standby and in a read-only transaction. For codeverify_admin. Example: SELECT * FROM codeverify.maintain();';
GRANT EXECUTE ON FUNCTION codeverify.maintain(text)
TO codeverify_admin;

CREATE FUNCTION codeverify.list_maintenance_targets()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 50
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT t.target
    FROM codeverify.maintenance_tasks AS t
    WHERE t.target <> ''
    UNION
    SELECT s.parent::text
    FROM codeverify.list_partition_sets() AS s
    UNION
    SELECT r.target
    FROM codeverify.list_clean_up_rules() AS r
    UNION
    VALUES ('audits.checkpoints'), ('audits.verifications');
END
$function$;
COMMENT ON FUNCTION codeverify.list_maintenance_targets() IS
    'Everything that maintenance knows as a target, whether or not there is anything to do for it.';

CREATE FUNCTION codeverify.find_cron_schema()
RETURNS name
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT n.nspname
    FROM pg_catalog.pg_extension AS e
    JOIN pg_catalog.pg_depend AS d
        ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
        AND d.refobjid = e.oid
        AND d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
        AND d.deptype = 'e'
    JOIN pg_catalog.pg_namespace AS n ON n.oid = d.objid
    WHERE e.extname = 'pg_cron'
      AND n.nspname = 'cron'
$function$;
COMMENT ON FUNCTION codeverify.find_cron_schema() IS
    'The schema of the extension pg_cron, and not just some schema of that name; NULL where it is not installed.';
GRANT EXECUTE ON FUNCTION codeverify.find_cron_schema()
TO codeverify_admin;

CREATE FUNCTION codeverify.schedule(cron text DEFAULT '*/15 * * * *')
RETURNS text
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    job_name constant text := pg_catalog.format('codeverify.maintain() in %s', pg_catalog.current_database());
    command constant text := 'SELECT * FROM codeverify.maintain()';
    cron_schema constant name := codeverify.find_cron_schema();
    cron_database text;
    job bigint;
BEGIN
    IF codeverify.is_cron_expression(cron) IS NOT TRUE THEN
        RAISE EXCEPTION '"%" is no cron expression', cron
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give five fields, as in */15 * * * *: minute, hour, day of month, month, day of week.';
    END IF;
    IF cron_schema IS NULL THEN
        BEGIN
            cron_database := nullif(pg_catalog.current_setting('cron.database_name', true), '');
        EXCEPTION WHEN insufficient_privilege THEN
            -- Only superusers and members of pg_read_all_settings may know.
            NULL;
        END;
        IF cron_database <> pg_catalog.current_database() THEN
            RAISE EXCEPTION 'pg_cron is in another database: %', cron_database
                USING ERRCODE = 'VC096',
                      HINT = pg_catalog.format(
                          'Connect to %I and run: SELECT cron.schedule_in_database(%L, %L, %L, %L);',
                          cron_database, job_name, cron, command, pg_catalog.current_database());
        END IF;
        RAISE EXCEPTION 'pg_cron is not installed in this database'
            USING ERRCODE = 'VC096',
                  HINT = pg_catalog.format(
                      'Run CREATE EXTENSION pg_cron in the database that cron.database_name names, and there, if it is another one: SELECT cron.schedule_in_database(%L, %L, %L, %L); Or set codeverify.maintenance_interval.',
                      job_name, cron, command, pg_catalog.current_database());
    END IF;
    -- A job of this name that the same login has made gets the new schedule.
    EXECUTE pg_catalog.format('SELECT %I.schedule($1, $2, $3)', cron_schema)
    INTO job
    USING job_name, cron, command;
    RETURN pg_catalog.format('job %s runs %s as %s at %s', job, job_name, current_user, cron);
END
$function$;
COMMENT ON FUNCTION codeverify.schedule(text) IS
    'Has pg_cron run codeverify.maintain() in this database, as the role that calls this, every 15 minutes or as the cron expression says; a second call changes that. Returns what was scheduled. Takes what cron.schedule() takes: USAGE on the schema cron. Raises VC096 where pg_cron is not installed in this database, with what to run where it is. For codeverify_admin. Example: SELECT codeverify.schedule(''*/5 * * * *'');';
GRANT EXECUTE ON FUNCTION codeverify.schedule(text)
TO codeverify_admin;

CREATE FUNCTION codeverify.unschedule()
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    cron_schema constant name := codeverify.find_cron_schema();
    removed bigint;
BEGIN
    IF cron_schema IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE pg_catalog.format(
        'SELECT count(%1$I.unschedule(j.jobid))
        FROM %1$I.job AS j
        WHERE j.jobname = $1 AND j.database = pg_catalog.current_database()',
        cron_schema)
    INTO removed
    USING pg_catalog.format('codeverify.maintain() in %s', pg_catalog.current_database());
    RETURN removed;
END
$function$;
COMMENT ON FUNCTION codeverify.unschedule() IS
    'Takes the jobs of codeverify.schedule() from pg_cron again, those that the caller may see: its own, and for a superuser all. Returns how many there were. For codeverify_admin. Example: SELECT codeverify.unschedule();';
GRANT EXECUTE ON FUNCTION codeverify.unschedule()
TO codeverify_admin;
