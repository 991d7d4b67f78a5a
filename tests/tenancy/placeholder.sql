-- A setting of that name that is made before the library is loaded is a placeholder, which anybody may SET. It must
-- not become the context when the library is loaded by the first function that is called. (A client can do the same
-- with PGOPTIONS; the clients' tests do.)
BEGIN;
CREATE ROLE tap_attacker LOGIN IN ROLE codeverify_tenant;

-- Before the plan: pgTAP makes temporary tables, and at any such command the ledger's event triggers load the library.
SELECT NOT EXISTS (SELECT FROM pg_settings AS s WHERE s.name LIKE 'codeverify.%') AS is_placeholder \gset
SET LOCAL SESSION AUTHORIZATION tap_attacker;
\if :is_placeholder
    SET codeverify.org_id = 'bbbbbbbb-0000-4000-8000-000000000000';
    SET codeverify.member_role = 'owner';
\endif
SELECT coalesce(current_setting('codeverify.org_id', true), '') AS placeholder \gset
RESET SESSION AUTHORIZATION;

SET LOCAL client_min_messages = error;
SELECT plan(7);
INSERT INTO tenancy.organizations (id, name) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 'Victim');
SET LOCAL SESSION AUTHORIZATION tap_attacker;

SELECT CASE
    WHEN :'is_placeholder' THEN is(:'placeholder'::text, 'bbbbbbbb-0000-4000-8000-000000000000', 'an attacker sets what is still a placeholder')
    ELSE skip('the library is preloaded', 1)
END;
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
