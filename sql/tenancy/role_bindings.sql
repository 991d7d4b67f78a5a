-- Logins that act for one identity: a role for each tenant.

CREATE FUNCTION tenancy.bind_role(role name, org_id uuid, member_role text DEFAULT 'developer', user_id uuid DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Names and values are quoted where the statement is put together.
    roles constant text[] := ARRAY['viewer', 'developer', 'member', 'admin', 'owner'];
    login record;
    stronger text;
    own_role text;
    problem text;
BEGIN
    IF role IS NULL OR org_id IS NULL OR member_role IS NULL THEN
        RAISE EXCEPTION 'a role, an organization and a member role have to be named'
            USING ERRCODE = 'VC029',
                  HINT = 'SELECT tenancy.bind_role(role, org_id);';
    END IF;

    SELECT r.oid, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolreplication, r.rolcreaterole
    INTO login
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = bind_role.role;
    -- What row security does not bind, and what could make itself a member of anything.
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(r.rolname), ', ' ORDER BY r.rolname)
    INTO stronger
    FROM pg_catalog.pg_roles AS r
    WHERE pg_catalog.pg_has_role(login.oid, r.oid, 'MEMBER')
      AND (r.rolsuper
           OR r.rolbypassrls
           OR r.rolreplication
           OR r.rolcreaterole
           OR r.rolname ~ '^(codeverify|pg)_' AND r.rolname <> 'codeverify_tenant');
    problem := CASE
        WHEN login.oid IS NULL THEN 'it does not exist'
        WHEN NOT login.rolcanlogin THEN 'it cannot log in'
        WHEN login.rolsuper THEN 'it is a superuser'
        WHEN login.rolbypassrls THEN 'row security does not bind it'
        WHEN login.rolreplication THEN 'it has REPLICATION'
        WHEN login.rolcreaterole THEN 'it has CREATEROLE'
        WHEN stronger IS NOT NULL THEN 'it is a member of ' || stronger
        WHEN NOT pg_catalog.pg_has_role(login.oid, 'codeverify_tenant', 'MEMBER') THEN 'it is no member of codeverify_tenant'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" cannot be bound: %', role, problem
            USING ERRCODE = 'VC029',
                  HINT = 'Make a login for it: CREATE ROLE ... LOGIN IN ROLE codeverify_tenant;';
    END IF;

    IF NOT EXISTS (SELECT FROM tenancy.organizations AS o WHERE o.id = bind_role.org_id) THEN
        RAISE EXCEPTION 'organization % does not exist', org_id
            USING ERRCODE = 'VC015',
                  HINT = 'Create it with tenancy.create_organization(name), or check the id.';
    END IF;
    IF member_role <> ALL (roles) THEN
        RAISE EXCEPTION '"%" is no role of members', member_role
            USING ERRCODE = 'VC029',
                  HINT = 'Use one of owner, admin, member, developer and viewer.';
    END IF;
    IF user_id IS NOT NULL THEN
        SELECT m.role
        INTO own_role
        FROM tenancy.org_memberships AS m
        WHERE m.org_id = bind_role.org_id
          AND m.user_id = bind_role.user_id;
        IF own_role IS NULL THEN
            RAISE EXCEPTION 'user % is not a member of organization %', user_id, org_id
                USING ERRCODE = 'VC012',
                      HINT = 'Add the user with tenancy.add_member(org_id, user_id, role).';
        END IF;
        IF pg_catalog.array_position(roles, member_role) > pg_catalog.array_position(roles, own_role) THEN
            RAISE EXCEPTION 'member role % is above the user''s own, %', member_role, own_role
                USING ERRCODE = 'VC029',
                      HINT = pg_catalog.format('Bind it as %s, or give the user another role first.', own_role);
        END IF;
    END IF;

    EXECUTE pg_catalog.format(
        'ALTER ROLE %I IN DATABASE %I SET codeverify.bound_identity = %L',
        role, pg_catalog.current_database(), pg_catalog.concat_ws('/', org_id, member_role, user_id));
END
$function$;
COMMENT ON FUNCTION tenancy.bind_role(name, uuid, text, uuid) IS
    'Makes a login act for an organization, in a role and as a user if one is named, from the moment it connects to this database: it needs no authentication, and cannot take on another identity. For superusers. The login must be a member of codeverify_tenant and of no stronger role. The binding holds from the next connection on; whether the organization exists, and what the user is in it, is looked up in each transaction. Raises VC029 for a role that cannot be bound, or a member role above the user''s own, VC012 for a user who is no member, VC015 for an organization that does not exist. Example: CREATE ROLE acme LOGIN IN ROLE codeverify_tenant; SELECT tenancy.bind_role(''acme'', ''0f0e...'');';

CREATE FUNCTION tenancy.unbind_role(role name)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Names are quoted where the statement is put together.
    is_bound constant boolean := EXISTS (
        SELECT
        FROM pg_catalog.pg_db_role_setting AS s
        JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
        JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
        CROSS JOIN pg_catalog.unnest(s.setconfig) AS c (entry)
        WHERE r.rolname = unbind_role.role
          AND d.datname = pg_catalog.current_database()
          AND c.entry LIKE 'codeverify.bound\_identity=%');
BEGIN
    IF is_bound THEN
        EXECUTE pg_catalog.format(
            'ALTER ROLE %I IN DATABASE %I RESET codeverify.bound_identity', role, pg_catalog.current_database());
    END IF;
    RETURN is_bound;
END
$function$;
COMMENT ON FUNCTION tenancy.unbind_role(name) IS
    'Takes back tenancy.bind_role(): from its next connection on the login acts for nobody; false when it was not bound in this database. For superusers. Sessions that are open stay bound: end them with pg_terminate_backend().';

CREATE FUNCTION tenancy.list_role_bindings()
RETURNS TABLE (role name, org_id uuid, member_role text, user_id uuid)
LANGUAGE sql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT r.rolname,
           CASE WHEN b.is_well_formed THEN b.parts[1]::uuid END,
           CASE WHEN b.is_well_formed THEN b.parts[2] END,
           CASE WHEN b.is_well_formed THEN b.parts[3]::uuid END
    FROM pg_catalog.pg_db_role_setting AS s
    JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
    JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database()
    CROSS JOIN pg_catalog.unnest(s.setconfig) AS c (entry)
    CROSS JOIN LATERAL (
        SELECT pg_catalog.string_to_array(v.entry, '/'),
               v.entry ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/(owner|admin|member|developer|viewer)(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$'
        FROM (SELECT pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1)) AS v (entry)
    ) AS b (parts, is_well_formed)
    WHERE c.entry LIKE 'codeverify.bound\_identity=%'
    ORDER BY r.rolname
$function$;
COMMENT ON FUNCTION tenancy.list_role_bindings() IS
    'Logins that tenancy.bind_role() has bound in this database, and to whom; NULLs for a setting that is none of its making and has no effect. Shown by tenancy.role_bindings.';
GRANT EXECUTE ON FUNCTION tenancy.list_role_bindings() TO codeverify_admin, codeverify_auditor, codeverify_service;
