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
    FROM codeverify.partition_sets AS s
    UNION
    SELECT r.target
    FROM codeverify.list_clean_up_rules() AS r;
END
$function$;
COMMENT ON FUNCTION codeverify.list_maintenance_targets() IS
    'Everything that maintenance knows as a target, whether or not there is anything to do for it.';
