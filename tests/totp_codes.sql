-- One-time passwords of this moment, as an authenticator app makes them. Included by \ir after two_tenants.sql and
-- key_files.sql.
CREATE EXTENSION pgcrypto WITH SCHEMA tap;

CREATE FUNCTION tap.base32_bytes(text text)
RETURNS bytea
LANGUAGE sql
IMMUTABLE
AS $function$
    WITH bits (all_of_them) AS (
        SELECT string_agg((strpos('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', c.letter) - 1)::bit(5)::text, '' ORDER BY c.place)
        FROM regexp_split_to_table(text, '') WITH ORDINALITY AS c (letter, place)
    )
    SELECT decode(string_agg(lpad(to_hex(substr(b.all_of_them, 8 * n.place + 1, 8)::bit(8)::int), 2, '0'), '' ORDER BY n.place), 'hex')
    FROM bits AS b
    CROSS JOIN LATERAL generate_series(0, length(b.all_of_them) / 8 - 1) AS n (place)
$function$;

CREATE FUNCTION tap.totp(secret text, steps int DEFAULT 0)
RETURNS text
LANGUAGE sql
VOLATILE
AS $function$
    WITH step (number) AS (
        SELECT floor(extract(epoch FROM clock_timestamp()) / 30)::bigint + steps
    ),
    signature (bytes) AS (
        SELECT tap.hmac(int8send(s.number), tap.base32_bytes(secret), 'sha1') FROM step AS s
    ),
    truncated (number) AS (
        SELECT ('x' || encode(substr(s.bytes, o.place + 1, 4), 'hex'))::bit(32)::bigint & x'7fffffff'::bigint
        FROM signature AS s
        CROSS JOIN LATERAL (SELECT get_byte(s.bytes, 19) & 15) AS o (place)
    )
    SELECT lpad((t.number % 1000000)::text, 6, '0') FROM truncated AS t
$function$;
COMMENT ON FUNCTION tap.totp(text, int) IS 'The code of a seed in Base32, of now or so many steps of 30 seconds later.';

-- A key to encrypt seeds under.
DO $key$
BEGIN
    PERFORM tap.write_key_file('tap:' || encode(sha256('tap'), 'base64'));
    PERFORM set_config('codeverify.encryption_key_file', tap.key_file(), true);
END
$key$;

-- A step is chosen that is not over before it was used: what is tested takes a second, on a busy server some.
SELECT pg_sleep(30.1 - r.seconds)
FROM (SELECT extract(epoch FROM clock_timestamp())::numeric % 30) AS r (seconds)
WHERE r.seconds > 18
\g /dev/null
