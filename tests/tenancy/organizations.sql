-- tenancy.create_organization(), and what members may see and change of their organization.
BEGIN;
SELECT plan(27);
\ir ../two_tenants.sql

-- The trusted service makes organizations.
CALL tap.act(login => 'tap_service');
SELECT lives_ok(
    $$SELECT tenancy.create_organization('Made by the service', 'Tap-Made', 9000000003, tap.id('stranger of a'))$$,
    'the service makes an organization');
SELECT lives_ok($$SELECT tenancy.create_organization('Bare')$$, 'a name is enough');
SELECT throws_ok(
    $$SELECT tenancy.create_organization('Taken', 'tap-made')$$, '23505', NULL,
    'a login is taken whatever its case');
SELECT throws_ok(
    $$SELECT tenancy.create_organization('Taken', 'another', 9000000003)$$, '23505', NULL,
    'a GitHub id is taken');
SELECT throws_ok(
    $$SELECT tenancy.create_organization('Ownerless', owner_id => tap.id('no user'))$$, '23503', NULL,
    'an owner must be a user');
SELECT throws_ok($$SELECT tenancy.create_organization('')$$, '23514', NULL, 'a name is not empty');
SELECT throws_ok($$SELECT tenancy.create_organization(repeat('x', 256))$$, '23514', NULL, 'nor longer than 255');
SELECT throws_ok($$SELECT tenancy.create_organization(NULL)$$, '23502', NULL, 'nor NULL');
SELECT throws_ok(
    $$INSERT INTO tenancy.organizations (name) VALUES ('By hand')$$, '42501', NULL,
    'even the service makes them with the function only');

CALL tap.act(login => 'tap_admin');
SELECT lives_ok($$SELECT tenancy.create_organization('Made by an administrator')$$, 'so do administrators');

RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT o.name, o.login, o.github_id, o.plan::text, o.settings, m.user_id, m.role
        FROM tenancy.organizations AS o
        LEFT JOIN tenancy.org_memberships AS m ON m.org_id = o.id
        WHERE o.name IN ('Made by the service', 'Bare')
        ORDER BY o.name
    $$,
    $$
        VALUES ('Bare', NULL, NULL, 'free', '{}'::jsonb, NULL, NULL),
               ('Made by the service', 'Tap-Made', 9000000003, 'free', '{}', tap.id('stranger of a'), 'owner')
    $$,
    'the organization has what was given, defaults for the rest, and its owner');

CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT tenancy.create_organization('By a tenant')$$, '42501', NULL, 'a tenant makes none');
SELECT results_eq(
    'SELECT id, name FROM tenancy.organizations',
    $$VALUES (tap.id('a'), 'Organization A')$$,
    'an owner sees its own and no other');
SELECT lives_ok(
    $$UPDATE tenancy.organizations SET name = 'Renamed', avatar_url = 'https://a.test/logo.png', settings = '{"x": 1}'$$,
    'an owner changes what describes it');
SELECT throws_ok($$UPDATE tenancy.organizations SET plan = 'enterprise'$$, '42501', NULL, 'but not what it pays for');
SELECT throws_ok($$UPDATE tenancy.organizations SET login = 'other'$$, '42501', NULL, 'nor its login');
SELECT throws_ok($$UPDATE tenancy.organizations SET github_id = 1$$, '42501', NULL, 'nor its GitHub id');
SELECT throws_ok($$UPDATE tenancy.organizations SET id = tap.id('b')$$, '42501', NULL, 'nor its id');
SELECT throws_ok('DELETE FROM tenancy.organizations', '42501', NULL, 'nor does it delete the organization');
SELECT throws_ok($$UPDATE tenancy.organizations SET settings = '[]'$$, '23514', NULL, 'settings are an object');
SELECT throws_ok(
    $$UPDATE tenancy.organizations SET avatar_url = 'javascript:alert(1)'$$, '23514', NULL, 'an avatar is an HTTP URL');

CALL tap.act('admin', 'a');
WITH changed AS (UPDATE tenancy.organizations SET settings = '{}' RETURNING name)
SELECT is((SELECT string_agg(name, ',') FROM changed), 'Renamed', 'an administrator changes it too');

CALL tap.act('developer', 'a');
WITH changed AS (UPDATE tenancy.organizations SET settings = '{"y": 1}' RETURNING name)
SELECT is((SELECT count(*) FROM changed), 0::bigint, 'a developer does not');
SELECT is((SELECT count(*) FROM tenancy.organizations), 1::bigint, 'but sees it');

CALL tap.act();
SELECT is((SELECT count(*) FROM tenancy.organizations), 0::bigint, 'without a context there is none to see');

RESET SESSION AUTHORIZATION;
SELECT lives_ok($$DELETE FROM tenancy.organizations WHERE id = tap.id('a')$$, 'the operator deletes an organization');
SELECT is(
    (SELECT count(*) FROM tenancy.org_memberships WHERE org_id = tap.id('a')), 0::bigint,
    'and its memberships, the last owner''s too, go with it');

SELECT * FROM finish();
ROLLBACK;
