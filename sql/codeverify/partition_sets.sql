-- Which tables are partition sets, and how they are kept.

COMMENT ON FUNCTION codeverify.list_set_partitions(regclass) IS
    'The partitions of a table that is partitioned by range of one date or timestamptz column, with their bounds in time, DEFAULT (without bounds) last; MINVALUE and MAXVALUE are infinities. No row for any other table. Example: SELECT * FROM codeverify.list_set_partitions(''observability.logs'');';
GRANT EXECUTE ON FUNCTION codeverify.list_set_partitions(regclass)
TO codeverify_admin, codeverify_service, codeverify_auditor;

COMMENT ON FUNCTION codeverify.run_as_owner_of(regclass, text) IS
    'Runs a statement as the owner of a table, in a security-restricted operation as VACUUM does, with a pinned search_path, UTC and ISO dates, and returns how many rows it processed. For what maintenance does to a table of somebody else, so that triggers, defaults and index expressions there have the owner''s rights and no others. What guards the ledger does not let it pass. Raises VC093 when codeverify_owner is no member of the owner, or the owner is a superuser.';

COMMENT ON FUNCTION codeverify.read_as_owner_of(regclass, text) IS
    'The first value of a query, which is planned and run as the owner of a table, as codeverify.run_as_owner_of() runs statements, but reads what the caller may read; row security that would hide rows is an error. For what maintenance asks of a table of somebody else: planning runs what is constant in the expressions of its indexes. NULL without a row. Raises VC093 as codeverify.run_as_owner_of() does.';

CREATE FUNCTION codeverify.list_partition_sets()
RETURNS TABLE (
    parent regclass,
    period text,
    premake integer,
    retention interval,
    action text,
    compress_after interval,
    closed_indexes text[],
    live_search boolean,
    closes_after interval,
    retired_until timestamptz,
    last_error text,
    last_error_at timestamptz,
    is_stored boolean)
LANGUAGE plpgsql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.parent, s.period, s.premake, s.retention, s.action, s.compress_after, s.closed_indexes, s.live_search,
           s.closes_after, s.retired_until, s.last_error, s.last_error_at, true
    FROM codeverify.partition_sets AS s
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = s.parent
    UNION ALL
    -- As the columns of the table have their defaults. Nothing is deleted or packed unless somebody asks for it.
    SELECT p.partrelid::regclass, d.period, d.premake, NULL::interval, d.action, NULL::interval, d.closed_indexes, false,
           '1 hour'::interval, NULL::timestamptz, NULL::text, NULL::timestamptz, false
    FROM (VALUES
        ('observability.logs', 'day', 14, 'drop', ARRAY[
            -- As the server writes them: by that they are found again.
            'USING gin (to_tsvector(''simple''::regconfig, "left"(message, 100000)))',
            'USING gin (meta_json jsonb_path_ops)']),
        ('telemetry.code_events', 'month', 3, 'drop', '{}'),
        ('providers.usage_tracking', 'month', 3, 'drop', '{}'),
        ('integrations.webhook_deliveries', 'month', 3, 'drop', '{}'),
        ('audits.audit_log', 'month', 3, 'archive', ARRAY[
            'USING gin (audits.entry_document(entity, action, payload))'])
    ) AS d (name, period, premake, action, closed_indexes)
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = pg_catalog.to_regclass(d.name)
    WHERE NOT EXISTS (SELECT FROM codeverify.partition_sets AS s WHERE s.parent = p.partrelid);
END
$function$;
COMMENT ON FUNCTION codeverify.list_partition_sets() IS
    'The partition sets as maintenance keeps them: the rows of codeverify.partition_sets whose table is there, and the partitioned tables of codeverify that have none yet, as they are kept by default. Example: SELECT parent, period, retention FROM codeverify.list_partition_sets();';
GRANT EXECUTE ON FUNCTION codeverify.list_partition_sets()
TO codeverify_admin, codeverify_service, codeverify_auditor;

CREATE FUNCTION codeverify.store_partition_set(parent regclass)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    INSERT INTO codeverify.partition_sets (parent, period, premake, action, closed_indexes, live_search, closes_after)
    SELECT s.parent, s.period, s.premake, s.action, s.closed_indexes, s.live_search, s.closes_after
    FROM codeverify.list_partition_sets() AS s
    WHERE s.parent = store_partition_set.parent
      AND NOT s.is_stored
    ON CONFLICT ON CONSTRAINT partition_sets_pkey DO NOTHING;
END
$function$;
COMMENT ON FUNCTION codeverify.store_partition_set(regclass) IS
    'Makes the row of codeverify.partition_sets for a set that is kept by default, as soon as there is something to note about it. Does nothing when it is there.';

COMMENT ON FUNCTION codeverify.save_partition_set(regclass, jsonb) IS
    'Writes how a partition set is kept, for codeverify.configure_partitions(). For the tables of codeverify codeverify_admin may, except for closed_indexes: what stands there runs with the rights of the table''s owner, so that only superusers and members of codeverify_owner may set it. For any other table its owner may. Raises insufficient_privilege and VC093.';
GRANT EXECUTE ON FUNCTION codeverify.save_partition_set(regclass, jsonb) TO codeverify_admin;

CREATE FUNCTION codeverify.write_partition_set(parent regclass, changes jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
DECLARE
    problem text := codeverify.find_set_fault(parent, changes);
BEGIN
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be kept so', parent
            USING ERRCODE = 'invalid_parameter_value', DETAIL = problem;
    END IF;
    PERFORM codeverify.store_partition_set(parent);
    -- Not by ON CONFLICT: triggers would judge a row that is not stored.
    INSERT INTO codeverify.partition_sets (parent, period, premake, action)
    SELECT write_partition_set.parent, changes ->> 'period', (changes ->> 'premake')::integer, changes ->> 'action'
    WHERE NOT EXISTS (SELECT FROM codeverify.partition_sets AS s WHERE s.parent = write_partition_set.parent);

    UPDATE codeverify.partition_sets AS s
    SET period = n.period,
        premake = n.premake,
        retention = n.retention,
        action = n.action,
        compress_after = n.compress_after,
        closed_indexes = n.closed_indexes,
        live_search = n.live_search,
        closes_after = n.closes_after
    FROM pg_catalog.jsonb_to_record(changes) AS n (
        period text, premake integer, retention interval, action text, compress_after interval, closed_indexes text[],
        live_search boolean, closes_after interval)
    WHERE s.parent = write_partition_set.parent;
END
$function$;
COMMENT ON FUNCTION codeverify.write_partition_set(regclass, jsonb) IS
    'Stores all that is configured about a set. Raises invalid_parameter_value for what a set cannot have.';

CREATE FUNCTION codeverify.require_set_table(parent regclass)
RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    problem text;
    advice text;
BEGIN
    SELECT CASE
               WHEN c.oid IS NULL THEN 'There is no such table.'
               WHEN c.relispartition THEN pg_catalog.format('It is a partition of %s.', pg_catalog.pg_partition_root(parent))
               WHEN p.partrelid IS NULL THEN 'It is not partitioned.'
               WHEN p.partstrat <> 'r' OR p.partnatts <> 1 THEN 'It is not partitioned by range of one column.'
               WHEN a.attname IS NULL THEN 'It is partitioned by an expression.'
               WHEN a.atttypid NOT IN ('pg_catalog.date'::regtype, 'pg_catalog.timestamptz'::regtype)
               THEN pg_catalog.format('Its column %I is of type %s.', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
           END,
           CASE
               WHEN c.relispartition THEN 'Name that table.'
               WHEN p.partrelid IS NULL THEN 'SELECT codeverify.partition_table(...) makes a partitioned table of an ordinary one.'
               ELSE 'A set is partitioned by range of one column of type date or timestamptz.'
           END
    INTO problem, advice
    FROM (SELECT parent AS oid) AS o
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = o.oid
    LEFT JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = c.oid
    LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND a.attnum > 0;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be a partition set', parent
            USING ERRCODE = 'VC092', DETAIL = problem, HINT = advice;
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.require_set_table(regclass) IS
    'Raises VC092 for a table that is not partitioned by range of one date or timestamptz column.';
GRANT EXECUTE ON FUNCTION codeverify.require_set_table(regclass) TO codeverify_admin;

CREATE FUNCTION codeverify.find_set_fault(parent regclass, configuration jsonb)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    set record;
    is_ledger boolean := parent IS NOT DISTINCT FROM pg_catalog.to_regclass('audits.audit_log');
    least_premake int;
BEGIN
    SELECT n.*
    INTO set
    FROM pg_catalog.jsonb_to_record(configuration) AS n (
        period text, premake integer, retention interval, action text, compress_after interval, closed_indexes text[],
        live_search boolean, closes_after interval);
    least_premake := CASE set.period WHEN 'day' THEN 14 ELSE 2 END;
    RETURN CASE
        WHEN set.period IS NULL THEN 'A new set needs a period: day, week or month.'
        WHEN set.period NOT IN ('day', 'week', 'month')
        THEN pg_catalog.format('The period is %L; it is day, week or month.', set.period)
        WHEN set.premake NOT BETWEEN least_premake AND 150
        THEN pg_catalog.format('premake is %s; by %s it is from %s to 150, so that there is time to notice when maintenance stands still.', set.premake, set.period, least_premake)
        WHEN set.action NOT IN ('detach', 'drop', 'archive')
        THEN pg_catalog.format('The action is %L; it is detach, drop or archive.', set.action)
        WHEN set.retention <= '0' THEN 'The retention is not greater than zero.'
        WHEN set.compress_after <= '0' THEN 'compress_after is not greater than zero.'
        WHEN set.closes_after < '0' THEN 'closes_after is less than zero.'
        WHEN set.compress_after >= set.retention THEN 'Rows would be past retention before they are packed.'
        WHEN is_ledger AND set.action <> 'archive'
        THEN 'Entries of the ledger leave it by being archived, not otherwise.'
        WHEN is_ledger AND set.compress_after IS NOT NULL THEN 'The ledger is packed by archiving it.'
        WHEN EXISTS (
            SELECT
            FROM pg_catalog.unnest(set.closed_indexes) AS c (clause)
            WHERE c.clause IS NULL
               OR c.clause !~* '^\s*(USING\s+\w+\s*)?\('
               OR c.clause ~ ';')
        THEN 'closed_indexes are what follows the table''s name in CREATE INDEX, such as USING gin (meta jsonb_path_ops).'
    END;
END
$function$;
COMMENT ON FUNCTION codeverify.find_set_fault(regclass, jsonb) IS
    'What is wrong with how a partition set would be kept; NULL when nothing is.';
GRANT EXECUTE ON FUNCTION codeverify.find_set_fault(regclass, jsonb) TO codeverify_admin;

CREATE FUNCTION codeverify.configure_partitions(
    parent regclass,
    period text DEFAULT NULL,
    premake integer DEFAULT NULL,
    retention interval DEFAULT NULL,
    action text DEFAULT NULL,
    compress_after interval DEFAULT NULL,
    closed_indexes text[] DEFAULT NULL,
    live_search boolean DEFAULT NULL,
    closes_after interval DEFAULT NULL,
    reset text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_variable
DECLARE
    configuration jsonb;
    problem text;
    partitions int;
BEGIN
    PERFORM codeverify.require_set_table(parent);
    SELECT pg_catalog.jsonb_build_object(
               'period', coalesce(period, s.period),
               'premake', coalesce(
                   premake,
                   -- So many days are not so many months.
                   CASE WHEN s.period = coalesce(period, s.period) THEN s.premake END,
                   CASE coalesce(period, s.period) WHEN 'day' THEN 14 WHEN 'week' THEN 4 ELSE 3 END),
               'retention', coalesce(retention, CASE WHEN NOT 'retention' = ANY (reset) THEN s.retention END),
               'action', coalesce(action, s.action, 'drop'),
               'compress_after', coalesce(compress_after, CASE WHEN NOT 'compress_after' = ANY (reset) THEN s.compress_after END),
               'closed_indexes', coalesce(closed_indexes, CASE WHEN NOT 'closed_indexes' = ANY (reset) THEN s.closed_indexes END, '{}'),
               'live_search', coalesce(live_search, s.live_search, false),
               'closes_after', coalesce(closes_after, s.closes_after, '1 hour')),
           CASE
               WHEN NOT coalesce(reset, '{}') <@ ARRAY['retention', 'compress_after', 'closed_indexes']
               THEN 'reset lists what there is to be no more: retention, compress_after and closed_indexes.'
               WHEN 'retention' = ANY (reset) AND retention IS NOT NULL
                    OR 'compress_after' = ANY (reset) AND compress_after IS NOT NULL
                    OR 'closed_indexes' = ANY (reset) AND closed_indexes IS NOT NULL
               THEN 'reset takes away what another argument sets.'
           END
    INTO configuration, problem
    FROM (SELECT) AS o
    LEFT JOIN codeverify.list_partition_sets() AS s ON s.parent = configure_partitions.parent;
    problem := coalesce(problem, codeverify.find_set_fault(parent, configuration));
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be kept so', parent
            USING ERRCODE = 'VC091',
                  DETAIL = problem,
                  HINT = 'See COMMENT ON FUNCTION codeverify.configure_partitions for what each argument may be. Nothing was changed.';
    END IF;

    -- It is judged again when it is saved, but an error of there would come without its code.
    PERFORM codeverify.label_index(d.definition)
    FROM pg_catalog.jsonb_array_elements_text(configuration -> 'closed_indexes') AS d (definition);
    PERFORM codeverify.save_partition_set(parent, configuration);

    -- What there is, and what will be before anything leaves.
    SELECT greatest(
        pg_catalog.count(*) FILTER (WHERE NOT l.is_default),
        (configuration ->> 'premake')::int + 1 + pg_catalog.ceil(
            extract(epoch FROM (configuration ->> 'retention')::interval)
            / extract(epoch FROM ('1 ' || (configuration ->> 'period'))::interval)))
    INTO partitions
    FROM codeverify.list_set_partitions(parent) AS l;
    IF partitions > 150 THEN
        RAISE WARNING '% has, or will have, % partitions', parent, partitions
            USING HINT = 'Planning takes longer with each: keep below 150 with a longer period or a shorter retention.';
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.configure_partitions(regclass, text, integer, interval, text, interval, text[], boolean, interval, text[]) IS
    'Sets how codeverify.maintain() keeps the partitions of a table, which is partitioned by range of one date or timestamptz column; what is NULL stays as it is. period: day, week (from Monday) or month, in UTC. premake: how many periods ahead partitions are made, at least 14 days or 2 weeks or months. retention: how long rows are kept after the end of their partition, which is then detached, dropped or archived (action); without it, for good. compress_after: how long after its end a partition is packed. closed_indexes: what follows the table''s name in CREATE INDEX, for indexes that a partition gets once it is closed, which is closes_after after its end; live_search gives them to open ones too. reset: which of retention, compress_after and closed_indexes there is to be no more. For codeverify_admin: its members configure the tables of codeverify, except closed_indexes (superusers and members of codeverify_owner), and tables whose owner they are. Warns when there are or will be more than 150 partitions. Raises VC091, VC092 and VC093. Examples: SELECT codeverify.configure_partitions(''observability.logs'', retention => ''90 days''); SELECT codeverify.configure_partitions(''observability.logs'', reset => ''{retention}'');';
GRANT EXECUTE ON FUNCTION codeverify.configure_partitions(regclass, text, integer, interval, text, interval, text[], boolean, interval, text[])
TO codeverify_admin;

CREATE FUNCTION codeverify.find_partitioning_fault(target regclass, key name)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
        WHEN c.relkind <> 'r' THEN 'It is no table.'
        WHEN c.relpersistence <> 'p' THEN 'It is temporary or unlogged.'
        WHEN n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') THEN 'It belongs to the system.'
        WHEN pg_catalog.pg_get_userbyid(c.relowner) = 'codeverify_owner' THEN 'It belongs to codeverify.'
        WHEN c.relispartition THEN 'It is a partition.'
        WHEN c.reloftype <> 0 THEN 'It is a typed table.'
        WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE target IN (i.inhrelid, i.inhparent))
        THEN 'It inherits from a table, or a table inherits from it.'
        WHEN a.attname IS NULL THEN pg_catalog.format('It has no column %I.', key)
        WHEN a.atttypid NOT IN ('pg_catalog.date'::regtype, 'pg_catalog.timestamptz'::regtype)
        THEN pg_catalog.format('Its column %I is of type %s, and partitions are made by a date or timestamptz.', key, pg_catalog.format_type(a.atttypid, a.atttypmod))
        WHEN a.attgenerated <> '' THEN pg_catalog.format('Its column %I is generated.', key)
        ELSE coalesce(
            (
                SELECT pg_catalog.format('%s %I lacks the column %I: rows of different partitions are not compared.',
                                         CASE WHEN i.indisprimary THEN 'Its primary key' ELSE 'Its unique index' END, x.relname, key)
                FROM pg_catalog.pg_index AS i
                JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
                WHERE i.indrelid = target
                  AND i.indisunique
                  AND NOT a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                LIMIT 1
            ),
            (
                SELECT pg_catalog.format('Its index %I is not valid.', x.relname)
                FROM pg_catalog.pg_index AS i
                JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
                WHERE i.indrelid = target
                  AND NOT i.indisvalid
                LIMIT 1
            ),
            (
                SELECT CASE o.contype
                    WHEN 'x' THEN pg_catalog.format('It has the exclusion constraint %I.', o.conname)
                    WHEN 'f' THEN pg_catalog.format('The foreign key %I of %s references it.', o.conname, o.conrelid::regclass)
                    ELSE pg_catalog.format('Its constraint %I is not valid, or not inherited.', o.conname)
                END
                FROM pg_catalog.pg_constraint AS o
                WHERE o.contype = 'f' AND o.confrelid = target
                   OR o.conrelid = target AND (o.contype = 'x' OR NOT o.convalidated OR o.contype = 'c' AND o.connoinherit)
                LIMIT 1
            ),
            (
                SELECT pg_catalog.format('It has the rule %I.', r.rulename)
                FROM pg_catalog.pg_rewrite AS r
                WHERE r.ev_class = target
                LIMIT 1
            ),
            (
                SELECT pg_catalog.format('Its trigger %I sees tables of rows for each row.', g.tgname)
                FROM pg_catalog.pg_trigger AS g
                WHERE g.tgrelid = target
                  AND g.tgtype & 1 = 1
                  AND (g.tgoldtable IS NOT NULL OR g.tgnewtable IS NOT NULL)
                LIMIT 1
            ),
            (
                -- They know it by its number, which the old table keeps.
                SELECT 'This depends on it: ' || pg_catalog.string_agg(DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), ', ') || '.'
                FROM pg_catalog.pg_depend AS d
                LEFT JOIN pg_catalog.pg_policy AS p ON d.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = d.objid
                WHERE (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = target
                       AND (d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_publication_rel'::regclass)
                            OR p.polrelid <> target))
                   OR (d.refclassid = 'pg_catalog.pg_type'::regclass
                       AND d.refobjid IN (c.reltype, (SELECT t.typarray FROM pg_catalog.pg_type AS t WHERE t.oid = c.reltype))
                       AND d.deptype = 'n')
            ),
            (
                SELECT 'It belongs to an extension.'
                FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass
                  AND d.objid = target
                  AND d.deptype = 'e'
                LIMIT 1
            ))
    END
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = key AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.oid = target
$function$;
COMMENT ON FUNCTION codeverify.find_partitioning_fault(regclass, name) IS
    'Why an ordinary table cannot be made a partitioned one by a column; NULL when it can.';
GRANT EXECUTE ON FUNCTION codeverify.find_partitioning_fault(regclass, name) TO codeverify_admin;

CREATE FUNCTION codeverify.list_partitioning_statements(target regclass, key name)
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 50
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Nothing is executed here; names and values are quoted where the statements are put together.
    relation record;
    old_name text;
BEGIN
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, n.nspname, c.relname, c.relreplident, c.reltablespace,
           tenancy.name_after(c.relname, 'default') AS default_name,
           pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) AS owner
    INTO STRICT relation
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = target;
    old_name := pg_catalog.format('%I.%I', relation.nspname, relation.default_name);

    -- The old table steps aside, with its indexes, and becomes the DEFAULT partition of a new one. No row moves.
    RETURN NEXT pg_catalog.format('ALTER TABLE %s RENAME TO %I', relation.name, relation.default_name);
    RETURN QUERY
    SELECT pg_catalog.format('ALTER INDEX %I.%I RENAME TO %I', relation.nspname, x.relname, tenancy.name_after(x.relname, 'default'))
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    WHERE i.indrelid = target;
    RETURN NEXT pg_catalog.format(
        'CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (%I)', relation.name, old_name, key);
    RETURN NEXT pg_catalog.format('ALTER TABLE %s OWNER TO %s', relation.name, relation.owner);

    -- Numbers go on where they were.
    RETURN QUERY
    SELECT s.statement
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_depend AS d
        ON d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid = target
        AND d.refobjsubid = a.attnum
        AND d.classid = 'pg_catalog.pg_class'::regclass
        AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class AS q ON q.oid = d.objid AND q.relkind = 'S'
    CROSS JOIN LATERAL (
        SELECT pg_catalog.format('ALTER SEQUENCE %s OWNED BY %s.%I', q.oid::regclass, relation.name, a.attname)
        WHERE d.deptype = 'a'
        UNION ALL
        SELECT pg_catalog.format(
            'SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%L, %L), o.last_value, o.is_called) FROM %s AS o',
            relation.name, a.attname, q.oid::regclass)
        WHERE d.deptype = 'i'
        UNION ALL
        SELECT pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', old_name, a.attname)
        WHERE d.deptype = 'i'
    ) AS s (statement)
    WHERE a.attrelid = target;

    -- Indexes and constraints keep their names; those of the old table are taken as parts of them.
    RETURN QUERY
    SELECT s.statement
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    LEFT JOIN pg_catalog.pg_constraint AS o ON o.conindid = i.indexrelid AND o.conrelid = target AND o.contype IN ('p', 'u')
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN o.oid IS NULL THEN pg_catalog.pg_get_indexdef(i.indexrelid)
            ELSE pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation.name, o.conname, pg_catalog.pg_get_constraintdef(o.oid))
        END
        UNION ALL
        SELECT pg_catalog.format('COMMENT ON INDEX %I.%I IS %L', relation.nspname, x.relname, d.description)
        FROM pg_catalog.obj_description(x.oid, 'pg_class') AS d (description)
        WHERE d.description IS NOT NULL
        UNION ALL
        SELECT pg_catalog.format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', relation.nspname, x.relname, a.attnum, a.attstattarget)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = i.indexrelid
          AND a.attstattarget >= 0
    ) AS s (statement)
    WHERE i.indrelid = target;
    RETURN QUERY
    SELECT pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation.name, o.conname, pg_catalog.pg_get_constraintdef(o.oid))
    FROM pg_catalog.pg_constraint AS o
    WHERE o.conrelid = target
      AND o.contype = 'f';
    RETURN QUERY
    SELECT pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', o.conname, relation.name, d.description)
    FROM pg_catalog.pg_constraint AS o
    CROSS JOIN LATERAL pg_catalog.obj_description(o.oid, 'pg_constraint') AS d (description)
    WHERE o.conrelid = target
      AND o.contype IN ('f', 'p', 'u')
      AND d.description IS NOT NULL;

    -- A trigger for rows comes back to the old table from the new one.
    RETURN QUERY
    SELECT s.statement
    FROM pg_catalog.pg_trigger AS g
    CROSS JOIN LATERAL (
        SELECT pg_catalog.format('DROP TRIGGER %I ON %s', g.tgname, old_name)
        WHERE g.tgtype & 1 = 1
        UNION ALL
        SELECT pg_catalog.pg_get_triggerdef(g.oid)
        UNION ALL
        SELECT pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', relation.name, CASE g.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, g.tgname)
        WHERE g.tgenabled <> 'O'
        UNION ALL
        SELECT pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', g.tgname, relation.name, d.description)
        FROM pg_catalog.obj_description(g.oid, 'pg_trigger') AS d (description)
        WHERE d.description IS NOT NULL
    ) AS s (statement)
    WHERE g.tgrelid = target
      AND NOT g.tgisinternal
      AND g.tgfoid <> 'audits.record_changes()'::regprocedure;

    RETURN NEXT pg_catalog.format('ALTER TABLE %s ATTACH PARTITION %s DEFAULT', relation.name, old_name);
    IF relation.relreplident <> 'd' THEN
        RETURN NEXT pg_catalog.format('ALTER TABLE %s %s', relation.name, codeverify.replica_identity_clause(target));
    END IF;
    RETURN QUERY
    SELECT pg_catalog.format('COMMENT ON TABLE %s IS %L', relation.name, d.description)
    FROM pg_catalog.obj_description(target, 'pg_class') AS d (description)
    WHERE d.description IS NOT NULL;
END
$function$;
COMMENT ON FUNCTION codeverify.list_partitioning_statements(regclass, name) IS
    'What makes a partitioned table of an ordinary one, which becomes its DEFAULT partition; without what needs the new table to be there.';
GRANT EXECUTE ON FUNCTION codeverify.list_partitioning_statements(regclass, name) TO codeverify_admin;

CREATE FUNCTION codeverify.partition_table(target regclass, key name, period text, premake integer DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- The statements come from the catalog, quoted where they are put together.
    relation record;
    problem text;
    statement text;
    statements text[];
    successor regclass;
    -- What stands in somebody's table must not run with the rights of a superuser.
    is_borrowed boolean;
    callers_messages text := pg_catalog.current_setting('client_min_messages');
BEGIN
    SELECT c.relkind, c.relowner, n.nspname, tenancy.name_after(c.relname, 'default') AS default_name,
           pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    INTO relation
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = target;
    IF NOT FOUND THEN
        RAISE undefined_table USING MESSAGE = 'there is no table to partition';
    END IF;
    IF NOT pg_catalog.pg_has_role(relation.relowner, 'USAGE') THEN
        RAISE EXCEPTION 'must be owner of table %', target
            USING ERRCODE = 'insufficient_privilege',
                  HINT = pg_catalog.format('SET ROLE %I, or ask its owner.', pg_catalog.pg_get_userbyid(relation.relowner));
    END IF;

    is_borrowed := relation.relowner <> (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
        AND (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user);

    IF relation.relkind = 'p' THEN
        PERFORM codeverify.require_set_table(target);
        IF pg_catalog.pg_get_partkeydef(target) <> pg_catalog.format('RANGE (%I)', key) THEN
            problem := pg_catalog.format('It is partitioned by %s.', pg_catalog.pg_get_partkeydef(target));
        END IF;
    ELSE
        EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', relation.name);
        problem := codeverify.find_partitioning_fault(target, key);
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% cannot be partitioned', target
            USING ERRCODE = 'VC092', DETAIL = problem,
                  HINT = 'Change what stands in the way, or make a partitioned table by hand and copy the rows.';
    END IF;

    IF relation.relkind = 'p' THEN
        IF NOT EXISTS (SELECT FROM codeverify.list_set_partitions(target) AS l WHERE l.is_default) THEN
            statement := pg_catalog.format(
                'CREATE TABLE %I.%I PARTITION OF %s DEFAULT', relation.nspname, relation.default_name, relation.name);
            IF is_borrowed THEN
                PERFORM codeverify.run_as_owner_of(target, statement);
            ELSE
                EXECUTE statement;
            END IF;
            successor := pg_catalog.to_regclass(pg_catalog.format('%I.%I', relation.nspname, relation.default_name));
            EXECUTE pg_catalog.format(
                'ALTER TABLE %s OWNER TO %I', successor, pg_catalog.pg_get_userbyid(relation.relowner));
            FOR statement IN
                SELECT f.statement FROM codeverify.list_finishing_statements(target, successor) AS f
            LOOP
                EXECUTE statement;
            END LOOP;
        END IF;
        PERFORM codeverify.configure_partitions(target, period, premake);
        RETURN;
    END IF;

    -- All of them before the first is run: they speak of the table as it was. That the new one is not isolated yet is
    -- no news.
    statements := ARRAY(SELECT l.statement FROM codeverify.list_partitioning_statements(target, key) AS l (statement));
    PERFORM pg_catalog.set_config('client_min_messages', 'error', true);
    FOREACH statement IN ARRAY statements LOOP
        IF is_borrowed THEN
            PERFORM codeverify.run_as_owner_of(target, statement);
        ELSE
            EXECUTE statement;
        END IF;
    END LOOP;
    successor := pg_catalog.to_regclass(relation.name);
    FOR statement IN
        SELECT l.statement FROM codeverify.list_grant_statements(target, successor) AS l (statement)
        UNION ALL SELECT l.statement FROM codeverify.list_policy_statements(target, successor, false) AS l (statement)
        UNION ALL SELECT l.statement FROM codeverify.list_capture_statements(target, successor) AS l (statement)
        UNION ALL SELECT l.statement FROM codeverify.list_statistics_statements(target, successor) AS l (statement)
    LOOP
        EXECUTE statement;
    END LOOP;
    -- Its rows are reached through the new table.
    FOR statement IN
        SELECT l.statement FROM codeverify.list_grant_statements(NULL, target) AS l (statement)
    LOOP
        EXECUTE statement;
    END LOOP;
    PERFORM pg_catalog.set_config('client_min_messages', callers_messages, true);
    PERFORM codeverify.configure_partitions(successor, period, premake);
END
$function$;
COMMENT ON FUNCTION codeverify.partition_table(regclass, name, text, integer) IS
    'Makes a partition set of a table of your own, by day, week or month (UTC) of a date or timestamptz column: of one that is partitioned by range of that column, or of an ordinary one. That one becomes the DEFAULT partition of a new table of the same name, with its columns, defaults, constraints, indexes, comments, owner, grants, row security, policies, triggers and replica identity; no row moves. The next codeverify.maintain() makes the partitions, each with its rows. Locks the table against everybody for a moment. Raises VC092 for a table that cannot be partitioned, as when a primary key or unique index lacks the column, a foreign key references it or a view depends on it; VC091; VC093 when codeverify_owner is no member of the table''s owner. For its owner. Example: SELECT codeverify.partition_table(''public.measurements'', ''measured_at'', ''month'');';
GRANT EXECUTE ON FUNCTION codeverify.partition_table(regclass, name, text, integer) TO codeverify_admin;
