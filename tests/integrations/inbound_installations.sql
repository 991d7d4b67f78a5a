-- Installations of the App: whose they are, which repositories they bring in, and that no payload puts anything into
-- another organization.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../key_files.sql
\ir ../signed_deliveries.sql
DELETE FROM integrations.inbound_secrets;

-- What an event about an installation says, with repositories by their numbers.
CREATE FUNCTION tap.repositories(numbers bigint[])
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', n, 'name', 'r' || n, 'full_name', 'Codertocat/r' || n, 'private', n % 2 = 0)), '[]')
    FROM unnest(numbers) AS n
$function$;
CREATE FUNCTION tap.installation(action text, installation bigint, changes jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT tap.deliver(
        'installation',
        tap.payload('installation', jsonb_build_object('{action}', action, '{installation,id}', installation) || changes))
$function$;
CREATE FUNCTION tap.lists(installation bigint, added bigint[], removed bigint[] DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT tap.deliver('installation_repositories', jsonb_build_object(
        'action', CASE WHEN added = '{}' THEN 'removed' ELSE 'added' END,
        'installation', jsonb_build_object('id', installation),
        'repositories_added', tap.repositories(added),
        'repositories_removed', tap.repositories(removed))::text)
$function$;
CREATE FUNCTION tap.outcomes()
RETURNS TABLE (event text, status text, org_id uuid, details jsonb, has_facts boolean)
LANGUAGE sql
SECURITY DEFINER
AS $function$
    SELECT d.event, d.status, d.org_id, d.details, d.facts IS NOT NULL
    FROM integrations.inbound_deliveries AS d
    WHERE d.installation_id = 957387
    ORDER BY d.created_at
$function$;

CALL tap.act(login => 'tap_service');
SELECT integrations.set_inbound_secret('github', tap.app_secret()) \g /dev/null

-- Nobody has claimed it: nothing is anybody's.
SELECT tap.installation('created', 957387) \g /dev/null
SELECT tap.deliver('pull_request', tap.payload('pull_request', '{"{installation,id}": 957387}')) \g /dev/null
SELECT tap.deliver('push', tap.payload('push', '{"{installation}": {"id": 957387}, "{repository,id}": 9000000098}')) \g /dev/null
SELECT tap.deliver('star', '{"action": "created", "installation": {"id": 957387}}') \g /dev/null
SELECT results_eq(
    'SELECT * FROM tap.outcomes()',
    $$VALUES ('installation', 'unclaimed', NULL::uuid, '{}'::jsonb, true),
             ('pull_request', 'unclaimed', NULL, '{}', true),
             ('push', 'unclaimed', NULL, '{}', true),
             ('star', 'ignored', NULL, '{"reason": "nothing follows from this event"}', false)$$,
    'deliveries of an installation that nobody has claimed wait');
RESET SESSION AUTHORIZATION;
SELECT is_empty($$SELECT FROM scm.installations AS i WHERE i.github_installation_id = 957387$$, 'the account''s name gives it to nobody');
SELECT is_empty($$SELECT FROM scm.repositories AS r WHERE r.github_id = 186853002$$, 'nor the repository');
CALL tap.act('owner', 'a');
SELECT is_empty($$SELECT FROM integrations.inbound_deliveries AS d WHERE d.installation_id = 957387$$, 'and no tenant sees them');

-- The claim.
SELECT throws_ok($$SELECT scm.claim_installation(957387, tap.id('a'))$$, '42501', NULL, 'a tenant claims nothing');
CALL tap.act(login => 'tap_service');
SELECT throws_ok($$SELECT scm.claim_installation(957387, tap.id('nobody'))$$, 'VC015', NULL, 'for nobody neither');
SELECT throws_ok($$SELECT scm.claim_installation(957387, NULL)$$, 'VC015', NULL, 'nor for none');
SELECT throws_ok($$SELECT scm.claim_installation(0, tap.id('a'))$$, '23514', NULL, 'numbers are from 1');
SELECT throws_ok($$SELECT scm.claim_installation(9000000098, tap.id('a'))$$, 'VC116', NULL, 'what another organization has is taken');
SELECT scm.claim_installation(957387, tap.id('a')) AS claimed \gset
SELECT is(scm.claim_installation(957387, tap.id('a')), :'claimed'::uuid, 'a second claim finds the first');
SELECT throws_ok($$SELECT scm.claim_installation(957387, tap.id('b'))$$, 'VC116', NULL, 'of the same organization only');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    format('SELECT i.org_id, i.account_type, i.permissions ->> %L, i.suspended_at FROM scm.installations AS i WHERE i.id = %L', 'metadata', :'claimed'),
    $$VALUES (tap.id('a'), 'User', 'read', NULL::timestamptz)$$, 'the installation is as GitHub says');
SELECT results_eq(
    $$SELECT r.org_id, r.full_name, r.private, r.installation_id, r.default_branch FROM scm.repositories AS r WHERE r.github_id = 186853002$$,
    $$VALUES (tap.id('a'), 'Codertocat/Hello-World', false, 957387::bigint, 'master')$$, 'its repository comes in');
SELECT results_eq(
    $$SELECT status, org_id, details - 'analysis_id' - 'head_sha', has_facts FROM tap.outcomes()$$,
    $$VALUES ('handled', tap.id('a'), '{"repositories": 1}'::jsonb, false),
             ('handled', tap.id('a'), '{"number": 2, "recorded": 1}', false),
             ('refused', tap.id('a'), '{"reason": "another organization has the repository"}', false),
             ('ignored', NULL, '{"reason": "nothing follows from this event"}', false)$$,
    'what waited is handled in its order, but for what is another''s');
SELECT is((SELECT count(*) FROM analysis.analyses AS a WHERE a.status = 'pending' AND a.org_id = tap.id('a')), 1::bigint, 'and an analysis is asked for');

-- Attacks: deliveries of one organization's installation that name what another has, signed by GitHub itself.
CREATE FUNCTION tap.of_b()
RETURNS text
LANGUAGE sql
AS $function$
    SELECT concat(
        (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM scm.repositories AS r WHERE r.org_id = tap.id('b')),
        (SELECT jsonb_agg(to_jsonb(i) ORDER BY i.id) FROM scm.installations AS i WHERE i.org_id = tap.id('b')),
        (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.id) FROM telemetry.code_events AS e WHERE e.org_id = tap.id('b')),
        (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.id) FROM analysis.analyses AS a WHERE a.org_id = tap.id('b')),
        (SELECT jsonb_agg(to_jsonb(d) ORDER BY d.id) FROM integrations.inbound_deliveries AS d WHERE d.org_id = tap.id('b')))
$function$;
SELECT tap.of_b() AS before \gset
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver(v.event, v.body) - 'id',
    jsonb_build_object(
        'status', 'accepted', 'outcome', 'refused', 'org_id', tap.id('a'),
        'details', '{"reason": "another organization has the repository"}'::jsonb),
    'of installation of a, repository of b: ' || v.event)
FROM (VALUES
    ('push', tap.payload('push', '{"{installation}": {"id": 9000000097}, "{repository,id}": 9000000098}')),
    ('pull_request', tap.payload('pull_request', '{"{installation,id}": 9000000097, "{repository,id}": 9000000098}')),
    ('workflow_run', tap.payload('workflow_run', '{"{installation}": {"id": 9000000097}, "{repository,id}": 9000000098}')),
    ('repository', '{"action": "deleted", "installation": {"id": 9000000097}, "repository": {"id": 9000000098, "name": "x", "full_name": "x/x"}}')
) AS v (event, body);
SELECT is(
    tap.lists(9000000097, ARRAY[9000000098, 501]) -> 'details', '{"repositories": 2, "refused": [9000000098], "removed": 0}', 'nor is it added');
SELECT is(tap.lists(9000000097, '{}', ARRAY[9000000098]) #>> '{details,removed}', '0', 'or removed');
SELECT is(
    tap.installation('created', 9000000097, jsonb_build_object('{repositories}', tap.repositories(ARRAY[9000000098]))) #> '{details,refused}',
    '[9000000098]', 'with an installation neither');
RESET SESSION AUTHORIZATION;
SELECT is(tap.of_b(), :'before', 'the other organization has what it had');
CALL tap.act(login => 'tap_service');

-- Suspended and back, other permissions, repositories added and removed.
SELECT is(
    tap.installation('suspend', 957387, '{"{installation,suspended_at}": "2026-01-02T03:04:05Z"}') ->> 'outcome', 'handled', 'an installation is suspended');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT i.suspended_at FROM scm.installations AS i WHERE i.id = :'claimed'), '2026-01-02 03:04:05+00', 'since then');
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver('pull_request', tap.payload('pull_request', jsonb_build_object(
        '{action}', 'synchronize', '{installation,id}', 957387, '{pull_request,head,sha}', repeat('e', 40)))) #> '{details,analysis_id}',
    NULL, 'no analysis is asked for meanwhile');
SELECT tap.installation('new_permissions_accepted', 957387, '{"{installation,permissions}": {"checks": "write"}}') \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    format('SELECT i.permissions, i.suspended_at IS NULL FROM scm.installations AS i WHERE i.id = %L', :'claimed'),
    $$VALUES ('{"checks": "write"}'::jsonb, false)$$, 'other permissions do not end it');
CALL tap.act(login => 'tap_service');
SELECT tap.installation('unsuspend', 957387) \g /dev/null
SELECT is(
    tap.lists(957387, ARRAY[502, 503, 503, 186853002]) -> 'details', '{"repositories": 4, "removed": 0}', 'repositories are added');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT i.suspended_at FROM scm.installations AS i WHERE i.id = :'claimed'), NULL, 'it works again');
SELECT results_eq(
    $$SELECT r.github_id, r.full_name, r.private FROM scm.repositories AS r WHERE r.installation_id = 957387 ORDER BY r.github_id$$,
    $$VALUES (502::bigint, 'Codertocat/r502', true), (503, 'Codertocat/r503', false), (186853002, 'Codertocat/r186853002', true)$$,
    'those that are new, and those that are known as they are now');
CALL tap.act(login => 'tap_service');
SELECT is(tap.lists(957387, '{}', ARRAY[502, 9999]) -> 'details', '{"repositories": 0, "removed": 1}', 'one is removed');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT r.installation_id, r.enabled FROM scm.repositories AS r WHERE r.github_id = 502$$,
    $$VALUES (NULL::bigint, true)$$, 'and stays, of no installation');

-- Changes that GitHub reports are recorded as others are; what says nothing new changes nothing.
SET LOCAL codeverify.capture = on;
CALL tap.act(login => 'tap_service');
SELECT tap.lists(957387, ARRAY[503, 504]) \g /dev/null
SELECT tap.installation('unsuspend', 957387) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT a.org_id, a.actor_id, a.action, count(*)
      FROM audits.audit_log AS a
      WHERE a.entity IN ('scm.repositories', 'scm.installations') GROUP BY 1, 2, 3 ORDER BY 3$$,
    $$VALUES (tap.id('a'), NULL::uuid, 'row.inserted', 1::bigint)$$,
    'the ledger has the new repository, by nobody, and nothing else');
SET LOCAL codeverify.capture = off;

-- Deleted.
CALL tap.act(login => 'tap_service');
SELECT is(tap.installation('deleted', 957387) ->> 'outcome', 'handled', 'the App is uninstalled');
RESET SESSION AUTHORIZATION;
SELECT is_empty(format('SELECT FROM scm.installations AS i WHERE i.id = %L', :'claimed'), 'the installation is gone');
SELECT is((SELECT count(*) FROM scm.repositories AS r WHERE r.installation_id = 957387), 0::bigint, 'its repositories have none');
SELECT ok(EXISTS (SELECT FROM scm.repositories AS r WHERE r.github_id = 186853002), 'and are there with their history');
CALL tap.act(login => 'tap_service');
SELECT is(tap.lists(957387, ARRAY[505]) ->> 'outcome', 'unclaimed', 'what comes late waits for a claim');
SELECT is(tap.installation('deleted', 957387) -> 'details', '{"reason": "the installation was deleted before anybody claimed it"}', 'that cannot come');
SELECT is_empty($$SELECT FROM tap.outcomes() WHERE status = 'unclaimed' OR has_facts$$, 'so nothing waits');

-- One that was made by hand brings in what waited with its next delivery.
SELECT is(tap.lists(777, ARRAY[701]) ->> 'outcome', 'unclaimed', 'another installation');
RESET SESSION AUTHORIZATION;
INSERT INTO scm.installations (github_installation_id, org_id, account_type) VALUES (777, tap.id('b'), 'Organization');
CALL tap.act(login => 'tap_service');
SELECT is(tap.lists(777, ARRAY[702]) ->> 'outcome', 'handled', 'that the service has registered itself');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT r.github_id FROM scm.repositories AS r WHERE r.org_id = tap.id('b') AND r.installation_id = 777 ORDER BY 1$$, ARRAY[701, 702]::bigint[],
    'catches up');

-- Whoever installs the App and claims nothing does not fill the disk.
INSERT INTO integrations.inbound_deliveries (provider, delivery_id, event, payload_hash, status, installation_id, facts)
SELECT 'github', 'waits ' || n, 'installation_repositories', repeat('a', 64), 'unclaimed', 888, '{"added": [], "removed": []}' FROM generate_series(1, 499) AS n;
CALL tap.act(login => 'tap_service');
SELECT is(tap.lists(888, ARRAY[801]) ->> 'outcome', 'unclaimed', 'five hundred deliveries wait for a claim');
SELECT is(
    tap.lists(888, ARRAY[802]) -> 'details', '{"reason": "too many deliveries of the installation wait for its claim"}', 'and no more');
SELECT scm.claim_installation(888, tap.id('a')) \g /dev/null
SELECT is(tap.lists(888, ARRAY[803]) ->> 'outcome', 'handled', 'after the claim all are handled');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT r.github_id FROM scm.repositories AS r WHERE r.installation_id = 888 ORDER BY 1$$, ARRAY[801, 803]::bigint[],
    'but for those that were too many');

SELECT tap.remove_key_file();
SELECT * FROM finish();
ROLLBACK;
