CREATE TABLE auth.jwt_keys (
    id               uuid        NOT NULL DEFAULT gen_random_uuid(),
    key_id           text,
    algorithm        text        NOT NULL,
    public_key       text,
    secret_encrypted text,
    issuer           text        NOT NULL,
    audience         text,
    org_claim        text        NOT NULL DEFAULT 'org_id',
    subject          text        NOT NULL DEFAULT 'id',
    enabled          boolean     NOT NULL DEFAULT true,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT jwt_keys_pkey PRIMARY KEY (id),
    CONSTRAINT jwt_keys_issuer_key_id_key UNIQUE NULLS NOT DISTINCT (issuer, key_id),
    CONSTRAINT jwt_keys_key_id_check CHECK (length(key_id) BETWEEN 1 AND 255),
    CONSTRAINT jwt_keys_algorithm_check CHECK (algorithm IN ('HS256', 'RS256', 'EdDSA')),
    CONSTRAINT jwt_keys_key_check CHECK (
        CASE algorithm
            WHEN 'HS256' THEN secret_encrypted IS NOT NULL AND public_key IS NULL
            ELSE public_key IS NOT NULL AND secret_encrypted IS NULL
        END
    ),
    CONSTRAINT jwt_keys_issuer_check CHECK (length(issuer) BETWEEN 1 AND 1000),
    CONSTRAINT jwt_keys_audience_check CHECK (length(audience) BETWEEN 1 AND 1000),
    CONSTRAINT jwt_keys_org_claim_check CHECK (length(org_claim) BETWEEN 1 AND 255),
    CONSTRAINT jwt_keys_subject_check CHECK (subject IN ('id', 'auth0_sub'))
);

COMMENT ON TABLE auth.jwt_keys IS 'Keys of the issuers whose JSON Web Tokens are believed. Each key serves one algorithm only.';
COMMENT ON COLUMN auth.jwt_keys.id IS 'Primary key.';
COMMENT ON COLUMN auth.jwt_keys.key_id IS 'The token''s kid header, 1 to 255 characters; NULL for an issuer that sends none.';
COMMENT ON COLUMN auth.jwt_keys.algorithm IS 'HS256, RS256 or EdDSA; the token''s own alg header must say the same.';
COMMENT ON COLUMN auth.jwt_keys.public_key IS 'Public key in PEM form, for RS256 and EdDSA.';
COMMENT ON COLUMN auth.jwt_keys.secret_encrypted IS 'Shared secret of HS256, encrypted. Not readable by tenants.';
COMMENT ON COLUMN auth.jwt_keys.issuer IS 'The token''s iss claim.';
COMMENT ON COLUMN auth.jwt_keys.audience IS 'What the token''s aud claim must hold; NULL when that is not asked.';
COMMENT ON COLUMN auth.jwt_keys.org_claim IS 'Claim that names the organization, by its id.';
COMMENT ON COLUMN auth.jwt_keys.subject IS 'Column of auth.users that the token''s sub claim names: id or auth0_sub.';
COMMENT ON COLUMN auth.jwt_keys.enabled IS 'Whether tokens of this key are believed.';
COMMENT ON COLUMN auth.jwt_keys.created_at IS 'When the key was added.';
