-- Deleting an organization takes all its rows with it, but those of the ledger, and nobody else's. Deleting a user
-- keeps what was done.
BEGIN;
SELECT plan(9);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

UPDATE analysis.analyses SET triggered_by = tap.id('developer of a') WHERE org_id = tap.id('a');

CREATE FUNCTION tap.rows_of(organization text)
RETURNS TABLE (name text, n bigint)
LANGUAGE plpgsql
AS $function$
BEGIN
    FOR name IN
        SELECT format('%I.%I', v.schema_name, v.table_name) FROM tenancy.coverage AS v WHERE NOT v.is_partition AND v.schema_name <> 'tap'
    LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE org_id = tap.id(%L)', name, organization) INTO n;
        RETURN NEXT;
    END LOOP;
END
$function$;
CREATE TEMP TABLE before_of_b AS SELECT * FROM tap.rows_of('b');

SELECT is_empty($$SELECT name FROM tap.rows_of('a') WHERE n = 0$$, 'the organization has rows everywhere');

-- A user who is gone: what is the user's own goes too, what was done stays without a name.
SELECT throws_ok(
    $$DELETE FROM auth.users WHERE id = tap.id('owner of a')$$, NULL, NULL, 'the owner of a project, or of the organization, is not deleted');
SELECT lives_ok($$DELETE FROM auth.users WHERE id = tap.id('developer of a')$$, 'another user is');
SELECT results_eq(
    $$SELECT id, triggered_by FROM analysis.analyses WHERE org_id = tap.id('a')$$, $$VALUES (tap.id('analysis of a'), NULL::uuid)$$,
    'an analysis stays without the user who started it');
SELECT is_empty(
    $$SELECT FROM analysis.analysis_runs WHERE user_id = tap.id('developer of a')$$, 'the user''s own runs are gone');
SELECT is_empty(
    $$SELECT FROM providers.user_providers WHERE user_id = tap.id('developer of a')$$, 'and the user''s own keys');

SELECT lives_ok($$DELETE FROM tenancy.organizations WHERE id = tap.id('a')$$, 'the organization is deleted');
SELECT results_eq(
    $$SELECT name, n FROM tap.rows_of('a') WHERE n > 0 AND name NOT IN ('audits.lanes', 'audits.checkpoint_lanes', 'audits.archive_segments')$$,
    $$VALUES ('audits.audit_log', 2::bigint)$$,
    'nothing of it is left but the ledger');
SELECT set_eq($$SELECT * FROM tap.rows_of('b')$$, 'SELECT * FROM before_of_b', 'the other has what it had');

SELECT * FROM finish();
ROLLBACK;
