-- Passwords of users.

COMMENT ON FUNCTION auth.change_password(uuid, text, text) IS
    'Changes the password of the user in context, or of any for codeverify_service outside of a context, and ends the user''s sessions except the one that the transaction was opened with. It counts as an attempt to log in. Returns a jsonb object with status: ok (with sessions_revoked), invalid_credentials (the old password is wrong, or there is none), locked (with retry_at) or invalid_password (the new one; with reason: too_short, too_long or control_characters). Raises VC014 for another''s user, VC022 for NULL, VC023 for a user who does not exist. Pass the passwords as bind parameters. Example: SELECT auth.change_password(tenancy.current_user_id(), $1, $2)->>''status'';';
GRANT EXECUTE ON FUNCTION auth.change_password(uuid, text, text) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.import_password_hash(uuid, text) IS
    'Gives a user who has no password the hash that an older system kept: a PHC string of Argon2, or bcrypt ($2a$, $2b$, $2y$). It is replaced by one of Argon2id when the user logs in. For codeverify_admin. Raises VC021 for any other text and for a hash that takes too much to verify (more than 1 GB, 16 iterations, 16 lanes or cost 15), VC022 for a user who has another password, VC023 for a user who does not exist. Example: SELECT auth.import_password_hash(''5a5b...'', ''$2b$12$...'');';
GRANT EXECUTE ON FUNCTION auth.import_password_hash(uuid, text) TO codeverify_admin;
