-- Webhooks and channels are for those who manage; deliveries are written by the service.
BEGIN;
SELECT plan(17);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('admin', 'a');
SELECT lives_ok(
    $$INSERT INTO integrations.webhooks (id, url, secret_hash, events) VALUES (tap.id('new'), 'https://hooks.test/x', 'secret', '["analysis.completed"]')$$,
    'a manager makes a webhook');
SELECT results_eq(
    $$SELECT org_id, created_by, active, failure_count FROM integrations.webhooks WHERE id = tap.id('new')$$,
    $$VALUES (tap.id('a'), tap.id('admin of a'), true, 0)$$, 'which knows who made it');
SELECT lives_ok($$UPDATE integrations.webhooks SET url = 'https://hooks.test/y', active = false WHERE id = tap.id('new')$$, 'and changes it');
SELECT lives_ok($$UPDATE integrations.webhooks SET secret_hash = 'new'$$, 'and gives it a new secret');
SELECT throws_ok('SELECT secret_hash FROM integrations.webhooks', '42501', NULL, 'which nobody reads');
SELECT throws_ok($$UPDATE integrations.webhooks SET failure_count = 0$$, '42501', NULL, 'failures are counted by the service');
SELECT throws_ok(
    $$INSERT INTO integrations.webhook_deliveries (webhook_id, event, payload) VALUES (tap.id('new'), 'x', '{}')$$, '42501', NULL,
    'deliveries are written by the service');
SELECT is((SELECT count(*) FROM integrations.webhook_deliveries), 2::bigint, 'a manager sees them');
SELECT lives_ok($$INSERT INTO integrations.notification_configs (channel_type, webhook_url) VALUES ('slack', 'https://hooks.test/s')$$, 'a manager makes a channel');

CALL tap.act('developer', 'a');
SELECT is((SELECT count(*) FROM integrations.webhook_deliveries), 0::bigint, 'a developer sees no deliveries');
SELECT is((SELECT count(url) FROM integrations.webhooks), 0::bigint, 'nor webhooks, whose URLs may carry a credential');
SELECT is((SELECT count(*) FROM integrations.notification_configs), 0::bigint, 'nor channels');

CALL tap.act('owner', 'a', 'tap_service');
SELECT lives_ok(
    $$INSERT INTO integrations.webhook_deliveries (webhook_id, event, payload, response_status, success) VALUES (tap.id('new'), 'x', '{}', 200, true)$$,
    'the service writes a delivery');
SELECT throws_ok(
    $$INSERT INTO integrations.webhook_deliveries (webhook_id, event, payload) VALUES (tap.id('webhook of b'), 'x', '{}')$$, '23503', NULL,
    'not of a webhook of another organization');
SELECT throws_ok(
    $$INSERT INTO integrations.inbound_deliveries (provider, delivery_id, event, payload_hash) VALUES ('github', 'delivery of b', 'push', repeat('a', 64))$$,
    '23505', NULL, 'a delivery that came in is kept once');
SELECT lives_ok($$UPDATE integrations.webhooks SET failure_count = failure_count + 1, last_triggered_at = now()$$, 'the service counts failures');

RESET SESSION AUTHORIZATION;
DELETE FROM integrations.webhooks WHERE id = tap.id('new');
SELECT is((SELECT count(*) FROM integrations.webhook_deliveries WHERE webhook_id = tap.id('new')), 0::bigint, 'deliveries go with their webhook');

SELECT * FROM finish();
ROLLBACK;
