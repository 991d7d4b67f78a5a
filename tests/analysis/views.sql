-- finding_summary and repository_dashboard.
BEGIN;
SELECT plan(9);
\ir ../two_tenants.sql

INSERT INTO scm.repositories (id, org_id, github_id, name, full_name)
VALUES (tap.id('busy'), tap.id('a'), 9000000011, 'busy', 'tap-a/busy'),
       (tap.id('quiet'), tap.id('a'), 9000000012, 'quiet', 'tap-a/quiet'),
       (tap.id('other'), tap.id('b'), 9000000013, 'other', 'tap-b/other');
INSERT INTO analysis.analyses (id, org_id, repo_id, pr_number, head_sha, status, created_at, started_at, completed_at)
VALUES (tap.id('old'), tap.id('a'), tap.id('busy'), 1, repeat('1', 40), 'completed', '2026-01-01', '2026-01-01', '2026-01-01 00:05'),
       (tap.id('new'), tap.id('a'), tap.id('busy'), 2, repeat('2', 40), 'running', '2026-01-02', '2026-01-02', NULL),
       (tap.id('alien'), tap.id('b'), tap.id('other'), 3, repeat('3', 40), 'running', '2026-01-03', '2026-01-03', NULL);
INSERT INTO analysis.findings (org_id, analysis_id, category, severity, title, file_path, dismissed)
SELECT tap.id(f.org), tap.id(f.analysis), f.category, f.severity, 't', f.path, f.dismissed
FROM (VALUES
    ('a', 'new', 'security', 'critical', 'x.py', false),
    ('a', 'new', 'security', 'critical', 'x.py', false),
    ('a', 'new', 'security', 'critical', 'y.py', true),
    ('a', 'new', 'security', 'low', 'y.py', false),
    ('a', 'new', 'semantic', 'medium', 'z.py', false),
    ('a', 'new', 'verification', 'high', 'z.py', true),
    ('a', 'old', 'security', 'high', 'x.py', false),
    ('b', 'alien', 'security', 'high', 'x.py', false)) AS f (org, analysis, category, severity, path, dismissed);

CALL tap.act('viewer', 'a');
SELECT bag_eq(
    'SELECT analysis_id, category, severity, findings, open_findings, dismissed_findings, files FROM analysis.finding_summary',
    $$
        VALUES (tap.id('new'), 'security', 'critical', 3::bigint, 2::bigint, 1::bigint, 2::bigint),
               (tap.id('new'), 'security', 'low', 1, 1, 0, 1),
               (tap.id('new'), 'semantic', 'medium', 1, 1, 0, 1),
               (tap.id('new'), 'verification', 'high', 1, 0, 1, 1),
               (tap.id('old'), 'security', 'high', 1, 1, 0, 1)
    $$,
    'the summary counts by analysis, category and severity');
SELECT bag_eq(
    $$
        SELECT full_name, enabled, latest_analysis_id, latest_pr_number, latest_head_sha, latest_status, latest_created_at,
               latest_duration, open_critical, open_high, open_medium, open_low
        FROM analysis.repository_dashboard
    $$,
    $$
        VALUES ('tap-a/busy', true, tap.id('new'), 2, repeat('2', 40), 'running', '2026-01-02'::timestamptz, NULL::interval,
                2::bigint, 0::bigint, 1::bigint, 1::bigint),
               ('tap-a/quiet', true, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0)
    $$,
    'the dashboard has a row for each repository, with the open findings of its newest analysis');
RESET SESSION AUTHORIZATION;
UPDATE analysis.analyses SET status = 'completed', completed_at = '2026-01-02 00:00:30' WHERE id = tap.id('new');
CALL tap.act('viewer', 'a');
SELECT is(
    (SELECT latest_duration FROM analysis.repository_dashboard WHERE full_name = 'tap-a/busy'), interval '30 seconds', 'a duration shows when it is over');
CALL tap.act('viewer', 'b');
SELECT is((SELECT count(*) FROM analysis.finding_summary), 1::bigint, 'another organization sees its own summary');
SELECT results_eq('SELECT full_name, open_high FROM analysis.repository_dashboard', $$VALUES ('tap-b/other', 1::bigint)$$, 'and its own dashboard');
CALL tap.act();
SELECT is((SELECT count(*) FROM analysis.finding_summary), 0::bigint, 'nobody sees none');
SELECT is((SELECT count(*) FROM analysis.repository_dashboard), 0::bigint, 'of either');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok('SELECT * FROM analysis.finding_summary', '42501', NULL, 'and without a role it may not look');
SELECT throws_ok('SELECT * FROM analysis.repository_dashboard', '42501', NULL, 'at either');

SELECT * FROM finish();
ROLLBACK;
