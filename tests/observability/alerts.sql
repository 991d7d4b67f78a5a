-- Alert rules: what parameters they take, when they fire, and what they leave.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

INSERT INTO tenancy.services (id, org_id, name)
VALUES (tap.id('api of a'), tap.id('a'), 'api'), (tap.id('web of a'), tap.id('a'), 'web'), (tap.id('api of b'), tap.id('b'), 'api');
INSERT INTO tenancy.environments (id, org_id, name)
VALUES (tap.id('production of a'), tap.id('a'), 'production'), (tap.id('production of b'), tap.id('b'), 'production');

-- As of when rules are evaluated: past midnight, so that windows reach over partitions.
CREATE FUNCTION tap.at(minutes numeric)
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $function$
    SELECT date_trunc('day', now(), 'UTC') - interval '1 day' + minutes * interval '1 minute'
$function$;

CREATE PROCEDURE tap.log(organization text, minutes numeric, lines int DEFAULT 1, level text DEFAULT 'error', service text DEFAULT NULL, environment text DEFAULT NULL)
LANGUAGE sql
AS $procedure$
    INSERT INTO observability.logs (org_id, service_id, environment_id, ts, level, message)
    SELECT tap.id(organization),
           tap.id(service || ' of ' || organization),
           tap.id(environment || ' of ' || organization),
           tap.at(minutes), level, 'x'
    FROM generate_series(1, lines)
$procedure$;

-- One rule, of the organization in context; any that there was goes.
CREATE FUNCTION tap.rule(params jsonb, name text DEFAULT 'rule', organization text DEFAULT 'a')
RETURNS void
LANGUAGE sql
AS $function$
    DELETE FROM observability.alert_rules WHERE id = tap.id(name);
    INSERT INTO observability.alert_rules (id, org_id, type, params_json)
    VALUES (tap.id(name), tap.id(organization), 'error_count', params)
$function$;

-- What an evaluation says, without the ids.
CREATE FUNCTION tap.evaluate(minutes numeric)
RETURNS TABLE (scope text, fired boolean, has_incident boolean, observed numeric, threshold numeric)
LANGUAGE sql
AS $function$
    SELECT replace(
               replace(
                   replace(replace(e.fingerprint, e.rule_id::text, ''), tap.id('api of a')::text, 'api'),
                   tap.id('web of a')::text, 'web'),
               tap.id('production of a')::text, 'production'),
           e.fired, e.incident_id IS NOT NULL, e.observed, e.threshold
    FROM observability.evaluate_alert_rules(tap.at(minutes)) AS e
$function$;

-- Parameters.
CALL tap.act('admin', 'a');
CREATE FUNCTION pg_temp.complaint(rule_type text, params jsonb)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    detail text;
BEGIN
    INSERT INTO observability.alert_rules (type, params_json) VALUES (rule_type, params);
    DELETE FROM observability.alert_rules;
    RETURN 'taken';
EXCEPTION
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        RETURN concat_ws(' ', SQLSTATE, substring(detail FROM '^The fault is at (.*)\.$'));
END
$function$;
SELECT is(pg_temp.complaint(t.rule_type, t.params), t.outcome, format('%s %s: %s', t.rule_type, left(t.params::text, 60), t.outcome))
FROM (VALUES
    ('error_count', '{}', 'taken'),
    ('error_count', '{"threshold": 1, "window_minutes": 1, "cool_down_minutes": 0}', 'taken'),
    ('error_count', '{"threshold": 1e9, "window_minutes": 1440.0, "cool_down_minutes": 10080}', 'taken'),
    ('error_count', '{"levels": ["warn"], "group_by": [], "severity": "sev1", "title": "t", "auto_resolve": true}', 'taken'),
    ('error_count', '{"threshold": 0}', 'VC110 $.threshold'),
    ('error_count', '{"threshold": 1.5}', 'VC110 $.threshold'),
    ('error_count', '{"threshold": "1"}', 'VC110 $.threshold'),
    ('error_count', ('{"threshold": 1' || repeat('0', 400) || '}')::jsonb, 'VC110 $'),
    ('error_count', '{"window_minutes": 0}', 'VC110 $.window_minutes'),
    ('error_count', '{"window_minutes": 1441}', 'VC110 $.window_minutes'),
    ('error_count', '{"cool_down_minutes": -1}', 'VC110 $.cool_down_minutes'),
    ('error_count', '{"cool_down_minutes": 10081}', 'VC110 $.cool_down_minutes'),
    ('error_count', '{"levels": []}', 'VC110 $.levels'),
    ('error_count', '{"levels": ["error", "ERROR"]}', 'VC110 $.levels[1]'),
    ('error_count', '{"levels": ["error", "error"]}', 'VC110 $.levels'),
    ('error_count', '{"group_by": ["tenant"]}', 'VC110 $.group_by[0]'),
    ('error_count', '{"severity": "sev5"}', 'VC110 $.severity'),
    ('error_count', '{"title": ""}', 'VC110 $.title'),
    ('error_count', jsonb_build_object('title', repeat('x', 201)), 'VC110 $.title'),
    ('error_count', '{"auto_resolve": 1}', 'VC110 $.auto_resolve'),
    ('error_count', '{"service_id": "api"}', 'VC110 $.service_id'),
    ('error_count', '{"other": 1}', 'VC110 $'),
    ('error_count', '[]', 'VC110 $'),
    ('error_count', 'null', 'VC110 $'),
    ('error_count', jsonb_build_object('service_id', tap.id('api of a'), 'environment_id', tap.id('production of a')), 'taken'),
    ('error_count', jsonb_build_object('service_id', tap.id('api of b')), 'VC110 $.service_id'),
    ('error_count', jsonb_build_object('service_id', tap.id('no service')), 'VC110 $.service_id'),
    ('error_count', jsonb_build_object('environment_id', tap.id('production of b')), 'VC110 $.environment_id'),
    ('deployment_failure', '{}', 'taken'),
    ('deployment_failure', '{"branches": ["main"], "workflows": ["deploy"], "group_by": ["branch"], "conclusions": ["cancelled"]}', 'taken'),
    ('deployment_failure', '{"levels": ["error"]}', 'VC110 $'),
    ('deployment_failure', '{"branches": [""]}', 'VC110 $.branches[0]'),
    ('deployment_failure', '{"conclusions": ["lost"]}', 'VC110 $.conclusions[0]'),
    ('deployment_failure', jsonb_build_object('repo_id', tap.id('no repository')), 'VC110 $.repo_id'),
    ('uptime', '{}', '23514')
) AS t (rule_type, params, outcome);
INSERT INTO observability.alert_rules (type) VALUES ('error_count');
SELECT throws_ok(
    $$UPDATE observability.alert_rules SET params_json = '{"threshold": -1}'$$, 'VC110',
    'invalid parameters of an alert rule: the value is less than the minimum of 1', 'changes are held to the schema too');
SELECT throws_ok(
    $$UPDATE observability.alert_rules SET params_json = '{"levels": ["error"]}', type = 'deployment_failure'$$, 'VC110', NULL,
    'to that of the type that it becomes');
DELETE FROM observability.alert_rules;
SELECT is(
    (SELECT array_agg(key ORDER BY key) FROM jsonb_object_keys(observability.alert_schema('error_count') -> 'properties') AS k (key)),
    '{auto_resolve,cool_down_minutes,environment_id,group_by,levels,service_id,severity,threshold,title,window_minutes}',
    'the schema is there to be read');
SELECT is(observability.alert_schema('uptime'), NULL, 'there is none for other types');
SELECT results_eq(
    $$SELECT path FROM observability.list_alert_faults('error_count', '{"threshold": 0, "title": ""}') ORDER BY path$$,
    ARRAY['$.threshold', '$.title'], 'faults can be listed before a rule is made');
SELECT is(
    observability.complete_alert_params('error_count', '{"threshold": 3}') - 'levels' - 'group_by',
    '{"threshold": 3, "window_minutes": 5, "cool_down_minutes": 15, "severity": "sev3", "auto_resolve": false}', 'and defaults be shown');

-- Only the partitions of the window are looked at: others would be locked by the planner.
RESET SESSION AUTHORIZATION;
SELECT tap.rule('{"window_minutes": 10}') \g /dev/null
SELECT * FROM observability.evaluate_alert_rules() \g /dev/null
SELECT set_eq(
    $$
        SELECT c.oid::regclass::text
        FROM pg_locks AS l
        JOIN pg_class AS c ON c.oid = l.relation
        WHERE l.pid = pg_backend_pid() AND c.relkind = 'r' AND c.relispartition AND c.relname LIKE 'logs%'
    $$,
    $$SELECT 'observability.logs_' || to_char((now() - m * interval '10 minutes') AT TIME ZONE 'UTC', 'YYYY_MM_DD') FROM (VALUES (0), (1)) AS v (m)$$,
    'an evaluation plans for the partitions of its window only');

-- The window: its end belongs to it, its start does not.
RESET SESSION AUTHORIZATION;
SELECT tap.rule('{"threshold": 2, "window_minutes": 10, "group_by": []}') \g /dev/null
CALL tap.log('a', 0);
CALL tap.log('a', 10);
CALL tap.log('b', 10, 100);
CALL tap.act('developer', 'a');
SELECT results_eq(
    'SELECT * FROM tap.evaluate(9.9999)', $$VALUES ('', false, false, 1::numeric, 2::numeric)$$, 'a line at the end is not there before it');
SELECT results_eq(
    'SELECT * FROM tap.evaluate(10)', $$VALUES ('', false, false, 1::numeric, 2::numeric)$$, 'one at the start has just left');
RESET SESSION AUTHORIZATION;
CALL tap.log('a', 10, 1, 'fatal');
CALL tap.log('a', 10, 50, 'warn');
CALL tap.act('developer', 'a');
SELECT results_eq(
    'SELECT * FROM tap.evaluate(10)', $$VALUES ('', true, true, 2::numeric, 2::numeric)$$,
    'the threshold is reached by lines of error and fatal, not of others, nor of another organization');
SELECT results_eq(
    $$SELECT status, severity::text, title, occurrences, last_seen_at, rule_id, fingerprint, metadata FROM observability.incidents$$,
    $$VALUES ('open', 'sev3', '2 log lines within 10 minutes', 1::bigint, tap.at(10), tap.id('rule'), tap.id('rule')::text,
              '{"observed": 2, "threshold": 2}'::jsonb)$$,
    'an incident is open');
SELECT results_eq(
    'SELECT type, fingerprint, fired_at, observed, title, status FROM observability.open_alerts',
    $$VALUES ('error_count', tap.id('rule')::text, tap.at(10), 2::numeric, '2 log lines within 10 minutes', 'open')$$, 'and shows as an open alert');

-- The cool-down of 15 minutes.
RESET SESSION AUTHORIZATION;
CALL tap.log('a', 24, 5);
CALL tap.act('developer', 'a');
SELECT results_eq(
    'SELECT * FROM tap.evaluate(10)', $$VALUES ('', false, true, 2::numeric, 2::numeric)$$, 'what has fired does not fire twice');
SELECT results_eq(
    'SELECT * FROM tap.evaluate(24.999)', $$VALUES ('', false, true, 5::numeric, 2::numeric)$$, 'nor within the cool-down, under the same incident');
SELECT is((SELECT occurrences FROM observability.incidents), 1::bigint, 'which is left alone');
SELECT is((SELECT observed FROM observability.alert_firings), 5::numeric, 'while the state goes on');
SELECT results_eq(
    'SELECT * FROM tap.evaluate(25)', $$VALUES ('', true, true, 5::numeric, 2::numeric)$$, 'it fires again at the end of the cool-down');
SELECT results_eq(
    'SELECT occurrences, last_seen_at FROM observability.incidents', 'VALUES (2::bigint, tap.at(25))', 'and the incident is counted up, not doubled');

-- A time before the last evaluation.
SELECT results_eq(
    'SELECT * FROM tap.evaluate(12)', $$VALUES ('', false, true, 2::numeric, 2::numeric)$$, 'as of an earlier time, it is told what was');
SELECT results_eq(
    'SELECT fired_at, evaluated_at, observed FROM observability.alert_firings', 'VALUES (tap.at(25), tap.at(25), 5::numeric)', 'and nothing is changed');
SELECT throws_ok(
    $$SELECT * FROM observability.evaluate_alert_rules(now() + interval '1 hour')$$, 'VC113', NULL, 'a time to come is refused');
SELECT throws_ok($$SELECT * FROM observability.evaluate_alert_rules('infinity')$$, 'VC113', NULL, 'however far');
SELECT lives_ok($$SELECT * FROM observability.evaluate_alert_rules('-infinity')$$, 'any time that was is taken');

-- Recovery.
SELECT results_eq(
    'SELECT * FROM tap.evaluate(34)', $$VALUES ('', false, true, 0::numeric, 2::numeric)$$, 'when lines stop, the condition is over');
SELECT results_eq(
    'SELECT state, recovered_at, evaluated_at, observed FROM observability.alert_firings',
    $$VALUES ('recovered', tap.at(34), tap.at(34), 0::numeric)$$, 'the state recovers');
SELECT is((SELECT status FROM observability.incidents), 'open', 'the incident is for people to resolve');
SELECT is_empty('SELECT FROM observability.open_alerts', 'there is no open alert');
SELECT results_eq(
    'SELECT * FROM tap.evaluate(35)', $$VALUES ('', false, false, 0::numeric, 2::numeric)$$, 'and then nothing happens');
SELECT is((SELECT recovered_at FROM observability.alert_firings), tap.at(34), 'when it recovered stays known');
RESET SESSION AUTHORIZATION;
CALL tap.log('a', 36, 2);
CALL tap.act('developer', 'a');
SELECT results_eq(
    'SELECT * FROM tap.evaluate(36)', $$VALUES ('', false, true, 2::numeric, 2::numeric)$$, 'what comes back within the cool-down is firing again, silently');
SELECT results_eq(
    'SELECT state, recovered_at, fired_at FROM observability.alert_firings', $$VALUES ('firing', NULL::timestamptz, tap.at(25))$$, 'in the state too');
SELECT is(observability.acknowledge_incident((SELECT id FROM observability.incidents)), true, 'somebody takes it on');
SELECT observability.resolve_incident((SELECT id FROM observability.incidents)) \g /dev/null
SELECT results_eq('SELECT * FROM tap.evaluate(40)', $$VALUES ('', true, true, 2::numeric, 2::numeric)$$, 'what fires after the incident was resolved');
SELECT results_eq(
    'SELECT status, occurrences FROM observability.incidents ORDER BY last_seen_at',
    $$VALUES ('resolved', 2::bigint), ('open', 1)$$, 'opens another');

-- Automatically resolved.
RESET SESSION AUTHORIZATION;
DELETE FROM observability.incidents;
SELECT is((SELECT incident_id FROM observability.alert_firings), NULL, 'a firing outlives its incident');
SELECT tap.rule('{"threshold": 1, "window_minutes": 1, "group_by": [], "auto_resolve": true, "severity": "sev1", "title": "Errors", "cool_down_minutes": 0}') \g /dev/null
CALL tap.log('a', 50);
CALL tap.act('developer', 'a');
SELECT results_eq('SELECT fired FROM tap.evaluate(50)', 'VALUES (true)', 'a rule resolves by itself:');
SELECT results_eq('SELECT fired FROM tap.evaluate(50)', 'VALUES (false)', 'without a cool-down, once as of one time');
SELECT results_eq('SELECT fired FROM tap.evaluate(50.5)', 'VALUES (true)', 'and again as of the next');
SELECT results_eq(
    'SELECT status, severity::text, title, occurrences FROM observability.incidents', $$VALUES ('open', 'sev1', 'Errors', 2::bigint)$$, 'the incident opens');
SELECT results_eq('SELECT fired, has_incident FROM tap.evaluate(51)', 'VALUES (false, true)', 'the condition is over');
SELECT is((SELECT status FROM observability.incidents), 'resolved', 'and the incident resolved');
SELECT results_eq(
    'SELECT t.kind, t.note FROM observability.incidents AS i CROSS JOIN observability.incident_timeline(i.id) AS t',
    $$VALUES ('opened', NULL), ('seen', NULL), ('resolved', NULL), ('noted', 'The condition of the alert rule is over.')$$,
    'as its timeline tells');

-- Groups.
RESET SESSION AUTHORIZATION;
DELETE FROM observability.incidents;
SELECT tap.rule('{"threshold": 2, "window_minutes": 10}') \g /dev/null
CALL tap.log('a', 100, 2, 'error', 'api', 'production');
CALL tap.log('a', 100, 1, 'error', 'web', 'production');
CALL tap.log('a', 100, 3, 'error', 'web');
CALL tap.log('a', 100, 4);
CALL tap.act('developer', 'a');
SELECT bag_eq(
    'SELECT * FROM tap.evaluate(100)',
    $$VALUES (':service=api:environment=production', true, true, 2::numeric, 2::numeric),
             (':service=web:environment=production', false, false, 1, 2),
             (':service=web:environment=none', true, true, 3, 2),
             (':service=none:environment=none', true, true, 4, 2)$$,
    'services and environments are counted by themselves, unknown ones too');
SELECT bag_eq(
    'SELECT title, service_id, environment_id FROM observability.incidents',
    $$VALUES ('api in production: 2 log lines within 10 minutes', tap.id('api of a'), tap.id('production of a')),
             ('web: 3 log lines within 10 minutes', tap.id('web of a'), NULL),
             ('4 log lines within 10 minutes', NULL, NULL)$$,
    'and their incidents name them');
RESET SESSION AUTHORIZATION;
SELECT tap.rule('{"threshold": 4, "window_minutes": 10, "group_by": ["service"]}') \g /dev/null
CALL tap.act('developer', 'a');
SELECT bag_eq(
    'SELECT scope, fired, observed FROM tap.evaluate(100)',
    $$VALUES (':service=api', false, 2::numeric), (':service=web', true, 4), (':service=none', true, 4)$$, 'or services only');
RESET SESSION AUTHORIZATION;
SELECT tap.rule(jsonb_build_object('threshold', 3, 'window_minutes', 10, 'service_id', tap.id('web of a'), 'group_by', '{environment}'::text[])) \g /dev/null
CALL tap.act('developer', 'a');
SELECT bag_eq(
    'SELECT scope, fired, observed FROM tap.evaluate(100)',
    $$VALUES (':environment=production', false, 1::numeric), (':environment=none', true, 3)$$, 'or those of one service');
RESET SESSION AUTHORIZATION;
SELECT tap.rule(jsonb_build_object('threshold', 3, 'window_minutes', 10, 'service_id', tap.id('web of a'), 'environment_id', tap.id('production of a'))) \g /dev/null
CALL tap.act('developer', 'a');
SELECT results_eq(
    'SELECT scope, observed FROM tap.evaluate(100)', $$VALUES (':service=web:environment=production', 1::numeric)$$, 'or one of each');
SELECT results_eq(
    'SELECT scope, observed FROM tap.evaluate(200)', $$VALUES (':service=web:environment=production', 0::numeric)$$, 'whose silence is known');
RESET SESSION AUTHORIZATION;
SELECT tap.rule('{"threshold": 2, "levels": ["warn", "info"], "group_by": []}') \g /dev/null
CALL tap.log('a', 300, 2, 'info');
CALL tap.log('a', 300, 1, 'warn');
CALL tap.log('a', 300, 9, 'error');
-- Lines of a service outlive it; an incident cannot name it.
CALL tap.act('developer', 'a');
SELECT results_eq('SELECT observed FROM tap.evaluate(300)', 'VALUES (3::numeric)', 'other levels count where a rule says so');
RESET SESSION AUTHORIZATION;
DELETE FROM observability.incidents;
SELECT tap.rule('{"threshold": 1}') \g /dev/null
CALL tap.log('a', 400, 1, 'error', 'web');
DELETE FROM tenancy.services WHERE id = tap.id('web of a');
CALL tap.act('developer', 'a');
SELECT results_eq('SELECT scope, fired FROM tap.evaluate(400)', $$VALUES (':service=web:environment=none', true)$$, 'lines of a service that is gone fire');
SELECT results_eq('SELECT service_id, title FROM observability.incidents', $$VALUES (NULL::uuid, '1 log line within 5 minutes')$$, 'and name none');

-- A setting of the session changes nothing.
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL timezone = 'Asia/Kolkata';
SELECT results_eq('SELECT observed FROM tap.evaluate(400)', 'VALUES (1::numeric)', 'whatever dates look like in a session');
RESET datestyle;
RESET timezone;

-- A rule that fails does not stop the others; its parameters came with a restore that no trigger looked at.
RESET SESSION AUTHORIZATION;
SELECT tap.rule('{"threshold": 1, "group_by": []}') \g /dev/null
SET LOCAL session_replication_role = replica;
INSERT INTO observability.alert_rules (id, org_id, type, params_json)
VALUES ('00000000-0000-0000-0000-000000000000', tap.id('a'), 'error_count', '{"threshold": "many"}');
SET LOCAL session_replication_role = origin;
SET LOCAL client_min_messages = error;
CALL tap.act('developer', 'a');
SELECT results_eq('SELECT scope, fired FROM tap.evaluate(401)', $$VALUES ('', true)$$, 'beside a rule that fails, the others are evaluated');
SELECT results_eq(
    'SELECT last_error, last_error_at >= now() FROM observability.alert_evaluations WHERE rule_id::text LIKE ''0%''',
    $$VALUES ('invalid parameters of an alert rule: the value is not of type "integer"', true)$$, 'and its fault is kept');
RESET SESSION AUTHORIZATION;
UPDATE observability.alert_rules SET params_json = '{"threshold": 1000}' WHERE id::text LIKE '0%';
CALL tap.act('developer', 'a');
SELECT tap.evaluate(402) \g /dev/null
SELECT is((SELECT count(*) FROM observability.alert_evaluations WHERE last_error IS NOT NULL), 0::bigint, 'until it is mended');
RESET SESSION AUTHORIZATION;
UPDATE observability.alert_rules SET enabled = false;
CALL tap.act('developer', 'a');
SELECT is_empty('SELECT * FROM tap.evaluate(403)', 'a rule that is not enabled is not evaluated');
SELECT is_empty('SELECT FROM observability.open_alerts', 'nor an alert of it open');

-- Who may.
CALL tap.act('viewer', 'a');
SELECT throws_ok('SELECT * FROM observability.evaluate_alert_rules()', 'VC014', NULL, 'a viewer evaluates nothing');
SELECT throws_ok('SELECT * FROM observability.evaluate_own_alert_rules(now())', 'VC014', NULL, 'by no way');
CALL tap.act();
SELECT throws_ok('SELECT * FROM observability.evaluate_alert_rules()', 'VC011', NULL, 'nor somebody without a context');
SELECT throws_ok('SELECT * FROM observability.evaluate_all_alert_rules(now())', '42501', NULL, 'who cannot have all evaluated');
SELECT throws_ok(format('SELECT * FROM observability.evaluate_organization(%L, now())', tap.id('b')), '42501', NULL, 'or another organization''s');
SELECT throws_ok(format('SELECT * FROM observability.evaluate_alert_rule(%L, %L, now())', tap.id('b'), tap.id('rule')), '42501', NULL, 'or one rule');
SELECT throws_ok(format('SELECT * FROM observability.count_errors(%L, ''{}'', now())', tap.id('b')), '42501', NULL, 'or count lines');
SELECT throws_ok(format('SELECT * FROM observability.take_alert_step(%L)', tap.id('b')), '42501', NULL, 'or maintain');
CALL tap.act('owner', 'b', 'tap_ingest');
SELECT throws_ok('SELECT * FROM observability.evaluate_alert_rules()', '42501', NULL, 'a collector evaluates nothing');

-- The service, for all organizations; and maintenance, for one that is due.
RESET SESSION AUTHORIZATION;
DELETE FROM observability.alert_rules;
SELECT tap.rule('{"threshold": 1, "group_by": []}', 'rule of a', 'a') \g /dev/null
SELECT tap.rule('{"threshold": 1, "group_by": []}', 'rule of b', 'b') \g /dev/null
SELECT bag_eq(
    'SELECT * FROM observability.list_due_organizations()', $$VALUES (tap.id('a')), (tap.id('b'))$$, 'organizations whose rules were never evaluated are due');
INSERT INTO observability.logs (org_id, level, message) VALUES (tap.id('b'), 'error', 'x');
CALL tap.act(login => 'tap_service');
SELECT bag_eq(
    'SELECT rule_id, fired FROM observability.evaluate_alert_rules()',
    $$VALUES (tap.id('rule of a'), false), (tap.id('rule of b'), true)$$, 'outside of a context the service evaluates all');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT org_id FROM observability.incidents WHERE rule_id = tap.id('rule of b')), tap.id('b'), 'each for its own organization');
SELECT is_empty('SELECT * FROM observability.list_due_organizations()', 'then none is due');
SELECT set_config('codeverify.clock', (now() + interval '59 seconds')::text, true) \g /dev/null
SELECT is_empty('SELECT * FROM observability.list_due_organizations()', 'for a minute');
SELECT set_config('codeverify.clock', (now() + interval '1 minute')::text, true) \g /dev/null
SELECT is((SELECT count(*) FROM observability.list_due_organizations()), 2::bigint, 'after which they are');
SELECT results_eq(
    format('SELECT * FROM observability.take_alert_step(%L)', tap.id('b')),
    $$VALUES ('evaluated', '1 fingerprints, 0 fired', false)$$, 'maintenance evaluates one');
SELECT bag_eq('SELECT * FROM observability.list_due_organizations()', $$VALUES (tap.id('a'))$$, 'and leaves the other');
SELECT results_eq(
    $$SELECT task, target, action, detail FROM codeverify.maintain('alerts')$$,
    $$VALUES ('alerts', tap.id('a')::text, 'evaluated', '1 fingerprints, 0 fired')$$, 'for the next step');
SELECT is_empty($$SELECT * FROM codeverify.maintain('alerts')$$, 'then there is nothing to do');
CALL tap.act('developer', 'a', 'tap_service');
SELECT results_eq(
    'SELECT rule_id FROM observability.evaluate_alert_rules()', $$VALUES (tap.id('rule of a'))$$, 'inside a context, the service evaluates that organization''s');
CALL tap.act('owner', 'a');
SELECT is((SELECT count(*) FROM observability.alert_evaluations), 1::bigint, 'whose members see nobody else''s evaluations');
SELECT throws_ok('DELETE FROM observability.alert_evaluations', '42501', NULL, 'and change none');
SELECT throws_ok('DELETE FROM observability.alert_firings', '42501', NULL, 'nor firings');

SELECT * FROM finish();
ROLLBACK;
