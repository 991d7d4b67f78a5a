-- What keeps the ledger from being changed.

CREATE FUNCTION audits.refuse_change()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_refuse_change';
COMMENT ON FUNCTION audits.refuse_change() IS
    'Trigger function: refuses to change rows that are final, whoever asks. The extension itself may, when it archives. Raises VC053.';

CREATE FUNCTION audits.refuses_statements(target regclass)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- BEFORE, for statements, UPDATE, DELETE and TRUNCATE; whatever session_replication_role is.
    SELECT EXISTS (
        SELECT
        FROM pg_catalog.pg_trigger AS g
        WHERE g.tgrelid = target
          AND g.tgfoid = 'audits.refuse_change()'::regprocedure
          AND g.tgtype = 2 | 8 | 16 | 32
          AND g.tgenabled = 'A'
          AND g.tgqual IS NULL)
$function$;
COMMENT ON FUNCTION audits.refuses_statements(regclass) IS
    'Whether a table refuses every UPDATE, DELETE and TRUNCATE by audits.refuse_change().';

CREATE FUNCTION audits.list_final_tables()
RETURNS SETOF regclass
LANGUAGE sql
STABLE
ROWS 20
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT t.relation
    FROM (VALUES
        ('audits.archive_segments'),
        ('audits.archives'),
        ('audits.audit_log'),
        ('audits.checkpoint_lanes'),
        ('audits.checkpoints'),
        ('audits.retention_locks'),
        ('audits.verifications')
    ) AS f (name)
    CROSS JOIN LATERAL tenancy.list_partition_tree(pg_catalog.to_regclass(f.name)) AS t (relation)
    WHERE t.relation IS NOT NULL
$function$;
COMMENT ON FUNCTION audits.list_final_tables() IS
    'The tables of the ledger, partitions included, that only ever gain rows.';

CREATE FUNCTION audits.refuse_statements(target regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    trigger_name name;
BEGIN
    SELECT tenancy.name_after(c.relname, 'refuse_statements')
    INTO STRICT trigger_name
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = target;

    EXECUTE pg_catalog.format(
        'CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION audits.refuse_change()',
        trigger_name, target);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', target, trigger_name);
    EXECUTE pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', trigger_name, target, 'The rows are final.');
END
$function$;
COMMENT ON FUNCTION audits.refuse_statements(regclass) IS
    'Makes a table refuse every UPDATE, DELETE and TRUNCATE, also when session_replication_role is replica.';

CREATE FUNCTION audits.guard_partition(target regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    grantee name;
BEGIN
    EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO codeverify_owner', target);
    -- Rows are reached through audits.audit_log.
    FOR grantee IN
        SELECT r.rolname
        FROM pg_catalog.pg_class AS c
        CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
        JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
        WHERE c.oid = target
          AND a.grantee <> c.relowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %I', target, grantee);
    END LOOP;
    EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', target);
    PERFORM tenancy.isolate(target);
    PERFORM audits.refuse_statements(target);
END
$function$;
COMMENT ON FUNCTION audits.guard_partition(regclass) IS
    'Makes a partition of the ledger like the others: owner, no grants, isolation, and the trigger that does not come with the table. Runs by itself when a partition is created or attached.';

CREATE FUNCTION audits.guard_definitions()
RETURNS event_trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_guard_definitions';
COMMENT ON FUNCTION audits.guard_definitions() IS
    'Event trigger function: refuses to drop or alter what the ledger consists of (its schema, tables, partitions, triggers, policies, indexes and the functions of the extension) to all but superusers, and guards new partitions. Raises VC053.';

CREATE EVENT TRIGGER codeverify_guard_definitions_start
ON ddl_command_start
EXECUTE FUNCTION audits.guard_definitions();
COMMENT ON EVENT TRIGGER codeverify_guard_definitions_start IS
    'Refuses commands on the ledger that commit before they end, such as DETACH PARTITION CONCURRENTLY.';

CREATE EVENT TRIGGER codeverify_guard_definitions_drop
ON sql_drop
EXECUTE FUNCTION audits.guard_definitions();
COMMENT ON EVENT TRIGGER codeverify_guard_definitions_drop IS
    'Refuses to drop what the ledger consists of.';

CREATE EVENT TRIGGER codeverify_guard_definitions_end
ON ddl_command_end
EXECUTE FUNCTION audits.guard_definitions();
COMMENT ON EVENT TRIGGER codeverify_guard_definitions_end IS
    'Refuses to alter what the ledger consists of, and guards new partitions.';

-- Whatever session_replication_role is.
ALTER EVENT TRIGGER codeverify_guard_definitions_start ENABLE ALWAYS;
ALTER EVENT TRIGGER codeverify_guard_definitions_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER codeverify_guard_definitions_end ENABLE ALWAYS;
