CREATE VIEW scm.github_installations WITH (security_invoker = true) AS
SELECT
    i.id,
    i.org_id,
    i.github_installation_id AS installation_id,
    lower(i.account_type)::scm.github_account_type AS account_type,
    i.permissions,
    i.events,
    i.suspended_at,
    i.created_at,
    i.updated_at
FROM scm.installations AS i;
COMMENT ON VIEW scm.github_installations IS
    'Installations for clients that expect the enum type github_account_type and the column installation_id.';
COMMENT ON COLUMN scm.github_installations.id IS 'Primary key of scm.installations.';
COMMENT ON COLUMN scm.github_installations.org_id IS 'Organization that installed the app.';
COMMENT ON COLUMN scm.github_installations.installation_id IS 'GitHub''s number of the installation.';
COMMENT ON COLUMN scm.github_installations.account_type IS 'organization or user.';
COMMENT ON COLUMN scm.github_installations.permissions IS 'Permissions granted, a JSON object.';
COMMENT ON COLUMN scm.github_installations.events IS 'Events subscribed to, a JSON array.';
COMMENT ON COLUMN scm.github_installations.suspended_at IS 'When the installation was suspended; NULL while it works.';
COMMENT ON COLUMN scm.github_installations.created_at IS 'When the row was created.';
COMMENT ON COLUMN scm.github_installations.updated_at IS 'When the row was last changed.';
GRANT SELECT ON scm.github_installations TO codeverify_tenant;
