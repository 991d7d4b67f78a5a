-- How a partition set is kept: what may be set, and by whom.

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

COMMENT ON FUNCTION codeverify.save_partition_set(regclass, jsonb) IS
    'Writes how a partition set is kept, for codeverify.configure_partitions(). For the tables of codeverify codeverify_admin may, except for closed_indexes: what stands there runs with the rights of the table''s owner, so that only superusers and members of codeverify_owner may set it. For any other table its owner may. Raises insufficient_privilege and VC093.';
GRANT EXECUTE ON FUNCTION codeverify.save_partition_set(regclass, jsonb) TO codeverify_admin;

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

CREATE FUNCTION codeverify.check_partition_set()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NEW.parent = pg_catalog.to_regclass('audits.audit_log')
        AND (NEW.action <> 'archive' OR NEW.compress_after IS NOT NULL)
    THEN
        RAISE EXCEPTION 'entries of the ledger leave it for an archive only'
            USING ERRCODE = 'VC091',
                  DETAIL = 'Archived entries stay readable and verifiable; dropped, detached or packed as other rows are, they would not.',
                  HINT = 'Use action => ''archive'' and no compress_after; audits.prune_archive() deletes archives.';
    END IF;
    IF NEW.compress_after IS NOT NULL
        AND NEW.parent IN (
            pg_catalog.to_regclass('telemetry.code_events'), pg_catalog.to_regclass('integrations.webhook_deliveries'))
    THEN
        RAISE EXCEPTION 'rows of % are not packed', NEW.parent
            USING ERRCODE = 'VC091',
                  DETAIL = 'What reads them reads the table.',
                  HINT = 'Leave compress_after out.';
    END IF;
    SELECT coalesce(pg_catalog.array_agg(DISTINCT codeverify.normalize_index(NEW.parent, d.definition)), '{}')
    INTO NEW.closed_indexes
    FROM pg_catalog.unnest(NEW.closed_indexes) AS d (definition);
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION codeverify.check_partition_set() IS
    'Trigger function: writes a set''s closed_indexes as the server does, by which they are found again, and refuses retention of the ledger other than by archive, and compress_after for what is read in the table alone. Raises VC091.';
