-- No secret is in an entry, and each test of that is seen to fail where nothing redacts.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../capture.sql

CREATE FUNCTION tap.tells(secret text)
RETURNS boolean
LANGUAGE sql
STABLE
SECURITY DEFINER
AS $function$
    SELECT EXISTS (SELECT FROM audits.audit_log AS a WHERE a::text LIKE '%' || $1 || '%')
$function$;
COMMENT ON FUNCTION tap.tells(text) IS 'Whether any entry has the text in it.';

-- Every secret of the tables that are tracked out of the box, set and changed.
CREATE PROCEDURE tap.use_secrets()
LANGUAGE plpgsql
AS $procedure$
BEGIN
    UPDATE auth.users
    SET password_hash = '$argon2id$tap-password', totp_secret = 'TAPTOTPSEED', access_token_encrypted = 'tap-github-token'
    WHERE id = tap.id('owner of a');
    UPDATE auth.users SET password_hash = password_hash || '2' WHERE id = tap.id('owner of a');
    INSERT INTO auth.api_keys (id, org_id, name, key_hash)
    VALUES (tap.id('key'), tap.id('a'), 'CI', repeat('4b', 32))
    ON CONFLICT (id) DO UPDATE SET key_hash = excluded.key_hash;
    INSERT INTO auth.invitations (org_id, code_hash) VALUES (tap.id('a'), repeat('c0de', 16));
    INSERT INTO integrations.webhooks (org_id, url, secret_hash) VALUES (tap.id('a'), 'https://example.org/tap-url-token', 'tap-webhook-secret');
    INSERT INTO integrations.notification_configs (org_id, channel_type, webhook_url, config)
    VALUES (tap.id('a'), 'slack', 'https://hooks.example.org/tap-hook', '{"smtp": "tap-smtp"}');
    INSERT INTO providers.user_providers (org_id, user_id, provider_type, model_name, key_last_4_chars, encrypted_api_key, encrypted_dek)
    VALUES (tap.id('a'), tap.id('owner of a'), 'openai', 'tap-model', 'zQx7', 'tap-provider-key', 'tap-provider-dek');
    INSERT INTO providers.user_quotas (org_id, user_id, daily_limit, monthly_cost_limit)
    VALUES (tap.id('a'), tap.id('owner of a'), 987654321, 987654.5);
    INSERT INTO providers.cost_alerts (org_id, user_id, alert_type, threshold_percentage)
    VALUES (tap.id('a'), tap.id('owner of a'), 'monthly_90', 90);
    UPDATE auth.users
    SET password_hash = NULL, totp_secret = NULL, access_token_encrypted = NULL
    WHERE id = tap.id('owner of a');
    DELETE FROM auth.api_keys WHERE id = tap.id('key');
    DELETE FROM auth.invitations;
    DELETE FROM integrations.webhooks;
    DELETE FROM integrations.notification_configs;
    DELETE FROM providers.user_providers;
    DELETE FROM providers.user_quotas;
    DELETE FROM providers.cost_alerts;
END
$procedure$;

CREATE TABLE tap.secret (text text);
INSERT INTO tap.secret
VALUES ('tap-password'), ('TAPTOTPSEED'), ('tap-github-token'), (repeat('4b', 32)), (repeat('c0de', 16)),
       ('tap-webhook-secret'), ('tap-hook'), ('tap-smtp'), ('tap-provider-key'), ('tap-provider-dek'),
       ('tap-url-token'), ('tap-model'), ('zQx7'), ('987654321'), ('987654.5'), ('monthly_90');

CALL tap.use_secrets();
SELECT ok(NOT tap.tells(text), format('no entry has %s', text)) FROM tap.secret;
SELECT ok((SELECT count(*) >= 12 FROM audits.audit_log), 'though there are entries about all of it');
UPDATE auth.users SET password_hash = 'one' WHERE id = tap.id('owner of a');
UPDATE auth.users SET password_hash = 'two' WHERE id = tap.id('owner of a');
SELECT matches(
    tap.last_entry('auth.users')->'rows'->0->'old'->>'password_hash', '^hmac-sha256:[0-9a-f]{64}$', 'a digest stands for a secret');
SELECT isnt(
    tap.last_entry('auth.users')->'rows'->0->'new'->>'password_hash',
    tap.last_entry('auth.users')->'rows'->0->'old'->>'password_hash', 'and shows that it changed');

-- With rules that let them through, the same is told: the test above sees secrets where there are any.
SAVEPOINT leaking;
INSERT INTO audits.column_rules (column_pattern, treatment) VALUES ('%', 'record');
CALL tap.use_secrets();
SELECT ok(tap.tells(text), format('without redaction an entry has %s', text)) FROM tap.secret;
DELETE FROM audits.column_rules;
DELETE FROM auth.users WHERE id = tap.id('viewer of b');
UPDATE auth.users SET totp_secret = 'TAPTOTPSEED 2' WHERE id = tap.id('owner of b');
SELECT ok(NOT tap.tells('TAPTOTPSEED 2'), 'and as soon as the rule is gone it is redacted again');
ROLLBACK TO SAVEPOINT leaking;
UPDATE auth.users SET totp_secret = 'TAPTOTPSEED 3' WHERE id = tap.id('owner of b');
SELECT ok(NOT tap.tells('TAPTOTPSEED 3'), 'also when a rule is rolled back');

-- Digests: equal for equal contents of a column, and for nothing else.
CREATE TABLE tap.vault (id int PRIMARY KEY, password text, api_key text, note text, pin int);
SELECT audits.track('tap.vault', redact => '{note}') \g /dev/null
INSERT INTO tap.vault VALUES (1, 'same', 'same', 'same', 1234), (2, 'same', NULL, 'other', NULL);
SELECT results_eq(
    $$
        SELECT one->>'password' = two->>'password', one->>'password' = one->>'api_key', one->>'note' = two->>'note',
               one->>'note' LIKE 'hmac-sha256:%', two->'api_key', one->>'pin' LIKE 'hmac-sha256:%'
        FROM (SELECT tap.last_entry('tap.vault')->'rows'->0->'new', tap.last_entry('tap.vault')->'rows'->1->'new') AS r (one, two)
    $$,
    $$VALUES (true, false, false, true, 'null'::jsonb, true)$$,
    'equal secrets of a column have equal digests, those of two columns have not, NULL stays NULL');
SELECT is((SELECT count(*) FROM audits.redaction_keys), 1::bigint, 'there is one key');
SELECT ok(
    NOT EXISTS (
        SELECT FROM audits.redaction_keys AS k
        WHERE tap.last_entry('tap.vault')->'rows'->0->'new'->>'password' LIKE '%' || encode(sha256('same'), 'hex')),
    'a digest is not the bare hash');
ALTER TABLE tap.vault ADD COLUMN refresh_token text;
UPDATE tap.vault SET refresh_token = 'tap-late-token';
SELECT ok(NOT tap.tells('tap-late-token'), 'a column that is added later is redacted by its name');
ALTER TABLE tap.vault RENAME note TO remark;
UPDATE tap.vault SET remark = 'tap-renamed';
SELECT ok(NOT tap.tells('tap-renamed'), 'a column that was named to be redacted stays so when it is renamed');
ALTER TABLE tap.vault DROP COLUMN remark;
UPDATE tap.vault SET pin = 4711;
SELECT is(tap.last_entry('tap.vault')->'count', '2', 'and nothing is missed when it is dropped');

-- A key that is a secret.
CREATE TABLE tap.session (token text PRIMARY KEY, n int);
SELECT audits.track('tap.session') \g /dev/null
INSERT INTO tap.session VALUES ('tap-session-token', 1);
UPDATE tap.session SET n = 2;
DELETE FROM tap.session;
SELECT ok(NOT tap.tells('tap-session-token'), 'a key that is a secret is redacted too');
SELECT is(
    (SELECT count(DISTINCT payload->'rows'->0->'key') FROM tap.entries('tap.session')), 1::bigint, 'and still tells which row it was');
CREATE TABLE tap.keyless (secret text, n int);
SELECT audits.track('tap.keyless') \g /dev/null
INSERT INTO tap.keyless VALUES ('tap-keyless', 1);
UPDATE tap.keyless SET n = 2;
SELECT ok(NOT tap.tells('tap-keyless'), 'so is one in a table without a key');

-- Rules: by administrators, recorded, and in force at once.
CALL tap.act(NULL, NULL, 'tap_admin');
SELECT lives_ok(
    $$SELECT audits.set_column_rule('title', 'redact', 'tap.tick%', 'Names of customers.')$$, 'an administrator makes a rule');
SELECT is(
    tap.last_entry('audits.column_rules')->'rows'->0->'new'->>'column_pattern', 'title', 'which is in the ledger');
SELECT lives_ok($$SELECT audits.set_column_rule('VOTES', 'ignore', 'TAP.ticket')$$, 'patterns do not regard case');
SELECT throws_ok($$SELECT audits.set_column_rule('x', 'hide')$$, '23514', NULL, 'a treatment is one of four');
SELECT throws_ok('SELECT * FROM audits.column_rules', '42501', NULL, 'the table itself is nobody''s');
SELECT throws_ok('SELECT * FROM audits.redaction_keys', '42501', NULL, 'least of all the key');
RESET SESSION AUTHORIZATION;
INSERT INTO tap.ticket VALUES (tap.id('t'), tap.id('a'), 'tap-title', 1);
UPDATE tap.ticket SET votes = 2;
SELECT ok(NOT tap.tells('tap-title'), 'the rule is in force');
SELECT is((SELECT count(*) FROM tap.entries()), 1::bigint, 'and so is the one that ignores');
CALL tap.act(NULL, NULL, 'tap_admin');
SELECT audits.set_column_rule('title', 'record', 'tap.tick%'), audits.set_column_rule('VOTES', NULL, 'TAP.ticket') \g /dev/null
RESET SESSION AUTHORIZATION;
UPDATE tap.ticket SET votes = 3, title = 'tap-title 2';
SELECT is(
    tap.last_entry()->'rows'->0->'new', '{"title": "tap-title 2", "votes": 3}', 'a rule can be changed and removed');

-- What is personal is encrypted for its person and can be erased.
UPDATE auth.users SET email = 'tap-mail@example.org', role = 'admin' WHERE id = tap.id('member of a');
SELECT ok(NOT tap.tells('tap-mail@example.org'), 'what is personal of a user is not readable in the ledger');
SELECT results_eq(
    $$SELECT p->'role', p->'email' ? '$encrypted', audits.reveal(p)->>'email' FROM (SELECT tap.last_entry('auth.users')->'rows'->0->'new') AS r (p)$$,
    $$VALUES ('"admin"'::jsonb, true, 'tap-mail@example.org')$$, 'but by those who may reveal it');
CALL tap.act(NULL, NULL, 'tap_admin');
SELECT audits.erase_subject(tap.id('member of a')) \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is(
    audits.reveal(tap.last_entry('auth.users'))->'rows'->0->'new'->'email' ? '$erased', true, 'until the person is erased');
CREATE TABLE tap.person (id int PRIMARY KEY, email text);
SELECT audits.set_column_rule('email', 'personal', 'tap.person') \g /dev/null
SELECT audits.track('tap.person') \g /dev/null
INSERT INTO tap.person VALUES (1, 'tap-person@example.org');
SELECT ok(NOT tap.tells('tap-person@example.org'), 'of a row that no uuid names, a digest is told');
CREATE TABLE tap.many (id uuid PRIMARY KEY, email text);
SELECT audits.set_column_rule('email', 'personal', 'tap.many') \g /dev/null
SELECT audits.track('tap.many') \g /dev/null
INSERT INTO tap.many SELECT tap.id('many ' || n), 'tap-many@example.org' FROM generate_series(1, 1500) AS n;
SELECT ok(NOT tap.tells('tap-many@example.org'), 'and of very many at once');
SELECT ok(
    (SELECT count(*) < 1100 FROM audits.subject_keys), 'for whom no keys are made');

SELECT is_empty($$SELECT * FROM audits.verify_chain() WHERE verdict <> 'erased'$$, 'the chain verifies');
SELECT * FROM finish();
ROLLBACK;
