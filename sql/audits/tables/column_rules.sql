-- The installation's own rules; those that come with the extension are audits.default_column_rules(). Not copied into
-- here, because rows that deployment makes would stand in the way of those that are restored or replicated, and would
-- stay as they are when a new version knows more.
CREATE TABLE audits.column_rules (
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    table_pattern  text,
    column_pattern text        NOT NULL,
    treatment      text        NOT NULL,
    reason         text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT column_rules_pkey PRIMARY KEY (id),
    CONSTRAINT column_rules_table_pattern_column_pattern_key UNIQUE NULLS NOT DISTINCT (table_pattern, column_pattern),
    CONSTRAINT column_rules_table_pattern_check CHECK (length(table_pattern) BETWEEN 1 AND 255),
    CONSTRAINT column_rules_column_pattern_check CHECK (length(column_pattern) BETWEEN 1 AND 255),
    CONSTRAINT column_rules_treatment_check CHECK (treatment IN ('record', 'personal', 'ignore', 'redact')),
    CONSTRAINT column_rules_reason_check CHECK (length(reason) BETWEEN 1 AND 1000)
);

COMMENT ON TABLE audits.column_rules IS 'What capture does with columns in this installation, ahead of audits.default_column_rules(). Where several rules match a column, redact goes before ignore, ignore before personal and personal before record. Set with audits.set_column_rule().';
COMMENT ON COLUMN audits.column_rules.id IS 'Primary key.';
COMMENT ON COLUMN audits.column_rules.table_pattern IS 'Pattern of LIKE for schema.table, case ignored; NULL for every table.';
COMMENT ON COLUMN audits.column_rules.column_pattern IS 'Pattern of LIKE for the column''s name, case ignored.';
COMMENT ON COLUMN audits.column_rules.treatment IS 'redact: a keyed digest of the value is recorded. ignore: nothing is, and a change of the column alone is none. personal: the value is, encrypted under the key of the person that the row is (its uuid key), so that audits.erase_subject() erases it; a digest where there is no such key. record: the value is.';
COMMENT ON COLUMN audits.column_rules.reason IS 'Why, 1 to 1000 characters.';
COMMENT ON COLUMN audits.column_rules.created_at IS 'When the rule was made.';
