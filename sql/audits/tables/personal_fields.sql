CREATE TABLE audits.personal_fields (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    entity     text        NOT NULL,
    field      text        NOT NULL,
    subject    text        NOT NULL DEFAULT 'actor',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT personal_fields_pkey PRIMARY KEY (id),
    CONSTRAINT personal_fields_entity_field_key UNIQUE (entity, field),
    CONSTRAINT personal_fields_entity_check CHECK (length(entity) BETWEEN 1 AND 100),
    CONSTRAINT personal_fields_field_check CHECK (length(field) BETWEEN 1 AND 255),
    CONSTRAINT personal_fields_subject_check CHECK (subject IN ('actor', 'resource'))
);

COMMENT ON TABLE audits.personal_fields IS 'Payload fields that are encrypted under the key of the person whom they concern, in every new entry about an entity.';
COMMENT ON COLUMN audits.personal_fields.id IS 'Primary key.';
COMMENT ON COLUMN audits.personal_fields.entity IS 'entity of the entries, 1 to 100 characters.';
COMMENT ON COLUMN audits.personal_fields.field IS 'Key in the payload''s top level, 1 to 255 characters.';
COMMENT ON COLUMN audits.personal_fields.subject IS 'Whom the field concerns: actor for the entry''s actor_id, resource for its resource_id.';
COMMENT ON COLUMN audits.personal_fields.created_at IS 'When it was marked.';
