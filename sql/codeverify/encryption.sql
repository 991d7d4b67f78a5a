COMMENT ON FUNCTION codeverify.create_encryption_key() IS
    'Makes a key for secrets at rest and returns it as a line for the file that codeverify.encryption_key_file names. It is stored nowhere. Example: SELECT codeverify.create_encryption_key();';
GRANT EXECUTE ON FUNCTION codeverify.create_encryption_key() TO codeverify_admin;

COMMENT ON FUNCTION codeverify.reencrypt() IS
    'Encrypts all secrets at rest under the first key of the file that codeverify.encryption_key_file names, and returns how many were under another. Secrets that no key of the file opens stay as they are, with a warning. Their rows stay locked until the transaction ends. Raises VC024 when the file cannot be used. Example: SELECT codeverify.reencrypt();';
GRANT EXECUTE ON FUNCTION codeverify.reencrypt() TO codeverify_admin;
