-- Users are global: each sees its own row and no secret of it.
SELECT tenancy.force_row_security('auth.users');

CREATE POLICY users_self ON auth.users
    FOR SELECT
    TO codeverify_tenant
    USING (id = tenancy.current_user_id());
COMMENT ON POLICY users_self ON auth.users IS
    'A user sees itself; the other members are shown by tenancy.list_members().';

GRANT SELECT (
    id,
    github_id,
    username,
    email,
    avatar_url,
    created_at,
    updated_at,
    auth0_sub,
    last_login,
    role,
    verified,
    failed_login_attempts,
    locked_until,
    settings
) ON auth.users TO codeverify_tenant;

-- The trusted back end signs users up and keeps their profiles; secrets are for functions. Once it acts for a
-- tenant it sees no more than the tenant's user does.
CREATE POLICY users_service ON auth.users
    TO codeverify_service
    USING (tenancy.current_org_id() IS NULL)
    WITH CHECK (tenancy.current_org_id() IS NULL);
COMMENT ON POLICY users_service ON auth.users IS 'The trusted service role keeps the profiles of all users, while it acts for no tenant.';

GRANT SELECT (
    id,
    github_id,
    username,
    email,
    avatar_url,
    created_at,
    updated_at,
    auth0_sub,
    last_login,
    role,
    verified,
    settings
) ON auth.users TO codeverify_service;
GRANT INSERT (id, github_id, username, email, avatar_url, created_at, auth0_sub, last_login, settings)
    ON auth.users TO codeverify_service;
GRANT UPDATE (github_id, username, email, avatar_url, auth0_sub, last_login, settings)
    ON auth.users TO codeverify_service;

-- Reached through functions only.
SELECT tenancy.force_row_security('auth.sessions');
SELECT tenancy.force_row_security('auth.password_resets');
SELECT tenancy.force_row_security('auth.refresh_tokens');
SELECT tenancy.force_row_security('auth.session_revocations');
SELECT tenancy.force_row_security('auth.email_verifications');
SELECT tenancy.force_row_security('auth.recovery_codes');
SELECT tenancy.force_row_security('auth.login_attempts');
SELECT tenancy.force_row_security('auth.jwt_keys');

SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('auth.invitations',          'manage', NULL,      NULL,      NULL),
    ('auth.invitation_uses',      'manage', NULL,      NULL,      NULL),
    ('auth.api_keys',             'read',   NULL,      NULL,      NULL),
    ('auth.api_key_rate_buckets', 'read',   'service', 'service', 'service'),
    ('auth.audit_logs',           'manage', 'service', NULL,      NULL)
) AS t (target, selects, inserts, updates, deletes);

-- Every column but code_hash.
REVOKE SELECT ON auth.invitations FROM codeverify_tenant;
GRANT SELECT (
    id,
    role,
    max_uses,
    uses,
    expires_at,
    org_id,
    created_by,
    created_at,
    email,
    revoked_at,
    api_key_id
) ON auth.invitations TO codeverify_tenant;

-- Every column but key_hash and previous_key_hash.
REVOKE SELECT ON auth.api_keys FROM codeverify_tenant;
GRANT SELECT (
    id,
    org_id,
    name,
    key_prefix,
    scopes,
    expires_at,
    last_used_at,
    created_by,
    created_at,
    service_id,
    parent_id,
    revoked_at,
    rotated_at,
    previous_expires_at
) ON auth.api_keys TO codeverify_tenant;
