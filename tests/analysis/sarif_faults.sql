-- A malformed log is refused with the JSON path of the fault, and nothing of it is written.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CREATE FUNCTION tap.fault(log jsonb)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM * FROM analysis.import_sarif(tap.id('analysis of a'), log);
    RETURN 'taken';
EXCEPTION
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RETURN format('%s %s%s', SQLSTATE, coalesce(substring(detail FROM 'The fault is at (.*)\.$'), detail), CASE WHEN hint = '' THEN ' and no hint' END);
END
$function$;

CREATE TABLE tap.bad (what text, path text, log jsonb);
GRANT SELECT ON tap.bad TO PUBLIC;

-- The log itself.
INSERT INTO tap.bad
VALUES ('NULL', '$', NULL),
       ('null', '$', 'null'),
       ('a text', '$', '"sarif"'),
       ('an array', '$', '[]'),
       ('an empty object', '$.version', '{}'),
       ('another version', '$.version', '{"version": "2.0.0", "runs": []}'),
       ('a version that is a number', '$.version', '{"version": 2.1, "runs": []}'),
       ('no version', '$.version', '{"runs": []}'),
       ('no runs', '$.runs', '{"version": "2.1.0"}'),
       ('runs that are an object', '$.runs', '{"version": "2.1.0", "runs": {}}'),
       ('a run that is a number', '$.runs[0]', '{"version": "2.1.0", "runs": [1]}'),
       ('a run that is null', '$.runs[1]', '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}}, null]}'),
       ('a run without a tool', '$.runs[0].tool', '{"version": "2.1.0", "runs": [{}]}'),
       ('a tool without a driver', '$.runs[0].tool.driver', '{"version": "2.1.0", "runs": [{"tool": {}}]}'),
       ('a driver without a name', '$.runs[0].tool.driver.name', '{"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}'),
       ('results that are an object', '$.runs[0].results', '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": {}}]}'),
       ('results that are a text', '$.runs[0].results', '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": "none"}]}'),
       ('results in another file', '$.runs[0].externalPropertyFileReferences.results',
        '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}},
          "externalPropertyFileReferences": {"results": [{"location": {"uri": "x.json"}}]}}]}');

-- One result, after a good one, of a run with two rules and one artifact.
INSERT INTO tap.bad
SELECT r.what, '$.runs[0].results[1]' || r.path, jsonb_set(
    '{"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "t", "rules": [{"id": "R0", "messageStrings": {"m": {"text": "Rule message {0}"}}}, {"id": "R1"}]}},
        "artifacts": [{"location": {"uri": "a.py"}}],
        "results": [{"message": {"text": "good"}}, null]}]}',
    '{runs,0,results,1}', r.result)
FROM (VALUES
    ('a result that is null', '', 'null'::jsonb),
    ('a result that is an array', '', '[]'),
    ('no message', '.message', '{}'),
    ('a message that is a text', '.message', '{"message": "x"}'),
    ('an empty message', '.message', '{"message": {}}'),
    ('a text that is a number', '.message.text', '{"message": {"text": 1}}'),
    ('a message id that is unknown', '.message.id', '{"ruleIndex": 0, "message": {"id": "absent"}}'),
    ('a rule index out of range', '.ruleIndex', '{"ruleIndex": 2, "message": {"text": "x"}}'),
    ('a rule index far out of range', '.ruleIndex', '{"ruleIndex": 2147483647, "message": {"text": "x"}}'),
    ('a rule index below -1', '.ruleIndex', '{"ruleIndex": -2, "message": {"text": "x"}}'),
    ('a rule index that is a text', '.ruleIndex', '{"ruleIndex": "0", "message": {"text": "x"}}'),
    ('a rule index that is no integer', '.ruleIndex', '{"ruleIndex": 0.5, "message": {"text": "x"}}'),
    ('an unknown level', '.level', '{"level": "fatal", "message": {"text": "x"}}'),
    ('an unknown kind', '.kind', '{"kind": "bug", "message": {"text": "x"}}'),
    ('an unknown baseline', '.baselineState', '{"baselineState": "old", "message": {"text": "x"}}'),
    ('a rank above 100', '.rank', '{"rank": 101, "message": {"text": "x"}}'),
    ('locations that are an object', '.locations', '{"locations": {}, "message": {"text": "x"}}'),
    ('an artifact index out of range', '.locations[0].physicalLocation.artifactLocation.index',
     '{"message": {"text": "x"}, "locations": [{"physicalLocation": {"artifactLocation": {"index": 1}}}]}'),
    ('a line 0', '.locations[0].physicalLocation.region.startLine',
     '{"message": {"text": "x"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a"}, "region": {"startLine": 0}}}]}'),
    ('a line that is a text', '.locations[0].physicalLocation.region.startLine',
     '{"message": {"text": "x"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a"}, "region": {"startLine": "1"}}}]}'),
    ('a fingerprint that is a number', '.partialFingerprints.p', '{"partialFingerprints": {"p": 1}, "message": {"text": "x"}}'),
    ('suppressions that are an object', '.suppressions', '{"suppressions": {}, "message": {"text": "x"}}')
) AS r (what, path, result);

-- NUL, and surrogates that are not a pair, do not even make a jsonb; as text they are refused by the type.
CREATE TABLE tap.unreadable (what text, log text);
GRANT SELECT ON tap.unreadable TO PUBLIC;
INSERT INTO tap.unreadable
SELECT u.what, format('{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": [{"message": {"text": "%s"}}]}]}', u.text)
FROM (VALUES
    ('NUL', 'a\u0000b'), ('a high surrogate alone', '\ud800'), ('a low surrogate alone', '\udc00'), ('two high surrogates', '\ud800\ud800'),
    ('half an escape', '\u12'), ('an escape that is none', '\x'), ('a line break', E'a\nb')) AS u (what, text);

CALL tap.act('developer', 'a');
CREATE TEMP TABLE before AS SELECT * FROM analysis.findings;
SELECT is(tap.fault(log), 'VC043 ' || path, what) FROM tap.bad;
SELECT ok(
    (SELECT tap.fault(log) = 'VC043 $.runs[1].results[0].message' FROM (VALUES (jsonb_build_object('version', '2.1.0', 'runs', jsonb_build_array(
        '{"tool": {"driver": {"name": "t"}}, "results": [{"message": {"text": "x"}}]}'::jsonb,
        '{"tool": {"driver": {"name": "t"}}, "results": [{}]}'::jsonb)))) AS x (log)),
    'a fault in the second run');
SELECT throws_matching(
    format('SELECT * FROM analysis.import_sarif(tap.id(''analysis of a''), %L::jsonb)', log), 'unsupported Unicode|invalid input syntax', what)
FROM tap.unreadable;
SELECT throws_matching(
    format('SELECT * FROM analysis.import_sarif(tap.id(''analysis of a''), %L::text)', log), '^invalid SARIF log: (contains|it cannot be read)', what || ', as text')
FROM tap.unreadable;
SELECT set_eq('SELECT * FROM analysis.findings', 'SELECT * FROM before', 'after all of them not one finding is there, not the good ones either');

-- Depth and size.
SELECT matches(
    tap.fault(('{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "properties": {"deep": '
               || repeat('[', 1000) || repeat(']', 1000) || '}}]}')::jsonb),
    '^VC043 \$', 'a log that is nested 1,000 levels deep');
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.sarif_max_size = '64kB';
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT throws_ok(
    $$SELECT * FROM analysis.import_sarif(tap.id('analysis of a'), jsonb_build_object(
        'version', '2.1.0', 'runs', '[]'::jsonb, 'properties', jsonb_build_object('x', repeat('x', 70000))))$$,
    'VC044', NULL, 'a log above the limit');
SELECT throws_ok($$SET LOCAL codeverify.sarif_max_size = '1GB'$$, '42501', NULL, 'which a tenant cannot raise');
SELECT is(
    tap.fault(jsonb_build_object('version', '2.1.0', 'runs', '[]'::jsonb, 'properties', jsonb_build_object('x', repeat('x', 60000)))), 'taken',
    'one below it is taken');
SELECT throws_ok(
    format(
        'SELECT * FROM analysis.import_sarif(tap.id(''analysis of a''), %L)',
        '{"version": "2.1.0", "runs": [], "properties": {"p": [' || rtrim(repeat('{"":0},', 1500), ',') || ']}}'),
    'VC044', NULL, 'nor a small one that would become large in memory');
RESET SESSION AUTHORIZATION;
SELECT throws_ok($$SET LOCAL codeverify.sarif_max_size = '1kB'$$, '22023', NULL, 'a limit has a least');
SELECT throws_ok($$SET LOCAL codeverify.sarif_max_size = '1GB'$$, '22023', NULL, 'and a greatest');

-- The error in full.
CALL tap.act('developer', 'a');
SELECT throws_ok(
    $$SELECT * FROM analysis.import_sarif(tap.id('analysis of a'), '{"version": "1.0.0", "runs": []}')$$, 'VC043',
    'invalid SARIF log: must be "2.1.0", not "1.0.0"', 'the message says what is wrong');
SELECT throws_ok(
    $$SELECT * FROM analysis.import_sarif(NULL, '{"version": "2.1.0", "runs": []}')$$, 'VC040', NULL, 'an analysis must be named');
SELECT throws_ok(
    $$SELECT * FROM analysis.import_sarif(tap.id('no analysis'), '{"version": "2.1.0", "runs": []}')$$, 'VC040', NULL, 'and exist');

SELECT * FROM finish();
ROLLBACK;
