-- The statements that a new partition takes: what LIKE and ATTACH do not bring is found at the table and at its latest partition.

CREATE FUNCTION codeverify.find_sibling(parent regclass, besides regclass)
RETURNS regclass
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- The latest, DEFAULT when it is the only one.
    SELECT l.partition
    FROM codeverify.list_set_partitions(parent) AS l
    JOIN pg_catalog.pg_class AS c ON c.oid = l.partition
    WHERE l.partition IS DISTINCT FROM besides
      AND c.relkind = 'r'
    ORDER BY l.is_default, l.lower_bound DESC
    LIMIT 1
$function$;
COMMENT ON FUNCTION codeverify.find_sibling(regclass, regclass) IS
    'The partition of a set that a new one takes after in what the table itself does not have.';
GRANT EXECUTE ON FUNCTION codeverify.find_sibling(regclass, regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.list_storage_parameters(relation regclass)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_catalog.string_agg(
        pg_catalog.format('%s = %L', o.prefix || pg_catalog.split_part(o.option, '=', 1),
                          pg_catalog.substr(o.option, pg_catalog.strpos(o.option, '=') + 1)),
        ', ' ORDER BY o.prefix, o.option)
    FROM (
        SELECT '' AS prefix, pg_catalog.unnest(c.reloptions) AS option
        FROM pg_catalog.pg_class AS c
        WHERE c.oid = relation
        UNION ALL
        SELECT 'toast.', pg_catalog.unnest(t.reloptions)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
        WHERE c.oid = relation
    ) AS o
$function$;
COMMENT ON FUNCTION codeverify.list_storage_parameters(regclass) IS
    'The storage parameters of a table and of its TOAST table, as WITH (...) takes them; NULL for none.';

CREATE FUNCTION codeverify.plan_partition(
    parent regclass,
    lower_bound timestamptz,
    upper_bound timestamptz,
    period text)
RETURNS TABLE (
    partition text,
    default_partition oid,
    key_column text,
    key_type regtype,
    creation text,
    attachment text)
LANGUAGE plpgsql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
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
    parameters := codeverify.list_storage_parameters(codeverify.find_sibling(parent, NULL));

    partition := pg_catalog.format('%I.%I', target.nspname, table_name);
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
COMMENT ON FUNCTION codeverify.plan_partition(regclass, timestamptz, timestamptz, text) IS
    'Name and statements for a new partition between two times: <table>_2026_01 for a whole month, and otherwise <table>_2026_01_31 after its first day. Raises duplicate_table when another table has the name.';

CREATE FUNCTION codeverify.replica_identity_clause(relation regclass)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT 'REPLICA IDENTITY ' || CASE c.relreplident
        WHEN 'f' THEN 'FULL'
        WHEN 'n' THEN 'NOTHING'
        WHEN 'i' THEN coalesce(
            'USING INDEX ' || (
                SELECT pg_catalog.quote_ident(x.relname)
                FROM pg_catalog.pg_index AS i
                JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
                WHERE i.indrelid = c.oid AND i.indisreplident),
            'DEFAULT')
        ELSE 'DEFAULT'
    END
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = relation
$function$;
COMMENT ON FUNCTION codeverify.replica_identity_clause(regclass) IS
    'The replica identity that a table has, as ALTER TABLE takes it.';
GRANT EXECUTE ON FUNCTION codeverify.replica_identity_clause(regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.name_like_sibling(object_name name, sibling_name name, new_name name)
RETURNS name
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
        WHEN pg_catalog.starts_with(object_name::text, sibling_name::text || '_')
        THEN tenancy.name_after(new_name, pg_catalog.substr(object_name::text, pg_catalog.length(sibling_name::text) + 2))
        ELSE object_name
    END
$function$;
COMMENT ON FUNCTION codeverify.name_like_sibling(name, name, name) IS
    'The name for a copy of a policy or trigger on another table: <table>_<rest> goes after the other table, any other name stays.';
GRANT EXECUTE ON FUNCTION codeverify.name_like_sibling(name, name, name) TO codeverify_admin;

CREATE FUNCTION codeverify.list_grant_statements(source regclass, target regclass)
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
    -- What default privileges of the database or the owner have given comes first, and goes.
    SELECT s.statement
    FROM (
        SELECT DISTINCT 1 AS place, pg_catalog.format('REVOKE ALL ON %s FROM %s', target, g.name) AS statement
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL (
            SELECT a.grantee FROM pg_catalog.aclexplode(c.relacl) AS a
            UNION
            SELECT a.grantee
            FROM pg_catalog.pg_attribute AS t
            CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) AS a
            WHERE t.attrelid = target
        ) AS a
        CROSS JOIN LATERAL (
            SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END
        ) AS g (name)
        WHERE c.oid = target
          AND a.grantee <> c.relowner
        UNION ALL
        SELECT 2, pg_catalog.format(
            'GRANT %s ON %s TO %s%s',
            pg_catalog.string_agg(p.privilege, ', '), target, g.name,
            CASE WHEN p.is_grantable THEN ' WITH GRANT OPTION' END)
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL (
            SELECT a.privilege_type AS privilege, a.grantee, a.is_grantable
            FROM pg_catalog.aclexplode(c.relacl) AS a
            UNION ALL
            SELECT pg_catalog.format('%s (%I)', a.privilege_type, t.attname), a.grantee, a.is_grantable
            FROM pg_catalog.pg_attribute AS t
            CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) AS a
            WHERE t.attrelid = source
              AND NOT t.attisdropped
        ) AS p
        CROSS JOIN LATERAL (
            SELECT CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.grantee)) END
        ) AS g (name)
        WHERE c.oid = source
          AND p.grantee <> c.relowner
        GROUP BY g.name, p.is_grantable
    ) AS s
    ORDER BY s.place
$function$;
COMMENT ON FUNCTION codeverify.list_grant_statements(regclass, regclass) IS
    'What gives a table the grants of another, and takes those that it has. Without another table (NULL) it gives none.';
GRANT EXECUTE ON FUNCTION codeverify.list_grant_statements(regclass, regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.list_policy_statements(source regclass, target regclass, isolation_only boolean)
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    SELECT pg_catalog.format('ALTER TABLE %s %s ROW LEVEL SECURITY', target, o.option)
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL (VALUES ('ENABLE', c.relrowsecurity), ('FORCE', c.relforcerowsecurity)) AS o (option, is_on)
    WHERE c.oid = source
      AND o.is_on
    UNION ALL
    SELECT s.statement
    FROM pg_catalog.pg_policy AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
    JOIN pg_catalog.pg_class AS t ON t.oid = target
    CROSS JOIN LATERAL (
        SELECT codeverify.name_like_sibling(p.polname, c.relname, t.relname)
    ) AS n (name)
    CROSS JOIN LATERAL (
        SELECT pg_catalog.concat_ws(
            ' ',
            pg_catalog.format('CREATE POLICY %I ON %s', n.name, target),
            CASE WHEN NOT p.polpermissive THEN 'AS RESTRICTIVE' END,
            'FOR ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            'TO ' || (
                SELECT pg_catalog.string_agg(CASE r.role WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r.role)) END, ', ')
                FROM pg_catalog.unnest(p.polroles) AS r (role)),
            'USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
            'WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')
        UNION ALL
        SELECT pg_catalog.format('COMMENT ON POLICY %I ON %s IS %L', n.name, target, d.description)
        FROM pg_catalog.obj_description(p.oid, 'pg_policy') AS d (description)
        WHERE d.description IS NOT NULL
    ) AS s (statement)
    WHERE p.polrelid = source
      AND (NOT isolation_only OR EXISTS (
          SELECT
          FROM pg_catalog.pg_attribute AS a
          WHERE a.attrelid = source
            AND a.attnum > 0
            AND tenancy.is_isolating_policy(p.oid, a.attname)))
      AND NOT EXISTS (
          SELECT
          FROM pg_catalog.pg_policy AS o
          WHERE o.polrelid = target
            AND o.polname = n.name)
$function$;
COMMENT ON FUNCTION codeverify.list_policy_statements(regclass, regclass, boolean) IS
    'What gives a table the row security and the policies of another, or of these only the one that isolates by organization. Policies that it has are left out.';
GRANT EXECUTE ON FUNCTION codeverify.list_policy_statements(regclass, regclass, boolean) TO codeverify_admin;

CREATE FUNCTION codeverify.list_capture_statements(source regclass, target regclass)
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 8
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Their arguments name columns with the numbers that they have in the table.
    SELECT s.statement
    FROM pg_catalog.pg_trigger AS g
    CROSS JOIN LATERAL (
        SELECT pg_catalog.format(
            'CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION audits.record_changes(%s)',
            g.tgname,
            CASE g.tgtype & 60 WHEN 4 THEN 'INSERT' WHEN 8 THEN 'DELETE' WHEN 16 THEN 'UPDATE' ELSE 'TRUNCATE' END,
            target,
            CASE WHEN g.tgoldtable IS NOT NULL OR g.tgnewtable IS NOT NULL
                THEN 'REFERENCING'
                     || coalesce(' OLD TABLE AS ' || pg_catalog.quote_ident(g.tgoldtable), '')
                     || coalesce(' NEW TABLE AS ' || pg_catalog.quote_ident(g.tgnewtable), '')
            END,
            (
                SELECT pg_catalog.string_agg(
                    pg_catalog.quote_literal(pg_catalog.format('%s=%s:%s', pg_catalog.split_part(v.argument, '=', 1), a.attnum, a.attname)),
                    ', ' ORDER BY m.place)
                -- Each ends with a zero byte.
                FROM pg_catalog.regexp_matches(pg_catalog.encode(g.tgargs, 'hex'), '((?:(?!00)..)+)00', 'g')
                    WITH ORDINALITY AS m (digits, place)
                CROSS JOIN LATERAL (
                    SELECT pg_catalog.convert_from(pg_catalog.decode(m.digits[1], 'hex'), 'UTF8')
                ) AS v (argument)
                JOIN pg_catalog.pg_attribute AS a
                    ON a.attrelid = target
                    AND a.attname = pg_catalog.substr(v.argument, pg_catalog.strpos(v.argument, ':') + 1)
            ))
        UNION ALL
        SELECT pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', g.tgname, target, d.description)
        FROM pg_catalog.obj_description(g.oid, 'pg_trigger') AS d (description)
        WHERE d.description IS NOT NULL
    ) AS s (statement)
    WHERE g.tgrelid = source
      AND g.tgfoid = 'audits.record_changes()'::regprocedure
$function$;
COMMENT ON FUNCTION codeverify.list_capture_statements(regclass, regclass) IS
    'What tracks a table as another is tracked: the triggers of audits.track(), for the same columns by name.';
GRANT EXECUTE ON FUNCTION codeverify.list_capture_statements(regclass, regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.list_statistics_statements(source regclass, target regclass)
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', target, o.attname, o.attstattarget)
    FROM pg_catalog.pg_attribute AS o
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = target AND a.attname = o.attname
    WHERE o.attrelid = source
      AND o.attnum > 0
      AND NOT o.attisdropped
      AND o.attstattarget >= 0
      AND a.attstattarget IS DISTINCT FROM o.attstattarget
$function$;
COMMENT ON FUNCTION codeverify.list_statistics_statements(regclass, regclass) IS
    'What gives the columns of a table the statistics targets that they have in another.';
GRANT EXECUTE ON FUNCTION codeverify.list_statistics_statements(regclass, regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.list_finishing_statements(parent regclass, partition regclass)
RETURNS TABLE (statement text, needs_codeverify boolean)
LANGUAGE plpgsql
STABLE
ROWS 20
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Nothing is executed here; names and values are quoted where the statements are put together.
    sibling regclass := codeverify.find_sibling(parent, partition);
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
COMMENT ON FUNCTION codeverify.list_finishing_statements(regclass, regclass) IS
    'What makes a new partition like the others of its set, once it is attached: grants, row security and policies, statistics targets, replica identity, comment, and the triggers for statements. needs_codeverify marks what codeverify_owner does instead of the table''s owner.';
GRANT EXECUTE ON FUNCTION codeverify.list_finishing_statements(regclass, regclass) TO codeverify_admin;
