-- Attestations and badges are written by the service, and a link stays while a later one hangs from it.
BEGIN;
SELECT plan(13);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('owner', 'a');
SELECT is((SELECT count(*) FROM attestations.verification_attestations), 2::bigint, 'an owner sees its attestations');
SELECT throws_ok($$UPDATE attestations.verification_attestations SET passed = true$$, '42501', NULL, 'and does not change them');
SELECT throws_ok(
    $$INSERT INTO attestations.verification_attestations (attestation_type, repo_full_name, attestation_hash) VALUES ('commit', 'x', repeat('a', 64))$$,
    '42501', NULL, 'or make any');
SELECT throws_ok($$UPDATE attestations.verification_badges SET passed = true$$, '42501', NULL, 'nor a badge');

CALL tap.act('owner', 'a', 'tap_service');
SELECT lives_ok(
    $$INSERT INTO attestations.verification_attestations (id, repo_id, attestation_type, repo_full_name, attestation_hash, parent_attestation_id)
      VALUES (tap.id('third'), tap.id('repository of a'), 'pr', 'tap/repository', repeat('a', 64), tap.id('successor of a'))$$, 'the service adds a link');
SELECT throws_ok(
    $$INSERT INTO attestations.verification_attestations (attestation_type, repo_full_name, attestation_hash, parent_attestation_id)
      VALUES ('pr', 'tap/repository', repeat('a', 64), tap.id('attestation of b'))$$, '23503', NULL, 'not to the chain of another organization');
SELECT throws_ok(
    $$DELETE FROM attestations.verification_attestations WHERE id = tap.id('attestation of a')$$, '23503', NULL, 'a link does not go before a later one');
SELECT throws_ok(
    $$INSERT INTO attestations.verification_badges (attestation_id, repo_full_name, token) VALUES (tap.id('third'), 'x', 'badge of b')$$, '23505', NULL,
    'a token is one badge''s');
SELECT throws_ok(
    $$INSERT INTO attestations.verification_badges (attestation_id, repo_full_name, token) VALUES (tap.id('attestation of b'), 'x', 'new')$$, '23503', NULL,
    'a badge shows an attestation of its organization');
SELECT lives_ok(
    $$INSERT INTO attestations.verification_badges (attestation_id, repo_full_name, token) VALUES (tap.id('third'), 'x', 'new')$$, 'the service makes one');
SELECT lives_ok($$DELETE FROM attestations.verification_attestations WHERE id = tap.id('third')$$, 'the last link can go');
SELECT is((SELECT count(*) FROM attestations.verification_badges WHERE token = 'new'), 0::bigint, 'and its badge with it');

RESET SESSION AUTHORIZATION;
DELETE FROM analysis.analyses WHERE org_id = tap.id('a');
SELECT is(
    (SELECT count(*) FROM attestations.verification_attestations WHERE org_id = tap.id('a') AND analysis_id IS NULL), 2::bigint,
    'attestations outlive their analysis');

SELECT * FROM finish();
ROLLBACK;
