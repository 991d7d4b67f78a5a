-- Row security: what keeps one organization's rows from another's.

CREATE FUNCTION tenancy.list_partition_tree(target regclass)
RETURNS SETOF regclass
LANGUAGE sql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
    -- pg_partition_tree() gives nothing for a table that neither has nor is a partition.
    SELECT target
    UNION
    SELECT t.relid
    FROM pg_catalog.pg_partition_tree(target) AS t
$function$;
COMMENT ON FUNCTION tenancy.list_partition_tree(regclass) IS
    'A table and, where it is partitioned, its partitions at every level.';
GRANT EXECUTE ON FUNCTION tenancy.list_partition_tree(regclass) TO codeverify_admin;

CREATE FUNCTION tenancy.name_after(relation_name name, suffix text)
RETURNS name
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A name has 63 bytes; without this, long tables would give all their policies the same one.
    SELECT (pg_catalog."left"(relation_name::text, n.characters) || '_' || suffix)::name
    FROM pg_catalog.generate_series(pg_catalog.length(relation_name::text), 1, -1) AS n (characters)
    WHERE pg_catalog.octet_length(pg_catalog."left"(relation_name::text, n.characters)) + pg_catalog.octet_length(suffix) < 63
    LIMIT 1
$function$;
COMMENT ON FUNCTION tenancy.name_after(name, text) IS
    'The name <table>_<suffix> for a policy, trigger or index of a table, with the table''s part cut where it would pass 63 bytes.';
GRANT EXECUTE ON FUNCTION tenancy.name_after(name, text) TO codeverify_admin;

CREATE FUNCTION tenancy.force_row_security(target regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN SELECT t.relation FROM tenancy.list_partition_tree(target) AS t (relation)
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION tenancy.force_row_security(regclass) IS
    'Enables and forces row security on a table and its partitions. Without a permissive policy nobody but a role with BYPASSRLS sees a row then.';

CREATE FUNCTION tenancy.hide_statistics(target regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Column names are quoted where the actions are put together.
    actions text;
    expression record;
BEGIN
    -- Row estimates come from all tenants' values, and text comparison is leakproof: EXPLAIN would tell, bit by
    -- bit, what others have written. Lists of values, dates and ids are known or cannot be guessed.
    SELECT pg_catalog.string_agg(pg_catalog.format('ALTER COLUMN %I SET STATISTICS 0', a.attname), ', ')
    INTO actions
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = target
      AND a.attnum > 0
      AND NOT a.attisdropped
      AND a.atttypid IN ('pg_catalog.text'::regtype, 'pg_catalog.varchar'::regtype, 'pg_catalog.bpchar'::regtype)
      -- NULL from 17 on where nothing is set, -1 before.
      AND a.attstattarget IS DISTINCT FROM 0
      AND NOT EXISTS (
          SELECT
          FROM pg_catalog.pg_constraint AS c
          WHERE c.conrelid = target
            AND c.contype = 'c'
            AND c.conkey = ARRAY[a.attnum]
            AND pg_catalog.pg_get_constraintdef(c.oid) LIKE '%= ANY (%');
    IF actions IS NOT NULL THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s %s', target, actions);
    END IF;

    -- An index on an expression, such as a full text search, has statistics of its own.
    FOR expression IN
        SELECT i.indexrelid::regclass AS index, a.attnum
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indexrelid
        WHERE i.indrelid = target
          AND i.indkey[a.attnum - 1] = 0
          AND a.attstattarget IS DISTINCT FROM 0
    LOOP
        EXECUTE pg_catalog.format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS 0', expression.index, expression.attnum);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION tenancy.hide_statistics(regclass) IS
    'Keeps ANALYZE from collecting the free text of a table and the expressions of its indexes, because row estimates would let one tenant guess what another has written. Text columns that a CHECK limits to a list keep their statistics. What was collected before stays until the table is rewritten or the rows of pg_statistic are deleted.';

CREATE FUNCTION tenancy.isolate(target regclass, org_column name DEFAULT 'org_id')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    relation regclass;
    relation_name name;
    policy_name name;
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
        WHERE a.attrelid = target
          AND a.attname = org_column
          AND a.atttypid = 'pg_catalog.uuid'::regtype
          AND NOT a.attisdropped
          AND c.relkind IN ('r', 'p'))
    THEN
        RAISE EXCEPTION '% cannot be isolated by column "%"', target, org_column
            USING ERRCODE = 'VC016',
                  DETAIL = 'Isolation needs a table with a uuid column that names the organization.',
                  HINT = 'Add the column (org_id uuid NOT NULL DEFAULT tenancy.current_org_id()), or name the one that there is as org_column.';
    END IF;

    PERFORM tenancy.force_row_security(target);
    FOR relation IN SELECT t.relation FROM tenancy.list_partition_tree(target) AS t (relation)
    LOOP
        SELECT c.relname INTO STRICT relation_name FROM pg_catalog.pg_class AS c WHERE c.oid = relation;
        policy_name := tenancy.name_after(relation_name, 'tenant');
        IF EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = relation AND p.polname = policy_name) THEN
            EXECUTE pg_catalog.format('DROP POLICY %I ON %s', policy_name, relation);
        END IF;
        EXECUTE pg_catalog.format(
            'CREATE POLICY %I ON %s AS RESTRICTIVE USING (%I = tenancy.current_org_id()) WITH CHECK (%I = tenancy.current_org_id())',
            policy_name, relation, org_column, org_column);
        EXECUTE pg_catalog.format(
            'COMMENT ON POLICY %I ON %s IS %L',
            policy_name, relation,
            'Rows of the organization in context and no others, whatever other policies allow.');
        PERFORM tenancy.hide_statistics(relation);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION tenancy.isolate(regclass, name) IS
    'Forces row security on a table and its partitions, hides the statistics of free text and adds the restrictive policy <table>_tenant: only rows of the organization in context. Permissive policies must still say who may do what. Raises VC016 when the table has no such uuid column.';

CREATE FUNCTION tenancy.is_isolating_policy(policy oid, org_column name)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    SELECT EXISTS (
        SELECT
        FROM pg_catalog.pg_policy AS p
        WHERE p.oid = policy
          AND NOT p.polpermissive
          AND p.polcmd = '*'
          AND p.polroles = '{0}'
          AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = pg_catalog.format('(%I = tenancy.current_org_id())', org_column)
          AND pg_catalog.pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid)
              = pg_catalog.pg_get_expr(p.polqual, p.polrelid))
$function$;
COMMENT ON FUNCTION tenancy.is_isolating_policy(oid, name) IS
    'Whether a policy is one that isolates by organization: restrictive, for everybody and every command, comparing the column with the context. The view tenancy.coverage asks it, whatever the caller''s search_path is.';
GRANT EXECUTE ON FUNCTION tenancy.is_isolating_policy(oid, name)
TO codeverify_admin, codeverify_auditor, codeverify_service;

CREATE FUNCTION tenancy.permission_clause(target regclass, permission text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Never a bare true: a policy that calls a function goes with the extension, and then nobody sees a row.
    -- Everybody inside the tenant may read, so the test is the restrictive policy's own, which costs nothing twice.
    SELECT CASE
        WHEN permission NOT IN ('read', 'service') THEN pg_catalog.format('tenancy.has_permission(%L)', permission)
        WHEN EXISTS (
            SELECT
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = target
              AND a.attname = 'org_id'
              AND NOT a.attisdropped)
        THEN 'org_id = tenancy.current_org_id()'
        ELSE 'tenancy.current_org_id() IS NOT NULL'
    END
$function$;
COMMENT ON FUNCTION tenancy.permission_clause(regclass, text) IS
    'The expression that a permissive policy of the table tests for a permission; for read and service, that the row is of the organization in context.';

CREATE FUNCTION tenancy.allow(
    target regclass,
    selects text,
    inserts text,
    updates text,
    deletes text,
    owner_column name DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- The clauses come from permission_clause(), which quotes its argument.
    relation_name name;
    rule record;
BEGIN
    SELECT c.relname INTO STRICT relation_name FROM pg_catalog.pg_class AS c WHERE c.oid = target;

    FOR rule IN
        SELECT r.command,
               r.permission,
               CASE r.permission WHEN 'service' THEN 'codeverify_service' ELSE 'codeverify_tenant' END AS grantee,
               tenancy.name_after(relation_name, pg_catalog.lower(r.command)) AS policy_name,
               pg_catalog.concat_ws(
                   ' ',
                   CASE WHEN r.command <> 'INSERT' THEN pg_catalog.format('USING (%s)', tenancy.permission_clause(target, r.permission)) END,
                   CASE WHEN r.command IN ('INSERT', 'UPDATE') THEN pg_catalog.format('WITH CHECK (%s)', tenancy.permission_clause(target, r.permission)) END
               ) AS clauses
        FROM (VALUES ('SELECT', selects), ('INSERT', inserts), ('UPDATE', updates), ('DELETE', deletes))
            AS r (command, permission)
        WHERE r.permission IS NOT NULL
    LOOP
        EXECUTE pg_catalog.format('GRANT %s ON %s TO %I', rule.command, target, rule.grantee);
        EXECUTE pg_catalog.format(
            'CREATE POLICY %I ON %s FOR %s TO %I %s',
            rule.policy_name, target, rule.command, rule.grantee, rule.clauses);
        EXECUTE pg_catalog.format(
            'COMMENT ON POLICY %I ON %s IS %L',
            rule.policy_name, target,
            CASE rule.permission
                WHEN 'service' THEN 'The trusted service role only.'
                ELSE pg_catalog.format('Takes the permission "%s" inside the organization.', rule.permission)
            END);
    END LOOP;

    IF owner_column IS NOT NULL THEN
        EXECUTE pg_catalog.format(
            'CREATE POLICY %I ON %s AS RESTRICTIVE USING (%I = tenancy.current_user_id()) WITH CHECK (%I = tenancy.current_user_id())',
            tenancy.name_after(relation_name, 'own'), target, owner_column, owner_column);
        EXECUTE pg_catalog.format(
            'COMMENT ON POLICY %I ON %s IS %L',
            tenancy.name_after(relation_name, 'own'), target, 'Rows of the user in context and no others.');
    END IF;
END
$function$;
COMMENT ON FUNCTION tenancy.allow(regclass, text, text, text, text, name) IS
    'Grants the four commands on an isolated table and adds a permissive policy for each. An argument is NULL (nobody), read, write, manage or own (a permission inside the organization) or service (the trusted service role alone). With owner_column, rows are further limited to the user in context.';

CREATE FUNCTION tenancy.protect(target regclass, org_column name DEFAULT 'org_id')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    relation_name name;
BEGIN
    PERFORM tenancy.isolate(target, org_column);

    SELECT c.relname INTO STRICT relation_name FROM pg_catalog.pg_class AS c WHERE c.oid = target;

    IF NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = target AND p.polpermissive) THEN
        EXECUTE pg_catalog.format(
            'CREATE POLICY %I ON %s USING (tenancy.current_org_id() IS NOT NULL)',
            tenancy.name_after(relation_name, 'members'), target);
        EXECUTE pg_catalog.format(
            'COMMENT ON POLICY %I ON %s IS %L',
            tenancy.name_after(relation_name, 'members'), target, 'Inside the organization the grants on the table decide.');
    END IF;

    IF NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = target
          AND a.attname = org_column
          AND i.indpred IS NULL)
    THEN
        EXECUTE pg_catalog.format(
            'CREATE INDEX %I ON %s (%I)',
            tenancy.name_after(relation_name, org_column || '_idx'), target, org_column);
    END IF;
END
$function$;
COMMENT ON FUNCTION tenancy.protect(regclass, name) IS
    'Isolates a table of your own by organization: row security enabled and forced on it and its partitions, the restrictive policy <table>_tenant, an index that begins with the column, and, when the table has no permissive policy yet, <table>_members so that grants decide inside the organization. May be called again, as after adding partitions. Example: SELECT tenancy.protect(''public.tickets'');';
GRANT EXECUTE ON FUNCTION tenancy.protect(regclass, name) TO codeverify_admin;
GRANT EXECUTE ON FUNCTION tenancy.isolate(regclass, name) TO codeverify_admin;
GRANT EXECUTE ON FUNCTION tenancy.hide_statistics(regclass) TO codeverify_admin;
GRANT EXECUTE ON FUNCTION tenancy.force_row_security(regclass) TO codeverify_admin;

CREATE FUNCTION tenancy.unprotect(target regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    relation record;
    policy_name text;
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
        WHERE c.oid = target
          AND r.rolname = 'codeverify_owner')
    THEN
        RAISE EXCEPTION '% belongs to codeverify and stays isolated', target
            USING ERRCODE = 'VC016',
                  HINT = 'tenancy.unprotect() is for tables of your own.';
    END IF;

    FOR relation IN
        SELECT t.name, c.relname
        FROM tenancy.list_partition_tree(target) AS t (name)
        JOIN pg_catalog.pg_class AS c ON c.oid = t.name
    LOOP
        FOREACH policy_name IN ARRAY ARRAY[tenancy.name_after(relation.relname, 'tenant'), tenancy.name_after(relation.relname, 'members')]
        LOOP
            EXECUTE pg_catalog.format('DROP POLICY IF EXISTS %I ON %s', policy_name, relation.name);
        END LOOP;
        -- Policies of the user's own keep row security on.
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = relation.name) THEN
            EXECUTE pg_catalog.format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', relation.name);
            EXECUTE pg_catalog.format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', relation.name);
        END IF;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION tenancy.unprotect(regclass) IS
    'Undoes tenancy.protect() on a table of your own and its partitions; row security stays on where policies of yours remain. Raises VC016 for the tables of codeverify.';
GRANT EXECUTE ON FUNCTION tenancy.unprotect(regclass) TO codeverify_admin;

CREATE FUNCTION tenancy.warn_of_unprotected_tables()
RETURNS event_trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    target regclass;
BEGIN
    FOR target IN
        SELECT DISTINCT c.oid::regclass
        FROM pg_catalog.pg_event_trigger_ddl_commands() AS d
        JOIN pg_catalog.pg_class AS c ON c.oid = d.objid AND d.classid = 'pg_catalog.pg_class'::regclass
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_roles AS r ON r.oid = n.nspowner
        WHERE c.relkind IN ('r', 'p')
          AND c.relpersistence <> 't'
          AND NOT c.relrowsecurity
          AND a.attname = 'org_id'
          AND a.atttypid = 'pg_catalog.uuid'::regtype
          AND NOT a.attisdropped
          AND NOT d.in_extension
          -- A restore makes the tables of codeverify first and isolates them at its end.
          AND r.rolname <> 'codeverify_owner'
    LOOP
        RAISE WARNING 'table % has a column org_id and no row security', target
            USING HINT = pg_catalog.format('To isolate it by organization: SELECT tenancy.protect(%L);', target);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION tenancy.warn_of_unprotected_tables() IS
    'Event trigger function: warns when a table with a column org_id is made without row security.';

CREATE EVENT TRIGGER codeverify_warn_of_unprotected_tables
ON ddl_command_end
WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
EXECUTE FUNCTION tenancy.warn_of_unprotected_tables();
COMMENT ON EVENT TRIGGER codeverify_warn_of_unprotected_tables IS
    'Warns when a table with a column org_id is made without row security.';
