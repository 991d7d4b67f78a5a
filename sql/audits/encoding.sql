-- What an entry's hash is made of.

COMMENT ON FUNCTION audits.encode_entry(uuid, int, bigint, text, bigint, uuid, timestamptz, text, text, uuid, uuid, jsonb, text, text) IS
    'The canonical encoding of a ledger entry, from its columns: what its hash is made of. docs/ledger_format.md describes it byte by byte. NULL when a column that is never NULL is. Raises invalid_parameter_value for a prev_hash that is not 64 lower-case hexadecimal digits, program_limit_exceeded for an encoding of more than 256 MB, data_corrupted for a damaged payload. Example: SELECT audits.encode_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id, payload, ip_address, user_agent) FROM audits.audit_log;';
GRANT EXECUTE ON FUNCTION audits.encode_entry(uuid, int, bigint, text, bigint, uuid, timestamptz, text, text, uuid, uuid, jsonb, text, text)
TO codeverify_admin, codeverify_auditor, codeverify_ingest, codeverify_service, codeverify_tenant;

-- Its body is parsed here and once, so that it needs no search_path and is put into the query that calls it.
CREATE FUNCTION audits.hash_entry(
    org_id uuid,
    lane int,
    seq bigint,
    prev_hash text,
    id bigint,
    event_id uuid,
    ts timestamptz,
    entity text,
    action text,
    actor_id uuid,
    resource_id uuid,
    payload jsonb,
    ip_address text,
    user_agent text
)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN pg_catalog.encode(
    pg_catalog.sha256(
        pg_catalog.decode('00', 'hex') || audits.encode_entry(
            org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id, payload,
            ip_address, user_agent
        )
    ),
    'hex'
);
COMMENT ON FUNCTION audits.hash_entry(uuid, int, bigint, text, bigint, uuid, timestamptz, text, text, uuid, uuid, jsonb, text, text) IS
    'What signature must be for a ledger entry with these columns: the SHA-256 of a zero byte and of audits.encode_entry() of the same, which is the leaf hash of RFC 6962. NULL when a column that is never NULL is; raises what audits.encode_entry() does. Example: SELECT id FROM audits.audit_log WHERE signature <> audits.hash_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id, payload, ip_address, user_agent);';
GRANT EXECUTE ON FUNCTION audits.hash_entry(uuid, int, bigint, text, bigint, uuid, timestamptz, text, text, uuid, uuid, jsonb, text, text)
TO codeverify_admin, codeverify_auditor, codeverify_ingest, codeverify_service, codeverify_tenant;
