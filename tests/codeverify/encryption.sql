-- Secrets at rest: under a key from a file, bound to their place, and brought under another key.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../key_files.sql

-- What a row stores of a user's seed, and a second user's.
CREATE FUNCTION tap.stored(name text)
RETURNS text
LANGUAGE sql
AS $$SELECT u.totp_secret FROM auth.users AS u WHERE u.id = tap.id(name)$$;

-- Keys are made for the operator.
CALL tap.act(login => 'tap_admin');
CREATE TEMP TABLE line AS SELECT n, codeverify.create_encryption_key() AS text FROM generate_series(1, 3) AS n;
SELECT matches(l.text, '^[0-9a-f]{8}:[A-Za-z0-9+/]{43}=$', 'a key is a line of an id and 32 bytes') FROM line AS l;
SELECT is((SELECT count(DISTINCT split_part(l.text, ':', p.part)) FROM line AS l), 3::bigint, 'no two of which are alike')
FROM (VALUES (1), (2)) AS p (part);
SELECT throws_ok('SHOW codeverify.encryption_key_file', '42501', NULL, 'nor does anybody but a superuser learn where the file is');
SELECT throws_ok($$SET codeverify.encryption_key_file = '/tmp/mine'$$, '42501', NULL, 'or say where');
CALL tap.act(login => 'tap_service');
SELECT throws_ok('SELECT codeverify.create_encryption_key()', '42501', NULL, 'a key is not for the back end to make');
SELECT throws_ok('SELECT codeverify.reencrypt()', '42501', NULL, 'nor is changing it');

-- Without a usable file no secret is stored.
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.encryption_key_file', '', true);
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    $$SELECT auth.enroll_totp(tap.id('owner of a'))$$, 'VC024',
    'secrets at rest cannot be encrypted or decrypted: codeverify.encryption_key_file is not set', 'without a file nothing is encrypted');
CREATE FUNCTION pg_temp.problem(content text, mode text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    message text;
    hint text;
BEGIN
    CALL tap.act();
    RESET SESSION AUTHORIZATION;
    PERFORM tap.write_key_file(content, mode);
    PERFORM set_config('codeverify.encryption_key_file', tap.key_file(), true);
    PERFORM codeverify.reencrypt();
    RETURN 'none';
EXCEPTION
    WHEN SQLSTATE 'VC024' THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        RETURN CASE WHEN message || hint LIKE '%' || tap.key_file() || '%' OR message || hint LIKE '%AAAA%' THEN 'it tells too much' ELSE message END;
END
$function$;
RESET SESSION AUTHORIZATION;
SELECT is(pg_temp.problem(t.content, t.mode), 'secrets at rest cannot be encrypted or decrypted: ' || t.problem, t.problem)
FROM (VALUES
    ('k:' || repeat('A', 43) || '=', '640', 'others than its owner have access to it'),
    ('k:' || repeat('A', 43) || '=', '604', 'others than its owner have access to it'),
    ('', '600', 'its content is not a key'),
    ('k:AAAA', '600', 'its content is not a key'),
    ('k:' || repeat('A', 43) || E'=\nk:' || repeat('A', 43) || '=', '600', 'its content is not a key'),
    (repeat('A', 20000), '600', 'it is too large')
) AS t (content, mode, problem);
SELECT is(pg_temp.problem('k:' || repeat('A', 43) || '=', '600'), 'none', 'a private file of a key is good');

-- With one, it is stored as ciphertext.
SELECT tap.write_key_file((SELECT l.text FROM line AS l WHERE l.n = 1));
SELECT set_config('codeverify.encryption_key_file', tap.key_file(), true);
CALL tap.act(login => 'tap_service');
CREATE TEMP TABLE enrolled AS
SELECT u.name, auth.enroll_totp(tap.id(u.name)) ->> 'secret' AS secret FROM (VALUES ('owner of a'), ('owner of b')) AS u (name);
RESET SESSION AUTHORIZATION;
SELECT matches(
    tap.stored(e.name),
    '^cv1:' || (SELECT split_part(l.text, ':', 1) FROM line AS l WHERE l.n = 1) || ':[A-Za-z0-9+/]{64}$',
    'what is stored names the key')
FROM enrolled AS e;
SELECT isnt(tap.stored('owner of a'), tap.stored('owner of b'), 'and is never the same');
SELECT is_empty(
    $$
        SELECT
        FROM enrolled AS e
        JOIN auth.users AS u ON u.id = tap.id(e.name)
        WHERE to_jsonb(u)::text ~ e.secret
    $$,
    'nothing of the secret is there to read');

-- Rotation: a new key before the old one, encrypt anew, then the old one can go.
SELECT throws_ok(
    $$INSERT INTO auth.users (totp_confirmed_at) VALUES (now())$$, '23514', NULL, 'there is no second factor without a seed');
CREATE TEMP TABLE before AS SELECT e.name, tap.stored(e.name) AS text FROM enrolled AS e;
CALL tap.act(login => 'tap_admin');
SELECT is(codeverify.reencrypt(), 0::bigint, 'what is under the first key stays');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    'SELECT e.name, tap.stored(e.name) FROM enrolled AS e ORDER BY e.name', 'SELECT b.name, b.text FROM before AS b ORDER BY b.name', 'as it is');
SELECT tap.write_key_file((SELECT string_agg(l.text, E'\n' ORDER BY l.n DESC) FROM line AS l WHERE l.n < 3));
CALL tap.act(login => 'tap_admin');
SELECT is(codeverify.reencrypt(), 2::bigint, 'what is under another is encrypted under the first');
RESET SESSION AUTHORIZATION;
SELECT matches(tap.stored(e.name), '^cv1:' || (SELECT split_part(l.text, ':', 1) FROM line AS l WHERE l.n = 2) || ':', 'which it names')
FROM enrolled AS e;
SELECT results_eq(
    $$SELECT a.actor_id, a.payload - 'key' FROM audits.audit_log AS a WHERE a.action = 'secrets.reencrypted' AND a.org_id IS NULL$$,
    $$VALUES (NULL::uuid, '{"column": "auth.users.totp_secret", "secrets": 2}'::jsonb)$$, 'the ledger tells it');
SELECT tap.write_key_file((SELECT l.text FROM line AS l WHERE l.n = 2));
CALL tap.act(login => 'tap_admin');
SELECT is(codeverify.reencrypt(), 0::bigint, 'the old one is needed no more');

-- What was moved, altered or is of a lost key stays where it is and opens nothing.
RESET SESSION AUTHORIZATION;
UPDATE auth.users SET totp_secret = tap.stored('owner of a') WHERE id = tap.id('owner of b');
UPDATE auth.users SET totp_secret = 'gAAAAABlegacy' WHERE id = tap.id('admin of b');
SELECT tap.write_key_file((SELECT string_agg(l.text, E'\n' ORDER BY l.n DESC) FROM line AS l WHERE l.n > 1));
CALL tap.act(login => 'tap_admin');
SET LOCAL client_min_messages = error;
SELECT is(codeverify.reencrypt(), 1::bigint, 'what opens is encrypted anew');
RESET SESSION AUTHORIZATION;
SELECT is(tap.stored('admin of b'), 'gAAAAABlegacy', 'and what does not is kept');
SELECT matches(tap.stored('owner of b'), '^cv1:' || (SELECT split_part(l.text, ':', 1) FROM line AS l WHERE l.n = 2) || ':', 'also what was copied from another row');

SELECT tap.remove_key_file();
SELECT * FROM finish();
ROLLBACK;
