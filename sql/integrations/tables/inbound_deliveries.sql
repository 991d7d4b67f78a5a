CREATE TABLE integrations.inbound_deliveries (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    provider        text        NOT NULL,
    delivery_id     text        NOT NULL,
    event           text        NOT NULL,
    payload_hash    text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    org_id          uuid        DEFAULT tenancy.current_org_id(),
    action          text,
    status          text        NOT NULL DEFAULT 'handled',
    installation_id bigint,
    repo_id         uuid,
    details         jsonb       NOT NULL DEFAULT '{}',
    facts           jsonb,
    verified_by     uuid,
    CONSTRAINT inbound_deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT uq_webhook_delivery_provider_id UNIQUE (provider, delivery_id),
    CONSTRAINT inbound_deliveries_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT inbound_deliveries_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE SET NULL (repo_id),
    CONSTRAINT inbound_deliveries_provider_check CHECK (length(provider) BETWEEN 1 AND 255),
    CONSTRAINT inbound_deliveries_delivery_id_check CHECK (length(delivery_id) BETWEEN 1 AND 255),
    CONSTRAINT inbound_deliveries_event_check CHECK (length(event) BETWEEN 1 AND 255),
    CONSTRAINT inbound_deliveries_payload_hash_check CHECK (payload_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT inbound_deliveries_action_check CHECK (length(action) BETWEEN 1 AND 255),
    CONSTRAINT inbound_deliveries_status_check CHECK (status IN ('handled', 'ignored', 'refused', 'unclaimed')),
    CONSTRAINT inbound_deliveries_installation_id_check CHECK (installation_id > 0),
    CONSTRAINT inbound_deliveries_repo_id_check CHECK (repo_id IS NULL OR org_id IS NOT NULL),
    CONSTRAINT inbound_deliveries_details_check CHECK (jsonb_typeof(details) = 'object'),
    -- What is not handled yet can be, and what is handled is not kept twice.
    CONSTRAINT inbound_deliveries_facts_check CHECK (
        CASE status
            WHEN 'unclaimed' THEN coalesce(jsonb_typeof(facts) = 'object', false) AND installation_id IS NOT NULL AND org_id IS NULL
            ELSE facts IS NULL
        END
    )
);

CREATE INDEX inbound_deliveries_created_at_idx
    ON integrations.inbound_deliveries (created_at);

CREATE INDEX inbound_deliveries_org_id_created_at_idx
    ON integrations.inbound_deliveries (org_id, created_at DESC);

CREATE INDEX inbound_deliveries_org_id_repo_id_idx
    ON integrations.inbound_deliveries (org_id, repo_id)
    WHERE repo_id IS NOT NULL;

-- What rules about deployments read.
CREATE INDEX inbound_deliveries_workflow_runs_idx
    ON integrations.inbound_deliveries (org_id, created_at)
    WHERE event = 'workflow_run';

-- What a claim catches up with.
CREATE INDEX inbound_deliveries_unclaimed_idx
    ON integrations.inbound_deliveries (installation_id, created_at)
    WHERE status = 'unclaimed';

COMMENT ON TABLE integrations.inbound_deliveries IS 'Webhook deliveries that came in, so that each is handled once. Not partitioned: a delivery is known again whenever it comes.';
COMMENT ON COLUMN integrations.inbound_deliveries.id IS 'Primary key.';
COMMENT ON COLUMN integrations.inbound_deliveries.provider IS 'Who delivered, such as github, 1 to 255 characters.';
COMMENT ON COLUMN integrations.inbound_deliveries.delivery_id IS 'The provider''s identifier of the delivery, such as GitHub''s GUID, 1 to 255 characters. Of one that was signed with an organization''s own secret, @ and the organization follow: whoever has such a secret says what identifiers it likes, and must be in nobody else''s way.';
COMMENT ON COLUMN integrations.inbound_deliveries.event IS 'Type of the event, such as workflow_run, 1 to 255 characters.';
COMMENT ON COLUMN integrations.inbound_deliveries.payload_hash IS 'SHA-256 of the body, 64 hexadecimal digits.';
COMMENT ON COLUMN integrations.inbound_deliveries.created_at IS 'When the delivery came in.';
COMMENT ON COLUMN integrations.inbound_deliveries.org_id IS 'Organization that the delivery concerns; NULL until that is known.';
COMMENT ON COLUMN integrations.inbound_deliveries.action IS 'What the payload''s action says, such as completed, 1 to 255 characters; NULL where the event has none.';
COMMENT ON COLUMN integrations.inbound_deliveries.status IS 'What became of it: handled; ignored, where nothing follows from it; refused, where it names what another organization has; unclaimed, until an organization claims the installation.';
COMMENT ON COLUMN integrations.inbound_deliveries.installation_id IS 'GitHub''s number of the installation that the payload names, as in scm.installations.github_installation_id; no foreign key, since deliveries may come first.';
COMMENT ON COLUMN integrations.inbound_deliveries.repo_id IS 'Repository that the delivery concerns, in scm.repositories; NULL where there is none.';
COMMENT ON COLUMN integrations.inbound_deliveries.details IS 'What is worth knowing of it, a JSON object that depends on the event: of workflow_run workflow, conclusion, branch, head_sha, run_id, attempt, trigger and url; of what is ignored or refused the reason.';
COMMENT ON COLUMN integrations.inbound_deliveries.facts IS 'What an unclaimed delivery says, a JSON object, to be handled when its installation is claimed; NULL for all others.';
COMMENT ON COLUMN integrations.inbound_deliveries.verified_by IS 'The row of integrations.inbound_secrets that its signature was made with; no foreign key, since it outlives a retired one.';
