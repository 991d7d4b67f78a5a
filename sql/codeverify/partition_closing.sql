-- Indexes that a partition gets when it closes: kept up while it is written to, they would cost most of the write rate.

COMMENT ON FUNCTION codeverify.label_index(text) IS
    'What an index is called between the name of its table and _idx: its columns, joined by _, with fts after those of a text search. Takes what follows the table''s name in CREATE INDEX, and raises VC091 for anything else, for a tablespace, and for functions, operators and types of other schemas than pg_catalog and those of codeverify, which would run as the table''s owner. Example: SELECT codeverify.label_index(''USING gin (meta_json)'');';
GRANT EXECUTE ON FUNCTION codeverify.label_index(text) TO codeverify_admin;

COMMENT ON FUNCTION audits.build_index(regclass, name, text) IS
    'Builds an index of a partition of the ledger, past its guard. Does nothing for any other table. Raises VC091 for a text that codeverify.label_index() does not take.';

CREATE FUNCTION codeverify.normalize_index(parent regclass, definition text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- That the scratch table is not isolated is no news.
SET client_min_messages = error
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- What follows the table's name has been parsed, and is nothing else.
    scratch constant name := 'codeverify_scratch_' || pg_catalog.pg_backend_pid();
    scratch_schema name;
    normalized text;
    problem text;
BEGIN
    PERFORM codeverify.label_index(definition);
    SELECT n.nspname
    INTO STRICT scratch_schema
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = CASE
        WHEN pg_catalog.pg_get_userbyid(c.relowner) = 'codeverify_owner' THEN 'codeverify'::regnamespace
        ELSE c.relnamespace
    END
    WHERE c.oid = parent;
    -- The server writes a definition its own way, by which an index is found again. So one is made, and undone; as the
    -- table's owner, since CREATE INDEX runs what is constant in an expression, such as their cast of a literal.
    BEGIN
        PERFORM codeverify.run_as_owner_of(
            parent, pg_catalog.format('CREATE TABLE %I.%I (LIKE %s)', scratch_schema, scratch, parent));
        PERFORM codeverify.run_as_owner_of(
            parent,
            pg_catalog.format('CREATE INDEX %I ON %I.%I %s', scratch || '_idx', scratch_schema, scratch, definition));
        SELECT pg_catalog.substr(d.definition, pg_catalog.strpos(d.definition, ' USING ') + 1)
        INTO STRICT normalized
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL pg_catalog.pg_get_indexdef(c.oid) AS d (definition)
        WHERE c.relname = scratch || '_idx'
          AND c.relnamespace = pg_catalog.quote_ident(scratch_schema)::regnamespace;
        RAISE EXCEPTION 'to be undone';
    EXCEPTION
        WHEN raise_exception THEN
            IF normalized IS NULL THEN
                RAISE;
            END IF;
        WHEN insufficient_privilege THEN
            -- A dump brings grants last. Building the index asks again.
            RETURN definition;
    END;
    -- What it has become is what will be built: a literal of a type of theirs names that now.
    BEGIN
        PERFORM codeverify.label_index(normalized);
    EXCEPTION
        WHEN SQLSTATE 'VC091' THEN
            GET STACKED DIAGNOSTICS problem = PG_EXCEPTION_DETAIL;
            RAISE EXCEPTION '"%" cannot be the definition of an index of %', definition, parent
                USING ERRCODE = 'invalid_parameter_value', DETAIL = problem;
    END;
    RETURN normalized;
END
$function$;
COMMENT ON FUNCTION codeverify.normalize_index(regclass, text) IS
    'The definition of an index of a table as the server writes it, from USING on; as it is where the table''s owner may not make tables yet. Raises VC091 for a text that codeverify.label_index() does not take, invalid_parameter_value for one that comes to name their types, and what CREATE INDEX raises for one that does not fit the table.';

CREATE FUNCTION codeverify.describe_closed_index(definition text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN 'Built when the partition closed: ' || definition || '.';
COMMENT ON FUNCTION codeverify.describe_closed_index(text) IS
    'The comment of an index that maintenance built, by which it finds it again.';

CREATE FUNCTION codeverify.list_unbuilt_indexes(target regclass DEFAULT NULL)
RETURNS TABLE (parent regclass, partition regclass, definition text)
LANGUAGE sql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $function$
    -- By definition: whatever an index is called, and whoever made it, it is not made twice. Those that were made here
    -- say it in their comment, which is sooner read.
    WITH moment AS MATERIALIZED (
        SELECT codeverify.read_clock() AS clock
    ),
    wanted AS MATERIALIZED (
        SELECT s.parent, p.partition, p.upper_bound, c.relkind, d.definition, d.place
        FROM moment AS m
        CROSS JOIN codeverify.list_partition_sets() AS s
        CROSS JOIN LATERAL codeverify.list_set_partitions(s.parent) AS p
        JOIN pg_catalog.pg_class AS c ON c.oid = p.partition AND c.relkind IN ('r', 'p')
        CROSS JOIN LATERAL pg_catalog.unnest(s.closed_indexes) WITH ORDINALITY AS d (definition, place)
        WHERE pg_catalog.cardinality(s.closed_indexes) > 0
          AND (target IS NULL OR s.parent = target)
          AND (s.live_search OR p.upper_bound + s.closes_after <= m.clock)
    ),
    unsaid AS MATERIALIZED (
        SELECT w.*
        FROM wanted AS w
        LEFT JOIN (
            SELECT i.indrelid, n.description
            FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_description AS n
                ON n.objoid = i.indexrelid
                AND n.classoid = 'pg_catalog.pg_class'::regclass
                AND n.objsubid = 0
            WHERE i.indisvalid
        ) AS b ON b.indrelid = w.partition AND b.description = codeverify.describe_closed_index(w.definition)
        WHERE b.indrelid IS NULL
    )
    SELECT u.parent, u.partition, u.definition
    FROM unsaid AS u
    WHERE NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_class AS n ON n.oid = i.indexrelid
        WHERE i.indrelid = u.partition
          AND i.indisvalid
          AND NOT i.indisunique
          AND pg_catalog.pg_get_indexdef(i.indexrelid) = pg_catalog.format(
              'CREATE INDEX %I ON %s%s %s',
              n.relname, CASE u.relkind WHEN 'p' THEN 'ONLY ' END, u.partition, u.definition))
    ORDER BY u.parent::text, u.upper_bound, u.partition::text, u.place
$function$;
COMMENT ON FUNCTION codeverify.list_unbuilt_indexes(regclass) IS
    'Indexes that closed partitions of a set, or of all sets, do not have yet, oldest partition first; with live_search those of open partitions too.';

CREATE FUNCTION codeverify.build_closed_index(parent regclass, partition regclass, definition text)
RETURNS name
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '300ms'
AS $function$
DECLARE
    schema_id oid;
    partition_schema name;
    partition_name name;
    is_isolated boolean;
    label constant text := codeverify.label_index(definition);
    index_name name;
    hidden text;
BEGIN
    SELECT n.oid, n.nspname, c.relname, c.relrowsecurity
    INTO STRICT schema_id, partition_schema, partition_name, is_isolated
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = partition;

    -- Another index may have the name already. Not by to_regclass(), which takes rights on the schema.
    SELECT t.name
    INTO STRICT index_name
    FROM pg_catalog.generate_series(0, 1000) AS g (number)
    CROSS JOIN LATERAL tenancy.name_after(
        partition_name, label || '_idx' || CASE WHEN g.number > 0 THEN g.number::text ELSE '' END) AS t (name)
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relname = t.name AND c.relnamespace = schema_id)
    ORDER BY g.number
    LIMIT 1;

    -- Readers go on; writers wait, if a partition that is closed has any.
    IF parent = pg_catalog.to_regclass('audits.audit_log') THEN
        PERFORM audits.build_index(partition, index_name, definition);
    ELSE
        PERFORM codeverify.run_as_owner_of(
            parent, pg_catalog.format('CREATE INDEX %I ON %s %s', index_name, partition, definition));
    END IF;

    PERFORM codeverify.run_as_owner_of(
        parent,
        pg_catalog.format(
            'COMMENT ON INDEX %I.%I IS %L', partition_schema, index_name, codeverify.describe_closed_index(definition)));

    -- What ANALYZE would collect of an expression is what other tenants wrote: see tenancy.hide_statistics().
    IF is_isolated THEN
        SELECT pg_catalog.string_agg(
            pg_catalog.format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS 0', partition_schema, index_name, k.place),
            '; ' ORDER BY k.place)
        INTO hidden
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
        CROSS JOIN LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (attribute, place)
        WHERE c.relname = index_name
          AND c.relnamespace = schema_id
          AND k.attribute = 0;
        IF hidden IS NOT NULL THEN
            PERFORM codeverify.run_as_owner_of(parent, hidden);
        END IF;
    END IF;
    RETURN index_name;
END
$function$;
COMMENT ON FUNCTION codeverify.build_closed_index(regclass, regclass, text) IS
    'Builds an index of a partition as the table''s owner and returns its name, <partition>_<columns>_idx. Its expressions'' statistics are hidden where the partition has row security. Raises VC091 for a text that is no definition of an index.';

CREATE FUNCTION codeverify.close_partitions(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- A partition that somebody writes to is left for later, and so are these many at most in a step.
    attempts constant int := 3;
    unbuilt record;
    index_name name;
    busy text;
BEGIN
    FOR unbuilt IN
        SELECT u.parent, u.partition, u.definition
        FROM codeverify.list_partition_sets() AS s
        CROSS JOIN LATERAL codeverify.list_unbuilt_indexes(s.parent) WITH ORDINALITY AS u (parent, partition, definition, place)
        -- Not to_regclass(), which takes rights on the schema.
        WHERE s.parent::text = target
        ORDER BY u.place
        LIMIT attempts
    LOOP
        -- Another version of the server may write it another way; else it would be built beside the one that is there.
        IF codeverify.normalize_index(unbuilt.parent, unbuilt.definition) <> unbuilt.definition THEN
            PERFORM codeverify.store_partition_set(unbuilt.parent);
            UPDATE codeverify.partition_sets AS s
            SET closed_indexes = s.closed_indexes
            WHERE s.parent = unbuilt.parent;
            action := 'normalized';
            detail := unbuilt.definition;
            more := true;
            RETURN NEXT;
            RETURN;
        END IF;
        BEGIN
            index_name := codeverify.build_closed_index(unbuilt.parent, unbuilt.partition, unbuilt.definition);
            action := 'indexed';
            detail := pg_catalog.format('%s of %s', pg_catalog.quote_ident(index_name), unbuilt.partition);
            more := true;
            RETURN NEXT;
            RETURN;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                busy := coalesce(busy, unbuilt.partition::text);
        END;
    END LOOP;
    IF busy IS NOT NULL THEN
        RAISE lock_not_available USING
            MESSAGE = pg_catalog.format('could not obtain the lock on %s that building an index takes', busy),
            DETAIL = 'A transaction that has written to it is still open.',
            HINT = 'Look for long transactions in pg_stat_activity; the next run tries again.';
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.close_partitions(text) IS
    'A step of maintenance: builds one index that a closed partition of the set lacks. No row when none is lacking. Raises lock_not_available when open transactions keep it from it.';
