-- Runs last in CREATE EXTENSION: who owns and may call the functions, then the tables.

DO $finalize$
DECLARE
    routine record;
    grantee name;
    deployed record;
BEGIN
    FOR routine IN
        SELECT p.oid::pg_catalog.regprocedure AS signature
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
        JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
          AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
          AND d.deptype = 'e'
          AND e.extname = 'codeverify'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO codeverify_owner', routine.signature);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', routine.signature);
        -- Default privileges of this database may have granted it to others.
        FOR grantee IN
            SELECT r.rolname
            FROM pg_catalog.pg_proc AS p
            CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS a
            JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
            WHERE p.oid = routine.signature
              AND NOT r.rolname = ANY (ARRAY[
                  'codeverify_owner', 'codeverify_admin', 'codeverify_service', 'codeverify_tenant',
                  'codeverify_ingest', 'codeverify_auditor']::name[])
        LOOP
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', routine.signature, grantee);
        END LOOP;
    END LOOP;

    IF pg_catalog.current_setting('codeverify.deploy') = 'on' THEN
        PERFORM codeverify.deploy();
    END IF;

    -- The data belongs to the user: whatever is not code leaves the extension.
    FOR deployed IN
        SELECT o.type, o.identity, d.classid, d.objid, d.refobjid
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
        LEFT JOIN pg_catalog.pg_type AS t ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid
        CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) AS o
        WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
          AND d.deptype = 'e'
          AND e.extname = 'codeverify'
          AND d.classid IN (
              'pg_catalog.pg_namespace'::pg_catalog.regclass,
              'pg_catalog.pg_class'::pg_catalog.regclass,
              'pg_catalog.pg_type'::pg_catalog.regclass)
        ORDER BY t.oid IS NOT NULL, t.typcategory = 'A'
    LOOP
        -- Types of rows and of arrays go, from 17 on, with what they are the types of.
        CONTINUE WHEN NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_depend AS d
            WHERE d.classid = deployed.classid
              AND d.objid = deployed.objid
              AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
              AND d.refobjid = deployed.refobjid
              AND d.deptype = 'e');
        EXECUTE format('ALTER EXTENSION codeverify DROP %s %s', deployed.type, deployed.identity);
    END LOOP;
END
$finalize$;
