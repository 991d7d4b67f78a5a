-- 24: what is planned, prepared or cached under one organization and executed under another, and what parallel workers see.
-- Between real transactions, with keys: tests/operations/pooled_sessions.py.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- 24: a plan that is kept must not keep the organization.
CREATE FUNCTION careless.current_org_id() RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT tenancy.current_org_id()';
CREATE TABLE careless.frozen (org_id uuid, secret text);
INSERT INTO careless.frozen VALUES (tap.id('a'), 'a'), (tap.id('b'), 'b');
ALTER TABLE careless.frozen ENABLE ROW LEVEL SECURITY;
CREATE POLICY frozen ON careless.frozen USING (org_id = careless.current_org_id());
GRANT SELECT ON careless.frozen TO codeverify_tenant;
SET LOCAL plan_cache_mode = force_generic_plan;
CALL tap.act('viewer', 'a');
PREPARE frozen AS SELECT string_agg(secret, '') FROM careless.frozen;
PREPARE flowing AS SELECT string_agg(full_name, '') FROM scm.repositories;
SELECT results_eq('EXECUTE frozen', $$VALUES ('a')$$, '24: a prepared statement of one organization');
SELECT results_eq('EXECUTE flowing', $$VALUES ('tap-a/repository')$$, '24: and one on a table of ours');
CALL tap.act('viewer', 'b');
SELECT results_eq('EXECUTE frozen', $$VALUES ('a')$$, '24: an IMMUTABLE accessor shows it to the next');
SELECT results_eq('EXECUTE flowing', $$VALUES ('tap-b/repository')$$, '24: ours does not');
CALL tap.act();
SELECT results_eq('EXECUTE flowing', $$VALUES (NULL::text)$$, '24: nor without a context');

-- Every table with org_id, prepared as one organization and executed as the other, with each kind of plan.
RESET SESSION AUTHORIZATION;
SELECT codeverify.refresh_report(l.report) FROM codeverify.list_reports() AS l \g /dev/null
CREATE TABLE tap.prepared (mode text, relation text, foreign_rows bigint, own_rows bigint);
GRANT INSERT ON tap.prepared TO PUBLIC;
CREATE PROCEDURE tap.prepare_all(mode text)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    target record;
    own_rows bigint;
    foreign_rows bigint;
BEGIN
    DEALLOCATE ALL;
    PERFORM set_config('plan_cache_mode', mode, true);
    CALL tap.act('owner', 'a');
    FOR target IN
        SELECT c.oid::regclass::text AS name, c.oid
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind IN ('r', 'p', 'v')
          AND has_column_privilege(c.oid, a.attnum, 'SELECT')
    LOOP
        EXECUTE format('PREPARE all_%s (uuid) AS SELECT count(*) FROM %s WHERE org_id = $1', target.oid, target.name);
        -- Six times, after which the server has chosen a generic plan or not.
        FOR i IN 1 .. 6 LOOP
            EXECUTE format('EXECUTE all_%s (%L)', target.oid, tap.id('a')) INTO own_rows;
        END LOOP;
        CALL tap.act('owner', 'b');
        EXECUTE format('EXECUTE all_%s (%L)', target.oid, tap.id('a')) INTO foreign_rows;
        CALL tap.act('owner', 'a');
        INSERT INTO tap.prepared VALUES (mode, target.name, foreign_rows, own_rows);
    END LOOP;
END
$procedure$;
CALL tap.prepare_all('auto');
CALL tap.prepare_all('force_generic_plan');
CALL tap.prepare_all('force_custom_plan');
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    'SELECT mode, relation FROM tap.prepared WHERE foreign_rows <> 0', '24: what one prepares shows nothing of its to the other');
SELECT is_empty(
    'SELECT mode, relation FROM tap.prepared WHERE own_rows = 0 AND relation NOT IN (SELECT relation FROM tap.prepared WHERE own_rows > 0)',
    '24: and there was something to be shown');
DEALLOCATE ALL;

-- PL/pgSQL keeps the plans of its statements for the session, SQL functions are inlined into their caller's.
CREATE FUNCTION tap.repositories_in_plpgsql() RETURNS text LANGUAGE plpgsql STABLE AS $function$
BEGIN
    RETURN (SELECT string_agg(r.full_name, '') FROM scm.repositories AS r);
END
$function$;
CREATE FUNCTION tap.org_in_plpgsql() RETURNS uuid LANGUAGE plpgsql STABLE AS 'BEGIN RETURN tenancy.current_org_id(); END';
CREATE FUNCTION tap.repositories_in_sql() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT full_name FROM scm.repositories';
PREPARE functions AS
SELECT tap.repositories_in_plpgsql(), tap.org_in_plpgsql(), (SELECT string_agg(f, '') FROM tap.repositories_in_sql() AS f);
SET LOCAL plan_cache_mode = force_generic_plan;
CALL tap.act('viewer', 'a');
SELECT results_eq('EXECUTE functions', $$VALUES ('tap-a/repository', tap.id('a'), 'tap-a/repository')$$, '24: functions under one organization');
CALL tap.act('viewer', 'b');
SELECT results_eq('EXECUTE functions', $$VALUES ('tap-b/repository', tap.id('b'), 'tap-b/repository')$$, '24: under the other');
CALL tap.act();
SELECT results_eq('EXECUTE functions', $$VALUES (NULL::text, NULL::uuid, NULL::text)$$, '24: and under none');
-- Within one statement the context is one, however the accessor is called.
CALL tap.act('viewer', 'a');
SELECT is(
    (SELECT count(DISTINCT tenancy.current_org_id()) FROM generate_series(1, 1000)), 1::bigint, '24: a statement has one organization');
DEALLOCATE ALL;
RESET plan_cache_mode;

-- A big table, all of whose plans are for workers. tests/tenancy/parallel.sql has the roles of members.
RESET SESSION AUTHORIZATION;
INSERT INTO analysis.findings (org_id, analysis_id, category, severity, title, file_path)
SELECT tap.id(o.name), tap.id('analysis of ' || o.name), 'security', 'low', 'Finding of ' || o.name, 'f'
FROM generate_series(1, 4000) AS n
CROSS JOIN LATERAL (SELECT CASE n % 4 WHEN 0 THEN 'a' ELSE 'b' END) AS o (name);
ANALYZE analysis.findings;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL min_parallel_index_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_leader_participation = off;
-- The name that it has from 16 on, or the one before.
DO $$BEGIN PERFORM set_config(name, 'on', true) FROM pg_settings WHERE name IN ('debug_parallel_query', 'force_parallel_mode'); END$$;
CREATE FUNCTION tap.in_worker(anything text) RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN tenancy.current_org_id(); END';
CALL tap.act('viewer', 'a');
SELECT matches(
    tap.plan($$SELECT count(*), min(tap.in_worker(title)::text) FROM analysis.findings WHERE title LIKE 'Finding%'$$),
    'Workers Launched: [12]', '24: a query for workers');
SELECT results_eq(
    $$SELECT count(*), min(tap.in_worker(title)::text), max(tap.in_worker(title)::text) FROM analysis.findings WHERE title LIKE 'Finding%'$$,
    $$VALUES (1000::bigint, tap.id('a')::text, tap.id('a')::text)$$, '24: workers act for the organization that the leader acts for');
CALL tap.act('viewer', 'b');
SELECT results_eq(
    $$SELECT count(*), min(tap.in_worker(title)::text), max(tap.in_worker(title)::text) FROM analysis.findings WHERE title LIKE 'Finding%'$$,
    $$VALUES (3000::bigint, tap.id('b')::text, tap.id('b')::text)$$, '24: for each in turn');
CALL tap.act();
SELECT is((SELECT count(*) FROM analysis.findings), 0::bigint, '24: and for nobody without a context');
-- What takes a context is not for workers.
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM pg_proc AS p
        JOIN pg_roles AS r ON r.oid = p.proowner
        WHERE r.rolname = 'codeverify_owner'
          AND p.proparallel <> 'u'
          AND p.proname ~ '^(authenticate|assume|login|logout|refresh|from_jwt|verify_email|reset_password)'
    $$,
    '24: no function that sets a context or looks at a secret is one for workers');

SELECT * FROM finish();
ROLLBACK;
