-- One incident that goes on for each fingerprint; the functions that move them, and who may; and the view for clients that
-- speak in enums.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
DELETE FROM observability.incidents;

CALL tap.act('developer', 'a');
SELECT lives_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('f')$$, 'an incident opens');
SELECT throws_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('f')$$, '23505', NULL, 'once while it goes on');
UPDATE observability.incidents SET status = 'resolved', resolved_at = now();
SELECT lives_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('f')$$, 'and again when it was resolved');
SELECT lives_ok(
    $$INSERT INTO observability.incidents (fingerprint) VALUES (NULL), (NULL)$$, 'without a fingerprint each is its own');
SELECT bag_eq(
    'SELECT status::text FROM observability.incident_progress',
    ARRAY['resolved', 'investigating', 'investigating', 'investigating'],
    'the view shows an open incident as one that is being investigated');
CALL tap.act('developer', 'b');
SELECT lives_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('f')$$, 'a fingerprint is an organization''s own');
SELECT is((SELECT count(*) FROM observability.incident_progress), 1::bigint, 'and so is what the view shows');
CALL tap.act('viewer', 'b');
SELECT throws_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('g')$$, '42501', NULL, 'a viewer opens none');

RESET SESSION AUTHORIZATION;
DELETE FROM observability.incidents;

-- Opening.
CALL tap.act('developer', 'a');
CREATE TEMP TABLE opened (name text, id uuid);
INSERT INTO opened
SELECT 'queue', observability.open_incident(
    'queue', 'sev1', 'The queue is down', tap.id('service of a'), tap.id('environment of a'), tap.id('repository of a'), '{"k": 1}');
SELECT results_eq(
    'SELECT id, status, severity::text, title, service_id, environment_id, repo_id, metadata, occurrences, resolved_at FROM observability.incidents',
    $$SELECT id, 'open', 'sev1', 'The queue is down', tap.id('service of a'), tap.id('environment of a'), tap.id('repository of a'),
             '{"k": 1}'::jsonb, 1::bigint, NULL::timestamptz FROM opened$$,
    'an incident is opened with what is known');
SELECT is(observability.open_incident('queue', 'sev4'), (SELECT id FROM opened), 'the same again is the same incident');
SELECT results_eq(
    'SELECT occurrences, severity::text, title FROM observability.incidents', $$VALUES (2::bigint, 'sev1', 'The queue is down')$$, 'counted up');
SELECT isnt(observability.open_incident(), observability.open_incident(), 'without a fingerprint each is its own');
SELECT throws_ok($$SELECT observability.open_incident('x', 'sev5')$$, '22P02', NULL, 'a severity is one of four');
SELECT throws_ok($$SELECT observability.open_incident('')$$, '23514', NULL, 'a fingerprint is not empty');
SELECT throws_ok($$SELECT observability.open_incident('x', title => repeat('x', 201))$$, '23514', NULL, 'nor a title too long');
SELECT throws_ok(
    $$SELECT observability.open_incident('x', service_id => tap.id('service of b'))$$, '23503', NULL, 'another organization''s service is not found');
SELECT throws_ok($$SELECT observability.open_incident('x', environment_id => tap.id('environment of b'))$$, '23503', NULL, 'nor environment');
SELECT throws_ok($$SELECT observability.open_incident('x', repo_id => tap.id('repository of b'))$$, '23503', NULL, 'nor repository');

-- Acknowledging.
SELECT is(observability.acknowledge_incident((SELECT id FROM opened), 'mine'), true, 'somebody takes it on');
SELECT results_eq(
    'SELECT status, acknowledged_by, acknowledged_at FROM observability.incidents JOIN opened USING (id)',
    $$VALUES ('investigating', tap.id('developer of a'), now())$$, 'and is known to');
CALL tap.act('member', 'a');
SELECT is(observability.acknowledge_incident((SELECT id FROM opened)), false, 'another comes too late');
SELECT is(
    (SELECT acknowledged_by FROM observability.incidents JOIN opened USING (id)), tap.id('developer of a'), 'and does not take it away');
SELECT throws_ok(
    $$UPDATE observability.incidents SET acknowledged_by = tap.id('owner of a') WHERE fingerprint = 'queue'$$, 'VC018', NULL,
    'nobody takes it on in another''s name');

-- Identifying, resolving, reopening.
SELECT lives_ok('SELECT observability.identify_incident(id, ''a full disk'') FROM opened', 'the cause is found');
SELECT throws_ok(
    'SELECT observability.identify_incident(id) FROM opened', 'VC041', format('incident %s is identified already', (SELECT id FROM opened)), 'once');
SELECT throws_ok(
    'SELECT observability.reopen_incident(id) FROM opened', 'VC041', format('incident %s is identified already', (SELECT id FROM opened)),
    'what goes on is not reopened');
SELECT lives_ok('SELECT observability.resolve_incident(id, ''made room'') FROM opened', 'it is resolved');
SELECT results_eq(
    'SELECT status, resolved_at, acknowledged_by FROM observability.incidents JOIN opened USING (id)',
    $$VALUES ('resolved', now(), tap.id('developer of a'))$$, 'with the time');
SELECT throws_ok('SELECT observability.resolve_incident(id) FROM opened', 'VC041', NULL, 'once');
SELECT throws_ok('SELECT observability.acknowledge_incident(id) FROM opened', 'VC041', NULL, 'and not taken on any more');
SELECT throws_ok('SELECT observability.identify_incident(id) FROM opened', 'VC041', NULL, 'nor identified');
SELECT lives_ok('SELECT observability.reopen_incident(id, ''full again'') FROM opened', 'it is reopened');
SELECT results_eq(
    'SELECT status, resolved_at, acknowledged_at, acknowledged_by FROM observability.incidents JOIN opened USING (id)',
    $$VALUES ('open', NULL::timestamptz, NULL::timestamptz, NULL::uuid)$$, 'for somebody to take on anew');

-- Reopening beside another.
SELECT observability.resolve_incident(id) FROM opened \g /dev/null
INSERT INTO opened SELECT 'other', observability.open_incident('queue');
SELECT isnt(
    (SELECT id FROM opened WHERE name = 'other'), (SELECT id FROM opened WHERE name = 'queue'), 'after it was resolved, the same is another incident');
CREATE FUNCTION pg_temp.complaint()
RETURNS text[]
LANGUAGE plpgsql
AS $function$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM observability.reopen_incident(id) FROM opened WHERE name = 'queue';
EXCEPTION
    WHEN SQLSTATE 'VC112' THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RETURN ARRAY[message, detail, hint];
END
$function$;
SELECT is(
    pg_temp.complaint(),
    (SELECT ARRAY[
         format('incident %s cannot go on beside another with its fingerprint', q.id),
         format('Incident %s is about the same.', o.id),
         'Go on with that one, or resolve it first.']
     FROM opened AS q, opened AS o
     WHERE q.name = 'queue' AND o.name = 'other'),
    'while that goes on, the first is not reopened');
SELECT is((SELECT status FROM observability.incidents JOIN opened USING (id) WHERE name = 'queue'), 'resolved', 'and stays resolved');
SELECT observability.resolve_incident(id) FROM opened WHERE name = 'other' \g /dev/null
SELECT lives_ok($$SELECT observability.reopen_incident(id) FROM opened WHERE name = 'queue'$$, 'afterwards it is');

-- Linking.
SELECT lives_ok($$SELECT observability.link_incident(id, NULL) FROM opened WHERE name = 'queue'$$, 'a repository turns out not to be at fault');
SELECT is((SELECT repo_id FROM observability.incidents JOIN opened USING (id) WHERE name = 'queue'), NULL, 'and is not linked any more');
SELECT lives_ok(
    $$SELECT observability.link_incident(id, tap.id('repository of a')) FROM opened WHERE name = 'queue'$$, 'or to be so after all');
SELECT is((SELECT repo_id FROM observability.incidents JOIN opened USING (id) WHERE name = 'queue'), tap.id('repository of a'), 'and is linked');
SELECT throws_ok(
    $$SELECT observability.link_incident(id, tap.id('repository of b')) FROM opened$$, 'VC030', NULL, 'another organization''s does not exist');

-- Plain statements keep the times too.
SELECT lives_ok($$UPDATE observability.incidents SET status = 'resolved' WHERE fingerprint = 'queue' AND status <> 'resolved'$$, 'a plain UPDATE resolves');
SELECT is_empty($$SELECT FROM observability.incidents WHERE fingerprint = 'queue' AND resolved_at IS NULL$$, 'with the time');
SELECT lives_ok(
    $$INSERT INTO observability.incidents (fingerprint, status) VALUES ('imported', 'resolved')$$, 'an incident can come resolved');
SELECT is((SELECT resolved_at FROM observability.incidents WHERE fingerprint = 'imported'), now(), 'with the time as well');
SELECT lives_ok(
    $$INSERT INTO observability.incidents (fingerprint, status, created_at, resolved_at)
      VALUES ('older', 'resolved', '2026-01-01 00:00+00', '2026-01-02 00:00+00')$$, 'or with that of another system');
SELECT is(
    (SELECT resolved_at FROM observability.incidents WHERE fingerprint = 'older'), '2026-01-02 00:00+00'::timestamptz, 'which is kept');
SELECT throws_ok(
    $$UPDATE observability.incidents SET resolved_at = NULL WHERE fingerprint = 'older'$$, '23514', NULL, 'a resolved incident has its time');
SELECT throws_ok(
    $$INSERT INTO observability.incidents (resolved_at) VALUES (now())$$, '23514', NULL, 'and one that goes on has none');

-- Who may.
CREATE TEMP TABLE call (statement text);
GRANT SELECT ON call, opened TO PUBLIC;
INSERT INTO call
SELECT format(c.statement, quote_literal(o.id))
FROM opened AS o
CROSS JOIN (VALUES
    ('SELECT observability.acknowledge_incident(%s)'), ('SELECT observability.identify_incident(%s)'), ('SELECT observability.resolve_incident(%s)'),
    ('SELECT observability.reopen_incident(%s)'), ('SELECT observability.note_incident(%s, ''x'')'), ('SELECT observability.link_incident(%s, NULL)')
) AS c (statement)
WHERE o.name = 'queue';
CALL tap.act('viewer', 'a');
SELECT throws_ok(statement, 'VC014', NULL, 'a viewer may not: ' || statement) FROM call;
SELECT throws_ok('SELECT observability.open_incident()', 'VC014', NULL, 'nor open one');
SELECT isnt_empty($$SELECT * FROM observability.incident_timeline((SELECT id FROM opened WHERE name = 'queue'))$$, 'but read its timeline');
CALL tap.act('owner', 'b');
SELECT throws_ok(statement, 'VC111', NULL, 'for another organization there is no such incident: ' || statement) FROM call;
SELECT throws_ok(
    $$SELECT * FROM observability.incident_timeline((SELECT id FROM opened WHERE name = 'queue'))$$, 'VC111',
    format('incident %s does not exist', (SELECT id FROM opened WHERE name = 'queue')), 'nor timeline');
SELECT throws_ok(
    $$SELECT observability.lock_incident(tap.id('a'), (SELECT id FROM opened WHERE name = 'queue'))$$, 'VC111', NULL,
    'not even where it names the other organization');
CALL tap.act();
SELECT throws_ok(statement, 'VC011', NULL, 'without a context nobody may: ' || statement) FROM call;
SELECT throws_ok('SELECT observability.open_incident()', 'VC011', NULL, 'or open one');
CALL tap.act('owner', 'a', 'tap_ingest');
SELECT throws_ok(statement, '42501', NULL, 'a collector may not: ' || statement) FROM call;

-- The ledger has what people decide; how often an incident was seen is in its timeline.
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.capture = on;
CALL tap.act('developer', 'a');
SELECT observability.open_incident('recorded') FROM generate_series(1, 3) \g /dev/null
UPDATE observability.incidents SET severity = 'sev1' WHERE fingerprint = 'recorded';
SELECT results_eq(
    $$SELECT action, actor_id FROM audits.audit_log WHERE entity = 'observability.incidents' ORDER BY id$$,
    $$VALUES ('row.inserted', tap.id('developer of a')), ('row.updated', tap.id('developer of a'))$$, 'the ledger tells of an incident');

SELECT * FROM finish();
ROLLBACK;
