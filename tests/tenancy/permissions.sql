-- Which role has which permission, and what that lets it write.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

-- The table of permissions, asked as each role.
CREATE TABLE tap.permission (member text, permission text, granted boolean);
GRANT SELECT ON tap.permission TO PUBLIC;
INSERT INTO tap.permission
VALUES ('owner',     'read', true), ('owner',     'write', true),  ('owner',     'manage', true),  ('owner',     'own', true),
       ('admin',     'read', true), ('admin',     'write', true),  ('admin',     'manage', true),  ('admin',     'own', false),
       ('member',    'read', true), ('member',    'write', true),  ('member',    'manage', false), ('member',    'own', false),
       ('developer', 'read', true), ('developer', 'write', true),  ('developer', 'manage', false), ('developer', 'own', false),
       ('viewer',    'read', true), ('viewer',    'write', false), ('viewer',    'manage', false), ('viewer',    'own', false);
