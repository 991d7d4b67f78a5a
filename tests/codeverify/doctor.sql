-- codeverify.doctor(): each check in both states, as far as a transaction can bring them about.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
SET LOCAL codeverify.own_transactions = on;
SET LOCAL client_min_messages = error;

-- A check's status, and whether its text matches; undone before it is told.
CREATE FUNCTION tap.diagnose(wrong text, check_name text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    found text;
BEGIN
    EXECUTE wrong;
    SELECT d.status || ': ' || d.detail || CASE WHEN d.hint IS NULL THEN '' ELSE ' *' END
    INTO STRICT found
    FROM codeverify.doctor() AS d
    WHERE d.check_name = diagnose.check_name;
    RAISE EXCEPTION USING ERRCODE = 'VC999';
EXCEPTION
    WHEN SQLSTATE 'VC999' THEN
        RETURN found;
END
$function$;

CREATE TABLE tap.ailment (place int GENERATED ALWAYS AS IDENTITY, check_name text, wrong text, expected text, cure text);
COMMENT ON TABLE tap.ailment IS 'wrong brings the check about which expected is a pattern of; after cure it is ok.';
INSERT INTO tap.ailment (check_name, cure, wrong, expected)
VALUES
    ('deployment', NULL, 'CREATE OR REPLACE VIEW codeverify.deployment AS SELECT ''0.0.1''::text AS version', '^error: .*another version'),
    ('deployment', NULL, 'DROP VIEW codeverify.deployment', '^error: .*not deployed'),
    ('signing_key', NULL, 'SET LOCAL codeverify.ledger_key_file = ''''', '^warning: .*not set: checkpoints are unsigned'),
    ('signing_key', NULL, 'SET LOCAL codeverify.ledger_key_file = ''/nowhere/key''', '^warning: .*it does not exist: no checkpoints are made'),
    ('signing_key', NULL, 'SET LOCAL codeverify.ledger_key_file = ''/''', '^warning: .*it is not a regular file'),
    ('signing_key', NULL, 'SET LOCAL codeverify.ledger_key_file = ''PG_VERSION''', '^warning: .*its content is not a key'),
    ('signing_key', NULL, 'SET LOCAL codeverify.ledger_key_file = ''/etc/passwd''', '^warning: .*others than its owner'),
    ('encryption_key', NULL, 'SET LOCAL codeverify.encryption_key_file = ''''', '^warning: .*not set: there can be no second factors'),
    ('encryption_key', NULL, 'SET LOCAL codeverify.encryption_key_file = ''/nowhere/key''', '^warning: .*it does not exist: users with a second factor'),
    ('encryption_key', NULL, 'SET LOCAL codeverify.encryption_key_file = ''PG_VERSION''', '^warning: .*its content is not a key'),
    ('encryption_key', NULL, 'SET LOCAL codeverify.encryption_key_file = ''/etc/passwd''', '^warning: .*others than its owner'),
    ('ledger_triggers', NULL, 'ALTER TABLE audits.audit_log DISABLE TRIGGER audit_log_refuse_changes', '^error: .*audits.audit_log without audits.refuse_change'),
    ('ledger_triggers', NULL, 'ALTER TABLE audits.audit_log_default ENABLE TRIGGER audit_log_refuse_changes', '^error: .*audits.audit_log_default without'),
    ('ledger_triggers', NULL, 'ALTER TABLE audits.audit_log_default ENABLE REPLICA TRIGGER audit_log_chain_entry', '^error: .*audits.audit_log_default without audits.chain_entry'),
    ('ledger_triggers', NULL, 'DROP TRIGGER audit_log_default_refuse_statements ON audits.audit_log_default', '^error: .*audits.audit_log_default without .* for statements'),
    ('ledger_triggers', NULL, 'DROP TRIGGER audit_log_chain_entry ON audits.audit_log', '^error: .*chain_entry'),
    ('ledger_triggers', NULL, 'ALTER TABLE audits.lanes DISABLE TRIGGER lanes_refuse_removal', '^error: .*lanes_refuse_removal of audits.lanes'),
    ('ledger_triggers', NULL, 'ALTER TABLE audits.checkpoints DISABLE TRIGGER ALL', '^error: .*audits.checkpoints'),
    ('event_triggers', NULL, 'ALTER EVENT TRIGGER codeverify_guard_definitions_drop DISABLE', '^error: missing or disabled: codeverify_guard_definitions_drop \*'),
    ('event_triggers', NULL, 'ALTER EVENT TRIGGER codeverify_guard_definitions_end ENABLE', '^error: .*guard_definitions_end'),
    ('event_triggers', NULL, 'ALTER EVENT TRIGGER codeverify_warn_of_unprotected_tables DISABLE', '^error: .*warn_of_unprotected_tables'),
    ('ownership', NULL, 'ALTER TABLE audits.lanes OWNER TO CURRENT_USER', '^error: .*audits.lanes'),
    ('ownership', NULL, 'ALTER FUNCTION audits.refuse_change() OWNER TO CURRENT_USER', '^error: .*audits.refuse_change\(\)'),
    ('ownership', NULL, 'REASSIGN OWNED BY codeverify_owner TO tap_nobody', '^error: .*schema audits'),
    ('capture', 'SET LOCAL codeverify.capture = on', 'SET LOCAL codeverify.capture = off', '^warning: codeverify.capture is off'),
    ('isolation', NULL, 'ALTER TABLE analysis.findings NO FORCE ROW LEVEL SECURITY', '^error: not isolated: analysis.findings'),
    ('isolation', NULL, 'ALTER TABLE analysis.findings DISABLE ROW LEVEL SECURITY', '^error: not isolated: analysis.findings'),
    ('isolation', NULL, 'DROP POLICY findings_tenant ON analysis.findings', '^error: not isolated: analysis.findings'),
    ('isolation', NULL, 'GRANT SELECT ON audits.audit_log_default TO codeverify_tenant', '^error: not isolated: audits.audit_log_default'),
    ('isolation_of_others', NULL, 'CREATE TABLE tap.mine (org_id uuid)', '^warning: .*tap.mine'),
    ('tenant_attributes', NULL, 'ALTER ROLE tap_tenant BYPASSRLS', '^error: .*tap_tenant \(BYPASSRLS\)'),
    ('tenant_attributes', NULL, 'ALTER ROLE tap_tenant SUPERUSER REPLICATION', '^error: .*tap_tenant \(SUPERUSER, REPLICATION\)'),
    ('tenant_attributes', NULL, 'CREATE ROLE tap_group IN ROLE codeverify_tenant; CREATE ROLE tap_deep LOGIN REPLICATION IN ROLE tap_group', '^error: .*tap_deep \(REPLICATION\)'),
    ('tenant_attributes', NULL, 'ALTER ROLE tap_ingest BYPASSRLS', '^error: .*tap_ingest \(BYPASSRLS\)'),
    ('tenant_memberships', NULL, 'GRANT codeverify_service TO tap_tenant', '^error: .*tap_tenant \(codeverify_service\)'),
    ('tenant_memberships', NULL, 'GRANT pg_read_all_data TO tap_tenant', '^error: .*tap_tenant \(pg_read_all_data\)'),
    ('tenant_memberships', NULL, 'GRANT codeverify_owner TO codeverify_tenant', '^error: .*codeverify_tenant \(codeverify_owner\)'),
    ('owner_role', NULL, 'ALTER ROLE codeverify_owner LOGIN', '^error: codeverify_owner can log in'),
    ('owner_role', NULL, 'ALTER ROLE codeverify_owner SUPERUSER', '^error: codeverify_owner is a superuser'),
    ('owner_role', NULL, 'ALTER ROLE codeverify_owner NOBYPASSRLS', '^error: codeverify_owner lacks BYPASSRLS'),
    ('owner_members', NULL, 'GRANT codeverify_owner TO tap_nobody', '^warning: .*tap_nobody'),
    ('owner_members', NULL, 'GRANT codeverify_owner TO tap_nobody; ALTER ROLE tap_nobody CREATEROLE', '^warning: .*tap_nobody \(SUPERUSER or CREATEROLE\)'),
    ('context_settings', NULL, 'GRANT SET ON PARAMETER codeverify.org_id TO tap_nobody', '^error: .*tap_nobody \(codeverify.org_id\)'),
    ('context_settings', NULL, 'GRANT SET ON PARAMETER session_replication_role TO PUBLIC', '^error: .*PUBLIC \(session_replication_role\)'),
    ('context_settings', NULL, 'GRANT SET ON PARAMETER codeverify.bound_identity TO tap_nobody', '^error: .*tap_nobody \(codeverify.bound_identity\)'),
    ('context_settings', NULL, 'GRANT ALTER SYSTEM ON PARAMETER codeverify.api_key_id TO tap_nobody', '^error: .*tap_nobody \(codeverify.api_key_id\)'),
    ('guard_settings', NULL, 'GRANT SET ON PARAMETER codeverify.capture TO tap_nobody', '^warning: .*tap_nobody \(codeverify.capture\)'),
    ('guard_settings', NULL, 'GRANT ALTER SYSTEM ON PARAMETER codeverify.encryption_key_file TO PUBLIC', '^warning: .*PUBLIC \(codeverify.encryption_key_file\)'),
    ('open_relations', NULL, 'CREATE MATERIALIZED VIEW tap.open AS SELECT f.id FROM analysis.findings AS f; GRANT SELECT ON tap.open TO codeverify_tenant', '^warning: .*tap.open'),
    ('open_relations', NULL, 'CREATE VIEW tap.open AS SELECT f.id FROM analysis.findings AS f; GRANT SELECT (id) ON tap.open TO PUBLIC', '^warning: .*tap.open'),
    ('open_relations', NULL, 'CREATE FOREIGN DATA WRAPPER tap_wrapper; CREATE SERVER tap_server FOREIGN DATA WRAPPER tap_wrapper; CREATE FOREIGN TABLE tap.open (id uuid) SERVER tap_server; GRANT SELECT ON tap.open TO codeverify_tenant', '^warning: .*tap.open'),
    ('tenant_timeouts', 'SET LOCAL statement_timeout = ''1h''; SET LOCAL lock_timeout = ''1h''; SET LOCAL idle_in_transaction_session_timeout = ''1h''', 'SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0', '^warning: .*tap_tenant \(idle_in_transaction_session_timeout, lock_timeout, statement_timeout\)'),
    ('tenant_timeouts', 'SET LOCAL statement_timeout = ''1h''; SET LOCAL lock_timeout = ''1h''; SET LOCAL idle_in_transaction_session_timeout = ''1h''', format('SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; ALTER ROLE tap_tenant SET lock_timeout = ''5s''; ALTER ROLE tap_tenant SET statement_timeout = ''30s''; ALTER ROLE tap_tenant IN DATABASE %I SET statement_timeout = ''0''', current_database()), '^warning: .*tap_tenant \(idle_in_transaction_session_timeout, statement_timeout\)'),
    ('tenant_timeouts', 'SET LOCAL statement_timeout = ''1h''; SET LOCAL lock_timeout = ''1h''; SET LOCAL idle_in_transaction_session_timeout = ''1h''', 'SET LOCAL statement_timeout = ''1h''; SET LOCAL lock_timeout = ''1h''; SET LOCAL idle_in_transaction_session_timeout = ''1h''; ALTER ROLE tap_ingest SET lock_timeout = ''0s''', '^warning: .*tap_ingest \(lock_timeout\)'),
    ('lost_secrets', NULL, 'INSERT INTO integrations.inbound_secrets (provider, org_id, secret_encrypted) VALUES (''github'', NULL, ''cv1:lost:AAAA''), (''github'', NULL, ''cv1:lost:AAAA'')', '^error: no key opens: 2 of integrations.inbound_secrets.secret_encrypted \(key lost\)'),
    ('lost_secrets', NULL, 'INSERT INTO auth.jwt_keys (algorithm, issuer, audience, secret_encrypted) VALUES (''HS256'', ''https://tap'', ''tap'', ''cv1:lost:AAAA'')', '^error: no key opens: 1 of auth.jwt_keys.secret_encrypted \(key lost\)'),
    ('inbound_secrets', 'INSERT INTO integrations.inbound_secrets (provider, org_id, secret_encrypted) VALUES (''github'', NULL, ''x'')', 'DELETE FROM integrations.inbound_secrets; INSERT INTO scm.installations (github_installation_id, org_id, account_type) VALUES (9100000099, tap.id(''a''), ''Organization'')', '^warning: .*installation 9100000099 of organization'),
    ('inbound_secrets', 'INSERT INTO integrations.inbound_secrets (provider, org_id, secret_encrypted) VALUES (''github'', NULL, ''x''), (''github'', tap.id(''a''), ''x''); INSERT INTO integrations.inbound_deliveries (provider, delivery_id, event, payload_hash, org_id) VALUES (''github'', ''x@'' || tap.id(''a''), ''ping'', repeat(''a'', 64), tap.id(''a''))', 'INSERT INTO integrations.inbound_secrets (provider, org_id, secret_encrypted) VALUES (''github'', NULL, ''x''); INSERT INTO integrations.inbound_deliveries (provider, delivery_id, event, payload_hash, org_id) VALUES (''github'', ''x@'' || tap.id(''a''), ''ping'', repeat(''a'', 64), tap.id(''a''))', '^warning: .*of: organization ' || tap.id('a')),
    ('inbound_secrets', 'INSERT INTO integrations.inbound_secrets (provider, org_id, secret_encrypted) VALUES (''github'', NULL, ''x'')', 'DELETE FROM integrations.inbound_secrets; INSERT INTO audits.audit_log (org_id, entity, action) VALUES (NULL, ''delivery'', ''delivery.refused'')', '^warning: .*somebody, last refused at'),
    ('role_bindings', format('ALTER ROLE tap_tenant IN DATABASE %I SET codeverify.bound_identity = %L', current_database(), tap.id('a') || '/owner/' || tap.id('viewer of a')), format('ALTER ROLE tap_tenant IN DATABASE %I SET codeverify.bound_identity = %L', current_database(), tap.id('nobody') || '/viewer'), '^warning: .*tap_tenant \(the organization is gone\)'),
    ('role_bindings', NULL, format('ALTER ROLE tap_tenant IN DATABASE %I SET codeverify.bound_identity = %L', current_database(), tap.id('a') || '/viewer/' || tap.id('owner of b')), '^warning: .*tap_tenant \(the user is no member\)'),
    ('role_bindings', NULL, format('ALTER ROLE tap_tenant IN DATABASE %I SET codeverify.bound_identity = %L', current_database(), ''), '^warning: .*tap_tenant \(the setting names nobody\)'),
    ('log_parameters', 'SET LOCAL log_parameter_max_length = 0; SET LOCAL log_parameter_max_length_on_error = 0', 'SET LOCAL log_parameter_max_length = -1', '^warning: .*log_parameter_max_length = -1'),
    ('log_parameters', 'SET LOCAL log_parameter_max_length = 0; SET LOCAL log_parameter_max_length_on_error = 0', 'SET LOCAL log_parameter_max_length_on_error = 64', '^warning: .*on_error = 64B'),
    ('log_parameters', 'SET LOCAL log_parameter_max_length = 0; SET LOCAL log_parameter_max_length_on_error = 0', 'SET LOCAL auto_explain.log_parameter_max_length = -1', '^warning: .*auto_explain.log_parameter_max_length = -1'),
    ('log_statement', 'SET LOCAL log_statement = ddl', 'SET LOCAL log_statement = mod', '^warning: log_statement = mod'),
    ('log_statement', 'SET LOCAL log_statement = none', 'SET LOCAL log_statement = ''all''', '^warning: log_statement = all'),
    ('secrets_in_settings', NULL, 'ALTER ROLE tap_tenant SET app.stripe_secret = ''x''', '^error: .*app.stripe_secret of role tap_tenant'),
    ('secrets_in_settings', NULL, format('ALTER DATABASE %I SET app.jwt_token = ''x''', current_database()), '^error: .*app.jwt_token of all roles in database'),
    ('secrets_in_settings', NULL, 'ALTER ROLE tap_tenant SET app.x = ''postgres://me:pw@host/db''', '^error: .*app.x of role tap_tenant'),
    ('secrets_in_settings', NULL, 'ALTER ROLE tap_tenant SET app.x = ''cv_live_0123456789''', '^error: .*app.x of role tap_tenant'),
    ('secrets_in_settings', NULL, 'ALTER ROLE tap_tenant SET app.encryption_key = ''abc''', '^error: .*app.encryption_key'),
    ('password_encryption', 'SET LOCAL password_encryption = ''scram-sha-256''', 'SET LOCAL password_encryption = md5', '^warning: password_encryption = md5'),
    ('temporary_tables', format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()), format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()), '^warning: PUBLIC'),
    ('public_schema', 'REVOKE CREATE ON SCHEMA public FROM PUBLIC', 'GRANT CREATE ON SCHEMA public TO PUBLIC', '^warning: PUBLIC'),
    ('public_schema', 'DROP SCHEMA public CASCADE', 'GRANT CREATE ON SCHEMA public TO PUBLIC', '^warning: PUBLIC'),
    ('large_objects', 'REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC', 'GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC', '^warning: .*lo_create'),
    ('default_partitions', NULL, 'INSERT INTO observability.logs (org_id, ts, message) VALUES (tap.id(''a''), ''1999-01-01'', ''x'')', '^warning: .*observability.logs_default'),
    ('roles', NULL, 'ALTER ROLE codeverify_tenant LOGIN', '^error: codeverify_tenant can log in'),
    ('roles', NULL, 'ALTER ROLE codeverify_admin SUPERUSER', '^error: codeverify_admin is a superuser'),
    ('roles', NULL, 'ALTER ROLE codeverify_auditor BYPASSRLS', '^error: codeverify_auditor has BYPASSRLS'),
    ('roles', NULL, 'REVOKE codeverify_tenant FROM codeverify_service', '^error: codeverify_service is no member'),
    ('roles', NULL, 'ALTER ROLE codeverify_ingest RENAME TO tap_former', '^error: codeverify_ingest is missing'),
    ('ledger_chain', 'SELECT audits.verify(false)', 'INSERT INTO audits.verifications (is_incremental, verdict, entries, lanes, first_finding, duration) VALUES (false, ''broken'', 1, 1, ''{"verdict": "altered"}'', ''1 s'')', '^error: .*found the ledger broken \(altered\)'),
    ('ledger_chain', NULL, 'INSERT INTO audits.verifications (is_incremental, verdict, entries, lanes, duration, created_at) VALUES (false, ''intact'', 1, 1, ''1 s'', now() - interval ''8 days'')', '^warning: the ledger was last verified at'),
    ('maintenance', 'INSERT INTO codeverify.maintenance_tasks (task, target, last_run_at, last_success_at) VALUES (''maintain'', '''', now(), now()) ON CONFLICT (task, target) DO UPDATE SET last_success_at = now()', 'DELETE FROM codeverify.maintenance_tasks', '^warning: codeverify.maintain\(\) has never run'),
    ('maintenance', 'INSERT INTO codeverify.maintenance_tasks (task, target, last_run_at, last_success_at) VALUES (''maintain'', '''', now(), now()) ON CONFLICT (task, target) DO UPDATE SET last_success_at = now()', 'INSERT INTO codeverify.maintenance_tasks (task, target, last_run_at, last_success_at) VALUES (''maintain'', '''', now(), now() - interval ''2 days'') ON CONFLICT (task, target) DO UPDATE SET last_success_at = excluded.last_success_at', '^warning: codeverify.maintain\(\) ran last at'),
    ('maintenance_tasks', NULL, 'INSERT INTO codeverify.maintenance_tasks (task, target, last_run_at, last_error, last_error_at, failures) VALUES (''partitions'', ''tap.mine'', now(), ''no room'', now(), 1)', '^warning: partitions of tap.mine: no room'),
    ('partitions', NULL, 'SET LOCAL codeverify.clock = ''2031-01-01 00:00:00+00''', '^warning: .*observability.logs has partitions until'),
    ('partitions', NULL, 'CREATE TABLE tap.line (at timestamptz NOT NULL) PARTITION BY RANGE (at); DO $do$ BEGIN FOR d IN 0 .. 150 LOOP EXECUTE format(''CREATE TABLE tap.line_%s PARTITION OF tap.line FOR VALUES FROM (%L) TO (%L)'', d, date ''2031-01-01'' + d, date ''2031-01-02'' + d); END LOOP; END $do$; INSERT INTO codeverify.partition_sets (parent, period, premake) VALUES (''tap.line'', ''day'', 14)', '^warning: .*tap.line has 151 partitions'),
    ('reports', format('GRANT TEMPORARY ON DATABASE %I TO codeverify_owner', current_database()), format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, codeverify_owner', current_database()), '^warning: .*telemetry.stored_events_by_week \(codeverify_owner may not make temporary tables\)'),
    ('reports', format('GRANT TEMPORARY ON DATABASE %I TO codeverify_owner', current_database()), format('GRANT TEMPORARY ON DATABASE %I TO codeverify_owner; DROP INDEX telemetry.stored_events_by_week_org_id_repo_id_week_event_type_idx', current_database()), '^warning: readers wait while these are refreshed: telemetry.stored_events_by_week \(it has no unique index\) \*'),
    ('clock', NULL, 'SET LOCAL codeverify.clock = ''2030-01-01 00:00:00+00''', '^error: codeverify.clock is set.*2030'),
    ('invalid_indexes', NULL, 'UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''observability.logs_pkey''::regclass', '^warning: .*observability.logs_pkey'),
    ('own_transactions', 'SET LOCAL codeverify.own_transactions = on', 'SET LOCAL codeverify.own_transactions = off', '^error: .*rolls back'),
    ('synchronous_commit', 'SET LOCAL synchronous_commit = on', 'SET LOCAL synchronous_commit = off', '^warning: synchronous_commit is off');

CREATE TABLE tap.diagnosis AS
SELECT a.*, tap.diagnose(a.wrong, a.check_name) AS told
FROM tap.ailment AS a;
SELECT matches(d.told, d.expected, d.check_name || ': ' || d.wrong) FROM tap.diagnosis AS d ORDER BY d.place;
SELECT matches(d.told, '\*$', 'with a hint: ' || d.wrong) FROM tap.diagnosis AS d ORDER BY d.place;
-- What these leave aside is settled by the test's own installation.
SELECT matches(tap.diagnose(a.cure, a.check_name), '^ok: [^*]*$', 'healthy: ' || a.cure)
FROM (SELECT DISTINCT a.check_name, a.cure FROM tap.ailment AS a WHERE a.cure <> 'DROP SCHEMA public CASCADE') AS a
ORDER BY 1;
SELECT is(d.status || coalesce(d.hint, ''), 'ok', 'healthy: ' || d.check_name)
FROM codeverify.doctor() AS d
WHERE d.check_name IN (SELECT a.check_name FROM tap.ailment AS a WHERE a.cure IS NULL)
  -- Those whose cure belongs to another of their ailments.
  AND d.check_name NOT IN (SELECT a.check_name FROM tap.ailment AS a WHERE a.cure IS NOT NULL)
  AND d.check_name NOT IN ('signing_key', 'encryption_key');

-- A setting that names where a secret is, or what it looks like, is none.
SELECT matches(tap.diagnose(w.wrong, 'secrets_in_settings'), '^ok', w.wrong)
FROM unnest(ARRAY[
    'ALTER ROLE tap_tenant SET ssl_passphrase_command_supports_reload = off',
    'ALTER ROLE tap_tenant SET codeverify.ledger_key_file = ''/etc/codeverify/ledger.key''',
    'ALTER ROLE tap_tenant SET app.token_ttl = ''5 min''',
    'ALTER ROLE tap_tenant SET app.monkey = ''x''',
    'ALTER ROLE tap_tenant SET app.secret = ''''',
    'ALTER ROLE tap_tenant SET app.url = ''https://example.org/path''',
    'ALTER ROLE tap_tenant SET search_path = public']) AS w (wrong)
WHERE w.wrong !~ 'ssl_';

-- Views that read as whoever asks, and what tenants do not read, are not open.
SELECT matches(tap.diagnose(w.wrong, 'open_relations'), '^ok', w.wrong)
FROM unnest(ARRAY[
    'CREATE VIEW tap.open WITH (security_invoker) AS SELECT f.id FROM analysis.findings AS f; GRANT SELECT ON tap.open TO codeverify_tenant',
    'CREATE VIEW tap.open AS SELECT p.proname FROM pg_proc AS p; GRANT SELECT ON tap.open TO codeverify_tenant',
    'CREATE VIEW tap.open AS SELECT f.id FROM analysis.findings AS f; GRANT SELECT ON tap.open TO codeverify_admin',
    'CREATE MATERIALIZED VIEW tap.open AS SELECT f.id FROM analysis.findings AS f']) AS w (wrong);

-- A suspended installation delivers nothing.
SELECT matches(tap.diagnose(w.wrong, 'inbound_secrets'), '^ok', w.wrong)
FROM (VALUES (
    'DELETE FROM integrations.inbound_secrets; INSERT INTO integrations.inbound_secrets (provider, org_id, secret_encrypted) VALUES (''github'', tap.id(''b''), ''x'');
    INSERT INTO scm.installations (github_installation_id, org_id, account_type, suspended_at) VALUES (9100000099, tap.id(''a''), ''Organization'', now())')) AS w (wrong);

-- The value of what looks like a secret is never told.
SELECT is_empty(
    $$SELECT FROM codeverify.doctor() AS d WHERE d.detail ~ 'swordfish' OR d.hint ~ 'swordfish'$$, 'there is no such thing');
ALTER ROLE tap_tenant SET app.stripe_secret = 'swordfish';
SELECT isnt_empty($$SELECT FROM codeverify.doctor() AS d WHERE d.detail ~ 'app.stripe_secret'$$, 'its name is told');
SELECT is_empty(
    $$SELECT FROM codeverify.doctor() AS d WHERE d.detail ~ 'swordfish' OR d.hint ~ 'swordfish'$$, 'its value is not');
SELECT is_empty($$SELECT FROM codeverify.doctor() AS d WHERE d.detail ~ '/etc/passwd'$$, 'nor the path of the key')
FROM set_config('codeverify.ledger_key_file', '/etc/passwd', true);

-- Server versions.
SELECT is((SELECT string_agg(f, ' ') FROM codeverify.list_server_flaws(v.version) AS f), v.flaws, v.version::text)
FROM (VALUES
    (150002, 'CVE-2023-2455 CVE-2023-39418 CVE-2024-10976 CVE-2025-8713'),
    (150003, 'CVE-2023-39418 CVE-2024-10976 CVE-2025-8713'),
    (150008, 'CVE-2024-10976 CVE-2025-8713'),
    (150009, 'CVE-2025-8713'),
    (150013, 'CVE-2025-8713'),
    (150014, NULL),
    (150020, NULL),
    (160004, 'CVE-2024-10976 CVE-2025-8713'),
    (160009, 'CVE-2025-8713'),
    (160010, NULL),
    (170000, 'CVE-2024-10976 CVE-2025-8713'),
    (170005, 'CVE-2025-8713'),
    (170006, NULL),
    (180000, NULL)
) AS v (version, flaws);

-- What only a restart would change says what is so.
SELECT is(d.status, CASE WHEN current_setting('shared_preload_libraries') ~ 'codeverify' THEN 'ok' ELSE 'warning' END, 'preload')
FROM codeverify.doctor() AS d
WHERE d.check_name = 'preload';
SELECT is(d.status, CASE WHEN current_setting('data_checksums') = 'on' THEN 'ok' ELSE 'warning' END, 'data_checksums')
FROM codeverify.doctor() AS d
WHERE d.check_name = 'data_checksums';
SELECT is(d.status, CASE WHEN current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on' THEN 'ok' ELSE 'warning' END, 'autovacuum')
FROM codeverify.doctor() AS d
WHERE d.check_name = 'autovacuum';
SELECT is(d.status, CASE WHEN current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' THEN 'ok' ELSE 'error' END, 'durability')
FROM codeverify.doctor() AS d
WHERE d.check_name = 'durability';

SELECT is(d.status, CASE WHEN current_setting('max_worker_processes')::int >= 8 THEN 'ok' ELSE 'warning' END, 'worker_processes')
FROM codeverify.doctor() AS d
WHERE d.check_name = 'worker_processes';

SELECT set_eq(
    'SELECT check_name FROM codeverify.doctor()',
    ARRAY(SELECT DISTINCT a.check_name FROM tap.ailment AS a) || '{server_version,preload,data_checksums,durability,autovacuum,worker_processes}'::text[],
    'every check is tested here');
SELECT is_empty($$SELECT FROM codeverify.doctor() WHERE status NOT IN ('ok', 'warning', 'error') OR detail IS NULL$$, 'each tells what it found');
SELECT is_empty($$SELECT FROM codeverify.doctor() WHERE (status = 'ok') <> (hint IS NULL)$$, 'and what to do, where there is something');

-- Who.
SELECT results_eq('SELECT * FROM codeverify.doctor()', 'SELECT * FROM codeverify.doctor()', 'it tells the same twice');
CALL tap.act(login => 'tap_admin');
SELECT is((SELECT count(*) FROM codeverify.doctor() WHERE status <> 'error'), (SELECT count(*) - 1 FROM codeverify.doctor()), 'an administrator reads it');
CALL tap.act(login => 'tap_auditor');
SELECT isnt_empty('SELECT FROM codeverify.doctor()', 'an auditor too');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok('SELECT FROM codeverify.doctor()', '42501', NULL, 'the service does not');
CALL tap.act('owner', 'a');
SELECT throws_ok('SELECT FROM codeverify.doctor()', '42501', NULL, 'nor a tenant');
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok('SELECT FROM codeverify.doctor()', '42501', NULL, 'nor an ingester');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok('SELECT FROM codeverify.doctor()', '42501', NULL, 'nor anybody else');
RESET SESSION AUTHORIZATION;

-- It works where the tables are not there, as during a restore.
SELECT codeverify.uninstall(current_database()) \g /dev/null
SELECT is((SELECT status FROM codeverify.doctor() WHERE check_name = 'deployment'), 'error', 'without tables it says so');

SELECT * FROM finish();
ROLLBACK;
