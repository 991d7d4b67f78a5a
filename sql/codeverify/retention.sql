-- Retention: what is past it leaves, a partition at a time, oldest first.

CREATE FUNCTION codeverify.find_retention_cutoff(period text, retention interval)
RETURNS timestamptz
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $function$
DECLARE
    clock constant timestamptz := codeverify.read_clock();
    step constant interval := ('1 ' || period)::interval;
    cutoff timestamptz;
BEGIN
    IF retention IS NULL THEN
        RETURN '-infinity'::timestamptz;
    END IF;
    -- Months are of different lengths, so this is only near. A period is past retention when its end and the interval
    -- together are: what is added can be seen, what is taken away cannot be taken back.
    cutoff := pg_catalog.date_trunc(period, clock - retention);
    WHILE cutoff + retention > clock LOOP
        cutoff := cutoff - step;
    END LOOP;
    WHILE cutoff + step + retention <= clock LOOP
        cutoff := cutoff + step;
    END LOOP;
    RETURN cutoff;
EXCEPTION
    -- Longer than there has been time.
    WHEN datetime_field_overflow THEN
        RETURN '-infinity'::timestamptz;
END
$function$;
COMMENT ON FUNCTION codeverify.find_retention_cutoff(text, interval) IS
    'The latest beginning of a UTC day, week or month such that the interval has passed since: rows before it are past retention, none from it on are. -infinity for an interval that is NULL or longer than time.';

CREATE FUNCTION codeverify.list_retirable_partitions(target regclass DEFAULT NULL)
RETURNS TABLE (parent regclass, partition regclass, lower_bound timestamptz, upper_bound timestamptz)
LANGUAGE sql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $function$
    SELECT s.parent, p.partition, p.lower_bound, p.upper_bound
    FROM (SELECT codeverify.read_clock() OFFSET 0) AS m (clock)
    CROSS JOIN codeverify.list_partition_sets() AS s
    CROSS JOIN LATERAL codeverify.list_set_partitions(s.parent) AS p
    WHERE s.retention IS NOT NULL
      AND (target IS NULL OR s.parent = target)
      -- In this order, and within limits, so that no bound and no interval is too far away to be added.
      AND CASE WHEN p.upper_bound < m.clock THEN
          p.upper_bound + least(s.retention, '10000 years') <= m.clock END
    ORDER BY s.parent::text, p.upper_bound
$function$;
COMMENT ON FUNCTION codeverify.list_retirable_partitions(regclass) IS
    'Partitions of a set, or of all sets, that are past retention, oldest first: the interval has passed since their upper bound.';

CREATE FUNCTION codeverify.list_retirable_sets()
RETURNS SETOF regclass
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT r.parent
    FROM codeverify.list_retirable_partitions() AS r
    UNION
    -- Only drop deletes: what has been packed, or came too late for its partition, stays with the others.
    SELECT s.parent
    FROM codeverify.list_partition_sets() AS s
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = s.parent
    WHERE s.retention IS NOT NULL
      AND s.action = 'drop'
      AND s.parent IS DISTINCT FROM pg_catalog.to_regclass('audits.audit_log')
      AND (p.partdefid <> 0 AND pg_catalog.pg_relation_size(p.partdefid) > 0
           OR EXISTS (
               SELECT
               FROM codeverify.packed_segments AS g
               WHERE g.relation = s.parent
                 AND g.period_end <= codeverify.find_retention_cutoff(s.period, s.retention)));
END
$function$;
COMMENT ON FUNCTION codeverify.list_retirable_sets() IS
    'Partition sets in which something may be past retention.';

CREATE FUNCTION codeverify.retire_rows(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
ROWS 1
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $function$
#variable_conflict use_variable
DECLARE
    batch constant int := 10000;
    parent regclass;
    set_action text;
    oldest record;
    number bigint;
    ended timestamptz;
BEGIN
    -- Not to_regclass(), which takes rights on the schema.
    SELECT s.parent, s.action
    INTO parent, set_action
    FROM codeverify.list_partition_sets() AS s
    WHERE s.parent::text = target
      AND s.retention IS NOT NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    IF set_action = 'archive' AND parent IS DISTINCT FROM pg_catalog.to_regclass('audits.audit_log') THEN
        RETURN QUERY SELECT a.action, a.detail, a.more FROM codeverify.archive_rows(parent) AS a;
        RETURN;
    END IF;
    SELECT r.partition, r.partition::text AS name, r.lower_bound, r.upper_bound
    INTO oldest
    FROM codeverify.list_retirable_partitions(parent) AS r
    ORDER BY r.upper_bound
    LIMIT 1;
    IF FOUND THEN
        IF set_action = 'archive' THEN
            PERFORM audits.archive_partition(oldest.partition);
            action := 'archived';
        ELSE
            PERFORM codeverify.retire_partition(parent, oldest.partition, set_action);
            action := CASE set_action WHEN 'detach' THEN 'detached' ELSE 'dropped' END;
        END IF;
        detail := pg_catalog.format('%s, until %s', oldest.name, oldest.upper_bound);
        more := true;
        RETURN NEXT;
        RETURN;
    END IF;

    number := codeverify.delete_retired_rows(parent, batch);
    IF number > 0 THEN
        action := 'deleted';
        detail := pg_catalog.format('%s rows that came too late for their partition', number);
        more := true;
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT d.period_end, d.row_count
    INTO ended, number
    FROM codeverify.delete_retired_segments(parent) AS d;
    IF ended IS NOT NULL THEN
        action := 'deleted';
        detail := pg_catalog.format('%s packed rows, until %s', number, ended);
        more := true;
        RETURN NEXT;
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.retire_rows(text) IS
    'A step of maintenance: takes the oldest partition of a set that is past retention away, in the way that the set says; when there is none, a batch of rows that came too late for theirs, or of packed rows. No row when nothing is past retention.';
