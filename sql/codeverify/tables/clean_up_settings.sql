-- Empty where all is kept for as long as by default: data alone can be restored into a fresh deployment.
CREATE TABLE codeverify.clean_up_settings (
    target     text        NOT NULL,
    keep       interval,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT clean_up_settings_pkey PRIMARY KEY (target),
    CONSTRAINT clean_up_settings_target_check CHECK (length(target) BETWEEN 1 AND 255),
    CONSTRAINT clean_up_settings_keep_check CHECK (keep >= '0')
);

COMMENT ON TABLE codeverify.clean_up_settings IS 'How long maintenance keeps what has expired, where codeverify.configure_clean_up() has changed that.';
COMMENT ON COLUMN codeverify.clean_up_settings.target IS 'Table that is cleaned up, one of codeverify.list_clean_up_targets().';
COMMENT ON COLUMN codeverify.clean_up_settings.keep IS 'How long a row is kept after it has expired; NULL for good.';
COMMENT ON COLUMN codeverify.clean_up_settings.created_at IS 'When it was first changed.';
COMMENT ON COLUMN codeverify.clean_up_settings.updated_at IS 'When it was last changed; kept by a trigger.';
