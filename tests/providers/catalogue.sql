-- Providers belong to no organization: everybody reads them, the service writes them. Keys, quotas and usage belong
-- to a user of an organization.
BEGIN;
SELECT plan(14);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('viewer', 'a');
SELECT is((SELECT count(*) FROM providers.providers WHERE name LIKE 'provider _'), 2::bigint, 'a viewer sees the catalogue');
SELECT throws_ok($$UPDATE providers.providers SET is_active = false$$, '42501', NULL, 'and does not change it');
CALL tap.act('owner', 'a');
SELECT throws_ok($$INSERT INTO providers.providers (name, provider_type) VALUES ('x', 'local')$$, '42501', NULL, 'nor does an owner');

CALL tap.act('developer', 'a');
SELECT results_eq('SELECT user_id FROM providers.user_providers', $$VALUES (tap.id('developer of a'))$$, 'a user sees its own keys');
SELECT lives_ok(
    $$INSERT INTO providers.user_providers (user_id, provider_type, encrypted_api_key) VALUES (tap.id('developer of a'), 'anthropic', 'ciphertext')$$,
    'and adds one');
SELECT throws_ok(
    $$INSERT INTO providers.user_providers (user_id, provider_type) VALUES (tap.id('developer of a'), 'anthropic')$$, '23505', NULL, 'of each kind');
SELECT throws_ok(
    $$INSERT INTO providers.user_providers (user_id, provider_type) VALUES (tap.id('owner of a'), 'local')$$, '42501', NULL, 'for itself only');
SELECT throws_ok('SELECT encrypted_api_key FROM providers.user_providers', '42501', NULL, 'the ciphertext stays where it is');
SELECT lives_ok($$DELETE FROM providers.user_providers WHERE provider_type = 'anthropic'$$, 'a key can be removed');
SELECT throws_ok($$UPDATE providers.user_quotas SET daily_limit = 1000000$$, '42501', NULL, 'nobody raises a quota by hand');
SELECT throws_ok($$UPDATE providers.usage_tracking SET cost_usd = 0$$, '42501', NULL, 'nor lowers what was used');
SELECT lives_ok($$UPDATE providers.cost_alerts SET acknowledged = true, acknowledged_at = now()$$, 'an alert is acknowledged');
SELECT throws_ok($$UPDATE providers.cost_alerts SET alert_type = 'daily_90'$$, '42501', NULL, 'not rewritten');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT acknowledged FROM providers.cost_alerts WHERE user_id IN (tap.id('owner of a'), tap.id('developer of a')) ORDER BY acknowledged$$,
    'VALUES (false), (true)', 'by the user whom it is for');

SELECT * FROM finish();
ROLLBACK;
