COMMENT ON FUNCTION auth.request_password_reset(text) IS
    'Makes a token by which a password can be set, for the back end to mail to the address that was given, and returns a jsonb object with status (ok, or invalid_email for what is no address), token and expires_at. Answer and work are the same for an address that nobody has, or that has had three tokens within an hour: the token then matches nothing. Mail it all the same. For codeverify_service only, while it acts for no tenant; raises VC014 otherwise. Example: SELECT auth.request_password_reset($1);';
GRANT EXECUTE ON FUNCTION auth.request_password_reset(text) TO codeverify_service;

COMMENT ON FUNCTION auth.reset_password(text, text) IS
    'Sets a new password by a token that was mailed, and returns a jsonb object with status (ok, invalid, expired, used or invalid_password), on ok with user_id and sessions_revoked. A token works once; an unfit password does not use it up. Success ends all sessions of the user, voids the other tokens, unlocks the account and verifies the address that the token was sent to; a second factor stays. Nothing is raised for a wrong token. Example: SELECT auth.reset_password($1, $2);';
GRANT EXECUTE ON FUNCTION auth.reset_password(text, text) TO codeverify_service, codeverify_tenant;
