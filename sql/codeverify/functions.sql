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
