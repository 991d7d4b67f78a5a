-- No foreign keys and nothing unique, as in telemetry.metric_changes.
CREATE TABLE providers.usage_changes (
    id       bigserial   NOT NULL,
    org_id   uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    user_id  uuid        NOT NULL,
    date     date        NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT usage_changes_pkey PRIMARY KEY (id)
);

CREATE INDEX usage_changes_org_id_date_user_id_idx ON providers.usage_changes (org_id, date, user_id);

COMMENT ON TABLE providers.usage_changes IS 'Days of users whose usage changed since providers.usage_metrics was last computed. A change and its entry are committed together, so nothing is missed, whichever writer commits last.';
COMMENT ON COLUMN providers.usage_changes.id IS 'Number of the entry.';
COMMENT ON COLUMN providers.usage_changes.org_id IS 'Organization that the user used it in.';
COMMENT ON COLUMN providers.usage_changes.user_id IS 'User whose usage changed.';
COMMENT ON COLUMN providers.usage_changes.date IS 'UTC day to compute anew.';
COMMENT ON COLUMN providers.usage_changes.noted_at IS 'When it changed, by which the metrics'' delay is seen.';
