-- 24: what is planned, prepared or cached under one organization and executed under another.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- 24: a plan that is kept must not keep the organization.
RESET SESSION AUTHORIZATION;
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
DEALLOCATE ALL;
RESET plan_cache_mode;


SELECT * FROM finish();
ROLLBACK;
