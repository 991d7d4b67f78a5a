-- Code events name organizations and repositories that exist, checked once for each statement; they go with both
-- their organization and, like attribution and metrics, show no other's.
BEGIN;
SELECT plan(14);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('developer', 'a', 'tap_ingest');
SELECT lives_ok(
    $$INSERT INTO telemetry.code_events (repo_id, event_type) VALUES (tap.id('repository of a'), 'commit')$$,
    'an event needs a repository and a type');
SELECT throws_ok(
    $$INSERT INTO telemetry.code_events (repo_id, event_type) VALUES (tap.id('no repository'), 'commit')$$, '23503',
    'insert or update on table "code_events" violates foreign key constraint "code_events_org_id_repo_id_fkey"',
    'a repository that does not exist is refused');
SELECT throws_ok(
    $$INSERT INTO telemetry.code_events (repo_id, event_type) VALUES (tap.id('repository of b'), 'commit')$$, '23503',
    'insert or update on table "code_events" violates foreign key constraint "code_events_org_id_repo_id_fkey"',
    'one of another organization in the same words');
SELECT throws_ok(
    $$INSERT INTO telemetry.code_events (repo_id, event_type)
      VALUES (tap.id('repository of a'), 'commit'), (tap.id('repository of b'), 'commit')$$, '23503', NULL,
    'one wrong event refuses the statement');
SELECT throws_ok(
    $$INSERT INTO telemetry.code_events (repo_id, event_type, "timestamp") VALUES (tap.id('repository of b'), 'commit', '1999-01-01')$$,
    '23503', NULL, 'whichever partition it would go to');
SELECT throws_ok(
    $$INSERT INTO telemetry.code_events (org_id, repo_id, event_type) VALUES (tap.id('b'), tap.id('repository of b'), 'commit')$$,
    '42501', NULL, 'nobody writes events for another organization');
SELECT throws_ok('SELECT id FROM telemetry.code_events', '42501', NULL, 'a collector reads none');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$INSERT INTO telemetry.code_events (repo_id, event_type) VALUES (tap.id('repository of a'), 'commit')$$, '42501', NULL,
    'an owner writes none by hand');
SELECT is((SELECT count(*) FROM telemetry.code_events), 3::bigint, 'but reads those of its organization');

RESET SESSION AUTHORIZATION;
SELECT throws_ok(
    $$INSERT INTO telemetry.code_events (org_id, repo_id, event_type) VALUES (tap.id('none'), tap.id('repository of a'), 'commit')$$,
    '23503', NULL, 'an organization must exist');
SELECT lives_ok($$DELETE FROM tenancy.organizations WHERE id = tap.id('a')$$, 'an organization is deleted');
SELECT is((SELECT count(*) FROM telemetry.code_events WHERE org_id = tap.id('a')), 0::bigint, 'its events go with it');
SELECT is((SELECT count(*) FROM telemetry.code_attribution WHERE org_id = tap.id('a')), 0::bigint, 'so does its attribution');
SELECT is((SELECT count(*) FROM telemetry.code_events WHERE org_id = tap.id('b')), 2::bigint, 'those of another organization stay');

SELECT * FROM finish();
ROLLBACK;
