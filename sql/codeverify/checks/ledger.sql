-- Checks of what guards and verifies the ledger.

COMMENT ON FUNCTION codeverify.find_key_fault() IS
    'What is wrong with the file that codeverify.ledger_key_file names, in words; NULL when nothing is.';

CREATE FUNCTION codeverify.list_unguarded()
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
    -- BEFORE, each row, INSERT; BEFORE, each row, UPDATE and DELETE.
    SELECT pg_catalog.format('%s without %s', t.relation, w.guard)
    FROM tenancy.list_partition_tree(pg_catalog.to_regclass('audits.audit_log')) AS t (relation)
    CROSS JOIN (VALUES
        ('audits.chain_entry()'::regprocedure, 2 | 1 | 4),
        ('audits.refuse_change()'::regprocedure, 2 | 1 | 16 | 8)
    ) AS w (guard, type)
    WHERE NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_trigger AS g
        WHERE g.tgrelid = t.relation
          AND g.tgfoid = w.guard
          AND g.tgtype = w.type
          AND g.tgenabled = 'A'
          AND g.tgqual IS NULL)
    UNION ALL
    SELECT pg_catalog.format('%s without audits.refuse_change() for statements', f.relation)
    FROM audits.list_final_tables() AS f (relation)
    WHERE NOT audits.refuses_statements(f.relation)
    UNION ALL
    SELECT pg_catalog.format('trigger %I of %s is not enabled always', g.tgname, g.tgrelid::regclass)
    FROM pg_catalog.pg_trigger AS g
    JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
    WHERE g.tgfoid = 'audits.refuse_change()'::regprocedure
      AND g.tgenabled <> 'A'
      AND NOT EXISTS (SELECT FROM audits.list_final_tables() AS f (relation) WHERE f.relation = g.tgrelid)
$function$;
COMMENT ON FUNCTION codeverify.list_unguarded() IS
    'Tables of the ledger that lack a trigger which chains or guards them, and guards that do not always fire.';

CREATE FUNCTION codeverify.find_chain_fault()
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    last record;
BEGIN
    IF pg_catalog.to_regclass('audits.verifications') IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT v.verdict, v.created_at, v.first_finding ->> 'verdict' AS finding
    INTO last
    FROM audits.verifications AS v
    ORDER BY v.created_at DESC, v.id
    LIMIT 1;
    RETURN CASE
        WHEN last.verdict = 'broken' THEN pg_catalog.format(
            'the verification of %s found the ledger broken (%s)', pg_catalog.date_trunc('second', last.created_at), last.finding)
        WHEN last.created_at IS NULL AND EXISTS (SELECT FROM audits.audit_log AS a WHERE a.ts < pg_catalog.now() - interval '7 days')
            THEN 'the ledger was never verified'
        WHEN last.created_at < pg_catalog.now() - interval '7 days' THEN pg_catalog.format(
            'the ledger was last verified at %s', pg_catalog.date_trunc('second', last.created_at))
    END;
END
$function$;
COMMENT ON FUNCTION codeverify.find_chain_fault() IS
    'What is wrong with the ledger''s chains as audits.verify() saw them last, or that it has not run for a week, in words; NULL when nothing is.';

CREATE FUNCTION codeverify.examine_ledger()
RETURNS TABLE (check_name text, severity text, fault text, fine text, hint text)
LANGUAGE sql
STABLE
ROWS 6
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT 'signing_key', 'warning',
           codeverify.find_key_fault(),
           'checkpoints are signed',
           'Put what audits.create_signing_key() gives into a file of the server''s user, mode 0600, off the data volume, and set codeverify.ledger_key_file.'
    UNION ALL
    SELECT 'ledger_triggers', 'error',
           'the ledger is not guarded: ' || (SELECT pg_catalog.string_agg(u.fault, ', ') FROM codeverify.list_unguarded() AS u (fault)),
           'every table of the ledger has its triggers',
           'Find out who disabled or dropped it, run audits.verify(false), then ALTER TABLE ... ENABLE ALWAYS TRIGGER.'
    UNION ALL
    SELECT 'ledger_chain', CASE WHEN c.fault LIKE '%broken%' THEN 'error' ELSE 'warning' END,
           c.fault,
           'no fault was found when the ledger was last verified',
           'SELECT audits.verify(false); and read its findings.'
    FROM codeverify.find_chain_fault() AS c (fault)
    UNION ALL
    SELECT 'event_triggers', 'error',
           nullif(pg_catalog.concat_ws(
               '; ',
               'missing or disabled: ' || (
                   SELECT pg_catalog.string_agg(w.name, ', ' ORDER BY w.name)
                   FROM (VALUES
                       ('codeverify_guard_definitions_start', '{A}'::"char"[]),
                       ('codeverify_guard_definitions_drop', '{A}'),
                       ('codeverify_guard_definitions_end', '{A}'),
                       ('codeverify_warn_of_unprotected_tables', '{A,O}')
                   ) AS w (name, enabled)
                   WHERE NOT EXISTS (
                       SELECT
                       FROM pg_catalog.pg_event_trigger AS e
                       WHERE e.evtname = w.name
                         AND e.evtenabled = ANY (w.enabled))),
               CASE WHEN pg_catalog.current_setting('event_triggers', true) = 'off' THEN 'event_triggers is off' END), ''),
           'all are enabled',
           'ALTER EVENT TRIGGER ... ENABLE ALWAYS; as a superuser.'
    UNION ALL
    SELECT 'ownership', 'error',
           'not owned by codeverify_owner: ' || (
               SELECT pg_catalog.string_agg(o.name, ', ' ORDER BY o.name)
               FROM (
                   SELECT c.oid::regclass::text
                   FROM pg_catalog.pg_class AS c
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'audits'
                     AND c.relkind IN ('r', 'p', 'v')
                     AND c.relowner <> pg_catalog.to_regrole('codeverify_owner')
                   UNION ALL
                   SELECT p.oid::regprocedure::text
                   FROM pg_catalog.pg_depend AS d
                   JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'codeverify'
                   JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid
                   WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                     AND d.refclassid = 'pg_catalog.pg_extension'::regclass
                     AND d.deptype = 'e'
                     AND p.proowner <> pg_catalog.to_regrole('codeverify_owner')
                   UNION ALL
                   SELECT 'schema ' || pg_catalog.quote_ident(n.nspname)
                   FROM pg_catalog.pg_namespace AS n
                   WHERE n.nspname IN ('codeverify', 'tenancy', 'audits')
                     AND n.nspowner <> pg_catalog.to_regrole('codeverify_owner')
               ) AS o (name)),
           'codeverify_owner owns the ledger and the functions',
           'ALTER ... OWNER TO codeverify_owner; as a superuser.'
    UNION ALL
    SELECT 'capture', 'warning',
           CASE WHEN pg_catalog.current_setting('codeverify.capture') = 'off' THEN
               'codeverify.capture is off: changes to tracked tables are not recorded' END,
           'changes to tracked tables are recorded',
           'ALTER SYSTEM SET codeverify.capture = on; SELECT pg_reload_conf();'
$function$;
COMMENT ON FUNCTION codeverify.examine_ledger() IS
    'The checks of codeverify.doctor() of what guards and verifies the ledger.';
