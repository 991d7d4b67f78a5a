-- API keys: made once, stored as a hash, and a context for whoever shows one.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

-- Making keys. An administrator of the organization:
CREATE TABLE tap.keys (name text PRIMARY KEY, api_key_id uuid, api_key text);
GRANT ALL ON tap.keys TO PUBLIC;
CALL tap.act('admin', 'a');
INSERT INTO tenancy.services (id, name) VALUES (tap.id('service of a'), 'api');
SELECT lives_ok(
    $$INSERT INTO tap.keys SELECT 'plain', * FROM auth.create_api_key(tap.id('a'), 'plain')$$,
    'a name is enough for a key');
INSERT INTO tap.keys SELECT 'write', * FROM auth.create_api_key(tap.id('a'), 'write', '["read", "write"]');
INSERT INTO tap.keys SELECT 'admin', * FROM auth.create_api_key(tap.id('a'), 'admin', '["admin"]');
INSERT INTO tap.keys SELECT 'other', * FROM auth.create_api_key(tap.id('a'), 'other', '["read", "logs:ingest", "owner"]');
INSERT INTO tap.keys
SELECT 'full', * FROM auth.create_api_key(tap.id('a'), 'full', '["read"]', now() + interval '1 hour', tap.id('service of a'));

SELECT matches(api_key, '^cv_live_[0-9A-Za-z]{36}$', 'key "' || name || '" has the documented form') FROM tap.keys ORDER BY name;
SELECT is((SELECT count(DISTINCT api_key) FROM tap.keys), 5::bigint, 'no two keys are alike');
SELECT results_eq(
    $$SELECT name, org_id, scopes, expires_at, last_used_at, created_by, service_id FROM auth.api_keys ORDER BY name$$,
    $$
        VALUES ('admin', tap.id('a'), '["admin"]'::jsonb, NULL::timestamptz, NULL::timestamptz, tap.id('admin of a'), NULL::uuid),
               ('full',  tap.id('a'), '["read"]', now() + interval '1 hour', NULL, tap.id('admin of a'), tap.id('service of a')),
               ('other', tap.id('a'), '["read", "logs:ingest", "owner"]', NULL, NULL, tap.id('admin of a'), NULL),
               ('plain', tap.id('a'), '["read"]', NULL, NULL, tap.id('admin of a'), NULL),
               ('write', tap.id('a'), '["read", "write"]', NULL, NULL, tap.id('admin of a'), NULL)
    $$,
    'its row has what was asked for');

RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT k.name
        FROM tap.keys AS t
        JOIN auth.api_keys AS k ON k.id = t.api_key_id
        WHERE k.key_hash <> encode(sha256(t.api_key::bytea), 'hex')
           OR k.key_prefix <> left(t.api_key, 10)
           OR to_jsonb(k)::text LIKE '%' || substr(t.api_key, 11) || '%'
    $$,
    'of the key itself only a hash and the first ten characters are stored');

-- Who may not, and what may not be.
CALL tap.act('developer', 'a');
SELECT throws_ok($$SELECT * FROM auth.create_api_key(tap.id('a'), 'k')$$, 'VC014', NULL, 'a developer makes none');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('b'), 'k')$$, 'VC015', NULL, 'an owner makes none for another organization');
SELECT throws_ok($$SELECT * FROM auth.create_api_key(NULL, 'k')$$, 'VC011', NULL, 'nor for none');
SELECT throws_ok($$SELECT * FROM auth.create_api_key(tap.id('a'), NULL)$$, 'VC020', NULL, 'nor without a name');
SELECT throws_ok($$SELECT * FROM auth.create_api_key(tap.id('a'), '')$$, 'VC020', NULL, 'nor with an empty one');
SELECT throws_ok(
    format('SELECT * FROM auth.create_api_key(tap.id(''a''), ''k'', %L)', s.scopes), 'VC020', NULL,
    format('scopes cannot be %s', coalesce(left(s.scopes, 40), 'NULL')))
FROM unnest(ARRAY['{}', '[]', '"read"', '[1]', '[""]', '[null]', '[["read"]]', 'null', NULL, '["logs:ingest"]', '["read", 1e400]', '["read", "' || repeat('x', 256) || '"]',
                  to_jsonb(array_fill('read'::text, ARRAY[65]))::text, repeat('[', 500) || repeat(']', 500)]) AS s (scopes);
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('a'), 'k', expires_at => now() - interval '1 second')$$, 'VC020', NULL,
    'a key does not expire before it is made');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('a'), 'k', service_id => tap.id('no service'))$$, '23503', NULL,
    'a service must exist');
CALL tap.act();
SELECT throws_ok($$SELECT * FROM auth.create_api_key(tap.id('a'), 'k')$$, 'VC011', NULL, 'without a context there is no key');
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok($$SELECT * FROM auth.create_api_key(tap.id('a'), 'k')$$, '42501', NULL, 'a writer of logs makes none');

-- The trusted roles make keys for any organization.
CALL tap.act(login => 'tap_service');
SELECT lives_ok(
    $$INSERT INTO tap.keys SELECT 'of b', * FROM auth.create_api_key(tap.id('b'), 'of b', '["write"]')$$, 'the service makes one');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('b'), 'k')$$, '42501', NULL, 'an administrator of the server does not: a key would show it the rows');
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('no organization'), 'k')$$, '23503', NULL, 'the organization must exist');

-- What is refused: a status, no error, no context.
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour' WHERE name = 'full';
CALL tap.act();
SELECT is(
    auth.authenticate_api_key(k.api_key), '{"status": "invalid", "org_id": null, "api_key_id": null, "scopes": []}',
    'invalid: ' || k.what)
FROM (
    SELECT 'NULL' AS what, NULL::text AS api_key
    UNION ALL
    SELECT format('%s characters like %s', length(g), coalesce(ascii(g), 0)), g
    FROM unnest(ARRAY['', ' ', 'x', 'cv_live_', 'Robert''); DROP TABLE auth.api_keys; --', repeat('x', 100000), E'\t\n', '★★★★']) AS g
    UNION ALL
    SELECT 'a hash instead of the key', encode(sha256(t.api_key::bytea), 'hex') FROM tap.keys AS t WHERE t.name = 'write'
    UNION ALL
    SELECT 'a key with a blank after it', t.api_key || ' ' FROM tap.keys AS t WHERE t.name = 'write'
    UNION ALL
    SELECT 'a key in capitals', upper(t.api_key) FROM tap.keys AS t WHERE t.name = 'write'
    UNION ALL
    SELECT 'a key with one character changed', overlay(t.api_key PLACING CASE substr(t.api_key, 20, 1) WHEN 'a' THEN 'b' ELSE 'a' END FROM 20)
    FROM tap.keys AS t
    WHERE t.name = 'write'
    UNION ALL
    SELECT 'the first part of a key', left(t.api_key, 10) FROM tap.keys AS t WHERE t.name = 'write'
) AS k;
SELECT is(
    auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'full')) ->> 'status', 'expired', 'a key that has expired');
SELECT is(
    auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = t.key), t.scope) ->> 'status', 'insufficient_scope',
    format('a key "%s" is not enough for "%s"', t.key, t.scope))
FROM (VALUES ('plain', 'write'), ('plain', 'admin'), ('plain', 'logs:ingest'), ('plain', 'READ'), ('plain', ''),
             ('write', 'admin'), ('write', 'logs:ingest'), ('other', 'write'), ('other', 'admin'), ('admin', 'logs:ingest')) AS t (key, scope);
SELECT is(tenancy.current_org_id(), NULL, 'after all that there is no context');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM auth.api_keys WHERE last_used_at IS NOT NULL), 0::bigint, 'and no key counts as used');

-- What is accepted. A transaction takes one identity, so the roles of other keys are in key_roles.sql.
CALL tap.act();
SELECT is(
    auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'write'), 'write'),
    (SELECT jsonb_build_object('status', 'ok', 'org_id', tap.id('a'), 'api_key_id', api_key_id, 'scopes', '["read", "write"]'::jsonb)
     FROM tap.keys WHERE name = 'write'),
    'a key says for whom it acts');
SELECT is(tenancy.current_org_id(), tap.id('a'), 'the organization is in context');
SELECT is(tenancy.current_user_id(), NULL, 'a key acts for no user');
SELECT is(tenancy."current_role"(), 'developer', 'the scope write acts as a developer');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 5::bigint, 'the rows are there');
SELECT is(
    (SELECT last_used_at FROM auth.api_keys WHERE name = 'write'), now(), 'the key counts as used');
SELECT is(
    auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'write')) ->> 'status', 'ok',
    'the same key may be shown again, without a scope');
SELECT is(
    auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'write'), 'read') ->> 'status', 'ok',
    'and for a narrower one');
SELECT throws_ok(
    $$SELECT auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'of b'))$$, 'VC010', NULL,
    'a key of another organization is a second identity');
SELECT throws_ok(
    $$SELECT auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'admin'))$$, 'VC010', NULL,
    'so is a wider key of the same one');
SELECT is(
    auth.authenticate_api_key('garbage') ->> 'status', 'invalid', 'a wrong key is told so');
SELECT is(tenancy.current_org_id(), tap.id('a'), 'and takes nothing away');
SELECT throws_ok($$SELECT * FROM auth.create_api_key(tap.id('a'), 'k')$$, 'VC014', NULL, 'a key for writing makes no keys');

-- The stamp of use is true to a minute, so that a busy key is not written for each use.
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET last_used_at = now() - interval '30 seconds' WHERE name = 'write';
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'write')) \g /dev/null
SELECT is(
    (SELECT last_used_at FROM auth.api_keys WHERE name = 'write'), now() - interval '30 seconds',
    'within a minute it is not stamped again');
RESET SESSION AUTHORIZATION;
UPDATE auth.api_keys SET last_used_at = now() - interval '61 seconds' WHERE name = 'write';
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'write')) \g /dev/null
SELECT is((SELECT last_used_at FROM auth.api_keys WHERE name = 'write'), now(), 'after a minute it is');

-- Revoked, and an organization or a service that is deleted.
RESET SESSION AUTHORIZATION;
DELETE FROM tenancy.services WHERE id = tap.id('service of a');
SELECT is((SELECT count(*) FROM auth.api_keys WHERE name = 'full'), 0::bigint, 'a key goes with its service');
DELETE FROM tenancy.organizations WHERE id = tap.id('a');
SELECT is((SELECT count(*) FROM auth.api_keys WHERE org_id = tap.id('a')), 0::bigint, 'and with its organization');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(
    auth.authenticate_api_key((SELECT api_key FROM tap.keys WHERE name = 'write')) ->> 'status', 'invalid',
    'after which it is invalid');
SELECT is(tenancy.current_org_id(), tap.id('a'), 'a context that was taken before stays');
SELECT is((SELECT count(*) FROM tenancy.organizations), 0::bigint, 'and shows nothing');
SELECT throws_ok(
    $$INSERT INTO tenancy.services (name) VALUES ('x')$$, '42501', NULL, 'a developer''s key still writes no services');
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.member_role = 'owner';
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT throws_ok(
    $$INSERT INTO tenancy.services (name) VALUES ('x')$$, '23503', NULL, 'nor would an owner write into what is gone');
SELECT throws_ok(
    $$SELECT * FROM auth.create_api_key(tap.id('a'), 'k')$$, 'VC020', NULL, 'nor make a key for it');
SELECT throws_ok(
    $$SELECT analysis.start_analysis(tap.id('repository of a'), 1, repeat('a', 40))$$, 'VC030', NULL, 'nor start an analysis');

SELECT * FROM finish();
ROLLBACK;
