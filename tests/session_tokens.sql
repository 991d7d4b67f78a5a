-- Tokens as auth::tokens makes them, from a seed, and sessions that have them. Included by \ir after two_tenants.sql, as
-- a superuser.

CREATE FUNCTION tap.crc32(content text)
RETURNS bigint
LANGUAGE plpgsql
IMMUTABLE
AS $function$
DECLARE
    crc bigint := 4294967295;
BEGIN
    FOR place IN 0 .. octet_length(content) - 1 LOOP
        crc := crc # get_byte(content::bytea, place);
        FOR bit IN 1 .. 8 LOOP
            crc := CASE WHEN crc & 1 = 1 THEN (crc >> 1) # 3988292384 ELSE crc >> 1 END;
        END LOOP;
    END LOOP;
    RETURN crc # 4294967295;
END
$function$;

-- A mark such as cv_session_, 30 characters and 6 of a checksum in base 62.
CREATE FUNCTION tap.token(mark text, seed text)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT b.body || string_agg(
        substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
               (tap.crc32(b.body) / (62 ^ p.place)::bigint % 62)::integer + 1, 1),
        '' ORDER BY p.place DESC)
    FROM (SELECT mark || left(md5(seed), 30)) AS b (body)
    CROSS JOIN generate_series(0, 5) AS p (place)
    GROUP BY b.body
$function$;

CREATE FUNCTION tap.hash(token text)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT encode(sha256(token::bytea), 'hex')
$function$;

-- A session of a user that began an hour ago, as auth.login() makes it; its tokens are those of its name.
CREATE PROCEDURE tap.begin_session(name text, username text, organization text DEFAULT NULL)
LANGUAGE sql
AS $procedure$
    INSERT INTO auth.sessions (
        id, user_id, login_org_id, session_token_hash, refresh_token_hash, created_at, session_token_expires_at, expires_at,
        absolute_expires_at)
    VALUES (
        tap.id(name), tap.id(username), tap.id(organization), tap.hash(tap.token('cv_session_', name)),
        tap.hash(tap.token('cv_refresh_', name)), now() - interval '1 hour', now() + interval '10 minutes',
        now() + interval '7 days', now() + interval '30 days')
$procedure$;
