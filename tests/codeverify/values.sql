-- The extension's own tables: the values that they refuse, each by the constraint meant for it, and some that they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO codeverify.partition_sets (parent, period, premake) VALUES ('observability.logs', 'day', 14)
ON CONFLICT DO NOTHING;
INSERT INTO codeverify.clean_up_settings (target, keep) VALUES ('tap', '1 day');
INSERT INTO codeverify.maintenance_tasks (task, target, last_run_at) VALUES ('tap', '', now());
INSERT INTO codeverify.report_refreshes (report) VALUES ('observability.logs');

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('codeverify.packed_segments', $$period_end = period_start$$, 'packed_segments_period_check'),
       ('codeverify.packed_segments', $$max_ts = min_ts - interval '1 us'$$, 'packed_segments_ts_check'),
       ('codeverify.packed_segments', $$min_ts = period_start - interval '1 us'$$, 'packed_segments_ts_check'),
       ('codeverify.packed_segments', $$max_ts = period_end$$, 'packed_segments_ts_check'),
       ('codeverify.packed_segments', $$max_ts = period_end - interval '1 us'$$, NULL),
       ('codeverify.packed_segments', $$row_count = 0$$, 'packed_segments_row_count_check'),
       ('codeverify.packed_segments', $$row_count = 65537$$, 'packed_segments_row_count_check'),
       ('codeverify.packed_segments', $$row_count = 65536$$, NULL),
       ('codeverify.packed_segments', $$columns = '{}'$$, 'packed_segments_columns_check'),
       ('codeverify.packed_segments', $$summary = '[]'$$, 'packed_segments_summary_check'),
       ('codeverify.packed_segments', $$org_id = NULL$$, NULL),
       ('codeverify.metric_changes', $$relation = 'observability.logs'$$, 'metric_changes_relation_check'),
       ('codeverify.metric_changes', $$relation = 'providers.usage_metrics'$$, NULL),
       ('codeverify.metric_changes', $$subject_id = NULL$$, 'metric_changes_subject_id_check'),
       ('codeverify.metric_changes', $$subject_id = NULL, date = NULL$$, NULL),
       ('codeverify.metric_changes', $$date = NULL$$, NULL),
       ('codeverify.partition_sets', $$period = 'year'$$, 'partition_sets_period_check'),
       ('codeverify.partition_sets', $$premake = 0$$, 'partition_sets_premake_check'),
       ('codeverify.partition_sets', $$premake = 151$$, 'partition_sets_premake_check'),
       ('codeverify.partition_sets', $$retention = '0'$$, 'partition_sets_retention_check'),
       ('codeverify.partition_sets', $$action = 'delete'$$, 'partition_sets_action_check'),
       ('codeverify.partition_sets', $$compress_after = '-1 day'$$, 'partition_sets_compress_after_check'),
       ('codeverify.partition_sets', $$closes_after = '-1 s'$$, 'partition_sets_closes_after_check'),
       ('codeverify.partition_sets', $$closes_after = '0'$$, NULL),
       ('codeverify.clean_up_settings', $$keep = '-1 s'$$, 'clean_up_settings_keep_check'),
       ('codeverify.clean_up_settings', $$keep = '0'$$, NULL),
       ('codeverify.clean_up_settings', $$keep = NULL$$, NULL),
       ('codeverify.clean_up_settings', $$target = ''$$, 'clean_up_settings_target_check'),
       ('codeverify.clean_up_settings', $$target = repeat('x', 256)$$, 'clean_up_settings_target_check'),
       ('codeverify.maintenance_tasks', $$failures = runs + 1$$, 'maintenance_tasks_failures_check'),
       ('codeverify.report_refreshes', $$refresh_interval = '0'$$, 'report_refreshes_refresh_interval_check');
-- Fewer than no runs have more failures than runs, too.
SELECT tap.test_values('codeverify', '{maintenance_tasks_runs_check}');

SELECT * FROM finish();
ROLLBACK;
