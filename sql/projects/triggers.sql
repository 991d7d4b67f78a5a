SELECT tenancy.bind_authors('projects.versions', 'promoted_by');
SELECT tenancy.bind_authors('projects.version_history', 'changed_by');
