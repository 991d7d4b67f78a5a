-- tenancy.coverage shows what isolates each table with org_id, and no gap: nowhere in the database.
BEGIN;
SELECT plan(19);

SELECT is_empty(
    $$
        SELECT schema_name, table_name
        FROM tenancy.coverage
        WHERE NOT row_security OR NOT forced OR NOT restrictive_policy OR NOT leading_index OR direct_partition_grants
    $$,
    'the database has no gap');
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind IN ('r', 'p')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    $$,
    'tables without org_id have row security too, forced');
SELECT is_empty(
    $$
        SELECT p.polrelid::regclass, p.polname
        FROM pg_policy AS p
        WHERE '0' = ANY (p.polroles) AND p.polpermissive
          AND p.polrelid IN (SELECT c.oid FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner WHERE r.rolname = 'codeverify_owner')
    $$,
    'no permissive policy is for everybody');
SELECT is_empty(
    $$
        SELECT a.attrelid::regclass
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attname = 'org_id'
          AND r.rolname = 'codeverify_owner'
          AND c.relkind IN ('r', 'p')
          AND (a.atttypid <> 'uuid'::regtype
               OR pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM 'tenancy.current_org_id()')
    $$,
    'org_id is a uuid and defaults to the organization in context');
-- What happens before an organization is known is kept with NULL, which no tenant sees; the platform has a ledger too.
SELECT set_eq(
    $$
        SELECT a.attrelid::regclass::text
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE a.attname = 'org_id' AND NOT a.attnotnull AND r.rolname = 'codeverify_owner' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    $$,
    ARRAY[
        'audits.archive_segments',
        'audits.audit_log',
        'audits.checkpoint_lanes',
        'audits.lanes',
        'auth.audit_logs',
        'codeverify.packed_segments',
        'integrations.inbound_deliveries',
        'integrations.inbound_secrets'
    ],
    'org_id may be NULL in these tables only');

-- Each kind of gap, on tables of a careless user.
SET LOCAL client_min_messages = error;
CREATE SCHEMA tap;
CREATE FUNCTION tap.gaps(name text)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT concat_ws(
        ', ',
        CASE WHEN NOT row_security THEN 'no row security' END,
        CASE WHEN NOT forced THEN 'not forced' END,
        CASE WHEN NOT restrictive_policy THEN 'no policy' END,
        CASE WHEN NOT leading_index THEN 'no index' END,
        CASE WHEN direct_partition_grants THEN 'partition grants' END)
    FROM tenancy.coverage
    WHERE schema_name = 'tap' AND table_name = name
$function$;

CREATE TABLE tap.t (org_id uuid, n int);
SELECT is(tap.gaps('t'), 'no row security, not forced, no policy, no index', 'a new table has every gap');
CREATE INDEX t_n_idx ON tap.t (n, org_id);
CREATE INDEX t_partial_idx ON tap.t (org_id) WHERE n > 0;
SELECT is(tap.gaps('t'), 'no row security, not forced, no policy, no index', 'an index that does not lead with org_id, or not for all rows, is none');
CREATE INDEX t_org_id_idx ON tap.t (org_id, n);
SELECT is(tap.gaps('t'), 'no row security, not forced, no policy', 'one that does is');
ALTER TABLE tap.t ENABLE ROW LEVEL SECURITY;
SELECT is(tap.gaps('t'), 'not forced, no policy', 'row security is seen');
ALTER TABLE tap.t FORCE ROW LEVEL SECURITY;
SELECT is(tap.gaps('t'), 'no policy', 'so is force');
CREATE POLICY permissive ON tap.t USING (org_id = tenancy.current_org_id());
SELECT is(tap.gaps('t'), 'no policy', 'a permissive policy does not restrict');
CREATE POLICY reads_only ON tap.t AS RESTRICTIVE FOR SELECT USING (org_id = tenancy.current_org_id());
SELECT is(tap.gaps('t'), 'no policy', 'nor does one for one command');
CREATE POLICY some_roles ON tap.t AS RESTRICTIVE TO codeverify_tenant USING (org_id = tenancy.current_org_id());
SELECT is(tap.gaps('t'), 'no policy', 'nor one for some roles');
CREATE POLICY spoof ON tap.t AS RESTRICTIVE USING (org_id = current_setting('codeverify.org_id')::uuid);
SELECT is(tap.gaps('t'), 'no policy', 'nor one that reads the setting as text');
CREATE POLICY wide ON tap.t AS RESTRICTIVE USING (org_id = tenancy.current_org_id() OR n = 0);
SELECT is(tap.gaps('t'), 'no policy', 'nor one with an exception');
CREATE POLICY good ON tap.t AS RESTRICTIVE USING (org_id = tenancy.current_org_id());
SELECT is(tap.gaps('t'), '', 'one that compares with the context does');
CREATE POLICY written ON tap.t AS RESTRICTIVE USING (org_id = tenancy.current_org_id()) WITH CHECK (true);
DROP POLICY good ON tap.t;
SELECT is(tap.gaps('t'), 'no policy', 'a policy that checks reads but lets anything be written does not');

CREATE TABLE tap.p (org_id uuid, n int) PARTITION BY RANGE (n);
CREATE TABLE tap.p_default PARTITION OF tap.p DEFAULT;
SELECT tenancy.protect('tap.p');
SELECT is(tap.gaps('p') || tap.gaps('p_default'), '', 'a protected partitioned table has none');
GRANT SELECT ON tap.p_default TO codeverify_tenant;
SELECT is(tap.gaps('p_default'), 'partition grants', 'a grant on a partition is one');

SELECT * FROM finish();
ROLLBACK;
