-- Parallel workers act for the organization that the leader acts for.
BEGIN;
SELECT plan(5);
\ir ../two_tenants.sql

SET LOCAL client_min_messages = error;
CREATE TABLE tap.wide (org_id uuid, n int);
INSERT INTO tap.wide
SELECT CASE n % 10 WHEN 0 THEN tap.id('a') ELSE tap.id('b') END, n FROM generate_series(1, 20000) AS n;
ALTER TABLE tap.wide ENABLE ROW LEVEL SECURITY;
ALTER TABLE tap.wide SET (parallel_workers = 2);
CREATE POLICY tenants ON tap.wide USING (org_id = tenancy.current_org_id());
CREATE POLICY writers ON tap.wide AS RESTRICTIVE USING (tenancy.has_permission('write'));
GRANT SELECT ON tap.wide TO codeverify_tenant;
ANALYZE tap.wide;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;

CREATE FUNCTION tap.plan(query text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    line text;
    answer text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        answer := answer || line || E'\n';
    END LOOP;
    RETURN answer;
END
$function$;

CALL tap.act('developer', 'a');
SELECT matches(tap.plan('SELECT count(*) FROM tap.wide'), 'Workers Planned: 2', 'the query is one for workers');
SELECT is((SELECT count(*) FROM tap.wide), 2000::bigint, 'they see what the leader would');
CALL tap.act('developer', 'b');
SELECT is((SELECT count(*) FROM tap.wide), 18000::bigint, 'of each organization');
CALL tap.act('viewer', 'b');
SELECT is((SELECT count(*) FROM tap.wide), 0::bigint, 'with the role of each member');
CALL tap.act();
SELECT is((SELECT count(*) FROM tap.wide), 0::bigint, 'and nothing without a context');

SELECT * FROM finish();
ROLLBACK;
