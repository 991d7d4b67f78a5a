-- Events, attribution and metrics: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('telemetry.code_attribution', $$ai_confidence = 0 - 0.001$$, 'code_attribution_ai_confidence_check'),
       ('telemetry.code_attribution', $$ai_confidence = 1 + 0.001$$, 'code_attribution_ai_confidence_check'),
       ('telemetry.code_attribution', $$ai_confidence = 0$$, NULL),
       ('telemetry.code_attribution', $$ai_confidence = 1$$, NULL),
       ('telemetry.code_attribution', $$commit_sha = repeat('a', 39)$$, 'code_attribution_commit_sha_check'),
       ('telemetry.code_attribution', $$commit_sha = repeat('A', 40)$$, 'code_attribution_commit_sha_check'),
       ('telemetry.code_attribution', $$commit_sha = repeat('a', 41)$$, 'code_attribution_commit_sha_check'),
       ('telemetry.code_attribution', $$commit_sha = repeat('a', 40) || E'\n'$$, 'code_attribution_commit_sha_check'),
       ('telemetry.code_attribution', $$commit_sha = 'HEAD'$$, 'code_attribution_commit_sha_check'),
       ('telemetry.code_attribution', $$commit_sha = repeat('0', 64)$$, NULL),
       ('telemetry.code_attribution', $$detection_signals = '[]'$$, 'code_attribution_detection_signals_check'),
       ('telemetry.code_attribution', $$detection_signals = 'null'$$, 'code_attribution_detection_signals_check'),
       ('telemetry.code_attribution', $$file_path = ''$$, 'code_attribution_file_path_check'),
       ('telemetry.code_attribution', $$file_path = repeat('x', 1025)$$, 'code_attribution_file_path_check'),
       ('telemetry.code_attribution', $$file_path = repeat('x', 1024)$$, NULL),
       ('telemetry.code_attribution', $$risk_tier = 'T5_other'$$, '22P02'),
       ('telemetry.code_attribution', $$detection_method = 'guess'$$, '22P02'),
       ('telemetry.code_attribution', $$created_at = '1969-12-31 23:59:59+00'$$, 'code_attribution_created_at_check'),
       ('telemetry.code_attribution', $$created_at = '10000-01-01 00:00:00+00'$$, 'code_attribution_created_at_check'),
       ('telemetry.code_attribution', $$created_at = 'infinity'$$, 'code_attribution_created_at_check'),
       ('telemetry.code_attribution', $$created_at = '1970-01-01 00:00:00+00'$$, NULL),
       ('telemetry.code_events', $$commit_sha = repeat('a', 39)$$, 'code_events_commit_sha_check'),
       ('telemetry.code_events', $$commit_sha = repeat('A', 40)$$, 'code_events_commit_sha_check'),
       ('telemetry.code_events', $$commit_sha = repeat('a', 41)$$, 'code_events_commit_sha_check'),
       ('telemetry.code_events', $$commit_sha = repeat('a', 40) || E'\n'$$, 'code_events_commit_sha_check'),
       ('telemetry.code_events', $$commit_sha = 'HEAD'$$, 'code_events_commit_sha_check'),
       ('telemetry.code_events', $$commit_sha = repeat('0', 64)$$, NULL),
       ('telemetry.code_events', $$metadata = '[]'$$, 'code_events_metadata_check'),
       ('telemetry.code_events', $$metadata = 'null'$$, 'code_events_metadata_check'),
       ('telemetry.code_events', $$event_type = 'push'$$, '22P02'),
       ('telemetry.repo_metrics', $$avg_ai_confidence = 0 - 0.001$$, 'repo_metrics_avg_ai_confidence_check'),
       ('telemetry.repo_metrics', $$avg_ai_confidence = 1 + 0.001$$, 'repo_metrics_avg_ai_confidence_check'),
       ('telemetry.repo_metrics', $$avg_ai_confidence = 0$$, NULL),
       ('telemetry.repo_metrics', $$avg_ai_confidence = 1$$, NULL),
       ('telemetry.repo_metrics', $$files_analyzed = 1, confidence_sum = 1.001$$, 'repo_metrics_confidence_sum_check'),
       ('telemetry.repo_metrics', $$files_analyzed = 1, confidence_sum = -0.001$$, 'repo_metrics_confidence_sum_check'),
       ('telemetry.repo_metrics', $$files_analyzed = 1, confidence_sum = 'NaN'$$, 'repo_metrics_confidence_sum_check'),
       ('telemetry.repo_metrics', $$files_analyzed = 1, confidence_sum = 1$$, NULL),
       ('telemetry.repo_metrics', $$files_analyzed = -1$$, 'repo_metrics_ai_files_check'),
       ('telemetry.repo_metrics', $$files_analyzed = 0$$, NULL),
       ('telemetry.repo_metrics', $$t1_boilerplate_files = -1$$, 'repo_metrics_t1_boilerplate_files_check'),
       ('telemetry.repo_metrics', $$t1_boilerplate_files = 0$$, NULL),
       ('telemetry.repo_metrics', $$t2_glue_files = -1$$, 'repo_metrics_t2_glue_files_check'),
       ('telemetry.repo_metrics', $$t2_glue_files = 0$$, NULL),
       ('telemetry.repo_metrics', $$t3_core_files = -1$$, 'repo_metrics_t3_core_files_check'),
       ('telemetry.repo_metrics', $$t3_core_files = 0$$, NULL),
       ('telemetry.repo_metrics', $$t4_novel_files = -1$$, 'repo_metrics_t4_novel_files_check'),
       ('telemetry.repo_metrics', $$t4_novel_files = 0$$, NULL),
       ('telemetry.repo_metrics', $$files_analyzed = 1, ai_files = 2$$, 'repo_metrics_ai_files_check'),
       ('telemetry.repo_metrics', $$ai_files = -1$$, 'repo_metrics_ai_files_check'),
       ('telemetry.repo_metrics', $$files_analyzed = 3, t1_boilerplate_files = 1, t2_glue_files = 1, t3_core_files = 1, t4_novel_files = 1$$, 'repo_metrics_tiers_check'),
       ('telemetry.repo_metrics', $$files_analyzed = 4, ai_files = 4, t1_boilerplate_files = 1, t2_glue_files = 1, t3_core_files = 1, t4_novel_files = 1$$, NULL),
       ('telemetry.repo_metrics', $$period = 'year'$$, '22P02');

-- No value violates the check on files_analyzed and not the one on ai_files, which comes first.
SELECT tap.test_values('telemetry', except_for => ARRAY['repo_metrics_files_analyzed_check']);

SELECT * FROM finish();
ROLLBACK;
