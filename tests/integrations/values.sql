-- Webhooks, deliveries and channels: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('integrations.inbound_deliveries', $$action = ''$$, 'inbound_deliveries_action_check'),
       ('integrations.inbound_deliveries', $$action = repeat('x', 256)$$, 'inbound_deliveries_action_check'),
       ('integrations.inbound_deliveries', $$action = repeat('x', 255)$$, NULL),
       ('integrations.inbound_deliveries', $$details = '[]'$$, 'inbound_deliveries_details_check'),
       ('integrations.inbound_deliveries', $$details = 'null'$$, 'inbound_deliveries_details_check'),
       ('integrations.inbound_deliveries', $$facts = '{}'$$, 'inbound_deliveries_facts_check'),
       ('integrations.inbound_deliveries', $$status = 'unclaimed', org_id = NULL, installation_id = 1$$, 'inbound_deliveries_facts_check'),
       ('integrations.inbound_deliveries', $$status = 'unclaimed', org_id = NULL, installation_id = 1, facts = '[]'$$, 'inbound_deliveries_facts_check'),
       ('integrations.inbound_deliveries', $$status = 'unclaimed', org_id = NULL, facts = '{}'$$, 'inbound_deliveries_facts_check'),
       ('integrations.inbound_deliveries', $$status = 'unclaimed', installation_id = 1, facts = '{}'$$, 'inbound_deliveries_facts_check'),
       ('integrations.inbound_deliveries', $$status = 'unclaimed', org_id = NULL, installation_id = 1, facts = '{}'$$, NULL),
       ('integrations.inbound_deliveries', $$installation_id = 0$$, 'inbound_deliveries_installation_id_check'),
       ('integrations.inbound_deliveries', $$installation_id = 1$$, NULL),
       ('integrations.inbound_deliveries', $$repo_id = id, org_id = NULL$$, 'inbound_deliveries_repo_id_check'),
       ('integrations.inbound_deliveries', $$status = 'new'$$, 'inbound_deliveries_status_check'),
       ('integrations.inbound_deliveries', $$status = 'ignored'$$, NULL),
       ('integrations.inbound_deliveries', $$status = 'refused'$$, NULL),
       ('integrations.inbound_secrets', $$provider = 'gitlab'$$, 'inbound_secrets_provider_check'),
       ('integrations.inbound_deliveries', $$delivery_id = ''$$, 'inbound_deliveries_delivery_id_check'),
       ('integrations.inbound_deliveries', $$delivery_id = repeat('x', 256)$$, 'inbound_deliveries_delivery_id_check'),
       ('integrations.inbound_deliveries', $$delivery_id = repeat('x', 255)$$, NULL),
       ('integrations.inbound_deliveries', $$event = ''$$, 'inbound_deliveries_event_check'),
       ('integrations.inbound_deliveries', $$event = repeat('x', 256)$$, 'inbound_deliveries_event_check'),
       ('integrations.inbound_deliveries', $$event = repeat('x', 255)$$, NULL),
       ('integrations.inbound_deliveries', $$payload_hash = repeat('a', 63)$$, 'inbound_deliveries_payload_hash_check'),
       ('integrations.inbound_deliveries', $$payload_hash = repeat('A', 64)$$, 'inbound_deliveries_payload_hash_check'),
       ('integrations.inbound_deliveries', $$payload_hash = repeat('g', 64)$$, 'inbound_deliveries_payload_hash_check'),
       ('integrations.inbound_deliveries', $$provider = ''$$, 'inbound_deliveries_provider_check'),
       ('integrations.inbound_deliveries', $$provider = repeat('x', 256)$$, 'inbound_deliveries_provider_check'),
       ('integrations.inbound_deliveries', $$provider = repeat('x', 255)$$, NULL),
       ('integrations.notification_configs', $$channel_type = 'SLACK'$$, 'notification_configs_channel_type_check'),
       ('integrations.notification_configs', $$channel_type = 'slack'$$, NULL),
       ('integrations.notification_configs', $$channel_type = 'teams'$$, NULL),
       ('integrations.notification_configs', $$channel_type = 'email'$$, NULL),
       ('integrations.notification_configs', $$config = '[]'$$, 'notification_configs_config_check'),
       ('integrations.notification_configs', $$config = 'null'$$, 'notification_configs_config_check'),
       ('integrations.notification_configs', $$events = '{}'$$, 'notification_configs_events_check'),
       ('integrations.notification_configs', $$events = 'null'$$, 'notification_configs_events_check'),
       ('integrations.notification_configs', $$webhook_url = 'ftp://x.test/'$$, 'notification_configs_webhook_url_check'),
       ('integrations.notification_configs', $$webhook_url = 'javascript:alert(1)'$$, 'notification_configs_webhook_url_check'),
       ('integrations.notification_configs', $$webhook_url = 'https://with blank.test'$$, 'notification_configs_webhook_url_check'),
       ('integrations.notification_configs', $$webhook_url = ''$$, 'notification_configs_webhook_url_check'),
       ('integrations.notification_configs', $$webhook_url = 'http://x.test'$$, NULL),
       ('integrations.webhook_deliveries', $$event = ''$$, 'webhook_deliveries_event_check'),
       ('integrations.webhook_deliveries', $$event = repeat('x', 101)$$, 'webhook_deliveries_event_check'),
       ('integrations.webhook_deliveries', $$event = repeat('x', 100)$$, NULL),
       ('integrations.webhook_deliveries', $$payload = '1'$$, 'webhook_deliveries_payload_check'),
       ('integrations.webhook_deliveries', $$payload = 'null'$$, 'webhook_deliveries_payload_check'),
       ('integrations.webhook_deliveries', $$response_status = 100 - 1$$, 'webhook_deliveries_response_status_check'),
       ('integrations.webhook_deliveries', $$response_status = 999 + 1$$, 'webhook_deliveries_response_status_check'),
       ('integrations.webhook_deliveries', $$response_status = 100$$, NULL),
       ('integrations.webhook_deliveries', $$response_status = 999$$, NULL),
       ('integrations.webhooks', $$events = '{}'$$, 'webhooks_events_check'),
       ('integrations.webhooks', $$events = 'null'$$, 'webhooks_events_check'),
       ('integrations.webhooks', $$failure_count = -1$$, 'webhooks_failure_count_check'),
       ('integrations.webhooks', $$failure_count = 0$$, NULL),
       ('integrations.webhooks', $$secret_hash = ''$$, 'webhooks_secret_hash_check'),
       ('integrations.webhooks', $$secret_hash = repeat('x', 256)$$, 'webhooks_secret_hash_check'),
       ('integrations.webhooks', $$secret_hash = repeat('x', 255)$$, NULL),
       ('integrations.webhooks', $$url = 'ftp://x.test/'$$, 'webhooks_url_check'),
       ('integrations.webhooks', $$url = 'javascript:alert(1)'$$, 'webhooks_url_check'),
       ('integrations.webhooks', $$url = 'https://with blank.test'$$, 'webhooks_url_check'),
       ('integrations.webhooks', $$url = ''$$, 'webhooks_url_check'),
       ('integrations.webhooks', $$url = 'http://x.test'$$, NULL);

SELECT tap.test_values('integrations');

SELECT * FROM finish();
ROLLBACK;
