-- Checks of what has to be done again and again: maintenance, partitions, verification. Each works where the tables are
-- missing, as during a restore.

CREATE FUNCTION codeverify.list_role_faults()
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
               WHEN r.oid IS NULL THEN pg_catalog.format('%s is missing', g.name)
               WHEN r.rolcanlogin THEN pg_catalog.format('%s can log in', g.name)
               WHEN r.rolsuper THEN pg_catalog.format('%s is a superuser', g.name)
               WHEN r.rolbypassrls THEN pg_catalog.format('%s has BYPASSRLS', g.name)
               WHEN g.name = 'codeverify_service' AND NOT pg_catalog.pg_has_role(r.oid, 'codeverify_tenant', 'USAGE')
                   THEN 'codeverify_service is no member of codeverify_tenant'
           END
    FROM (VALUES
        ('codeverify_admin'),
        ('codeverify_service'),
        ('codeverify_tenant'),
        ('codeverify_ingest'),
        ('codeverify_auditor')
    ) AS g (name)
    LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = g.name
    WHERE r.oid IS NULL
       OR r.rolcanlogin
       OR r.rolsuper
       OR r.rolbypassrls
       OR g.name = 'codeverify_service' AND NOT pg_catalog.pg_has_role(r.oid, 'codeverify_tenant', 'USAGE')
$function$;
COMMENT ON FUNCTION codeverify.list_role_faults() IS
    'Group roles of codeverify that are missing or may more than a group of logins should; codeverify_owner has checks of its own.';

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

CREATE FUNCTION codeverify.find_maintenance_fault()
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    last_run timestamptz;
BEGIN
    IF pg_catalog.to_regclass('codeverify.maintenance_tasks') IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT t.last_success_at
    INTO last_run
    FROM codeverify.maintenance_tasks AS t
    WHERE t.task = 'maintain'
      AND t.target = '';
    RETURN CASE
        WHEN last_run IS NULL THEN 'codeverify.maintain() has never run'
        WHEN last_run < pg_catalog.now() - interval '1 day' THEN pg_catalog.format(
            'codeverify.maintain() ran last at %s', pg_catalog.date_trunc('second', last_run))
    END;
END
$function$;
COMMENT ON FUNCTION codeverify.find_maintenance_fault() IS
    'That codeverify.maintain() has not run for a day, in words; NULL when it has.';

CREATE FUNCTION codeverify.list_failing_tasks()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF pg_catalog.to_regclass('codeverify.maintenance_tasks') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT pg_catalog.format('%s of %s: %s', t.task, t.target, t.last_error)
    FROM codeverify.maintenance_tasks AS t
    WHERE t.last_error IS NOT NULL
    ORDER BY t.last_error_at DESC, t.task, t.target
    LIMIT 10;
END
$function$;
COMMENT ON FUNCTION codeverify.list_failing_tasks() IS
    'Tasks of maintenance that failed when they were last tried, the newest ten, with what was wrong.';

CREATE FUNCTION codeverify.list_set_faults()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF pg_catalog.to_regclass('codeverify.partition_sets') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT CASE
               WHEN p.partitions > 150 THEN pg_catalog.format('%s has %s partitions', s.parent, p.partitions)
               ELSE pg_catalog.format('%s has partitions until %s', s.parent, coalesce(p.reach::text, 'no time'))
           END
    FROM codeverify.list_partition_sets() AS s
    CROSS JOIN LATERAL (
        SELECT max(l.upper_bound) AS reach, count(*) AS partitions
        FROM codeverify.list_set_partitions(s.parent) AS l
        WHERE NOT l.is_default
    ) AS p
    WHERE p.partitions > 150
       OR p.reach IS NULL
       OR p.reach < codeverify.read_clock() + s.premake / 2 * ('1 ' || s.period)::interval
    ORDER BY s.parent::text;
END
$function$;
COMMENT ON FUNCTION codeverify.list_set_faults() IS
    'Partition sets whose partitions reach less than half as far ahead as they should, or that have more than 150, which makes planning slow.';

CREATE FUNCTION codeverify.list_invalid_indexes()
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT i.indexrelid::regclass::text
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
    WHERE NOT i.indisvalid
      AND r.rolname = 'codeverify_owner'
    ORDER BY 1
$function$;
COMMENT ON FUNCTION codeverify.list_invalid_indexes() IS
    'Indexes of codeverify that no query uses, because building them did not end.';
