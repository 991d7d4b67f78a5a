CREATE VIEW audits.entries
WITH (security_invoker = true)
AS
SELECT a.id,
       a.event_id,
       a.org_id,
       a.entity,
       a.action,
       a.actor_id,
       a.resource_id,
       a.payload,
       a.ip_address,
       a.user_agent,
       a.signature,
       a.prev_hash,
       a.ts,
       a.lane,
       a.seq,
       false AS is_archived
FROM audits.audit_log AS a
UNION ALL
SELECT r.id,
       r.event_id,
       r.org_id,
       r.entity,
       r.action,
       r.actor_id,
       r.resource_id,
       r.payload,
       r.ip_address,
       r.user_agent,
       r.signature,
       r.prev_hash,
       r.ts,
       r.lane,
       r.seq,
       true AS is_archived
FROM audits.read_archive(NULL, NULL) AS r;

COMMENT ON VIEW audits.entries IS 'The whole ledger, archived entries included, as far as the reader may see it. It unpacks every archive of the organization; audits.read_archive() with bounds unpacks only what it must.';
COMMENT ON COLUMN audits.entries.id IS 'Number of the entry.';
COMMENT ON COLUMN audits.entries.event_id IS 'Identifier of the entry for other systems.';
COMMENT ON COLUMN audits.entries.org_id IS 'Organization whose ledger the entry is in; NULL for what concerns the platform as a whole.';
COMMENT ON COLUMN audits.entries.entity IS 'Type of the resource, such as user or project.';
COMMENT ON COLUMN audits.entries.action IS 'What was done.';
COMMENT ON COLUMN audits.entries.actor_id IS 'User who did it; NULL when no user did.';
COMMENT ON COLUMN audits.entries.resource_id IS 'Resource that it was done to.';
COMMENT ON COLUMN audits.entries.payload IS 'Details of the action, a JSON object; audits.reveal() decrypts personal fields.';
COMMENT ON COLUMN audits.entries.ip_address IS 'IP address of the client.';
COMMENT ON COLUMN audits.entries.user_agent IS 'User agent of the client.';
COMMENT ON COLUMN audits.entries.signature IS 'SHA-256 of the entry and of prev_hash, 64 lower-case hex digits.';
COMMENT ON COLUMN audits.entries.prev_hash IS 'signature of the entry before it in its lane.';
COMMENT ON COLUMN audits.entries.ts IS 'When the entry was made.';
COMMENT ON COLUMN audits.entries.lane IS 'Which of the organization''s hash chains the entry is in.';
COMMENT ON COLUMN audits.entries.seq IS 'Place of the entry in its lane.';
COMMENT ON COLUMN audits.entries.is_archived IS 'Whether it is read from an archive.';

GRANT SELECT ON audits.entries TO codeverify_tenant;
