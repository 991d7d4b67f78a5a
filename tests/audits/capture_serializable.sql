-- Capture in a transaction that is SERIALIZABLE: rules and key are read as they are, not as its snapshot has them.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT plan(3);
\ir ../two_tenants.sql
\ir ../capture.sql
INSERT INTO tap.ticket VALUES (tap.id('1'), tap.id('a'), 'x', 1);
UPDATE tap.ticket SET title = 'y';
SELECT is((SELECT count(*) FROM tap.entries()), 2::bigint, 'changes are captured');
UPDATE auth.users SET password_hash = 'tap-secret' WHERE id = tap.id('owner of a');
SELECT matches(
    tap.last_entry('auth.users')->'rows'->0->'new'->>'password_hash', '^hmac-sha256:', 'secrets are redacted');
INSERT INTO audits.column_rules (column_pattern, treatment) VALUES ('title', 'redact');
UPDATE tap.ticket SET title = 'z';
SELECT matches(tap.last_entry()->'rows'->0->'new'->>'title', '^hmac-sha256:', 'a new rule is in force');
SELECT * FROM finish();
ROLLBACK;
