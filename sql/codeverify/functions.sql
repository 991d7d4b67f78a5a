COMMENT ON FUNCTION codeverify.version() IS
    'Version of the installed library, such as 0.1.0.';
GRANT EXECUTE ON FUNCTION codeverify.version()
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;

COMMENT ON FUNCTION codeverify.deploy() IS
    'Makes the enum types, tables, indexes, triggers, policies and views, and returns what it did: deployed, adopted (all exist already) or worker (a Citus worker, where the coordinator makes them). CREATE EXTENSION calls it unless codeverify.deploy is off. Raises VC003 when only some of the tables exist and VC004 when the caller is no superuser.';

COMMENT ON FUNCTION codeverify.uninstall(text) IS
    'Drops every table, type and view that codeverify.deploy() made, with all rows, and hands the schemas back to the extension so that DROP EXTENSION codeverify removes them. The argument is the name of the current database, to confirm. Fails, and drops nothing, while objects of yours depend on the tables. Raises VC002 when not confirmed and VC004 when the caller is no superuser. Example: SELECT codeverify.uninstall(current_database());';

COMMENT ON FUNCTION codeverify.is_cron_expression(text) IS
    'Whether the text is a cron expression of five fields (minute, hour, day of month, month, day of week) or a nickname such as @daily. Example: SELECT codeverify.is_cron_expression(''*/15 * * * *'');';
GRANT EXECUTE ON FUNCTION codeverify.is_cron_expression(text)
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;

CREATE FUNCTION codeverify.set_updated_at()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    NEW.updated_at := pg_catalog.now();
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION codeverify.set_updated_at() IS
    'Trigger function: sets updated_at to the start of the transaction on every update.';

CREATE FUNCTION codeverify.enforce_transition()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT (OLD.status || '>' || NEW.status) = ANY (TG_ARGV[1:]) THEN
        RAISE EXCEPTION '% cannot go from % to %', TG_ARGV[0], OLD.status, NEW.status
            USING ERRCODE = 'VC041',
                  DETAIL = pg_catalog.format(
                      'The legal steps are %s.',
                      pg_catalog.array_to_string(TG_ARGV[1:], ', ')),
                  HINT = 'Use the functions that move it, or start a new one.';
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION codeverify.enforce_transition() IS
    'Trigger function: refuses a change of status that is not listed. The first argument says what the row is, as in "analysis"; each further one is a legal step such as pending>running. Raises VC041.';

CREATE FUNCTION codeverify.raise_missing_reference(
    relation_schema text,
    relation_name text,
    key_columns text,
    key_values text,
    parent text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    constraint_name text := pg_catalog.format(
        '%s_%s_fkey', relation_name, pg_catalog.replace(key_columns, ', ', '_'));
BEGIN
    RAISE foreign_key_violation USING
        MESSAGE = pg_catalog.format(
            'insert or update on table "%s" violates foreign key constraint "%s"', relation_name, constraint_name),
        DETAIL = pg_catalog.format('Key (%s)=(%s) is not present in table "%s".', key_columns, key_values, parent),
        SCHEMA = relation_schema,
        TABLE = relation_name,
        CONSTRAINT = constraint_name;
END
$function$;
COMMENT ON FUNCTION codeverify.raise_missing_reference(text, text, text, text, text) IS
    'Raises foreign_key_violation as a foreign key would, for the triggers that stand for foreign keys on high-volume tables. key_columns and key_values are lists with ", " between.';

CREATE FUNCTION codeverify.create_partitions(parent regclass, period text, behind int, ahead int)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    parent_schema name;
    parent_name name;
    parent_owner name;
    grantee name;
    existing regclass;
    bound_format text;
    partition_name text;
    lower_bound timestamp;
    is_isolated boolean;
    step interval;
    made int := 0;
BEGIN
    IF period NOT IN ('day', 'month') THEN
        RAISE EXCEPTION 'partitions are made by day or month, not by %', period
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_partitioned_table AS p WHERE p.partrelid = parent AND p.partstrat = 'r') THEN
        RAISE EXCEPTION '% is not partitioned by range', parent
            USING ERRCODE = 'wrong_object_type',
                  HINT = 'Create the table with PARTITION BY RANGE (...) on one date or timestamptz column.';
    END IF;
    step := ('1 ' || period)::interval;

    SELECT
        n.nspname,
        c.relname,
        pg_catalog.pg_get_userbyid(c.relowner),
        CASE a.atttypid WHEN 'pg_catalog.date'::regtype THEN 'YYYY-MM-DD' ELSE 'YYYY-MM-DD 00:00:00+00' END,
        EXISTS (SELECT FROM pg_catalog.pg_policy AS y WHERE y.polrelid = parent AND y.polname = tenancy.name_after(c.relname, 'tenant'))
    INTO STRICT parent_schema, parent_name, parent_owner, bound_format, is_isolated
    FROM pg_catalog.pg_partitioned_table AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.partrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = parent;

    -- Bounds are UTC midnights whatever the session's time zone is.
    FOR offset_from_now IN -behind .. ahead LOOP
        lower_bound := pg_catalog.date_trunc(period, pg_catalog.now() AT TIME ZONE 'UTC') + offset_from_now * step;
        partition_name := parent_name || '_' || pg_catalog.to_char(
            lower_bound,
            CASE period WHEN 'day' THEN 'YYYY_MM_DD' ELSE 'YYYY_MM' END);
        existing := pg_catalog.to_regclass(pg_catalog.format('%I.%I', parent_schema, partition_name));
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = existing AND i.inhparent = parent);
        IF existing IS NOT NULL THEN
            RAISE EXCEPTION '% has the name of a partition of % and is none', existing, parent
                USING ERRCODE = 'duplicate_table',
                      HINT = 'Rename it, or attach it as that partition.';
        END IF;
        EXECUTE pg_catalog.format(
            'CREATE TABLE %I.%I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)',
            parent_schema,
            partition_name,
            parent,
            pg_catalog.to_char(lower_bound, bound_format),
            pg_catalog.to_char(lower_bound + step, bound_format));
        EXECUTE pg_catalog.format('ALTER TABLE %I.%I OWNER TO %I', parent_schema, partition_name, parent_owner);
        -- Rows are reached through the table; default privileges of this database may say otherwise.
        FOR grantee IN
            SELECT r.rolname
            FROM pg_catalog.pg_class AS c
            CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
            JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
            WHERE c.oid = pg_catalog.to_regclass(pg_catalog.format('%I.%I', parent_schema, partition_name))
              AND a.grantee <> c.relowner
        LOOP
            EXECUTE pg_catalog.format('REVOKE ALL ON %I.%I FROM %I', parent_schema, partition_name, grantee);
        END LOOP;
        EXECUTE pg_catalog.format('REVOKE ALL ON %I.%I FROM PUBLIC', parent_schema, partition_name);
        existing := pg_catalog.to_regclass(pg_catalog.format('%I.%I', parent_schema, partition_name));
        -- A partition of the ledger is isolated by its guard as soon as it is there.
        IF is_isolated AND NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_policy AS y
            WHERE y.polrelid = existing
              AND y.polname = tenancy.name_after(partition_name::name, 'tenant'))
        THEN
            PERFORM tenancy.isolate(existing);
        END IF;
        made := made + 1;
    END LOOP;
    RETURN made;
END
$function$;
COMMENT ON FUNCTION codeverify.create_partitions(regclass, text, int, int) IS
    'Makes the missing partitions of a table that is partitioned by range of one date or timestamptz column, from "behind" periods before the current UTC day or month to "ahead" periods after it, and returns how many it made. Partitions of an isolated table are isolated too. Names end in _2026_01 or _2026_01_31.';
