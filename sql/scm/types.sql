CREATE TYPE scm.github_account_type AS ENUM (
    'organization',
    'user'
);

COMMENT ON TYPE scm.github_account_type IS 'Kinds of GitHub accounts for clients that speak in enums; scm.installations.account_type is text with GitHub''s spelling.';
