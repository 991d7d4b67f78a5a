-- Issuers of web tokens, each with a key that auth.add_jwt_key() was given, and a function that makes tokens of the one
-- that shares a secret. Included by \ir after two_tenants.sql and key_files.sql, as a superuser; the file must end with
-- tap.remove_key_file().
SELECT tap.write_key_file(codeverify.create_encryption_key()) \g /dev/null
SELECT set_config('codeverify.encryption_key_file', tap.key_file(), true) \g /dev/null

CREATE FUNCTION tap.secret() RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'a secret that the issuer shares with us'$$;

CREATE FUNCTION tap.base64url(part bytea)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT translate(rtrim(encode(part, 'base64'), '='), E'+/\n', '-_')
$function$;

-- RFC 2104, for secrets of at most 64 bytes.
CREATE FUNCTION tap.hmac(message bytea, secret bytea)
RETURNS bytea
LANGUAGE plpgsql
IMMUTABLE
AS $function$
DECLARE
    inner_pad bytea := secret || decode(repeat('00', 64 - length(secret)), 'hex');
    outer_pad bytea := inner_pad;
BEGIN
    FOR place IN 0..63 LOOP
        inner_pad := set_byte(inner_pad, place, get_byte(inner_pad, place) # 54);
        outer_pad := set_byte(outer_pad, place, get_byte(outer_pad, place) # 92);
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END
$function$;

CREATE FUNCTION tap.sign(header text, claims text, secret text DEFAULT tap.secret())
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT s.signed || '.' || tap.base64url(tap.hmac(s.signed::bytea, secret::bytea))
    FROM (SELECT tap.base64url(header::bytea) || '.' || tap.base64url(claims::bytea)) AS s (signed)
$function$;

-- A token of the viewer of a for a; NULL as a value takes a claim away.
CREATE FUNCTION tap.token(claims jsonb DEFAULT '{}', header jsonb DEFAULT '{}')
RETURNS text
LANGUAGE sql
STABLE
AS $function$
    SELECT tap.sign(
        jsonb_strip_nulls('{"alg": "HS256", "typ": "JWT"}' || header)::text,
        jsonb_strip_nulls(jsonb_build_object(
            'iss', 'https://shared.test/',
            'aud', 'codeverify',
            'sub', tap.id('viewer of a'),
            'org_id', tap.id('a'),
            'exp', extract(epoch FROM clock_timestamp() + interval '5 minutes')) || claims)::text)
$function$;

SELECT auth.add_jwt_key('https://shared.test/', 'HS256', tap.secret(), audience => 'codeverify') AS shared_key \gset
SELECT auth.add_jwt_key('https://rsa.test/', 'RS256', $pem$-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzypw6BHsi9TLP7CRvtVR
vfuc0fN8j557laeDE3kOvu+AdXyuhJXHad0exonyizyOMWcNqgm3dkqAjNVeQR21
nksjhX7INLJPbdyetV9VdTSepQSsM9CRgigVa6efxRWmyWQ7wQ0+q6cNT7EM4MtW
UrdwaxR3WQAy2cnYJqQoo2Hp50Jf1O0u8nHLsx3cr3GWGmSJnD2HHiiNOL99g0O1
0FuXfSK0J3rf4Qg3+8Whoawuc7UlH5UwYnsFv/VUCNeT9RJl1bw9oQxxKJOpIJ29
pRDq8t8c5sp5erJ1UWBWr8kIfqjUctQpU23hoV9PacbnqcJx1XSsgyTnTzEY/uhP
vwIDAQAB
-----END PUBLIC KEY-----
$pem$, key_id => '1') AS rsa_key \gset
SELECT auth.add_jwt_key('https://ed.test/', 'EdDSA', $pem$-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA3ICEsbZwEghMbLBtH21dCF7VqfqHDn/RVmpbhizoZlw=
-----END PUBLIC KEY-----$pem$) AS ed_key \gset
SELECT auth.add_jwt_key('https://auth0.test/', 'HS256', tap.secret(), subject => 'auth0_sub', org_claim => 'https://example.org/org') AS auth0_key \gset

-- Of the viewer of a for a, until 2100, made by openssl.
CREATE FUNCTION tap.rsa_token()
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT 'eyJhbGciOiAiUlMyNTYiLCAia2lkIjogIjEifQ.eyJpc3MiOiAiaHR0cHM6Ly9yc2EudGVzdC8iLCAic3ViIjogImZjZDEzM2M5LTA5N2MtOGYwZi04ZjZiLTFlNGU2MTlmMzgwMiIsICJleHAiOiA0MTAyNDQ0ODAwLCAib3JnX2lkIjogIjBjYzE3NWI5LWMwZjEtYjZhOC0zMWMzLTk5ZTI2OTc3MjY2MSJ9.vYqMHtcDY_QVYeFG6l55ciTkzJRDt-RP9qa8FlQjuFJMbQfbOZ87vfM_c-XE1HbKB7r3_fVIJLB0zbDIFWZSZfN4BmREadS2DlfVtAkUatquwZ9qtVBKAP5KHluwz8cj05YcmmuPEl7Mk_8N-skgJPun2OgSglC1kKbyGT-spNzF6SxsaywTXDby0-c2iPJKyvy8pNBAC4iEgMkB_Ps6HYYsHv-RUy4bt6IKA_BYKHQJM1LAorXZ1MTKAyjqrngpY2HRxi5mit46qS_6E0YM6xowNgDGEUmXHRwaD2bwur4vbPSCFi9Vz0c5ak3OzHoRg7x09Cn8Ru5dC2DRu1Hk8w'
$function$;
CREATE FUNCTION tap.ed_token()
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT 'eyJhbGciOiAiRWREU0EiLCAidHlwIjogIkpXVCJ9.eyJpc3MiOiAiaHR0cHM6Ly9lZC50ZXN0LyIsICJzdWIiOiAiZmNkMTMzYzktMDk3Yy04ZjBmLThmNmItMWU0ZTYxOWYzODAyIiwgImV4cCI6IDQxMDI0NDQ4MDAsICJvcmdfaWQiOiAiMGNjMTc1YjktYzBmMS1iNmE4LTMxYzMtOTllMjY5NzcyNjYxIn0.H-TG8CkfldBMlbwvaA0bD5B87wayi4GGbZWEy_3Ec2rcybSI3rS5KYiUZ3m4XXZIliqjFTephYfYqeu6OZjICA'
$function$;
