-- Making entries.

COMMENT ON FUNCTION audits.create_event_id() IS
    'A uuid of version 7, which begins with the time: the default of audits.audit_log.event_id.';
GRANT EXECUTE ON FUNCTION audits.create_event_id()
TO codeverify_admin, codeverify_service;

COMMENT ON FUNCTION audits.append(text, text, jsonb, uuid, uuid, uuid, text, text) IS
    'Appends an entry to the ledger and returns its id. entity is the type of the resource (1 to 100 characters), action what was done (1 to 255), payload an object with details. Without actor_id and org_id it is the context''s user and organization; inside a context no other organization may be named, and only codeverify_service another actor. Without a context, codeverify_service and codeverify_admin name the organization, or none: then the entry goes to the platform''s own ledger. Takes the permission write. Raises VC011 without a context, VC014 for another organization''s ledger, VC018 for another actor, VC052 for an action that begins with row. or table. or, in the platform''s own ledger, an entity that begins with audits., foreign_key_violation for an organization or actor that does not exist. Example: SELECT audits.append(''project'', ''project.renamed'', ''{"from": "a", "to": "b"}'', resource_id => $1);';
GRANT EXECUTE ON FUNCTION audits.append(text, text, jsonb, uuid, uuid, uuid, text, text)
TO codeverify_admin, codeverify_service, codeverify_tenant;

CREATE FUNCTION audits.chain_entry()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_chain_entry';
COMMENT ON FUNCTION audits.chain_entry() IS
    'Trigger function: puts each new entry of audits.audit_log at the end of a lane of its organization: lane, seq, prev_hash, signature and ts. An entry that comes with signature and prev_hash, as from a dump or another server, is verified and stored as it is. Raises VC050 when other columns of the ledger are given or some are missing, VC051 when a hash does not fit, VC052 for a reserved action, foreign_key_violation for an organization or actor that does not exist.';
