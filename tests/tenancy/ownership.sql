-- An organization is handed over, left, and kept from being without an owner; a user may be in several.

-- A user in two organizations works with each, as what they are there; a transaction takes one context.
BEGIN;
\ir ../two_tenants.sql
INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (tap.id('b'), tap.id('developer of a'), 'viewer');
CALL tap.act(login => 'tap_service');
SELECT tenancy.assume(tap.id('a'), tap.id('developer of a')) \g /dev/null
SELECT concat_ws(' ', o.name, tenancy."current_role"(), (SELECT count(*) FROM tenancy.org_memberships)) AS in_a
FROM tenancy.organizations AS o \gset
ROLLBACK;
BEGIN;
\ir ../two_tenants.sql
INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (tap.id('b'), tap.id('developer of a'), 'viewer');
CALL tap.act(login => 'tap_service');
SELECT tenancy.assume(tap.id('b'), tap.id('developer of a')) \g /dev/null
SELECT concat_ws(' ', o.name, tenancy."current_role"(), (SELECT count(*) FROM tenancy.org_memberships)) AS in_b
FROM tenancy.organizations AS o \gset
ROLLBACK;

BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

-- Who may not, and to whom.
CALL tap.act('admin', 'a');
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('admin of a'))$$, 'VC014', NULL, 'an administrator takes nothing over');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('stranger of a'))$$, 'VC012', NULL, 'a stranger is given nothing');
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('no user'))$$, 'VC012', NULL, 'nor is nobody, in the same words');
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), NULL)$$, 'VC012', NULL, 'nor NULL');
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('b'), tap.id('admin of b'))$$, 'VC015', NULL, 'another organization is not given away');
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(NULL, tap.id('admin of a'))$$, 'VC011', NULL, 'nor is none');
SELECT lives_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('owner of a'))$$, 'to oneself it is nothing');
SELECT results_eq(
    $$SELECT role FROM tenancy.org_memberships WHERE user_id = tap.id('owner of a')$$, $$VALUES ('owner')$$, 'and changes nothing');
CALL tap.act();
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('admin of a'))$$, 'VC011', NULL, 'without a context there is nothing to give');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('admin of a'))$$, '42501', NULL, 'somebody without a role calls nothing');

-- It is done, and told.
CALL tap.act('owner', 'a');
SELECT lives_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('viewer of a'))$$, 'an owner hands the organization over');
SELECT results_eq(
    $$SELECT user_id, role FROM tenancy.org_memberships WHERE user_id IN (tap.id('owner of a'), tap.id('viewer of a')) ORDER BY role$$,
    $$VALUES (tap.id('owner of a'), 'admin'), (tap.id('viewer of a'), 'owner')$$,
    'the member is the owner, who was it is an administrator');
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('a'), tap.id('developer of a'))$$, 'VC014', NULL,
    'who has given it away does so no second time, though the context still says owner');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT actor_id, resource_id, payload
        FROM audits.audit_log
        WHERE org_id = tap.id('a') AND action = 'ownership.transferred'
    $$,
    $$VALUES (tap.id('owner of a'), tap.id('a'), jsonb_build_object('from', tap.id('owner of a'), 'to', tap.id('viewer of a')))$$,
    'the ledger tells who gave it to whom');

-- A service without a user is no owner who could become something else.
CALL tap.act(login => 'tap_service');
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.org_id', tap.id('b')::text, true), set_config('codeverify.member_role', 'owner', true) \g /dev/null
SET LOCAL SESSION AUTHORIZATION tap_service;
SELECT throws_ok(
    $$SELECT tenancy.transfer_ownership(tap.id('b'), tap.id('admin of b'))$$, 'VC014', NULL, 'the service as such hands nothing over');
SELECT throws_ok('SELECT tenancy.leave_organization()', 'VC014', 'no user in context', 'nor leaves');

-- Leaving.
CALL tap.act('developer', 'b');
SELECT ok(tenancy.leave_organization(), 'a member leaves');
SELECT ok(NOT tenancy.leave_organization(), 'once');
SELECT is(
    (SELECT count(*) FROM tenancy.org_memberships WHERE user_id = tap.id('developer of b')), 0::bigint, 'and is a member no more');
CALL tap.act('viewer', 'b');
SELECT ok(tenancy.leave_organization(), 'a viewer may leave too');
CALL tap.act('owner', 'b');
SELECT throws_ok('SELECT tenancy.leave_organization()', 'VC013', NULL, 'the last owner may not');
SELECT lives_ok($$SELECT tenancy.transfer_ownership(tap.id('b'), tap.id('member of b'))$$, 'before somebody else is one');
SELECT ok(tenancy.leave_organization(), 'and then may');
CALL tap.act();
SELECT throws_ok('SELECT tenancy.leave_organization()', 'VC011', NULL, 'without a context there is nothing to leave');

-- One user in several organizations, in each as what they are there.
RESET SESSION AUTHORIZATION;
INSERT INTO tenancy.org_memberships (org_id, user_id, role)
VALUES (tap.id('b'), tap.id('developer of a'), 'viewer');
SELECT results_eq(
    $$SELECT org_id, role FROM tenancy.org_memberships WHERE user_id = tap.id('developer of a') ORDER BY role$$,
    $$VALUES (tap.id('a'), 'developer'), (tap.id('b'), 'viewer')$$,
    'a user is in two organizations');
SELECT is(:'in_a'::text, 'Organization A developer 5', 'and works with the one as a developer');
SELECT is(:'in_b'::text, 'Organization B viewer 6', 'and with the other as a viewer');

SELECT * FROM finish();
ROLLBACK;
