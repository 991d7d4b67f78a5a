CREATE VIEW tenancy.coverage WITH (security_invoker = true) AS
SELECT
    n.nspname AS schema_name,
    c.relname AS table_name,
    c.relispartition AS is_partition,
    c.relrowsecurity AS row_security,
    c.relforcerowsecurity AS forced,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_policy AS p
        WHERE p.polrelid = c.oid
          AND tenancy.is_isolating_policy(p.oid, a.attname)
    ) AS restrictive_policy,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid
          AND i.indkey[0] = a.attnum
          AND i.indisvalid
          AND i.indpred IS NULL
    ) AS leading_index,
    c.relispartition AND EXISTS (
        SELECT
        FROM pg_catalog.aclexplode(c.relacl) AS g
        WHERE g.grantee <> c.relowner
    ) AS direct_partition_grants
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attname = 'org_id'
  AND a.atttypid = 'pg_catalog.uuid'::pg_catalog.regtype
  AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't';
COMMENT ON VIEW tenancy.coverage IS
    'A row for each table and partition with a uuid column org_id, yours included, and what isolates it. A gap is a row where row_security, forced, restrictive_policy or leading_index is false, or direct_partition_grants is true.';
COMMENT ON COLUMN tenancy.coverage.schema_name IS 'Schema of the table.';
COMMENT ON COLUMN tenancy.coverage.table_name IS 'The table or partition.';
COMMENT ON COLUMN tenancy.coverage.is_partition IS 'Whether it is a partition of another table.';
COMMENT ON COLUMN tenancy.coverage.row_security IS 'Whether row security is enabled.';
COMMENT ON COLUMN tenancy.coverage.forced IS 'Whether row security binds the owner too.';
COMMENT ON COLUMN tenancy.coverage.restrictive_policy IS 'Whether a restrictive policy for everybody compares org_id with the context.';
COMMENT ON COLUMN tenancy.coverage.leading_index IS 'Whether a full index begins with org_id.';
COMMENT ON COLUMN tenancy.coverage.direct_partition_grants IS 'Whether somebody but the owner may use the partition by its own name.';
GRANT SELECT ON tenancy.coverage TO codeverify_admin, codeverify_auditor, codeverify_service;

CREATE VIEW tenancy.organization_members WITH (security_invoker = true) AS
SELECT
    m.org_id,
    m.user_id,
    CASE m.role WHEN 'developer' THEN 'member' ELSE m.role END::tenancy.member_role AS role,
    m.created_at
FROM tenancy.org_memberships AS m;
COMMENT ON VIEW tenancy.organization_members IS
    'Memberships for clients that expect the enum type member_role; a developer is a member there. Change roles with tenancy.add_member().';
COMMENT ON COLUMN tenancy.organization_members.org_id IS 'The organization.';
COMMENT ON COLUMN tenancy.organization_members.user_id IS 'The member.';
COMMENT ON COLUMN tenancy.organization_members.role IS 'owner, admin, member or viewer.';
COMMENT ON COLUMN tenancy.organization_members.created_at IS 'When the user became a member.';
GRANT SELECT ON tenancy.organization_members TO codeverify_tenant;

CREATE VIEW tenancy.role_bindings WITH (security_invoker = true) AS
SELECT
    b.role,
    b.org_id,
    b.member_role,
    b.user_id
FROM tenancy.list_role_bindings() AS b;
COMMENT ON VIEW tenancy.role_bindings IS
    'Logins that tenancy.bind_role() has bound in this database, and to whom. codeverify.doctor() tells which of them point nowhere.';
COMMENT ON COLUMN tenancy.role_bindings.role IS 'The login.';
COMMENT ON COLUMN tenancy.role_bindings.org_id IS 'Organization that it acts for; NULL where the setting is none that tenancy.bind_role() makes, and has no effect.';
COMMENT ON COLUMN tenancy.role_bindings.member_role IS 'What it may do there, at most: owner, admin, member, developer or viewer.';
COMMENT ON COLUMN tenancy.role_bindings.user_id IS 'User that it acts as; NULL for a login that is nobody in person.';
GRANT SELECT ON tenancy.role_bindings TO codeverify_admin, codeverify_auditor, codeverify_service;
CREATE VIEW tenancy.permissions WITH (security_invoker = true) AS
SELECT
    p.role,
    p.permission,
    p.allowed,
    p.what_it_allows
FROM tenancy.list_permissions() AS p;
COMMENT ON VIEW tenancy.permissions IS
    'What each role inside an organization may do. Policies and functions ask the same table, which is part of the library.';
COMMENT ON COLUMN tenancy.permissions.role IS 'owner, admin, member, developer or viewer, as in tenancy.org_memberships.role.';
COMMENT ON COLUMN tenancy.permissions.permission IS 'read, write, manage or own, as tenancy.has_permission() takes it.';
COMMENT ON COLUMN tenancy.permissions.allowed IS 'Whether the role has the permission.';
COMMENT ON COLUMN tenancy.permissions.what_it_allows IS 'What the permission is for, in a sentence.';
GRANT SELECT ON tenancy.permissions TO codeverify_admin, codeverify_auditor, codeverify_service, codeverify_tenant;
