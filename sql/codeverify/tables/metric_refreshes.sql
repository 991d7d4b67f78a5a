CREATE TABLE codeverify.metric_refreshes (
    relation     text        NOT NULL,
    org_id       uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    refreshed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT metric_refreshes_pkey PRIMARY KEY (org_id, relation),
    CONSTRAINT metric_refreshes_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE
);

COMMENT ON TABLE codeverify.metric_refreshes IS 'When the metrics of each organization were last refreshed. Whoever refreshes them holds the row''s lock: an advisory lock anybody could take.';
COMMENT ON COLUMN codeverify.metric_refreshes.relation IS 'Table of metrics: telemetry.repo_metrics or providers.usage_metrics.';
COMMENT ON COLUMN codeverify.metric_refreshes.org_id IS 'Organization whose metrics they are.';
COMMENT ON COLUMN codeverify.metric_refreshes.refreshed_at IS 'When they were last refreshed.';
