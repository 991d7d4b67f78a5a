-- Who may call which function. Nobody may who is not listed, and a function that is not listed fails here.
BEGIN;
SELECT plan(9);

CREATE TEMP VIEW extension_function AS
SELECT p.*
FROM pg_depend AS d
JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
JOIN pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
WHERE d.deptype = 'e'
  AND e.extname = 'codeverify';

-- The group roles, without codeverify_ before their names. Empty: for triggers and for other functions only.
CREATE TEMP TABLE allowed (signature text, roles text);
INSERT INTO allowed
VALUES ('analysis.complete_analysis(uuid)', 'service tenant'),
           ('analysis.dismiss_finding(uuid,text)', 'service tenant'),
           ('analysis.export_sarif(uuid)', 'service tenant'),
           ('analysis.fail_analysis(uuid,text)', 'service tenant'),
           ('analysis.fill_fingerprint()', ''),
           ('analysis.finish_analysis(uuid,text,text)', 'service tenant'),
           ('analysis.import_sarif(uuid,jsonb)', 'service tenant'),
           ('analysis.import_sarif(uuid,text)', 'service tenant'),
           ('analysis.is_judged_by_a_person(jsonb,boolean,uuid,timestamp with time zone)', ''),
           ('analysis.mark_finding(uuid,boolean,text)', 'service tenant'),
           ('analysis.reopen_finding(uuid)', 'service tenant'),
           ('analysis.start_analysis(uuid,integer,text,text,text,jsonb)', 'service tenant'),
           ('audits.append(text,text,jsonb,uuid,uuid,uuid,text,text)', 'admin service tenant'),
           ('audits.archive_partition(regclass)', 'admin'),
           ('audits.chain_entry()', ''),
           ('audits.checkpoint()', 'admin'),
           ('audits.column_treatments(oid,bytea)', 'admin auditor'),
           ('audits.consistency_proof(bigint,bigint)', 'admin auditor tenant'),
           ('audits.create_event_id()', 'admin service'),
           ('audits.create_signing_key(text)', 'admin'),
           ('audits.default_column_rules()', 'admin auditor service'),
           ('audits.describe_partition(regclass)', ''),
           ('audits.encode_entry(uuid,integer,bigint,text,bigint,uuid,timestamp with time zone,text,text,uuid,uuid,jsonb,text,text)', 'admin auditor ingest service tenant'),
           ('audits.entry_document(text,text,jsonb)', ''),
           ('audits.erase_subject(uuid)', 'admin'),
           ('audits.export_tiles(bigint,bigint)', 'admin auditor'),
           ('audits.find_subject(uuid)', 'admin auditor'),
           ('audits.forget_personal_fields()', ''),
           ('audits.guard_definitions()', ''),
           ('audits.guard_partition(regclass)', ''),
           ('audits.hash_entry(uuid,integer,bigint,text,bigint,uuid,timestamp with time zone,text,text,uuid,uuid,jsonb,text,text)', 'admin auditor ingest service tenant'),
           ('audits.inclusion_proof(bigint,bigint)', 'admin auditor tenant'),
           ('audits.join_tallies(internal,internal)', ''),
           ('audits.leaf_index(bigint)', 'admin auditor tenant'),
           ('audits.list_archives()', 'admin auditor'),
           ('audits.list_final_tables()', ''),
           ('audits.list_personal_fields()', 'admin auditor'),
           ('audits.lock_out_appends()', ''),
           ('audits.lock_retention(timestamp with time zone)', 'admin'),
           ('audits.mark_personal(text,text,text)', 'admin'),
           ('audits.merkle_leaf_hash(bytea)', 'admin auditor tenant'),
           ('audits.merkle_root(bytea[])', 'admin auditor tenant'),
           ('audits.name_columns(regclass,text,text[])', 'admin'),
           ('audits.prune_archive(uuid)', 'admin'),
           ('audits.read_archive(timestamp with time zone,timestamp with time zone)', 'admin auditor tenant'),
           ('audits.read_ledger(uuid,timestamp with time zone,timestamp with time zone)', 'admin auditor'),
           ('audits.read_tally(bytea,internal)', ''),
           ('audits.readmit_subject(uuid)', 'admin'),
           ('audits.record_changes()', 'admin'),
           ('audits.refresh_capture()', ''),
           ('audits.refuse_change()', ''),
           ('audits.refuse_statements(regclass)', ''),
           ('audits.refuses_statements(regclass)', ''),
           ('audits.require_trackable(regclass)', 'admin'),
           ('audits.retention_locked_until()', 'admin auditor'),
           ('audits.reveal(jsonb)', 'admin auditor tenant'),
           ('audits.search(text,timestamp with time zone,timestamp with time zone,integer)', 'service tenant'),
           ('audits.set_column_rule(text,text,text,text)', 'admin'),
           ('audits.tally(uuid,integer,bigint,text,bigint,uuid,timestamp with time zone,text,text,uuid,uuid,jsonb,text,text,text,bigint,bigint)', ''),
           ('audits.tally_entry(internal,uuid,integer,bigint,text,bigint,uuid,timestamp with time zone,text,text,uuid,uuid,jsonb,text,text,text,bigint,bigint)', ''),
           ('audits.track(regclass,text[],text[])', 'admin'),
           ('audits.tree_root(bigint)', 'admin auditor tenant'),
           ('audits.unmark_personal(text,text)', 'admin'),
           ('audits.untrack(regclass)', 'admin'),
           ('audits.verifier_key()', 'admin auditor tenant'),
           ('audits.verify(boolean)', 'admin auditor'),
           ('audits.verify_against(text)', 'admin auditor'),
           ('audits.verify_archives()', 'admin auditor'),
           ('audits.verify_chain(uuid,timestamp with time zone,timestamp with time zone)', 'admin auditor tenant'),
           ('audits.verify_consistency(bigint,bigint,bytea,bytea,bytea[])', 'admin auditor tenant'),
           ('audits.verify_inclusion(bytea,bigint,bigint,bytea[],bytea)', 'admin auditor tenant'),
           ('audits.verify_note(text,text)', 'admin auditor tenant'),
           ('audits.write_tally(internal)', ''),
           ('auth.accept_invitation(text,uuid)', 'service tenant'),
           ('auth.add_jwt_key(text,text,text,text,text,text,text,boolean)', 'service'),
           ('auth.authenticate_api_key(text,text)', 'ingest service tenant'),
           ('auth.check_rate_limit(uuid,integer,integer)', 'ingest service tenant'),
           ('auth.authenticate_session(text,uuid)', 'service tenant'),
           ('auth.create_api_key(uuid,text,jsonb,timestamp with time zone,uuid)', 'service tenant'),
           ('auth.delete_expired_sessions(integer)', 'admin service'),
           ('auth.list_sessions(uuid)', 'service tenant'),
           ('auth.logout(text)', 'service tenant'),
           ('auth.refresh_session(text)', 'service tenant'),
           ('auth.revoke_session(uuid)', 'service tenant'),
           ('auth.revoke_sessions(uuid)', 'service tenant'),
           ('auth.change_password(uuid,text,text)', 'service tenant'),
           ('auth.create_api_key(uuid,text,jsonb,timestamp with time zone,uuid)', 'service tenant'),
           ('auth.disable_jwt_key(uuid)', 'admin service'),
           ('auth.list_jwt_keys()', 'admin service'),
           ('auth.remove_jwt_key(uuid)', 'admin service'),
           ('auth.forget_verification()', ''),
           ('auth.import_password_hash(uuid,text)', 'admin'),
           ('auth.link_identity(uuid,bigint,text)', 'service'),
           ('auth.login(text,text,text,uuid,jsonb,text)', 'service tenant'),
           ('auth.register_user(text,text,text,jsonb)', 'service'),
           ('auth.request_email_verification(uuid)', 'service'),
           ('auth.set_identity(uuid,bigint,text)', ''),
           ('auth.unlock_user(uuid)', 'admin service'),
           ('auth.verify_email(text)', 'service tenant'),
           ('auth.create_invitation(uuid,text,text,integer,interval)', 'service tenant'),
           ('auth.end_membership()', ''),
           ('auth.end_user()', ''),
           ('auth.has_scope(text)', 'service tenant'),
           ('auth.list_api_keys()', 'service tenant'),
           ('auth.list_invitations()', 'service tenant'),
           ('auth.revoke_api_key(uuid)', 'service tenant'),
           ('auth.revoke_for_departed(uuid,uuid)', ''),
           ('auth.revoke_invitation(uuid)', 'service tenant'),
           ('auth.revoke_lineage(uuid[])', ''),
           ('auth.rotate_api_key(uuid,interval)', 'service tenant'),
           ('auth.confirm_totp(uuid,text)', 'service tenant'),
           ('auth.create_api_key(uuid,text,jsonb,timestamp with time zone,uuid)', 'service tenant'),
           ('auth.create_recovery_codes(uuid,text)', 'service tenant'),
           ('auth.disable_totp(uuid,text)', 'service tenant'),
           ('auth.enroll_totp(uuid)', 'service tenant'),
           ('auth.request_password_reset(text)', 'service'),
           ('auth.reset_password(text,text)', 'service tenant'),
           ('auth.reset_totp(uuid)', 'admin service'),
           ('codeverify.create_partitions(regclass,text,integer,integer)', ''),
           ('codeverify.create_encryption_key()', 'admin'),
           ('codeverify.deploy()', ''),
           ('codeverify.doctor()', 'admin auditor'),
           ('codeverify.enforce_transition()', ''),
           ('codeverify.find_encryption_fault()', ''),
           ('codeverify.find_key_fault()', ''),
           ('codeverify.find_writer_fault()', ''),
           ('codeverify.is_cron_expression(text)', 'admin auditor ingest service tenant'),
           ('codeverify.is_preloaded()', ''),
           ('codeverify.find_chain_fault()', ''),
           ('codeverify.find_maintenance_fault()', ''),
           ('codeverify.list_failing_tasks()', ''),
           ('codeverify.list_invalid_indexes()', ''),
           ('codeverify.list_role_faults()', ''),
           ('audits.do_upkeep(text)', ''),
           ('audits.list_due_upkeep()', ''),
           ('codeverify.clean_up(text)', ''),
           ('codeverify.count_default_rows(regclass)', ''),
           ('codeverify.find_cron_schema()', 'admin'),
           ('codeverify.find_oldest_snapshot()', ''),
           ('codeverify.find_runway(regclass)', ''),
           ('codeverify.report_maintenance()', 'admin auditor service'),
           ('codeverify.schedule(text)', 'admin'),
           ('codeverify.unschedule()', 'admin'),
           ('tenancy.delete_organization_rows(regclass,uuid,bigint)', ''),
           ('tenancy.finish_deletion(text)', ''),
           ('tenancy.leave_organization_rows(regclass,uuid)', ''),
           ('codeverify.configure_clean_up(text,interval)', 'admin'),
           ('codeverify.list_clean_up_rules()', ''),
           ('codeverify.list_clean_up_targets()', 'admin auditor'),
           ('codeverify.list_due_clean_ups()', ''),
           ('codeverify.measure_queues()', 'admin auditor'),
           ('codeverify.list_maintenance_targets()', ''),
           ('codeverify.maintain(text)', 'admin'),
           ('codeverify.read_clock()', ''),
           ('codeverify.last_written_at()', ''),
           ('codeverify.list_filled_defaults()', ''),
           ('codeverify.list_idle_bindings()', ''),
           ('codeverify.list_revealing_settings()', ''),
           ('codeverify.list_server_flaws(integer)', ''),
           ('codeverify.list_unguarded()', ''),
           ('codeverify.list_partition_sets()', 'admin auditor service'),
           ('codeverify.list_set_partitions(regclass)', 'admin auditor service'),
           ('codeverify.run_as_owner_of(regclass,text)', ''),
           ('codeverify.find_missing_partition(regclass,text,integer,timestamp with time zone,timestamp with time zone)', ''),
           ('codeverify.find_sibling(regclass,regclass)', ''),
           ('codeverify.find_time_to_partition(regclass,text,integer,interval,timestamp with time zone)', ''),
           ('codeverify.list_capture_statements(regclass,regclass)', ''),
           ('codeverify.list_finishing_statements(regclass,regclass)', ''),
           ('codeverify.list_grant_statements(regclass,regclass)', ''),
           ('codeverify.list_policy_statements(regclass,regclass,boolean)', ''),
           ('codeverify.list_sets_to_partition()', ''),
           ('codeverify.list_statistics_statements(regclass,regclass)', ''),
           ('codeverify.list_storage_parameters(regclass)', ''),
           ('codeverify.make_partition(regclass,text,timestamp with time zone)', ''),
           ('codeverify.name_like_sibling(name,name,name)', ''),
           ('codeverify.partition_next(text)', ''),
           ('codeverify.plan_partition(regclass,timestamp with time zone,timestamp with time zone,text)', ''),
           ('codeverify.replica_identity_clause(regclass)', ''),
           ('codeverify.store_partition_set(regclass)', ''),
           ('codeverify.raise_missing_reference(text,text,text,text,text)', ''),
           ('codeverify.reencrypt()', 'admin'),
           ('codeverify.set_updated_at()', ''),
           ('codeverify.uninstall(text)', ''),
           ('codeverify.version()', 'admin auditor ingest service tenant'),
           ('observability.acknowledge_incident(uuid,text)', 'service tenant'),
           ('observability.alert_schema(text)', 'service tenant'),
           ('observability.check_alert_rule()', ''),
           ('observability.check_log_references()', ''),
           ('observability.count_logs(uuid,timestamp with time zone,timestamp with time zone,interval)', ''),
           ('observability.delete_organization_logs()', ''),
           ('observability.find_logs(uuid,text,uuid,uuid,text,timestamp with time zone,timestamp with time zone,jsonb,integer,bigint,integer)', ''),
           ('observability.ingest_logs(jsonb)', 'ingest service tenant'),
           ('observability.ingest_logs(uuid[],uuid[],timestamp with time zone[],text[],text[],jsonb[])', 'ingest service tenant'),
           ('observability.list_log_windows(timestamp with time zone,timestamp with time zone)', ''),
           ('observability.log_volume(timestamp with time zone,timestamp with time zone,interval)', 'service tenant'),
           ('observability.read_log_id(text)', ''),
           ('observability.read_log_time(text)', ''),
           ('observability.search_logs(text,uuid,uuid,text,timestamp with time zone,timestamp with time zone,jsonb,integer,bigint)', 'service tenant'),
           ('observability.take_log_line()', ''),
           ('observability.store_logs(uuid,uuid[],uuid[],timestamp with time zone[],text[],text[],jsonb[],text[],jsonb)', ''),
           ('observability.complete_alert_params(text,jsonb)', 'service tenant'),
           ('observability.count_deployment_failures(uuid,jsonb,timestamp with time zone)', ''),
           ('observability.count_errors(uuid,jsonb,timestamp with time zone)', ''),
           ('observability.delete_organization_logs()', ''),
           ('observability.evaluate_alert_rule(uuid,uuid,timestamp with time zone)', ''),
           ('observability.evaluate_alert_rules(timestamp with time zone)', 'service tenant'),
           ('observability.evaluate_all_alert_rules(timestamp with time zone)', 'service'),
           ('observability.evaluate_organization(uuid,timestamp with time zone)', ''),
           ('observability.evaluate_own_alert_rules(timestamp with time zone)', 'service tenant'),
           ('observability.identify_incident(uuid,text)', 'service tenant'),
           ('observability.incident_timeline(uuid)', 'service tenant'),
           ('observability.keep_incident_times()', ''),
           ('observability.link_incident(uuid,uuid)', 'service tenant'),
           ('observability.list_alert_faults(text,jsonb)', 'service tenant'),
           ('observability.list_due_organizations()', ''),
           ('observability.lock_incident(uuid,uuid)', 'service tenant'),
           ('observability.measure_alert_rule(uuid,uuid,text,jsonb,timestamp with time zone)', ''),
           ('observability.move_incident(uuid,text,text)', 'service tenant'),
           ('observability.name_in_scope(text)', ''),
           ('observability.note_incident(uuid,text)', 'service tenant'),
           ('observability.open_incident(text,text,text,uuid,uuid,uuid,jsonb)', 'service tenant'),
           ('observability.record_incident_event()', ''),
           ('observability.reopen_incident(uuid,text)', 'service tenant'),
           ('observability.require_valid_params(text,jsonb)', 'service tenant'),
           ('observability.resolve_incident(uuid,text)', 'service tenant'),
           ('observability.take_alert_step(text)', ''),
           ('analysis.request_analysis(uuid,uuid,jsonb,jsonb)', ''),
           ('integrations.handle_delivery(uuid,uuid,jsonb)', ''),
           ('integrations.handle_deployment(uuid,uuid,uuid,timestamp with time zone,jsonb)', ''),
           ('integrations.handle_pull_request(uuid,uuid,uuid,timestamp with time zone,text,jsonb)', ''),
           ('integrations.handle_push(uuid,uuid,uuid,timestamp with time zone,jsonb)', ''),
           ('integrations.handle_repository(uuid,uuid,text,jsonb)', ''),
           ('integrations.handle_repository_lists(uuid,bigint,jsonb)', ''),
           ('integrations.handle_review(uuid,uuid,uuid,timestamp with time zone,jsonb)', ''),
           ('integrations.handle_unclaimed(bigint)', ''),
           ('integrations.handle_workflow_run(uuid,uuid,uuid,timestamp with time zone,jsonb)', ''),
           ('integrations.is_followed(text,text)', ''),
           ('integrations.list_inbound_secrets()', 'admin service'),
           ('integrations.read_delivery(text,text,bytea,text)', ''),
           ('integrations.receive_delivery(text,text,text,bytea,text)', 'service'),
           ('integrations.retire_inbound_secret(uuid)', 'admin service'),
           ('integrations.set_inbound_secret(text,text,uuid)', 'admin service'),
           ('scm.add_repositories(uuid,bigint,jsonb)', ''),
           ('scm.change_installation(uuid,bigint,text,jsonb,timestamp with time zone)', ''),
           ('scm.claim_installation(bigint,uuid)', 'service'),
           ('scm.lock_installation(bigint,boolean)', ''),
           ('scm.see_repository(uuid,bigint,jsonb)', ''),
           ('telemetry.record_events(uuid,uuid,text,jsonb,timestamp with time zone)', ''),
           ('telemetry.check_code_event_references()', ''),
           ('telemetry.delete_organization_events()', ''),
           ('tenancy."current_role"()', 'admin auditor ingest service tenant'),
           ('tenancy.add_member(uuid,uuid,text)', 'service tenant'),
           ('tenancy.allow(regclass,text,text,text,text,name)', ''),
           ('tenancy.assume(uuid,uuid)', 'service'),
           ('tenancy.authenticate_web_token(text,uuid)', 'service tenant'),
           ('tenancy.bind_authors(regclass,text,text[])', 'admin'),
           ('tenancy.bind_role(name,uuid,text,uuid)', ''),
           ('tenancy.check_authors()', 'admin'),
           ('tenancy.check_members()', ''),
           ('tenancy.create_organization(text,text,bigint,uuid)', 'admin service'),
           ('tenancy.current_api_key_id()', 'admin auditor ingest service tenant'),
           ('tenancy.current_org_id()', 'admin auditor ingest service tenant'),
           ('tenancy.current_user_id()', 'admin auditor ingest service tenant'),
           ('tenancy.force_row_security(regclass)', 'admin'),
           ('tenancy.from_jwt_claims()', 'service tenant'),
           ('tenancy.has_permission(text)', 'admin auditor ingest service tenant'),
           ('tenancy.hide_statistics(regclass)', 'admin'),
           ('tenancy.is_isolating_policy(oid,name)', 'admin auditor service'),
           ('tenancy.isolate(regclass,name)', 'admin'),
           ('tenancy.keep_an_owner()', ''),
           ('tenancy.leave_organization()', 'service tenant'),
           ('tenancy.list_members()', 'service tenant'),
           ('tenancy.list_partition_tree(regclass)', 'admin'),
           ('tenancy.list_permissions()', 'admin auditor ingest service tenant'),
           ('tenancy.list_role_bindings()', 'admin auditor service'),
           ('tenancy.name_after(name,text)', 'admin'),
           ('tenancy.permission_clause(regclass,text)', ''),
           ('tenancy.protect(regclass,name)', 'admin'),
           ('tenancy.remove_member(uuid,uuid)', 'service tenant'),
           ('tenancy.require_permission(text)', 'admin auditor ingest service tenant'),
           ('tenancy.transfer_ownership(uuid,uuid)', 'service tenant'),
           ('tenancy.unbind_role(name)', ''),
           ('tenancy.unprotect(regclass)', 'admin'),
           ('tenancy.warn_of_unprotected_tables()', '');

SELECT set_eq(
    'SELECT p.oid::regprocedure::text FROM extension_function AS p',
    'SELECT signature FROM allowed',
    'the functions of the extension are those listed here');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure, granted.roles, a.roles
        FROM extension_function AS p
        JOIN allowed AS a ON a.signature = p.oid::regprocedure::text
        CROSS JOIN LATERAL (
            SELECT coalesce(string_agg(replace(g.grantee::regrole::text, 'codeverify_', ''), ' ' ORDER BY g.grantee::regrole::text), '')
            FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS g
            WHERE g.grantee <> p.proowner
        ) AS granted (roles)
        WHERE granted.roles <> a.roles
    $$,
    'each may be called by whom the list says');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM extension_function AS p
        CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS g
        WHERE g.grantee = 0 OR g.is_grantable AND g.grantee <> p.proowner
    $$,
    'none may be called by PUBLIC, or handed on');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM extension_function AS p WHERE p.proowner <> 'codeverify_owner'::regrole$$,
    'codeverify_owner owns them all');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM extension_function AS p
        WHERE p.prosecdef AND p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']
    $$,
    'those with their owner''s rights have a fixed path');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM extension_function AS p
        JOIN pg_language AS l ON l.oid = p.prolang
        WHERE l.lanname IN ('sql', 'plpgsql')
          AND p.prosqlbody IS NULL
          AND p.proconfig[1] IS DISTINCT FROM 'search_path=pg_catalog, pg_temp'
    $$,
    'so has everything in SQL and PL/pgSQL but what was parsed when it was made');
SELECT is_empty(
    $$SELECT p.oid::regprocedure FROM extension_function AS p WHERE p.proleakproof$$,
    'none is LEAKPROOF');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM extension_function AS p
        JOIN pg_language AS l ON l.oid = p.prolang
        WHERE l.lanname = 'c' AND p.prosecdef
    $$,
    'none in Rust borrows its owner''s rights: it could not set the context then');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM extension_function AS p
        WHERE EXISTS (
            SELECT
            FROM unnest(p.proargtypes::oid[] || p.prorettype || coalesce(p.proallargtypes, '{}')) AS used (oid)
            JOIN pg_type AS t ON t.oid = used.oid
            WHERE t.typnamespace <> 'pg_catalog'::regnamespace)
    $$,
    'no signature names a type that deploy() makes: a restore makes functions first');

SELECT * FROM finish();
ROLLBACK;
