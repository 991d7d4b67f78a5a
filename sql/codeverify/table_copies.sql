-- The statements that give a table what another one has: what neither LIKE nor ATTACH brings.
--
-- In PL/pgSQL, which keeps the plans of its queries, where an SQL function is planned whenever it is called; and planned
-- for any table, since all of them are looked up in the catalog by the same indexes.

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

CREATE FUNCTION codeverify.replica_identity_clause(relation regclass)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $function$
BEGIN
    RETURN (
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
    );
END
$function$;
COMMENT ON FUNCTION codeverify.replica_identity_clause(regclass) IS
    'The replica identity that a table has, as ALTER TABLE takes it.';
GRANT EXECUTE ON FUNCTION codeverify.replica_identity_clause(regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.list_storage_parameters(relation regclass)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $function$
BEGIN
    RETURN (
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
    );
END
$function$;
COMMENT ON FUNCTION codeverify.list_storage_parameters(regclass) IS
    'The storage parameters of a table and of its TOAST table, as WITH (...) takes them; NULL for none.';

CREATE FUNCTION codeverify.list_grant_statements(source regclass, target regclass)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $function$
BEGIN
    RETURN QUERY
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
    ORDER BY s.place;
END
$function$;
COMMENT ON FUNCTION codeverify.list_grant_statements(regclass, regclass) IS
    'What gives a table the grants of another, and takes those that it has. Without another table (NULL) it gives none.';
GRANT EXECUTE ON FUNCTION codeverify.list_grant_statements(regclass, regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.list_policy_statements(source regclass, target regclass, isolation_only boolean)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET quote_all_identifiers = off
AS $function$
BEGIN
    RETURN QUERY
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
            AND o.polname = n.name);
END
$function$;
COMMENT ON FUNCTION codeverify.list_policy_statements(regclass, regclass, boolean) IS
    'What gives a table the row security and the policies of another, or of these only the one that isolates by organization. Policies that it has are left out.';
GRANT EXECUTE ON FUNCTION codeverify.list_policy_statements(regclass, regclass, boolean) TO codeverify_admin;

CREATE FUNCTION codeverify.list_capture_statements(source regclass, target regclass)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 8
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $function$
BEGIN
    RETURN QUERY
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
      AND g.tgfoid = 'audits.record_changes()'::regprocedure;
END
$function$;
COMMENT ON FUNCTION codeverify.list_capture_statements(regclass, regclass) IS
    'What tracks a table as another is tracked: the triggers of audits.track(), for the same columns by name.';
GRANT EXECUTE ON FUNCTION codeverify.list_capture_statements(regclass, regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.list_statistics_statements(source regclass, target regclass)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $function$
BEGIN
    RETURN QUERY
    SELECT pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', target, o.attname, o.attstattarget)
    FROM pg_catalog.pg_attribute AS o
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = target AND a.attname = o.attname
    WHERE o.attrelid = source
      AND o.attnum > 0
      AND NOT o.attisdropped
      AND o.attstattarget >= 0
      AND a.attstattarget IS DISTINCT FROM o.attstattarget;
END
$function$;
COMMENT ON FUNCTION codeverify.list_statistics_statements(regclass, regclass) IS
    'What gives the columns of a table the statistics targets that they have in another.';
GRANT EXECUTE ON FUNCTION codeverify.list_statistics_statements(regclass, regclass) TO codeverify_admin;
