SELECT tenancy.bind_authors('auth.api_keys', 'created_by');
SELECT tenancy.bind_authors('auth.invitations', 'created_by');
