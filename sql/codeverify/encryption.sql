COMMENT ON FUNCTION codeverify.create_encryption_key() IS
    'Makes a key for secrets at rest and returns it as a line for the file that codeverify.encryption_key_file names. It is stored nowhere. Example: SELECT codeverify.create_encryption_key();';
GRANT EXECUTE ON FUNCTION codeverify.create_encryption_key() TO codeverify_admin;

COMMENT ON FUNCTION codeverify.reencrypt() IS
    'Encrypts all secrets at rest under the first key of the file that codeverify.encryption_key_file names, and returns how many were under another. Secrets that no key of the file opens stay as they are, with a warning. Their rows stay locked until the transaction ends; codeverify.reencrypt_some() does it in parts. Raises VC024 when the file cannot be used. Example: SELECT codeverify.reencrypt();';
GRANT EXECUTE ON FUNCTION codeverify.reencrypt() TO codeverify_admin;

COMMENT ON FUNCTION codeverify.reencrypt_some(integer, text) IS
    'Does a part of what codeverify.reencrypt() does: looks at no more than so many secrets that are not under the first key, behind where an earlier call has ended (NULL: from the start), and encrypts them under it. Returns how many it encrypted, how many no key of the file opens, which stay as they are, and how far it has come: that is for the next call, and NULL when nothing is left. Commit in between, and nobody waits for long; after an interruption, go on from anywhere or from the start. Raises VC024 when the file cannot be used and VC150 for a number below 1 or a position that is none. Example: SELECT * FROM codeverify.reencrypt_some(1000);';
GRANT EXECUTE ON FUNCTION codeverify.reencrypt_some(integer, text) TO codeverify_admin;
