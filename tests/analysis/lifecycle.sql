-- An analysis starts, and completes or fails, once.
BEGIN;
SELECT plan(42);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
UPDATE scm.repositories SET enabled = true;
INSERT INTO scm.repositories (id, org_id, github_id, name, full_name, enabled)
VALUES (tap.id('disabled'), tap.id('a'), 9000000099, 'disabled', 'tap-a/disabled', false);

CALL tap.act('developer', 'a');
CREATE TEMP TABLE started AS
SELECT analysis.start_analysis(
    tap.id('repository of a'), 42, repeat('b', 40), repeat('c', 64), 'Title', '{"ci": "x"}') AS id;
SELECT results_eq(
    $$
        SELECT a.org_id, a.repo_id, a.pr_number, a.head_sha, a.base_sha, a.pr_title, a.metadata, a.status, a.triggered_by,
               a.started_at, a.completed_at, a.error_message
        FROM analysis.analyses AS a
        JOIN started USING (id)
    $$,
    $$
        VALUES (tap.id('a'), tap.id('repository of a'), 42, repeat('b', 40), repeat('c', 64), 'Title', '{"ci": "x"}'::jsonb, 'running',
                tap.id('developer of a'), now(), NULL::timestamptz, NULL)
    $$,
    'an analysis starts, running');
SELECT lives_ok(
    $$SELECT analysis.start_analysis(tap.id('repository of a'), 42, repeat('b', 40))$$, 'the rest may be left out');
SELECT throws_ok(
    $$SELECT analysis.start_analysis(tap.id('no repository'), 1, repeat('b', 40))$$, 'VC030',
    format('repository %s does not exist', tap.id('no repository')), 'the repository must exist');
SELECT throws_ok(
    $$SELECT analysis.start_analysis(tap.id('repository of b'), 1, repeat('b', 40))$$, 'VC030',
    format('repository %s does not exist', tap.id('repository of b')), 'one of another organization is told so in the same words');
SELECT throws_ok($$SELECT analysis.start_analysis(NULL, 1, repeat('b', 40))$$, 'VC030', NULL, 'and must be named');
SELECT throws_ok(
    $$SELECT analysis.start_analysis(tap.id('disabled'), 1, repeat('b', 40))$$, 'VC031', NULL, 'and enabled');
SELECT throws_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), 0, repeat('b', 40))$$, '23514', NULL, 'a pull request has a positive number');
SELECT throws_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), NULL, repeat('b', 40))$$, '23502', NULL, 'which is needed');
SELECT throws_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), 1, 'main')$$, '23514', NULL, 'the head is a commit');
SELECT throws_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), 1, NULL)$$, '23502', NULL, 'which is needed');
SELECT throws_ok(
    $$SELECT analysis.start_analysis(tap.id('repository of a'), 1, repeat('b', 40), metadata => '[]')$$, '23514', NULL, 'metadata is an object');
SELECT throws_ok(
    $$SELECT analysis.start_analysis(tap.id('repository of a'), 1, repeat('b', 40), metadata => 'null')$$, '23514', NULL, 'not null');

-- Completing.
SELECT lives_ok('SELECT analysis.complete_analysis(id) FROM started', 'a running analysis is completed');
SELECT results_eq(
    'SELECT status, completed_at, error_message FROM analysis.analyses JOIN started USING (id)',
    $$VALUES ('completed', now(), NULL::text)$$, 'and says when');
SELECT throws_ok('SELECT analysis.complete_analysis(id) FROM started', 'VC041', NULL, 'not twice');
SELECT throws_ok($$SELECT analysis.fail_analysis(id, 'late') FROM started$$, 'VC041', NULL, 'nor does it fail then');
SELECT results_eq(
    'SELECT status, error_message FROM analysis.analyses JOIN started USING (id)',
    $$VALUES ('completed', NULL::text)$$, 'it stays as it was');
SELECT throws_ok(
    $$SELECT i.* FROM started, analysis.import_sarif(id, '{"version": "2.1.0", "runs": []}') AS i$$, 'VC041', NULL, 'and takes no more findings');

-- Failing.
SELECT lives_ok($$SELECT analysis.fail_analysis(tap.id('analysis of a'), 'out of memory')$$, 'a running analysis fails');
SELECT results_eq(
    $$SELECT status, completed_at >= started_at, error_message FROM analysis.analyses WHERE id = tap.id('analysis of a')$$,
    $$VALUES ('failed', true, 'out of memory')$$, 'and says why');
SELECT throws_ok($$SELECT analysis.complete_analysis(tap.id('analysis of a'))$$, 'VC041', NULL, 'after which it is not completed');
SELECT throws_ok($$SELECT analysis.complete_analysis(tap.id('no analysis'))$$, 'VC040', NULL, 'an analysis must exist to complete');
SELECT throws_ok($$SELECT analysis.fail_analysis(tap.id('no analysis'), 'x')$$, 'VC040', NULL, 'or to fail');
SELECT throws_ok($$SELECT analysis.complete_analysis(NULL)$$, 'VC040', NULL, 'and be named');
SELECT throws_ok(
    $$SELECT analysis.complete_analysis(tap.id('analysis of b'))$$, 'VC040',
    format('analysis %s does not exist', tap.id('analysis of b')), 'that of another organization does not exist');
SELECT throws_ok($$SELECT analysis.fail_analysis(tap.id('analysis of b'), 'x')$$, 'VC040', NULL, 'nor for failing');
SELECT throws_ok($$SELECT analysis.export_sarif(tap.id('analysis of b'))$$, 'VC040', NULL, 'nor for exporting');
SELECT throws_ok(
    $$SELECT * FROM analysis.import_sarif(tap.id('analysis of b'), '{"version": "2.1.0", "runs": []}')$$, 'VC040', NULL, 'nor for importing');

-- One that waits.
INSERT INTO analysis.analyses (id, repo_id, pr_number, head_sha) VALUES (tap.id('waits'), tap.id('repository of a'), 5, repeat('d', 40));
SELECT is((SELECT status FROM analysis.analyses WHERE id = tap.id('waits')), 'pending', 'an analysis made by hand waits');
SELECT throws_ok($$SELECT analysis.complete_analysis(tap.id('waits'))$$, 'VC041', NULL, 'one that waits is not completed');
SELECT throws_ok(
    $$SELECT * FROM analysis.import_sarif(tap.id('waits'), '{"version": "2.1.0", "runs": []}')$$, 'VC041', NULL, 'and takes no findings');
SELECT lives_ok($$SELECT analysis.fail_analysis(tap.id('waits'), 'never ran')$$, 'but fails');

-- Who may.
CALL tap.act('viewer', 'a');
SELECT throws_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), 1, repeat('b', 40))$$, 'VC014', NULL, 'a viewer starts none');
SELECT throws_ok($$SELECT analysis.complete_analysis(tap.id('analysis of a'))$$, 'VC014', NULL, 'completes none');
SELECT throws_ok($$SELECT analysis.fail_analysis(tap.id('analysis of a'), 'x')$$, 'VC014', NULL, 'fails none');
CALL tap.act();
SELECT throws_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), 1, repeat('b', 40))$$, 'VC011', NULL, 'without a context nobody starts any');
SELECT throws_ok($$SELECT analysis.complete_analysis(tap.id('analysis of a'))$$, 'VC011', NULL, 'completes any');
SELECT throws_ok($$SELECT analysis.export_sarif(tap.id('analysis of a'))$$, 'VC011', NULL, 'or exports any');
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT throws_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), 1, repeat('b', 40))$$, '42501', NULL, 'a writer of logs starts none');
CALL tap.act(NULL, 'b', 'tap_service');
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.member_role = 'owner';
SET LOCAL SESSION AUTHORIZATION tap_service;
SELECT lives_ok($$SELECT analysis.complete_analysis(tap.id('analysis of b'))$$, 'the service does, for the organization it acts for');
SELECT lives_ok($$SELECT analysis.start_analysis(tap.id('repository of b'), 77, repeat('b', 40))$$, 'and starts one');
SELECT is((SELECT triggered_by FROM analysis.analyses WHERE pr_number = 77), NULL, 'which names no user');

SELECT * FROM finish();
ROLLBACK;
