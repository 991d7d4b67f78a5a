-- Two real logs become findings; importing one again updates; what a person dismissed stays dismissed.
BEGIN;
SELECT plan(42);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\set django `cat tests/data/sarif/bandit-django-4.2.16.sarif`
\set flask `cat tests/data/sarif/bandit-flask-3.0.3.sarif`
CREATE TABLE tap.log (name text PRIMARY KEY, log jsonb);
INSERT INTO tap.log VALUES ('django', :'django'), ('flask', :'flask');
GRANT SELECT ON tap.log TO PUBLIC;
DELETE FROM analysis.findings;

CREATE FUNCTION tap.import(analysis_name text, log_name text)
RETURNS TABLE (run_index int, tool text, imported int, updated int, suppressed int, skipped int)
LANGUAGE sql
AS $function$
    SELECT i.* FROM tap.log AS l, analysis.import_sarif(tap.id(analysis_name), l.log) AS i WHERE l.name = log_name
$function$;

CALL tap.act('developer', 'a');
SELECT results_eq(
    $$SELECT * FROM tap.import('analysis of a', 'django')$$, $$VALUES (0, 'Bandit', 290, 0, 0, 0)$$,
    'the log of Django has 290 results');
SELECT is((SELECT count(*) FROM analysis.findings), 290::bigint, 'which are 290 findings');
-- The log says error for 8 of them, note for 109 and nothing for 173; nothing means warning.
SELECT bag_eq(
    'SELECT category, severity, count(*) FROM analysis.findings GROUP BY category, severity',
    $$VALUES ('security', 'high', 8::bigint), ('security', 'medium', 173), ('security', 'low', 109)$$,
    'severity follows the level, or the default where there is none');
SELECT is((SELECT count(DISTINCT file_path) FROM analysis.findings), 94::bigint, 'they are in 94 files');
SELECT bag_eq(
    'SELECT confidence, count(*) FROM analysis.findings GROUP BY confidence',
    $$VALUES (0.9::float8, 223::bigint), (0.6, 55), (0.3, 12)$$,
    'confidence follows Bandit''s HIGH, MEDIUM and LOW');
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE fingerprint ~ '^[0-9a-f]{64}$' AND rule_id ~ '^B\d{3}$'), 290::bigint,
    'each has a fingerprint and a rule');
SELECT is(
    (SELECT count(*) FROM analysis.findings
     WHERE dismissed OR dismissed_by IS NOT NULL OR dismissed_at IS NOT NULL OR dismissed_reason IS NOT NULL), 0::bigint,
    'none is dismissed');
SELECT results_eq(
    $$
        SELECT org_id, analysis_id, title, file_path, line_start, rule_id, verification_type, code_snippet
        FROM analysis.findings
        WHERE file_path = 'django/apps/config.py' AND line_start = 112
    $$,
    $$
        VALUES (tap.id('a'), tap.id('analysis of a'), 'Try, Except, Pass detected', 'django/apps/config.py', 112, 'B110', 'pattern',
                E'        except Exception:\n')
    $$,
    'one of them is this');
SELECT is(
    (SELECT sum(findings) FROM analysis.finding_summary WHERE analysis_id = tap.id('analysis of a')), 290::numeric, 'the summary counts them');
SELECT results_eq(
    'SELECT open_critical, open_high, open_medium, open_low FROM analysis.repository_dashboard',
    'VALUES (0::bigint, 8::bigint, 173::bigint, 109::bigint)', 'and the dashboard');

-- Again.
CREATE TEMP TABLE first AS SELECT * FROM analysis.findings;
SELECT results_eq(
    $$SELECT * FROM tap.import('analysis of a', 'django')$$, $$VALUES (0, 'Bandit', 0, 290, 0, 0)$$,
    'importing the log again updates each finding');
SELECT set_eq('SELECT * FROM analysis.findings', 'SELECT * FROM first', 'to what it was');

-- A log in which something has changed: one result is gone, one new, one says something else.
RESET SESSION AUTHORIZATION;
INSERT INTO tap.log
SELECT 'changed', jsonb_set(
    jsonb_set(log #- '{runs,0,results,0}', '{runs,0,results,7,level}', '"error"'),
    '{runs,0,results,289}',
    '{"message": {"text": "New"}, "ruleId": "B110", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "new.py"}, "region": {"startLine": 7}}}]}')
FROM tap.log
WHERE name = 'django';
CALL tap.act('developer', 'a');
SELECT results_eq(
    $$SELECT * FROM tap.import('analysis of a', 'changed')$$, $$VALUES (0, 'Bandit', 1, 289, 0, 0)$$, 'a changed log updates and adds');
SELECT is((SELECT count(*) FROM analysis.findings), 291::bigint, 'what it no longer has stays: an analysis may be imported in parts');
SELECT results_eq(
    $$SELECT line_start, severity FROM analysis.findings WHERE file_path = 'new.py'$$, $$VALUES (7, 'medium')$$, 'the new one is there');
SELECT is((SELECT count(*) FROM analysis.findings WHERE severity = 'high'), 9::bigint, 'the changed one has its new severity');

-- What a person says outlives what the log says.
SELECT analysis.dismiss_finding(f.id, 'a test') FROM analysis.findings AS f WHERE f.severity = 'high' \g /dev/null
SELECT results_eq(
    $$SELECT * FROM tap.import('analysis of a', 'django')$$, $$VALUES (0, 'Bandit', 0, 290, 0, 0)$$, 'the log is imported once more');
SELECT is(
    (SELECT count(*) FROM analysis.findings
     WHERE dismissed AND dismissed_reason = 'a test' AND dismissed_by = tap.id('developer of a') AND dismissed_at = now()), 9::bigint,
    'what a person dismissed stays dismissed');
RESET SESSION AUTHORIZATION;
INSERT INTO tap.log
SELECT 'suppressed', jsonb_set(log, '{runs,0,results}', (
    SELECT jsonb_agg(
        CASE r ->> 'level' WHEN 'note' THEN r || '{"suppressions": [{"kind": "inSource", "justification": "nosec"}]}' ELSE r END ORDER BY n)
    FROM jsonb_array_elements(log #> '{runs,0,results}') WITH ORDINALITY AS x (r, n)))
FROM tap.log
WHERE name = 'django';
CALL tap.act('developer', 'a');
SELECT results_eq(
    $$SELECT * FROM tap.import('analysis of a', 'suppressed')$$, $$VALUES (0, 'Bandit', 0, 290, 109, 0)$$, 'a log suppresses 109 of them');
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE dismissed AND dismissed_at IS NULL AND dismissed_by IS NULL AND dismissed_reason = 'nosec'),
    109 - (SELECT count(*) FROM analysis.findings WHERE severity = 'low' AND dismissed_reason = 'a test'),
    'those that no person had dismissed are dismissed by nobody, with the log''s reason');
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE dismissed_reason = 'a test'), 9::bigint, 'a person''s reason is not replaced by the log''s');
SELECT tap.import('analysis of a', 'django') \g /dev/null
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE dismissed), 9::bigint, 'a log that suppresses no longer takes its own dismissals back');
SELECT analysis.reopen_finding(f.id) FROM analysis.findings AS f WHERE f.dismissed \g /dev/null
SELECT tap.import('analysis of a', 'django') \g /dev/null
SELECT is((SELECT count(*) FROM analysis.findings WHERE dismissed), 0::bigint, 'what a person reopened stays open');

-- The other log, another analysis, another organization.
CREATE TEMP TABLE second AS SELECT analysis.start_analysis(tap.id('repository of a'), 2, repeat('b', 40)) AS id;
SELECT results_eq(
    $$SELECT i.* FROM second, tap.log AS l, analysis.import_sarif(id, l.log) AS i WHERE l.name = 'flask'$$,
    $$VALUES (0, 'Bandit', 11, 0, 0, 0)$$, 'the log of Flask has 11 results');
SELECT bag_eq(
    'SELECT severity, count(*) FROM analysis.findings JOIN second ON second.id = analysis_id GROUP BY severity',
    $$VALUES ('high', 1::bigint), ('medium', 3), ('low', 7)$$, 'of these severities');
SELECT results_eq(
    $$SELECT i.imported, i.updated FROM second, tap.log AS l, analysis.import_sarif(id, l.log) AS i WHERE l.name = 'django'$$,
    'VALUES (290, 0)', 'a second log adds to the first');
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE analysis_id = tap.id('analysis of a')), 291::bigint, 'and another analysis is left alone');
CALL tap.act('developer', 'b');
SELECT is((SELECT count(*) FROM analysis.findings), 0::bigint, 'the other organization sees nothing of all that');
SELECT results_eq(
    $$SELECT * FROM tap.import('analysis of b', 'flask')$$, $$VALUES (0, 'Bandit', 11, 0, 0, 0)$$, 'and imports for itself');
CALL tap.act('viewer', 'a');
SELECT is((SELECT count(*) FROM analysis.findings), 592::bigint, 'the first has what it had');
SELECT throws_ok($$SELECT * FROM tap.import('analysis of a', 'flask')$$, 'VC014', NULL, 'a viewer imports nothing');

-- A tenant's own text is data, whatever it looks like.
CALL tap.act('developer', 'a');
SELECT lives_ok(
    $$SELECT * FROM analysis.import_sarif(tap.id('analysis of a'), '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "'');--"}}, "results": [
        {"ruleId": "\"{}\\", "message": {"text": "''); DROP TABLE analysis.findings; --"},
         "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a,b.py"}}}]}]}]}')$$,
    'quotes, braces and commas are taken as they are');
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE title = '''); DROP TABLE analysis.findings; --'), 1::bigint, 'as text');
SELECT results_eq(
    $$SELECT i.imported, i.updated FROM second, tap.log AS l, analysis.import_sarif(id, l.log::text) AS i WHERE l.name = 'flask'$$,
    'VALUES (0, 11)', 'a log as text is the same log');
SELECT results_eq(
    $$SELECT i.imported, i.updated FROM second, tap.log AS l, analysis.import_sarif(id, l.log) AS i WHERE l.name = 'flask'$$,
    'VALUES (0, 11)', 'as jsonb too');
SELECT lives_ok(
    $$SELECT * FROM analysis.import_sarif(tap.id('analysis of a'), '{"version": "2.1.0", "runs": []}')$$, 'a log without runs is a log');
SELECT is_empty(
    $$SELECT * FROM analysis.import_sarif(tap.id('analysis of a'), '{"version": "2.1.0", "runs": []}')$$, 'of which there is nothing to say');
SELECT results_eq(
    $$SELECT * FROM analysis.import_sarif(tap.id('analysis of a'), '{"version": "2.1.0", "runs": [
        {"tool": {"driver": {"name": "one"}}}, {"tool": {"driver": {"name": "two"}}, "results": []},
        {"tool": {"driver": {"name": "three"}}, "results": [{"message": {"text": "x"}}, {"message": {"text": "x"}}, {"kind": "pass", "message": {"text": "x"}}]}]}')$$,
    $$VALUES (0, 'one', 0, 0, 0, 0), (1, 'two', 0, 0, 0, 0), (2, 'three', 2, 0, 0, 1)$$,
    'each run has a row; equal results are two findings, one that passed is none');
SELECT results_eq(
    $$SELECT imported, updated, skipped FROM analysis.import_sarif(tap.id('analysis of a'), '{"version": "2.1.0", "runs": [
        {"tool": {"driver": {"name": "three"}}, "results": [{"message": {"text": "x"}}, {"message": {"text": "x"}}, {"kind": "pass", "message": {"text": "x"}}]}]}')$$,
    'VALUES (0, 2, 1)', 'again, too');

-- Where the tenant's own rights do not matter: its import works although it could not read every column by itself.
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE org_id <> tap.id('a')), 0::bigint, 'nothing was written for another organization');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM analysis.findings WHERE org_id = tap.id('b')), 11::bigint, 'which has its own 11');
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE analysis_id = tap.id('analysis of b') AND org_id = tap.id('a')), 0::bigint, 'and no more');

SELECT * FROM finish();
ROLLBACK;
