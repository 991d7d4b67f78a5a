-- codeverify.maintain() in the caller's transaction: who may call it, what it takes, what it tells and remembers, what it
-- does when a step fails; the status view; scheduling where there is no pg_cron; upkeep of the ledger; what an organization
-- leaves behind. What takes processes of its own is in tests/operations/maintenance.py.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
SET LOCAL codeverify.clock = '2026-06-15 12:00:00+00';

-- ---- who
SELECT throws_ok('SET LOCAL ROLE codeverify_' || r || '; SELECT * FROM codeverify.maintain()', '42501', NULL, r || ' may not')
FROM unnest(ARRAY['service', 'tenant', 'ingest', 'auditor']) AS r;

-- ---- what it takes
CALL tap.act(login => 'tap_admin');
SELECT throws_ok(
    $$SELECT * FROM codeverify.maintain('nothing')$$, 'VC095', '"nothing" is neither a task nor a target of maintenance',
    'neither a task nor a target');
SELECT throws_ok($$SELECT * FROM codeverify.maintain('')$$, 'VC095', NULL, 'nor is nothing');
SELECT lives_ok(format('SELECT * FROM codeverify.maintain(%L)', o), o || ' is taken')
FROM unnest(ARRAY['clean_up', 'ledger', 'organizations', 'auth.sessions', 'audits.checkpoints', 'observability.logs']) AS o;
RESET SESSION AUTHORIZATION;
DO $test$
DECLARE
    hint text;
BEGIN
    PERFORM codeverify.maintain('nothing');
EXCEPTION WHEN SQLSTATE 'VC095' THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    PERFORM set_config('tap.hint', hint, true);
END
$test$;
SELECT ok(current_setting('tap.hint') LIKE '%' || w || '%', 'the hint lists ' || w)
FROM unnest(ARRAY['clean_up', 'organizations', 'observability.logs', 'auth.sessions']) AS w;

-- ---- what it tells and remembers
SELECT codeverify.maintain();
SELECT is_empty('SELECT * FROM codeverify.maintain()', 'nothing is due a second time');
SELECT is(last_detail, 'nothing was due', 'which is remembered of the run as a whole')
FROM codeverify.maintenance_tasks WHERE task = 'maintain' AND target = '';

INSERT INTO auth.email_verifications (user_id, email, token_hash, created_at, expires_at)
SELECT tap.id('owner of a'), 'a@example.org', encode(sha256(n::text::bytea), 'hex'), '2026-05-01', '2026-05-02'
FROM generate_series(1, 1001) AS n;
SELECT results_eq(
    'SELECT task, target, action, detail FROM codeverify.maintain()',
    $$VALUES ('clean_up', 'auth.email_verifications', 'deleted', '1000 rows with expires_at before 2026-06-08 12:00:00+00'),
             ('clean_up', 'auth.email_verifications', 'deleted', '1 rows with expires_at before 2026-06-08 12:00:00+00')$$,
    'it takes steps until there is nothing left');
SELECT results_eq(
    $$SELECT last_action, last_error, runs, failures, last_run_at, last_success_at
      FROM codeverify.maintenance_tasks WHERE task = 'clean_up' AND target = 'auth.email_verifications'$$,
    $$VALUES ('deleted', NULL::text, 2::bigint, 0::bigint, '2026-06-15 12:00:00+00'::timestamptz, '2026-06-15 12:00:00+00'::timestamptz)$$,
    'each step is remembered');
SELECT is(last_detail, '2 steps, 0 failed', 'and the run')
FROM codeverify.maintenance_tasks WHERE task = 'maintain' AND target = '';

-- ---- only
INSERT INTO auth.email_verifications (user_id, email, token_hash, created_at, expires_at)
VALUES (tap.id('owner of a'), 'a@example.org', repeat('a', 64), '2026-05-01', '2026-05-02');
INSERT INTO auth.password_resets (user_id, email, token_hash, created_at, expires_at)
VALUES (tap.id('owner of a'), 'a@example.org', repeat('b', 64), '2026-05-01', '2026-05-02');
SELECT is_empty($$SELECT * FROM codeverify.maintain('ledger')$$, 'another task is not done');
SELECT results_eq(
    $$SELECT target FROM codeverify.maintain('auth.password_resets')$$, ARRAY['auth.password_resets'], 'nor another target');
SELECT results_eq(
    $$SELECT target FROM codeverify.maintain('clean_up')$$, ARRAY['auth.email_verifications'], 'and then it is');

-- ---- a step that fails
CREATE FUNCTION tap.fail()
RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE 'not this one';
END
$function$;
CREATE TRIGGER fail BEFORE DELETE ON auth.email_verifications FOR EACH ROW EXECUTE FUNCTION tap.fail();
INSERT INTO auth.email_verifications (user_id, email, token_hash, created_at, expires_at)
VALUES (tap.id('owner of a'), 'a@example.org', repeat('a', 64), '2026-05-01', '2026-05-02');
INSERT INTO auth.password_resets (user_id, email, token_hash, created_at, expires_at)
VALUES (tap.id('owner of a'), 'a@example.org', repeat('b', 64), '2026-05-01', '2026-05-02');
SELECT results_eq(
    $$SELECT target, action, detail FROM codeverify.maintain('clean_up')$$,
    $$VALUES ('auth.email_verifications', 'failed', 'not this one'),
             ('auth.password_resets', 'deleted', '1 rows with expires_at before 2026-06-14 12:00:00+00')$$,
    'it is told, and does not stop the others');
SELECT results_eq(
    $$SELECT last_error, last_error_at, runs, failures, last_action
      FROM codeverify.maintenance_tasks WHERE target = 'auth.email_verifications'$$,
    $$VALUES ('not this one', '2026-06-15 12:00:00+00'::timestamptz, 4::bigint, 1::bigint, 'deleted')$$,
    'and remembered, with what was done before');
SELECT is((SELECT count(*) FROM auth.email_verifications), 1::bigint, 'it leaves nothing half done');
SELECT is(action, 'failed', 'it is tried again') FROM codeverify.maintain('auth.email_verifications');
DROP TRIGGER fail ON auth.email_verifications;
SELECT is(action, 'deleted', 'and again') FROM codeverify.maintain('auth.email_verifications');
SELECT results_eq(
    $$SELECT last_error, last_error_at, runs, failures FROM codeverify.maintenance_tasks WHERE target = 'auth.email_verifications'$$,
    $$VALUES (NULL::text, NULL::timestamptz, 6::bigint, 2::bigint)$$,
    'until it goes well, and the error is forgotten');

-- What fails and is mended by somebody else is forgotten too, once there is nothing to do.
INSERT INTO tenancy.deleted_organizations (id) VALUES (tap.id('gone'));
CREATE TRIGGER fail BEFORE DELETE ON tenancy.deleted_organizations FOR EACH ROW EXECUTE FUNCTION tap.fail();
SELECT is(action, 'failed', 'another failure') FROM codeverify.maintain('organizations');
DROP TRIGGER fail ON tenancy.deleted_organizations;
SELECT is(action, 'finished', 'that is over') FROM codeverify.maintain('organizations');

-- A set has the error of its tasks, until none has one.
INSERT INTO codeverify.partition_sets (parent, period, premake)
VALUES ('observability.logs', 'day', 14)
ON CONFLICT (parent) DO NOTHING;
INSERT INTO codeverify.maintenance_tasks (task, target, last_run_at, last_error, last_error_at, failures)
VALUES ('retention', 'observability.logs', now(), 'x', now(), 1);
UPDATE codeverify.partition_sets SET last_error = 'retention: x', last_error_at = now() WHERE parent = 'observability.logs'::regclass;
SELECT is(last_error, 'retention: x', 'the view shows what goes wrong')
FROM codeverify.maintenance_status WHERE parent = 'observability.logs'::regclass;

-- ---- where it cannot run
SAVEPOINT before;
SET LOCAL transaction_read_only = on;
SELECT throws_ok('SELECT * FROM codeverify.maintain()', 'VC096', NULL, 'not where nothing may be written');
ROLLBACK TO before;

-- ---- whatever the session has set
SET LOCAL quote_all_identifiers = on;
SET LOCAL TimeZone = 'Asia/Tokyo';
SET LOCAL DateStyle = 'German';
INSERT INTO auth.password_resets (user_id, email, token_hash, created_at, expires_at)
VALUES (tap.id('owner of a'), 'a@example.org', repeat('b', 64), '2026-05-01', '2026-05-02');
SELECT is(target || ': ' || detail, 'auth.password_resets: 1 rows with expires_at before 2026-06-14 12:00:00+00', 'it does the same')
FROM codeverify.maintain('clean_up');
SELECT is(current_setting('TimeZone') || ' ' || current_setting('lock_timeout'), 'Asia/Tokyo 0', 'and leaves what is set as it was');
SET LOCAL quote_all_identifiers = off;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';

-- ---- the status view
CALL tap.act(login => 'tap_admin');
SELECT set_eq(
    'SELECT parent::text FROM codeverify.maintenance_status',
    ARRAY['audits.audit_log', 'integrations.webhook_deliveries', 'observability.logs', 'providers.usage_tracking', 'telemetry.code_events'],
    'an administrator sees a row for each set');
SELECT is_empty('SELECT parent FROM codeverify.maintenance_status WHERE last_run_at IS NULL', 'with when maintenance ran');
CALL tap.act('owner', 'a', 'tap_tenant');
SELECT throws_ok('SELECT * FROM codeverify.maintenance_status', '42501', NULL, 'a tenant sees nothing of it');
RESET SESSION AUTHORIZATION;

CREATE TABLE tap.parts (at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE tap.parts_1 PARTITION OF tap.parts FOR VALUES FROM ('2026-06-15 00:00+00') TO ('2026-06-16 00:00+00');
CREATE TABLE tap.parts_2 PARTITION OF tap.parts FOR VALUES FROM ('2026-06-16 00:00+00') TO ('2026-06-17 12:00+00');
CREATE TABLE tap.parts_4 PARTITION OF tap.parts FOR VALUES FROM ('2026-06-18 00:00+00') TO ('2026-07-18 00:00+00');
CREATE TABLE tap.parts_default PARTITION OF tap.parts DEFAULT;
SELECT is(codeverify.find_runway('tap.parts'), interval '48 hours', 'the runway ends at the first gap');
SET LOCAL codeverify.clock = '2026-06-17 12:00:00+00';
SELECT is(codeverify.find_runway('tap.parts'), interval '0', 'and is none inside of it');
SET LOCAL codeverify.clock = '2026-06-15 12:00:00+00';
SELECT is(codeverify.count_default_rows('tap.parts'), '0', 'an empty DEFAULT');
INSERT INTO tap.parts SELECT '2020-01-01' FROM generate_series(1, 1000);
SELECT is(codeverify.count_default_rows('tap.parts'), '1000', 'is counted');
INSERT INTO tap.parts VALUES ('2020-01-01');
SELECT is(codeverify.count_default_rows('tap.parts'), '1000+', 'up to a bound');
DROP TABLE tap.parts_default;
SELECT is(codeverify.count_default_rows('tap.parts'), NULL, 'where there is one');

-- ---- scheduling
SELECT throws_ok($$SELECT codeverify.schedule('every day')$$, '22023', '"every day" is no cron expression', 'no cron expression');
SELECT throws_ok('SELECT codeverify.schedule(NULL)', '22023', NULL, 'nor is NULL');
SELECT throws_ok('SELECT codeverify.schedule()', 'VC096', 'pg_cron is not installed in this database', 'there is no pg_cron');
SET LOCAL cron.database_name = 'elsewhere';
SELECT throws_ok('SELECT codeverify.schedule()', 'VC096', 'pg_cron is in another database: elsewhere', 'or it is elsewhere');
SELECT is(codeverify.unschedule(), 0::bigint, 'nothing is scheduled');

-- ---- the ledger
SELECT is_empty($$SELECT * FROM audits.list_due_upkeep() AS t WHERE t = 'audits.verifications'$$, 'the first verification is not for maintenance');
INSERT INTO audits.verifications (is_incremental, verdict, entries, lanes, duration, created_at)
VALUES (false, 'intact', 0, 0, '1 s', '2026-06-14 12:00:01+00');
SELECT is_empty($$SELECT * FROM audits.list_due_upkeep() AS t WHERE t = 'audits.verifications'$$, 'nor is one within a day');
SET LOCAL codeverify.clock = '2026-06-15 12:00:02+00';
SELECT isnt_empty($$SELECT * FROM audits.list_due_upkeep() AS t WHERE t = 'audits.verifications'$$, 'the next one is, after a day');
SELECT is(action, 'verified', 'and it is done') FROM codeverify.maintain('audits.verifications');

-- ---- an organization that leaves more behind than is deleted with it
INSERT INTO tenancy.organizations (id, name, login) VALUES (tap.id('large'), 'Large', 'tap-large');
INSERT INTO observability.logs (org_id, message) SELECT tap.id('large'), 'm' FROM generate_series(1, 10001);
INSERT INTO observability.logs (org_id, message) SELECT tap.id('b'), 'm' FROM generate_series(1, 3);
DELETE FROM tenancy.organizations WHERE id = tap.id('large');
SELECT is((SELECT count(*) FROM observability.logs WHERE org_id = tap.id('large')), 5001::bigint, 'a part goes at once');
SELECT is((SELECT count(*) FROM tenancy.deleted_organizations WHERE id = tap.id('large')), 1::bigint, 'the rest is noted');
SELECT throws_ok(
    $$INSERT INTO observability.logs (org_id, message) VALUES (tap.id('large'), 'm')$$, '23503', NULL, 'no row is added');
CALL tap.act('owner', 'a', 'tap_tenant');
SELECT is((SELECT count(*) FROM observability.logs), 0::bigint, 'no tenant sees the rest');
SELECT throws_ok('SELECT * FROM tenancy.deleted_organizations', '42501', NULL, 'nor whose it is');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT action, detail FROM codeverify.maintain('organizations')$$,
    $$VALUES ('deleted', '5000 rows of observability.logs'), ('deleted', '1 rows of observability.logs'), ('finished', 'nothing is left of it')$$,
    'maintenance deletes it');
SELECT is((SELECT count(*) FROM observability.logs WHERE org_id = tap.id('large')), 0::bigint, 'all of it');
SELECT is((SELECT count(*) FROM observability.logs WHERE org_id = tap.id('b')), 3::bigint, 'and nobody else''s');
SELECT is_empty('SELECT * FROM tenancy.deleted_organizations', 'and forgets it');
INSERT INTO tenancy.organizations (id, name, login) VALUES (tap.id('small'), 'Small', 'tap-small');
INSERT INTO observability.logs (org_id, message) SELECT tap.id('small'), 'm' FROM generate_series(1, 10);
DELETE FROM tenancy.organizations WHERE id = tap.id('small');
SELECT is((SELECT count(*) FROM observability.logs WHERE org_id = tap.id('small')), 0::bigint, 'a small one goes as a whole');
SELECT is_empty('SELECT * FROM tenancy.deleted_organizations', 'and leaves no note');
INSERT INTO tenancy.deleted_organizations (id) VALUES (tap.id('b'));
SELECT results_eq($$SELECT action FROM codeverify.maintain('organizations')$$, ARRAY['finished'], 'one that is there again');
SELECT is((SELECT count(*) FROM observability.logs WHERE org_id = tap.id('b')), 3::bigint, 'keeps its rows');

SELECT * FROM finish();
ROLLBACK;
