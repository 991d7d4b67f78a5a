-- What follows from pushes, pull requests, reviews, workflow runs, deployments and changes of repositories.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../key_files.sql
\ir ../signed_deliveries.sql
DELETE FROM integrations.inbound_secrets;
DELETE FROM analysis.analyses;

-- The real payloads are about two repositories, of which a has one by its installation 1 and b the other by hand.
INSERT INTO scm.repositories (id, org_id, github_id, name, full_name)
VALUES (tap.id('octo repository of b'), tap.id('b'), 300029405, 'octo-repo', 'octo-org/octo-repo');
CALL tap.act(login => 'tap_service');
SELECT integrations.set_inbound_secret('github', tap.app_secret()) \g /dev/null
SELECT scm.claim_installation(1, tap.id('a')) \g /dev/null
SELECT scm.claim_installation(957387, tap.id('a')) \g /dev/null
SELECT tap.deliver('installation', tap.payload('installation')) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT r.id AS repo FROM scm.repositories AS r WHERE r.github_id = 186853002 \gset
CREATE FUNCTION tap.now_is()
RETURNS text
LANGUAGE sql
SECURITY DEFINER
AS $function$
    SELECT concat_ws(' ', r.full_name, r.private, r.default_branch, r.enabled, r.installation_id)
    FROM scm.repositories AS r
    WHERE r.github_id = 186853002
$function$;
CREATE FUNCTION tap.events()
RETURNS TABLE (org_id uuid, repo_id uuid, event_type text, at timestamptz, commit_sha text, metadata jsonb)
LANGUAGE sql
SECURITY DEFINER
AS $function$
    SELECT e.org_id, e.repo_id, e.event_type::text, e."timestamp", e.commit_sha, e.metadata - 'delivery'
    FROM telemetry.code_events AS e
    WHERE e.metadata ? 'delivery'
    ORDER BY e."timestamp", e.commit_sha
$function$;

-- Pull requests.
CALL tap.act(login => 'tap_service');
CREATE TEMP TABLE answer AS SELECT tap.deliver('pull_request', tap.payload('pull_request')) AS a;
SELECT is(
    (SELECT a - 'id' #- '{details,analysis_id}' FROM answer),
    jsonb_build_object('status', 'accepted', 'outcome', 'handled', 'org_id', tap.id('a'), 'details',
        '{"number": 2, "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821", "recorded": 1}'::jsonb),
    'a pull request is opened');
SELECT results_eq(
    'SELECT * FROM tap.events()',
    format($$VALUES (tap.id('a'), %L::uuid, 'pr_opened', '2019-05-15 15:20:33+00'::timestamptz, 'ec26c3e57ca3a959ca5aad62de7213c562f8c821',
        '{"number": 2, "title": "Update the README with new information.", "draft": false, "author": "Codertocat", "head": "changes", "base": "master",
          "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821", "base_sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"}'::jsonb)$$, :'repo'),
    'which is an event, of when it was');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT a.org_id, a.repo_id, a.pr_number, a.pr_title, a.head_sha, a.base_sha, a.status, a.triggered_by, a.started_at, a.id::text, a.metadata ->> 'delivery' FROM analysis.analyses AS a$$,
    format($$SELECT tap.id('a'), %L::uuid, 2, 'Update the README with new information.', 'ec26c3e57ca3a959ca5aad62de7213c562f8c821',
        'f95f852bd8fca8fcc58a9a2d6c842781e32a215e', 'pending', NULL::uuid, NULL::timestamptz, a #>> '{details,analysis_id}', a ->> 'id' FROM answer$$, :'repo'),
    'and an analysis is pending');
SELECT results_eq(
    $$SELECT a.org_id, a.actor_id, a.resource_id::text, a.payload ->> 'head_sha' FROM audits.audit_log AS a WHERE a.action = 'analysis.requested'$$,
    $$SELECT tap.id('a'), NULL::uuid, a #>> '{details,analysis_id}', 'ec26c3e57ca3a959ca5aad62de7213c562f8c821' FROM answer$$,
    'of which the ledger tells');
SELECT results_eq(
    $$SELECT d.repo_id::text, d.details FROM integrations.inbound_deliveries AS d WHERE d.event = 'pull_request'$$,
    format($$SELECT %L, a -> 'details' FROM answer$$, :'repo'), 'the delivery tells what came of it');

-- One analysis for a head, whichever deliveries name it.
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', v.changes)) #> '{details}',
    '{"number": 2, "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821", "recorded": 0}', format('no other analysis, nor event: %s', v.changes))
FROM (VALUES
    ('{}'::jsonb),
    ('{"{action}": "reopened"}'),
    ('{"{action}": "synchronize"}'),
    ('{"{action}": "ready_for_review"}')
) AS v (changes);
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', jsonb_build_object('{action}', v.action, '{pull_request,head,sha}', repeat(v.digit, 40))))
        #> '{details,analysis_id}' IS NOT NULL,
    true, 'a head that is new has its own: ' || v.action)
FROM (VALUES ('synchronize', 'a'), ('reopened', 'b'), ('ready_for_review', 'c')) AS v (action, digit);
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', jsonb_build_object('{pull_request,number}', 3))) #> '{details,analysis_id}' IS NOT NULL,
    true, 'and so has another pull request with the same');
RESET SESSION AUTHORIZATION;
UPDATE analysis.analyses SET status = 'failed', metadata = '{}' WHERE head_sha = repeat('a', 40);
UPDATE scm.repositories SET enabled = false WHERE id = :'repo';
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', jsonb_build_object('{action}', 'synchronize', '{pull_request,head,sha}', repeat('d', 40))))
        #> '{details,analysis_id}',
    NULL, 'none is asked for of a repository that is not enabled');
RESET SESSION AUTHORIZATION;
UPDATE scm.repositories SET enabled = true WHERE id = :'repo';
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', jsonb_build_object('{action}', 'synchronize', '{pull_request,head,sha}', repeat('a', 40))))
        #> '{details,analysis_id}',
    NULL, 'nor of a head whose analysis has failed: that is started again by hand');
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', '{"{action}": "labeled"}')) ->> 'outcome', 'ignored', 'other actions are ignored');
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', '{"{action}": "closed"}')) -> 'details',
    '{"number": 2, "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821", "merged": false, "recorded": 0}', 'one that is closed is no merge');
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', jsonb_build_object(
        '{action}', 'closed', '{pull_request,merged}', true, '{pull_request,merged_at}', '2019-05-16T10:00:00+02:00',
        '{pull_request,merge_commit_sha}', repeat('f', 40)))) #> '{details,recorded}',
    '1', 'one that is merged is');
SELECT results_eq(
    $$SELECT at, commit_sha, metadata ->> 'number' FROM tap.events() WHERE event_type = 'pr_merged'$$,
    $$VALUES ('2019-05-16 08:00:00+00'::timestamptz, repeat('f', 40), '2')$$, 'with its commit');
SELECT is(
    tap.deliver('pull_request_review', jsonb_build_object(
        'action', 'submitted', 'installation', '{"id": 1}'::jsonb, 'repository', tap.payload('pull_request')::jsonb -> 'repository',
        'pull_request', '{"number": 2}'::jsonb,
        'review', jsonb_build_object('state', 'approved', 'user', '{"login": "octocat"}'::jsonb, 'commit_id', repeat('a', 40), 'submitted_at', '2019-05-15T16:00:00Z'))::text)
        -> 'details',
    '{"state": "approved", "number": 2, "recorded": 1, "reviewer": "octocat"}', 'a review');
SELECT results_eq(
    $$SELECT at, commit_sha, metadata FROM tap.events() WHERE event_type = 'pr_reviewed'$$,
    $$VALUES ('2019-05-15 16:00:00+00'::timestamptz, repeat('a', 40), '{"state": "approved", "number": 2, "reviewer": "octocat"}'::jsonb)$$, 'is an event');

-- Pushes. The real one deletes a tag.
SELECT is(
    tap.deliver('push', tap.payload('push')) -> 'details',
    '{"ref": "refs/tags/simple-tag", "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "after": "0000000000000000000000000000000000000000",
      "forced": false, "commits": 0, "recorded": 0}', 'a push without commits is none');
CREATE FUNCTION pg_temp.push(commits jsonb, repository bigint DEFAULT 186853002)
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT tap.deliver('push', tap.payload('push', jsonb_build_object('{commits}', commits, '{ref}', 'refs/heads/main', '{repository,id}', repository))) -> 'details'
$function$;
CREATE FUNCTION pg_temp.commit(digit text, at text, more jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT jsonb_build_object(
        'id', repeat(digit, 40), 'timestamp', at, 'message', E'Mend\n\nAll of it', 'author', '{"username": "Codertocat", "email": "c@example.org"}'::jsonb,
        'added', '["x"]'::jsonb, 'removed', '[]'::jsonb, 'modified', '["y", "z"]'::jsonb) || more
$function$;
SELECT is(
    pg_temp.push(jsonb_build_array(
        pg_temp.commit('1', '2026-01-02T03:04:05+01:00'), pg_temp.commit('2', '2026-01-02T03:04:06Z', '{"distinct": false}'),
        pg_temp.commit('3', '2026-01-02T03:04:07Z', '{"distinct": true, "author": null}'))) - 'before' - 'after',
    '{"ref": "refs/heads/main", "forced": false, "commits": 3, "recorded": 2}', 'commits that were not pushed before count');
SELECT results_eq(
    $$SELECT * FROM tap.events() WHERE event_type = 'commit'$$,
    format($$
        VALUES (tap.id('a'), %1$L::uuid, 'commit', '2026-01-02 02:04:05+00'::timestamptz, repeat('1', 40),
                '{"message": "Mend", "author": "Codertocat", "added": 1, "removed": 0, "modified": 2, "ref": "refs/heads/main"}'::jsonb),
               (tap.id('a'), %1$L, 'commit', '2026-01-02 03:04:07+00', repeat('3', 40),
                '{"message": "Mend", "added": 1, "removed": 0, "modified": 2, "ref": "refs/heads/main"}')
    $$, :'repo'),
    'each with its time, its author''s name on GitHub, and no address');
SELECT is(
    pg_temp.push(jsonb_build_array(pg_temp.commit('1', '2026-01-02T03:04:05+01:00'), pg_temp.commit('4', '2026-01-02T03:04:08Z'), pg_temp.commit('4', '2026-01-02T03:04:08Z')))
        -> 'recorded', '1', 'what another delivery has told, or the same, is not told again');
SELECT is(
    pg_temp.push(jsonb_build_array(
        pg_temp.commit('5', '1969-12-31T23:59:59Z'), pg_temp.commit('6', '9999-01-01T00:00:00Z'), pg_temp.commit('7', 'gibberish'), pg_temp.commit('8', '1970-01-01T00:00:00Z')))
        -> 'recorded', '4', 'clocks that are wrong stop nothing');
SELECT results_eq(
    $$SELECT commit_sha, at BETWEEN now() AND clock_timestamp(), metadata ->> 'said_at' FROM tap.events() WHERE event_type = 'commit' AND commit_sha >= repeat('5', 40) ORDER BY 1$$,
    $$VALUES (repeat('5', 40), true, '1969-12-31T23:59:59Z'), (repeat('6', 40), true, '9999-01-01T00:00:00Z'), (repeat('7', 40), true, NULL), (repeat('8', 40), false, NULL)$$,
    'the time is then when it came, and what was said is kept');
SELECT is(
    pg_temp.push(jsonb_build_array(pg_temp.commit('1', '2026-01-02T03:04:05Z')), 9000000098) -> 'recorded', '1',
    'where no installation is named, the repository tells whose it is');
SELECT is((SELECT e.org_id FROM tap.events() AS e WHERE e.repo_id = tap.id('repository of b')), tap.id('b'), 'as of a webhook that is no App''s');
SELECT is(
    pg_temp.push('[]', 4711), '{"reason": "no organization has the repository"}', 'one that nobody has is ignored');
CALL tap.act('viewer', 'a');
SELECT is((SELECT count(*) FROM telemetry.code_events AS e WHERE e.event_type = 'commit' AND e.metadata ? 'delivery'), 7::bigint, 'the organization sees its events');
SELECT is_empty('SELECT FROM integrations.inbound_deliveries', 'deliveries are for those who manage');
CALL tap.act('admin', 'a');
SELECT isnt_empty($$SELECT FROM integrations.inbound_deliveries AS d WHERE d.event = 'push'$$, 'who see them');

-- Workflow runs, and what is a deployment.
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver('workflow_run', tap.payload('workflow_run')) - 'id',
    jsonb_build_object('status', 'accepted', 'outcome', 'handled', 'org_id', tap.id('b'), 'details',
        '{"workflow": "test", "conclusion": "success", "branch": "master", "head_sha": "3484a3fb816e0859fd6e1cea078d76385ff50625", "run_id": 289782451,
          "run_number": 163, "attempt": 1, "trigger": "repository_dispatch", "finished_at": "2020-10-05T16:33:49Z",
          "url": "https://github.com/octo-org/octo-repo/actions/runs/289782451", "recorded": 0}'::jsonb),
    'a workflow run is kept with what alert rules go by');
RESET SESSION AUTHORIZATION;
UPDATE scm.repositories SET settings = '{"deployment_workflows": ["deploy", "test"]}' WHERE github_id = 300029405;
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver('workflow_run', tap.payload('workflow_run', v.changes)) #>> '{details,recorded}', v.recorded, format('of a workflow that deploys: %s', v.changes))
FROM (VALUES
    ('{"{workflow_run,conclusion}": "failure"}'::jsonb, '0'),
    ('{"{workflow_run,conclusion}": null}', '0'),
    ('{"{workflow,name}": "other"}', '0'),
    ('{"{action}": "requested"}', NULL),
    ('{}', '1'),
    ('{}', '0')
) AS v (changes, recorded);
SELECT results_eq(
    $$SELECT e.org_id, e.at, e.commit_sha, e.metadata ->> 'workflow' FROM tap.events() AS e WHERE e.event_type = 'deploy'$$,
    $$VALUES (tap.id('b'), '2020-10-05 16:33:49+00'::timestamptz, '3484a3fb816e0859fd6e1cea078d76385ff50625', 'test')$$, 'a success deploys, once');
SELECT is(
    tap.deliver('deployment_status', jsonb_build_object(
        'action', 'created', 'repository', tap.payload('workflow_run')::jsonb -> 'repository',
        'deployment', jsonb_build_object('id', n, 'sha', repeat('a', 40), 'ref', 'main', 'environment', 'production'),
        'deployment_status', jsonb_build_object('state', v.state, 'created_at', '2026-03-01T00:00:00Z'))::text) -> 'details',
    jsonb_build_object('deployment_id', n, 'ref', 'main', 'environment', 'production', 'sha', repeat('a', 40), 'state', v.state, 'at', '2026-03-01T00:00:00Z', 'recorded', v.recorded),
    'a deployment with the state ' || v.state)
FROM (VALUES ('success', 1, 1), ('failure', 0, 2), ('in_progress', 0, 3)) AS v (state, recorded, n);
SELECT results_eq(
    $$SELECT e.metadata FROM tap.events() AS e WHERE e.at = '2026-03-01 00:00:00+00'$$,
    $$VALUES ('{"deployment_id": 1, "ref": "main", "environment": "production", "state": "success"}'::jsonb)$$, 'deploys with success only');

-- Repositories change.
CREATE FUNCTION pg_temp.change(action text, more jsonb)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT tap.deliver('repository', jsonb_build_object(
        'action', action, 'installation', '{"id": 957387}'::jsonb,
        'repository', '{"id": 186853002, "name": "Hello-World", "full_name": "Codertocat/Hello-World", "private": false, "default_branch": "master"}'::jsonb || more)::text)
        ->> 'outcome'
$function$;
SELECT is(tap.now_is(), 'Codertocat/Hello-World f master t 957387', 'the branch follows what GitHub says at first');
SELECT is(pg_temp.change('renamed', '{"name": "World", "full_name": "Codertocat/World"}'), 'handled', 'it is renamed');
SELECT is(tap.now_is(), 'Codertocat/World f master t 957387', 'here too');
SELECT is(pg_temp.change('privatized', '{"private": true}'), 'handled', 'it is made private');
SELECT is(tap.now_is(), 'Codertocat/Hello-World t master t 957387', 'here too');
SELECT is(pg_temp.change('edited', '{"default_branch": "trunk"}'), 'handled', 'its default branch is another');
SELECT is(tap.now_is(), 'Codertocat/Hello-World f trunk t 957387', 'here too');
CALL tap.act('admin', 'a');
UPDATE scm.repositories SET default_branch = 'stable' WHERE github_id = 186853002;
CALL tap.act(login => 'tap_service');
SELECT is(pg_temp.change('edited', '{"default_branch": "develop"}'), 'handled', 'where the organization has chosen its own');
SELECT is(tap.now_is(), 'Codertocat/Hello-World f stable t 957387', 'that stays');
SELECT is(pg_temp.change('archived', '{}'), 'ignored', 'what changes nothing here is ignored');
SELECT is(pg_temp.change('deleted', '{}'), 'handled', 'it is deleted');
SELECT is(tap.now_is(), 'Codertocat/Hello-World f stable f', 'and stays with its history, disabled');
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', '{"{repository,id}": 808, "{repository,name}": "new", "{repository,full_name}": "Codertocat/new"}')) #>> '{details,analysis_id}' IS NOT NULL,
    true, 'a repository that an installation names and nobody has comes in');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT r.org_id, r.full_name, r.default_branch, r.installation_id FROM scm.repositories AS r WHERE r.github_id = 808$$,
    $$VALUES (tap.id('a'), 'Codertocat/new', 'master', 1::bigint)$$, 'for the organization of the installation');

-- Committers choose the times of commits: many of one time are not compared each with each.
CREATE FUNCTION tap.rows_read()
RETURNS numeric
LANGUAGE sql
AS $function$
    SELECT sum(t.seq_tup_read + coalesce(t.idx_tup_fetch, 0))
    FROM pg_partition_tree('telemetry.code_events') AS p
    JOIN pg_stat_xact_user_tables AS t USING (relid)
$function$;
CREATE FUNCTION tap.crowd(message text)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT tap.deliver('push', tap.payload('push', jsonb_build_object('{commits}', (
        SELECT jsonb_agg(jsonb_build_object(
            'id', lpad(to_hex(n), 40, '0'), 'message', message, 'timestamp', '2026-01-01T00:00:00Z'))
        FROM generate_series(1, 300) AS n)))) #>> '{details,recorded}'
$function$;
CALL tap.act(login => 'tap_service');
SELECT is(tap.crowd('the first'), '300', 'many commits of one time are kept');
RESET SESSION AUTHORIZATION;
SELECT tap.rows_read() AS before \gset
CALL tap.act(login => 'tap_service');
SELECT is(tap.crowd('the second'), '300', 'more of that time, too');
RESET SESSION AUTHORIZATION;
SELECT cmp_ok(tap.rows_read() - :before, '<', 3000::numeric, 'which reads those that were there a few times at most');

-- The events of a delivery stay when the delivery is cleaned up, and go with the organization.
DELETE FROM integrations.inbound_deliveries;
SELECT isnt_empty('SELECT FROM tap.events()', 'events are for good');

SELECT tap.remove_key_file();
SELECT * FROM finish();
ROLLBACK;
