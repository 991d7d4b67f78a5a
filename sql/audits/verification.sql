-- Looking for what was changed behind the ledger's back.

CREATE FUNCTION audits.tally_entry(
    tally internal,
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
    user_agent text,
    signature text,
    key_high bigint,
    key_low bigint)
RETURNS internal
LANGUAGE c
IMMUTABLE
PARALLEL SAFE
AS 'MODULE_PATHNAME', 'codeverify_tally_entry';
COMMENT ON FUNCTION audits.tally_entry(internal, uuid, int, bigint, text, bigint, uuid, timestamptz, text, text, uuid, uuid, jsonb, text, text, text, bigint, bigint) IS
    'Adds an entry to a lane''s tally; part of the aggregate audits.tally().';

CREATE FUNCTION audits.join_tallies(one internal, other internal)
RETURNS internal
LANGUAGE c
IMMUTABLE
PARALLEL SAFE
AS 'MODULE_PATHNAME', 'codeverify_join_tallies';
COMMENT ON FUNCTION audits.join_tallies(internal, internal) IS
    'Joins what two processes have seen of a lane; part of the aggregate audits.tally().';

CREATE FUNCTION audits.write_tally(tally internal)
RETURNS bytea
LANGUAGE c
IMMUTABLE
STRICT
PARALLEL SAFE
AS 'MODULE_PATHNAME', 'codeverify_write_tally';
COMMENT ON FUNCTION audits.write_tally(internal) IS
    'A tally for another process; part of the aggregate audits.tally().';

CREATE FUNCTION audits.read_tally(bytes bytea, tally internal)
RETURNS internal
LANGUAGE c
IMMUTABLE
STRICT
PARALLEL SAFE
AS 'MODULE_PATHNAME', 'codeverify_read_tally';
COMMENT ON FUNCTION audits.read_tally(bytea, internal) IS
    'A tally from another process; part of the aggregate audits.tally().';

CREATE AGGREGATE audits.tally(
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
    user_agent text,
    signature text,
    key_high bigint,
    key_low bigint)
(
    SFUNC = audits.tally_entry,
    STYPE = internal,
    SSPACE = 512,
    COMBINEFUNC = audits.join_tallies,
    SERIALFUNC = audits.write_tally,
    DESERIALFUNC = audits.read_tally,
    FINALFUNC = audits.write_tally,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE audits.tally(uuid, int, bigint, text, bigint, uuid, timestamptz, text, text, uuid, uuid, jsonb, text, text, text, bigint, bigint) IS
    'What audits.verify_chain() keeps of a lane''s entries, which may come in any order: how many there are, how many do not fit their hashes, the first and the last, and sums that tell whether they hang together. The key is random in each verification.';

CREATE FUNCTION audits.verify_chain(
    org_id uuid DEFAULT NULL,
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL)
RETURNS TABLE (
    org_id uuid,
    lane int,
    seq bigint,
    id bigint,
    ts timestamptz,
    verdict text,
    detail text)
LANGUAGE c
STABLE
PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'codeverify_verify_chain';
COMMENT ON FUNCTION audits.verify_chain(uuid, timestamptz, timestamptz) IS
    'Verifies the ledger and returns what is wrong with it, no row when it is intact: altered, missing, truncated, forked, misplaced, reordered, head_mismatch or checkpoint_mismatch, with the entry where there is one; besides, pruned and erased, which are legal. Of all ledgers also what was changed in audits.retention_locks and audits.subject_keys otherwise than the ledger has it. Of an organization''s ledger, or of all with the platform''s own; entries since a time and before another. Takes the permission read and verifies the ledger in context; codeverify_auditor and codeverify_admin verify any. Raises VC011 without a context, VC062 for another organization''s ledger. Example: SELECT * FROM audits.verify_chain();';
GRANT EXECUTE ON FUNCTION audits.verify_chain(uuid, timestamptz, timestamptz)
TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.verify(boolean) IS
    'Verifies all ledgers and returns one verdict, intact or broken, with the numbers of entries, of lanes and of findings by verdict, the first finding and the seconds taken. It reads what has come since each lane was last found intact; with false, or the first time, everything. The result is stored in audits.verifications, how far lanes are intact in audits.lanes. Example: SELECT audits.verify() ->> ''verdict'';';
GRANT EXECUTE ON FUNCTION audits.verify(boolean)
TO codeverify_admin, codeverify_auditor;
