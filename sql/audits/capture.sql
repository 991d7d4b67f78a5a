-- Recording changes to tables.

CREATE FUNCTION audits.record_changes()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_record_changes';
COMMENT ON FUNCTION audits.record_changes() IS
    'Trigger function of the four triggers that audits.track() makes: writes what the statement did into the ledger, with the owner''s rights. Does nothing while codeverify.capture is off.';
GRANT EXECUTE ON FUNCTION audits.record_changes() TO codeverify_admin;

CREATE FUNCTION audits.refresh_capture()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_refresh_capture';
COMMENT ON FUNCTION audits.refresh_capture() IS
    'Trigger function: tells every session that the rules or the key of capture have changed.';

COMMENT ON FUNCTION audits.default_column_rules() IS
    'The column rules that come with the extension: which columns of which tables hold secrets (treatment redact), what is personal (personal) or bookkeeping (ignore), and why. Rows of audits.column_rules go before them.';
GRANT EXECUTE ON FUNCTION audits.default_column_rules() TO codeverify_admin, codeverify_auditor, codeverify_service;

COMMENT ON FUNCTION audits.column_treatments(oid, bytea) IS
    'What capture does with each column of a table: record, personal, ignore or redact, and whether it is part of the key that rows are named by. The second argument is pg_trigger.tgargs of the table''s capture triggers. Example: SELECT * FROM audits.column_treatments(''auth.users''::regclass);';
ALTER FUNCTION audits.column_treatments(oid, bytea) ROWS 10;
GRANT EXECUTE ON FUNCTION audits.column_treatments(oid, bytea) TO codeverify_admin, codeverify_auditor;

CREATE FUNCTION audits.require_trackable(target regclass)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    relation record;
    problem text;
    advice text;
BEGIN
    IF target IS NULL THEN
        RAISE EXCEPTION 'there is no table to track'
            USING ERRCODE = 'VC054',
                  DETAIL = 'The target is NULL.',
                  HINT = 'Name a table, as in SELECT audits.track(''public.tickets'');';
    END IF;
    SELECT c.relkind, c.relpersistence, c.relispartition, c.relowner, c.relname, n.nspname
    INTO STRICT relation
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = target;

    IF relation.relkind NOT IN ('r', 'p') THEN
        problem := 'Only tables have statement triggers with transition tables; this is a view, a foreign table or another relation.';
        advice := 'Track the tables that it reads.';
    ELSIF relation.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') THEN
        problem := 'It belongs to the system.';
        advice := 'For changes of the schema itself, log DDL (log_statement = ddl).';
    ELSIF relation.relpersistence = 't' THEN
        problem := 'It is temporary.';
        advice := 'Track tables that last.';
    ELSIF relation.relispartition THEN
        problem := pg_catalog.format('It is a partition of %s, and statements on that table do not fire its triggers.',
                                     pg_catalog.pg_partition_root(target));
        advice := pg_catalog.format('To track the table with all its partitions: SELECT audits.track(%L);',
                                    pg_catalog.pg_partition_root(target));
    ELSIF relation.nspname = 'audits' AND relation.relname <> 'column_rules' THEN
        problem := 'It is the ledger''s own: an entry about it would be followed by an entry about that.';
        advice := 'The ledger shows what is done to it: see audits.verify_chain().';
    ELSIF pg_catalog.length(pg_catalog.format('%I.%I', relation.nspname, relation.relname)) > 100 THEN
        problem := 'The name with its schema is longer than the 100 characters of an entry''s entity.';
        advice := 'Rename the table or its schema.';
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be tracked', target
            USING ERRCODE = 'VC054', DETAIL = problem, HINT = advice;
    END IF;

    IF NOT pg_catalog.pg_has_role(relation.relowner, 'USAGE') THEN
        RAISE EXCEPTION 'must be owner of table %', target
            USING ERRCODE = 'insufficient_privilege',
                  HINT = pg_catalog.format('SET ROLE %I, or ask its owner.', pg_catalog.pg_get_userbyid(relation.relowner));
    END IF;
END
$function$;
COMMENT ON FUNCTION audits.require_trackable(regclass) IS
    'Raises VC054 for what audits.track() cannot track, and insufficient_privilege for a table of another owner.';
GRANT EXECUTE ON FUNCTION audits.require_trackable(regclass) TO codeverify_admin;

CREATE FUNCTION audits.name_columns(target regclass, kind text, names text[])
RETURNS text[]
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    missing text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('"%s"', n.name), ', ')
    INTO missing
    FROM pg_catalog.unnest(names) AS n (name)
    WHERE NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = target
          AND a.attname = n.name
          AND a.attnum > 0
          AND NOT a.attisdropped);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% has no column %', target, missing
            USING ERRCODE = 'undefined_column',
                  HINT = 'Name columns as the catalog does, without quotes.';
    END IF;
    RETURN (
        SELECT coalesce(pg_catalog.array_agg(pg_catalog.format('%s=%s:%s', kind, a.attnum, a.attname) ORDER BY a.attnum), '{}')
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = target
          AND a.attname = ANY (names)
          AND a.attnum > 0);
END
$function$;
COMMENT ON FUNCTION audits.name_columns(regclass, text, text[]) IS
    'The arguments of a capture trigger for columns of a table, such as redact=3:notes: kind, number and name of each. Raises undefined_column for a name that the table does not have.';
GRANT EXECUTE ON FUNCTION audits.name_columns(regclass, text, text[]) TO codeverify_admin;

CREATE FUNCTION audits.track(target regclass, redact text[] DEFAULT NULL, key_columns text[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- The triggers' arguments are quoted where they are put together.
    relation regclass;
    trigger record;
    arguments text;
BEGIN
    PERFORM audits.require_trackable(target);
    -- Whoever names a partition in a statement fires its triggers and not those of the table.
    FOR relation IN SELECT t.name FROM tenancy.list_partition_tree(target) AS t (name) ORDER BY t.name <> target
    LOOP
        -- Each has numbers of its own for its columns.
        SELECT pg_catalog.string_agg(pg_catalog.quote_literal(n.argument), ', ' ORDER BY n.place)
        INTO arguments
        FROM pg_catalog.unnest(
            audits.name_columns(relation, 'redact', redact) || audits.name_columns(relation, 'key', key_columns)
        ) WITH ORDINALITY AS n (argument, place);
        FOR trigger IN
            SELECT e.name, e.event, e.tables
            FROM (VALUES
                ('codeverify_capture_insert',   'INSERT',   'REFERENCING NEW TABLE AS new_rows'),
                ('codeverify_capture_update',   'UPDATE',   'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
                ('codeverify_capture_delete',   'DELETE',   'REFERENCING OLD TABLE AS old_rows'),
                ('codeverify_capture_truncate', 'TRUNCATE', '')
            ) AS e (name, event, tables)
        LOOP
            EXECUTE pg_catalog.format(
                'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION audits.record_changes(%s)',
                trigger.name, trigger.event, relation, trigger.tables, arguments);
            EXECUTE pg_catalog.format(
                'COMMENT ON TRIGGER %I ON %s IS %L',
                trigger.name, relation, 'Records what statements do in the audit ledger. See audits.track().');
        END LOOP;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION audits.track(regclass, text[], text[]) IS
    'From now on, every statement that inserts, updates, deletes or truncates rows of the table leaves entries in the ledger: entity is schema.table, action row.inserted, row.updated, row.deleted or table.truncated, the payload holds the rows, of an update the columns that changed. Secrets are redacted by audits.default_column_rules() and audits.column_rules, and so are the columns named as redact. key_columns name a row; without them the primary key does, and without that the whole row. Partitions that there are now are tracked as well. Called again, it replaces what was said before. The caller must own the table. Raises VC054 for what is no table of its own, undefined_column for a column that there is not. Example: SELECT audits.track(''public.tickets'', redact => ''{notes}'');';
GRANT EXECUTE ON FUNCTION audits.track(regclass, text[], text[]) TO codeverify_admin;

CREATE FUNCTION audits.untrack(target regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    trigger record;
BEGIN
    FOR trigger IN
        SELECT g.tgname, r.name AS relation
        FROM tenancy.list_partition_tree(target) AS r (name)
        JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = r.name
        WHERE g.tgfoid = 'audits.record_changes()'::regprocedure
    LOOP
        EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', trigger.tgname, trigger.relation);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION audits.untrack(regclass) IS
    'Undoes audits.track(): removes the capture triggers of a table and its partitions. Entries stay. Does nothing for a table that is not tracked. The caller must own the table. Example: SELECT audits.untrack(''public.tickets'');';
GRANT EXECUTE ON FUNCTION audits.untrack(regclass) TO codeverify_admin;

CREATE FUNCTION audits.set_column_rule(
    column_pattern text,
    treatment text,
    table_pattern text DEFAULT NULL,
    reason text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    IF set_column_rule.treatment IS NULL THEN
        DELETE FROM audits.column_rules AS r
        WHERE r.column_pattern = set_column_rule.column_pattern
          AND r.table_pattern IS NOT DISTINCT FROM set_column_rule.table_pattern;
        RETURN;
    END IF;
    INSERT INTO audits.column_rules (table_pattern, column_pattern, treatment, reason)
    VALUES (set_column_rule.table_pattern, set_column_rule.column_pattern, set_column_rule.treatment, set_column_rule.reason)
    ON CONFLICT ON CONSTRAINT column_rules_table_pattern_column_pattern_key
    DO UPDATE SET treatment = excluded.treatment, reason = excluded.reason;
END
$function$;
COMMENT ON FUNCTION audits.set_column_rule(text, text, text, text) IS
    'Sets what capture does with columns, from the next statement of every session on: treatment redact, ignore, personal or record for the columns whose name matches the LIKE pattern, in the tables whose schema.table matches the other one (NULL: all). Goes before audits.default_column_rules(). A treatment of NULL removes the rule. The change is recorded in the ledger. Example: SELECT audits.set_column_rule(''iban'', ''redact'', reason => ''Bank accounts.'');';
GRANT EXECUTE ON FUNCTION audits.set_column_rule(text, text, text, text) TO codeverify_admin;
