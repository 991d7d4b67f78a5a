-- Stored reports: what they show, to whom, and how they are refreshed. Nobody but their owner reads what is stored; the view
-- in front shows the organization in context its rows, and tells no filter of others.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../careless.sql

SELECT set_eq(
    'SELECT report::text FROM codeverify.list_reports()',
    ARRAY['analysis.stored_analyses_by_week', 'analysis.stored_findings_by_week', 'observability.stored_incidents_by_month',
          'telemetry.stored_events_by_week'],
    'the reports');
SELECT is_empty('SELECT report FROM codeverify.list_reports() WHERE NOT is_populated', 'hold what there is from the beginning: nothing');
SELECT set_eq('SELECT * FROM codeverify.list_due_reports()', 'SELECT report::text FROM codeverify.list_reports()', 'and are due');
SELECT is_empty(
    $$
        SELECT l.report
        FROM codeverify.list_reports() AS l
        WHERE NOT EXISTS (
            SELECT
            FROM pg_index AS i
            JOIN pg_attribute AS a ON a.attrelid = i.indexrelid AND a.attnum = 1
            WHERE i.indrelid = l.report AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attname = 'org_id')
    $$,
    'each has a unique index that begins with the organization');

-- Refreshing.
INSERT INTO analysis.findings (org_id, analysis_id, category, severity, title, file_path, created_at, dismissed)
SELECT tap.id(o), tap.id('analysis of ' || o), 'security', 'low', 'Of ' || o || n, 'f', timestamptz '2026-03-01 23:00:00+00' + n * interval '1 hour', n = 1
FROM unnest(ARRAY['a', 'b']) AS o
CROSS JOIN generate_series(0, 1) AS n;
INSERT INTO analysis.findings (org_id, analysis_id, category, severity, title, file_path, created_at)
SELECT tap.id('b'), tap.id('analysis of b'), 'security', 'low', 'Of no time', 'f', t
FROM unnest(ARRAY['-infinity', 'infinity', '4713-01-01 BC', '294276-01-01', '2199-01-01', '1999-01-01']::timestamptz[]) AS t;
INSERT INTO analysis.analyses (org_id, repo_id, pr_number, head_sha, status, created_at, started_at, completed_at)
SELECT tap.id('a'), tap.id('repository of a'), 2, repeat('a', 40), 'completed', '2026-03-02 00:00+00', s, c
FROM (VALUES
    (timestamptz '2026-03-02', timestamptz '2026-03-02' + interval '10 seconds'),
    ('2026-03-02', timestamptz '2026-03-02' + interval '30 seconds'),
    ('-infinity', 'infinity')) AS t (s, c);
INSERT INTO observability.incidents (org_id, severity, status, created_at, resolved_at)
VALUES (tap.id('a'), 'sev1', 'resolved', '2026-03-01 00:00+00', '2026-03-01 06:00+00'),
       (tap.id('a'), 'sev1', 'resolved', '2026-03-31 23:59+00', '2026-04-01 01:59+00'),
       (tap.id('a'), 'sev1', 'open', '2026-03-05 00:00+00', NULL),
       (tap.id('a'), 'sev1', 'resolved', '2026-03-05 00:00+00', 'infinity');
INSERT INTO telemetry.code_events (org_id, repo_id, event_type, "timestamp")
SELECT tap.id(o), tap.id('repository of ' || o), 'pr_opened', '2026-03-02 00:00+00' FROM unnest(ARRAY['a', 'b', 'b']) AS o;
INSERT INTO analysis.analyses (org_id, repo_id, pr_number, head_sha, created_at)
VALUES (tap.id('b'), tap.id('repository of b'), 2, repeat('a', 40), '2026-03-02 00:00+00');
INSERT INTO observability.incidents (org_id, created_at) VALUES (tap.id('b'), '2026-03-02 00:00+00');
SET LOCAL codeverify.clock = '2026-04-20 12:00:00+00';
SELECT is((SELECT s.action || ' ' || s.detail || ' ' || s.more FROM codeverify.refresh_report_step(l.report::text) AS s),
          'refreshed concurrently false', format('%s is refreshed beside its readers', l.report))
FROM codeverify.list_reports() AS l;
SELECT is_empty('SELECT * FROM codeverify.list_due_reports()', 'then none is due');
SELECT is_empty($$SELECT * FROM codeverify.refresh_report_step('analysis.stored_findings_by_week')$$, 'and a step does nothing');
SET LOCAL codeverify.clock = '2026-04-20 12:59:59+00';
SELECT is_empty('SELECT * FROM codeverify.list_due_reports()', 'for an hour');
SET LOCAL codeverify.clock = '2026-04-20 13:00:00+00';
SELECT is((SELECT count(*) FROM codeverify.list_due_reports()), 4::bigint, 'after which they are');

-- What is shown, to whom.
CALL tap.act('viewer', 'a');
SELECT results_eq(
    $$SELECT org_id, repo_id, week, severity, findings, open_findings, dismissed_findings, refreshed_at
      FROM analysis.findings_by_week WHERE severity = 'low' ORDER BY week$$,
    $$VALUES (tap.id('a'), tap.id('repository of a'), date '2026-02-23', 'low', 1::bigint, 1::bigint, 0::bigint, timestamptz '2026-04-20 12:00:00+00'),
             (tap.id('a'), tap.id('repository of a'), '2026-03-02', 'low', 1, 0, 1, '2026-04-20 12:00:00+00')$$,
    'a viewer sees findings by week');
SELECT results_eq(
    $$SELECT org_id, repo_id, analyses, completed, failed, median_seconds FROM analysis.analyses_by_week WHERE week = '2026-03-02'$$,
    $$VALUES (tap.id('a'), tap.id('repository of a'), 3::bigint, 3::bigint, 0::bigint, 20::double precision)$$,
    'analyses by week');
SELECT results_eq(
    $$SELECT org_id, repo_id, event_type::text, events FROM telemetry.events_by_week WHERE week = '2026-03-02'$$,
    $$VALUES (tap.id('a'), tap.id('repository of a'), 'pr_opened', 1::bigint)$$,
    'events by week');
SELECT results_eq(
    $$SELECT org_id, incidents, open_incidents, oldest_open_at, mean_hours_to_resolve
      FROM observability.incidents_by_month WHERE month = '2026-03-01' AND severity = 'sev1'$$,
    $$VALUES (tap.id('a'), 4::bigint, 1::bigint, timestamptz '2026-03-05 00:00+00', 4::double precision)$$,
    'and incidents by month');
CALL tap.act('viewer', 'b');
SELECT is((SELECT sum(findings) FROM analysis.findings_by_week WHERE severity = 'low'), 2::numeric, 'what has no day in the last year is left out');
SELECT is((SELECT sum(events) FROM telemetry.events_by_week WHERE event_type = 'pr_opened'), 2::numeric, 'another organization sees its own');
RESET SESSION AUTHORIZATION;

-- Attacks: from inside the other organization, from nowhere, and straight at what is stored.
CREATE TABLE tap.view AS
SELECT v.name, replace(v.name, '.', '.stored_')::regclass AS stored
FROM unnest(ARRAY['analysis.findings_by_week', 'analysis.analyses_by_week', 'telemetry.events_by_week', 'observability.incidents_by_month']) AS v (name);
GRANT SELECT ON tap.view TO PUBLIC;
CREATE FUNCTION tap.count(relation text, filter text DEFAULT 'true')
RETURNS bigint
LANGUAGE plpgsql
AS $function$
DECLARE
    n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s AS v WHERE %s', relation, filter) INTO n;
    RETURN n;
END
$function$;
SELECT cmp_ok(tap.count(stored::text, $$org_id = tap.id('b')$$), '>', 0::bigint, format('%s has rows of b', stored)) FROM tap.view;
CALL tap.act('owner', 'a');
SELECT cmp_ok(tap.count(name), '>', 0::bigint, format('%s shows an owner something', name)) FROM tap.view;
SELECT is(tap.count(name, $$org_id <> tap.id('a')$$), 0::bigint, format('%s of its own', name)) FROM tap.view;
SELECT is(
    tap.count(name, 'attacker.tell(v.org_id::text)'), tap.count(name), format('%s takes a filter that tells', name))
FROM tap.view;
SELECT is((SELECT array_agg(DISTINCT value) FROM attacker.loot), ARRAY[tap.id('a')::text], 'which is told nothing of others');
SELECT throws_ok(format('SELECT * FROM %s', stored), '42501', NULL, format('%s is nobody''s', stored)) FROM tap.view;
SELECT throws_ok(format('REFRESH MATERIALIZED VIEW %s', stored), '42501', NULL, format('nor is refreshing %s', stored)) FROM tap.view;
SELECT throws_ok($$SELECT codeverify.refresh_report('analysis.stored_findings_by_week')$$, '42501', NULL, 'by a function either');
CALL tap.act();
SELECT is(tap.count(name), 0::bigint, format('without a context %s shows nothing', name)) FROM tap.view;
CALL tap.act(login => 'tap_service');
SELECT is(tap.count(name), 0::bigint, format('nor to the service: %s', name)) FROM tap.view;
CALL tap.act(login => 'tap_auditor');
SELECT throws_ok(format('SELECT * FROM %s', name), '42501', NULL, format('%s is not for auditors', name)) FROM tap.view;
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$SELECT c.oid::regclass FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
      WHERE c.relkind = 'm' AND c.relowner = 'codeverify_owner'::regrole AND a.grantee <> c.relowner$$,
    'nothing is granted on what is stored');
CREATE MATERIALIZED VIEW tap.mine AS SELECT 1 AS a;

-- Configuration, and what cannot be refreshed beside readers.
CALL tap.act(login => 'tap_admin');
SELECT lives_ok($$SELECT codeverify.configure_report('analysis.stored_findings_by_week', '1 day')$$, 'an administrator says how often');
SELECT lives_ok($$SELECT codeverify.configure_report('analysis.stored_analyses_by_week', NULL)$$, 'or never');
SELECT throws_ok($$SELECT codeverify.configure_report('analysis.stored_analyses_by_week', '0')$$, '23514', NULL, 'not all the time');
SELECT throws_ok($$SELECT codeverify.configure_report('analysis.findings', '1 day')$$, 'VC123', 'analysis.findings is no report of codeverify', 'only of reports');
SELECT throws_ok($$SELECT codeverify.refresh_report('tap.mine')$$, 'VC123', NULL, 'not of anybody''s materialized view');
RESET SESSION AUTHORIZATION;
SELECT set_eq(
    'SELECT * FROM codeverify.list_due_reports()',
    ARRAY['observability.stored_incidents_by_month', 'telemetry.stored_events_by_week'], 'it is done so');
SET LOCAL SESSION AUTHORIZATION codeverify_owner;
REFRESH MATERIALIZED VIEW telemetry.stored_events_by_week WITH NO DATA;
DROP INDEX observability.stored_incidents_by_month_org_id_month_severity_idx;
RESET SESSION AUTHORIZATION;
CALL tap.act(login => 'tap_admin');
SELECT is(codeverify.refresh_report('telemetry.stored_events_by_week'), 'exclusively', 'what holds nothing is filled');
SELECT is(codeverify.refresh_report('telemetry.stored_events_by_week'), 'concurrently', 'and then refreshed beside readers');
SELECT is(codeverify.refresh_report('observability.stored_incidents_by_month'), 'exclusively', 'what has no unique index cannot be');
RESET SESSION AUTHORIZATION;

-- The share that models have, which is not stored.
INSERT INTO telemetry.repo_metrics (org_id, repo_id, date, period, files_analyzed, ai_files)
SELECT tap.id(o), tap.id('repository of ' || o), '2026-03-01', 'month', 4, 1 FROM unnest(ARRAY['a', 'b']) AS o;
CALL tap.act('viewer', 'a');
SELECT results_eq(
    $$SELECT full_name, ai_share FROM telemetry.ai_share WHERE period = 'month'$$, $$VALUES ('tap-a/repository', 0.25::double precision)$$,
    'is seen of one''s own repositories');
SELECT results_eq($$SELECT ai_share FROM telemetry.ai_share WHERE files_analyzed = 0$$, 'VALUES (NULL::double precision)', 'of no files there is none');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
ROLLBACK;
