-- The timeline of an incident: everything that happened to it, in order, by whom; for nobody to write or change.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
DELETE FROM observability.incidents;

-- Through the functions.
CALL tap.act('developer', 'a');
CREATE TEMP TABLE opened AS SELECT observability.open_incident('f', 'sev2', 'Down', repo_id => tap.id('repository of a')) AS id;
GRANT SELECT ON opened TO PUBLIC;
SELECT observability.open_incident('f') \g /dev/null
SELECT observability.acknowledge_incident(id, 'mine') FROM opened \g /dev/null
CALL tap.act('member', 'a');
SELECT observability.acknowledge_incident(id) FROM opened \g /dev/null
SELECT observability.identify_incident(id) FROM opened \g /dev/null
SELECT observability.note_incident(id, 'failing over') FROM opened \g /dev/null
SELECT observability.link_incident(id, NULL) FROM opened \g /dev/null
SELECT observability.resolve_incident(id, 'back') FROM opened \g /dev/null
SELECT observability.reopen_incident(id) FROM opened \g /dev/null
SELECT observability.note_incident(id, 'an afterthought') FROM opened \g /dev/null
SELECT results_eq(
    'SELECT t.kind, t.actor_id, t.note FROM opened AS o CROSS JOIN LATERAL observability.incident_timeline(o.id) AS t',
    $$VALUES ('opened',       tap.id('developer of a'), NULL),
             ('seen',         tap.id('developer of a'), NULL),
             ('acknowledged', tap.id('developer of a'), NULL),
             ('noted',        tap.id('developer of a'), 'mine'),
             ('identified',   tap.id('member of a'),    NULL),
             ('noted',        tap.id('member of a'),    'failing over'),
             ('linked',       tap.id('member of a'),    NULL),
             ('resolved',     tap.id('member of a'),    NULL),
             ('noted',        tap.id('member of a'),    'back'),
             ('reopened',     tap.id('member of a'),    NULL),
             ('noted',        tap.id('member of a'),    'an afterthought')$$,
    'what happened is there, in order, and who did it');
SELECT ok(
    (SELECT bool_and(t.occurred_at >= now()) AND array_agg(t.occurred_at) = array_agg(t.occurred_at ORDER BY t.occurred_at)
     FROM opened AS o CROSS JOIN LATERAL observability.incident_timeline(o.id) AS t),
    'and when');

-- Details.
CREATE FUNCTION pg_temp.details(event_kind text)
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT e.details FROM observability.incident_events AS e WHERE e.kind = event_kind ORDER BY e.id DESC LIMIT 1
$function$;
SELECT is(
    pg_temp.details('opened'),
    jsonb_build_object('status', 'open', 'severity', 'sev2', 'title', 'Down', 'fingerprint', 'f', 'repo_id', tap.id('repository of a')),
    'with what an incident was opened');
SELECT is(pg_temp.details('seen'), '{"occurrences": {"from": 1, "to": 2}}', 'how often it was seen');
SELECT is(pg_temp.details('acknowledged') -> 'status', '{"from": "open", "to": "investigating"}', 'where it came from');
SELECT is(
    pg_temp.details('linked'), jsonb_build_object('repo_id', jsonb_build_object('from', tap.id('repository of a'), 'to', NULL)), 'what it was linked to');

-- Plain statements.
CREATE FUNCTION pg_temp.events_of(statement text)
RETURNS TABLE (kind text, details jsonb)
LANGUAGE plpgsql
AS $function$
DECLARE
    before_it bigint := (SELECT max(e.id) FROM observability.incident_events AS e);
BEGIN
    EXECUTE statement;
    RETURN QUERY SELECT e.kind, e.details FROM observability.incident_events AS e WHERE e.id > before_it ORDER BY e.id;
END
$function$;
SELECT results_eq(
    format('SELECT kind, details FROM pg_temp.events_of(%L)', t.statement),
    format('VALUES (%L::text, %L::jsonb)', t.kind, t.details),
    'by plain UPDATE: ' || t.statement)
FROM (VALUES
    ('UPDATE observability.incidents SET severity = ''sev1''', 'changed', '{"severity": {"from": "sev2", "to": "sev1"}}'),
    ('UPDATE observability.incidents SET status = ''investigating''', 'investigating', '{"status": {"from": "open", "to": "investigating"}}'),
    ('UPDATE observability.incidents SET status = ''identified'', title = NULL', 'identified',
     '{"status": {"from": "investigating", "to": "identified"}, "title": {"from": "Down", "to": null}}'),
    ('UPDATE observability.incidents SET metadata = ''{"card": "4111"}''', 'changed', '{"metadata": {}}'),
    ('UPDATE observability.incidents SET occurrences = 1', 'changed', '{"occurrences": {"from": 2, "to": 1}}')
) AS t (statement, kind, details);
SELECT is_empty($$SELECT * FROM pg_temp.events_of('UPDATE observability.incidents SET last_seen_at = now() + interval ''1 s''')$$, 'bookkeeping is no event');
SELECT is_empty($$SELECT * FROM pg_temp.events_of('UPDATE observability.incidents SET severity = severity')$$, 'nor is what changes nothing');
SELECT results_eq(
    $$SELECT kind FROM pg_temp.events_of('INSERT INTO observability.incidents (fingerprint, status) VALUES (''g'', ''open''), (''h'', ''resolved'')')$$,
    ARRAY['opened', 'opened'], 'each row has its own');
SELECT throws_ok(
    $$UPDATE observability.incidents SET status = 'open' WHERE status = 'identified'$$, 'VC041', NULL, 'what is refused');
SELECT is((SELECT count(*) FROM observability.incident_events WHERE kind = 'reopened'), 1::bigint, 'is no event');

-- What goes away under it.
RESET SESSION AUTHORIZATION;
UPDATE observability.incidents SET service_id = tap.id('service of a') WHERE fingerprint = 'f';
DELETE FROM tenancy.services WHERE id = tap.id('service of a');
SELECT is(pg_temp.details('linked') #> '{service_id,to}', 'null', 'a service that is deleted leaves a trace');
SELECT is(
    (SELECT actor_id FROM observability.incident_events WHERE kind = 'linked' ORDER BY id DESC LIMIT 1), tap.id('member of a'), 'signed by whom the session acts for');
UPDATE observability.incidents SET acknowledged_at = now(), acknowledged_by = tap.id('member of a') WHERE fingerprint = 'g';
SELECT count(*) AS events FROM observability.incident_events \gset
SELECT set_config('codeverify.org_id', '', true), set_config('codeverify.user_id', '', true) \g /dev/null
DELETE FROM auth.users WHERE id = tap.id('member of a');
SELECT is((SELECT count(*) FROM observability.incident_events), :events::bigint, 'a user who is deleted takes nothing along');
SELECT is_empty(
    $$SELECT FROM observability.incident_events WHERE actor_id = tap.id('member of a')$$, 'but the name');
SELECT results_eq(
    $$SELECT acknowledged_by, acknowledged_at FROM observability.incidents WHERE fingerprint = 'g'$$, 'VALUES (NULL::uuid, now())', 'of who took it on, too');

-- Nobody writes it.
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$INSERT INTO observability.incident_events (incident_id, kind) SELECT id, 'resolved' FROM opened$$, '42501', NULL, 'an owner adds no event');
SELECT throws_ok($$UPDATE observability.incident_events SET kind = 'seen'$$, '42501', NULL, 'changes none');
SELECT throws_ok('DELETE FROM observability.incident_events', '42501', NULL, 'and deletes none');
SELECT throws_ok('SELECT observability.note_incident(id, '''') FROM opened', '23514', NULL, 'an empty note is none');
SELECT throws_ok('SELECT observability.note_incident(id, NULL) FROM opened', '23514', NULL, 'nor is NULL');
SELECT throws_ok('SELECT observability.note_incident(id, repeat(''x'', 10001)) FROM opened', '23514', NULL, 'nor one too long');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok('DELETE FROM observability.incident_events', '42501', NULL, 'nor does the service');
SELECT throws_ok(
    $$INSERT INTO observability.incident_events (incident_id, kind) SELECT id, 'resolved' FROM opened$$, '42501', NULL, 'add any');
CALL tap.act('owner', 'b');
SELECT is_empty('SELECT FROM observability.incident_events', 'another organization sees nothing of it');
CALL tap.act('owner', 'a');
SELECT lives_ok('DELETE FROM observability.incidents', 'an incident that is deleted');
SELECT is_empty('SELECT FROM observability.incident_events', 'takes its timeline along');

SELECT * FROM finish();
ROLLBACK;
