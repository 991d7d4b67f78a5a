-- Row estimates are made of all tenants' values, and a comparison of texts is leakproof: without a defence EXPLAIN
-- tells one tenant what another has written.
BEGIN;
SELECT plan(6);
\ir ../two_tenants.sql

CREATE FUNCTION tap.estimate(query text)
RETURNS numeric
LANGUAGE plpgsql
AS $function$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END
$function$;
GRANT EXECUTE ON FUNCTION tap.estimate(text) TO PUBLIC;

-- A careless table: row security, and statistics of everything.
SET LOCAL client_min_messages = error;
CREATE TABLE tap.careless (org_id uuid NOT NULL, title text NOT NULL);
ALTER TABLE tap.careless ENABLE ROW LEVEL SECURITY;
CREATE POLICY careless_tenant ON tap.careless USING (org_id = tenancy.current_org_id());
GRANT SELECT ON tap.careless TO codeverify_tenant;
-- The same, protected.
CREATE TABLE tap.careful (org_id uuid NOT NULL, title text NOT NULL);
SELECT tenancy.protect('tap.careful') \g /dev/null
GRANT SELECT ON tap.careful TO codeverify_tenant;

INSERT INTO tap.careless
SELECT tap.id('b'), 'the secret project' FROM generate_series(1, 1000)
UNION ALL
SELECT tap.id('a'), 'text ' || g FROM generate_series(1, 1000) AS g;
INSERT INTO tap.careful SELECT c.org_id, c.title FROM tap.careless AS c;
ANALYZE tap.careless, tap.careful;

CALL tap.act('viewer', 'a');
SELECT cmp_ok(
    tap.estimate($$SELECT title FROM tap.careless WHERE title = 'the secret project'$$), '>',
    10 * tap.estimate($$SELECT title FROM tap.careless WHERE title = 'the wrong guess'$$),
    'on a careless table a right guess shows');
SELECT is(
    tap.estimate($$SELECT title FROM tap.careful WHERE title = 'the secret project'$$),
    tap.estimate($$SELECT title FROM tap.careful WHERE title = 'the wrong guess'$$),
    'on a protected one it does not');

RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT a.attrelid::regclass, a.attname
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_policy AS p ON p.polrelid = c.oid AND p.polname = c.relname || '_tenant'
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind IN ('r', 'p')
          AND a.attname IN ('title', 'name', 'full_name', 'description', 'message', 'url', 'file_path', 'reason')
          AND a.attstattarget IS DISTINCT FROM 0
          -- One of a list.
          AND (a.attrelid, a.attname) <> ('observability.rejected_logs'::regclass, 'reason')
    $$,
    'no table of the deployment collects free text, nor does a partition');
SELECT is(
    (SELECT attstattarget::int FROM pg_attribute WHERE attrelid = 'analysis.idx_findings_text_search'::regclass AND attnum = 1), 0,
    'nor does the full text index');
SELECT isnt(
    (SELECT attstattarget::int FROM pg_attribute WHERE attrelid = 'analysis.findings'::regclass AND attname = 'severity'), 0,
    'lists of known values keep their statistics');
SELECT isnt(
    (SELECT attstattarget::int FROM pg_attribute WHERE attrelid = 'analysis.findings'::regclass AND attname = 'org_id'), 0,
    'so does what row security compares');

SELECT * FROM finish();
ROLLBACK;
