CREATE TABLE auth.users (
    id                     uuid        NOT NULL DEFAULT gen_random_uuid(),
    github_id              bigint,
    username               text,
    email                  text,
    avatar_url             text,
    access_token_encrypted text,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    password_hash          text,
    auth0_sub              text,
    last_login             timestamptz,
    role                   text        NOT NULL DEFAULT 'user',
    verified               boolean     NOT NULL DEFAULT false,
    totp_secret            text,
    failed_login_attempts  integer     NOT NULL DEFAULT 0,
    locked_until           timestamptz,
    settings               jsonb       NOT NULL DEFAULT '{}',
    password_changed_at    timestamptz,
    totp_confirmed_at      timestamptz,
    second_factor_step     bigint,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_github_id_key UNIQUE (github_id),
    CONSTRAINT users_github_id_check CHECK (github_id > 0),
    CONSTRAINT users_username_check CHECK (length(username) BETWEEN 1 AND 255),
    CONSTRAINT users_email_check CHECK (email ~* '^[^@\s]+@[^@\s]+\.[^@\s]+$' AND length(email) <= 320),
    CONSTRAINT users_avatar_url_check CHECK (avatar_url ~* '^https?://[^\s]+$'),
    CONSTRAINT users_role_check CHECK (role IN ('admin', 'user', 'viewer')),
    CONSTRAINT users_failed_login_attempts_check CHECK (failed_login_attempts >= 0),
    CONSTRAINT users_totp_check CHECK (totp_secret IS NOT NULL OR totp_confirmed_at IS NULL),
    CONSTRAINT users_second_factor_step_check CHECK (second_factor_step >= 0),
    CONSTRAINT users_settings_check CHECK (jsonb_typeof(settings) = 'object')
);

CREATE UNIQUE INDEX ix_users_email
    ON auth.users (email);

-- Two accounts must not differ in the case of their addresses only: mail would reach the wrong one.
CREATE UNIQUE INDEX users_lower_email_idx
    ON auth.users (lower(email));

CREATE UNIQUE INDEX ix_users_auth0_sub
    ON auth.users (auth0_sub);

CREATE INDEX users_role_idx
    ON auth.users (role);

CREATE INDEX users_verified_idx
    ON auth.users (verified);

COMMENT ON TABLE auth.users IS 'People who can log in. Users are global: what they may see is decided by their memberships.';
COMMENT ON COLUMN auth.users.id IS 'Primary key.';
COMMENT ON COLUMN auth.users.github_id IS 'GitHub''s number of the user; NULL for one who does not log in with GitHub.';
COMMENT ON COLUMN auth.users.username IS 'GitHub username, 1 to 255 characters.';
COMMENT ON COLUMN auth.users.email IS 'E-mail address, at most 320 characters, unique without regard to case.';
COMMENT ON COLUMN auth.users.avatar_url IS 'HTTP or HTTPS URL of the avatar.';
COMMENT ON COLUMN auth.users.access_token_encrypted IS 'GitHub access token, encrypted. Not readable by tenants.';
COMMENT ON COLUMN auth.users.created_at IS 'When the account was created.';
COMMENT ON COLUMN auth.users.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN auth.users.password_hash IS 'Argon2id hash of the password, or an imported bcrypt one; NULL for a user without a password. Not readable by tenants.';
COMMENT ON COLUMN auth.users.auth0_sub IS 'Auth0 subject identifier; NULL until the first OAuth log-in.';
COMMENT ON COLUMN auth.users.last_login IS 'When the user last logged in.';
COMMENT ON COLUMN auth.users.role IS 'Role on the platform: admin, user or viewer. Roles inside an organization are in tenancy.org_memberships.';
COMMENT ON COLUMN auth.users.verified IS 'Whether the e-mail address has been verified.';
COMMENT ON COLUMN auth.users.totp_secret IS 'Seed of time-based one-time passwords, encrypted by the file of codeverify.encryption_key_file; NULL without a second factor. Not readable by tenants.';
COMMENT ON COLUMN auth.users.failed_login_attempts IS 'Failed log-ins since the last successful one.';
COMMENT ON COLUMN auth.users.locked_until IS 'No log-in before this time; NULL when the account is not locked. 9999-01-01 for one that takes a password reset.';
COMMENT ON COLUMN auth.users.settings IS 'Preferences, a JSON object.';
COMMENT ON COLUMN auth.users.password_changed_at IS 'When the password was last set; NULL for a user without a password.';
COMMENT ON COLUMN auth.users.totp_confirmed_at IS 'When the second factor came into force; NULL while there is none or its first code is awaited.';
COMMENT ON COLUMN auth.users.second_factor_step IS 'Last time step (of 30 seconds, counted from 1970) whose code was accepted; no code of it or an earlier one is accepted again.';
