-- The ledger: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

-- The ledger refuses every UPDATE; here it is the constraints below that are tried.
SET CONSTRAINTS ALL IMMEDIATE;
DO $$
DECLARE
    ledger_table regclass;
BEGIN
    FOR ledger_table IN
        SELECT c.oid
        FROM pg_class AS c
        WHERE c.relnamespace = 'audits'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', ledger_table);
    END LOOP;
END
$$;

-- A row for each table that has none yet.
INSERT INTO audits.checkpoints (tree_size, root, origin, note, is_signed) VALUES (1000000, sha256(''), 'tap', 'tap', false);
INSERT INTO audits.checkpoint_lanes (first_leaf, tree_size, org_id, lane, first_seq, last_seq, first_ts, last_ts)
VALUES (999998, 1000000, tap.id('a'), 0, 1, 2, now(), now());
VALUES (500000, 1000000, tap.id('a'), 0, 1, 2, now(), now());
INSERT INTO audits.merkle_tiles (level, tile_index, hashes) VALUES (10, 0, sha256(''));
INSERT INTO audits.verifications (is_incremental, verdict, entries, lanes, findings, duration)
VALUES (false, 'intact', 0, 0, '{}', '1 second');
WITH archive AS (
    INSERT INTO audits.archives
        (partition_name, from_ts, until_ts, entries, segments, bytes_before, bytes_after, root, entry_id, archived_by)
    VALUES ('audit_log_1999_12', '1999-12-01', '2000-01-01', 1, 1, 8192, 400, sha256(''), 1, 'tap')
    RETURNING id
)
INSERT INTO audits.archive_segments
    (org_id, archive_id, place, lanes, first_seqs, last_seqs, entries, min_ts, max_ts, min_id, max_id, signatures, content)
SELECT tap.id('a'), a.id, 0, '{0}', '{1}', '{1}', 1, '1999-12-01', '1999-12-02', 1, 1, sha256(''), ''
FROM archive AS a;
INSERT INTO audits.redaction_keys (key) VALUES (sha256(''));
INSERT INTO audits.column_rules (table_pattern, column_pattern, treatment, reason) VALUES ('tap.t', 'c', 'ignore', 'tap');
INSERT INTO audits.personal_fields (entity, field, subject) VALUES ('user', 'email', 'actor');
INSERT INTO audits.retention_locks (locked_until, locked_by) VALUES (now() + interval '1 day', 'tap');
INSERT INTO audits.subject_keys (subject_id, key) VALUES (tap.id('subject'), sha256(''));

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('audits.audit_log', $$action = ''$$, 'audit_log_action_check'),
       ('audits.audit_log', $$action = repeat('x', 256)$$, 'audit_log_action_check'),
       ('audits.audit_log', $$action = repeat('x', 255)$$, NULL),
       ('audits.audit_log', $$entity = ''$$, 'audit_log_entity_check'),
       ('audits.audit_log', $$entity = repeat('x', 101)$$, 'audit_log_entity_check'),
       ('audits.audit_log', $$entity = repeat('x', 100)$$, NULL),
       ('audits.audit_log', $$ip_address = ''$$, 'audit_log_ip_address_check'),
       ('audits.audit_log', $$ip_address = repeat('x', 46)$$, 'audit_log_ip_address_check'),
       ('audits.audit_log', $$ip_address = repeat('x', 45)$$, NULL),
       ('audits.audit_log', $$payload = '[]'$$, 'audit_log_payload_check'),
       ('audits.audit_log', $$payload = 'null'$$, 'audit_log_payload_check'),
       ('audits.audit_log', $$prev_hash = repeat('a', 63)$$, 'audit_log_prev_hash_check'),
       ('audits.audit_log', $$prev_hash = repeat('A', 64)$$, 'audit_log_prev_hash_check'),
       ('audits.audit_log', $$prev_hash = repeat('g', 64)$$, 'audit_log_prev_hash_check'),
       ('audits.audit_log', $$signature = repeat('a', 63)$$, 'audit_log_signature_check'),
       ('audits.audit_log', $$signature = repeat('A', 64)$$, 'audit_log_signature_check'),
       ('audits.audit_log', $$signature = repeat('g', 64)$$, 'audit_log_signature_check'),
       ('audits.audit_log', $$lane = -1$$, 'audit_log_lane_check'),
       ('audits.audit_log', $$lane = 32$$, 'audit_log_lane_check'),
       ('audits.audit_log', $$lane = 31$$, NULL),
       ('audits.audit_log', $$seq = 0$$, 'audit_log_seq_check'),
       ('audits.lanes', $$lane = 32$$, 'lanes_lane_check'),
       ('audits.lanes', $$checkpointed_seq = -1$$, 'lanes_checkpointed_seq_check'),
       ('audits.lanes', $$verified_seq = -1$$, 'lanes_verified_seq_check'),
       ('audits.lanes', $$archived_seq = -1$$, 'lanes_archived_seq_check'),
       ('audits.archive_segments', $$entries = 0$$, 'archive_segments_entries_check'),
       ('audits.archive_segments', $$entries = 1001$$, 'archive_segments_entries_check'),
       ('audits.archive_segments', $$lanes = '{}'$$, 'archive_segments_lanes_check'),
       ('audits.archive_segments', $$last_seqs = '{1,2}'$$, 'archive_segments_lanes_check'),
       ('audits.archive_segments', $$max_ts = min_ts - interval '1 second'$$, 'archive_segments_max_ts_check'),
       ('audits.archive_segments', $$max_id = min_id - 1$$, 'archive_segments_max_id_check'),
       ('audits.archive_segments', $$place = -1$$, 'archive_segments_place_check'),
       ('audits.archive_segments', $$signatures = '\x00'$$, 'archive_segments_signatures_check'),
       ('audits.archives', $$bytes_after = -1$$, 'archives_bytes_after_check'),
       ('audits.archives', $$bytes_before = -1$$, 'archives_bytes_before_check'),
       ('audits.archives', $$entries = -1, segments = -1$$, 'archives_entries_check'),
       ('audits.archives', $$partition_name = ''$$, 'archives_partition_name_check'),
       ('audits.archives', $$pruned_at = now()$$, 'archives_pruned_check'),
       ('audits.archives', $$root = '\x00'$$, 'archives_root_check'),
       ('audits.archives', $$segments = 2$$, 'archives_segments_check'),
       ('audits.archives', $$until_ts = from_ts$$, 'archives_until_ts_check'),
       ('audits.checkpoint_lanes', $$first_leaf = -1$$, 'checkpoint_lanes_first_leaf_check'),
       ('audits.checkpoint_lanes', $$first_seq = 0$$, 'checkpoint_lanes_first_seq_check'),
       ('audits.checkpoint_lanes', $$lane = 32$$, 'checkpoint_lanes_lane_check'),
       ('audits.checkpoint_lanes', $$last_seq = first_seq - 1$$, 'checkpoint_lanes_last_seq_check'),
       ('audits.checkpoint_lanes', $$last_ts = first_ts - interval '1 second'$$, 'checkpoint_lanes_last_ts_check'),
       ('audits.checkpoint_lanes', $$first_leaf = tree_size$$, 'checkpoint_lanes_leaves_check'),
       ('audits.checkpoints', $$origin = ''$$, 'checkpoints_origin_check'),
       ('audits.checkpoints', $$root = '\x00'$$, 'checkpoints_root_check'),
       ('audits.checkpoints', $$tree_size = -1$$, 'checkpoints_tree_size_check'),
       ('audits.merkle_tiles', $$hashes = ''$$, 'merkle_tiles_hashes_check'),
       ('audits.merkle_tiles', $$hashes = '\x00'$$, 'merkle_tiles_hashes_check'),
       ('audits.merkle_tiles', $$level = 11$$, 'merkle_tiles_level_check'),
       ('audits.merkle_tiles', $$tile_index = -1$$, 'merkle_tiles_tile_index_check'),
       ('audits.column_rules', $$table_pattern = ''$$, 'column_rules_table_pattern_check'),
       ('audits.column_rules', $$column_pattern = ''$$, 'column_rules_column_pattern_check'),
       ('audits.column_rules', $$treatment = 'x'$$, 'column_rules_treatment_check'),
       ('audits.column_rules', $$reason = ''$$, 'column_rules_reason_check'),
       ('audits.redaction_keys', $$key = '\x00'$$, 'redaction_keys_key_check'),
       ('audits.personal_fields', $$entity = ''$$, 'personal_fields_entity_check'),
       ('audits.personal_fields', $$field = ''$$, 'personal_fields_field_check'),
       ('audits.personal_fields', $$subject = 'x'$$, 'personal_fields_subject_check'),
       ('audits.retention_locks', $$locked_until = created_at$$, 'retention_locks_locked_until_check'),
       ('audits.subject_keys', $$key = NULL$$, 'subject_keys_erased_check'),
       ('audits.subject_keys', $$key = '\x00'$$, 'subject_keys_key_check'),
       ('audits.verifications', $$duration = '-1 second'$$, 'verifications_duration_check'),
       ('audits.verifications', $$entries = -1$$, 'verifications_entries_check'),
       ('audits.verifications', $$findings = '[]'$$, 'verifications_findings_check'),
       ('audits.verifications', $$first_finding = '[]'$$, 'verifications_first_finding_check'),
       ('audits.verifications', $$lanes = -1$$, 'verifications_lanes_check'),
       ('audits.verifications', $$tree_size = -1$$, 'verifications_tree_size_check'),
       ('audits.verifications', $$verdict = 'x'$$, 'verifications_verdict_check');

SELECT tap.test_values('audits');

SELECT * FROM finish();
ROLLBACK;
