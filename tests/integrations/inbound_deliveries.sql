-- Deliveries that come in: whose signature is taken, what is kept of them, and that each is handled once.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../key_files.sql
\ir ../signed_deliveries.sql
DELETE FROM integrations.inbound_secrets;

CREATE FUNCTION tap.status(answer jsonb) RETURNS text LANGUAGE sql AS $$SELECT answer ->> 'status'$$;
CREATE FUNCTION tap.by_a(event text, body text)
RETURNS jsonb
LANGUAGE sql
AS $$SELECT tap.deliver(event, body, secret => 'the own secret of a, and of nobody else') - 'id'$$;
CREATE FUNCTION tap.trace() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$SELECT count(*) FROM integrations.inbound_deliveries$$;
SELECT tap.trace() AS before \gset

-- Who may.
CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT tap.deliver('ping', '{}')$$, '42501', NULL, 'a tenant delivers nothing');
SELECT throws_ok($$SELECT integrations.set_inbound_secret('github', tap.app_secret())$$, '42501', NULL, 'and sets no secret');
SELECT throws_ok($$SELECT * FROM integrations.inbound_secrets$$, '42501', NULL, 'nor reads one');
SELECT throws_ok($$SELECT integrations.read_delivery('github', 'ping', '', '')$$, '42501', NULL, 'nor asks whether one is good');
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok($$SELECT tap.deliver('ping', '{}')$$, '42501', NULL, 'nor does a collector');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok($$SELECT tap.deliver('ping', '{}')$$, '42501', NULL, 'nor an administrator');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok($$SELECT tap.deliver('ping', '{}')$$, 'VC014', NULL, 'the service does, in no context');
SELECT throws_ok($$SELECT integrations.set_inbound_secret('github', tap.app_secret())$$, 'VC014', NULL, 'so for secrets');
SELECT throws_ok($$SELECT integrations.retire_inbound_secret(tap.id('a'))$$, 'VC014', NULL, 'also for retiring one, which could be anybody''s');
SELECT throws_ok($$SELECT scm.claim_installation(1, tap.id('a'))$$, 'VC014', NULL, 'and claims');

-- Without a secret nothing is taken.
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver('installation', tap.payload('installation')),
    '{"status": "invalid_signature", "problem": "no secret is set that it could be verified with: integrations.set_inbound_secret(...) sets one"}',
    'without a secret nothing is believed');

-- Secrets.
SELECT throws_ok(
    format('SELECT integrations.set_inbound_secret(%s)', v.arguments), v.code, NULL, 'no secret: ' || v.arguments)
FROM (VALUES
    ($$'github', NULL$$, 'VC115'),
    ($$'github', ''$$, 'VC115'),
    ($$'github', 'fifteen bytes..'$$, 'VC115'),
    ($$'github', repeat('x', 1025)$$, 'VC115'),
    ($$'gitlab', tap.app_secret()$$, 'VC115'),
    ($$NULL, tap.app_secret()$$, 'VC115'),
    ($$'github', tap.app_secret(), tap.id('nobody')$$, 'VC015')
) AS v (arguments, code);
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.capture = on;
CALL tap.act(login => 'tap_admin');
SELECT integrations.set_inbound_secret('github', tap.app_secret()) AS first_secret \gset
SELECT results_eq(
    'SELECT secret_id, provider, org_id, created_at FROM integrations.list_inbound_secrets()',
    format('VALUES (%L::uuid, %L, NULL::uuid, now())', :'first_secret', 'github'), 'a secret is listed, and not shown');
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.capture = off;
SELECT matches((SELECT s.secret_encrypted FROM integrations.inbound_secrets AS s), '^cv1:', 'it is stored encrypted');
SELECT is(
    (SELECT count(*) FROM audits.audit_log AS a WHERE a.org_id IS NULL AND a.action = 'row.inserted' AND a.resource_id = :'first_secret'),
    1::bigint, 'the ledger tells of it');
SELECT is_empty(
    $$SELECT FROM audits.audit_log AS a, integrations.inbound_secrets AS s WHERE a.payload::text ~ 'cv1:' OR position(tap.app_secret() IN a.payload::text) > 0$$,
    'and not what it is');

-- What GitHub has signed is taken.
CALL tap.act(login => 'tap_service');
CREATE TEMP TABLE answer AS
SELECT tap.deliver('installation', tap.payload('installation'), 'guid 1') AS a;
SELECT is((SELECT a - 'id' FROM answer), '{"status": "accepted", "outcome": "unclaimed", "org_id": null, "details": {}}', 'a real payload is taken');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT d.id, d.event, d.action, d.status, d.org_id, d.installation_id, d.payload_hash, d.facts #>> '{repositories,0,full_name}' FROM integrations.inbound_deliveries AS d WHERE d.delivery_id = 'guid 1'$$,
    $$SELECT (a ->> 'id')::uuid, 'installation', 'created', 'unclaimed', NULL::uuid, 957387::bigint,
             encode(sha256(convert_to(tap.payload('installation'), 'UTF8')), 'hex'), 'Codertocat/Hello-World' FROM answer$$,
    'its row tells what it is');
SELECT is((SELECT d.verified_by FROM integrations.inbound_deliveries AS d WHERE d.delivery_id = 'guid 1'), :'first_secret', 'and who has signed it');
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.deliver('installation', tap.payload('installation'), 'guid 1'),
    (SELECT jsonb_build_object('status', 'duplicate', 'id', a -> 'id', 'outcome', 'unclaimed', 'same_body', true) FROM answer),
    'a second time it is a duplicate');
SELECT is(
    tap.deliver('installation', tap.payload('installation', '{"{action}": "deleted"}'), 'guid 1') - 'id',
    '{"status": "duplicate", "outcome": "unclaimed", "same_body": false}', 'with another body too, and says so');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT array_agg(d.action) FROM integrations.inbound_deliveries AS d WHERE d.delivery_id = 'guid 1'), '{created}', 'of which nothing is taken');
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.status(integrations.receive_delivery('github', 'vector', 'ping', '{}', upper(tap.signature('{}')))), 'invalid_signature', 'SHA256= is not sha256=');
SELECT is(
    tap.status(integrations.receive_delivery('github', 'vector', 'ping', '{}', 'sha256=' || upper(substr(tap.signature('{}'), 8)))), 'accepted',
    'digits may be upper case');

-- What is not signed leaves nothing.
SELECT tap.trace() AS before \gset
SELECT is(
    tap.status(integrations.receive_delivery(v.provider, 'x', 'ping', v.body, v.signature)), 'invalid_signature', 'not signed: ' || v.what)
FROM (VALUES
    ('nothing', 'github', '{}'::bytea, NULL),
    ('an empty one', 'github', '{}', ''),
    ('the digest alone', 'github', '{}', substr(tap.signature('{}'), 8)),
    ('another hash', 'github', '{}', replace(tap.signature('{}'), 'sha256', 'sha1')),
    ('a digit less', 'github', '{}', left(tap.signature('{}'), -1)),
    ('another secret', 'github', '{}', tap.signature('{}', tap.app_secret() || '.')),
    ('no secret', 'github', '{}', tap.signature('{}', '')),
    ('another body', 'github', '{ }', tap.signature('{}')),
    ('no body', 'github', NULL, tap.signature('{}')),
    ('another provider', 'gitlab', '{}', tap.signature('{}')),
    ('no provider', NULL, '{}', tap.signature('{}')),
    ('the ciphertext as secret', 'github', '{}', tap.signature('{}', 'cv1:')),
    ('what is no JSON', 'github', '{', tap.signature('{}'))
) AS v (what, provider, body, signature);
SELECT is(tap.trace(), :before::bigint, 'of all these there is no row');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT a.status, a.details - 'at' FROM auth.audit_logs AS a WHERE a.action = 'delivery.refused'$$,
    $$VALUES ('failure', '{"reason": "unknown", "token": "delivery", "count": 1}'::jsonb)$$, 'they are counted, and told once a minute');

-- What GitHub has signed and is no payload.
CALL tap.act(login => 'tap_service');
SELECT is(tap.status(tap.deliver(v.event, v.body, v.id)), 'malformed', format('malformed: %s %s', v.event, left(v.body, 40)))
FROM (VALUES
    ('push', '', 'x'),
    ('push', '{', 'x'),
    ('push', '[]', 'x'),
    ('push', 'null', 'x'),
    ('push', '{}', 'x'),
    ('star', '[]', 'x'),
    ('star', repeat('[', 65) || repeat(']', 65), 'x'),
    ('star', '{"a":' || repeat('[', 64) || repeat(']', 64) || '}', 'x'),
    ('star', '{"a": "' || repeat('x', 1000), 'x'),
    ('ping', '{}', ''),
    ('ping', '{}', repeat('x', 256)),
    ('ping', '{}', NULL),
    ('', '{}', 'x'),
    (repeat('x', 256), '{}', 'x'),
    (NULL, '{}', 'x')
) AS v (event, body, id);
SELECT is(
    integrations.receive_delivery('github', 'x', 'push', '\xff', 'sha256=' || encode(tap.hmac('\xff', convert_to(tap.app_secret(), 'UTF8')), 'hex')),
    '{"status": "malformed", "problem": "it is not UTF-8"}', 'another encoding is refused');
SELECT is(tap.trace(), :before::bigint, 'of these there is no row either, so a corrected one can come');
SELECT is(tap.deliver('star', '{"a": "\u0000", "action": "created"}', 'star') - 'id',
    '{"status": "accepted", "outcome": "ignored", "org_id": null, "details": {"reason": "nothing follows from this event"}}',
    'what nothing follows from is stored and ignored');
SELECT is(tap.deliver('ping', '{"zen": "Design for failure.", "hook_id": 7}') -> 'details', '{"hook_id": 7}', 'a ping is answered');

-- Rotation: both are good for a while.
SELECT integrations.set_inbound_secret('github', 'the secret that comes next') AS second_secret \gset
SELECT is(tap.status(tap.deliver('ping', '{}')), 'accepted', 'the first is good still');
SELECT is(tap.status(tap.deliver('ping', '{}', secret => 'the secret that comes next')), 'accepted', 'and the second already');
RESET SESSION AUTHORIZATION;
SELECT tap.write_key_file((SELECT codeverify.create_encryption_key()) || E'\n' || pg_read_file(tap.key_file()));
CALL tap.act(login => 'tap_admin');
SELECT is(codeverify.reencrypt(), 2::bigint, 'a new key takes the secrets over');
SELECT ok(integrations.retire_inbound_secret(:'first_secret'), 'the first is retired');
SELECT ok(NOT integrations.retire_inbound_secret(:'first_secret'), 'once');
CALL tap.act(login => 'tap_service');
SELECT is(tap.status(tap.deliver('ping', '{}')), 'invalid_signature', 'and good no more');
SELECT is(tap.status(tap.deliver('ping', '{}', secret => 'the secret that comes next')), 'accepted', 'the second is');
SELECT lives_ok(
    $$SELECT integrations.set_inbound_secret('github', tap.app_secret() || n) FROM generate_series(1, 3) AS n$$, 'four are good at a time');
SELECT throws_ok($$SELECT integrations.set_inbound_secret('github', tap.app_secret())$$, 'VC115', NULL, 'and no more');
SELECT lives_ok($$SELECT integrations.set_inbound_secret('github', 'the own secret of a, and of nobody else', tap.id('a'))$$, 'an organization has its own besides');

-- An organization's own webhooks tell of its own repositories.
SELECT is(
    tap.by_a('push', tap.payload('push', '{"{repository,id}": 9000000097}')) - 'details',
    jsonb_build_object('status', 'accepted', 'outcome', 'handled', 'org_id', tap.id('a')), 'its own secret is good for its repository');
SELECT is(
    tap.by_a('push', tap.payload('push', '{"{repository,id}": 9000000098}')) ->> 'status', 'invalid_signature', 'not for the other''s');
SELECT is(
    tap.by_a('push', tap.payload('push', '{"{repository,id}": 9000000098, "{installation}": {"id": 9000000097}}')) - 'status',
    jsonb_build_object('outcome', 'refused', 'org_id', tap.id('a'), 'details', '{"reason": "another organization has the repository"}'::jsonb),
    'whatever else it names');
SELECT is(
    tap.by_a('push', tap.payload('push', '{"{installation}": {"id": 9000000097}}')) #>> '{details,reason}', 'the organization does not have the repository',
    'it brings no repository in');
SELECT is(
    tap.by_a(v.event, v.body) - 'status',
    jsonb_build_object('outcome', 'refused', 'org_id', tap.id('a'), 'details', '{"reason": "only the App tells of installations"}'::jsonb),
    'nor does it change installations: ' || v.event)
FROM (VALUES
    ('installation', tap.payload('installation', '{"{installation,id}": 9000000097, "{action}": "deleted"}')),
    ('installation_repositories', '{"action": "added", "installation": {"id": 9000000097}, "repositories_added": [{"id": 1, "name": "n", "full_name": "f/n"}]}')
) AS v (event, body);
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM scm.installations), 2::bigint, 'the installations are there');
SELECT is((SELECT count(*) FROM scm.repositories), 2::bigint, 'and no other repository is');
CALL tap.act(login => 'tap_service');
SELECT is(
    tap.by_a('ping', '{"organization": {"id": 9000000001}}') ->> 'status', 'accepted', 'a ping to a webhook of the account is verified by its number');
SELECT is(tap.by_a('ping', '{"organization": {"id": 9000000002}}') ->> 'status', 'invalid_signature', 'not by that of the other');

-- Whoever has a secret says what identifiers it likes, and takes them from nobody else.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION tap.push(repository text, id text, message text, secret text DEFAULT 'the secret that comes next')
RETURNS jsonb
LANGUAGE sql
AS $$
    SELECT tap.deliver(
        'push',
        tap.payload('push', jsonb_build_object(
            '{repository,id}', 9000000096 + ascii(repository) - ascii('`'),
            '{commits}', jsonb_build_array(jsonb_build_object('id', repeat('d', 40), 'message', message)))),
        id, secret) - 'id'
$$;
CALL tap.act(login => 'tap_service');
SELECT is(tap.push('a', 'taken', 'of a', 'the own secret of a, and of nobody else') ->> 'outcome', 'handled', 'an identifier of its own choice');
SELECT is(
    tap.push('a', 'taken', 'of a', 'the own secret of a, and of nobody else') - 'outcome', '{"status": "duplicate", "same_body": true}',
    'is a duplicate for whoever had it');
SELECT is(
    tap.push('b', 'taken', 'of b') #- '{details}', jsonb_build_object('status', 'accepted', 'outcome', 'handled', 'org_id', tap.id('b')),
    'and not for another organization');
SELECT is(tap.push('b', 'taken', 'of b') ->> 'status', 'duplicate', 'which has it once, too');
SELECT is(
    tap.push('a', 'shared', 'as the App says', 'the own secret of a, and of nobody else') #>> '{details,recorded}', '1', 'an event of a webhook of its own');
SELECT is(
    tap.deliver(
        'push',
        tap.payload('push', jsonb_build_object(
            '{repository,id}', 9000000097,
            '{commits}', jsonb_build_array(jsonb_build_object('id', repeat('d', 40), 'message', 'as the webhook says')))),
        'shared', 'the secret that comes next') - '{id,org_id}'::text[],
    '{"status": "accepted", "outcome": "ignored", "details": {"reason": "the event came through another webhook before"}}',
    'which GitHub delivers to the App under the same identifier, happened once');

-- A secret that no key opens stops none that is good.
RESET SESSION AUTHORIZATION;
UPDATE integrations.inbound_secrets SET secret_encrypted = 'lost' WHERE org_id IS NULL AND id <> :'second_secret';
CALL tap.act(login => 'tap_service');
SELECT is(tap.status(tap.deliver('ping', '{}', secret => 'the secret that comes next')), 'accepted', 'the others are good');
SELECT is(tap.by_a('push', tap.payload('push', '{"{repository,id}": 9000000097}')) ->> 'outcome', 'handled', 'also those of organizations');
SELECT throws_ok($$SELECT tap.deliver('ping', '{}')$$, 'VC024', NULL, 'but whether it was the lost one nobody can say');

-- Without the key of the secrets nothing can be verified, which is no verdict.
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.encryption_key_file', '', true) \g /dev/null
CALL tap.act(login => 'tap_service');
SELECT throws_ok($$SELECT tap.deliver('ping', '{}')$$, 'VC024', NULL, 'without the key it is an error');

RESET SESSION AUTHORIZATION;
SELECT tap.remove_key_file();
SELECT * FROM finish();
ROLLBACK;
