-- codeverify.version() is the version of the library that answers.
BEGIN;
SELECT plan(9);
\ir ../two_tenants.sql

SELECT matches(codeverify.version(), '^[0-9]+\.[0-9]+\.[0-9]+$', 'the version has three numbers');
SELECT is(
    codeverify.version(),
    (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'codeverify'),
    'the library and the extension have the same version');
SELECT is(
    (SELECT e.default_version FROM pg_available_extensions AS e WHERE e.name = 'codeverify'),
    codeverify.version(),
    'the control file has the same version');

SELECT ok(has_function_privilege(r.rolname, 'codeverify.version()', 'EXECUTE'), r.rolname || ' may ask for it')
FROM pg_roles AS r
WHERE r.rolname IN ('tap_admin', 'tap_service', 'tap_tenant', 'tap_ingest', 'tap_auditor')
ORDER BY r.rolname;

CALL tap.act(login => 'tap_nobody');
SELECT throws_ok('SELECT codeverify.version()', '42501', NULL, 'somebody without a role may not');

SELECT * FROM finish();
ROLLBACK;
