-- Rows that have been packed, and the room that they took: gone when nobody sees them any more.

COMMENT ON FUNCTION codeverify.delete_packed_rows(regclass) IS
    'Deletes the rows of a partition that have been packed, all that the statement sees, and returns how many. Below SQL: no trigger is fired, and row security hides none. Snapshots from before go on seeing them, as after any DELETE. For codeverify.pack_partition(), which has kept others from writing. Raises VC106 for a table that is no heap, of the ledger, or no partition, and VC093 when codeverify_owner may not act for the owner.';

COMMENT ON FUNCTION codeverify.scan_row_state(regclass) IS
    'What a table holds: "filled" when a row is, or may become, visible; "held" when the first that is there was deleted, and some snapshot in the cluster, or what a replication slot or a standby keeps, may see it still; "free" when there is nothing that anybody else than this transaction has ever seen and could see again. Raises VC106 for what is no heap.';

CREATE FUNCTION codeverify.find_row_state(parent regclass, partition regclass)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
        WHERE c.oid = partition
          AND c.relkind = 'r'
          AND m.amname = 'heap')
    THEN
        RETURN codeverify.scan_row_state(partition);
    END IF;
    RETURN codeverify.read_as_owner_of(
        parent,
        pg_catalog.format('SELECT CASE WHEN EXISTS (SELECT FROM %s) THEN ''filled'' ELSE ''free'' END', partition));
END
$function$;
COMMENT ON FUNCTION codeverify.find_row_state(regclass, regclass) IS
    'What codeverify.scan_row_state() says of a partition; of one that is no heap, such as a foreign table, "filled" or "free" by what can be read.';

CREATE FUNCTION codeverify.empty_partition(parent regclass, partition regclass)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF codeverify.scan_row_state(partition) <> 'free' THEN
        RETURN false;
    END IF;
    PERFORM codeverify.run_in_time(
        parent,
        ARRAY[pg_catalog.format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', partition)],
        pg_catalog.clock_timestamp() + interval '300 ms');
    -- A row may have come while it waited.
    IF codeverify.scan_row_state(partition) <> 'free' THEN
        RETURN false;
    END IF;
    PERFORM codeverify.run_as_owner_of(parent, pg_catalog.format('TRUNCATE ONLY %s', partition));
    RETURN true;
END
$function$;
COMMENT ON FUNCTION codeverify.empty_partition(regclass, regclass) IS
    'Gives the room of a partition back in which nobody sees a row any more, whichever snapshot he has; false where somebody may. Waits a moment for its lock at most, and raises lock_not_available.';

CREATE FUNCTION codeverify.describe_wait(partition text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_catalog.format(
        '%s is packed; its rows stay for those who still see them: %s',
        partition,
        coalesce((SELECT o.holder FROM codeverify.find_oldest_snapshot() AS o), 'transactions that began before'))
$function$;
COMMENT ON FUNCTION codeverify.describe_wait(text) IS
    'Why the rows of a partition that has been packed are still there, for the detail of a step of maintenance.';
