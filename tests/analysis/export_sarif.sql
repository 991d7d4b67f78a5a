-- What is exported is a SARIF log, and importing it gives the same findings.
BEGIN;
SELECT plan(22);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\set django `cat tests/data/sarif/bandit-django-4.2.16.sarif`
DELETE FROM analysis.findings WHERE org_id = tap.id('a');

CREATE VIEW tap.content WITH (security_invoker = true) AS
SELECT analysis_id, category, severity, title, description, file_path, line_start, line_end, code_snippet, fix_suggestion, fix_diff,
       confidence, verification_type, verification_proof, metadata, dismissed, dismissed_reason, fingerprint, rule_id
FROM analysis.findings;
GRANT SELECT ON tap.content TO PUBLIC;

CALL tap.act('admin', 'a');
SELECT is(
    (SELECT jsonb_agg(jsonb_build_array(r #> '{tool,driver,name}', r -> 'results'))
     FROM jsonb_array_elements(analysis.export_sarif(tap.id('analysis of a')) -> 'runs') AS r),
    '[["codeverify", []]]', 'an analysis without findings has a run without results');

SELECT * FROM analysis.import_sarif(tap.id('analysis of a'), :'django') \g /dev/null
SELECT * FROM analysis.import_sarif(tap.id('analysis of a'), '{"version": "2.1.0", "runs": [{
    "tool": {"driver": {"name": "Other", "rules": [
        {"id": "R", "properties": {"security-severity": "9.8", "tags": ["security", "external/cwe/cwe-089"]}, "messageStrings": {"m": {"text": "Query of {0}."}}}]}},
    "originalUriBaseIds": {"SRC": {"uri": "file:///repo/"}},
    "results": [
        {"ruleId": "R", "message": {"id": "m", "arguments": ["users"]}, "partialFingerprints": {"p/v1": "1"},
         "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py", "uriBaseId": "SRC"}, "region": {"startLine": 1, "startColumn": 2, "endLine": 3}}}],
         "codeFlows": [{"threadFlows": [{"locations": [{"location": {"message": {"text": "from"}}}]}]}],
         "relatedLocations": [{"id": 1, "message": {"text": "there"}}],
         "fixes": [{"description": {"text": "Bind"}, "artifactChanges": [{"artifactLocation": {"uri": "a.py"},
            "replacements": [{"deletedRegion": {"startLine": 1}, "insertedContent": {"text": "x"}}]}]}]},
        {"message": {"text": "no rule, no place\nsecond line"}, "kind": "review", "level": "none"},
        {"message": {"text": "suppressed"}, "suppressions": [{"kind": "external", "status": "accepted", "justification": "known"}]},
        {"message": {"text": "characters"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "b.py"}, "region": {"charOffset": 5, "charLength": 2}}}]}
    ]}]}') \g /dev/null
INSERT INTO analysis.findings (id, analysis_id, category, severity, title, file_path, line_start, confidence, verification_type, verification_proof, metadata)
VALUES (tap.id('by hand'), tap.id('analysis of a'), 'verification', 'critical', 'By hand', 'with blank/é.rs', 7, 0.125, 'formal', '(proof)', '{"mine": [1, null]}');
SELECT analysis.dismiss_finding(id, 'a test') FROM analysis.findings WHERE file_path = 'django/apps/config.py' \g /dev/null

CREATE TEMP TABLE log AS SELECT analysis.export_sarif(tap.id('analysis of a')) AS log;
SELECT is(log ->> 'version', '2.1.0', 'the log is of version 2.1.0') FROM log;
SELECT matches(log ->> '$schema', 'sarif.*2\.1\.0', 'and says where its schema is') FROM log;
SELECT is(
    (SELECT sum(jsonb_array_length(r -> 'results'))::bigint FROM log, jsonb_array_elements(log -> 'runs') AS r),
    (SELECT count(*) FROM analysis.findings), 'it has a result for each finding');
SELECT is(
    (SELECT count(*) FROM analysis.findings), 295::bigint, 'of which there are 295');
SELECT cmp_ok(jsonb_array_length(log -> 'runs'), '>=', 2, 'and a run for each tool') FROM log;
SELECT is_empty(
    $$SELECT t.name FROM unnest('{Bandit,Other}'::text[]) AS t (name) EXCEPT SELECT r #>> '{tool,driver,name}' FROM log, jsonb_array_elements(log -> 'runs') AS r$$,
    'named after it');
SELECT is(analysis.export_sarif(tap.id('analysis of a')), log, 'exporting again gives the same log') FROM log;

-- Into the analysis it came from: nothing changes.
CREATE TEMP TABLE before AS SELECT * FROM tap.content WHERE analysis_id = tap.id('analysis of a');
SELECT lives_ok(
    $$SELECT i.* FROM log, analysis.import_sarif(tap.id('analysis of a'), log) AS i$$, 'it is imported into its own analysis');
SELECT is((SELECT count(*) FROM analysis.findings), 295::bigint, 'and makes no finding twice');
SELECT is_empty(
    $$
        SELECT category, severity, title, file_path, fingerprint FROM before WHERE fingerprint IS NOT NULL
        EXCEPT
        SELECT category, severity, title, file_path, fingerprint FROM tap.content WHERE analysis_id = tap.id('analysis of a')
    $$,
    'what was there is there');

-- Into another analysis: the same findings.
INSERT INTO analysis.analyses (id, repo_id, pr_number, head_sha, status, started_at)
VALUES (tap.id('copy'), tap.id('repository of a'), 9, repeat('a', 40), 'running', now());
SELECT results_eq(
    $$SELECT sum(imported), sum(updated), sum(skipped) FROM log, analysis.import_sarif(tap.id('copy'), log)$$,
    'VALUES (295::bigint, 0::bigint, 0::bigint)', 'it is imported into another analysis');
SELECT is_empty(
    format(
        'SELECT %1$s FROM before WHERE fingerprint IS NOT NULL EXCEPT ALL SELECT %1$s FROM tap.content WHERE analysis_id = tap.id(''copy'')',
        'category, severity, title, description, file_path, line_start, line_end, code_snippet, fix_suggestion, fix_diff, confidence,
         verification_type, verification_proof, dismissed, dismissed_reason, fingerprint, rule_id'),
    'whose findings are the same');
SELECT is_empty(
    $$SELECT fingerprint, metadata FROM before WHERE fingerprint IS NOT NULL EXCEPT ALL SELECT fingerprint, metadata FROM tap.content WHERE analysis_id = tap.id('copy')$$,
    'their metadata too');
SELECT results_eq(
    $$
        SELECT category, severity, title, file_path, line_start, confidence, verification_type, verification_proof
        FROM tap.content
        WHERE analysis_id = tap.id('copy') AND title = 'By hand'
    $$,
    $$VALUES ('verification', 'critical', 'By hand', 'with blank/é.rs', 7, 0.125::float8, 'formal', '(proof)')$$,
    'a finding that was made by hand is one of them');
SELECT is(
    (SELECT count(*) FROM analysis.findings WHERE analysis_id = tap.id('copy') AND dismissed AND dismissed_reason = 'a test'),
    (SELECT count(*) FROM before WHERE dismissed AND dismissed_reason = 'a test'), 'what was dismissed is dismissed there');

-- Through there and back.
SELECT is(
    (SELECT jsonb_agg(r -> 'results' ORDER BY r #>> '{tool,driver,name}') FROM jsonb_array_elements(analysis.export_sarif(tap.id('copy')) -> 'runs') AS r),
    (SELECT jsonb_agg(r -> 'results' ORDER BY r #>> '{tool,driver,name}') FROM log, jsonb_array_elements(log -> 'runs') AS r),
    'exported from there, the results are the same')
FROM log;

-- Whose it is.
CALL tap.act('viewer', 'a');
SELECT lives_ok($$SELECT analysis.export_sarif(tap.id('analysis of a'))$$, 'a viewer exports');
SELECT unalike(analysis.export_sarif(tap.id('analysis of a'))::text, '%Secret of b%', 'nothing of another organization');
CALL tap.act('viewer', 'b');
SELECT throws_ok($$SELECT analysis.export_sarif(tap.id('analysis of a'))$$, 'VC040', NULL, 'which exports nothing of this one');
SELECT is(analysis.export_sarif(NULL), NULL, 'no analysis, no log');
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT throws_ok($$SELECT analysis.export_sarif(tap.id('analysis of a'))$$, '42501', NULL, 'a writer of logs exports nothing');

SELECT * FROM finish();
ROLLBACK;
