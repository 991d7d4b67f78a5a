-- Checks of the installation.

COMMENT ON FUNCTION codeverify.find_key_fault() IS
    'What is wrong with the file that codeverify.ledger_key_file names, in words; NULL when nothing is.';

COMMENT ON FUNCTION codeverify.find_encryption_fault() IS
    'What is wrong with the file that codeverify.encryption_key_file names, in words; NULL when nothing is.';

COMMENT ON FUNCTION codeverify.is_preloaded() IS
    'Whether the server loaded the library when it started, by shared_preload_libraries.';

COMMENT ON FUNCTION codeverify.find_writer_fault() IS
    'What keeps the changes that shared memory holds of this database from being written to its tables, in words; NULL when nothing does, or nothing is preloaded.';

COMMENT ON FUNCTION codeverify.last_written_at() IS
    'When what shared memory held of this database was last written to its tables; NULL where nothing was since the server started.';

CREATE FUNCTION codeverify.list_server_flaws(server_version int)
RETURNS SETOF text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT f.name
    FROM (VALUES
        ('CVE-2023-2455', 150003),
        ('CVE-2023-39418', 150004),
        ('CVE-2024-10976', 150009),
        ('CVE-2024-10976', 160005),
        ('CVE-2024-10976', 170001),
        ('CVE-2025-8713', 150014),
        ('CVE-2025-8713', 160010),
        ('CVE-2025-8713', 170006)
    ) AS f (name, mended_in)
    WHERE server_version / 10000 = f.mended_in / 10000
      AND server_version < f.mended_in
    ORDER BY f.name
$function$;
COMMENT ON FUNCTION codeverify.list_server_flaws(int) IS
    'Known holes in the row security of a server, by its number as in server_version_num.';

CREATE FUNCTION codeverify.list_filled_defaults()
RETURNS SETOF regclass
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    partition regclass;
    is_filled boolean;
BEGIN
    FOR partition IN
        SELECT p.partdefid
        FROM pg_catalog.pg_partitioned_table AS p
        JOIN pg_catalog.pg_class AS c ON c.oid = p.partdefid
        JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
        ORDER BY p.partrelid::regclass::text
    LOOP
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s)', partition) INTO is_filled;
        IF is_filled THEN
            RETURN NEXT partition;
        END IF;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION codeverify.list_filled_defaults() IS
    'Default partitions of codeverify that hold rows.';

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

CREATE FUNCTION codeverify.list_idle_bindings()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- During a restore there are functions and no tables.
    IF pg_catalog.to_regclass('tenancy.org_memberships') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT pg_catalog.format('%I (%s)', b.role, b.fault)
    FROM (
        SELECT l.role,
               CASE
                   WHEN l.org_id IS NULL THEN 'the setting names nobody'
                   WHEN o.id IS NULL THEN 'the organization is gone'
                   WHEN l.user_id IS NOT NULL AND m.id IS NULL THEN 'the user is no member'
               END AS fault
        FROM tenancy.list_role_bindings() AS l
        LEFT JOIN tenancy.organizations AS o ON o.id = l.org_id
        LEFT JOIN tenancy.org_memberships AS m ON m.org_id = l.org_id AND m.user_id = l.user_id
    ) AS b
    WHERE b.fault IS NOT NULL;
END
$function$;
COMMENT ON FUNCTION codeverify.list_idle_bindings() IS
    'Logins of tenancy.bind_role() that act for nobody: the organization was deleted, or the user has left it.';

CREATE FUNCTION codeverify.list_revealing_settings()
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A name that speaks of a secret and not of where one is, or a value that has the form of one.
    SELECT DISTINCT pg_catalog.format(
        '%s of %s', v.name,
        pg_catalog.concat_ws(
            ' in ',
            CASE WHEN s.setrole = 0 THEN 'all roles' ELSE pg_catalog.format('role %I', pg_catalog.pg_get_userbyid(s.setrole)) END,
            CASE WHEN s.setdatabase = 0 THEN 'all databases' ELSE 'database ' || (
                SELECT pg_catalog.quote_ident(d.datname) FROM pg_catalog.pg_database AS d WHERE d.oid = s.setdatabase) END))
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN pg_catalog.unnest(s.setconfig) AS c (entry)
    CROSS JOIN LATERAL (
        SELECT pg_catalog.split_part(c.entry, '=', 1), pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1)
    ) AS v (name, value)
    WHERE v.value <> ''
      AND (v.name ~* '(secret|passw|passphrase|credential|token|apikey|(^|[._])(key|dek|kek)$|[_.](api|private|signing|encryption|master)_?key)'
           AND v.name !~* '(_file|_path|_dir|_command|_encryption|_ciphers|_size|_length|_timeout|_ttl)$'
           OR v.value ~ '(cv_live_[0-9A-Za-z]{8}|-----BEGIN|ghp_[0-9A-Za-z]{8}|github_pat_|AKIA[0-9A-Z]{12}|sk-[0-9A-Za-z_-]{16}|PRIVATE\+KEY\+)'
           OR v.value ~ '://[^/:@\s]*:[^/@\s]+@')
    ORDER BY 1
$function$;
COMMENT ON FUNCTION codeverify.list_revealing_settings() IS
    'Settings of databases and roles, which everybody can read, that look like a secret by their name or value; without the value.';

CREATE FUNCTION codeverify.doctor()
RETURNS TABLE (check_name text, status text, detail text, hint text)
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 30
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Each check has a fault, NULL when there is none; || makes it NULL when a list of culprits is.
    WITH RECURSIVE tenant (id) AS (
        SELECT pg_catalog.to_regrole('codeverify_tenant')::oid
        UNION
        -- The service is trusted, though it is a member.
        SELECT m.member
        FROM pg_catalog.pg_auth_members AS m
        JOIN tenant AS t ON t.id = m.roleid
        WHERE m.member <> pg_catalog.to_regrole('codeverify_service')
    ),
    owner_member (id) AS (
        SELECT pg_catalog.to_regrole('codeverify_owner')::oid
        UNION
        SELECT m.member
        FROM pg_catalog.pg_auth_members AS m
        JOIN owner_member AS o ON o.id = m.roleid
    ),
    gap AS (
        SELECT c.oid::regclass::text AS name, n.nspowner = pg_catalog.to_regrole('codeverify_owner') AS is_ours
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE a.attname = 'org_id'
          AND a.atttypid = 'pg_catalog.uuid'::regtype
          AND NOT a.attisdropped
          AND c.relkind IN ('r', 'p')
          AND c.relpersistence <> 't'
          AND (NOT c.relrowsecurity
               OR NOT c.relforcerowsecurity
               OR NOT EXISTS (
                   SELECT
                   FROM pg_catalog.pg_policy AS p
                   WHERE p.polrelid = c.oid
                     AND tenancy.is_isolating_policy(p.oid, a.attname))
               OR c.relispartition AND EXISTS (
                   SELECT FROM pg_catalog.aclexplode(c.relacl) AS g WHERE g.grantee <> c.relowner))
    ),
    examined (check_name, severity, fault, fine, hint) AS (
        SELECT 'server_version', 'error',
               'PostgreSQL ' || pg_catalog.current_setting('server_version') || ' has known holes in row security: '
               || (SELECT pg_catalog.string_agg(f.name, ', ')
                   FROM codeverify.list_server_flaws(pg_catalog.current_setting('server_version_num')::int) AS f (name)),
               'PostgreSQL ' || pg_catalog.current_setting('server_version'),
               'Install the newest minor release.'
        UNION ALL
        SELECT 'deployment', 'error',
               CASE
                   WHEN pg_catalog.to_regclass('codeverify.deployment') IS NULL THEN 'the tables of codeverify are not deployed'
                   WHEN pg_catalog.strpos(
                            pg_catalog.pg_get_viewdef(pg_catalog.to_regclass('codeverify.deployment')),
                            pg_catalog.quote_literal(codeverify.version())) = 0
                       THEN 'the tables were made by another version than that of the library, ' || codeverify.version()
               END,
               'tables and library are of version ' || codeverify.version(),
               'SELECT codeverify.deploy(); or ALTER EXTENSION codeverify UPDATE; or install the library that fits.'
        UNION ALL
        SELECT 'preload', 'warning',
               CASE WHEN NOT codeverify.is_preloaded() THEN
                   'the library is not preloaded: each session loads it at its first call, and uses of keys and failed log-ins are counted in tables, which is slower'
               ELSE codeverify.find_writer_fault() END,
               'the library is preloaded: uses of keys and failed log-ins are counted in shared memory, ' || coalesce(
                   'last written to tables at ' || pg_catalog.date_trunc('second', codeverify.last_written_at()),
                   'of which nothing was to be written yet'),
               CASE WHEN codeverify.is_preloaded() THEN
                   'See the server''s log, and whether max_worker_processes leaves room for two more processes.'
               ELSE 'Add codeverify to shared_preload_libraries and restart the server.' END
        UNION ALL
        SELECT 'own_transactions', 'error',
               CASE WHEN pg_catalog.current_setting('codeverify.own_transactions') = 'off' THEN
                   'codeverify.own_transactions is off: whoever rolls back can guess passwords uncounted and unrecorded' END,
               'failures are counted and recorded apart from the transactions that they happen in',
               'Set it to on; off is for tests.'
        UNION ALL
        SELECT 'signing_key', 'warning',
               codeverify.find_key_fault(),
               'checkpoints are signed',
               'Put what audits.create_signing_key() gives into a file of the server''s user, mode 0600, off the data volume, and set codeverify.ledger_key_file.'
        UNION ALL
        SELECT 'encryption_key', 'warning',
               codeverify.find_encryption_fault(),
               'secrets at rest can be encrypted',
               'Put what codeverify.create_encryption_key() gives into a file of the server''s user, mode 0600, off the data volume, and set codeverify.encryption_key_file.'
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
               'ALTER SYSTEM SET codeverify.capture = on;'
        UNION ALL
        SELECT 'isolation', 'error',
               'not isolated: ' || (SELECT pg_catalog.string_agg(g.name, ', ' ORDER BY g.name) FROM gap AS g WHERE g.is_ours),
               'every table of codeverify with org_id is isolated',
               'Restore what was taken away: SELECT tenancy.isolate(''...''); and see tenancy.coverage.'
        UNION ALL
        SELECT 'isolation_of_others', 'warning',
               'tables with org_id that are not isolated: '
               || (SELECT pg_catalog.string_agg(g.name, ', ' ORDER BY g.name) FROM gap AS g WHERE NOT g.is_ours),
               'no table of yours with org_id is open',
               'SELECT tenancy.protect(''...'');'
        UNION ALL
        SELECT 'tenant_attributes', 'error',
               'row security does not bind these tenants: ' || (
                   SELECT pg_catalog.string_agg(
                              pg_catalog.format('%I (%s)', r.rolname, pg_catalog.concat_ws(
                                  ', ',
                                  CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
                                  CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
                                  CASE WHEN r.rolreplication THEN 'REPLICATION' END)),
                              ', ' ORDER BY r.rolname)
                   FROM tenant AS t
                   JOIN pg_catalog.pg_roles AS r ON r.oid = t.id
                   WHERE r.rolsuper OR r.rolbypassrls OR r.rolreplication),
               'no member of codeverify_tenant is a superuser or has BYPASSRLS or REPLICATION',
               'ALTER ROLE ... NOSUPERUSER NOBYPASSRLS NOREPLICATION; or give it another group role.'
        UNION ALL
        SELECT 'tenant_memberships', 'error',
               'tenants that may act as more: ' || (
                   SELECT pg_catalog.string_agg(pg_catalog.format('%I (%I)', r.rolname, s.rolname), ', ' ORDER BY r.rolname, s.rolname)
                   FROM tenant AS t
                   JOIN pg_catalog.pg_roles AS r ON r.oid = t.id AND NOT r.rolsuper
                   JOIN pg_catalog.pg_roles AS s
                       ON s.rolname IN ('codeverify_owner', 'codeverify_admin', 'codeverify_service')
                       OR s.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
                       OR s.rolsuper OR s.rolbypassrls
                   WHERE pg_catalog.pg_has_role(r.oid, s.oid, 'MEMBER')
                     AND s.oid <> r.oid),
               'no member of codeverify_tenant is a member of a stronger role',
               'REVOKE ... FROM ...; or use another login for it.'
        UNION ALL
        SELECT 'roles', 'error',
               (SELECT pg_catalog.string_agg(f.fault, ', ' ORDER BY f.fault) FROM codeverify.list_role_faults() AS f (fault)),
               'the group roles are there, and nothing but groups',
               'CREATE ROLE ... NOLOGIN; or ALTER ROLE ... NOLOGIN NOSUPERUSER NOBYPASSRLS; as docs/operations.md has them.'
        UNION ALL
        SELECT 'owner_role', 'error',
               'codeverify_owner ' || nullif(pg_catalog.concat_ws(
                   ', ',
                   CASE WHEN r.rolsuper THEN 'is a superuser' END,
                   CASE WHEN r.rolcanlogin THEN 'can log in' END,
                   CASE WHEN r.rolreplication THEN 'has REPLICATION' END,
                   CASE WHEN NOT r.rolbypassrls THEN 'lacks BYPASSRLS' END), ''),
               'codeverify_owner cannot log in and is no superuser',
               'ALTER ROLE codeverify_owner NOLOGIN NOSUPERUSER NOREPLICATION BYPASSRLS;'
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = 'codeverify_owner'
        UNION ALL
        SELECT 'owner_members', 'warning',
               'logins that may act as the owner of all data: ' || (
                   SELECT pg_catalog.string_agg(
                              pg_catalog.format('%I%s', r.rolname, CASE WHEN r.rolsuper OR r.rolcreaterole THEN ' (SUPERUSER or CREATEROLE)' END),
                              ', ' ORDER BY r.rolname)
                   FROM owner_member AS o
                   JOIN pg_catalog.pg_roles AS r ON r.oid = o.id
                   WHERE r.rolcanlogin
                     AND r.rolname <> 'codeverify_owner'),
               'no login is a member of codeverify_owner',
               'Needed for backups only; revoke it from the others.'
        UNION ALL
        SELECT 'context_settings', 'error',
               'the context can be forged by: ' || (
                   SELECT pg_catalog.string_agg(
                              pg_catalog.format('%s (%s)', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, p.parname),
                              ', ' ORDER BY a.grantee, p.parname)
                   FROM pg_catalog.pg_parameter_acl AS p
                   CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) AS a
                   WHERE p.parname IN ('codeverify.org_id', 'codeverify.user_id', 'codeverify.member_role', 'codeverify.bound_identity', 'session_replication_role')
                     AND a.grantee <> 10),
               'nobody was granted to SET the context or session_replication_role',
               'REVOKE SET, ALTER SYSTEM ON PARAMETER ... FROM ...;'
        UNION ALL
        SELECT 'role_bindings', 'warning',
               'logins that are bound to nobody: ' || (
                   SELECT pg_catalog.string_agg(b.fault, ', ' ORDER BY b.fault) FROM codeverify.list_idle_bindings() AS b (fault)),
               'every login that is bound acts for an organization that exists',
               'SELECT tenancy.unbind_role(...); they see nothing.'
        UNION ALL
        SELECT 'log_parameters', 'warning',
               'bind parameters, which carry API keys, can get into the log: ' || nullif(pg_catalog.concat_ws(
                   ', ',
                   CASE WHEN pg_catalog.current_setting('log_parameter_max_length') <> '0' THEN
                       'log_parameter_max_length = ' || pg_catalog.current_setting('log_parameter_max_length') END,
                   CASE WHEN pg_catalog.current_setting('log_parameter_max_length_on_error') <> '0' THEN
                       'log_parameter_max_length_on_error = ' || pg_catalog.current_setting('log_parameter_max_length_on_error') END), ''),
               'bind parameters are not logged',
               'Set both to 0 in postgresql.conf.'
        UNION ALL
        SELECT 'log_statement', 'warning',
               CASE WHEN pg_catalog.current_setting('log_statement') IN ('mod', 'all') THEN
                   'log_statement = ' || pg_catalog.current_setting('log_statement') || ': literals of statements get into the log' END,
               'log_statement = ' || pg_catalog.current_setting('log_statement'),
               'Set it to none or ddl; the ledger records changes.'
        UNION ALL
        SELECT 'secrets_in_settings', 'error',
               'everybody can read these: ' || (SELECT pg_catalog.string_agg(s.name, ', ') FROM codeverify.list_revealing_settings() AS s (name)),
               'no setting of a database or role looks like a secret',
               'ALTER ... RESET it, and take the secret for known.'
        UNION ALL
        SELECT 'password_encryption', 'warning',
               CASE WHEN pg_catalog.current_setting('password_encryption') <> 'scram-sha-256' THEN
                   'password_encryption = ' || pg_catalog.current_setting('password_encryption') END,
               'passwords are kept as scram-sha-256',
               'Set it to scram-sha-256 and set the passwords anew.'
        UNION ALL
        SELECT 'temporary_tables', 'warning',
               CASE WHEN pg_catalog.has_database_privilege('public', pg_catalog.current_database(), 'TEMPORARY') THEN
                   'PUBLIC may create temporary tables, which a pool hands on to the next client' END,
               'PUBLIC may not create temporary tables',
               pg_catalog.format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC;', pg_catalog.current_database())
        UNION ALL
        SELECT 'public_schema', 'warning',
               CASE WHEN EXISTS (
                   SELECT
                   FROM pg_catalog.pg_namespace AS n
                   WHERE n.nspname = 'public'
                     AND pg_catalog.has_schema_privilege('public', n.oid, 'CREATE')) THEN
                   'PUBLIC may create objects in the schema public' END,
               'PUBLIC may not create objects in the schema public',
               'REVOKE CREATE ON SCHEMA public FROM PUBLIC;'
        UNION ALL
        SELECT 'large_objects', 'warning',
               'PUBLIC may create large objects, which know no tenants: ' || (
                   SELECT pg_catalog.string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text)
                   FROM pg_catalog.pg_proc AS p
                   WHERE p.oid IN (
                       'pg_catalog.lo_creat(integer)'::regprocedure,
                       'pg_catalog.lo_create(oid)'::regprocedure,
                       'pg_catalog.lo_from_bytea(oid, bytea)'::regprocedure)
                     AND pg_catalog.has_function_privilege('public', p.oid, 'EXECUTE')),
               'PUBLIC may not create large objects',
               'REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;'
        UNION ALL
        SELECT 'default_partitions', 'warning',
               'default partitions hold rows: ' || (
                   SELECT pg_catalog.string_agg(f.partition::text, ', ' ORDER BY f.partition::text)
                   FROM codeverify.list_filled_defaults() AS f (partition)),
               'default partitions are empty',
               'SELECT * FROM codeverify.maintain(''partitions''); rows of a far future stay until their time is near.'
        UNION ALL
        SELECT 'partitions', 'warning',
               (SELECT pg_catalog.string_agg(f.fault, ', ') FROM codeverify.list_set_faults() AS f (fault)),
               'every partition set reaches far enough ahead, and none is too large',
               'SELECT * FROM codeverify.maintain(''partitions''); for too many, a retention or a longer period with codeverify.configure_partitions().'
        UNION ALL
        SELECT 'maintenance', 'warning',
               codeverify.find_maintenance_fault(),
               'codeverify.maintain() has run within a day',
               'SELECT codeverify.schedule(); with pg_cron, or set codeverify.maintenance_interval where the library is preloaded.'
        UNION ALL
        SELECT 'maintenance_tasks', 'warning',
               (SELECT pg_catalog.string_agg(f.failure, '; ') FROM codeverify.list_failing_tasks() AS f (failure)),
               'no task failed when it was last tried',
               'Mend what it tells of; SELECT * FROM codeverify.maintain(); tries again.'
        UNION ALL
        SELECT 'clock', 'error',
               'codeverify.clock is set: maintenance takes it to be ' || nullif(pg_catalog.current_setting('codeverify.clock', true), ''),
               'maintenance follows the real clock',
               'Reset codeverify.clock, which is for tests.'
        UNION ALL
        SELECT 'invalid_indexes', 'warning',
               'indexes that no query uses: ' || (
                   SELECT pg_catalog.string_agg(i.name, ', ') FROM codeverify.list_invalid_indexes() AS i (name)),
               'every index is valid',
               'REINDEX INDEX ...;'
        UNION ALL
        SELECT 'autovacuum', 'warning',
               CASE WHEN pg_catalog.current_setting('autovacuum') = 'off' OR pg_catalog.current_setting('track_counts') = 'off'
                   THEN 'autovacuum is off, or track_counts, which it needs' END,
               'autovacuum is on',
               'Set both to on.'
        UNION ALL
        SELECT 'durability', 'error',
               nullif(pg_catalog.concat_ws(
                   ', ',
                   CASE WHEN pg_catalog.current_setting('fsync') = 'off' THEN 'fsync is off' END,
                   CASE WHEN pg_catalog.current_setting('full_page_writes') = 'off' THEN 'full_page_writes is off' END), ''),
               'fsync and full_page_writes are on',
               'Set both to on: without them a crash can take entries, or corrupt the ledger.'
        UNION ALL
        SELECT 'synchronous_commit', 'warning',
               CASE WHEN pg_catalog.current_setting('synchronous_commit') = 'off' THEN
                   'synchronous_commit is off: a crash can take what was acknowledged' END,
               'synchronous_commit = ' || pg_catalog.current_setting('synchronous_commit'),
               'Set it to on.'
        UNION ALL
        SELECT 'data_checksums', 'warning',
               CASE WHEN pg_catalog.current_setting('data_checksums') = 'off' THEN 'data_checksums are off: a disk''s faults go unnoticed' END,
               'data pages have checksums',
               'Stop the server and run pg_checksums --enable.'
    )
    SELECT e.check_name,
           CASE WHEN e.fault IS NULL THEN 'ok' ELSE e.severity END,
           coalesce(e.fault, e.fine),
           CASE WHEN e.fault IS NOT NULL THEN e.hint END
    FROM examined AS e
$function$;
COMMENT ON FUNCTION codeverify.doctor() IS
    'Examines the installation, the server''s settings and the roles: a row for each check, with status ok, warning or error, what was found, and what to do about it. Settings are those of the session that asks. Example: SELECT * FROM codeverify.doctor() WHERE status <> ''ok'';';
GRANT EXECUTE ON FUNCTION codeverify.doctor() TO codeverify_admin, codeverify_auditor;
