-- Checks of the server and of what is installed in it.

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

CREATE FUNCTION codeverify.examine_server()
RETURNS TABLE (check_name text, severity text, fault text, fine text, hint text)
LANGUAGE sql
STABLE
ROWS 9
SET search_path = pg_catalog, pg_temp
AS $function$
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
           'ALTER SYSTEM SET codeverify.own_transactions = on; SELECT pg_reload_conf(); off is for tests.'
    UNION ALL
    SELECT 'worker_processes', 'warning',
           CASE WHEN pg_catalog.current_setting('max_worker_processes')::int < 8 THEN
               'max_worker_processes = ' || pg_catalog.current_setting('max_worker_processes')
               || ': without a free one maintenance works in its caller''s transaction, and failed log-ins can be rolled back' END,
           'max_worker_processes = ' || pg_catalog.current_setting('max_worker_processes'),
           'ALTER SYSTEM SET max_worker_processes = 8; or more, and restart the server.'
    UNION ALL
    SELECT 'autovacuum', 'warning',
           CASE WHEN pg_catalog.current_setting('autovacuum') = 'off' OR pg_catalog.current_setting('track_counts') = 'off'
               THEN 'autovacuum is off, or track_counts, which it needs' END,
           'autovacuum is on',
           'ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf();'
    UNION ALL
    SELECT 'durability', 'error',
           nullif(pg_catalog.concat_ws(
               ', ',
               CASE WHEN pg_catalog.current_setting('fsync') = 'off' THEN 'fsync is off' END,
               CASE WHEN pg_catalog.current_setting('full_page_writes') = 'off' THEN 'full_page_writes is off' END), ''),
           'fsync and full_page_writes are on',
           'ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf(); without them a crash can take entries, or corrupt the ledger.'
    UNION ALL
    SELECT 'synchronous_commit', 'warning',
           CASE WHEN pg_catalog.current_setting('synchronous_commit') = 'off' THEN
               'synchronous_commit is off: a crash can take what was acknowledged' END,
           'synchronous_commit = ' || pg_catalog.current_setting('synchronous_commit'),
           'ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();'
    UNION ALL
    SELECT 'data_checksums', 'warning',
           CASE WHEN pg_catalog.current_setting('data_checksums') = 'off' THEN 'data_checksums are off: a disk''s faults go unnoticed' END,
           'data pages have checksums',
           'Stop the server and run pg_checksums --enable.'
$function$;
COMMENT ON FUNCTION codeverify.examine_server() IS
    'The checks of codeverify.doctor() of the server and what is installed in it.';
