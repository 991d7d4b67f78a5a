-- A secret of the GitHub App, and functions that deliver payloads signed with it or another. Included by \ir after
-- two_tenants.sql and key_files.sql, as a superuser; the file must end with tap.remove_key_file().
SELECT tap.write_key_file(codeverify.create_encryption_key()) \g /dev/null
SELECT set_config('codeverify.encryption_key_file', tap.key_file(), true) \g /dev/null

CREATE FUNCTION tap.app_secret() RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'a secret that GitHub shares with us'$$;

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

CREATE FUNCTION tap.signature(body text, secret text DEFAULT tap.app_secret())
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT 'sha256=' || encode(tap.hmac(convert_to(body, 'UTF8'), convert_to(secret, 'UTF8')), 'hex')
$function$;

CREATE FUNCTION tap.deliver(event text, body text, delivery_id text DEFAULT gen_random_uuid()::text, secret text DEFAULT tap.app_secret())
RETURNS jsonb
LANGUAGE sql
VOLATILE
AS $function$
    SELECT integrations.receive_delivery('github', delivery_id, event, convert_to(body, 'UTF8'), tap.signature(body, secret))
$function$;
COMMENT ON FUNCTION tap.deliver(text, text, text, text) IS 'Delivers a payload as GitHub does.';

CREATE TABLE tap.payload (name text PRIMARY KEY, body text NOT NULL);
GRANT SELECT ON tap.payload TO PUBLIC;
\set body `cat tests/data/github_webhooks/installation.created.json`
INSERT INTO tap.payload VALUES ('installation', :'body');
\set body `cat tests/data/github_webhooks/pull_request.opened.json`
INSERT INTO tap.payload VALUES ('pull_request', :'body');
\set body `cat tests/data/github_webhooks/push.json`
INSERT INTO tap.payload VALUES ('push', :'body');
\set body `cat tests/data/github_webhooks/workflow_run.completed.json`
INSERT INTO tap.payload VALUES ('workflow_run', :'body');

-- A real payload with other values at some places, as {"{path,to,it}": value}.
CREATE FUNCTION tap.payload(name text, changes jsonb DEFAULT '{}')
RETURNS text
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    body text := (SELECT p.body FROM tap.payload AS p WHERE p.name = payload.name);
    change record;
BEGIN
    FOR change IN SELECT e.key::text[] AS path, e.value FROM jsonb_each(changes) AS e LOOP
        body := jsonb_set(body::jsonb, change.path, change.value)::text;
    END LOOP;
    RETURN body;
END
$function$;
