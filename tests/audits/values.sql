-- The ledger: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

-- The ledger refuses every UPDATE; here it is the constraints below that are tried.
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
       ('audits.lanes', $$archived_seq = -1$$, 'lanes_archived_seq_check');

SELECT tap.test_values('audits');

SELECT * FROM finish();
ROLLBACK;
