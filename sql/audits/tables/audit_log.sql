-- No foreign keys: a statement trigger checks the references, and entries outlive what they name.
CREATE TABLE audits.audit_log (
    id          bigserial   NOT NULL,
    event_id    uuid        NOT NULL DEFAULT audits.create_event_id(),
    org_id      uuid                 DEFAULT tenancy.current_org_id(),
    entity      text,
    action      text        NOT NULL,
    actor_id    uuid                 DEFAULT tenancy.current_user_id(),
    resource_id uuid,
    payload     jsonb       NOT NULL DEFAULT '{}',
    ip_address  text,
    user_agent  text,
    signature   text        NOT NULL,
    prev_hash   text        NOT NULL,
    ts          timestamptz NOT NULL DEFAULT clock_timestamp(),
    lane        int         NOT NULL,
    seq         bigint      NOT NULL,
    CONSTRAINT audit_log_pkey PRIMARY KEY (id, ts),
    CONSTRAINT audit_log_event_id_ts_key UNIQUE (event_id, ts),
    CONSTRAINT audit_log_entity_check CHECK (length(entity) BETWEEN 1 AND 100),
    CONSTRAINT audit_log_action_check CHECK (length(action) BETWEEN 1 AND 255),
    CONSTRAINT audit_log_payload_check CHECK (jsonb_typeof(payload) = 'object'),
    CONSTRAINT audit_log_ip_address_check CHECK (length(ip_address) BETWEEN 1 AND 45),
    CONSTRAINT audit_log_signature_check CHECK (signature ~ '^[0-9a-f]{64}$'),
    CONSTRAINT audit_log_prev_hash_check CHECK (prev_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT audit_log_lane_check CHECK (lane BETWEEN 0 AND 31),
    CONSTRAINT audit_log_seq_check CHECK (seq > 0)
) PARTITION BY RANGE (ts);

-- Most of the time that a large entry took went into compressing it with pglz. Partitions take this from here.
DO $compression$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_settings AS s
        WHERE s.name = 'default_toast_compression'
          AND 'lz4' = ANY (s.enumvals))
    THEN
        ALTER TABLE audits.audit_log ALTER COLUMN payload SET COMPRESSION lz4;
    END IF;
END
$compression$;

CREATE TABLE audits.audit_log_default PARTITION OF audits.audit_log DEFAULT;

CREATE INDEX idx_audit_org
    ON audits.audit_log (org_id, ts);
CREATE INDEX audit_log_org_id_lane_seq_idx
    ON audits.audit_log (org_id, lane, seq);
CREATE INDEX audit_log_entity_idx
    ON audits.audit_log (entity);
CREATE INDEX audit_log_actor_id_idx
    ON audits.audit_log (actor_id);
CREATE INDEX audit_log_ts_idx
    ON audits.audit_log (ts);
CREATE INDEX audit_log_action_idx
    ON audits.audit_log (action);

SELECT codeverify.create_partitions('audits.audit_log', 'month', 1, 3);

COMMENT ON TABLE audits.audit_log IS 'The audit ledger: who did what to which resource, in hash chains; append-only, partitioned by UTC month.';
COMMENT ON COLUMN audits.audit_log.id IS 'Number of the entry; primary key together with ts.';
COMMENT ON COLUMN audits.audit_log.event_id IS 'Identifier of the entry for other systems, unique together with ts.';
COMMENT ON COLUMN audits.audit_log.org_id IS 'Organization whose ledger the entry is in; NULL for what concerns the platform as a whole.';
COMMENT ON COLUMN audits.audit_log.entity IS 'Type of the resource, such as user or project, 1 to 100 characters.';
COMMENT ON COLUMN audits.audit_log.action IS 'What was done, 1 to 255 characters.';
COMMENT ON COLUMN audits.audit_log.actor_id IS 'User who did it, in auth.users when the entry was made; NULL when no user did.';
COMMENT ON COLUMN audits.audit_log.resource_id IS 'Resource that it was done to.';
COMMENT ON COLUMN audits.audit_log.payload IS 'Details of the action, a JSON object.';
COMMENT ON COLUMN audits.audit_log.ip_address IS 'IP address of the client, up to 45 characters.';
COMMENT ON COLUMN audits.audit_log.user_agent IS 'User agent of the client.';
COMMENT ON COLUMN audits.audit_log.signature IS 'SHA-256 of the entry and of prev_hash, 64 lower-case hex digits: the leaf hash of RFC 6962. Set by the ledger.';
COMMENT ON COLUMN audits.audit_log.prev_hash IS 'signature of the entry before it in its lane, 64 lower-case hex digits; zeros in a lane''s first. Set by the ledger.';
COMMENT ON COLUMN audits.audit_log.ts IS 'When the entry was made, later than the one before it in its lane; decides the partition. Set by the ledger.';
COMMENT ON COLUMN audits.audit_log.lane IS 'Which of the organization''s hash chains the entry is in, 0 to 31. Set by the ledger.';
COMMENT ON COLUMN audits.audit_log.seq IS 'Place of the entry in its lane: 1, 2, 3 and so on without a gap. Set by the ledger.';
COMMENT ON TABLE audits.audit_log_default IS 'Entries of months that have no partition of their own.';
