-- Projects, their versions, baselines and policies hang together inside one organization.
BEGIN;
SELECT plan(14);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('developer', 'a');
SELECT lives_ok(
    $$INSERT INTO projects.projects (id, name, owner_id) VALUES (tap.id('mine'), 'Mine', tap.id('developer of a'))$$, 'a developer makes a project');
SELECT throws_ok(
    $$INSERT INTO projects.projects (name, owner_id) VALUES ('x', tap.id('no user'))$$, 'VC012', NULL, 'whose owner is a member');
SELECT lives_ok($$INSERT INTO projects.versions (project_id, tag) VALUES (tap.id('mine'), 'v1'), (tap.id('mine'), 'v2')$$, 'and its versions');
SELECT throws_ok($$INSERT INTO projects.versions (project_id, tag) VALUES (tap.id('mine'), 'v1')$$, '23505', NULL, 'each once');
SELECT throws_ok($$INSERT INTO projects.versions (project_id, tag) VALUES (tap.id('project of b'), 'v2')$$, '23503', NULL, 'of no project of another organization');
SELECT throws_ok(
    $$INSERT INTO projects.baselines (project_id, metric_key, threshold) VALUES (tap.id('mine'), 'm', 1)$$, '42501', NULL,
    'a developer sets no baseline');
SELECT throws_ok($$INSERT INTO projects.policies (name, rego_code) VALUES ('p', 'package p')$$, '42501', NULL, 'nor a policy');
CALL tap.act('admin', 'a');
SELECT lives_ok($$INSERT INTO projects.policies (id, name, rego_code) VALUES (tap.id('p'), 'p', 'package p')$$, 'an administrator does');
SELECT throws_ok($$INSERT INTO projects.policies (name, rego_code) VALUES ('p', 'package p')$$, '23505', NULL, 'under a name of its own');
SELECT lives_ok($$INSERT INTO projects.project_policies (project_id, policy_id) VALUES (tap.id('mine'), tap.id('p'))$$, 'and gives it to a project');
SELECT throws_ok(
    $$INSERT INTO projects.project_policies (project_id, policy_id) VALUES (tap.id('mine'), tap.id('policy of b'))$$, '23503', NULL,
    'not one of another organization');
CALL tap.act('admin', 'b');
SELECT lives_ok($$INSERT INTO projects.policies (name, rego_code) VALUES ('p', 'package p')$$, 'which may have one of the same name');

RESET SESSION AUTHORIZATION;
SELECT throws_ok($$DELETE FROM auth.users WHERE id = tap.id('developer of a')$$, '23503', NULL, 'the owner of a project is not deleted');
DELETE FROM projects.projects WHERE id = tap.id('mine');
SELECT is((SELECT count(*) FROM projects.versions WHERE project_id = tap.id('mine')), 0::bigint, 'versions go with their project');

SELECT * FROM finish();
ROLLBACK;
