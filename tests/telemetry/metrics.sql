-- telemetry.repo_metrics after any change of attribution is what a computation from nothing gives: by UTC day, week from
-- Monday and month. With several sessions at once: tests/operations/metrics.py.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
SET LOCAL TimeZone = 'Pacific/Auckland';

-- What should be there, by a query that has nothing of the refresh.
CREATE VIEW tap.expected AS
SELECT a.org_id,
       a.repo_id,
       p.period,
       date_trunc(p.period, a.created_at AT TIME ZONE 'UTC')::date AS date,
       count(*)::int AS files,
       count(*) FILTER (WHERE a.ai_confidence >= CASE
           WHEN jsonb_typeof(r.settings -> 'ai_confidence_threshold') = 'number' THEN (r.settings ->> 'ai_confidence_threshold')::float8
           WHEN jsonb_typeof(o.settings -> 'ai_confidence_threshold') = 'number' THEN (o.settings ->> 'ai_confidence_threshold')::float8
           ELSE 0.5
       END)::int AS ai_files,
       avg(a.ai_confidence::numeric)::float8 AS avg_ai_confidence,
       count(*) FILTER (WHERE a.risk_tier = 'T1_boilerplate')::int AS t1,
       count(*) FILTER (WHERE a.risk_tier = 'T2_glue')::int AS t2,
       count(*) FILTER (WHERE a.risk_tier = 'T3_core')::int AS t3,
       count(*) FILTER (WHERE a.risk_tier = 'T4_novel')::int AS t4
FROM telemetry.code_attribution AS a
JOIN scm.repositories AS r ON r.id = a.repo_id
JOIN tenancy.organizations AS o ON o.id = a.org_id
CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
GROUP BY a.org_id, a.repo_id, p.period, 4;
CREATE VIEW tap.actual AS
SELECT m.org_id, m.repo_id, m.period::text, m.date, m.files_analyzed, m.ai_files, m.avg_ai_confidence, m.t1_boilerplate_files,
       m.t2_glue_files, m.t3_core_files, m.t4_novel_files
FROM telemetry.repo_metrics AS m;
CREATE VIEW tap.note AS
SELECT c.org_id FROM codeverify.metric_changes AS c WHERE c.relation = 'telemetry.repo_metrics';
CREATE FUNCTION tap.refresh(since timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
AS $function$
DECLARE
    changed bigint;
BEGIN
    CALL tap.act(login => 'tap_service');
    SELECT telemetry.refresh_repo_metrics(since) INTO changed;
    RESET SESSION AUTHORIZATION;
    RETURN changed;
END
$function$;

INSERT INTO scm.repositories (id, org_id, github_id, name, full_name)
VALUES (tap.id('second repository of a'), tap.id('a'), 9100000001, 'second', 'tap-a/second');
DELETE FROM telemetry.code_attribution;
SELECT ok(tap.refresh('-infinity') >= 2, 'what is in the table without attribution');
SELECT is_empty('SELECT * FROM tap.actual', 'goes away');
SELECT is(tap.refresh(), 0::bigint, 'then there is nothing to do');
SELECT is_empty('SELECT * FROM codeverify.list_due_metrics(''telemetry.repo_metrics'')', 'and maintenance has nothing to do');

-- Around the boundaries of days, weeks, months and years; Auckland is half a day ahead.
INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier, created_at)
SELECT tap.id(o.name), tap.id(o.repo), repeat('1', 40), o.repo || n, (n * 7 % 101) / 100.0,
       (ARRAY['T1_boilerplate', 'T2_glue', 'T3_core', 'T4_novel'])[1 + n % 4]::telemetry.risk_tier,
       timestamptz '2025-12-20 00:00:00+00' + n * interval '5 hours 59 minutes'
FROM generate_series(1, 200) AS n
CROSS JOIN (VALUES ('a', 'repository of a'), ('a', 'second repository of a'), ('b', 'repository of b')) AS o (name, repo);
INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier, created_at)
VALUES (tap.id('a'), tap.id('repository of a'), repeat('2', 40), 'first', 0.1, 'T3_core', '2026-03-01 00:00:00+00'),
       (tap.id('a'), tap.id('repository of a'), repeat('2', 40), 'before', 0.2, 'T3_core', '2026-02-28 23:59:59.999999+00'),
       (tap.id('a'), tap.id('repository of a'), repeat('2', 40), 'oldest', 0.3, 'T3_core', '1970-01-01 00:00:00+00'),
       (tap.id('a'), tap.id('repository of a'), repeat('2', 40), 'youngest', 0.3, 'T3_core', '9999-12-31 23:59:59+00');
SELECT results_eq('SELECT * FROM codeverify.list_due_metrics(''telemetry.repo_metrics'')', $$VALUES ('telemetry.repo_metrics')$$, 'changes are due');
SELECT is(tap.refresh(), (SELECT count(*) FROM tap.expected), 'every row is written');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'and is as computed from nothing');
SELECT is(
    (SELECT array_agg(m.files_analyzed ORDER BY m.period) FROM telemetry.repo_metrics AS m WHERE m.date = '2026-03-01'),
    ARRAY[1, 1], 'the first of a month that is a Sunday has a day and a month');
SELECT is(
    (SELECT m.files_analyzed FROM telemetry.repo_metrics AS m WHERE m.date = '2026-02-23' AND m.period = 'week'),
    2, 'and belongs to the week of the Monday before');
SELECT is_empty($$SELECT m.date FROM telemetry.repo_metrics AS m WHERE m.period = 'week' AND extract(isodow FROM m.date) <> 1$$, 'weeks begin on Monday');
SELECT is_empty('SELECT FROM tap.note', 'nothing is left to do');
SELECT is(tap.refresh('-infinity'), 0::bigint, 'all of it once more changes nothing');

-- Every kind of change.
UPDATE telemetry.code_attribution SET ai_confidence = 1 - ai_confidence, risk_tier = 'T1_boilerplate' WHERE file_path LIKE '%7';
SELECT ok(tap.refresh() > 0, 'after updates');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
UPDATE telemetry.code_attribution SET created_at = created_at + interval '40 days' WHERE file_path LIKE '%3';
SELECT ok(tap.refresh() > 0, 'after moves to other days');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
UPDATE telemetry.code_attribution SET repo_id = tap.id('second repository of a') WHERE file_path LIKE 'repository of a%1';
SELECT ok(tap.refresh() > 0, 'after moves to another repository');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
DELETE FROM telemetry.code_attribution WHERE created_at < '2026-01-10' OR file_path = 'oldest';
SELECT ok(tap.refresh() > 0, 'after deletes');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
SELECT is_empty($$SELECT FROM telemetry.repo_metrics AS m WHERE m.files_analyzed = 0$$, 'what has no attribution has no row');
UPDATE telemetry.code_attribution SET detection_signals = '{"a": 1}', detected_at = now() - interval '1 day';
SELECT is_empty('SELECT FROM tap.note', 'what is not counted leaves nothing to do');
CALL tap.act('developer', 'a', 'tap_service');
SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('3', 40), 'new.py', 0.75, 'T3_core') \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is(tap.refresh(), 3::bigint, 'a recorded detection changes a day, a week and a month');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');

-- The threshold.
UPDATE tenancy.organizations SET settings = '{"ai_confidence_threshold": 0.25}' WHERE id = tap.id('a');
SELECT ok(tap.refresh() > 0, 'with an organization''s threshold');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
UPDATE scm.repositories SET settings = '{"ai_confidence_threshold": 0.9}' WHERE id = tap.id('repository of a');
SELECT ok(tap.refresh() > 0, 'with a repository''s');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
SELECT isnt(
    (SELECT sum(m.ai_files) FROM telemetry.repo_metrics AS m WHERE m.repo_id = tap.id('repository of a') AND m.period = 'day'),
    (SELECT count(*) FROM telemetry.code_attribution AS a WHERE a.repo_id = tap.id('repository of a') AND a.ai_confidence >= 0.5),
    'and differs from the default');
UPDATE scm.repositories SET settings = settings || '{"other": 1}';
SELECT is_empty('SELECT FROM tap.note', 'another setting leaves nothing to do');
SELECT is(telemetry.read_ai_threshold(c.organization, c.repository), c.threshold::float8, format('%s and %s', c.organization, c.repository))
FROM (VALUES
    (NULL::jsonb, NULL::jsonb, 0.5),
    ('{}', '{}', 0.5),
    ('{"ai_confidence_threshold": 0.3}', '{}', 0.3),
    ('{"ai_confidence_threshold": 0.3}', '{"ai_confidence_threshold": 0.4}', 0.4),
    ('{"ai_confidence_threshold": 0.3}', '{"ai_confidence_threshold": "0.4"}', 0.3),
    ('{"ai_confidence_threshold": 2}', '{"ai_confidence_threshold": -1}', 0.5),
    ('{"ai_confidence_threshold": null}', '{"ai_confidence_threshold": 1e500}', 0.5),
    ('{"ai_confidence_threshold": 1}', '{"ai_confidence_threshold": 0}', 0),
    ('{}', '{"ai_confidence_threshold": 1e-400}', 0)
) AS c (organization, repository, threshold);
SAVEPOINT tiny;
INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier, created_at)
SELECT r.org_id, r.id, repeat('c', 40), 'tiny ' || n, CASE n WHEN 1 THEN 5e-324 ELSE 0 END, 'T3_core', '1990-01-01 12:00+00'
FROM (SELECT * FROM scm.repositories LIMIT 1) AS r
CROSS JOIN generate_series(1, 3) AS n;
SELECT is(tap.refresh(), 3::bigint, 'a mean that is no double precision any more stops no refresh');
SELECT set_eq(
    $$SELECT m.files_analyzed, m.avg_ai_confidence FROM telemetry.repo_metrics AS m WHERE m.date BETWEEN '1989-12-25' AND '1990-01-01'$$,
    'VALUES (3, 0::float8)', 'it is next to nothing');
ROLLBACK TO SAVEPOINT tiny;

-- since.
UPDATE telemetry.repo_metrics SET files_analyzed = files_analyzed + 1;
SELECT is(tap.refresh(), 0::bigint, 'what nobody noted is not looked at');
SELECT ok(tap.refresh('2026-02-10 00:00+00') > 0, 'but is from the time that is named');
SELECT is_empty(
    $$SELECT * FROM tap.actual WHERE date >= '2026-02-10' EXCEPT SELECT * FROM tap.expected$$, 'from there on it is so');
SELECT isnt_empty($$SELECT * FROM tap.actual WHERE date < '2026-02-01' EXCEPT SELECT * FROM tap.expected$$, 'and not before');
SELECT ok(tap.refresh('-infinity') > 0, 'all of it');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
SELECT is(tap.refresh('infinity'), 0::bigint, 'from the end of time there is nothing');

-- By one organization, and in steps.
UPDATE telemetry.code_attribution SET ai_confidence = 0.5;
CALL tap.act('developer', 'b', 'tap_service');
SELECT ok(telemetry.refresh_repo_metrics() > 0, 'in a context');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT array_agg(DISTINCT c.org_id) FROM tap.note AS c), ARRAY[tap.id('a')], 'the others'' metrics are left');
SELECT results_eq(
    $$SELECT s.action, s.more FROM codeverify.refresh_metrics_step('telemetry.repo_metrics') AS s$$, $$VALUES ('refreshed', false)$$,
    'a step of maintenance does the rest');
SELECT is_empty($$SELECT * FROM codeverify.refresh_metrics_step('telemetry.repo_metrics')$$, 'and then nothing');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
-- In batches of three days a week is computed more than once.
UPDATE telemetry.code_attribution SET ai_confidence = 0.25;
CREATE FUNCTION tap.refresh_in_batches()
RETURNS int
LANGUAGE plpgsql
AS $function$
DECLARE
    batches int := 0;
    tenant uuid;
    days int;
BEGIN
    FOR tenant IN SELECT DISTINCT c.org_id FROM tap.note AS c LOOP
        LOOP
            SELECT b.days INTO days FROM codeverify.refresh_some_metrics('telemetry.repo_metrics', tenant, 9223372036854775807, 3) AS b;
            EXIT WHEN days = 0;
            batches := batches + 1;
        END LOOP;
    END LOOP;
    RETURN batches;
END
$function$;
SELECT cmp_ok(tap.refresh_in_batches(), '>', 10, 'in many batches');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');

-- Deletions of what it hangs on.
UPDATE telemetry.code_attribution SET ai_confidence = 0.75;
DELETE FROM scm.repositories WHERE id = tap.id('second repository of a');
SELECT lives_ok('SELECT tap.refresh()', 'after a repository is gone');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
DELETE FROM tenancy.organizations WHERE id = tap.id('b');
SELECT lives_ok('SELECT tap.refresh()', 'after an organization is gone');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
SELECT is_empty('SELECT FROM tap.note', 'and nothing is left of it');
TRUNCATE telemetry.code_attribution;
SELECT ok(tap.refresh() > 0, 'after TRUNCATE');
SELECT is_empty('SELECT * FROM tap.actual', 'there is nothing');

-- Who may.
CALL tap.act('owner', 'a');
SELECT throws_ok('SELECT telemetry.refresh_repo_metrics()', '42501', NULL, 'tenants refresh nothing');
CALL tap.act('viewer', 'a', 'tap_service');
SELECT throws_ok('SELECT telemetry.refresh_repo_metrics()', 'VC014', NULL, 'nor does the service for a viewer');
CALL tap.act(login => 'tap_admin');
SELECT lives_ok('SELECT telemetry.refresh_repo_metrics()', 'an administrator refreshes all');
SELECT throws_ok($$SELECT codeverify.refresh_metrics_step('x')$$, '42501', NULL, 'steps are maintenance''s');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok('SELECT FROM codeverify.metric_changes', '42501', NULL, 'notes are nobody''s');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
ROLLBACK;
