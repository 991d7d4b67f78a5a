SELECT tenancy.bind_authors('integrations.webhooks', 'created_by');
SELECT tenancy.bind_authors('integrations.notification_configs', 'created_by');
