-- Who wrote a file: what the service's detections and a person's corrections leave of each other, and who may record
-- them. Code events are final for everybody.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
INSERT INTO scm.repositories (id, org_id, github_id, name, full_name)
VALUES (tap.id('second repository of a'), tap.id('a'), 9100000001, 'second', 'tap-a/second');

-- One file.
CALL tap.act('developer', 'a', 'tap_service');
SELECT is(
    telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0.7, 'T2_glue', detected_at => now() - interval '2 hours'),
    'inserted', 'a first detection is stored');
SELECT results_eq(
    $$SELECT org_id, repo_id, ai_confidence, risk_tier::text, detection_method::text, detection_signals, created_at, detected_at
      FROM telemetry.code_attribution WHERE commit_sha = repeat('c', 40)$$,
    $$VALUES (tap.id('a'), tap.id('repository of a'), 0.7::double precision, 'T2_glue', 'heuristic', '{}'::jsonb, now(), now() - interval '2 hours')$$,
    'with what was given and the defaults');
SELECT is(
    telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0.7, 'T2_glue', detected_at => now() - interval '2 hours'),
    'unchanged', 'again it changes nothing');
SELECT is(
    telemetry.record_attribution(
        tap.id('repository of a'), repeat('c', 40), 'a.py', 0.9, 'T3_core', 'ml_model', '{"model": "m", "none": null}', now() - interval '1 hour'),
    'updated', 'a later detection replaces it');
SELECT is(
    telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0.1, 'T1_boilerplate', detected_at => now() - interval '90 minutes'),
    'stale', 'one that was made before and comes after does not');
SELECT results_eq(
    $$SELECT ai_confidence, risk_tier::text, detection_method::text, detection_signals
      FROM telemetry.code_attribution WHERE commit_sha = repeat('c', 40)$$,
    $$VALUES (0.9::double precision, 'T3_core', 'ml_model', '{"model": "m", "none": null}'::jsonb)$$,
    'the later one stands, as it was given');
SELECT is(
    telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0.2, 'T3_core'),
    'updated', 'a heuristic replaces an older model''s finding: the later one counts');
SELECT is(
    telemetry.record_attribution(tap.id('second repository of a'), repeat('c', 40), 'a.py', 0.3, 'T3_core'),
    'other_repository', 'a commit''s file is attributed in one repository');
SELECT results_eq(
    $$SELECT repo_id, ai_confidence FROM telemetry.code_attribution WHERE commit_sha = repeat('c', 40)$$,
    $$VALUES (tap.id('repository of a'), 0.2::double precision)$$, 'which keeps it');

-- A person's correction.
CALL tap.act('developer', 'a');
SELECT is(
    telemetry.correct_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0, 'T3_core', 'I wrote it'),
    'updated', 'a developer corrects a detection');
SELECT results_eq(
    $$SELECT ai_confidence, detection_method::text, detection_signals FROM telemetry.code_attribution WHERE commit_sha = repeat('c', 40)$$,
    $$VALUES (0::double precision, 'manual_override', jsonb_build_object('corrected_by', tap.id('developer of a'), 'reason', 'I wrote it'))$$,
    'it says who corrected and why');
SELECT is(
    telemetry.correct_attribution(tap.id('repository of a'), repeat('c', 40), 'new.py', 1, 'T4_novel'),
    'inserted', 'or says it before any detection');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0.5, 'T3_core')$$, '42501', NULL,
    'detections are the service''s');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), '[]')$$, '42501', NULL, 'in either form');
SELECT throws_ok(
    $$SELECT telemetry.store_attribution(tap.id('b'), tap.id('repository of b'), repeat('c', 40), '[]')$$, '42501', NULL,
    'what is behind them is nobody''s');
CALL tap.act('developer', 'a', 'tap_service');
SELECT is(
    telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0.99, 'T3_core', m), 'overridden',
    format('a later %s does not overwrite a correction', m))
FROM unnest(ARRAY['heuristic', 'ml_model']) AS m;
SELECT is(
    telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0.4, 'T3_core', 'manual_override', detected_at => now() - interval '1 minute'),
    'stale', 'nor does an older correction');
SELECT is(
    telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'a.py', 0.4, 'T3_core', 'manual_override'),
    'updated', 'a newer one does');
SELECT is(
    telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'b.py', 0.4, 'T3_core', 'ml_model'), 'inserted', 'a detection');
SELECT is(
    telemetry.record_attribution(
        tap.id('repository of a'), repeat('c', 40), 'b.py', 0.1, 'T3_core', 'manual_override', detected_at => now() - interval '1 day'),
    'updated', 'is corrected by a person who looked before it');

-- Many files.
SELECT results_eq(
    $$SELECT * FROM telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), '[
        {"file_path": "z.py", "ai_confidence": 0.5, "risk_tier": "T1_boilerplate"},
        {"file_path": "a.py", "ai_confidence": 0.5, "risk_tier": "T1_boilerplate"},
        {"file_path": "c.py", "ai_confidence": 1, "risk_tier": "T4_novel", "detection_method": "ml_model",
         "detection_signals": {"score": 1}, "detected_at": "2026-01-01T00:00:00Z"}]')$$,
    $$VALUES ('z.py', 'inserted'), ('a.py', 'overridden'), ('c.py', 'inserted')$$,
    'the files of a commit are told in their order what became of each');
SELECT is_empty(
    $$SELECT * FROM telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), '[]')$$, 'of no files there is nothing to tell');

-- What is refused.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION tap.fault(files jsonb)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    fault text;
BEGIN
    PERFORM telemetry.record_attribution(tap.id('repository of a'), repeat('e', 40), files);
    RETURN 'taken';
EXCEPTION WHEN SQLSTATE 'VC122' THEN
    GET STACKED DIAGNOSTICS fault = PG_EXCEPTION_DETAIL;
    RETURN fault;
END
$function$;
CALL tap.act('developer', 'a', 'tap_service');
SELECT is(tap.fault(c.files), c.fault, c.fault)
FROM (VALUES
    (NULL::jsonb, 'files is not an array.'),
    ('{}', 'files is not an array.'),
    ('"x"', 'files is not an array.'),
    ('[1]', 'File 1: it is not an object.'),
    ('[{"file_path": "x", "ai_confidence": 1, "risk_tier": "T3_core"}, []]', 'File 2: it is not an object.'),
    ('[{"file_path": "x", "ai_confidence": "1", "risk_tier": "T3_core"}]', 'File 1: "ai_confidence" is no number.'),
    ('[{"file_path": null, "ai_confidence": 1, "risk_tier": "T3_core"}]', 'File 1: "file_path" is no string.'),
    ('[{"file_path": "x", "ai_confidence": 1}]', 'File 1: "risk_tier" is missing.'),
    ('[{"file_path": "x", "ai_confidence": 1, "risk_tier": "T3_core", "method": "ml_model"}]', 'File 1: there is no field "method".'),
    ('[{"file_path": "x", "ai_confidence": 1, "risk_tier": "T3_core", "detection_signals": []}]', 'File 1: "detection_signals" is no object.'),
    ('[{"file_path": "x", "ai_confidence": 1, "risk_tier": "T3_core"}, {"file_path": "x", "ai_confidence": 0, "risk_tier": "T3_core"}]',
     'File 2: the file is there already.'),
    (jsonb_build_array(jsonb_build_object('file_path', 'x', 'ai_confidence', 1, 'risk_tier', 'T3_core', 'detected_at', clock_timestamp() + interval '6 minutes')),
     'The detection of "x" is dated in the future.')
) AS c (files, fault);
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'x', 1, NULL)$$, 'VC122', 'invalid attribution',
    'a value that is needed is not NULL');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'x', 'NaN', 'T3_core')$$, 'VC122', NULL,
    'what is not a number is no confidence');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'x', 1.5, 'T3_core')$$, '23514', NULL,
    'values are checked by the table: confidence');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), 'HEAD', 'x', 1, 'T3_core')$$, '23514', NULL, 'commit');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), '', 1, 'T3_core')$$, '23514', NULL, 'path');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'x', 1, 'T5')$$, '22P02', NULL, 'tier');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'x', 1, 'T3_core', 'guess')$$, '22P02', NULL, 'method');
SELECT is_empty(
    $$SELECT file_path FROM telemetry.code_attribution WHERE file_path = 'x'$$, 'one bad file leaves none of its call');

-- Other organizations.
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of b'), repeat('d', 40), 'x', 1, 'T3_core')$$, '23503', NULL,
    'another organization''s repository is refused');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('no repository'), repeat('d', 40), 'x', 1, 'T3_core')$$, '23503', NULL,
    'as one that does not exist');
CALL tap.act('developer', 'b', 'tap_service');
SELECT is(
    telemetry.record_attribution(tap.id('repository of b'), repeat('c', 40), 'a.py', 0.1, 'T3_core'), 'inserted',
    'the same commit of another organization is another');
CALL tap.act('viewer', 'a', 'tap_service');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'x', 1, 'T3_core')$$, 'VC014', NULL,
    'a viewer records nothing');
CALL tap.act('viewer', 'a');
SELECT throws_ok(
    $$SELECT telemetry.correct_attribution(tap.id('repository of a'), repeat('c', 40), 'x', 1, 'T3_core')$$, 'VC014', NULL, 'and corrects nothing');
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    $$SELECT telemetry.record_attribution(tap.id('repository of a'), repeat('c', 40), 'x', 1, 'T3_core')$$, 'VC011', NULL,
    'nor is there anything without a context');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT count(*) FROM telemetry.code_attribution WHERE commit_sha = repeat('c', 40) AND org_id = tap.id('b')), 1::bigint,
    'nothing else went to the other organization');

-- Events are append-only, also for who owns them.
SET LOCAL SESSION AUTHORIZATION codeverify_owner;
SELECT throws_ok('UPDATE telemetry.code_events SET metadata = ''{"a": 1}''', 'VC120', 'UPDATE on telemetry.code_events is refused', 'no event is changed');
SELECT throws_ok('DELETE FROM telemetry.code_events', 'VC120', 'DELETE on telemetry.code_events is refused', 'none is deleted');
SELECT throws_ok('DELETE FROM telemetry.code_events_default', 'VC120', NULL, 'not even through a partition');
SELECT throws_ok('TRUNCATE telemetry.code_events', 'VC120', 'TRUNCATE on telemetry.code_events is refused', 'nor are all');
RESET SESSION AUTHORIZATION;
SELECT throws_ok('DELETE FROM telemetry.code_events', 'VC120', NULL, 'a superuser''s slip is refused too');
SELECT lives_ok($$DELETE FROM tenancy.organizations WHERE id = tap.id('a')$$, 'they go with their organization');
SELECT is((SELECT count(*) FROM telemetry.code_events WHERE org_id = tap.id('a')), 0::bigint, 'all of them');

SELECT * FROM finish();
ROLLBACK;
