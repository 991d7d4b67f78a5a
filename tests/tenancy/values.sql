-- Organizations, members, services and environments: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('tenancy.environments', $$name = ''$$, 'environments_name_check'),
       ('tenancy.environments', $$name = repeat('x', 256)$$, 'environments_name_check'),
       ('tenancy.environments', $$name = repeat('x', 255)$$, NULL),
       ('tenancy.org_memberships', $$role = 'OWNER'$$, 'org_memberships_role_check'),
       ('tenancy.org_memberships', $$role = 'owner'$$, NULL),
       ('tenancy.org_memberships', $$role = 'admin'$$, NULL),
       ('tenancy.org_memberships', $$role = 'member'$$, NULL),
       ('tenancy.org_memberships', $$role = 'developer'$$, NULL),
       ('tenancy.org_memberships', $$role = 'viewer'$$, NULL),
       ('tenancy.organizations', $$avatar_url = 'ftp://x.test/'$$, 'organizations_avatar_url_check'),
       ('tenancy.organizations', $$avatar_url = 'javascript:alert(1)'$$, 'organizations_avatar_url_check'),
       ('tenancy.organizations', $$avatar_url = 'https://with blank.test'$$, 'organizations_avatar_url_check'),
       ('tenancy.organizations', $$avatar_url = ''$$, 'organizations_avatar_url_check'),
       ('tenancy.organizations', $$avatar_url = 'http://x.test'$$, NULL),
       ('tenancy.organizations', $$github_id = 0$$, 'organizations_github_id_check'),
       ('tenancy.organizations', $$login = ''$$, 'organizations_login_check'),
       ('tenancy.organizations', $$login = repeat('x', 256)$$, 'organizations_login_check'),
       ('tenancy.organizations', $$login = repeat('x', 255)$$, NULL),
       ('tenancy.organizations', $$name = ''$$, 'organizations_name_check'),
       ('tenancy.organizations', $$name = repeat('x', 256)$$, 'organizations_name_check'),
       ('tenancy.organizations', $$name = repeat('x', 255)$$, NULL),
       ('tenancy.organizations', $$settings = '[]'$$, 'organizations_settings_check'),
       ('tenancy.organizations', $$settings = 'null'$$, 'organizations_settings_check'),
       ('tenancy.organizations', $$plan = 'gold'$$, '22P02'),
       ('tenancy.services', $$name = ''$$, 'services_name_check'),
       ('tenancy.services', $$name = repeat('x', 256)$$, 'services_name_check'),
       ('tenancy.services', $$name = repeat('x', 255)$$, NULL);

SELECT tap.test_values('tenancy');

SELECT * FROM finish();
ROLLBACK;
