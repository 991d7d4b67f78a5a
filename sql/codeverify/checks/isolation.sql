-- Checks of what keeps tenants apart.

CREATE FUNCTION codeverify.list_granted_settings(names text[])
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_catalog.format(
        '%s (%s)', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, p.parname)
    FROM pg_catalog.pg_parameter_acl AS p
    CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) AS a
    WHERE p.parname = ANY (names)
      -- The superuser that initdb made.
      AND a.grantee <> 10
    ORDER BY a.grantee, p.parname
$function$;
COMMENT ON FUNCTION codeverify.list_granted_settings(text[]) IS
    'Roles to whom SET or ALTER SYSTEM of one of these settings was granted.';

CREATE FUNCTION codeverify.list_open_relations()
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT c.oid::regclass::text
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('m', 'f', 'v')
      AND c.relnamespace <> 'pg_catalog'::regnamespace
      AND c.relowner <> pg_catalog.to_regrole('codeverify_owner')
      AND pg_catalog.has_any_column_privilege(pg_catalog.to_regrole('codeverify_tenant'), c.oid, 'SELECT')
      -- A view reads with its owner's rights, unless it says otherwise.
      AND (c.relkind <> 'v'
           OR NOT coalesce(
                  (SELECT o.option_value::boolean
                   FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
                   WHERE o.option_name = 'security_invoker'),
                  false)
              AND EXISTS (
                  SELECT
                  FROM pg_catalog.pg_rewrite AS w
                  JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
                  JOIN pg_catalog.pg_class AS t ON d.refclassid = 'pg_catalog.pg_class'::regclass AND t.oid = d.refobjid
                  WHERE w.ev_class = c.oid
                    AND t.relrowsecurity))
    ORDER BY 1
$function$;
COMMENT ON FUNCTION codeverify.list_open_relations() IS
    'What tenants may read and row security does not reach: foreign tables, materialized views, and views that read protected tables with their owner''s rights. Those of codeverify itself show the organization in context its rows alone.';

CREATE FUNCTION codeverify.examine_isolation()
RETURNS TABLE (check_name text, severity text, fault text, fine text, hint text)
LANGUAGE sql
STABLE
ROWS 8
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH gap AS (
        SELECT c.oid::regclass::text AS name, n.nspowner = pg_catalog.to_regrole('codeverify_owner') AS is_ours
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE a.attname = 'org_id'
          AND a.atttypid = 'pg_catalog.uuid'::regtype
          AND NOT a.attisdropped
          AND c.relkind IN ('r', 'p')
          AND c.relpersistence <> 't'
          AND (NOT c.relrowsecurity
               OR NOT c.relforcerowsecurity
               OR NOT EXISTS (
                   SELECT
                   FROM pg_catalog.pg_policy AS p
                   WHERE p.polrelid = c.oid
                     AND tenancy.is_isolating_policy(p.oid, a.attname))
               OR c.relispartition AND EXISTS (
                   SELECT FROM pg_catalog.aclexplode(c.relacl) AS g WHERE g.grantee <> c.relowner))
    )
    SELECT 'isolation', 'error',
           'not isolated: ' || (SELECT pg_catalog.string_agg(g.name, ', ' ORDER BY g.name) FROM gap AS g WHERE g.is_ours),
           'every table of codeverify with org_id is isolated',
           'Restore what was taken away: SELECT tenancy.isolate(''...''); and see tenancy.coverage.'
    UNION ALL
    SELECT 'isolation_of_others', 'warning',
           'tables with org_id that are not isolated: '
           || (SELECT pg_catalog.string_agg(g.name, ', ' ORDER BY g.name) FROM gap AS g WHERE NOT g.is_ours),
           'no table of yours with org_id is open',
           'SELECT tenancy.protect(''...'');'
    UNION ALL
    SELECT 'context_settings', 'error',
           'the context can be forged by: ' || (
               SELECT pg_catalog.string_agg(g.holder, ', ')
               FROM codeverify.list_granted_settings(ARRAY[
                   'codeverify.org_id', 'codeverify.user_id', 'codeverify.member_role', 'codeverify.api_key_id',
                   'codeverify.bound_identity', 'session_replication_role']) AS g (holder)),
           'nobody was granted to SET the context or session_replication_role',
           'REVOKE SET, ALTER SYSTEM ON PARAMETER ... FROM ...;'
    UNION ALL
    SELECT 'guard_settings', 'warning',
           'what records and limits can be switched off by: ' || (
               SELECT pg_catalog.string_agg(g.holder, ', ')
               FROM codeverify.list_granted_settings(ARRAY[
                   'codeverify.capture', 'codeverify.own_transactions', 'codeverify.clock', 'codeverify.ledger_key_file',
                   'codeverify.ledger_origin', 'codeverify.encryption_key_file', 'codeverify.login_delay_max',
                   'codeverify.login_failures_per_ip_address', 'event_triggers']) AS g (holder)),
           'nobody was granted to switch off what records and limits',
           'REVOKE SET, ALTER SYSTEM ON PARAMETER ... FROM ...;'
    UNION ALL
    SELECT 'open_relations', 'warning',
           'tenants may read these past row security: ' || (
               SELECT pg_catalog.string_agg(r.name, ', ') FROM codeverify.list_open_relations() AS r (name)),
           'tenants read no foreign table, no materialized view and no view with its owner''s rights',
           'ALTER VIEW ... SET (security_invoker = true); or REVOKE SELECT ON ... FROM codeverify_tenant, PUBLIC;'
    UNION ALL
    SELECT 'temporary_tables', 'warning',
           CASE WHEN pg_catalog.has_database_privilege('public', pg_catalog.current_database(), 'TEMPORARY') THEN
               'PUBLIC may create temporary tables, which a pool hands on to the next client' END,
           'PUBLIC may not create temporary tables',
           pg_catalog.format(
               'REVOKE TEMPORARY ON DATABASE %1$I FROM PUBLIC; GRANT TEMPORARY ON DATABASE %1$I TO codeverify_owner;',
               pg_catalog.current_database())
    UNION ALL
    SELECT 'public_schema', 'warning',
           CASE WHEN EXISTS (
               SELECT
               FROM pg_catalog.pg_namespace AS n
               WHERE n.nspname = 'public'
                 AND pg_catalog.has_schema_privilege('public', n.oid, 'CREATE')) THEN
               'PUBLIC may create objects in the schema public' END,
           'PUBLIC may not create objects in the schema public',
           'REVOKE CREATE ON SCHEMA public FROM PUBLIC;'
    UNION ALL
    SELECT 'large_objects', 'warning',
           'PUBLIC may create large objects, which know no tenants: ' || (
               SELECT pg_catalog.string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text)
               FROM pg_catalog.pg_proc AS p
               WHERE p.oid IN (
                   'pg_catalog.lo_creat(integer)'::regprocedure,
                   'pg_catalog.lo_create(oid)'::regprocedure,
                   'pg_catalog.lo_from_bytea(oid, bytea)'::regprocedure)
                 AND pg_catalog.has_function_privilege('public', p.oid, 'EXECUTE')),
           'PUBLIC may not create large objects',
           'REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;'
$function$;
COMMENT ON FUNCTION codeverify.examine_isolation() IS
    'The checks of codeverify.doctor() of what keeps tenants apart.';
