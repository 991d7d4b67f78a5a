-- A key is worth no more than whoever answers for it: the user who made it, and the key that made it.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

CREATE TABLE tap.keys (name text PRIMARY KEY, api_key_id uuid, api_key text);
GRANT ALL ON tap.keys TO PUBLIC;
CREATE FUNCTION tap.key(key_name text)
RETURNS text
LANGUAGE sql
STABLE
AS $function$
    SELECT k.api_key FROM tap.keys AS k WHERE k.name = key_name
$function$;
CREATE FUNCTION tap.key_id(key_name text)
RETURNS uuid
LANGUAGE sql
STABLE
AS $function$
    SELECT k.api_key_id FROM tap.keys AS k WHERE k.name = key_name
$function$;
-- A transaction takes one identity. Rolled back to a savepoint the settings are as before, but the identity is
-- remembered; so what a key may do is asked in tap.act()'s way, and only one key authenticates for good.
CREATE PROCEDURE tap.act_as_key(key_name text, role text)
LANGUAGE plpgsql
AS $procedure$
BEGIN
    CALL tap.act(role, 'a');
    RESET SESSION AUTHORIZATION;
    PERFORM set_config('codeverify.user_id', '', true), set_config('codeverify.api_key_id', tap.key_id(key_name)::text, true);
    SET LOCAL SESSION AUTHORIZATION tap_tenant;
END
$procedure$;
CREATE PROCEDURE tap.act_as_nobody()
LANGUAGE plpgsql
AS $procedure$
BEGIN
    CALL tap.act();
    RESET SESSION AUTHORIZATION;
    PERFORM set_config('codeverify.api_key_id', '', true);
    SET LOCAL SESSION AUTHORIZATION tap_tenant;
END
$procedure$;
CREATE FUNCTION tap.status(key_name text, scope text DEFAULT NULL)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT auth.authenticate_api_key(tap.key(key_name), scope) ->> 'status'
$function$;

-- Keys of the service, of an administrator, of one who will go, and in the other organization.
CALL tap.act(login => 'tap_service');
INSERT INTO tap.keys SELECT 'of the service', * FROM auth.create_api_key(tap.id('a'), 'of the service', '["admin"]');
INSERT INTO tap.keys SELECT 'of b', * FROM auth.create_api_key(tap.id('b'), 'of b', '["admin"]');
CALL tap.act('owner', 'a');
INSERT INTO tap.keys SELECT 'of the owner', * FROM auth.create_api_key(tap.id('a'), 'of the owner', '["admin"]');
CALL tap.act('admin', 'a');
INSERT INTO tap.keys
SELECT 'parent', * FROM auth.create_api_key(tap.id('a'), 'parent', '["admin", "scan"]', now() + interval '1 hour');
INSERT INTO tap.keys SELECT 'reader', * FROM auth.create_api_key(tap.id('a'), 'reader', '["read"]');

-- What a key makes.
CALL tap.act_as_key('parent', 'admin');
INSERT INTO tap.keys SELECT 'child', * FROM auth.create_api_key(tap.id('a'), 'child', '["write", "scan"]');
SELECT results_eq(
    $$SELECT created_by, parent_id, expires_at FROM auth.api_keys WHERE name = 'child'$$,
    $$VALUES (tap.id('admin of a'), tap.key_id('parent'), now() + interval '1 hour')$$,
    'a key that a key has made answers to that key and to its owner, and ends no later');
INSERT INTO tap.keys
SELECT 'brief', * FROM auth.create_api_key(tap.id('a'), 'brief', '["admin"]', now() + interval '30 minutes');
SELECT results_eq(
    $$SELECT expires_at FROM auth.api_keys WHERE name = 'brief'$$, $$VALUES (now() + interval '30 minutes')$$, 'or earlier, when that is asked for');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('a'), 'k', '["read"]', now() + interval '2 hours')$$, 'VC020',
    'invalid API key request: expires_at is after the end of the key in context', 'a later end is refused');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('a'), 'k', '["read", "billing"]')$$, 'VC020',
    'invalid API key request: the key in context has no scope "billing" to give', 'so is a scope that the key does not have');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('b'), 'k')$$, 'VC015', NULL, 'and another organization');
CALL tap.act_as_key('parent', 'developer');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('a'), 'k')$$, 'VC014', NULL, 'a key that does not manage makes none');
SELECT throws_ok(
    $$SELECT auth.rotate_api_key(tap.key_id('child'))$$, 'VC014', NULL, 'nor rotates any');
SELECT throws_ok(
    $$SELECT auth.revoke_api_key(tap.key_id('child'))$$, 'VC014', NULL, 'nor revokes any');
CALL tap.act_as_key('brief', 'admin');
INSERT INTO tap.keys SELECT 'grandchild', * FROM auth.create_api_key(tap.id('a'), 'grandchild', '["read"]');
SELECT results_eq(
    $$SELECT parent_id, expires_at FROM auth.api_keys WHERE name = 'grandchild'$$,
    $$VALUES (tap.key_id('brief'), now() + interval '30 minutes')$$, 'a grandchild has the end of its parent');

-- The line ends somewhere.
DO $do$
DECLARE
    previous text := 'brief';
BEGIN
    FOR n IN 3..8 LOOP
        CALL tap.act_as_key(previous, 'admin');
        INSERT INTO tap.keys SELECT 'generation ' || n, * FROM auth.create_api_key(tap.id('a'), 'generation ' || n, '["admin"]');
        previous := 'generation ' || n;
    END LOOP;
END
$do$;
CALL tap.act_as_key('generation 8', 'admin');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('a'), 'generation 9', '["admin"]')$$, 'VC020', NULL, 'a key of the eighth generation makes none');

-- Rotation: a key of its own line.
CALL tap.act_as_key('parent', 'admin');
SELECT throws_ok(
    $$SELECT auth.rotate_api_key(tap.key_id('of the owner'))$$, 'VC020', NULL, 'a key takes over no key that outlives it');
SELECT throws_ok(
    $$SELECT auth.rotate_api_key(tap.key_id('of the service'))$$, 'VC020', NULL, 'not even a service''s');
SELECT is(
    auth.rotate_api_key(tap.key_id('of b')), '{"status": "not_found", "api_key_id": null, "api_key": null, "previous_expires_at": null}',
    'nor one of another organization, which is not there');
CREATE TEMP TABLE rotation AS SELECT auth.rotate_api_key(tap.key_id('child')) AS answer;
SELECT results_eq(
    $$SELECT answer ->> 'status', (answer ->> 'api_key_id')::uuid, answer -> 'previous_expires_at' FROM rotation$$,
    $$VALUES ('ok', tap.key_id('child'), 'null'::jsonb)$$, 'one that it has made is given a new text');
SELECT matches((SELECT answer ->> 'api_key' FROM rotation), '^cv_live_[0-9A-Za-z]{36}$', 'of the same form');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT k.key_hash = encode(sha256((r.answer ->> 'api_key')::bytea), 'hex'), k.key_prefix = left(r.answer ->> 'api_key', 10),
               k.previous_key_hash, k.rotated_at >= now(), k.created_by, k.parent_id
        FROM auth.api_keys AS k, rotation AS r
        WHERE k.id = tap.key_id('child')
    $$,
    $$VALUES (true, true, NULL::text, true, tap.id('admin of a'), tap.key_id('parent'))$$, 'and is the same key otherwise');
CALL tap.act_as_nobody();
SELECT is(tap.status('child'), 'invalid', 'the old text is none any more');

-- By a user, who answers for it from then on.
CALL tap.act('admin', 'a');
SELECT is(auth.rotate_api_key(tap.key_id('of the owner'), interval '1 hour') ->> 'status', 'ok', 'an administrator rotates another''s key');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT created_by, previous_expires_at BETWEEN clock_timestamp() + interval '59 minutes' AND clock_timestamp() + interval '1 hour' FROM auth.api_keys WHERE name = 'of the owner'$$,
    $$VALUES (tap.id('admin of a'), true)$$, 'and answers for it from then on; the old text goes on for a while');
SELECT results_eq(
    $$SELECT key_hash <> previous_key_hash, previous_key_hash = encode(sha256(tap.key('of the owner')::bytea), 'hex') FROM auth.api_keys WHERE name = 'of the owner'$$,
    $$VALUES (true, true)$$, 'both are stored as hashes');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    format('SELECT auth.rotate_api_key(tap.key_id(''reader''), %L)', g.grace), 'VC020', NULL, format('a grace cannot be %s', g.grace))
FROM unnest(ARRAY['-1 second', '31 days', '1000000 years']::interval[]) AS g (grace);
SELECT is(auth.rotate_api_key(NULL) ->> 'status', 'not_found', 'no key is not found');
SELECT is(auth.rotate_api_key(tap.id('no key')) ->> 'status', 'not_found', 'nor is one that does not exist');
SELECT is(auth.revoke_api_key(NULL), false, 'nor is there anything to revoke');
SELECT is(auth.revoke_api_key(tap.key_id('of b')), false, 'or in another organization');
CALL tap.act('developer', 'a');
SELECT throws_ok($$SELECT auth.rotate_api_key(tap.key_id('reader'))$$, 'VC014', NULL, 'a developer rotates no key');
SELECT throws_ok($$SELECT auth.revoke_api_key(tap.key_id('reader'))$$, 'VC014', NULL, 'nor revokes one');
CALL tap.act_as_nobody();
SELECT throws_ok($$SELECT auth.rotate_api_key(tap.key_id('reader'))$$, 'VC011', NULL, 'without a context nobody rotates');
SELECT throws_ok($$SELECT auth.revoke_api_key(tap.key_id('reader'))$$, 'VC011', NULL, 'nor revokes');

-- The lists.
CALL tap.act('viewer', 'a');
SELECT results_eq(
    $$SELECT name, status FROM auth.list_api_keys() WHERE name IN ('parent', 'child', 'of the service') ORDER BY name$$,
    $$VALUES ('child', 'active'), ('of the service', 'active'), ('parent', 'active')$$, 'members see the keys of their organization');
SELECT is((SELECT count(*) FROM auth.list_api_keys() WHERE name = 'of b'), 0::bigint, 'and of no other');
CALL tap.act_as_nobody();
SELECT is((SELECT count(*) FROM auth.list_api_keys()), 0::bigint, 'nobody sees any');

-- A role that was lowered takes effect at the next call.
RESET SESSION AUTHORIZATION;
UPDATE tenancy.org_memberships SET role = 'viewer' WHERE user_id = tap.id('admin of a');
CALL tap.act_as_nobody();
SELECT is(tap.status('parent', 'admin'), 'insufficient_scope', 'the key of a viewer manages nothing');
SELECT is(tap.status('parent', 'write'), 'insufficient_scope', 'and writes nothing');
SELECT is(tap.status('of the owner', 'admin'), 'insufficient_scope', 'nor does one that the viewer has taken over, by its old text');
RESET SESSION AUTHORIZATION;
UPDATE tenancy.org_memberships SET role = 'admin' WHERE user_id = tap.id('admin of a');

-- Revoked: with all that descends from it.
CALL tap.act('owner', 'a');
SELECT ok(auth.revoke_api_key(tap.key_id('brief')), 'a key is revoked');
SELECT ok(NOT auth.revoke_api_key(tap.key_id('brief')), 'once');
SELECT results_eq(
    $$SELECT name, status FROM auth.list_api_keys() WHERE name IN ('brief', 'grandchild', 'generation 3', 'generation 8', 'parent') ORDER BY name$$,
    $$VALUES ('brief', 'revoked'), ('generation 3', 'revoked'), ('generation 8', 'revoked'), ('grandchild', 'revoked'), ('parent', 'active')$$,
    'and everything that it has made, at any remove; not what has made it');
SELECT is(auth.rotate_api_key(tap.key_id('brief')) ->> 'status', 'revoked', 'it is rotated no more');
CALL tap.act_as_nobody();
SELECT is(tap.status('brief'), 'revoked', 'it is told that it was revoked');
SELECT is(tap.status('grandchild'), 'revoked', 'so is what it has made');
-- As if made in the instant before, by a transaction that committed after.
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET revoked_at = NULL WHERE name = 'grandchild';
CALL tap.act_as_nobody();
SELECT is(tap.status('grandchild'), 'revoked', 'even one that the revocation has not seen');
CALL tap.act_as_key('brief', 'admin');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('a'), 'late')$$, 'VC020', NULL, 'a key that was revoked meanwhile makes no more');
CALL tap.act_as_nobody();
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour' WHERE name = 'parent';
CALL tap.act('owner', 'a');
SELECT is(auth.rotate_api_key(tap.key_id('parent')) ->> 'status', 'expired', 'an expired key is not rotated either');
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET expires_at = NULL WHERE name = 'parent';
UPDATE auth.api_keys SET previous_expires_at = now() - interval '1 second' WHERE name = 'of the owner';
CALL tap.act_as_nobody();
SELECT is(tap.status('of the owner'), 'expired', 'an old text has its end');

-- A member who leaves.
CALL tap.act('owner', 'a');
SELECT ok(tenancy.remove_member(tap.id('a'), tap.id('admin of a')), 'the administrator is removed');
SELECT results_eq(
    $$SELECT name, status FROM auth.list_api_keys() WHERE name IN ('parent', 'child', 'reader', 'of the owner', 'of the service') ORDER BY name$$,
    $$VALUES ('child', 'revoked'), ('of the owner', 'revoked'), ('of the service', 'active'), ('parent', 'revoked'), ('reader', 'revoked')$$,
    'and all keys that they answered for are revoked');
RESET SESSION AUTHORIZATION;
INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (tap.id('a'), tap.id('admin of a'), 'admin');
CALL tap.act_as_nobody();
SELECT is(tap.status('reader'), 'revoked', 'they do not come back with the member');

-- As if its revocation had not seen it, for its snapshot.
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET revoked_at = NULL WHERE name IN ('reader', 'of the owner');
CALL tap.act_as_nobody();
SELECT is(tap.status('reader'), 'revoked', 'not even one that was missed');
CALL tap.act('owner', 'a');
SELECT results_eq(
    $$SELECT name, status FROM auth.list_api_keys() WHERE name IN ('of the owner', 'reader') ORDER BY name$$,
    $$VALUES ('of the owner', 'orphaned'), ('reader', 'orphaned')$$, 'which is shown as orphaned');
SELECT is(auth.rotate_api_key(tap.key_id('reader')) ->> 'status', 'revoked', 'and not rotated');
CALL tap.act('admin', 'a');
INSERT INTO tap.keys SELECT 'after', * FROM auth.create_api_key(tap.id('a'), 'after');
SELECT is((SELECT status FROM auth.list_api_keys() WHERE name = 'after'), 'active', 'the member makes others');

-- A key whose owner is no member is not accepted, revoked or not.
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET revoked_at = NULL, created_by = tap.id('stranger of a') WHERE name = 'reader';
CALL tap.act_as_nobody();
SELECT is(tap.status('reader'), 'revoked', 'a key of somebody who is no member is refused');
CALL tap.act('owner', 'a');
SELECT is((SELECT status FROM auth.list_api_keys() WHERE name = 'reader'), 'orphaned', 'and shown as orphaned');

-- A user who is deleted: no key of theirs becomes nobody's, which would be the service's.
CALL tap.act('admin', 'a');
INSERT INTO tap.keys SELECT 'last', * FROM auth.create_api_key(tap.id('a'), 'last', '["admin"]');
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET created_by = tap.id('stranger of a'), revoked_at = NULL WHERE name = 'reader';
SELECT lives_ok($$DELETE FROM auth.users WHERE id IN (tap.id('admin of a'), tap.id('stranger of a'))$$, 'users are deleted');
SELECT results_eq(
    $$SELECT name, created_by, revoked_at FROM auth.api_keys WHERE name IN ('last', 'reader') ORDER BY name$$,
    $$VALUES ('last', NULL::uuid, now()), ('reader', NULL, now())$$, 'and their keys revoked, members or not');
CALL tap.act_as_nobody();
SELECT is(tap.status('last'), 'revoked', 'the key is refused');

-- What the ledger was told.
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$SELECT FROM audits.audit_log WHERE org_id = tap.id('b') AND action IN ('api_key.revoked', 'api_key.rotated')$$,
    'nothing happened in the other organization');
SELECT is_empty(
    $$
        SELECT FROM unnest(ARRAY['api_key.created', 'api_key.rotated', 'api_key.revoked']) AS a (action)
        WHERE NOT EXISTS (SELECT FROM audits.audit_log AS l WHERE l.org_id = tap.id('a') AND l.entity = 'auth' AND l.action = a.action)
    $$,
    'that keys were made, rotated and revoked');
SELECT is_empty(
    $$
        SELECT l.payload
        FROM audits.audit_log AS l, tap.keys AS k
        WHERE strpos(l.payload::text, substr(k.api_key, 11)) > 0
           OR strpos(l.payload::text, encode(sha256(k.api_key::bytea), 'hex')) > 0
    $$,
    'without a key or its hash');

-- One that authenticates: the context says which key acts, and another key is another identity.
CALL tap.act_as_nobody();
SELECT is(tap.status('of the service', 'admin'), 'ok', 'the service''s key goes on');
SELECT is(tenancy.current_api_key_id(), tap.key_id('of the service'), 'and is in context');
SELECT throws_ok(
    $$SELECT tap.status('of b')$$, 'VC010', NULL, 'another key is another identity');
RESET SESSION AUTHORIZATION;
INSERT INTO tap.keys SELECT 'twin', * FROM auth.create_api_key(tap.id('a'), 'twin', '["admin"]');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT throws_ok($$SELECT tap.status('twin')$$, 'VC010', NULL, 'also one of the same organization with the same scopes');

SELECT * FROM finish();
ROLLBACK;
