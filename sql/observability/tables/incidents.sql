CREATE TABLE observability.incidents (
    id              uuid                            NOT NULL DEFAULT gen_random_uuid(),
    status          text                            NOT NULL DEFAULT 'open',
    fingerprint     text,
    repo_id         uuid,
    severity        observability.incident_severity NOT NULL DEFAULT 'sev3',
    metadata        jsonb                           NOT NULL DEFAULT '{}',
    org_id          uuid                            NOT NULL DEFAULT tenancy.current_org_id(),
    service_id      uuid,
    environment_id  uuid,
    created_at      timestamptz                     NOT NULL DEFAULT now(),
    updated_at      timestamptz                     NOT NULL DEFAULT now(),
    resolved_at     timestamptz,
    title           text,
    rule_id         uuid,
    occurrences     bigint                          NOT NULL DEFAULT 1,
    last_seen_at    timestamptz                     NOT NULL DEFAULT now(),
    acknowledged_at timestamptz,
    acknowledged_by uuid,
    CONSTRAINT incidents_pkey PRIMARY KEY (id),
    CONSTRAINT incidents_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT incidents_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT incidents_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE SET NULL (repo_id),
    CONSTRAINT incidents_org_id_service_id_fkey FOREIGN KEY (org_id, service_id)
        REFERENCES tenancy.services (org_id, id) ON DELETE SET NULL (service_id),
    CONSTRAINT incidents_org_id_environment_id_fkey FOREIGN KEY (org_id, environment_id)
        REFERENCES tenancy.environments (org_id, id) ON DELETE SET NULL (environment_id),
    CONSTRAINT incidents_org_id_rule_id_fkey FOREIGN KEY (org_id, rule_id)
        REFERENCES observability.alert_rules (org_id, id) ON DELETE SET NULL (rule_id),
    CONSTRAINT incidents_acknowledged_by_fkey FOREIGN KEY (acknowledged_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT incidents_status_check CHECK (status IN ('open', 'investigating', 'identified', 'resolved')),
    CONSTRAINT incidents_fingerprint_check CHECK (length(fingerprint) BETWEEN 1 AND 255),
    CONSTRAINT incidents_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT incidents_created_at_resolved_at_check CHECK (resolved_at >= created_at),
    CONSTRAINT incidents_status_resolved_at_check CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
    CONSTRAINT incidents_title_check CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT incidents_occurrences_check CHECK (occurrences >= 1),
    CONSTRAINT incidents_acknowledged_at_acknowledged_by_check CHECK (acknowledged_by IS NULL OR acknowledged_at IS NOT NULL)
);

-- What goes on is one incident; when it comes back after it was resolved, that is another.
CREATE UNIQUE INDEX incidents_org_id_fingerprint_idx
    ON observability.incidents (org_id, fingerprint)
    WHERE status <> 'resolved';
CREATE INDEX incidents_org_id_created_at_idx
    ON observability.incidents (org_id, created_at DESC);
CREATE INDEX incidents_repo_id_idx
    ON observability.incidents (repo_id)
    WHERE repo_id IS NOT NULL;
CREATE INDEX incidents_service_id_idx
    ON observability.incidents (service_id)
    WHERE service_id IS NOT NULL;
CREATE INDEX incidents_environment_id_idx
    ON observability.incidents (environment_id)
    WHERE environment_id IS NOT NULL;
CREATE INDEX incidents_rule_id_idx
    ON observability.incidents (rule_id)
    WHERE rule_id IS NOT NULL;
CREATE INDEX incidents_acknowledged_by_idx
    ON observability.incidents (acknowledged_by)
    WHERE acknowledged_by IS NOT NULL;

COMMENT ON TABLE observability.incidents IS 'Production incidents of an organization, kept for good.';
COMMENT ON COLUMN observability.incidents.id IS 'Primary key.';
COMMENT ON COLUMN observability.incidents.status IS 'State: open, investigating, identified or resolved.';
COMMENT ON COLUMN observability.incidents.fingerprint IS 'What the incident is about, 1 to 255 characters, unique among the unresolved ones of the organization; NULL when nothing deduplicates it.';
COMMENT ON COLUMN observability.incidents.repo_id IS 'Repository at fault, if known.';
COMMENT ON COLUMN observability.incidents.severity IS 'How bad it is.';
COMMENT ON COLUMN observability.incidents.metadata IS 'What external systems say about it, a JSON object.';
COMMENT ON COLUMN observability.incidents.org_id IS 'Organization that owns the incident.';
COMMENT ON COLUMN observability.incidents.service_id IS 'Service that is affected, if known.';
COMMENT ON COLUMN observability.incidents.environment_id IS 'Environment that is affected, if known.';
COMMENT ON COLUMN observability.incidents.created_at IS 'When the incident was opened.';
COMMENT ON COLUMN observability.incidents.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN observability.incidents.resolved_at IS 'When it was resolved; NULL before, and after it was reopened. Kept by a trigger.';
COMMENT ON COLUMN observability.incidents.title IS 'What it is about, in 1 to 200 characters.';
COMMENT ON COLUMN observability.incidents.rule_id IS 'Alert rule that opened it; NULL for others, and when the rule was deleted.';
COMMENT ON COLUMN observability.incidents.occurrences IS 'How often it was seen, in all.';
COMMENT ON COLUMN observability.incidents.last_seen_at IS 'When it was last seen.';
COMMENT ON COLUMN observability.incidents.acknowledged_at IS 'When somebody took it on; NULL before, and after it was reopened.';
COMMENT ON COLUMN observability.incidents.acknowledged_by IS 'Who did; NULL for a key, and when the user was deleted.';
