-- The archive of what failed is read-only but for its review, and who asks for another look does not decide on it.
BEGIN;
SELECT plan(13);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('admin', 'a');
SELECT lives_ok(
    $$INSERT INTO quarantine.quarantine_records (id, config_hash, config, reason) VALUES (tap.id('new'), repeat('c', 64), '{"x": 1}', 'it failed')$$,
    'an administrator quarantines a configuration');
SELECT throws_ok($$UPDATE quarantine.quarantine_records SET reason = 'other'$$, '42501', NULL, 'and does not rewrite why');
SELECT throws_ok($$UPDATE quarantine.quarantine_records SET config = '{}'$$, '42501', NULL, 'nor what');
SELECT throws_ok('DELETE FROM quarantine.quarantine_records', '42501', NULL, 'nor removes it');
SELECT lives_ok(
    $$UPDATE quarantine.quarantine_records SET review_status = 'under_review', reviewed_by = tap.id('admin of a'), reviewed_at = now(), review_notes = 'n'
      WHERE id = tap.id('new')$$, 'but reviews it');
SELECT throws_ok($$UPDATE quarantine.quarantine_records SET reviewed_by = tap.id('owner of a')$$, 'VC018', NULL, 'in their own name');

CALL tap.act('developer', 'a');
SELECT throws_ok(
    $$INSERT INTO quarantine.quarantine_records (config_hash) VALUES (repeat('d', 64))$$, '42501', NULL, 'a developer quarantines none');
SELECT is_empty($$UPDATE quarantine.quarantine_records SET review_status = 'approved_retry' RETURNING id$$, 'and reviews none');
SELECT lives_ok(
    $$INSERT INTO quarantine.reevaluation_requests (quarantine_id, requested_by, reason) VALUES (tap.id('new'), tap.id('developer of a'), 'mended')$$,
    'but asks for another look');
SELECT throws_ok(
    $$INSERT INTO quarantine.reevaluation_requests (quarantine_id, status) VALUES (tap.id('new'), 'approved')$$, '42501', NULL, 'without approving it');
SELECT is_empty($$UPDATE quarantine.reevaluation_requests SET status = 'approved' RETURNING id$$, 'then or later');
SELECT throws_ok(
    $$INSERT INTO quarantine.reevaluation_requests (quarantine_id) VALUES (tap.id('quarantined by b'))$$, '23503', NULL,
    'at what is the organization''s');
CALL tap.act('admin', 'a');
SELECT lives_ok(
    $$UPDATE quarantine.reevaluation_requests SET status = 'approved', approved_by = tap.id('admin of a'), approved_at = now()
      WHERE requested_by = tap.id('developer of a')$$, 'an administrator approves it');

SELECT * FROM finish();
ROLLBACK;
