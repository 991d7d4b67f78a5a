-- Runs first in CREATE EXTENSION: decides what to do about the tables, makes the roles and schemas.
-- The control file's schema is pg_catalog, so that no name here can be another's (search_path is that alone).

DO $bootstrap$
DECLARE
    domains constant name[] := ARRAY[
        'codeverify', 'tenancy', 'auth', 'scm', 'analysis', 'integrations', 'attestations', 'telemetry',
        'observability', 'projects', 'experiments_v1', 'production', 'quarantine', 'providers', 'audits'];
    existing name[];
    foreign_schemas name[];
    member name;
BEGIN
    IF pg_catalog.getdatabaseencoding() <> 'UTF8' THEN
        RAISE EXCEPTION 'codeverify needs a database of encoding UTF8, not %', pg_catalog.getdatabaseencoding()
            USING ERRCODE = 'VC005',
                  HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;

    SELECT coalesce(array_agg(n.nspname ORDER BY n.nspname), '{}')
    INTO existing
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = ANY (domains);

    IF cardinality(existing) NOT IN (0, cardinality(domains)) THEN
        RAISE EXCEPTION 'schemas that codeverify needs exist already: %', array_to_string(existing, ', ')
            USING ERRCODE = 'VC001',
                  DETAIL = format('codeverify deploys into the schemas %s.', array_to_string(domains, ', ')),
                  HINT = 'Rename or drop the schemas named, or install codeverify into another database.';
    END IF;

    -- Functions that run as codeverify_owner would meet triggers and functions that a stranger has put there.
    SELECT coalesce(array_agg(DISTINCT n.nspname ORDER BY n.nspname), '{}')
    INTO foreign_schemas
    FROM pg_catalog.pg_namespace AS n
    LEFT JOIN LATERAL (
        SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid
        UNION SELECT p.proowner FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = n.oid
        UNION SELECT t.typowner FROM pg_catalog.pg_type AS t WHERE t.typnamespace = n.oid
    ) AS o (owner) ON true
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = o.owner
    WHERE n.nspname = ANY (domains)
      AND (pg_catalog.pg_get_userbyid(n.nspowner) <> 'codeverify_owner'
           OR NOT r.rolsuper AND r.rolname <> 'codeverify_owner');
    IF foreign_schemas <> '{}' THEN
        RAISE EXCEPTION 'schemas that codeverify needs hold what is not its own: %', array_to_string(foreign_schemas, ', ')
            USING ERRCODE = 'VC001',
                  DETAIL = 'They do not belong to codeverify_owner, or hold something of a role that is neither superuser nor codeverify_owner.',
                  HINT = 'Rename or drop the schemas named, restore without --no-owner, or install codeverify into another database.';
    END IF;

    -- Two databases may install at the same time, and roles are shared between them.
    LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE;
    FOREACH member IN ARRAY ARRAY['owner', 'admin', 'service', 'tenant', 'ingest', 'auditor']::name[] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'codeverify_' || member) THEN
            EXECUTE format(
                'CREATE ROLE %I NOLOGIN %s',
                'codeverify_' || member,
                CASE WHEN member = 'owner' THEN 'BYPASSRLS' ELSE '' END);
        END IF;
    END LOOP;
    -- A role made by hand, as before a restore, may lack what the owner of isolated tables needs.
    IF NOT (SELECT r.rolbypassrls FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'codeverify_owner') THEN
        ALTER ROLE codeverify_owner BYPASSRLS;
    END IF;
    IF NOT pg_catalog.pg_has_role('codeverify_service', 'codeverify_tenant', 'USAGE') THEN
        GRANT codeverify_tenant TO codeverify_service;
    END IF;

    IF cardinality(existing) = 0 THEN
        FOREACH member IN ARRAY domains LOOP
            EXECUTE format('CREATE SCHEMA %I AUTHORIZATION codeverify_owner', member);
        END LOOP;
    ELSE
        -- A dump makes its schemas before its extensions and its tables after them. CREATE SCHEMA IF NOT
        -- EXISTS takes only a schema that is a member, so they join until the script's last statement.
        PERFORM pg_catalog.set_config('codeverify.deploy', 'adopt', true);
        FOREACH member IN ARRAY domains LOOP
            EXECUTE format('ALTER EXTENSION codeverify ADD SCHEMA %I', member);
        END LOOP;
    END IF;
END
$bootstrap$;
