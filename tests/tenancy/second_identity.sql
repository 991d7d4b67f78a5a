-- A transaction acts for one identity. A second is refused whatever happened to the first meanwhile, because a
-- cursor or a plan of the first may still be open.

-- What an earlier transaction of the session did is over.
BEGIN;
\ir ../two_tenants.sql
CALL tap.act(login => 'tap_service');
SELECT tenancy.assume(tap.id('b'), tap.id('owner of b'));
ROLLBACK;

BEGIN;
SELECT plan(25);
\ir ../two_tenants.sql
CALL tap.act(login => 'tap_service');
SELECT is(tenancy.current_org_id(), NULL, 'a transaction begins without a context');

SAVEPOINT before_the_context;
SELECT lives_ok($$SELECT tenancy.assume(tap.id('a'), tap.id('viewer of a'))$$, 'the first identity is taken');
SELECT lives_ok($$SELECT tenancy.assume(tap.id('a'), tap.id('viewer of a'))$$, 'it may be taken again');

SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('b'))$$, 'VC010', 'the transaction already acts for another identity',
    'another organization is refused');
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('b'), tap.id('viewer of b'))$$, 'VC010', NULL, 'so is a member of another');
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('a'), tap.id('owner of a'))$$, 'VC010', NULL,
    'so is another member of the same organization');
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('a'))$$, 'VC010', NULL, 'so is the organization without the user');
SELECT is(tenancy.current_org_id(), tap.id('a'), 'the organization has not changed');
SELECT is(tenancy.current_user_id(), tap.id('viewer of a'), 'nor has the user');
SELECT is(tenancy."current_role"(), 'viewer', 'nor has the role');

DECLARE members CURSOR FOR SELECT DISTINCT org_id FROM tenancy.org_memberships;

-- RESET ALL is open to everybody. It ends the context; it does not make room for another.
RESET ALL;
SELECT is(tenancy.current_org_id(), NULL, 'RESET ALL takes the context away');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 0::bigint, 'and every row with it');
SELECT throws_ok($$SELECT tenancy.assume(tap.id('b'))$$, 'VC010', NULL, 'another identity is still refused');
SELECT lives_ok($$SELECT tenancy.assume(tap.id('a'), tap.id('viewer of a'))$$, 'the same one is not');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 5::bigint, 'and its rows are back');

-- So with savepoints.
ROLLBACK TO SAVEPOINT before_the_context;
SELECT is(tenancy.current_org_id(), NULL, 'rolling back takes the context away');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 0::bigint, 'and every row with it');
SELECT throws_ok($$SELECT tenancy.assume(tap.id('b'))$$, 'VC010', NULL, 'another identity is still refused');
SELECT lives_ok($$SELECT tenancy.assume(tap.id('a'), tap.id('viewer of a'))$$, 'the same one is not');
SELECT is(tenancy.current_user_id(), tap.id('viewer of a'), 'the user is back');

-- A membership that has changed makes another identity, and one that has ended makes none.
RESET SESSION AUTHORIZATION;
UPDATE tenancy.org_memberships SET role = 'admin' WHERE user_id = tap.id('viewer of a');
SET LOCAL SESSION AUTHORIZATION tap_service;
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('a'), tap.id('viewer of a'))$$, 'VC010', NULL,
    'a role that has changed meanwhile waits for the next transaction');
RESET SESSION AUTHORIZATION;
DELETE FROM tenancy.org_memberships WHERE user_id = tap.id('viewer of a');
SET LOCAL SESSION AUTHORIZATION tap_service;
SELECT throws_ok(
    $$SELECT tenancy.assume(tap.id('a'), tap.id('viewer of a'))$$, 'VC012', NULL,
    'a member who was removed meanwhile is refused');

-- Nobody can put settings and first identity at odds by hand.
SELECT throws_ok(
    $$SELECT set_config('codeverify.org_id', tap.id('b')::text, true)$$, '42501', NULL,
    'the service cannot set the context by hand');
SELECT throws_ok('RESET codeverify.org_id', '42501', NULL, 'nor reset it alone');
SELECT is(tenancy.current_org_id(), tap.id('a'), 'the context is what it was');

SELECT * FROM finish();
ROLLBACK;
