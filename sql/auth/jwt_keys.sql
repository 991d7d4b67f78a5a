COMMENT ON FUNCTION auth.add_jwt_key(text, text, text, text, text, text, text, boolean) IS
    'Makes the JSON Web Tokens of an issuer believed, and returns the key''s id. For codeverify_service outside of a context: whoever adds a key can make tokens for everybody. issuer is the tokens'' iss; algorithm is HS256, RS256 or EdDSA, and no token of the key may use another; key is the shared secret of 32 to 1024 bytes (in Base64 where key_is_base64), which is stored encrypted, or the public key in PEM form (RSA of 2048 to 4096 bits, or Ed25519); key_id is the tokens'' kid, NULL where they have none; audience must be among their aud unless it is NULL; org_claim is the claim that has the organization''s id; subject is the column of auth.users that their sub names, id or auth0_sub. Raises VC028 for an argument that will not do, VC024 when the secret cannot be encrypted, VC014 inside a context, unique_violation for an issuer''s key_id that is there. Pass a secret as a bind parameter. Example: SELECT auth.add_jwt_key(''https://login.example.org/'', ''RS256'', $1, key_id => ''2026-01'', audience => ''codeverify'');';
GRANT EXECUTE ON FUNCTION auth.add_jwt_key(text, text, text, text, text, text, text, boolean)
TO codeverify_service;

CREATE FUNCTION auth.disable_jwt_key(jwt_key_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    UPDATE auth.jwt_keys AS k
    SET enabled = false
    WHERE k.id = jwt_key_id
      AND k.enabled;
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION auth.disable_jwt_key(uuid) IS
    'Stops believing the web tokens of a key, from the next transaction on; false when there is no such key or it is disabled. Example: SELECT auth.disable_jwt_key(''0f0e...'');';
GRANT EXECUTE ON FUNCTION auth.disable_jwt_key(uuid) TO codeverify_admin, codeverify_service;

CREATE FUNCTION auth.remove_jwt_key(jwt_key_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    DELETE FROM auth.jwt_keys AS k
    WHERE k.id = jwt_key_id;
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION auth.remove_jwt_key(uuid) IS
    'Removes a key of web tokens; false when there is none. Example: SELECT auth.remove_jwt_key(''0f0e...'');';
GRANT EXECUTE ON FUNCTION auth.remove_jwt_key(uuid) TO codeverify_admin, codeverify_service;

CREATE FUNCTION auth.list_jwt_keys()
RETURNS TABLE (
    jwt_key_id uuid,
    issuer text,
    key_id text,
    algorithm text,
    public_key text,
    audience text,
    org_claim text,
    subject text,
    enabled boolean,
    created_at timestamptz)
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT k.id, k.issuer, k.key_id, k.algorithm, k.public_key, k.audience, k.org_claim, k.subject, k.enabled, k.created_at
    FROM auth.jwt_keys AS k
    ORDER BY k.issuer, k.created_at, k.id
$function$;
COMMENT ON FUNCTION auth.list_jwt_keys() IS
    'The keys whose web tokens are believed, without the shared secrets.';
GRANT EXECUTE ON FUNCTION auth.list_jwt_keys() TO codeverify_admin, codeverify_service;
