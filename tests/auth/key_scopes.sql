-- What the scopes of the key in context say, to functions and policies that ask.
BEGIN;
SELECT plan(15);
\ir ../two_tenants.sql

CREATE TABLE tap.key (api_key_id uuid, api_key text);
GRANT ALL ON tap.key TO PUBLIC;
SELECT is(auth.has_scope('read'), false, 'without a context there is no scope');
CALL tap.act('admin', 'a');
INSERT INTO tap.key SELECT * FROM auth.create_api_key(tap.id('a'), 'k', '["read", "logs:ingest"]');
SELECT is(auth.has_scope(s.name), true, format('an administrator has %s', s.name)) FROM unnest(ARRAY['read', 'write', 'admin', 'logs:ingest']) AS s (name);
CALL tap.act('viewer', 'a');
SELECT is(auth.has_scope(s.name), false, format('a viewer has no %s', s.name)) FROM unnest(ARRAY['write', 'admin', NULL]) AS s (name);

-- The context that auth.authenticate_api_key() would set.
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.user_id', '', true), set_config('codeverify.api_key_id', k.api_key_id::text, true) FROM tap.key AS k \g /dev/null
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(auth.has_scope(s.name), s.has, format('the key: %s', s.name))
FROM (VALUES ('read', true), ('write', false), ('admin', false), ('logs:ingest', true), ('logs', false), ('LOGS:INGEST', false)) AS s (name, has);

-- A key's scopes are those of a key of this organization.
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.org_id', tap.id('b')::text, true) \g /dev/null
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(auth.has_scope('logs:ingest'), false, 'a key of another organization has none here');

SELECT * FROM finish();
ROLLBACK;
