-- Tables whose rows belong to a user: another user of the same organization does not see them, not even an owner.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CREATE TABLE tap.own (name regclass, user_column name);
GRANT SELECT ON tap.own TO PUBLIC;
INSERT INTO tap.own
SELECT p.polrelid, a.attname
FROM pg_policy AS p
JOIN pg_attribute AS a ON a.attrelid = p.polrelid
WHERE NOT p.polpermissive
  AND p.polname LIKE '%\_own'
  AND p.polroles = '{0}'
  AND p.polcmd = '*'
  AND pg_get_expr(p.polqual, p.polrelid) = format('(%I = tenancy.current_user_id())', a.attname)
  AND pg_get_expr(p.polwithcheck, p.polrelid) = format('(%I = tenancy.current_user_id())', a.attname);

SELECT set_eq(
    'SELECT name::text FROM tap.own',
    ARRAY['analysis.analysis_runs', 'analysis.jobs', 'production.analysis_sessions', 'providers.user_providers',
          'providers.user_quotas', 'providers.usage_tracking', 'providers.usage_metrics', 'providers.cost_alerts'],
    'these tables have a restrictive policy that compares the user');

-- With every grant and a policy that allows everything, so that nothing but the restrictive policies stands.
DO $careless$
DECLARE
    target regclass;
BEGIN
    FOR target IN SELECT name FROM tap.own LOOP
        -- At once: with less, autovacuum would wait for this transaction, which would wait for it.
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', target);
        EXECUTE format('GRANT ALL ON %s TO PUBLIC', target);
        EXECUTE format('CREATE POLICY careless ON %s USING (true) WITH CHECK (true)', target);
    END LOOP;
END
$careless$;

CREATE FUNCTION tap.owners(target tap.own)
RETURNS uuid[]
LANGUAGE plpgsql
AS $function$
DECLARE
    owners uuid[];
BEGIN
    EXECUTE format('SELECT array_agg(DISTINCT %I) FROM %s', target.user_column, target.name) INTO owners;
    RETURN owners;
END
$function$;

SELECT ok(
    tap.owners(own) @> ARRAY[tap.id('owner of a'), tap.id('developer of a'), tap.id('owner of b')],
    format('%s is filled', name))
FROM tap.own ORDER BY name::text;

CALL tap.act('owner', 'a');
SELECT is(tap.owners(own), ARRAY[tap.id('owner of a')], format('%s shows an owner its own', name))
FROM tap.own ORDER BY name::text;
SELECT throws_ok(
    format('UPDATE %s SET %I = tap.id(''developer of a'')', name, user_column), '42501', NULL,
    format('%s lets nobody give a row away', name))
FROM tap.own ORDER BY name::text;

CALL tap.act('developer', 'a');
SELECT is(tap.owners(own), ARRAY[tap.id('developer of a')], format('%s shows a developer their own', name))
FROM tap.own ORDER BY name::text;

CALL tap.act('viewer', 'a');
SELECT is(tap.owners(own), NULL, format('%s shows a viewer, who has none, nothing', name))
FROM tap.own ORDER BY name::text;

-- An API key acts for no user.
CALL tap.act('developer', 'a');
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.user_id = '';
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(tap.owners(own), NULL, format('%s shows an API key nothing', name))
FROM tap.own ORDER BY name::text;

SELECT * FROM finish();
ROLLBACK;
