-- How a partition, or rows that are in none of their own, leave their table.

CREATE FUNCTION codeverify.run_in_time(parent regclass, statements text[], deadline timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '300ms'
AS $function$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        PERFORM pg_catalog.set_config(
            'lock_timeout',
            greatest(1, pg_catalog.ceil(1000 * pg_catalog.date_part('epoch', deadline - pg_catalog.clock_timestamp())))::text,
            true);
        PERFORM codeverify.run_as_owner_of(parent, statement);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION codeverify.run_in_time(regclass, text[], timestamptz) IS
    'Runs statements as the owner of a table. None of them waits for a lock beyond the deadline.';

CREATE FUNCTION codeverify.retire_partition(parent regclass, partition regclass, action text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_variable
DECLARE
    attempts constant int := 5;
    -- For all locks of an attempt together: whoever comes after it waits this long at most, and in between they pass.
    -- Less than deadlock_timeout, so that it is this one who gives way.
    patience constant interval := interval '300 ms';
    end_of_partition timestamptz;
    locks text[];
    changes text[];
    deadline timestamptz;
BEGIN
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'partitions leave their table at READ COMMITTED only'
            USING ERRCODE = 'VC091',
                  DETAIL = 'An older snapshot might not see all that was committed.',
                  HINT = 'Run maintenance in a transaction at READ COMMITTED.';
    END IF;

    -- To drop, it is not detached first: that would give its foreign keys triggers of their own, for which the tables
    -- that they refer to are locked, too.
    SELECT p.upper_bound,
           pg_catalog.array_remove(
               ARRAY[
                   pg_catalog.format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', parent),
                   CASE WHEN c.relkind <> 'f' THEN
                       pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', partition) END],
               NULL),
           CASE
               WHEN retire_partition.action <> 'detach' THEN
                   ARRAY[pg_catalog.format(
                       'DROP %s %s', CASE c.relkind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, partition)]
               WHEN t.relrowsecurity AND NOT c.relrowsecurity THEN
                   ARRAY[
                       pg_catalog.format('ALTER TABLE %s DETACH PARTITION %s', parent, partition),
                       pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', partition),
                       pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', partition)]
               ELSE
                   ARRAY[pg_catalog.format('ALTER TABLE %s DETACH PARTITION %s', parent, partition)]
           END
    INTO end_of_partition, locks, changes
    FROM codeverify.list_set_partitions(parent) AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.partition
    JOIN pg_catalog.pg_class AS t ON t.oid = retire_partition.parent
    WHERE p.partition = retire_partition.partition
      AND NOT p.is_default
      AND retire_partition.parent IS DISTINCT FROM pg_catalog.to_regclass('audits.audit_log');
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is no partition of % that could leave it', partition, parent
            USING ERRCODE = 'VC091',
                  HINT = 'Those of the ledger leave it by audits.archive_partition().';
    END IF;

    FOR attempt IN 1 .. attempts LOOP
        BEGIN
            deadline := pg_catalog.clock_timestamp() + patience;
            PERFORM codeverify.run_in_time(parent, locks, deadline);
            IF action = 'archive' THEN
                -- Not even for those whose snapshot is from before it was packed.
                IF codeverify.find_row_state(parent, partition) <> 'free' THEN
                    RETURN false;
                END IF;
            END IF;
            PERFORM codeverify.run_in_time(parent, changes, deadline);
            EXIT;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                IF attempt = attempts THEN
                    RAISE lock_not_available USING
                        MESSAGE = pg_catalog.format('could not obtain the locks on %s that the end of a partition takes', parent),
                        DETAIL = pg_catalog.format('%s attempts found transactions that had read or written it and were still open.', attempts),
                        HINT = 'Nothing was changed. Look for long transactions in pg_stat_activity; the next run tries again.';
                END IF;
        END;
        PERFORM pg_catalog.pg_sleep(0.1 * attempt);
    END LOOP;

    UPDATE codeverify.partition_sets AS s
    SET retired_until = greatest(s.retired_until, end_of_partition)
    WHERE s.parent = retire_partition.parent
      AND s.retired_until IS DISTINCT FROM greatest(s.retired_until, end_of_partition);
    RETURN true;
END
$function$;
COMMENT ON FUNCTION codeverify.retire_partition(regclass, regclass, text) IS
    'Takes a partition away from its table: detach leaves it as a table of its own that nobody reads but its owner, drop deletes it, archive deletes it if it is empty for everybody, as it is some time after it has been packed, and returns false if it is not. Its locks are waited for shortly and repeatedly, and others pass in between. The partition is not made again. Raises lock_not_available after five attempts, VC091 for what is no partition of the table, and for the ledger.';

CREATE FUNCTION codeverify.delete_retired_rows(parent regclass, batch int DEFAULT 10000)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- What is past retention is said with a quoted name and a literal.
    default_partition regclass;
    past text;
    is_left boolean;
    deleted bigint;
BEGIN
    SELECT p.partdefid,
           pg_catalog.format(
               'd.%I < %L::%s', a.attname, pg_catalog.to_char(f.cutoff, 'YYYY-MM-DD BC'), pg_catalog.format_type(a.atttypid, NULL))
    INTO default_partition, past
    FROM codeverify.list_partition_sets() AS s
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = s.parent
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    CROSS JOIN LATERAL codeverify.find_retention_cutoff(s.period, s.retention) AS f (cutoff)
    WHERE s.parent = delete_retired_rows.parent
      AND s.action = 'drop'
      AND s.parent IS DISTINCT FROM pg_catalog.to_regclass('audits.audit_log')
      AND p.partdefid <> 0
      AND pg_catalog.isfinite(f.cutoff);
    IF NOT FOUND THEN
        RETURN 0;
    END IF;

    -- The condition again: a row that is changed meanwhile may no longer be past retention, nor the one of another
    -- part of the default partition that has the same address.
    deleted := codeverify.run_as_owner_of(
        parent,
        pg_catalog.format(
            'DELETE FROM %1$s AS d WHERE d.ctid = ANY (ARRAY(SELECT d.ctid FROM %1$s AS d WHERE %2$s LIMIT %3$s)) AND %2$s',
            default_partition, past, batch));
    IF deleted = 0 THEN
        is_left := codeverify.read_as_owner_of(
            parent, pg_catalog.format('SELECT EXISTS (SELECT FROM %s AS d WHERE %s)::text', default_partition, past))::boolean;
        IF is_left THEN
            RAISE EXCEPTION 'rows of % that are past retention cannot be deleted as its owner', default_partition
                USING ERRCODE = 'VC091',
                      DETAIL = 'Row security hides them from the owner, or a trigger keeps them.',
                      HINT = 'Give the owner of the table BYPASSRLS.';
        END IF;
    END IF;
    RETURN deleted;
END
$function$;
COMMENT ON FUNCTION codeverify.delete_retired_rows(regclass, int) IS
    'Deletes rows of the default partition that are past retention, a batch of them, and returns how many. They came when their partition was gone already. Only where retention drops, and never from the ledger. Raises VC091 when the owner of the table may not delete them.';

CREATE FUNCTION codeverify.delete_retired_segments(parent regclass)
RETURNS TABLE (period_end timestamptz, row_count bigint)
LANGUAGE plpgsql
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
DECLARE
    oldest timestamptz;
BEGIN
    SELECT pg_catalog.min(g.period_end)
    INTO oldest
    FROM codeverify.packed_segments AS g
    WHERE g.relation = delete_retired_segments.parent;

    RETURN QUERY
    WITH deleted AS (
        DELETE FROM codeverify.packed_segments AS g
        USING codeverify.list_partition_sets() AS s
        WHERE s.parent = delete_retired_segments.parent
          AND s.action = 'drop'
          AND oldest <= codeverify.find_retention_cutoff(s.period, s.retention)
          AND g.relation = delete_retired_segments.parent
          AND g.period_end = oldest
        RETURNING g.row_count
    )
    SELECT oldest, pg_catalog.sum(d.row_count)::bigint
    FROM deleted AS d
    HAVING pg_catalog.count(*) > 0;
END
$function$;
COMMENT ON FUNCTION codeverify.delete_retired_segments(regclass) IS
    'Deletes the packed rows of the oldest period of a table, if it is past retention and retention drops; returns when the period ended and how many rows it had. No row when there is nothing to delete.';
