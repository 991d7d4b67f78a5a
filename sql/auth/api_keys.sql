COMMENT ON FUNCTION auth.create_api_key(uuid, text, jsonb, timestamptz, uuid) IS
    'Makes an API key of an organization and returns its id and its text, which is shown this once: only a SHA-256 is stored. Takes the permission manage; codeverify_service may also call it without a context. scopes is an array of at most 64 names: one of them must be read, write or admin, which decide the role that the key acts with; others are yours to check. Raises VC014 or VC011 when the caller may not, VC020 for a missing name, malformed scopes or an expires_at in the past. Example: SELECT * FROM auth.create_api_key(''0f0e...'', ''CI'', ''["read","write"]'', now() + interval ''90 days'');';
ALTER FUNCTION auth.create_api_key(uuid, text, jsonb, timestamptz, uuid) ROWS 1;
GRANT EXECUTE ON FUNCTION auth.create_api_key(uuid, text, jsonb, timestamptz, uuid)
TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.authenticate_api_key(text, text) IS
    'Verifies an API key and makes its organization the context until the transaction ends. Returns a jsonb object with status (ok, invalid, expired or insufficient_scope), org_id, api_key_id and scopes. A wrong key raises nothing; VC010 is raised when the transaction already acts for another identity. Pass the key as a bind parameter, so that it stays out of pg_stat_activity. Example: BEGIN; SELECT auth.authenticate_api_key($1, ''write'')->>''status''; ... COMMIT;';
GRANT EXECUTE ON FUNCTION auth.authenticate_api_key(text, text)
TO codeverify_service, codeverify_tenant, codeverify_ingest;
