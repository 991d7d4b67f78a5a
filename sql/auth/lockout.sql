-- Locked accounts.

COMMENT ON FUNCTION auth.unlock_user(uuid) IS
    'Forgets the failed log-ins of a user''s account and the wrong codes of its second factor, so that the next attempt is heard at once. The lock is lifted whatever becomes of the transaction. The status is ok or unknown_user. For codeverify_service and codeverify_admin. Example: SELECT auth.unlock_user($1) ->> ''status'';';
GRANT EXECUTE ON FUNCTION auth.unlock_user(uuid)
TO codeverify_admin, codeverify_service;
