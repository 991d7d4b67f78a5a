-- The statements that a new partition takes: what LIKE and ATTACH do not bring is found at the table and at its latest partition.

COMMENT ON FUNCTION codeverify.find_sibling(regclass, regclass) IS
    'The partition of a set that a new one takes after in what the table itself does not have: the latest but the one named, DEFAULT when there is no other.';
GRANT EXECUTE ON FUNCTION codeverify.find_sibling(regclass, regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.plan_partition(
    parent regclass,
    sibling regclass,
    lower_bound timestamptz,
    upper_bound timestamptz,
    period text)
RETURNS TABLE (
    partition text,
    partition_name text,
    default_partition oid,
    key_column text,
    key_type regtype,
    creation text,
    attachment text)
LANGUAGE plpgsql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $function$
DECLARE
    -- Bounds are UTC midnights whatever the session's time zone is.
    lower_utc timestamp := lower_bound AT TIME ZONE 'UTC';
    upper_utc timestamp := upper_bound AT TIME ZONE 'UTC';
    target record;
    table_name name;
    bound_format text;
    parameters text;
BEGIN
    SELECT n.nspname, c.relname, a.attname, a.atttypid, s.spcname, p.partdefid,
           pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    INTO STRICT target
    FROM pg_catalog.pg_partitioned_table AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.partrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    LEFT JOIN pg_catalog.pg_tablespace AS s ON s.oid = c.reltablespace
    WHERE p.partrelid = parent;

    -- What fills only a part of its period is named after the day that it begins on.
    table_name := tenancy.name_after(target.relname, pg_catalog.to_char(
        lower_utc,
        CASE
            WHEN period = 'month' THEN 'YYYY_MM'
            WHEN lower_utc = pg_catalog.date_trunc('day', lower_utc) THEN 'YYYY_MM_DD'
            ELSE 'YYYY_MM_DD_HH24MI'
        END));
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = target.nspname
          AND c.relname = table_name)
    THEN
        RAISE EXCEPTION '%.% has the name of a partition of % and is none', target.nspname, table_name, target.name
            USING ERRCODE = 'duplicate_table',
                  HINT = 'Rename it, or attach it as that partition.';
    END IF;

    bound_format := CASE target.atttypid
        WHEN 'pg_catalog.date'::regtype THEN 'YYYY-MM-DD'
        ELSE 'YYYY-MM-DD HH24:MI:SS.US"+00"'
    END;
    IF lower_utc = pg_catalog.date_trunc('day', lower_utc) AND upper_utc = pg_catalog.date_trunc('day', upper_utc)
       AND target.atttypid <> 'pg_catalog.date'::regtype
    THEN
        bound_format := 'YYYY-MM-DD 00:00:00+00';
    END IF;
    parameters := codeverify.list_storage_parameters(sibling);

    partition := pg_catalog.format('%I.%I', target.nspname, table_name);
    partition_name := table_name;
    default_partition := nullif(target.partdefid, 0);
    key_column := target.attname;
    key_type := target.atttypid;
    creation := pg_catalog.concat_ws(
        ' ',
        pg_catalog.format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY)', partition, target.name),
        'WITH (' || parameters || ')',
        'TABLESPACE ' || pg_catalog.quote_ident(target.spcname));
    attachment := pg_catalog.format(
        'ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
        target.name, partition, pg_catalog.to_char(lower_utc, bound_format), pg_catalog.to_char(upper_utc, bound_format));
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION codeverify.plan_partition(regclass, regclass, timestamptz, timestamptz, text) IS
    'Name and statements for a new partition between two times, with the storage parameters of a sibling: <table>_2026_01 for a whole month, and otherwise <table>_2026_01_31 after its first day. Raises duplicate_table when another table has the name.';

CREATE FUNCTION codeverify.list_finishing_statements(parent regclass, partition regclass, sibling regclass)
RETURNS TABLE (statement text, needs_codeverify boolean)
LANGUAGE plpgsql
STABLE
ROWS 20
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Nothing is executed here; names and values are quoted where the statements are put together.
    is_ours boolean := (
        SELECT pg_catalog.pg_get_userbyid(c.relowner) = 'codeverify_owner' FROM pg_catalog.pg_class AS c WHERE c.oid = parent);
BEGIN
    -- Our rows are reached through the table. Where others' partitions are reached by themselves, so is this one.
    RETURN QUERY
    SELECT l.statement, false
    FROM codeverify.list_grant_statements(CASE WHEN NOT is_ours THEN sibling END, partition) AS l (statement);

    -- Our partitions have no grants, so what isolates them is all that they need. A partition of the ledger has got
    -- it by being attached. The owner need not be allowed to name what isolates.
    RETURN QUERY
    SELECT l.statement, true
    FROM codeverify.list_policy_statements(parent, partition, is_ours) AS l (statement);

    RETURN QUERY
    SELECT l.statement, false
    FROM codeverify.list_statistics_statements(parent, partition) AS l (statement);
    -- The expressions of indexes have statistics of their own.
    RETURN QUERY
    SELECT pg_catalog.format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', x.inhrelid::regclass, o.attnum, o.attstattarget), false
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_inherits AS x ON x.inhrelid = i.indexrelid
    JOIN pg_catalog.pg_attribute AS o ON o.attrelid = x.inhparent
    WHERE i.indrelid = partition
      AND o.attstattarget >= 0;

    -- Of the table where it says anything, else of the sibling, whose index is a partition of the same one as this
    -- table's.
    RETURN QUERY
    SELECT pg_catalog.format('ALTER TABLE %s %s', partition, c.clause), false
    FROM (
        SELECT 1 AS place, codeverify.replica_identity_clause(p.oid) AS clause
        FROM pg_catalog.pg_class AS p
        WHERE p.oid = parent
          AND p.relreplident IN ('f', 'n')
        UNION ALL
        SELECT 2, 'REPLICA IDENTITY USING INDEX ' || pg_catalog.quote_ident(x.relname)
        FROM pg_catalog.pg_index AS o
        JOIN pg_catalog.pg_inherits AS h ON h.inhparent = o.indexrelid
        JOIN pg_catalog.pg_index AS i ON i.indexrelid = h.inhrelid AND i.indrelid = partition
        JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
        WHERE o.indrelid = parent
          AND o.indisreplident
        UNION ALL
        SELECT 3, codeverify.replica_identity_clause(s.oid)
        FROM pg_catalog.pg_class AS s
        WHERE s.oid = sibling
          AND s.relreplident IN ('f', 'n')
        UNION ALL
        SELECT 4, 'REPLICA IDENTITY USING INDEX ' || pg_catalog.quote_ident(x.relname)
        FROM pg_catalog.pg_index AS o
        JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = o.indexrelid
        JOIN pg_catalog.pg_inherits AS g ON g.inhparent = h.inhparent
        JOIN pg_catalog.pg_index AS i ON i.indexrelid = g.inhrelid AND i.indrelid = partition
        JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
        WHERE o.indrelid = sibling
          AND o.indisreplident
    ) AS c
    ORDER BY c.place
    LIMIT 1;

    RETURN QUERY
    SELECT pg_catalog.format('COMMENT ON TABLE %s IS %L', partition, d.description), false
    FROM pg_catalog.obj_description(parent, 'pg_class') AS d (description)
    WHERE d.description IS NOT NULL;

    -- Triggers for rows come with being attached, those for statements do not. Those of capture call a function that
    -- the owner need not be allowed to use.
    RETURN QUERY
    SELECT l.statement, true
    FROM codeverify.list_capture_statements(parent, partition) AS l (statement);
    RETURN QUERY
    SELECT s.statement, false
    FROM pg_catalog.pg_trigger AS g
    JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
    JOIN pg_catalog.pg_class AS t ON t.oid = partition
    CROSS JOIN LATERAL (
        SELECT codeverify.name_like_sibling(g.tgname, c.relname, t.relname)
    ) AS n (name)
    CROSS JOIN LATERAL (
        -- In a definition the trigger's own name comes first, and the table's with its schema.
        SELECT pg_catalog.format('CREATE TRIGGER %I', n.name)
               || pg_catalog.substr(d.definition, pg_catalog.length(pg_catalog.format('CREATE TRIGGER %I', g.tgname)) + 1)
        FROM (
            SELECT pg_catalog.replace(
                pg_catalog.pg_get_triggerdef(g.oid),
                pg_catalog.format(' ON %s ', sibling), pg_catalog.format(' ON %s ', partition))
        ) AS d (definition)
        UNION ALL
        SELECT pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', partition, CASE g.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, n.name)
        WHERE g.tgenabled <> 'O'
        UNION ALL
        SELECT pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', n.name, partition, d.description)
        FROM pg_catalog.obj_description(g.oid, 'pg_trigger') AS d (description)
        WHERE d.description IS NOT NULL
    ) AS s (statement)
    WHERE g.tgrelid = sibling
      AND NOT is_ours
      AND NOT g.tgisinternal
      AND g.tgtype & 1 = 0
      AND g.tgfoid <> 'audits.record_changes()'::regprocedure
      AND NOT EXISTS (
          SELECT
          FROM pg_catalog.pg_trigger AS o
          WHERE o.tgrelid = partition
            AND o.tgname = n.name);
END
$function$;
COMMENT ON FUNCTION codeverify.list_finishing_statements(regclass, regclass, regclass) IS
    'What makes a new partition like the others of its set, of which one is the sibling, once it is attached: grants, row security and policies, statistics targets, replica identity, comment, and the triggers for statements. needs_codeverify marks what codeverify_owner does instead of the table''s owner.';
GRANT EXECUTE ON FUNCTION codeverify.list_finishing_statements(regclass, regclass, regclass) TO codeverify_admin;
