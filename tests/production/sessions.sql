-- A session is its user's; its tasks, artifacts and results are written by the service and read by the organization.
BEGIN;
SELECT plan(13);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('developer', 'a');
SELECT results_eq('SELECT user_id FROM production.analysis_sessions', $$VALUES (tap.id('developer of a'))$$, 'a user sees its own sessions');
SELECT lives_ok(
    $$INSERT INTO production.analysis_sessions (id, user_id, project_id) VALUES (tap.id('mine'), tap.id('developer of a'), tap.id('project of a'))$$,
    'and begins one');
SELECT throws_ok(
    $$INSERT INTO production.analysis_sessions (user_id) VALUES (tap.id('owner of a'))$$, '42501', NULL, 'not in another''s name');
SELECT throws_ok(
    $$INSERT INTO production.analysis_sessions (user_id, project_id) VALUES (tap.id('developer of a'), tap.id('project of b'))$$, '23503', NULL,
    'nor on another organization''s project');
SELECT throws_ok(
    $$INSERT INTO production.analysis_tasks (session_id, type) VALUES (tap.id('mine'), 'static')$$, '42501', NULL, 'tasks are the service''s');
SELECT throws_ok(
    $$INSERT INTO production.artifacts (session_id, type, s3_uri) VALUES (tap.id('mine'), 'log', 's3://b/x')$$, '42501', NULL, 'so are artifacts');
CALL tap.act('viewer', 'a');
SELECT throws_ok(
    $$INSERT INTO production.analysis_sessions (user_id) VALUES (tap.id('viewer of a'))$$, '42501', NULL, 'a viewer begins none');
SELECT is((SELECT count(*) FROM production.analysis_sessions), 0::bigint, 'and sees nobody''s');

CALL tap.act('developer', 'a', 'tap_service');
SELECT lives_ok(
    $$INSERT INTO production.analysis_tasks (session_id, type) VALUES (tap.id('mine'), 'static'), (tap.id('mine'), 'ai')$$, 'the service adds tasks');
SELECT lives_ok($$INSERT INTO production.code_review_results (session_id, overall_score) VALUES (tap.id('mine'), 99.5)$$, 'and results');
SELECT throws_ok(
    $$INSERT INTO production.analysis_tasks (session_id, type) VALUES (tap.id('session of b'), 'static')$$, '23503', NULL,
    'not to a session of another organization');

CALL tap.act('developer', 'a');
SELECT lives_ok($$DELETE FROM production.analysis_sessions WHERE id = tap.id('mine')$$, 'a user deletes its session');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT count(*) FROM production.analysis_tasks WHERE session_id = tap.id('mine')), 0::bigint, 'and what hangs from it');

SELECT * FROM finish();
ROLLBACK;
