-- Installations and repositories: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('scm.installations', $$account_type = 'ORGANIZATION'$$, 'installations_account_type_check'),
       ('scm.installations', $$account_type = 'Organization'$$, NULL),
       ('scm.installations', $$account_type = 'User'$$, NULL),
       ('scm.installations', $$events = '{}'$$, 'installations_events_check'),
       ('scm.installations', $$events = 'null'$$, 'installations_events_check'),
       ('scm.installations', $$github_installation_id = 0$$, 'installations_github_installation_id_check'),
       ('scm.installations', $$permissions = '[]'$$, 'installations_permissions_check'),
       ('scm.installations', $$permissions = 'null'$$, 'installations_permissions_check'),
       ('scm.repositories', $$github_default_branch = ''$$, 'repositories_github_default_branch_check'),
       ('scm.repositories', $$github_default_branch = repeat('x', 256)$$, 'repositories_github_default_branch_check'),
       ('scm.repositories', $$github_default_branch = repeat('x', 255)$$, NULL),
       ('scm.repositories', $$default_branch = ''$$, 'repositories_default_branch_check'),
       ('scm.repositories', $$default_branch = repeat('x', 256)$$, 'repositories_default_branch_check'),
       ('scm.repositories', $$default_branch = repeat('x', 255)$$, NULL),
       ('scm.repositories', $$full_name = ''$$, 'repositories_full_name_check'),
       ('scm.repositories', $$full_name = repeat('x', 513)$$, 'repositories_full_name_check'),
       ('scm.repositories', $$full_name = repeat('x', 512)$$, NULL),
       ('scm.repositories', $$github_id = 0$$, 'repositories_github_id_check'),
       ('scm.repositories', $$installation_id = 0$$, 'repositories_installation_id_check'),
       ('scm.repositories', $$name = ''$$, 'repositories_name_check'),
       ('scm.repositories', $$name = repeat('x', 256)$$, 'repositories_name_check'),
       ('scm.repositories', $$name = repeat('x', 255)$$, NULL),
       ('scm.repositories', $$settings = '[]'$$, 'repositories_settings_check'),
       ('scm.repositories', $$settings = 'null'$$, 'repositories_settings_check');

SELECT tap.test_values('scm');

SELECT * FROM finish();
ROLLBACK;
