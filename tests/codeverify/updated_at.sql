-- updated_at is kept by a trigger wherever it exists, whatever the statement says.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
INSERT INTO codeverify.clean_up_settings (target, keep) VALUES ('analysis.jobs', '1 day');
INSERT INTO codeverify.partition_sets (parent, period, premake) VALUES ('observability.logs', 'day', 14);

CREATE TEMP VIEW target AS
SELECT c.oid::regclass AS name
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid
JOIN pg_roles AS r ON r.oid = c.relowner
WHERE r.rolname = 'codeverify_owner'
  AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND a.attname = 'updated_at';

SELECT cmp_ok((SELECT count(*) FROM target), '>=', 20::bigint, 'the tables with updated_at are found');

-- What updated_at is after an update that sets it to something else.
CREATE FUNCTION tap.updated(target regclass)
RETURNS timestamptz[]
LANGUAGE plpgsql
AS $function$
DECLARE
    seen timestamptz[];
BEGIN
    EXECUTE format(
        'WITH changed AS (UPDATE %s SET updated_at = ''2000-01-01 00:00+00'' RETURNING updated_at)
         SELECT array_agg(DISTINCT updated_at) FROM changed',
        target)
    INTO seen;
    RETURN seen;
END
$function$;

SELECT is(tap.updated(name), ARRAY[now()], format('%s keeps it', name)) FROM target ORDER BY name::text;
SELECT col_not_null(n.nspname, c.relname, 'updated_at', format('%s always has it', t.name))
FROM target AS t
JOIN pg_class AS c ON c.oid = t.name
JOIN pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY t.name::text;

-- A client's own timestamp is kept on insert: a restore must not change rows.
INSERT INTO tenancy.services (org_id, name, updated_at) VALUES (tap.id('a'), 'restored', '2000-01-01 00:00+00');
SELECT is(
    (SELECT updated_at FROM tenancy.services WHERE name = 'restored'), '2000-01-01 00:00+00'::timestamptz,
    'a row that is inserted keeps the time it comes with');

SELECT * FROM finish();
ROLLBACK;
