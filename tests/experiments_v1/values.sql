-- Experiments, evaluations, promotions, blacklist and reports: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('experiments_v1.blacklist', $$config_hash = repeat('a', 63)$$, 'blacklist_config_hash_check'),
       ('experiments_v1.blacklist', $$config_hash = repeat('A', 64)$$, 'blacklist_config_hash_check'),
       ('experiments_v1.blacklist', $$config_hash = repeat('g', 64)$$, 'blacklist_config_hash_check'),
       ('experiments_v1.blacklist', $$evidence = '[]'$$, 'blacklist_evidence_check'),
       ('experiments_v1.blacklist', $$evidence = 'null'$$, 'blacklist_evidence_check'),
       ('experiments_v1.blacklist', $$review_status = 'PENDING'$$, 'blacklist_review_status_check'),
       ('experiments_v1.blacklist', $$review_status = 'pending'$$, NULL),
       ('experiments_v1.blacklist', $$review_status = 'reviewed'$$, NULL),
       ('experiments_v1.blacklist', $$review_status = 'appealed'$$, NULL),
       ('experiments_v1.comparison_reports', $$confidence = 0 - 0.001$$, 'comparison_reports_confidence_check'),
       ('experiments_v1.comparison_reports', $$confidence = 1 + 0.001$$, 'comparison_reports_confidence_check'),
       ('experiments_v1.comparison_reports', $$confidence = 0$$, NULL),
       ('experiments_v1.comparison_reports', $$confidence = 1$$, NULL),
       ('experiments_v1.comparison_reports', $$metrics = '[]'$$, 'comparison_reports_metrics_check'),
       ('experiments_v1.comparison_reports', $$metrics = 'null'$$, 'comparison_reports_metrics_check'),
       ('experiments_v1.comparison_reports', $$recommendation = ''$$, 'comparison_reports_recommendation_check'),
       ('experiments_v1.comparison_reports', $$recommendation = repeat('x', 256)$$, 'comparison_reports_recommendation_check'),
       ('experiments_v1.comparison_reports', $$recommendation = repeat('x', 255)$$, NULL),
       ('experiments_v1.evaluations', $$ai_confidence = 0 - 0.001$$, 'evaluations_ai_confidence_check'),
       ('experiments_v1.evaluations', $$ai_confidence = 1 + 0.001$$, 'evaluations_ai_confidence_check'),
       ('experiments_v1.evaluations', $$ai_confidence = 0$$, NULL),
       ('experiments_v1.evaluations', $$ai_confidence = 1$$, NULL),
       ('experiments_v1.evaluations', $$ai_verdict = 'PASS'$$, 'evaluations_ai_verdict_check'),
       ('experiments_v1.evaluations', $$ai_verdict = 'pass'$$, NULL),
       ('experiments_v1.evaluations', $$ai_verdict = 'fail'$$, NULL),
       ('experiments_v1.evaluations', $$ai_verdict = 'manual_review'$$, NULL),
       ('experiments_v1.evaluations', $$evaluated_by = 'AI'$$, 'evaluations_evaluated_by_check'),
       ('experiments_v1.evaluations', $$evaluated_by = 'ai'$$, NULL),
       ('experiments_v1.evaluations', $$evaluated_by = 'human'$$, NULL),
       ('experiments_v1.evaluations', $$human_override = ''$$, 'evaluations_human_override_check'),
       ('experiments_v1.evaluations', $$human_override = repeat('x', 256)$$, 'evaluations_human_override_check'),
       ('experiments_v1.evaluations', $$human_override = repeat('x', 255)$$, NULL),
       ('experiments_v1.evaluations', $$metrics = '[]'$$, 'evaluations_metrics_check'),
       ('experiments_v1.evaluations', $$metrics = 'null'$$, 'evaluations_metrics_check'),
       ('experiments_v1.experiments', $$config = '[]'$$, 'experiments_config_check'),
       ('experiments_v1.experiments', $$config = 'null'$$, 'experiments_config_check'),
       ('experiments_v1.experiments', $$name = ''$$, 'experiments_name_check'),
       ('experiments_v1.experiments', $$name = repeat('x', 256)$$, 'experiments_name_check'),
       ('experiments_v1.experiments', $$name = repeat('x', 255)$$, NULL),
       ('experiments_v1.experiments', $$started_at = now(), completed_at = now() - interval '1 ms'$$, 'experiments_started_at_completed_at_check'),
       ('experiments_v1.experiments', $$started_at = now(), completed_at = now()$$, NULL),
       ('experiments_v1.experiments', $$status = 'CREATED'$$, 'experiments_status_check'),
       ('experiments_v1.experiments', $$status = 'created'$$, NULL),
       ('experiments_v1.experiments', $$status = 'running'$$, NULL),
       ('experiments_v1.experiments', $$status = 'completed'$$, NULL),
       ('experiments_v1.experiments', $$status = 'failed'$$, NULL),
       ('experiments_v1.experiments', $$status = 'evaluating'$$, NULL),
       ('experiments_v1.experiments', $$status = 'promoted'$$, NULL),
       ('experiments_v1.experiments', $$status = 'quarantined'$$, NULL),
       ('experiments_v1.experiments', $$version = 'v2'$$, 'experiments_version_check'),
       ('experiments_v1.promotions', $$status = 'PENDING'$$, 'promotions_status_check'),
       ('experiments_v1.promotions', $$status = 'pending'$$, NULL),
       ('experiments_v1.promotions', $$status = 'approved'$$, NULL),
       ('experiments_v1.promotions', $$status = 'rejected'$$, NULL),
       ('experiments_v1.promotions', $$status = 'completed'$$, NULL);

SELECT tap.test_values('experiments_v1');

SELECT * FROM finish();
ROLLBACK;
