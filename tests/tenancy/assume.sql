-- tenancy.assume(): the trusted service takes on an organization, and one of its members, for one transaction.
BEGIN;
SELECT plan(22);
\ir ../two_tenants.sql

CALL tap.act();
SELECT throws_ok($$SELECT tenancy.assume(tap.id('a'))$$, '42501', NULL, 'a tenant may not');
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok($$SELECT tenancy.assume(tap.id('a'))$$, '42501', NULL, 'a writer of logs may not');
CALL tap.act(login => 'tap_auditor');
SELECT throws_ok($$SELECT tenancy.assume(tap.id('a'))$$, '42501', NULL, 'an auditor may not');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok($$SELECT tenancy.assume(tap.id('a'))$$, '42501', NULL, 'an administrator of the server may not');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok($$SELECT tenancy.assume(tap.id('a'))$$, '42501', NULL, 'somebody without a role may not');

CALL tap.act(login => 'tap_service');
SELECT is(tenancy.current_org_id(), NULL, 'at first there is no organization in context');
SELECT is(tenancy.current_user_id(), NULL, 'and no user');
SELECT is(tenancy."current_role"(), NULL, 'and no role');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 0::bigint, 'and the service sees nothing');

-- What is refused leaves no context behind.
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('no organization'))$$, 'VC015',
    format('organization %s does not exist', tap.id('no organization')), 'the organization must exist');
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('a'), tap.id('stranger of a'))$$, 'VC012',
    format('user %s is not a member of organization %s', tap.id('stranger of a'), tap.id('a')), 'the user must be a member');
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('a'), tap.id('owner of b'))$$, 'VC012', NULL, 'of that very organization');
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('a'), tap.id('no user'))$$, 'VC012', NULL, 'and must exist');
SELECT throws_ok($$SELECT tenancy.assume(NULL)$$, 'VC011', NULL, 'an organization must be named');
SELECT is(tenancy.current_org_id(), NULL, 'after all that there is still no context');

SELECT lives_ok($$SELECT tenancy.assume(tap.id('a'), tap.id('developer of a'))$$, 'the service acts for a member');
SELECT is(tenancy.current_org_id(), tap.id('a'), 'the organization is in context');
SELECT is(tenancy.current_user_id(), tap.id('developer of a'), 'so is the user');
SELECT is(tenancy."current_role"(), 'developer', 'with the role of the membership');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 5::bigint, 'it sees that organization');
SELECT ok(tenancy.has_permission('write'), 'and does what a developer may');
SELECT ok(NOT tenancy.has_permission('manage'), 'and no more');

SELECT * FROM finish();
ROLLBACK;
