-- Quarantine records and requests: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('quarantine.quarantine_records', $$config = '[]'$$, 'quarantine_records_config_check'),
       ('quarantine.quarantine_records', $$config = 'null'$$, 'quarantine_records_config_check'),
       ('quarantine.quarantine_records', $$config_hash = repeat('a', 63)$$, 'quarantine_records_config_hash_check'),
       ('quarantine.quarantine_records', $$config_hash = repeat('A', 64)$$, 'quarantine_records_config_hash_check'),
       ('quarantine.quarantine_records', $$config_hash = repeat('g', 64)$$, 'quarantine_records_config_hash_check'),
       ('quarantine.quarantine_records', $$evidence = '[]'$$, 'quarantine_records_evidence_check'),
       ('quarantine.quarantine_records', $$evidence = 'null'$$, 'quarantine_records_evidence_check'),
       ('quarantine.quarantine_records', $$failure_metrics = '[]'$$, 'quarantine_records_failure_metrics_check'),
       ('quarantine.quarantine_records', $$failure_metrics = 'null'$$, 'quarantine_records_failure_metrics_check'),
       ('quarantine.quarantine_records', $$review_status = 'QUARANTINED'$$, 'quarantine_records_review_status_check'),
       ('quarantine.quarantine_records', $$review_status = 'quarantined'$$, NULL),
       ('quarantine.quarantine_records', $$review_status = 'under_review'$$, NULL),
       ('quarantine.quarantine_records', $$review_status = 'approved_retry'$$, NULL),
       ('quarantine.reevaluation_requests', $$approved_at = now(), completed_at = now() - interval '1 ms'$$, 'reevaluation_requests_approved_at_completed_at_check'),
       ('quarantine.reevaluation_requests', $$approved_at = now(), completed_at = now()$$, NULL),
       ('quarantine.reevaluation_requests', $$result = '[]'$$, 'reevaluation_requests_result_check'),
       ('quarantine.reevaluation_requests', $$result = 'null'$$, 'reevaluation_requests_result_check'),
       ('quarantine.reevaluation_requests', $$status = 'PENDING'$$, 'reevaluation_requests_status_check'),
       ('quarantine.reevaluation_requests', $$status = 'pending'$$, NULL),
       ('quarantine.reevaluation_requests', $$status = 'approved'$$, NULL),
       ('quarantine.reevaluation_requests', $$status = 'rejected'$$, NULL),
       ('quarantine.reevaluation_requests', $$status = 'completed'$$, NULL);

SELECT tap.test_values('quarantine');

SELECT * FROM finish();
ROLLBACK;
