-- Projects, versions, baselines and policies: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('projects.baselines', $$metric_key = ''$$, 'baselines_metric_key_check'),
       ('projects.baselines', $$metric_key = repeat('x', 256)$$, 'baselines_metric_key_check'),
       ('projects.baselines', $$metric_key = repeat('x', 255)$$, NULL),
       ('projects.baselines', $$operator = 'other'$$, 'baselines_operator_check'),
       ('projects.baselines', $$operator = '>'$$, NULL),
       ('projects.baselines', $$operator = '<'$$, NULL),
       ('projects.baselines', $$operator = '>='$$, NULL),
       ('projects.baselines', $$operator = '<='$$, NULL),
       ('projects.baselines', $$operator = '='$$, NULL),
       ('projects.baselines', $$threshold = 'NaN'$$, 'baselines_threshold_check'),
       ('projects.baselines', $$threshold = -1.5$$, NULL),
       ('projects.policies', $$name = ''$$, 'policies_name_check'),
       ('projects.policies', $$name = repeat('x', 256)$$, 'policies_name_check'),
       ('projects.policies', $$name = repeat('x', 255)$$, NULL),
       ('projects.policies', $$rego_code = ''$$, 'policies_rego_code_check'),
       ('projects.projects', $$name = ''$$, 'projects_name_check'),
       ('projects.projects', $$name = repeat('x', 256)$$, 'projects_name_check'),
       ('projects.projects', $$name = repeat('x', 255)$$, NULL),
       ('projects.projects', $$settings = '[]'$$, 'projects_settings_check'),
       ('projects.projects', $$settings = 'null'$$, 'projects_settings_check'),
       ('projects.version_history', $$action = 'PROMOTED'$$, 'version_history_action_check'),
       ('projects.version_history', $$action = 'promoted'$$, NULL),
       ('projects.version_history', $$action = 'degraded'$$, NULL),
       ('projects.version_history', $$action = 'updated'$$, NULL),
       ('projects.version_history', $$from_tag = 'V1'$$, 'version_history_from_tag_check'),
       ('projects.version_history', $$from_tag = 'v1'$$, NULL),
       ('projects.version_history', $$from_tag = 'v2'$$, NULL),
       ('projects.version_history', $$from_tag = 'v3'$$, NULL),
       ('projects.version_history', $$to_tag = 'V1'$$, 'version_history_to_tag_check'),
       ('projects.version_history', $$to_tag = 'v1'$$, NULL),
       ('projects.version_history', $$to_tag = 'v2'$$, NULL),
       ('projects.version_history', $$to_tag = 'v3'$$, NULL),
       ('projects.versions', $$model_config = '[]'$$, 'versions_model_config_check'),
       ('projects.versions', $$model_config = 'null'$$, 'versions_model_config_check'),
       ('projects.versions', $$tag = 'V1'$$, 'versions_tag_check'),
       ('projects.versions', $$tag = 'v1'$$, NULL),
       ('projects.versions', $$tag = 'v2'$$, NULL),
       ('projects.versions', $$tag = 'v3'$$, NULL);

SELECT tap.test_values('projects');

SELECT * FROM finish();
ROLLBACK;
