-- Who asks for a promotion does not decide on it.
BEGIN;
SELECT plan(13);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('developer', 'a');
SELECT lives_ok(
    $$INSERT INTO experiments_v1.promotions (id, from_version_id, to_version_id, reason) VALUES (tap.id('mine'), tap.id('x'), tap.id('y'), 'better')$$,
    'a developer asks for a promotion');
SELECT is((SELECT status FROM experiments_v1.promotions WHERE id = tap.id('mine')), 'pending', 'which waits');
SELECT throws_ok(
    $$INSERT INTO experiments_v1.promotions (from_version_id, to_version_id, status) VALUES (tap.id('x'), tap.id('y'), 'approved')$$, '42501', NULL,
    'one that is approved from the start is refused');
SELECT throws_ok(
    $$INSERT INTO experiments_v1.promotions (from_version_id, to_version_id, approver_id) VALUES (tap.id('x'), tap.id('y'), tap.id('owner of a'))$$,
    '42501', NULL, 'as is one that names who approved it');
SELECT is_empty(
    $$UPDATE experiments_v1.promotions SET status = 'approved' RETURNING id$$, 'nor does a developer approve one');
CALL tap.act('admin', 'a');
SELECT lives_ok(
    $$UPDATE experiments_v1.promotions SET status = 'approved', approver_id = tap.id('admin of a'), promoted_at = now() WHERE id = tap.id('mine')$$,
    'an administrator does');
SELECT throws_ok(
    $$UPDATE experiments_v1.promotions SET approver_id = tap.id('owner of a')$$, 'VC018', NULL, 'in their own name');

SELECT lives_ok(
    $$INSERT INTO experiments_v1.blacklist (config_hash, reason) VALUES (repeat('c', 64), 'it failed')$$, 'an administrator blacklists a configuration');
SELECT throws_ok($$INSERT INTO experiments_v1.blacklist (config_hash) VALUES (repeat('c', 64))$$, '23505', NULL, 'once');
CALL tap.act('developer', 'a');
SELECT throws_ok($$INSERT INTO experiments_v1.blacklist (config_hash) VALUES (repeat('d', 64))$$, '42501', NULL, 'a developer blacklists none');
SELECT lives_ok(
    $$INSERT INTO experiments_v1.evaluations (experiment_id, ai_verdict) VALUES (tap.id('experiment of a'), 'pass')$$, 'but evaluates experiments');
SELECT throws_ok(
    $$INSERT INTO experiments_v1.evaluations (experiment_id) VALUES (tap.id('experiment of b'))$$, '23503', NULL, 'of the organization');
CALL tap.act('admin', 'b');
SELECT lives_ok(
    $$INSERT INTO experiments_v1.blacklist (config_hash) VALUES (repeat('c', 64))$$, 'what one organization blacklists another may too');

SELECT * FROM finish();
ROLLBACK;
