COMMENT ON FUNCTION auth.authenticate_session(text, uuid) IS
    'Verifies a session token and makes its user, and an organization of that user, the context until the transaction ends. The organization is org_id; without it, the one that was chosen at log-in if the user is still a member of it; without that, the only one the user has. Returns a jsonb object with status (ok, invalid, expired, revoked, no_membership or org_required), org_id, user_id, role, session_id, expires_at (of the token), and with org_required the organizations to choose from. Membership is looked up at every call, as it is committed now at any isolation level. A wrong token raises nothing; VC010 is raised when the transaction already acts for another identity. Pass the token as a bind parameter. Example: BEGIN; SELECT auth.authenticate_session($1)->>''status''; ... COMMIT;';
GRANT EXECUTE ON FUNCTION auth.authenticate_session(text, uuid)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.refresh_session(text) IS
    'Exchanges a refresh token for a new session token and a new refresh token, and prolongs the session up to its absolute end. Returns a jsonb object with status (ok, invalid, expired, revoked or reused), session_id, session_token, session_token_expires_at, refresh_token and expires_at. A token is exchanged once; again within 10 seconds, while its child has not been exchanged itself, it gives the same pair. Any other token that was exchanged before ends the session (status reused), also if the transaction is rolled back. Commit before you hand the tokens on. Above READ COMMITTED, two exchanges at once are a serialization failure for one. Example: SELECT auth.refresh_session($1);';
GRANT EXECUTE ON FUNCTION auth.refresh_session(text)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.logout(text) IS
    'Ends a session by its session token or its refresh token, expired and exchanged ones included. Returns a jsonb object with status: ok, invalid, or expired or revoked when the session had ended before. A wrong token raises nothing. Example: SELECT auth.logout($1)->>''status'';';
GRANT EXECUTE ON FUNCTION auth.logout(text)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.list_sessions(uuid) IS
    'The sessions of a user that have not ended, the last used first: of the user in context, or of any for codeverify_service outside of a context. is_current is true for the one that this transaction was authenticated with. Raises VC014 for another user. Example: SELECT * FROM auth.list_sessions();';
ALTER FUNCTION auth.list_sessions(uuid) ROWS 10;
GRANT EXECUTE ON FUNCTION auth.list_sessions(uuid)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.revoke_session(uuid) IS
    'Ends one session of the user in context, or any for codeverify_service outside of a context. False when there is no such session, or it has ended. It waits for nobody who uses the session. Raises VC014 without a user in context. Example: SELECT auth.revoke_session(id) FROM auth.list_sessions() WHERE NOT is_current;';
GRANT EXECUTE ON FUNCTION auth.revoke_session(uuid)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.revoke_sessions(uuid) IS
    'Ends all sessions of a user, the current one included, and returns how many: of the user in context, or of any for codeverify_service outside of a context. Administrators of an organization do not end sessions, since users are global: they remove members. Raises VC014 for another user. Example: SELECT auth.revoke_sessions(tenancy.current_user_id());';
GRANT EXECUTE ON FUNCTION auth.revoke_sessions(uuid)
TO codeverify_service, codeverify_tenant;

CREATE FUNCTION auth.delete_expired_sessions(batch integer DEFAULT 1000)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- A session is kept for a week after its end, so that its tokens are answered with what became of it.
    horizon constant timestamptz := now() - interval '7 days';
    deleted integer;
BEGIN
    -- As an array, which is made once: a plan that ran the subquery again for each row would lock other rows each time,
    -- and delete more than a batch.
    DELETE FROM auth.sessions
    WHERE id = ANY (ARRAY(
        SELECT s.id
        FROM auth.sessions AS s
        WHERE s.expires_at < horizon
        ORDER BY s.expires_at
        LIMIT batch
        FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS deleted = ROW_COUNT;

    DELETE FROM auth.session_revocations
    WHERE id = ANY (ARRAY(
        SELECT r.id
        FROM auth.session_revocations AS r
        WHERE NOT EXISTS (SELECT FROM auth.sessions AS s WHERE s.id = r.session_id)
        LIMIT batch
    ));
    RETURN deleted;
END
$function$;
COMMENT ON FUNCTION auth.delete_expired_sessions(integer) IS
    'Deletes sessions that ended more than 7 days ago, with the history of their refresh tokens, and revocations of sessions that are gone. At most batch sessions at a time; returns how many, so call it until it returns less than batch. For codeverify_admin and codeverify_service. Example: SELECT auth.delete_expired_sessions();';
GRANT EXECUTE ON FUNCTION auth.delete_expired_sessions(integer)
TO codeverify_admin, codeverify_service;
