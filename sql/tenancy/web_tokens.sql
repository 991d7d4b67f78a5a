COMMENT ON FUNCTION tenancy.authenticate_web_token(text, uuid) IS
    'Verifies a JSON Web Token with the keys of auth.add_jwt_key() and makes its user, as a member of the organization, the context until the transaction ends. The organization is the one given, or the one that the token names, or the only one that the user belongs to; the role is the membership''s, whatever the token says. Returns a jsonb object with status (ok, invalid, expired, not_yet_valid, no_membership or org_required), org_id, user_id and role. A wrong token raises nothing; VC010 is raised when the transaction already acts for another identity, VC024 when the secret of an issuer of HS256 cannot be decrypted. Pass the token as a bind parameter. Example: BEGIN; SELECT tenancy.authenticate_web_token($1)->>''status''; ... COMMIT;';
GRANT EXECUTE ON FUNCTION tenancy.authenticate_web_token(text, uuid) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION tenancy.from_jwt_claims()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- Not request.jwt.claims: any client of the database can set that, and nothing shows who has verified it.
    headers constant jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
    credentials constant text := headers ->> 'authorization';
    status text;
BEGIN
    IF credentials IS NULL OR lower(split_part(credentials, ' ', 1)) <> 'bearer' THEN
        RETURN;
    END IF;

    status := tenancy.authenticate_web_token(
        btrim(substr(credentials, length('bearer') + 1)),
        nullif(headers ->> 'x-organization-id', '')::uuid) ->> 'status';
    IF status IN ('no_membership', 'org_required') THEN
        RAISE EXCEPTION 'the web token was refused: %', status
            USING ERRCODE = 'PT403',
                  HINT = 'Name an organization of the user in the header X-Organization-Id.';
    ELSIF status <> 'ok' THEN
        RAISE EXCEPTION 'the web token was refused: %', status
            USING ERRCODE = 'PT401',
                  HINT = 'Get a new token from its issuer.';
    END IF;
END
$function$;
COMMENT ON FUNCTION tenancy.from_jwt_claims() IS
    'For PostgREST''s db-pre-request: takes the web token from the request''s Authorization header (Bearer), verifies it with tenancy.authenticate_web_token() and so makes its user the context of the request. A header X-Organization-Id names the organization where the token does not. A request without a token goes on without a context and sees no rows. Raises PT401, which PostgREST answers as 401, for a token that is wrong or expired, and PT403 for one whose user is no member of the organization or has to name one.';
GRANT EXECUTE ON FUNCTION tenancy.from_jwt_claims() TO codeverify_service, codeverify_tenant;
