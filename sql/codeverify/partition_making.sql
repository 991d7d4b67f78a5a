-- Making partitions. codeverify.make_partition() does the steps; what each consists of is put together here.

COMMENT ON FUNCTION codeverify.find_missing_partition(regclass, text, integer, timestamptz, timestamptz) IS
    'What a set lacks at a time: the first time from the current period on without a partition (ahead), one in the last earlier period without (behind; none before "since" or the oldest partition), the end of the last period that is to be there (horizon), and how many partitions there are. No row for a table that is no set.';

COMMENT ON FUNCTION codeverify.make_partition(regclass, text, timestamptz) IS
    'Makes the partition of a set for the day, week or month (UTC) that a time is in, as far as its neighbours leave room, with the rows that DEFAULT has for it, in one transaction; no row when the time has a partition. Runs as the table''s owner. Writers of other partitions go on; whoever writes to DEFAULT waits, and readers of DEFAULT wait for the last moment of it. Waits half a second at a time for locks. Raises VC092 for a table that is no set, VC093 when codeverify_owner may not act for the owner, and lock_not_available.';

CREATE FUNCTION codeverify.create_partitions(parent regclass, period text, behind int, ahead int)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    step interval;
    made int := 0;
BEGIN
    IF period NOT IN ('day', 'week', 'month') THEN
        RAISE EXCEPTION 'partitions are made by day, week or month, not by %', period
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_partitioned_table AS p WHERE p.partrelid = parent AND p.partstrat = 'r') THEN
        RAISE EXCEPTION '% is not partitioned by range', parent
            USING ERRCODE = 'wrong_object_type',
                  HINT = 'Create the table with PARTITION BY RANGE (...) on one date or timestamptz column.';
    END IF;
    step := ('1 ' || period)::interval;
    FOR offset_from_now IN -behind .. ahead LOOP
        PERFORM codeverify.make_partition(
            parent, period,
            (pg_catalog.date_trunc(period, pg_catalog.now() AT TIME ZONE 'UTC') + offset_from_now * step) AT TIME ZONE 'UTC');
        IF FOUND THEN
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$function$;
COMMENT ON FUNCTION codeverify.create_partitions(regclass, text, int, int) IS
    'Makes the missing partitions of a table that is partitioned by range of one date or timestamptz column, from "behind" periods before the current UTC day, week or month to "ahead" periods after it, and returns how many it made. They have what the others have, and the rows that DEFAULT has for them. Names end in _2026_01 or _2026_01_31, of a week after its Monday.';

CREATE FUNCTION codeverify.find_time_to_partition(
    parent regclass,
    period text,
    premake integer,
    retention interval,
    retired_until timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- More partitions than this make every query slower to plan.
    many constant int := 150;
    -- So far back every row gets its partition, and gaps are filled. What a collector with a wrong clock sends would
    -- make one for every day that it names, and then those in between; so further back only history gets some.
    settled_back constant interval := (CASE period WHEN 'day' THEN '31 days' WHEN 'week' THEN '26 weeks' ELSE '24 months' END)::interval;
    -- So many rows of one period are history.
    history constant int := 1000;
    -- Whatever the session's time zone and style of dates are.
    written constant text := 'YYYY-MM-DD HH24:MI:SS.US"+00"';
    at timestamptz := codeverify.read_clock();
    -- What has left, or is about to, does not come back. The year 1 is where names with a year begin.
    since timestamptz := greatest(
        '0001-01-01 00:00:00+00'::timestamptz,
        retired_until,
        pg_catalog.date_trunc(period, at AT TIME ZONE 'UTC' - retention) AT TIME ZONE 'UTC');
    settled timestamptz := greatest(since, pg_catalog.date_trunc(period, at AT TIME ZONE 'UTC' - settled_back) AT TIME ZONE 'UTC');
    missing record;
    target record;
    found_time timestamptz;
BEGIN
    SELECT m.ahead, m.behind, m.horizon, m.partitions
    INTO missing
    FROM codeverify.find_missing_partition(parent, period, premake, settled, at) AS m;
    IF NOT FOUND OR missing.ahead IS NOT NULL THEN
        RETURN missing.ahead;
    END IF;
    IF missing.partitions >= many THEN
        RETURN NULL;
    END IF;

    SELECT p.partdefid::regclass AS default_partition,
           pg_catalog.format('d.%I', a.attname) AS key,
           CASE a.atttypid
               WHEN 'pg_catalog.date'::regtype THEN pg_catalog.format('d.%I::timestamp AT TIME ZONE ''UTC''', a.attname)
               ELSE pg_catalog.format('d.%I', a.attname)
           END AS key_time
    INTO target
    FROM pg_catalog.pg_partitioned_table AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.partdefid
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = parent
      AND c.relkind = 'r'
      -- Without a page there is no row, and no need to plan a query.
      AND pg_catalog.pg_relation_size(c.oid) > 0;
    IF FOUND THEN
        found_time := codeverify.read_as_owner_of(parent, pg_catalog.format(
            'SELECT (%1$s)::text FROM ONLY %2$s AS d WHERE %3$s >= %4$L::timestamptz AND %3$s < %5$L::timestamptz LIMIT 1',
            target.key_time, target.default_partition, target.key,
            pg_catalog.to_char(settled AT TIME ZONE 'UTC', written),
            pg_catalog.to_char(missing.horizon AT TIME ZONE 'UTC', written)))::timestamptz;
        IF found_time IS NULL AND since < settled THEN
            found_time := codeverify.read_as_owner_of(parent, pg_catalog.format(
                'SELECT min(%1$s)::text FROM ONLY %2$s AS d WHERE %3$s >= %4$L::timestamptz AND %3$s < %5$L::timestamptz '
                'GROUP BY date_trunc(%6$L, %1$s, ''UTC'') HAVING count(*) >= %7$s LIMIT 1',
                target.key_time, target.default_partition, target.key,
                pg_catalog.to_char(since AT TIME ZONE 'UTC', written),
                pg_catalog.to_char(settled AT TIME ZONE 'UTC', written),
                period, history))::timestamptz;
        END IF;
        IF found_time IS NOT NULL THEN
            RETURN found_time;
        END IF;
    END IF;
    RETURN missing.behind;
END
$function$;
COMMENT ON FUNCTION codeverify.find_time_to_partition(regclass, text, integer, interval, timestamptz) IS
    'A time for which a set needs a partition now, NULL when it has all: first the current period and those ahead of it; then, unless the set has 150 already, those of which DEFAULT holds rows, and gaps: of the last 31 days, 26 weeks or 24 months all of them, and of earlier periods those of which DEFAULT holds at least 1,000 rows. Nothing that is past retention or has left the table before, and nothing beyond the premade periods.';

CREATE FUNCTION codeverify.list_sets_to_partition()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    set record;
BEGIN
    FOR set IN
        SELECT s.parent, s.period, s.premake, s.retention, s.retired_until
        FROM codeverify.list_partition_sets() AS s
    LOOP
        BEGIN
            IF codeverify.find_time_to_partition(set.parent, set.period, set.premake, set.retention, set.retired_until) IS NOT NULL THEN
                RETURN NEXT set.parent::text;
            END IF;
        EXCEPTION
            -- The step meets it again, where it is stored and stops no other set.
            WHEN OTHERS THEN
                RETURN NEXT set.parent::text;
        END;
    END LOOP;
    -- To be forgotten.
    RETURN QUERY
    SELECT s.parent::text
    FROM codeverify.partition_sets AS s
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partitioned_table AS p WHERE p.partrelid = s.parent);
END
$function$;
COMMENT ON FUNCTION codeverify.list_sets_to_partition() IS
    'The partition sets that lack a partition, for codeverify.maintain().';

CREATE FUNCTION codeverify.partition_next(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    set record;
    wanted timestamptz;
    made record;
    partitions int;
BEGIN
    SELECT s.parent, s.period, s.premake, s.retention, s.retired_until
    INTO set
    FROM codeverify.list_partition_sets() AS s
    -- Not to_regclass(), which takes rights on the schema.
    WHERE s.parent::text = target;
    IF NOT FOUND THEN
        DELETE FROM codeverify.partition_sets AS s
        WHERE s.parent::text = target
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_partitioned_table AS p WHERE p.partrelid = s.parent);
        IF FOUND THEN
            action := 'forgot';
            detail := 'there is no such partitioned table any more';
            more := false;
            RETURN NEXT;
        END IF;
        RETURN;
    END IF;
    wanted := codeverify.find_time_to_partition(set.parent, set.period, set.premake, set.retention, set.retired_until);
    SELECT m.partition, m.moved
    INTO made
    FROM codeverify.make_partition(set.parent, set.period, wanted) AS m;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM codeverify.store_partition_set(set.parent);
    more := codeverify.find_time_to_partition(set.parent, set.period, set.premake, set.retention, set.retired_until) IS NOT NULL;
    partitions := (SELECT pg_catalog.count(*) FROM codeverify.list_set_partitions(set.parent) AS l WHERE NOT l.is_default);
    IF partitions > 150 AND NOT more THEN
        RAISE WARNING '% has % partitions', set.parent, partitions
            USING HINT = 'Planning takes longer with each. Set a retention or a longer period with codeverify.configure_partitions().';
    END IF;
    action := 'made';
    detail := made.partition || CASE WHEN made.moved > 0 THEN pg_catalog.format(' with %s rows of the default partition', made.moved) ELSE '' END;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION codeverify.partition_next(text) IS
    'A step of codeverify.maintain(): makes one partition of a set, with the rows that DEFAULT has for it. Warns of more than 150.';
