-- People who can log in.

COMMENT ON FUNCTION auth.register_user(text, text, text, jsonb) IS
    'Makes a user who logs in with a password. For codeverify_service outside of a context. Returns a jsonb object with status: ok (with user_id, verification_token to be mailed to the address, and expires_at), email_taken, invalid_email, invalid_password (with reason: too_short, too_long or control_characters), invalid_username (1 to 255 characters) or invalid_settings (an object of at most 64 kB). The address is stored trimmed, in NFKC and lower case; the password has 8 to 1024 characters. Both outcomes for a well-formed address take the same work. Raises VC014 for any other caller. Pass the password as a bind parameter. Example: SELECT auth.register_user($1, $2, ''ada'')->>''status'';';
GRANT EXECUTE ON FUNCTION auth.register_user(text, text, text, jsonb) TO codeverify_service;

COMMENT ON FUNCTION auth.verify_email(text) IS
    'Takes back a token that was mailed to an address, which shows that its user reads the mail there. Returns a jsonb object with status: ok (with user_id), invalid (unknown, replaced by a newer one, or of an address that was changed since), expired or used. Example: SELECT auth.verify_email($1)->>''status'';';
GRANT EXECUTE ON FUNCTION auth.verify_email(text) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.request_email_verification(uuid) IS
    'A new token to be mailed to a user''s address; earlier ones stop working. For codeverify_service outside of a context: whoever gets the token can say that they read the user''s mail. Returns a jsonb object with status: ok (with email, verification_token and expires_at), already_verified or no_email. Raises VC014 for any other caller, VC022 for NULL, VC023 for a user who does not exist. Example: SELECT auth.request_email_verification(''5a5b...'');';
GRANT EXECUTE ON FUNCTION auth.request_email_verification(uuid) TO codeverify_service;

COMMENT ON FUNCTION auth.link_identity(uuid, bigint, text) IS
    'Notes who a user is at GitHub, at Auth0 or both, after an OAuth log-in that the back end has checked. For codeverify_service outside of a context. Returns a jsonb object with status: ok, also when it was linked before; identity_taken when it is another user''s; already_linked when the user has another identity there. Raises VC014 for any other caller, VC022 for no or a malformed identity, VC023 for a user who does not exist. Example: SELECT auth.link_identity(''5a5b...'', github_id => 3275593);';
GRANT EXECUTE ON FUNCTION auth.link_identity(uuid, bigint, text) TO codeverify_service;

-- The block is what turns two who link one identity at the same time into one who is told so.
CREATE FUNCTION auth.set_identity(user_id uuid, github_id bigint, auth0_sub text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    found_user record;
BEGIN
    SELECT u.github_id, u.auth0_sub
    INTO found_user
    FROM auth.users AS u
    WHERE u.id = set_identity.user_id
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF found_user.github_id <> set_identity.github_id OR found_user.auth0_sub <> set_identity.auth0_sub THEN
        RETURN 'already_linked';
    END IF;

    UPDATE auth.users AS u
    SET github_id = coalesce(set_identity.github_id, u.github_id),
        auth0_sub = coalesce(set_identity.auth0_sub, u.auth0_sub)
    WHERE u.id = set_identity.user_id;
    RETURN 'ok';
EXCEPTION
    WHEN unique_violation THEN
        RETURN 'identity_taken';
END
$function$;
COMMENT ON FUNCTION auth.set_identity(uuid, bigint, text) IS
    'A part of auth.link_identity, which is its only caller: ok, identity_taken or already_linked; NULL for a user who does not exist.';

CREATE FUNCTION auth.forget_verification()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    NEW.verified := false;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION auth.forget_verification() IS
    'Trigger function of auth.users: an address that was changed is not verified, whoever changed it and whatever they say of it.';
