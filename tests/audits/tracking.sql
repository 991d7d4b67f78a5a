-- What can be tracked, by whom, and what the view says of it.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../capture.sql

CREATE VIEW tap.view AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW tap.stored AS SELECT 1 AS id;
CREATE SEQUENCE tap.numbers;
CREATE FOREIGN DATA WRAPPER tap_wrapper;
CREATE SERVER tap_server FOREIGN DATA WRAPPER tap_wrapper;
CREATE FOREIGN TABLE tap.abroad (id int) SERVER tap_server;
CREATE TEMP TABLE passing (id int);
CREATE TABLE tap.part (id int) PARTITION BY RANGE (id);
CREATE TABLE tap.part_1 PARTITION OF tap.part FOR VALUES FROM (0) TO (10);
CREATE TABLE tap."a table whose name is as long as a name can be, which is sixty-3" (id int);
CREATE SCHEMA "a schema whose name is rather long too, so that both are too much";
ALTER TABLE tap."a table whose name is as long as a name can be, which is sixty-3"
SET SCHEMA "a schema whose name is rather long too, so that both are too much";
SELECT throws_ok(
    format('SELECT audits.track(%L)', name), 'VC054', format('%s cannot be tracked', name::regclass), format('%s cannot be tracked', name))
FROM unnest(ARRAY[
    'tap.view', 'tap.stored', 'tap.numbers', 'tap.abroad', 'passing', 'tap.part_1', 'pg_catalog.pg_class', 'information_schema.sql_parts',
    'audits.audit_log', 'audits.audit_log_default', 'audits.lanes', 'audits.redaction_keys', 'audits.subject_keys', 'audits.checkpoints',
    '"a schema whose name is rather long too, so that both are too much"."a table whose name is as long as a name can be, which is sixty-3"'
]) AS t (name);
SELECT throws_ok('SELECT audits.track(NULL)', 'VC054', 'there is no table to track', 'nor can nothing');
SELECT throws_ok(
    $$SELECT audits.track('tap.ticket', redact => '{title,missing,"other one"}')$$, '42703',
    'tap.ticket has no column "missing", "other one"', 'columns to redact must exist');
SELECT throws_ok($$SELECT audits.track('tap.ticket', key_columns => '{ctid}')$$, '42703', NULL, 'and so must those of the key');
SELECT lives_ok($$SELECT audits.untrack('tap.part_1')$$, 'untracking what is not tracked does nothing');
SELECT lives_ok('SELECT audits.untrack(NULL)', 'nor does untracking nothing');

-- The view.
CREATE TABLE tap.vault (id int, name text, secret text, note text, last_used_at timestamptz);
SELECT audits.track('tap.vault', '{note}', '{name,id}') \g /dev/null
SELECT results_eq(
    $$SELECT * FROM audits.tracked_tables WHERE table_name = 'vault'$$,
    $$VALUES ('tap'::name, 'vault'::name, '{id,name}'::text[], '{note,secret}'::text[], '{last_used_at}'::text[], true)$$,
    'the view tells key, what is redacted and what is ignored');
SELECT audits.track('tap.vault', key_columns => '{id}') \g /dev/null
SELECT results_eq(
    $$SELECT key_columns, redacted_columns FROM audits.tracked_tables WHERE table_name = 'vault'$$,
    $$VALUES ('{id}'::text[], '{secret}'::text[])$$, 'tracking again replaces what was said');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'tap.vault'::regclass), 4::bigint, 'and makes no more triggers');
ALTER TABLE tap.vault RENAME id TO number;
SELECT is(
    (SELECT key_columns FROM audits.tracked_tables WHERE table_name = 'vault'), '{number}', 'a column that is renamed is followed');
ALTER TABLE tap.vault DROP COLUMN number;
SELECT is(
    (SELECT key_columns FROM audits.tracked_tables WHERE table_name = 'vault'), NULL, 'without its key, a table has none');
ALTER TABLE tap.vault DISABLE TRIGGER codeverify_capture_delete;
SELECT is((SELECT is_recording FROM audits.tracked_tables WHERE table_name = 'vault'), false, 'a trigger that is disabled shows');
SELECT audits.untrack('tap.vault') \g /dev/null
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'tap.vault'::regclass), 0::bigint, 'untracking takes the triggers away');
SELECT is_empty($$SELECT * FROM audits.tracked_tables WHERE table_name = 'vault'$$, 'and the line in the view');
SELECT audits.track('tap.part') \g /dev/null
SELECT is(
    (SELECT array_agg(table_name::text) FROM audits.tracked_tables WHERE table_name LIKE 'part%'), '{part}', 'partitions go with their table');
SELECT audits.untrack('tap.part') \g /dev/null
SELECT is_empty(
    $$SELECT FROM pg_trigger WHERE tgrelid IN ('tap.part'::regclass, 'tap.part_1'::regclass)$$, 'and leave with it');

-- Out of the box.
SELECT is_empty(
    $$
        SELECT t.name
        FROM unnest(ARRAY[
            'auth.users', 'auth.api_keys', 'auth.jwt_keys', 'auth.invitations', 'tenancy.organizations', 'tenancy.org_memberships',
            'projects.policies', 'projects.project_policies', 'analysis.custom_rules', 'observability.alert_rules',
            'providers.providers', 'providers.user_providers', 'quarantine.quarantine_records', 'experiments_v1.promotions',
            'experiments_v1.blacklist', 'integrations.webhooks', 'scm.installations', 'audits.column_rules']) AS t (name)
        EXCEPT
        SELECT format('%s.%s', v.schema_name, v.table_name)
        FROM audits.tracked_tables AS v
        WHERE v.is_recording
    $$,
    'what compliance needs is tracked out of the box');
SELECT is_empty(
    $$SELECT v.table_name FROM audits.tracked_tables AS v WHERE v.key_columns IS NULL$$, 'and each of them has a key');
SELECT is_empty(
    $$
        SELECT g.tgname
        FROM pg_trigger AS g
        WHERE g.tgfoid = 'audits.record_changes()'::regprocedure
          AND obj_description(g.oid, 'pg_trigger') IS NULL
    $$,
    'the triggers have comments');

-- Who may.
CREATE ROLE tap_app LOGIN IN ROLE codeverify_admin;
GRANT ALL ON SCHEMA tap TO tap_app;
CALL tap.act(NULL, NULL, 'tap_app');
CREATE TABLE tap.mine (id int PRIMARY KEY);
SELECT lives_ok($$SELECT audits.track('tap.mine')$$, 'an administrator tracks a table of their own');
SELECT throws_ok(
    $$SELECT audits.track('tap.ticket')$$, '42501', 'must be owner of table tap.ticket', 'and none of others');
SELECT throws_ok($$SELECT audits.track('auth.users')$$, '42501', NULL, 'nor of the extension');
SELECT throws_ok($$SELECT audits.untrack('auth.users')$$, '42501', NULL, 'whose tracking they do not end either');
SELECT lives_ok($$INSERT INTO tap.mine VALUES (1)$$, 'rows are recorded');
SELECT is((SELECT count(*) FROM tap.entries('tap.mine')), 1::bigint, 'with the rights of the owner of the ledger');
SELECT ok((SELECT count(*) > 20 FROM audits.tracked_tables), 'an administrator sees what is tracked');
SELECT lives_ok($$SELECT audits.untrack('tap.mine')$$, 'and stops it');
CALL tap.act(NULL, NULL, 'tap_auditor');
SELECT ok((SELECT count(*) > 20 FROM audits.tracked_tables), 'an auditor sees it too');
SELECT throws_ok($$SELECT audits.track('tap.ticket')$$, '42501', NULL, 'and changes nothing');
CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT audits.track('tap.ticket')$$, '42501', NULL, 'a tenant may not call it');
SELECT throws_ok('SELECT * FROM audits.tracked_tables', '42501', NULL, 'nor see it');
SELECT throws_ok($$SELECT audits.set_column_rule('x', 'record')$$, '42501', NULL, 'nor make rules');
RESET SESSION AUTHORIZATION;

-- The trigger function by other triggers, and not by one.
SELECT throws_ok('SELECT audits.record_changes()', 'VC054', NULL, 'the function is for triggers');
CREATE TABLE tap.wrong (id int);
CREATE TRIGGER wrong AFTER INSERT ON tap.wrong FOR EACH ROW EXECUTE FUNCTION audits.record_changes();
SELECT throws_ok('INSERT INTO tap.wrong VALUES (1)', 'VC054', NULL, 'of statements');
DROP TRIGGER wrong ON tap.wrong;
CREATE TRIGGER wrong BEFORE INSERT ON tap.wrong FOR EACH STATEMENT EXECUTE FUNCTION audits.record_changes();
SELECT throws_ok('INSERT INTO tap.wrong VALUES (1)', 'VC054', NULL, 'after them');
DROP TRIGGER wrong ON tap.wrong;
CREATE TRIGGER wrong AFTER INSERT ON tap.wrong FOR EACH STATEMENT EXECUTE FUNCTION audits.record_changes('nonsense', 'redact=', 'key=x:y');
SELECT throws_ok('INSERT INTO tap.wrong VALUES (1)', 'VC054', NULL, 'with transition tables');

SELECT * FROM finish();
ROLLBACK;
