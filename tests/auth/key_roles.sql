-- The role that a key acts with is the widest that its scopes name, and never owner.
BEGIN;
\ir ../two_tenants.sql
SELECT api_key AS key FROM auth.create_api_key(tap.id('a'), 'k', '["read"]') \gset
CALL tap.act();
SELECT auth.authenticate_api_key(:'key', 'read') ->> 'status' AS read_status \gset
SELECT tenancy."current_role"() AS read_role \gset
ROLLBACK;

-- A transaction takes one identity, so each key has a transaction of its own.
BEGIN;
\ir ../two_tenants.sql
SELECT api_key AS key FROM auth.create_api_key(tap.id('a'), 'k', '["write"]') \gset
CALL tap.act();
SELECT auth.authenticate_api_key(:'key', 'read') ->> 'status' AS write_status \gset
SELECT tenancy."current_role"() AS write_role \gset
ROLLBACK;

BEGIN;
\ir ../two_tenants.sql
SELECT api_key AS key FROM auth.create_api_key(tap.id('a'), 'k', '["admin", "read"]') \gset
CALL tap.act();
SELECT auth.authenticate_api_key(:'key', 'write') ->> 'status' AS admin_status \gset
SELECT tenancy."current_role"() AS admin_role \gset
-- A key that manages makes keys, members and rules, and no owner.
SELECT count(*) AS admin_keys FROM auth.create_api_key(tap.id('a'), 'made by a key', '["write"]') \gset
SELECT created_by IS NULL AS admin_key_is_nobodys FROM auth.api_keys WHERE name = 'made by a key' \gset
SELECT tenancy.has_permission('own') AS admin_owns \gset
ROLLBACK;

BEGIN;
\ir ../two_tenants.sql
SELECT api_key AS key FROM auth.create_api_key(tap.id('a'), 'k', '["read", "owner", "logs:ingest"]') \gset
CALL tap.act();
SELECT auth.authenticate_api_key(:'key', 'logs:ingest') ->> 'status' AS other_status \gset
SELECT tenancy."current_role"() AS other_role \gset
ROLLBACK;

-- The context ends with the transaction, whether it commits or not.
SELECT coalesce(tenancy.current_org_id()::text, 'none') AS context_after \gset

-- A transaction that may not write authenticates too, as on a standby; it leaves no stamp.
BEGIN;
\ir ../two_tenants.sql
SELECT api_key AS key FROM auth.create_api_key(tap.id('a'), 'k') \gset
SET TRANSACTION READ ONLY;
SELECT auth.authenticate_api_key(:'key') ->> 'status' AS read_only_status \gset
SELECT last_used_at IS NULL AS read_only_unstamped FROM auth.api_keys WHERE name = 'k' \gset
ROLLBACK;

BEGIN ISOLATION LEVEL SERIALIZABLE;
\ir ../two_tenants.sql
SELECT api_key AS key FROM auth.create_api_key(tap.id('a'), 'k') \gset
SELECT auth.authenticate_api_key(:'key') ->> 'status' AS serializable_status \gset
ROLLBACK;

BEGIN;
SELECT plan(14);
SELECT is(:'read_status'::text, 'ok', 'a key for reading reads');
SELECT is(:'read_role'::text, 'viewer', 'as a viewer');
SELECT is(:'write_status'::text, 'ok', 'a key for writing reads');
SELECT is(:'write_role'::text, 'developer', 'as a developer');
SELECT is(:'admin_status'::text, 'ok', 'a key for administration writes');
SELECT is(:'admin_role'::text, 'admin', 'as an administrator');
SELECT is(:'admin_keys'::text, '1', 'and makes keys');
SELECT is(:'admin_key_is_nobodys'::text, 't', 'which no user has made');
SELECT is(:'admin_owns'::text, 'f', 'but is no owner');
SELECT is(:'other_status'::text, 'ok', 'a key with a scope of another name has that scope');
SELECT is(:'other_role'::text, 'viewer', 'and reads, even if the name is owner');
SELECT is(:'context_after'::text, 'none', 'the context ends with the transaction');
SELECT is(:'read_only_status' || ' ' || :'read_only_unstamped', 'ok t', 'a key is verified where nothing can be written');
SELECT is(:'serializable_status'::text, 'ok', 'and at every isolation level');
SELECT * FROM finish();
ROLLBACK;
