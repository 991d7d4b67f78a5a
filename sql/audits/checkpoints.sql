-- Checkpoints, proofs and what verifies them.

COMMENT ON FUNCTION audits.checkpoint() IS
    'Brings every lane''s committed entries since the last checkpoint into the ledger''s RFC 6962 Merkle tree, in the order of organization (the platform''s own ledger first), lane and seq, and returns a C2SP tlog-checkpoint of it, signed with the key in codeverify.ledger_key_file where that is set. Without new entries it returns the last one again, signed anew if the key has changed. Keep notes where those who can write here cannot: audits.verify_against(note) holds the ledger to them. Give a note away only after the transaction that made it has committed. A lane with a gap goes in up to the gap, with a warning. One runs at a time. Raises VC055 when the key file cannot be used, VC057 when the stored tree was changed, serialization_failure when the transaction''s snapshot is older than another checkpoint.';
GRANT EXECUTE ON FUNCTION audits.checkpoint() TO codeverify_admin;

COMMENT ON FUNCTION audits.leaf_index(bigint) IS
    'The place of an entry, given by its id, among the leaves of the Merkle tree, counted from 0; NULL when there is no such entry, no checkpoint covers it yet, or it was pruned from its archive. Of an archived entry, the segments that may have it are unpacked. Raises VC060 when one is damaged. Tenants and the service find entries of the organization in context, and take the permission read.';
GRANT EXECUTE ON FUNCTION audits.leaf_index(bigint) TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.inclusion_proof(bigint, bigint) IS
    'The RFC 6962 audit path that shows, with audits.verify_inclusion(), that a leaf is in the tree of this size. The tree may be that of any size up to the last checkpoint''s. It reads O(log n) rows. Raises VC056 for a size or a leaf that the tree does not have. Example: SELECT audits.inclusion_proof(audits.leaf_index($1), max(tree_size)) FROM audits.checkpoints;';
GRANT EXECUTE ON FUNCTION audits.inclusion_proof(bigint, bigint) TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.consistency_proof(bigint, bigint) IS
    'The RFC 6962 proof that shows, with audits.verify_consistency(), that the tree of the old size is the beginning of that of the new size. Empty for an old size of 0 and for equal sizes. Raises VC056 for sizes that the tree does not have or that are the wrong way round.';
GRANT EXECUTE ON FUNCTION audits.consistency_proof(bigint, bigint) TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.tree_root(bigint) IS
    'The root of the Merkle tree over the first entries, this many of them: any number up to the last checkpoint''s. Raises VC056 for more.';
GRANT EXECUTE ON FUNCTION audits.tree_root(bigint) TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.verify_inclusion(bytea, bigint, bigint, bytea[], bytea) IS
    'Whether the proof shows that the tree of this size and root has this leaf hash (an entry''s signature, decoded) at this place. Needs nothing but its arguments, raises nothing: what is no proof proves nothing.';
GRANT EXECUTE ON FUNCTION audits.verify_inclusion(bytea, bigint, bigint, bytea[], bytea)
TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.verify_consistency(bigint, bigint, bytea, bytea, bytea[]) IS
    'Whether the proof shows that the tree of the new size and root begins with that of the old size and root. Everything continues the empty tree, with an empty proof. Needs nothing but its arguments, raises nothing.';
GRANT EXECUTE ON FUNCTION audits.verify_consistency(bigint, bigint, bytea, bytea, bytea[])
TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.merkle_leaf_hash(bytea) IS
    'The RFC 6962 hash of a leaf with this content: SHA-256 of a zero byte and the content.';
GRANT EXECUTE ON FUNCTION audits.merkle_leaf_hash(bytea) TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.merkle_root(bytea[]) IS
    'The RFC 6962 root of a tree whose leaves have these contents; NULL when one of them is NULL.';
GRANT EXECUTE ON FUNCTION audits.merkle_root(bytea[]) TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.verify_note(text, text) IS
    'Whether a C2SP signed note has a valid Ed25519 signature by the key, which is given as a C2SP verifier key. A line that claims to be by that key and is not makes it false, whatever else there is. Needs nothing but its arguments, raises nothing.';
GRANT EXECUTE ON FUNCTION audits.verify_note(text, text) TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.verify_against(text) IS
    'Holds the ledger to a checkpoint that was kept outside. Verifies its signature, where a key is configured, compares its root with that of the stored tree at the note''s size, hashes every entry that it covers anew from its content, and compares that root too. Returns an object with status (consistent, inconsistent, unknown_size, bad_signature or invalid_note), detail, origin, tree_size, current_size, signature (valid, bad or unchecked) and, where it can be named, first_difference. Memory does not grow with the ledger. Raises VC055 when the key file cannot be used. Example: SELECT audits.verify_against($1) ->> ''status'';';
GRANT EXECUTE ON FUNCTION audits.verify_against(text) TO codeverify_admin, codeverify_auditor;

COMMENT ON FUNCTION audits.create_signing_key(text) IS
    'A new Ed25519 key for checkpoints with this name, in the text formats of C2SP signed notes. Write private_key into a file that only the server''s user can read and name it in codeverify.ledger_key_file; give verifier_key to those who verify. Nothing is stored. Raises VC055 for a name with spaces or plus signs.';
GRANT EXECUTE ON FUNCTION audits.create_signing_key(text) TO codeverify_admin;

COMMENT ON FUNCTION audits.verifier_key() IS
    'The C2SP verifier key of the key that signs checkpoints now; NULL when none is configured. Raises VC055 when the key file cannot be used.';
GRANT EXECUTE ON FUNCTION audits.verifier_key() TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.export_tiles(bigint, bigint) IS
    'The Merkle tree of this size (by default the last checkpoint''s) as the files of a C2SP tlog-tiles log: their paths and contents, the checkpoint last. With since, only what is new or has grown since the tree had that size. Contents are hashes: no entry can be read from them. Raises VC056 for a size that the tree does not have.';
GRANT EXECUTE ON FUNCTION audits.export_tiles(bigint, bigint) TO codeverify_admin, codeverify_auditor;
