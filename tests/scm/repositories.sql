-- Repositories are as GitHub reports them; a manager changes what is the organization's to say.
BEGIN;
SELECT plan(17);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('admin', 'a');
SELECT lives_ok(
    $$UPDATE scm.repositories SET settings = '{"strict": true}', enabled = false, default_branch = 'develop'$$,
    'a manager changes settings, enabled and the default branch');
SELECT throws_ok($$UPDATE scm.repositories SET full_name = 'x/y'$$, '42501', NULL, 'not its full name');
SELECT throws_ok($$UPDATE scm.repositories SET github_id = 1$$, '42501', NULL, 'not its GitHub id');
SELECT throws_ok($$UPDATE scm.repositories SET installation_id = 1$$, '42501', NULL, 'not its installation');
SELECT throws_ok($$UPDATE scm.repositories SET org_id = tap.id('b')$$, '42501', NULL, 'nor gives it away');
SELECT throws_ok('DELETE FROM scm.repositories', '42501', NULL, 'nor deletes it');
SELECT throws_ok($$INSERT INTO scm.repositories (github_id, name, full_name) VALUES (1, 'x', 'x/x')$$, '42501', NULL, 'nor makes one');
SELECT throws_ok($$UPDATE scm.installations SET suspended_at = now()$$, '42501', NULL, 'installations are GitHub''s');

CALL tap.act('owner', 'a', 'tap_service');
SELECT lives_ok(
    $$INSERT INTO scm.repositories (github_id, name, full_name) VALUES (9000000077, 'new', 'tap-a/new')$$, 'the service makes one');
SELECT throws_ok(
    $$INSERT INTO scm.repositories (github_id, name, full_name) VALUES (9000000077, 'new', 'tap-a/new')$$, '23505', NULL, 'once for each GitHub id');
SELECT throws_ok(
    $$INSERT INTO scm.repositories (org_id, github_id, name, full_name) VALUES (tap.id('b'), 9000000078, 'new', 'tap-b/new')$$, '42501', NULL,
    'for the organization it acts for');
SELECT lives_ok($$INSERT INTO scm.installations (github_installation_id, account_type) VALUES (9000000077, 'User')$$, 'and installations');
SELECT throws_ok($$INSERT INTO scm.installations (github_installation_id, account_type) VALUES (9000000079, 'user')$$, '23514', NULL, 'in GitHub''s spelling');

-- Clients that speak in enums.
CALL tap.act('viewer', 'a');
SELECT bag_eq(
    'SELECT account_type::text, org_id FROM scm.github_installations',
    $$VALUES ('organization', tap.id('a')), ('user', tap.id('a'))$$, 'the view gives the enum, and one''s own only');

RESET SESSION AUTHORIZATION;
-- An attestation stays while a later one hangs from it.
DELETE FROM attestations.verification_attestations WHERE id = tap.id('successor of b');
DELETE FROM scm.repositories WHERE full_name = 'tap-b/repository';
SELECT is((SELECT count(*) FROM analysis.analyses WHERE org_id = tap.id('b')), 0::bigint, 'analyses go with their repository');
SELECT is((SELECT count(*) FROM analysis.findings WHERE org_id = tap.id('b')), 0::bigint, 'so do findings');
SELECT is(
    (SELECT count(*) FROM observability.incidents WHERE org_id = tap.id('b') AND repo_id IS NULL), 1::bigint, 'an incident stays without it');

SELECT * FROM finish();
ROLLBACK;
