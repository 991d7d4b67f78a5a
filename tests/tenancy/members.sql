-- Members are added, changed, listed and removed, and the last owner stays.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

-- What an administrator may do.
CALL tap.act('admin', 'a');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('stranger of a'))$$, 'VC012',
    format('user %s is not a member of organization %s', tap.id('stranger of a'), tap.id('a')),
    'an administrator adds nobody who has not agreed');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('no user'))$$, 'VC012',
    format('user %s is not a member of organization %s', tap.id('no user'), tap.id('a')),
    'and does not learn who exists');
SELECT throws_ok(
    $$INSERT INTO tenancy.org_memberships (user_id) VALUES (tap.id('stranger of a'))$$, '42501', NULL, 'nor by a plain INSERT');
SELECT is(
    (SELECT tenancy.add_member(tap.id('a'), tap.id('developer of a'), 'viewer')),
    (SELECT id FROM tenancy.org_memberships WHERE user_id = tap.id('developer of a')),
    'an administrator changes what a member is');
SELECT results_eq(
    $$SELECT role FROM tenancy.org_memberships WHERE user_id = tap.id('developer of a')$$, $$VALUES ('viewer')$$,
    'the role is the new one');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('viewer of a'), 'owner')$$, 'VC014', NULL,
    'an administrator makes no owner');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('admin of a'), 'owner')$$, 'VC014', NULL,
    'not even themselves');
SELECT throws_ok(
    $$UPDATE tenancy.org_memberships SET role = 'owner' WHERE user_id = tap.id('admin of a')$$, '42501', NULL,
    'nor by a plain UPDATE');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('owner of a'), 'viewer')$$, 'VC014', NULL,
    'nor demotes an owner');
SELECT is(
    (SELECT tenancy.remove_member(tap.id('a'), tap.id('owner of a'))), false, 'nor removes one');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('viewer of a'), 'emperor')$$, '23514', NULL,
    'there is no such role');
SELECT is(
    (SELECT tenancy.remove_member(tap.id('a'), tap.id('developer of a'))), true, 'an administrator removes a member');
SELECT is(
    (SELECT tenancy.remove_member(tap.id('a'), tap.id('developer of a'))), false, 'who is gone then');

-- Another organization is out of reach.
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('b'), tap.id('admin of a'))$$, 'VC015', NULL,
    'nobody is added to another organization');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('b'), tap.id('viewer of b'), 'admin')$$, 'VC015', NULL,
    'nor changed there');
SELECT throws_ok(
    $$SELECT tenancy.add_member(NULL, tap.id('viewer of a'), 'admin')$$, 'VC015', NULL, 'nor in none');
SELECT is((SELECT tenancy.remove_member(tap.id('b'), tap.id('viewer of b'))), false, 'nor removed there');
SELECT throws_ok(
    $$UPDATE tenancy.org_memberships SET org_id = tap.id('b')$$, '42501', NULL, 'a membership is not moved');
SELECT throws_ok(
    $$UPDATE tenancy.org_memberships SET user_id = tap.id('stranger of a')$$, '42501', NULL, 'nor given away');

-- Those who do not manage.
CALL tap.act('member', 'a');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('stranger of a'))$$, 'VC014', NULL, 'a member adds nobody');
SELECT is((SELECT tenancy.remove_member(tap.id('a'), tap.id('viewer of a'))), false, 'a member removes nobody');
CALL tap.act('viewer', 'a');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('viewer of a'), 'admin')$$, 'VC014', NULL,
    'a viewer does not promote themselves');
SELECT is(
    (SELECT tenancy.remove_member(tap.id('a'), tap.id('member of a'))), false, 'a viewer removes nobody');

-- The list.
SELECT is((SELECT count(*) FROM tenancy.list_members()), 4::bigint, 'every member sees the list');
SELECT results_eq(
    $$SELECT user_id, username, email, role FROM tenancy.list_members() WHERE role = 'owner'$$,
    $$VALUES (tap.id('owner of a'), 'owner of a', 'owner@a.test', 'owner')$$,
    'with profiles');
SELECT is(
    (SELECT count(*) FROM tenancy.list_members() WHERE email LIKE '%@b.test'), 0::bigint,
    'and nobody of another organization');
CALL tap.act();
SELECT is((SELECT count(*) FROM tenancy.list_members()), 0::bigint, 'without a context it is empty');

-- What an owner may do.
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT tenancy.remove_member(tap.id('a'), tap.id('owner of a'))$$, 'VC013',
    format('organization %s would be left without an owner', tap.id('a')),
    'the last owner does not leave');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('owner of a'), 'admin')$$, 'VC013', NULL,
    'nor steps down');
SELECT throws_ok(
    $$UPDATE tenancy.org_memberships SET role = 'viewer'$$, 'VC013', NULL,
    'nor goes in a statement that demotes everybody');
SELECT throws_ok(
    'DELETE FROM tenancy.org_memberships', '42501', NULL, 'and nobody removes anybody but by the function');
SELECT lives_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('admin of a'), 'owner')$$, 'an owner makes another owner');
SELECT is(
    (SELECT tenancy.remove_member(tap.id('a'), tap.id('owner of a'))), true, 'and may leave then');
SELECT throws_ok(
    $$SELECT tenancy.remove_member(tap.id('a'), tap.id('admin of a'))$$, 'VC013', NULL,
    'the new one is the last');

-- The service, and those who are nobody.
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('stranger of a'))$$, 'VC011', NULL,
    'the service adds nobody before it has taken a context');
SELECT lives_ok($$SELECT tenancy.assume(tap.id('b'))$$, 'the service takes the other organization');
SELECT lives_ok(
    $$SELECT tenancy.add_member(tap.id('b'), tap.id('stranger of b'), 'owner')$$, 'and then does what an owner does');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('stranger of b'))$$, 'VC015', NULL, 'there and nowhere else');
SELECT lives_ok(
    $$SELECT tenancy.add_member(tap.id('b'), tap.id('stranger of b'), 'viewer')$$, 'it changes members too');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('b'), tap.id('no user'))$$, '23503', NULL, 'and adds users only');
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.user_id', tap.id('member of b')::text, true), set_config('codeverify.member_role', 'member', true) \g /dev/null
SET LOCAL SESSION AUTHORIZATION tap_service;
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('b'), tap.id('stranger of a'))$$, 'VC014', NULL, 'it adds nobody for a member who does not manage');
SELECT throws_ok(
    $$INSERT INTO tenancy.org_memberships (user_id) VALUES (tap.id('stranger of a'))$$, '42501', NULL, 'nor by a plain INSERT');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok(
    $$SELECT tenancy.add_member(tap.id('a'), tap.id('stranger of a'))$$, '42501', NULL, 'somebody without a role adds nobody');
SELECT throws_ok('SELECT * FROM tenancy.list_members()', '42501', NULL, 'and sees no list');

-- Users who are deleted.
RESET SESSION AUTHORIZATION;
SELECT throws_ok(
    $$DELETE FROM auth.users WHERE id = tap.id('admin of a')$$, 'VC013', NULL,
    'a user who is the last owner somewhere is not deleted');
SELECT lives_ok(
    $$DELETE FROM auth.users WHERE id = tap.id('viewer of a')$$, 'another user is');
SELECT is(
    (SELECT count(*) FROM tenancy.org_memberships WHERE user_id = tap.id('viewer of a')), 0::bigint,
    'and is a member no longer');
SELECT throws_ok(
    $$INSERT INTO tenancy.org_memberships (org_id, user_id) VALUES (tap.id('b'), tap.id('viewer of b'))$$, '23505', NULL,
    'nobody is a member twice');

SELECT * FROM finish();
ROLLBACK;
