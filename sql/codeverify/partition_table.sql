-- Makes a partition set of an ordinary table.

CREATE FUNCTION codeverify.find_partitioning_fault(target regclass, key name)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
        WHEN c.relkind <> 'r' THEN 'It is no table.'
        WHEN c.relpersistence <> 'p' THEN 'It is temporary or unlogged.'
        WHEN n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') THEN 'It belongs to the system.'
        WHEN pg_catalog.pg_get_userbyid(c.relowner) = 'codeverify_owner' THEN 'It belongs to codeverify.'
        WHEN c.relispartition THEN 'It is a partition.'
        WHEN c.reloftype <> 0 THEN 'It is a typed table.'
        WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE target IN (i.inhrelid, i.inhparent))
        THEN 'It inherits from a table, or a table inherits from it.'
        WHEN a.attname IS NULL THEN pg_catalog.format('It has no column %I.', key)
        WHEN a.atttypid NOT IN ('pg_catalog.date'::regtype, 'pg_catalog.timestamptz'::regtype)
        THEN pg_catalog.format('Its column %I is of type %s, and partitions are made by a date or timestamptz.', key, pg_catalog.format_type(a.atttypid, a.atttypmod))
        WHEN a.attgenerated <> '' THEN pg_catalog.format('Its column %I is generated.', key)
        ELSE coalesce(
            (
                SELECT pg_catalog.format('%s %I lacks the column %I: rows of different partitions are not compared.',
                                         CASE WHEN i.indisprimary THEN 'Its primary key' ELSE 'Its unique index' END, x.relname, key)
                FROM pg_catalog.pg_index AS i
                JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
                WHERE i.indrelid = target
                  AND i.indisunique
                  AND NOT a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                LIMIT 1
            ),
            (
                SELECT pg_catalog.format('Its index %I is not valid.', x.relname)
                FROM pg_catalog.pg_index AS i
                JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
                WHERE i.indrelid = target
                  AND NOT i.indisvalid
                LIMIT 1
            ),
            (
                SELECT CASE o.contype
                    WHEN 'x' THEN pg_catalog.format('It has the exclusion constraint %I.', o.conname)
                    WHEN 'f' THEN pg_catalog.format('The foreign key %I of %s references it.', o.conname, o.conrelid::regclass)
                    ELSE pg_catalog.format('Its constraint %I is not valid, or not inherited.', o.conname)
                END
                FROM pg_catalog.pg_constraint AS o
                WHERE o.contype = 'f' AND o.confrelid = target
                   OR o.conrelid = target AND (o.contype = 'x' OR NOT o.convalidated OR o.contype = 'c' AND o.connoinherit)
                LIMIT 1
            ),
            (
                SELECT pg_catalog.format('It has the rule %I.', r.rulename)
                FROM pg_catalog.pg_rewrite AS r
                WHERE r.ev_class = target
                LIMIT 1
            ),
            (
                SELECT pg_catalog.format('Its trigger %I sees tables of rows for each row.', g.tgname)
                FROM pg_catalog.pg_trigger AS g
                WHERE g.tgrelid = target
                  AND g.tgtype & 1 = 1
                  AND (g.tgoldtable IS NOT NULL OR g.tgnewtable IS NOT NULL)
                LIMIT 1
            ),
            (
                -- They know it by its number, which the old table keeps.
                SELECT 'This depends on it: ' || pg_catalog.string_agg(DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ', ') || '.'
                FROM pg_catalog.pg_depend AS d
                LEFT JOIN pg_catalog.pg_policy AS p ON d.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = d.objid
                WHERE (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = target
                       AND (d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_publication_rel'::regclass)
                            OR p.polrelid <> target))
                   OR (d.refclassid = 'pg_catalog.pg_type'::regclass
                       AND d.refobjid IN (c.reltype, (SELECT t.typarray FROM pg_catalog.pg_type AS t WHERE t.oid = c.reltype))
                       AND d.deptype = 'n')
            ),
            (
                SELECT 'It belongs to an extension.'
                FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass
                  AND d.objid = target
                  AND d.deptype = 'e'
                LIMIT 1
            ))
    END
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = key AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.oid = target
$function$;
COMMENT ON FUNCTION codeverify.find_partitioning_fault(regclass, name) IS
    'Why an ordinary table cannot be made a partitioned one by a column; NULL when it can.';
GRANT EXECUTE ON FUNCTION codeverify.find_partitioning_fault(regclass, name) TO codeverify_admin;

CREATE FUNCTION codeverify.list_partitioning_statements(target regclass, key name)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 50
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Nothing is executed here; names and values are quoted where the statements are put together.
    relation record;
    old_name text;
BEGIN
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, n.nspname, c.relname, c.relreplident, c.reltablespace,
           tenancy.name_after(c.relname, 'default') AS default_name,
           pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) AS owner
    INTO STRICT relation
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = target;
    old_name := pg_catalog.format('%I.%I', relation.nspname, relation.default_name);

    -- The old table steps aside, with its indexes, and becomes the DEFAULT partition of a new one. No row moves.
    RETURN NEXT pg_catalog.format('ALTER TABLE %s RENAME TO %I', relation.name, relation.default_name);
    RETURN QUERY
    SELECT pg_catalog.format('ALTER INDEX %I.%I RENAME TO %I', relation.nspname, x.relname, tenancy.name_after(x.relname, 'default'))
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    WHERE i.indrelid = target;
    RETURN NEXT pg_catalog.format(
        'CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (%I)', relation.name, old_name, key);
    RETURN NEXT pg_catalog.format('ALTER TABLE %s OWNER TO %s', relation.name, relation.owner);

    -- Numbers go on where they were.
    RETURN QUERY
    SELECT s.statement
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_depend AS d
        ON d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid = target
        AND d.refobjsubid = a.attnum
        AND d.classid = 'pg_catalog.pg_class'::regclass
        AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class AS q ON q.oid = d.objid AND q.relkind = 'S'
    CROSS JOIN LATERAL (
        SELECT pg_catalog.format('ALTER SEQUENCE %s OWNED BY %s.%I', q.oid::regclass, relation.name, a.attname)
        WHERE d.deptype = 'a'
        UNION ALL
        SELECT pg_catalog.format(
            'SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%L, %L), o.last_value, o.is_called) FROM %s AS o',
            relation.name, a.attname, q.oid::regclass)
        WHERE d.deptype = 'i'
        UNION ALL
        SELECT pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', old_name, a.attname)
        WHERE d.deptype = 'i'
    ) AS s (statement)
    WHERE a.attrelid = target;

    -- Indexes and constraints keep their names; those of the old table are taken as parts of them.
    RETURN QUERY
    SELECT s.statement
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    LEFT JOIN pg_catalog.pg_constraint AS o ON o.conindid = i.indexrelid AND o.conrelid = target AND o.contype IN ('p', 'u')
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN o.oid IS NULL THEN pg_catalog.pg_get_indexdef(i.indexrelid)
            ELSE pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation.name, o.conname, pg_catalog.pg_get_constraintdef(o.oid))
        END
        UNION ALL
        SELECT pg_catalog.format('COMMENT ON INDEX %I.%I IS %L', relation.nspname, x.relname, d.description)
        FROM pg_catalog.obj_description(x.oid, 'pg_class') AS d (description)
        WHERE d.description IS NOT NULL
        UNION ALL
        SELECT pg_catalog.format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', relation.nspname, x.relname, a.attnum, a.attstattarget)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = i.indexrelid
          AND a.attstattarget >= 0
    ) AS s (statement)
    WHERE i.indrelid = target;
    RETURN QUERY
    SELECT pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation.name, o.conname, pg_catalog.pg_get_constraintdef(o.oid))
    FROM pg_catalog.pg_constraint AS o
    WHERE o.conrelid = target
      AND o.contype = 'f';
    RETURN QUERY
    SELECT pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', o.conname, relation.name, d.description)
    FROM pg_catalog.pg_constraint AS o
    CROSS JOIN LATERAL pg_catalog.obj_description(o.oid, 'pg_constraint') AS d (description)
    WHERE o.conrelid = target
      AND o.contype IN ('f', 'p', 'u')
      AND d.description IS NOT NULL;

    -- A trigger for rows comes back to the old table from the new one.
    RETURN QUERY
    SELECT s.statement
    FROM pg_catalog.pg_trigger AS g
    CROSS JOIN LATERAL (
        SELECT pg_catalog.format('DROP TRIGGER %I ON %s', g.tgname, old_name)
        WHERE g.tgtype & 1 = 1
        UNION ALL
        SELECT pg_catalog.pg_get_triggerdef(g.oid)
        UNION ALL
        SELECT pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', relation.name, CASE g.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, g.tgname)
        WHERE g.tgenabled <> 'O'
        UNION ALL
        SELECT pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', g.tgname, relation.name, d.description)
        FROM pg_catalog.obj_description(g.oid, 'pg_trigger') AS d (description)
        WHERE d.description IS NOT NULL
    ) AS s (statement)
    WHERE g.tgrelid = target
      AND NOT g.tgisinternal
      AND g.tgfoid <> 'audits.record_changes()'::regprocedure;

    RETURN NEXT pg_catalog.format('ALTER TABLE %s ATTACH PARTITION %s DEFAULT', relation.name, old_name);
    IF relation.relreplident <> 'd' THEN
        RETURN NEXT pg_catalog.format('ALTER TABLE %s %s', relation.name, codeverify.replica_identity_clause(target));
    END IF;
    RETURN QUERY
    SELECT pg_catalog.format('COMMENT ON TABLE %s IS %L', relation.name, d.description)
    FROM pg_catalog.obj_description(target, 'pg_class') AS d (description)
    WHERE d.description IS NOT NULL;
END
$function$;
COMMENT ON FUNCTION codeverify.list_partitioning_statements(regclass, name) IS
    'What makes a partitioned table of an ordinary one, which becomes its DEFAULT partition; without what needs the new table to be there.';
GRANT EXECUTE ON FUNCTION codeverify.list_partitioning_statements(regclass, name) TO codeverify_admin;

CREATE FUNCTION codeverify.partition_table(target regclass, key name, period text, premake integer DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- The statements come from the catalog, quoted where they are put together.
    relation record;
    problem text;
    statement text;
    statements text[];
    successor regclass;
    -- What stands in somebody's table must not run with the rights of a superuser.
    is_borrowed boolean;
    callers_messages text := pg_catalog.current_setting('client_min_messages');
BEGIN
    SELECT c.relkind, c.relowner, n.nspname, tenancy.name_after(c.relname, 'default') AS default_name,
           pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    INTO relation
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = target;
    IF NOT FOUND THEN
        RAISE undefined_table USING MESSAGE = 'there is no table to partition';
    END IF;
    IF NOT pg_catalog.pg_has_role(relation.relowner, 'USAGE') THEN
        RAISE EXCEPTION 'must be owner of table %', target
            USING ERRCODE = 'insufficient_privilege',
                  HINT = pg_catalog.format('SET ROLE %I, or ask its owner.', pg_catalog.pg_get_userbyid(relation.relowner));
    END IF;

    is_borrowed := relation.relowner <> (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
        AND (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user);

    IF relation.relkind = 'p' THEN
        PERFORM codeverify.require_set_table(target);
        IF pg_catalog.pg_get_partkeydef(target) <> pg_catalog.format('RANGE (%I)', key) THEN
            problem := pg_catalog.format('It is partitioned by %s.', pg_catalog.pg_get_partkeydef(target));
        END IF;
    ELSE
        EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', relation.name);
        problem := codeverify.find_partitioning_fault(target, key);
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be partitioned', target
            USING ERRCODE = 'VC092', DETAIL = problem,
                  HINT = 'Change what stands in the way, or make a partitioned table by hand and copy the rows.';
    END IF;

    IF relation.relkind = 'p' THEN
        IF NOT EXISTS (SELECT FROM codeverify.list_set_partitions(target) AS l WHERE l.is_default) THEN
            statement := pg_catalog.format(
                'CREATE TABLE %I.%I PARTITION OF %s DEFAULT', relation.nspname, relation.default_name, relation.name);
            IF is_borrowed THEN
                PERFORM codeverify.run_as_owner_of(target, statement);
            ELSE
                EXECUTE statement;
            END IF;
            successor := pg_catalog.to_regclass(pg_catalog.format('%I.%I', relation.nspname, relation.default_name));
            EXECUTE pg_catalog.format(
                'ALTER TABLE %s OWNER TO %I', successor, pg_catalog.pg_get_userbyid(relation.relowner));
            FOR statement IN
                SELECT f.statement
                FROM codeverify.list_finishing_statements(target, successor, codeverify.find_sibling(target, successor)) AS f
            LOOP
                EXECUTE statement;
            END LOOP;
        END IF;
        PERFORM codeverify.configure_partitions(target, period, premake);
        RETURN;
    END IF;

    -- All of them before the first is run: they speak of the table as it was. That the new one is not isolated yet is
    -- no news.
    statements := ARRAY(SELECT l.statement FROM codeverify.list_partitioning_statements(target, key) AS l (statement));
    PERFORM pg_catalog.set_config('client_min_messages', 'error', true);
    FOREACH statement IN ARRAY statements LOOP
        IF is_borrowed THEN
            PERFORM codeverify.run_as_owner_of(target, statement);
        ELSE
            EXECUTE statement;
        END IF;
    END LOOP;
    successor := pg_catalog.to_regclass(relation.name);
    FOR statement IN
        SELECT l.statement FROM codeverify.list_grant_statements(target, successor) AS l (statement)
        UNION ALL SELECT l.statement FROM codeverify.list_policy_statements(target, successor, false) AS l (statement)
        UNION ALL SELECT l.statement FROM codeverify.list_capture_statements(target, successor) AS l (statement)
        UNION ALL SELECT l.statement FROM codeverify.list_statistics_statements(target, successor) AS l (statement)
    LOOP
        EXECUTE statement;
    END LOOP;
    -- Its rows are reached through the new table.
    FOR statement IN
        SELECT l.statement FROM codeverify.list_grant_statements(NULL, target) AS l (statement)
    LOOP
        EXECUTE statement;
    END LOOP;
    PERFORM pg_catalog.set_config('client_min_messages', callers_messages, true);
    PERFORM codeverify.configure_partitions(successor, period, premake);
END
$function$;
COMMENT ON FUNCTION codeverify.partition_table(regclass, name, text, integer) IS
    'Makes a partition set of a table of your own, by day, week or month (UTC) of a date or timestamptz column: of one that is partitioned by range of that column, or of an ordinary one. That one becomes the DEFAULT partition of a new table of the same name, with its columns, defaults, constraints, indexes, comments, owner, grants, row security, policies, triggers and replica identity; no row moves. The next codeverify.maintain() makes the partitions, each with its rows. Locks the table against everybody for a moment. Raises VC092 for a table that cannot be partitioned, as when a primary key or unique index lacks the column, a foreign key references it or a view depends on it; VC091; VC093 when codeverify_owner is no member of the table''s owner. For its owner. Example: SELECT codeverify.partition_table(''public.measurements'', ''measured_at'', ''month'');';
GRANT EXECUTE ON FUNCTION codeverify.partition_table(regclass, name, text, integer) TO codeverify_admin;
