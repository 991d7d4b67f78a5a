-- Alert rules about deployments: workflow runs that failed, as deliveries told.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../key_files.sql
\ir ../signed_deliveries.sql

INSERT INTO scm.repositories (id, org_id, github_id, name, full_name)
SELECT tap.id(format('%s of %s', r.name, o.name)), tap.id(o.name), 9000000000 + r.place + ascii(o.name) * 10, r.name, o.name || '/' || r.name
FROM (VALUES (1, 'one'), (2, 'two')) AS r (place, name)
CROSS JOIN (VALUES ('a'), ('b')) AS o (name);

CREATE FUNCTION tap.at(minutes numeric)
RETURNS timestamptz
LANGUAGE sql
STABLE
AS $function$
    SELECT date_trunc('day', now(), 'UTC') - interval '1 day' + minutes * interval '1 minute'
$function$;

-- A delivery as integrations.receive_delivery() stores it.
CREATE PROCEDURE tap.run(
    organization text, minutes numeric, repository text DEFAULT 'one', conclusion text DEFAULT 'failure', branch text DEFAULT 'main',
    workflow text DEFAULT 'deploy', action text DEFAULT 'completed', event text DEFAULT 'workflow_run',
    run_id bigint DEFAULT NULL, attempt int DEFAULT 1)
LANGUAGE sql
AS $procedure$
    INSERT INTO integrations.inbound_deliveries
        (org_id, provider, delivery_id, event, action, payload_hash, created_at, repo_id, details)
    VALUES (
        tap.id(organization), 'github', gen_random_uuid()::text, event, action, repeat('0', 64), tap.at(minutes),
        tap.id(repository || ' of ' || organization),
        jsonb_strip_nulls(jsonb_build_object(
            'workflow', workflow, 'conclusion', conclusion, 'branch', branch, 'run_id', run_id, 'attempt', attempt)))
$procedure$;

CREATE FUNCTION tap.rule(params jsonb)
RETURNS void
LANGUAGE sql
AS $function$
    DELETE FROM observability.alert_rules;
    DELETE FROM observability.incidents;
    INSERT INTO observability.alert_rules (id, org_id, type, params_json)
    VALUES (tap.id('rule'), tap.id('a'), 'deployment_failure', params)
$function$;

-- What the rule says as of a time, to the service.
CREATE FUNCTION tap.evaluate(params jsonb, minutes numeric)
RETURNS TABLE (scope text, fired boolean, observed numeric)
LANGUAGE sql
AS $function$
    SELECT tap.rule(params);
    SELECT replace(
               replace(replace(e.fingerprint, tap.id('rule')::text, ''), tap.id('one of a')::text, 'one'), tap.id('two of a')::text, 'two'),
           e.fired, e.observed
    FROM observability.evaluate_alert_rules(tap.at(minutes)) AS e
$function$;

CALL tap.run('a', 10);
CALL tap.run('a', 20);
CALL tap.run('a', 20, conclusion => 'success');
CALL tap.run('a', 20, conclusion => 'cancelled');
CALL tap.run('a', 20, conclusion => NULL, action => 'requested');
CALL tap.run('a', 20, event => 'check_run');
CALL tap.run('a', 20, branch => 'topic', workflow => 'test');
CALL tap.run('a', 20, 'two', 'timed_out');
CALL tap.run('b', 20);

SELECT bag_eq(
    format('SELECT scope, fired, observed FROM tap.evaluate(%L, %s)', t.params, t.minutes), t.expected, format('as of minute %s: %s', t.minutes, t.params))
FROM (VALUES
    ('{}', 9, 'SELECT NULL::text, NULL::boolean, NULL::numeric LIMIT 0'),
    ('{}', 10, $$VALUES (':repository=one', true, 1::numeric)$$),
    ('{}', 69.99, $$VALUES (':repository=one', true, 3::numeric), (':repository=two', true, 1)$$),
    ('{}', 70, $$VALUES (':repository=one', true, 2::numeric), (':repository=two', true, 1)$$),
    ('{"threshold": 2}', 20, $$VALUES (':repository=one', true, 3::numeric), (':repository=two', false, 1)$$),
    ('{"window_minutes": 10}', 20, $$VALUES (':repository=one', true, 2::numeric), (':repository=two', true, 1)$$),
    ('{"branches": ["main", "release"]}', 20, $$VALUES (':repository=one', true, 2::numeric), (':repository=two', true, 1)$$),
    ('{"workflows": ["test"]}', 20, $$VALUES (':repository=one', true, 1::numeric)$$),
    ('{"conclusions": ["cancelled", "success"]}', 20, $$VALUES (':repository=one', true, 2::numeric)$$),
    ('{"group_by": []}', 20, $$VALUES ('', true, 4::numeric)$$),
    ('{"group_by": []}', 200, $$VALUES ('', false, 0::numeric)$$),
    ('{"group_by": ["branch"]}', 20, $$VALUES (':branch=main', true, 3::numeric), (':branch=topic', true, 1)$$),
    ('{"group_by": ["repository", "branch", "workflow"]}', 20,
     $$VALUES (':repository=one:branch=main:workflow=deploy', true, 2::numeric), (':repository=one:branch=topic:workflow=test', true, 1),
              (':repository=two:branch=main:workflow=deploy', true, 1)$$),
    (jsonb_build_object('repo_id', tap.id('two of a'))::text, 20, $$VALUES (':repository=two', true, 1::numeric)$$),
    (jsonb_build_object('repo_id', tap.id('two of a'))::text, 200, $$VALUES (':repository=two', false, 0::numeric)$$)
) AS t (params, minutes, expected);

-- Names that are long.
CALL tap.run('a', 500, branch => repeat('b', 255), workflow => repeat('w', 1000));
SELECT is(
    (SELECT array_agg(length(scope)) FROM tap.evaluate('{"group_by": ["repository", "branch", "workflow"]}', 500)), '{97}',
    'long names are shortened in a fingerprint');
CALL tap.run('a', 700, branch => 'none');
CALL tap.run('a', 700, branch => NULL);
CALL tap.run('a', 700, branch => 'main:workflow=x', workflow => 'y');
CALL tap.run('a', 700, branch => 'main', workflow => 'x:workflow=y');
SELECT is(
    (SELECT count(DISTINCT scope) FROM tap.evaluate('{"group_by": ["branch", "workflow"]}', 700)), 4::bigint, 'and no two are taken for one another');

-- What a repository's settings say of its workflows.
UPDATE scm.repositories SET settings = '{"deployment_workflows": ["test"]}' WHERE id = tap.id('one of a');
SELECT bag_eq(
    format('SELECT scope, fired, observed FROM tap.evaluate(%L, 20)', t.params), t.expected, 'of a repository that says which workflows deploy: ' || t.params)
FROM (VALUES
    ('{}', $$VALUES (':repository=one', true, 1::numeric), (':repository=two', true, 1)$$),
    ('{"workflows": ["deploy"]}', $$VALUES (':repository=one', true, 2::numeric), (':repository=two', true, 1)$$)
) AS t (params, expected);
UPDATE scm.repositories SET settings = '{}' WHERE id = tap.id('one of a');

-- A run that several deliveries tell of failed once, each further attempt once more.
CALL tap.run('a', 400, run_id => 7);
CALL tap.run('a', 401, run_id => 7);
CALL tap.run('a', 402, run_id => 7, attempt => 2);
CALL tap.run('a', 403, 'two', run_id => 7);
SELECT bag_eq(
    $$SELECT scope, observed FROM tap.evaluate('{}', 410)$$, $$VALUES (':repository=one', 2::numeric), (':repository=two', 1)$$,
    'attempts of runs are counted, and not deliveries');

-- The incident.
SELECT tap.rule('{"threshold": 3, "auto_resolve": true}') \g /dev/null
CALL tap.act('developer', 'a');
SELECT results_eq(
    'SELECT fired FROM observability.evaluate_alert_rules(tap.at(20))', 'VALUES (true), (false)', 'a member has them evaluated, who cannot read deliveries');
SELECT results_eq(
    'SELECT status, severity::text, repo_id, title FROM observability.incidents',
    $$VALUES ('open', 'sev2', tap.id('one of a'), 'a/one: 3 failed workflow runs within 60 minutes')$$, 'the incident names the repository');
SELECT observability.evaluate_alert_rules(tap.at(200)) \g /dev/null
SELECT is((SELECT status FROM observability.incidents), 'resolved', 'and is resolved when no run has failed for long');

-- From the delivery to the incident: a real payload, with another conclusion.
RESET SESSION AUTHORIZATION;
INSERT INTO scm.repositories (id, org_id, github_id, name, full_name)
VALUES (tap.id('octo repository of a'), tap.id('a'), 300029405, 'octo-repo', 'octo-org/octo-repo');
SELECT tap.rule('{"branches": ["master"]}') \g /dev/null
CALL tap.act(login => 'tap_service');
SELECT integrations.set_inbound_secret('github', tap.app_secret()) \g /dev/null
SELECT tap.deliver('workflow_run', tap.payload('workflow_run')) \g /dev/null
SELECT is_empty('SELECT FROM observability.evaluate_alert_rules(clock_timestamp())', 'a run that went well is no failure');
SELECT tap.deliver('workflow_run', tap.payload('workflow_run', '{"{workflow_run,conclusion}": "failure"}')) \g /dev/null
SELECT results_eq('SELECT fired, observed FROM observability.evaluate_alert_rules(clock_timestamp())', 'VALUES (true, 1::numeric)', 'one that failed fires');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    'SELECT org_id, repo_id, title FROM observability.incidents',
    $$VALUES (tap.id('a'), tap.id('octo repository of a'), 'octo-org/octo-repo: 1 failed workflow run within 60 minutes')$$, 'and opens an incident');

SELECT tap.remove_key_file();
SELECT * FROM finish();
ROLLBACK;
