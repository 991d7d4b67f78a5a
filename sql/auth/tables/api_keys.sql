CREATE TABLE auth.api_keys (
    id                  uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id              uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    name                text,
    -- Looked up at every authentication: bytes are compared faster than letters of a language.
    key_hash            text        COLLATE "C" NOT NULL,
    key_prefix          text,
    scopes              jsonb       NOT NULL DEFAULT '["read"]',
    expires_at          timestamptz,
    last_used_at        timestamptz,
    created_by          uuid        DEFAULT tenancy.current_user_id(),
    -- Not now(): a key that is made after its maker joined must be younger than the membership, also in a transaction
    -- that began before.
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    service_id          uuid,
    parent_id           uuid,
    revoked_at          timestamptz,
    rotated_at          timestamptz,
    previous_key_hash   text        COLLATE "C",
    previous_expires_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT api_keys_previous_key_hash_key UNIQUE (previous_key_hash),
    CONSTRAINT api_keys_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    -- A key that outlived its service would be wider than it was: it goes with the service.
    CONSTRAINT api_keys_org_id_service_id_fkey FOREIGN KEY (org_id, service_id)
        REFERENCES tenancy.services (org_id, id) ON DELETE CASCADE,
    -- What a key has made, and could not make for itself, ends with it.
    CONSTRAINT api_keys_org_id_parent_id_fkey FOREIGN KEY (org_id, parent_id)
        REFERENCES auth.api_keys (org_id, id) ON DELETE CASCADE,
    CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (created_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT api_keys_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT api_keys_key_hash_check CHECK (key_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT api_keys_previous_key_hash_check CHECK (previous_key_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT api_keys_previous_check CHECK ((previous_key_hash IS NULL) = (previous_expires_at IS NULL)),
    CONSTRAINT api_keys_key_prefix_check CHECK (length(key_prefix) BETWEEN 1 AND 10),
    CONSTRAINT api_keys_scopes_check CHECK (
        jsonb_typeof(scopes) = 'array'
        AND NOT jsonb_path_exists(scopes, 'strict $[*] ? (@.type() <> "string")', silent => true)
    ),
    CONSTRAINT api_keys_expires_at_check CHECK (expires_at > created_at)
);

CREATE INDEX api_keys_org_id_service_id_idx
    ON auth.api_keys (org_id, service_id)
    WHERE service_id IS NOT NULL;

CREATE INDEX api_keys_org_id_parent_id_idx
    ON auth.api_keys (org_id, parent_id)
    WHERE parent_id IS NOT NULL;

CREATE INDEX api_keys_created_by_idx
    ON auth.api_keys (created_by)
    WHERE created_by IS NOT NULL;

COMMENT ON TABLE auth.api_keys IS 'Keys with which programs act for an organization. Made by auth.create_api_key, which shows the key once; only its hash is kept.';
COMMENT ON COLUMN auth.api_keys.id IS 'Primary key.';
COMMENT ON COLUMN auth.api_keys.org_id IS 'Organization that the key acts for.';
COMMENT ON COLUMN auth.api_keys.name IS 'What the key is for, 1 to 255 characters.';
COMMENT ON COLUMN auth.api_keys.key_hash IS 'SHA-256 of the key, 64 hexadecimal digits. Not readable by tenants.';
COMMENT ON COLUMN auth.api_keys.key_prefix IS 'First characters of the key, at most 10, by which people tell keys apart.';
COMMENT ON COLUMN auth.api_keys.scopes IS 'What the key may do: a JSON array of names, among them read, write and admin.';
COMMENT ON COLUMN auth.api_keys.expires_at IS 'When the key stops working; NULL for never.';
COMMENT ON COLUMN auth.api_keys.last_used_at IS 'When the key was last used, true to about a minute; NULL before its first use.';
COMMENT ON COLUMN auth.api_keys.created_by IS 'User who answers for the key: who made it or, since then, rotated it; for a key that another made, as there. NULL when that user was deleted or a service made it.';
COMMENT ON COLUMN auth.api_keys.created_at IS 'When the key was made.';
COMMENT ON COLUMN auth.api_keys.service_id IS 'Service that the key belongs to; NULL for a key of the whole organization.';
COMMENT ON COLUMN auth.api_keys.parent_id IS 'Key that made this one; NULL for one that a user or a service made.';
COMMENT ON COLUMN auth.api_keys.revoked_at IS 'When the key was revoked; NULL while it was not.';
COMMENT ON COLUMN auth.api_keys.rotated_at IS 'When the key was last given a new text; NULL while it has its first.';
COMMENT ON COLUMN auth.api_keys.previous_key_hash IS 'SHA-256 of the text that the last rotation replaced, while it is to go on; NULL without such a time. Not readable by tenants.';
COMMENT ON COLUMN auth.api_keys.previous_expires_at IS 'When the text that the last rotation replaced stops working; NULL when it stopped at once.';
