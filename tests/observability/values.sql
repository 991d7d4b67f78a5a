-- Logs, alerts and incidents: the values that they refuse, each by the constraint meant for it, and some that
-- they take.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
\ir ../value_checks.sql

INSERT INTO tap.value_case (target, assignment, refused_by)
VALUES ('observability.alert_evaluations', $$last_error = 'x'$$, 'alert_evaluations_last_error_at_check'),
       ('observability.alert_evaluations', $$last_error = 'x', last_error_at = now()$$, NULL),
       ('observability.alert_firings', $$fingerprint = ''$$, 'alert_firings_fingerprint_check'),
       ('observability.alert_firings', $$fingerprint = repeat('x', 256)$$, 'alert_firings_fingerprint_check'),
       ('observability.alert_firings', $$fingerprint = repeat('x', 255)$$, NULL),
       ('observability.alert_firings', $$state = 'over'$$, 'alert_firings_state_check'),
       ('observability.alert_firings', $$state = 'recovered'$$, 'alert_firings_state_recovered_at_check'),
       ('observability.alert_firings', $$state = 'recovered', recovered_at = now()$$, NULL),
       ('observability.alert_firings', $$recovered_at = now()$$, 'alert_firings_state_recovered_at_check'),
       ('observability.alert_rules', $$params_json = '[]'$$, 'alert_rules_params_json_check'),
       ('observability.alert_rules', $$params_json = 'null'$$, 'alert_rules_params_json_check'),
       ('observability.alert_rules', $$type = 'ERROR_COUNT'$$, 'alert_rules_type_check'),
       ('observability.alert_rules', $$type = 'error_count'$$, NULL),
       ('observability.alert_rules', $$type = 'deployment_failure'$$, NULL),
       ('observability.incident_events', $$details = '[]'$$, 'incident_events_details_check'),
       ('observability.incident_events', $$kind = 'closed'$$, 'incident_events_kind_check'),
       ('observability.incident_events', $$kind = 'seen'$$, NULL),
       ('observability.incident_events', $$kind = 'noted'$$, 'incident_events_kind_note_check'),
       ('observability.incident_events', $$note = 'x'$$, 'incident_events_kind_note_check'),
       ('observability.incident_events', $$kind = 'noted', note = ''$$, 'incident_events_note_check'),
       ('observability.incident_events', $$kind = 'noted', note = repeat('x', 10001)$$, 'incident_events_note_check'),
       ('observability.incident_events', $$kind = 'noted', note = repeat('x', 10000)$$, NULL),
       ('observability.incidents', $$acknowledged_by = tap.id('owner of a')$$, 'incidents_acknowledged_at_acknowledged_by_check'),
       ('observability.incidents', $$acknowledged_at = now()$$, NULL),
       ('observability.incidents', $$created_at = now(), status = 'resolved', resolved_at = now() - interval '1 ms'$$, 'incidents_created_at_resolved_at_check'),
       ('observability.incidents', $$created_at = now(), status = 'resolved', resolved_at = now()$$, NULL),
       ('observability.incidents', $$resolved_at = created_at$$, 'incidents_status_resolved_at_check'),
       ('observability.incidents', $$occurrences = 0$$, 'incidents_occurrences_check'),
       ('observability.incidents', $$title = ''$$, 'incidents_title_check'),
       ('observability.incidents', $$title = repeat('x', 201)$$, 'incidents_title_check'),
       ('observability.incidents', $$title = repeat('x', 200)$$, NULL),
       ('observability.incidents', $$fingerprint = ''$$, 'incidents_fingerprint_check'),
       ('observability.incidents', $$fingerprint = repeat('x', 256)$$, 'incidents_fingerprint_check'),
       ('observability.incidents', $$fingerprint = repeat('x', 255)$$, NULL),
       ('observability.incidents', $$metadata = '[]'$$, 'incidents_metadata_check'),
       ('observability.incidents', $$metadata = 'null'$$, 'incidents_metadata_check'),
       ('observability.incidents', $$status = 'OPEN'$$, 'incidents_status_check'),
       ('observability.incidents', $$status = 'open'$$, NULL),
       ('observability.incidents', $$status = 'investigating'$$, NULL),
       ('observability.incidents', $$status = 'identified'$$, NULL),
       ('observability.incidents', $$status = 'resolved'$$, 'incidents_status_resolved_at_check'),
       ('observability.incidents', $$severity = 'sev5'$$, '22P02'),
       ('observability.logs', $$level = 'TRACE'$$, 'logs_level_check'),
       ('observability.logs', $$level = 'trace'$$, NULL),
       ('observability.logs', $$level = 'debug'$$, NULL),
       ('observability.logs', $$level = 'info'$$, NULL),
       ('observability.logs', $$level = 'warn'$$, NULL),
       ('observability.logs', $$level = 'error'$$, NULL),
       ('observability.logs', $$level = 'fatal'$$, NULL),
       ('observability.logs', $$message = repeat('x', 1048576)$$, NULL),
       ('observability.logs', $$message = repeat('x', 1048577)$$, 'logs_message_check'),
       ('observability.logs', $$meta_json = '[]'$$, 'logs_meta_json_check'),
       ('observability.logs', $$meta_json = 'null'$$, 'logs_meta_json_check'),
       ('observability.rejected_logs', $$reason = 'bad'$$, 'rejected_logs_reason_check'),
       ('observability.rejected_logs', $$reason = 'ts_in_future'$$, NULL),
       ('observability.rejected_logs', $$entry = repeat('x', 10001)$$, 'rejected_logs_entry_check'),
       ('observability.rejected_logs', $$entry = repeat('x', 10000)$$, NULL);

SELECT tap.test_values('observability');

SELECT * FROM finish();
ROLLBACK;
