SELECT tenancy.bind_authors('auth.invitations', 'created_by');
