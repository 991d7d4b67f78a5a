-- No tenant, and no other role but the owner, reads a secret or the hash of one.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

-- Columns whose name says that they hold a hash of a secret, a secret or its ciphertext. A new one joins them by its
-- name, and fails here until it is closed; hashes that are no secret are listed.
CREATE TABLE tap.secret AS
SELECT c.oid::regclass AS name, a.attname AS secret
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_roles AS r ON r.oid = c.relowner
WHERE r.rolname = 'codeverify_owner'
  AND c.relkind IN ('r', 'p', 'v')
  AND NOT a.attisdropped
  AND a.attname ~ '(_hash|secret|password|encrypted|token|salt)'
  AND format('%s.%s', c.oid::regclass, a.attname) NOT IN (
      -- Fingerprints of data.
      'integrations.inbound_deliveries.payload_hash',
      'attestations.verification_attestations.attestation_hash',
      'audits.audit_log.prev_hash',
      'audits.entries.prev_hash',
      'experiments_v1.blacklist.config_hash',
      'quarantine.quarantine_records.config_hash',
      -- Part of a public URL.
      'attestations.verification_badges.token')
  AND a.atttypid NOT IN ('timestamptz'::regtype, 'boolean'::regtype)
  -- Counts of tokens that a model read or wrote.
  AND a.attname !~ 'tokens';
GRANT SELECT ON tap.secret TO PUBLIC;

SELECT ok(
    (SELECT array_agg(format('%s.%s', s.name, s.secret)) FROM tap.secret AS s) @> ARRAY[
        'auth.api_keys.key_hash', 'auth.invitations.code_hash', 'auth.password_resets.token_hash',
        'auth.sessions.session_token_hash', 'auth.sessions.refresh_token_hash', 'auth.users.password_hash',
        'auth.users.totp_secret', 'auth.users.access_token_encrypted', 'integrations.webhooks.secret_hash'],
    'the secrets are found by their names');

CALL tap.act('owner', 'a');
SELECT throws_ok(
    format('SELECT %I FROM %s', secret, name), '42501', NULL, format('an owner does not read %s of %s', secret, name))
FROM tap.secret ORDER BY name::text, secret;
SELECT throws_ok(
    format('SELECT FROM %s WHERE %I IS NOT NULL', name, secret), '42501', NULL, format('nor compare %s of %s', secret, name))
FROM tap.secret ORDER BY name::text, secret;
SELECT throws_ok(
    format('SELECT * FROM %s', name), '42501', NULL, format('nor read all of %s', name))
FROM (SELECT DISTINCT name FROM tap.secret) AS s ORDER BY name::text;
SELECT throws_ok(
    format('UPDATE %s SET %I = %I', name, secret, secret), '42501', NULL, format('nor read %s of %s by an UPDATE', secret, name))
FROM tap.secret ORDER BY name::text, secret;

RESET SESSION AUTHORIZATION;
SELECT is_empty(
    format(
        'SELECT r.rolname FROM pg_roles AS r WHERE r.rolname = ANY (%L) AND has_column_privilege(r.rolname, %L::regclass, %L, ''SELECT'')',
        '{codeverify_admin,codeverify_ingest,codeverify_auditor,tap_nobody}', name, secret),
    format('no other plain role reads %s of %s', secret, name))
FROM tap.secret ORDER BY name::text, secret;

-- The rest of those tables is there to read.
CALL tap.act('owner', 'a');
SELECT lives_ok('SELECT id, name, key_prefix, scopes, expires_at, last_used_at FROM auth.api_keys', 'API keys without the hash are read');
SELECT lives_ok('SELECT id, role, uses FROM auth.invitations', 'invitations without the hash are read');
SELECT lives_ok('SELECT id, url, events FROM integrations.webhooks', 'webhooks without the secret are read');
SELECT results_eq(
    'SELECT id, username FROM auth.users', $$VALUES (tap.id('owner of a'), 'owner of a')$$, 'of the users, one sees oneself');
SELECT throws_ok($$UPDATE auth.users SET role = 'admin'$$, '42501', NULL, 'and makes oneself no administrator');
SELECT throws_ok('SELECT id FROM auth.sessions', '42501', NULL, 'sessions are closed');
SELECT throws_ok('SELECT id FROM auth.password_resets', '42501', NULL, 'so are password resets');

SELECT * FROM finish();
ROLLBACK;
