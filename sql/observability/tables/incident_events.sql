CREATE TABLE observability.incident_events (
    id          bigserial   NOT NULL,
    org_id      uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    incident_id uuid        NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind        text        NOT NULL,
    actor_id    uuid                 DEFAULT tenancy.current_user_id(),
    note        text,
    details     jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT incident_events_pkey PRIMARY KEY (id),
    CONSTRAINT incident_events_org_id_incident_id_fkey FOREIGN KEY (org_id, incident_id)
        REFERENCES observability.incidents (org_id, id) ON DELETE CASCADE,
    CONSTRAINT incident_events_actor_id_fkey FOREIGN KEY (actor_id)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT incident_events_kind_check CHECK (kind IN (
        'opened', 'seen', 'acknowledged', 'investigating', 'identified', 'resolved', 'reopened', 'linked', 'changed', 'noted')),
    CONSTRAINT incident_events_note_check CHECK (length(note) BETWEEN 1 AND 10000),
    CONSTRAINT incident_events_kind_note_check CHECK ((kind = 'noted') = (note IS NOT NULL)),
    CONSTRAINT incident_events_details_check CHECK (jsonb_typeof(details) = 'object')
);

CREATE INDEX incident_events_org_id_incident_id_idx
    ON observability.incident_events (org_id, incident_id, id);
CREATE INDEX incident_events_actor_id_idx
    ON observability.incident_events (actor_id)
    WHERE actor_id IS NOT NULL;

COMMENT ON TABLE observability.incident_events IS 'What happened to incidents, written by a trigger and by observability.note_incident(): append-only, kept as long as the incident.';
COMMENT ON COLUMN observability.incident_events.id IS 'Primary key; events of one incident are in this order.';
COMMENT ON COLUMN observability.incident_events.org_id IS 'Organization that owns the incident.';
COMMENT ON COLUMN observability.incident_events.incident_id IS 'The incident.';
COMMENT ON COLUMN observability.incident_events.occurred_at IS 'When it happened, by the clock of the server.';
COMMENT ON COLUMN observability.incident_events.kind IS 'What happened: opened, seen (again), acknowledged, investigating, identified, resolved, reopened, linked (to a repository, service or environment), changed or noted.';
COMMENT ON COLUMN observability.incident_events.actor_id IS 'User in context then; NULL for a key, for maintenance, and when the user was deleted.';
COMMENT ON COLUMN observability.incident_events.note IS 'What was said, 1 to 10000 characters; of the kind noted only.';
COMMENT ON COLUMN observability.incident_events.details IS 'Further facts, a JSON object: columns that changed as {"from", "to"}, metadata without its values.';
