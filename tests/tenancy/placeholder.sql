-- A setting of that name that is made before the library is loaded is a placeholder, which anybody may SET. It must
-- not become the context when the library is loaded by the first function that is called. (A client can do the same
-- with PGOPTIONS; the clients' tests do.)
BEGIN;
SELECT plan(9);
CREATE ROLE tap_attacker LOGIN IN ROLE codeverify_tenant;

SELECT ok(
    NOT EXISTS (SELECT FROM pg_settings AS s WHERE s.name LIKE 'codeverify.%'),
    'the library is not loaded yet')
WHERE current_setting('shared_preload_libraries') || current_setting('session_preload_libraries') !~ 'codeverify'
UNION ALL
SELECT skip('the library is preloaded', 1)
WHERE current_setting('shared_preload_libraries') || current_setting('session_preload_libraries') ~ 'codeverify';

SET LOCAL client_min_messages = error;
INSERT INTO tenancy.organizations (id, name) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 'Victim');

SET LOCAL SESSION AUTHORIZATION tap_attacker;
SELECT lives_ok(
    $$SET codeverify.org_id = 'bbbbbbbb-0000-4000-8000-000000000000'$$, 'an attacker sets what is still a placeholder')
WHERE current_setting('codeverify.deploy', true) IS NULL
UNION ALL
SELECT skip('the library is preloaded', 1)
WHERE current_setting('codeverify.deploy', true) IS NOT NULL;
SELECT lives_ok($$SET codeverify.member_role = 'owner'$$, 'and another')
WHERE current_setting('codeverify.deploy', true) IS NULL
UNION ALL
SELECT skip('the library is preloaded', 1)
WHERE current_setting('codeverify.deploy', true) IS NOT NULL;

SELECT is(tenancy.current_org_id(), NULL, 'the library takes no organization from it');
SELECT is(tenancy."current_role"(), NULL, 'and no role');
SELECT ok(
    EXISTS (SELECT FROM pg_settings AS s WHERE s.name = 'codeverify.org_id' AND s.setting = ''),
    'the setting is empty when the library is loaded');
SELECT is((SELECT count(*) FROM tenancy.organizations), 0::bigint, 'no row shows');
SELECT is(current_setting('codeverify.org_id', true), '', 'not even the text of the setting stays');
SELECT throws_ok(
    $$SET codeverify.org_id = 'bbbbbbbb-0000-4000-8000-000000000000'$$, '42501', NULL, 'from then on it cannot be set');

SELECT * FROM finish();
ROLLBACK;
