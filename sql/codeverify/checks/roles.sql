-- Checks of roles: the groups, the owner and the logins of tenants.

CREATE FUNCTION codeverify.list_role_faults()
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
               WHEN r.oid IS NULL THEN pg_catalog.format('%s is missing', g.name)
               WHEN r.rolcanlogin THEN pg_catalog.format('%s can log in', g.name)
               WHEN r.rolsuper THEN pg_catalog.format('%s is a superuser', g.name)
               WHEN r.rolbypassrls THEN pg_catalog.format('%s has BYPASSRLS', g.name)
               WHEN g.name = 'codeverify_service' AND NOT pg_catalog.pg_has_role(r.oid, 'codeverify_tenant', 'USAGE')
                   THEN 'codeverify_service is no member of codeverify_tenant'
           END
    FROM (VALUES
        ('codeverify_admin'),
        ('codeverify_service'),
        ('codeverify_tenant'),
        ('codeverify_ingest'),
        ('codeverify_auditor')
    ) AS g (name)
    LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = g.name
    WHERE r.oid IS NULL
       OR r.rolcanlogin
       OR r.rolsuper
       OR r.rolbypassrls
       OR g.name = 'codeverify_service' AND NOT pg_catalog.pg_has_role(r.oid, 'codeverify_tenant', 'USAGE')
$function$;
COMMENT ON FUNCTION codeverify.list_role_faults() IS
    'Group roles of codeverify that are missing or may more than a group of logins should; codeverify_owner has checks of its own.';

CREATE FUNCTION codeverify.list_idle_bindings()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- During a restore there are functions and no tables.
    IF pg_catalog.to_regclass('tenancy.org_memberships') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT pg_catalog.format('%I (%s)', b.role, b.fault)
    FROM (
        SELECT l.role,
               CASE
                   WHEN l.org_id IS NULL THEN 'the setting names nobody'
                   WHEN o.id IS NULL THEN 'the organization is gone'
                   WHEN l.user_id IS NOT NULL AND m.id IS NULL THEN 'the user is no member'
               END AS fault
        FROM tenancy.list_role_bindings() AS l
        LEFT JOIN tenancy.organizations AS o ON o.id = l.org_id
        LEFT JOIN tenancy.org_memberships AS m ON m.org_id = l.org_id AND m.user_id = l.user_id
    ) AS b
    WHERE b.fault IS NOT NULL;
END
$function$;
COMMENT ON FUNCTION codeverify.list_idle_bindings() IS
    'Logins of tenancy.bind_role() that act for nobody: the organization was deleted, or the user has left it.';

CREATE FUNCTION codeverify.list_unlimited(login oid)
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT n.name
    FROM (VALUES ('statement_timeout'), ('lock_timeout'), ('idle_in_transaction_session_timeout')) AS n (name)
    WHERE coalesce(
        (
            -- The nearest counts, as when the login connects.
            SELECT pg_catalog.split_part(c.entry, '=', 2)
            FROM pg_catalog.pg_db_role_setting AS s
            CROSS JOIN pg_catalog.unnest(s.setconfig) AS c (entry)
            JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
            WHERE s.setdatabase IN (0, d.oid)
              AND s.setrole IN (0, login)
              AND pg_catalog.split_part(c.entry, '=', 1) = n.name
            ORDER BY s.setrole = 0, s.setdatabase = 0
            LIMIT 1
        ),
        pg_catalog.current_setting(n.name)) ~ '^0+ *[a-z]*$'
$function$;
COMMENT ON FUNCTION codeverify.list_unlimited(oid) IS
    'Which of the timeouts that keep a login from holding locks and snapshots for long are off for it in this database: as ALTER ROLE and ALTER DATABASE say, else as in the session that asks.';

CREATE FUNCTION codeverify.examine_roles()
RETURNS TABLE (check_name text, severity text, fault text, fine text, hint text)
LANGUAGE sql
STABLE
ROWS 7
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH RECURSIVE tenant (id) AS (
        SELECT g.id::oid
        FROM pg_catalog.unnest(ARRAY[
            pg_catalog.to_regrole('codeverify_tenant'), pg_catalog.to_regrole('codeverify_ingest')]) AS g (id)
        UNION
        -- The service is trusted, though it is a member.
        SELECT m.member
        FROM pg_catalog.pg_auth_members AS m
        JOIN tenant AS t ON t.id = m.roleid
        WHERE m.member <> pg_catalog.to_regrole('codeverify_service')
    ),
    owner_member (id) AS (
        SELECT pg_catalog.to_regrole('codeverify_owner')::oid
        UNION
        SELECT m.member
        FROM pg_catalog.pg_auth_members AS m
        JOIN owner_member AS o ON o.id = m.roleid
    )
    SELECT 'roles', 'error',
           (SELECT pg_catalog.string_agg(f.fault, ', ' ORDER BY f.fault) FROM codeverify.list_role_faults() AS f (fault)),
           'the group roles are there, and nothing but groups',
           'CREATE ROLE ... NOLOGIN; or ALTER ROLE ... NOLOGIN NOSUPERUSER NOBYPASSRLS; as docs/operations.md has them.'
    UNION ALL
    SELECT 'owner_role', 'error',
           'codeverify_owner ' || nullif(pg_catalog.concat_ws(
               ', ',
               CASE WHEN r.rolsuper THEN 'is a superuser' END,
               CASE WHEN r.rolcanlogin THEN 'can log in' END,
               CASE WHEN r.rolreplication THEN 'has REPLICATION' END,
               CASE WHEN NOT r.rolbypassrls THEN 'lacks BYPASSRLS' END), ''),
           'codeverify_owner cannot log in and is no superuser',
           'ALTER ROLE codeverify_owner NOLOGIN NOSUPERUSER NOREPLICATION BYPASSRLS;'
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = 'codeverify_owner'
    UNION ALL
    SELECT 'owner_members', 'warning',
           'logins that may act as the owner of all data: ' || (
               SELECT pg_catalog.string_agg(
                          pg_catalog.format('%I%s', r.rolname, CASE WHEN r.rolsuper OR r.rolcreaterole THEN ' (SUPERUSER or CREATEROLE)' END),
                          ', ' ORDER BY r.rolname)
               FROM owner_member AS o
               JOIN pg_catalog.pg_roles AS r ON r.oid = o.id
               WHERE r.rolcanlogin
                 AND r.rolname <> 'codeverify_owner'),
           'no login is a member of codeverify_owner',
           'Needed for backups only; revoke it from the others.'
    UNION ALL
    SELECT 'tenant_attributes', 'error',
           'row security does not bind these tenants: ' || (
               SELECT pg_catalog.string_agg(
                          pg_catalog.format('%I (%s)', r.rolname, pg_catalog.concat_ws(
                              ', ',
                              CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
                              CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
                              CASE WHEN r.rolreplication THEN 'REPLICATION' END)),
                          ', ' ORDER BY r.rolname)
               FROM tenant AS t
               JOIN pg_catalog.pg_roles AS r ON r.oid = t.id
               WHERE r.rolsuper OR r.rolbypassrls OR r.rolreplication),
           'no member of codeverify_tenant or codeverify_ingest is a superuser or has BYPASSRLS or REPLICATION',
           'ALTER ROLE ... NOSUPERUSER NOBYPASSRLS NOREPLICATION; or give it another group role.'
    UNION ALL
    SELECT 'tenant_memberships', 'error',
           'tenants that may act as more: ' || (
               SELECT pg_catalog.string_agg(pg_catalog.format('%I (%I)', r.rolname, s.rolname), ', ' ORDER BY r.rolname, s.rolname)
               FROM tenant AS t
               JOIN pg_catalog.pg_roles AS r ON r.oid = t.id AND NOT r.rolsuper
               JOIN pg_catalog.pg_roles AS s
                   ON s.rolname IN ('codeverify_owner', 'codeverify_admin', 'codeverify_service')
                   OR s.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
                   OR s.rolsuper OR s.rolbypassrls
               WHERE pg_catalog.pg_has_role(r.oid, s.oid, 'MEMBER')
                 AND s.oid <> r.oid),
           'no member of codeverify_tenant or codeverify_ingest is a member of a stronger role',
           'REVOKE ... FROM ...; or use another login for it.'
    UNION ALL
    SELECT 'role_bindings', 'warning',
           'logins that are bound to nobody: ' || (
               SELECT pg_catalog.string_agg(b.fault, ', ' ORDER BY b.fault) FROM codeverify.list_idle_bindings() AS b (fault)),
           'every login that is bound acts for an organization that exists',
           'SELECT tenancy.unbind_role(...); they see nothing.'
    UNION ALL
    SELECT 'tenant_timeouts', 'warning',
           'tenants that may hold a lock, or a snapshot, for as long as they like: ' || (
               SELECT pg_catalog.string_agg(
                          pg_catalog.format('%I (%s)', r.rolname, u.settings), ', ' ORDER BY r.rolname)
               FROM tenant AS t
               JOIN pg_catalog.pg_roles AS r ON r.oid = t.id AND r.rolcanlogin
               CROSS JOIN LATERAL (
                   SELECT pg_catalog.string_agg(l.name, ', ' ORDER BY l.name)
                   FROM codeverify.list_unlimited(r.oid) AS l (name)
               ) AS u (settings)
               WHERE u.settings IS NOT NULL),
           'every login of a tenant has timeouts',
           'ALTER ROLE ... SET statement_timeout = ''30s''; and likewise lock_timeout and idle_in_transaction_session_timeout.'
$function$;
COMMENT ON FUNCTION codeverify.examine_roles() IS
    'The checks of codeverify.doctor() of roles and logins.';
