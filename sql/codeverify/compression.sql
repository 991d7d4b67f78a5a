-- What maintenance packs, and when.

CREATE FUNCTION codeverify.list_compressible_sets()
RETURNS SETOF regclass
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT s.parent
    FROM codeverify.list_partition_sets() AS s
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = s.parent
    CROSS JOIN LATERAL codeverify.find_packing_cutoff(
        s.period, s.compress_after, s.closes_after, s.action, s.retention) AS f (cutoff)
    WHERE pg_catalog.isfinite(f.cutoff)
      AND s.parent IS DISTINCT FROM pg_catalog.to_regclass('audits.audit_log')
      AND (s.retired_until IS NOT NULL AND p.partdefid <> 0 AND pg_catalog.pg_relation_size(p.partdefid) > 0
           OR s.compress_after IS NOT NULL AND EXISTS (
               SELECT
               FROM codeverify.list_set_partitions(s.parent) AS l
               WHERE l.upper_bound <= f.cutoff));
END
$function$;
COMMENT ON FUNCTION codeverify.list_compressible_sets() IS
    'Partition sets in which something may have to be packed, or be taken away because it has been.';

CREATE FUNCTION codeverify.compress_rows(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_variable
DECLARE
    -- A partition that somebody writes to or reads is left for later, and so are these many at most in a step.
    attempts constant int := 3;
    -- Not to_regclass(), which takes rights on the schema.
    parent constant regclass := (SELECT s.parent FROM codeverify.list_partition_sets() AS s WHERE s.parent::text = target);
    cutoff timestamptz;
    candidate record;
    oldest record;
    packed jsonb;
    failures int := 0;
    busy text;
    held text;
BEGIN
    SELECT codeverify.find_packing_cutoff(s.period, s.compress_after, s.closes_after, NULL, NULL)
    INTO cutoff
    FROM codeverify.list_partition_sets() AS s
    WHERE s.parent = parent;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    -- A partition that was emptied has no pages.
    FOR candidate IN
        SELECT p.partition, p.partition::text AS name
        FROM codeverify.list_set_partitions(parent) AS p
        JOIN pg_catalog.pg_class AS c ON c.oid = p.partition AND c.relkind = 'r'
        WHERE p.upper_bound <= cutoff
          AND pg_catalog.pg_relation_size(p.partition) > 0
        ORDER BY p.upper_bound
    LOOP
        BEGIN
            CASE codeverify.find_row_state(parent, candidate.partition)
                WHEN 'filled' THEN
                    packed := codeverify.pack_partition(parent, candidate.partition);
                    action := 'packed';
                    detail := pg_catalog.format(
                        '%s rows of %s, %s into %s',
                        packed ->> 'rows',
                        candidate.name,
                        pg_catalog.pg_size_pretty((packed ->> 'bytes_before')::bigint),
                        pg_catalog.pg_size_pretty((packed ->> 'bytes')::bigint));
                WHEN 'free' THEN
                    IF codeverify.empty_partition(parent, candidate.partition) THEN
                        action := 'emptied';
                        detail := candidate.name;
                    END IF;
                ELSE
                    held := coalesce(held, candidate.name);
            END CASE;
            IF action IS NOT NULL THEN
                more := true;
                RETURN NEXT;
                RETURN;
            END IF;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                busy := coalesce(busy, candidate.name);
                failures := failures + 1;
        END;
        EXIT WHEN failures = attempts;
    END LOOP;

    packed := codeverify.pack_late_rows(parent);
    IF packed IS NOT NULL THEN
        action := 'packed';
        detail := pg_catalog.format('%s rows that came too late for their partition of %s', packed ->> 'rows', packed ->> 'period');
        more := true;
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT p.partition, p.partition::text AS name, p.upper_bound
    INTO oldest
    FROM codeverify.list_set_partitions(parent) AS p
    WHERE NOT p.is_default
    ORDER BY p.upper_bound
    LIMIT 1;
    IF oldest.upper_bound <= cutoff AND pg_catalog.pg_relation_size(oldest.partition) = 0 THEN
        PERFORM codeverify.store_partition_set(parent);
        IF codeverify.retire_partition(parent, oldest.partition, 'archive') THEN
            action := 'dropped';
            detail := pg_catalog.format('%s, which has been packed', oldest.name);
            more := true;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;

    IF busy IS NOT NULL THEN
        RAISE lock_not_available USING
            MESSAGE = pg_catalog.format('could not obtain the locks on %s that packing it takes', busy),
            DETAIL = 'A transaction that has written to it or read it is still open.',
            HINT = 'Look for long transactions in pg_stat_activity; the next run tries again.';
    END IF;
    IF held IS NOT NULL THEN
        action := 'waiting';
        detail := codeverify.describe_wait(held);
        more := false;
        RETURN NEXT;
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.compress_rows(text) IS
    'A step of maintenance: packs a partition of the set that is past compress_after, or empties one that has been packed, once nobody has a snapshot from before; when there is none, packs rows of a period that came too late for theirs; when there are none, takes away the oldest partition if it was emptied so. It says "waiting" when it is only for older snapshots that something is left to do; no row when nothing is. Raises lock_not_available when open transactions keep it from it.';

CREATE FUNCTION codeverify.archive_rows(parent regclass)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
ROWS 1
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $function$
#variable_conflict use_variable
DECLARE
    candidate record;
    state text;
    held text;
BEGIN
    FOR candidate IN
        SELECT r.partition, r.partition::text AS name, r.upper_bound
        FROM codeverify.list_retirable_partitions(parent) AS r
        ORDER BY r.upper_bound
    LOOP
        state := codeverify.find_row_state(parent, candidate.partition);
        -- They go in their order.
        IF state = 'free' AND held IS NULL THEN
            IF codeverify.retire_partition(parent, candidate.partition, 'archive') THEN
                action := 'dropped';
            ELSE
                state := 'filled';
            END IF;
        END IF;
        IF state = 'filled' THEN
            PERFORM codeverify.pack_partition(parent, candidate.partition);
            action := 'archived';
        END IF;
        IF action IS NOT NULL THEN
            detail := pg_catalog.format('%s, until %s', candidate.name, candidate.upper_bound);
            more := true;
            RETURN NEXT;
            RETURN;
        END IF;
        held := coalesce(held, candidate.name);
    END LOOP;
    IF held IS NOT NULL THEN
        action := 'waiting';
        detail := codeverify.describe_wait(held);
        more := false;
        RETURN NEXT;
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.archive_rows(regclass) IS
    'A step of retention by archive: packs the oldest partition past retention that has rows, or drops the oldest one when nobody sees a row of it any more; "waiting" when it is only for older snapshots that something is left to do, no row when nothing is past retention. Raises VC106 for what cannot be packed, and lock_not_available.';
