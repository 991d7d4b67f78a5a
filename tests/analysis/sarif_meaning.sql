-- What the parts of a SARIF log mean: rules, levels, locations, fingerprints, suppressions, baselines, fixes.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
DELETE FROM analysis.findings;

-- Imports one result of a run, gives the finding that it makes, and deletes it again, so that each case is by itself.
CREATE FUNCTION tap.finding(result jsonb, run jsonb DEFAULT '{}')
RETURNS SETOF analysis.findings
LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM i.*
    FROM analysis.import_sarif(tap.id('analysis of a'), jsonb_build_object('version', '2.1.0', 'runs', jsonb_build_array(
        '{"tool": {"driver": {"name": "t"}}}'::jsonb || run || jsonb_build_object('results', jsonb_build_array(
            '{"message": {"text": "x"}}'::jsonb || result))))) AS i;
    RETURN QUERY SELECT f.* FROM analysis.findings AS f;
    DELETE FROM analysis.findings;
END
$function$;
CREATE FUNCTION tap.rule(rule jsonb)
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT jsonb_build_object('tool', jsonb_build_object('driver', jsonb_build_object('name', 't', 'rules', jsonb_build_array(rule))))
$function$;
CREATE FUNCTION tap.place(physical jsonb)
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT jsonb_build_object('locations', jsonb_build_array(jsonb_build_object('physicalLocation', physical)))
$function$;
CALL tap.act('admin', 'a');

-- Severity: from the level,
SELECT is((SELECT severity FROM tap.finding(c.result)), c.severity, format('severity of %s', c.result))
FROM (VALUES ('{"level": "error"}'::jsonb, 'high'), ('{"level": "warning"}', 'medium'), ('{"level": "note"}', 'low'), ('{"level": "none"}', 'low'),
             ('{}', 'medium'), ('{"kind": "review"}', 'low'), ('{"kind": "open"}', 'low'), ('{"kind": "informational"}', 'low'),
             ('{"kind": "fail"}', 'medium'), ('{"kind": "fail", "level": "error"}', 'high')) AS c (result, severity);
-- or the rule's default level,
SELECT is(
    (SELECT severity FROM tap.finding(c.result, tap.rule('{"id": "R", "defaultConfiguration": {"level": "error"}}'))), c.severity,
    format('severity of %s with a rule of level error', c.result))
FROM (VALUES ('{"ruleId": "R"}'::jsonb, 'high'), ('{"ruleIndex": 0}', 'high'), ('{"rule": {"id": "R"}}', 'high'), ('{"rule": {"index": 0}}', 'high'),
             ('{"ruleId": "R/sub"}', 'high'), ('{"ruleId": "R", "level": "note"}', 'low'), ('{"ruleId": "other"}', 'medium'), ('{}', 'medium'),
             ('{"ruleIndex": -1}', 'medium')) AS c (result, severity);
-- or security-severity before both.
SELECT is(
    (SELECT severity FROM tap.finding('{"ruleId": "R", "level": "note"}', tap.rule(jsonb_build_object('id', 'R', 'properties', jsonb_build_object('security-severity', c.score))))),
    c.severity, format('severity of security-severity %s', c.score))
FROM (VALUES ('9.0', 'critical'), ('10', 'critical'), ('8.9', 'high'), ('7.0', 'high'), ('6.9', 'medium'), ('4.0', 'medium'), ('3.9', 'low'), ('0', 'low')) AS c (score, severity);
SELECT is(
    (SELECT category FROM tap.finding('{"ruleId": "R"}', tap.rule('{"id": "R", "properties": {"security-severity": "5.0"}}'))), 'security',
    'security-severity makes a finding one of security');
SELECT is((SELECT category FROM tap.finding('{}')), 'semantic', 'without a sign of anything else it is semantic');
SELECT is(
    (SELECT severity FROM tap.finding('{"ruleId": "R"}', tap.rule('{"id": "R", "properties": {"security-severity": "high"}}'))), 'medium',
    'a score that is no number is none');

-- Rules in an extension.
SELECT results_eq(
    $$SELECT severity, rule_id FROM tap.finding('{"rule": {"id": "E1", "index": 0, "toolComponent": {"index": 0}}}',
        '{"tool": {"driver": {"name": "t"}, "extensions": [{"name": "e", "rules": [{"id": "E1", "defaultConfiguration": {"level": "error"}}]}]}}')$$,
    $$VALUES ('high', 'E1')$$, 'a rule may be in an extension');

-- Messages by id, with arguments.
SELECT is(
    (SELECT concat(title, ' ', description) ~ 'Variable count is never read' FROM tap.finding(
        '{"ruleId": "R", "message": {"id": "unused", "arguments": ["count", "read"], "text": null}}'::jsonb #- '{message,text}',
        tap.rule('{"id": "R", "messageStrings": {"unused": {"text": "Variable {0} is never {1}."}}}'))),
    true, 'a message may be the rule''s, with arguments');

-- Locations.
SELECT results_eq(
    format('SELECT file_path, line_start, line_end FROM tap.finding(tap.place(%L), %L)', c.place, c.run),
    format('VALUES (%L, %L::int, %L::int)', c.path, c.first, c.last), c.what)
FROM (VALUES
    ('a path', '{"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 3, "endLine": 5}}', '{}', 'src/a.py', 3, 5),
    ('one line', '{"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 3}}', '{}', 'src/a.py', 3, 3),
    ('no region', '{"artifactLocation": {"uri": "src/a.py"}}', '{}', 'src/a.py', NULL, NULL),
    ('characters instead of lines', '{"artifactLocation": {"uri": "src/a.py"}, "region": {"charOffset": 10, "charLength": 5}}', '{}', 'src/a.py', NULL, NULL),
    ('an artifact by index', '{"artifactLocation": {"index": 1}, "region": {"startLine": 1}}',
     '{"artifacts": [{"location": {"uri": "a.py"}}, {"location": {"uri": "b.py"}}]}', 'b.py', 1, 1),
    ('escapes in a path', '{"artifactLocation": {"uri": "with%20blank/%C3%A9.py"}}', '{}', 'with blank/é.py', NULL, NULL)
) AS c (what, place, run, path, first, last);
SELECT is((SELECT count(*) FROM tap.finding('{"locations": []}')), 1::bigint, 'a result without a location is a finding');
SELECT matches(
    (SELECT file_path FROM tap.finding(tap.place('{"artifactLocation": {"uri": "src/a.py", "uriBaseId": "SRCROOT"}}'),
        '{"originalUriBaseIds": {"SRCROOT": {"uri": "module/", "uriBaseId": "TOP"}, "TOP": {"uri": "file:///work/repo/"}}}')),
    'src/a\.py$', 'a base is resolved');

-- Fingerprints decide what is the same finding.
SELECT is(
    (SELECT fingerprint FROM tap.finding('{"partialFingerprints": {"hash/v1": "abc"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 1}}}]}')),
    (SELECT fingerprint FROM tap.finding('{"partialFingerprints": {"hash/v1": "abc"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 9}}}]}')),
    'with a partial fingerprint a finding that moves within its file stays the same');
SELECT isnt(
    (SELECT fingerprint FROM tap.finding('{"partialFingerprints": {"hash/v1": "abc"}}')),
    (SELECT fingerprint FROM tap.finding('{"partialFingerprints": {"hash/v1": "abd"}}')), 'another fingerprint is another finding');
SELECT isnt(
    (SELECT fingerprint FROM tap.finding(tap.place('{"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 1}}'))),
    (SELECT fingerprint FROM tap.finding(tap.place('{"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 2}}'))),
    'without any, the place counts');
SELECT ok(
    (SELECT metadata::text LIKE '%hash/v1%' AND metadata::text LIKE '%abc%' FROM tap.finding('{"partialFingerprints": {"hash/v1": "abc"}}')),
    'fingerprints are kept');

-- Suppressions, kinds and baselines.
SELECT results_eq(
    format('SELECT dismissed, dismissed_reason, dismissed_at, dismissed_by FROM tap.finding(%L)', c.result),
    format('VALUES (%L::boolean, %L, NULL::timestamptz, NULL::uuid)', c.dismissed, c.reason), format('suppressed: %s', c.result))
FROM (VALUES
    ('{"suppressions": [{"kind": "inSource", "justification": "a test"}]}', true, 'a test'),
    ('{"suppressions": [{"kind": "external", "status": "accepted", "justification": "known"}]}', true, 'known'),
    ('{"suppressions": [{"kind": "external", "status": "underReview"}]}', false, NULL),
    ('{"suppressions": [{"kind": "external", "status": "rejected"}]}', false, NULL),
    ('{"suppressions": []}', false, NULL)) AS c (result, dismissed, reason);
SELECT is((SELECT count(*) FROM tap.finding(c.result)), c.n, format('findings of %s', c.result))
FROM (VALUES ('{"kind": "pass", "level": "none"}'::jsonb, 0::bigint), ('{"kind": "notApplicable"}', 0), ('{"baselineState": "absent"}', 0),
             ('{"baselineState": "new"}', 1), ('{"baselineState": "unchanged"}', 1), ('{"baselineState": "updated"}', 1)) AS c (result, n);

-- What is kept beside.
SELECT ok((SELECT metadata::text LIKE '%79%' FROM tap.finding('{"ruleId": "R"}', tap.rule('{"id": "R", "properties": {"tags": ["external/cwe/cwe-079"]}}'))), 'a CWE is kept');
SELECT is(
    (SELECT category FROM tap.finding('{"ruleId": "R"}', tap.rule('{"id": "R", "properties": {"tags": ["external/cwe/cwe-079"]}}'))), 'security', 'and means security');
SELECT results_eq(
    $$SELECT fix_suggestion, fix_diff LIKE '%-%' AND fix_diff LIKE '%safe()%' FROM tap.finding('{"fixes": [{"description": {"text": "Call safe() instead"},
        "artifactChanges": [{"artifactLocation": {"uri": "a.py"}, "replacements": [{"deletedRegion": {"startLine": 3, "endLine": 3},
        "insertedContent": {"text": "safe()\n"}}]}]}]}')$$,
    $$VALUES ('Call safe() instead', true)$$, 'a fix becomes a suggestion and a diff');
SELECT ok(
    (SELECT metadata::text LIKE '%step one%' FROM tap.finding('{"codeFlows": [{"threadFlows": [{"locations": [{"location": {"message": {"text": "step one"}}}]}]}]}')),
    'a code flow is kept');
SELECT ok(
    (SELECT metadata::text LIKE '%see there%' FROM tap.finding('{"relatedLocations": [{"message": {"text": "see there"}}]}')),
    'a related location is kept');
SELECT is((SELECT confidence FROM tap.finding('{"rank": 25.0}')), 0.25::float8, 'a rank is a confidence');

SELECT * FROM finish();
ROLLBACK;
