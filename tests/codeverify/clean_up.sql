-- What the task clean_up deletes: rows that are past their time, and not one other.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
SET LOCAL codeverify.clock = '2030-01-01 00:00:00+00';

-- ---- every rule stands on an index that begins with its column
SELECT ok(
    EXISTS (
        SELECT
        FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = r.target::regclass AND a.attname = r.expiry),
    format('%s has an index on %s', r.target, r.expiry))
FROM codeverify.list_clean_up_rules() AS r
-- A row for each task and target: there is nothing to look up.
WHERE r.target <> 'codeverify.maintenance_tasks';

-- ---- at the boundary: one row that expired just long enough ago, one that expires then, one that comes after
-- What rows are made like, since those of tenant_rows.sql are past their time by then.
CREATE TABLE tap.pattern (target text, line jsonb);
INSERT INTO tap.pattern
SELECT 'auth.invitations', to_jsonb(i) FROM auth.invitations AS i WHERE i.org_id = tap.id('a')
UNION ALL
SELECT 'analysis.jobs', to_jsonb(j) FROM analysis.jobs AS j WHERE j.org_id = tap.id('a')
UNION ALL
SELECT 'analysis.trust_score_cache', to_jsonb(c) FROM analysis.trust_score_cache AS c WHERE c.org_id = tap.id('a')
UNION ALL
SELECT 'analysis.diff_summary_cache', to_jsonb(c) FROM analysis.diff_summary_cache AS c WHERE c.org_id = tap.id('a')
UNION ALL
SELECT 'production.artifacts', to_jsonb(f) FROM production.artifacts AS f WHERE f.org_id = tap.id('a');
CREATE FUNCTION tap.line(target text, other jsonb)
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT p.line || other FROM tap.pattern AS p WHERE p.target = $1 LIMIT 1
$function$;

CREATE FUNCTION tap.make(target text, number int, expiry timestamptz)
RETURNS void
LANGUAGE plpgsql
AS $function$
DECLARE
    hash constant text := encode(sha256(format('%s %s', target, number)::bytea), 'hex');
    a_user constant uuid := tap.id('owner of a');
BEGIN
    CASE target
    WHEN 'auth.sessions' THEN
        INSERT INTO auth.sessions (user_id, session_token_hash, created_at, expires_at)
        VALUES (a_user, hash, expiry - interval '1 hour', expiry);
    WHEN 'auth.session_revocations' THEN
        INSERT INTO auth.session_revocations (session_id, reason, revoked_at) VALUES (gen_random_uuid(), 'logout', expiry);
    WHEN 'auth.email_verifications' THEN
        INSERT INTO auth.email_verifications (user_id, email, token_hash, created_at, expires_at)
        VALUES (a_user, 'a@example.org', hash, expiry - interval '1 hour', expiry);
    WHEN 'auth.password_resets' THEN
        INSERT INTO auth.password_resets (user_id, email, token_hash, created_at, expires_at)
        VALUES (a_user, 'a@example.org', hash, expiry - interval '1 hour', expiry);
    WHEN 'auth.login_attempts' THEN
        INSERT INTO auth.login_attempts (subject_hash, kind, failures, last_failed_at)
        VALUES (hash, 'ip_address', 50, expiry);
    WHEN 'auth.invitations' THEN
        INSERT INTO auth.invitations
        SELECT (jsonb_populate_record(NULL::auth.invitations, tap.line(target, jsonb_build_object(
            'id', gen_random_uuid(), 'created_at', expiry - interval '1 hour', 'expires_at', expiry, 'code_hash', hash)))).*;
    WHEN 'auth.api_key_rate_buckets' THEN
        INSERT INTO auth.api_key_rate_buckets (api_key_id, org_id, window_start, count)
        SELECT k.id, k.org_id, date_trunc('minute', expiry), 1 FROM auth.api_keys AS k WHERE k.org_id = tap.id('a') LIMIT 1;
    WHEN 'observability.alert_firings' THEN
        INSERT INTO observability.alert_firings (org_id, rule_id, fingerprint, fired_at)
        SELECT r.org_id, r.id, hash, expiry FROM observability.alert_rules AS r WHERE r.org_id = tap.id('a') LIMIT 1;
    WHEN 'observability.rejected_logs' THEN
        INSERT INTO observability.rejected_logs (org_id, reason, entry, received_at) VALUES (tap.id('a'), 'no_message', '{}', expiry);
    WHEN 'integrations.inbound_deliveries' THEN
        INSERT INTO integrations.inbound_deliveries (provider, delivery_id, event, payload_hash, org_id, created_at)
        VALUES ('github', hash, 'ping', hash, tap.id('a'), expiry);
    WHEN 'analysis.jobs' THEN
        INSERT INTO analysis.jobs
        SELECT (jsonb_populate_record(NULL::analysis.jobs, tap.line(target, jsonb_build_object(
            'job_id', hash, 'status', 'failed', 'created_at', expiry, 'updated_at', expiry)))).*;
    WHEN 'analysis.trust_score_cache' THEN
        INSERT INTO analysis.trust_score_cache
        SELECT (jsonb_populate_record(NULL::analysis.trust_score_cache, tap.line(target, jsonb_build_object(
            'id', gen_random_uuid(), 'commit_sha', hash, 'computed_at', expiry)))).*;
    WHEN 'analysis.diff_summary_cache' THEN
        INSERT INTO analysis.diff_summary_cache
        SELECT (jsonb_populate_record(NULL::analysis.diff_summary_cache, tap.line(target, jsonb_build_object(
            'id', gen_random_uuid(), 'head_sha', hash, 'computed_at', expiry)))).*;
    WHEN 'production.artifacts' THEN
        INSERT INTO production.artifacts
        SELECT (jsonb_populate_record(NULL::production.artifacts, tap.line(target, jsonb_build_object(
            'id', gen_random_uuid(), 'created_at', expiry - interval '1 hour', 'expires_at', expiry)))).*;
    WHEN 'codeverify.maintenance_tasks' THEN
        INSERT INTO codeverify.maintenance_tasks (task, target, last_run_at) VALUES ('partitions', hash, expiry);
    END CASE;
END
$function$;

-- Twice, since what hangs on a row is known to be past its time when that row is gone.
SELECT codeverify.maintain('clean_up');
SELECT codeverify.maintain('clean_up');

CREATE FUNCTION tap.expiries(target text, horizon timestamptz)
RETURNS timestamptz[]
LANGUAGE plpgsql
AS $function$
DECLARE
    expiry name := (SELECT r.expiry FROM codeverify.list_clean_up_rules() AS r WHERE r.target = expiries.target);
    found timestamptz[];
BEGIN
    EXECUTE format('SELECT array_agg(%1$I ORDER BY %1$I) FROM %2$s WHERE %1$I BETWEEN $1 - interval ''1 hour'' AND $1 + interval ''1 hour''', expiry, target)
    INTO found
    USING horizon;
    RETURN found;
END
$function$;

CREATE TEMP TABLE boundary AS
SELECT t.target,
       timestamptz '2030-01-01 00:00:00+00' - t.keep AS horizon,
       -- Buckets begin with a minute.
       CASE t.target WHEN 'auth.api_key_rate_buckets' THEN interval '1 minute' ELSE interval '1 microsecond' END AS tick
FROM codeverify.list_clean_up_targets() AS t;
SELECT tap.make(b.target, n, b.horizon + (n - 2) * b.tick)
FROM boundary AS b
CROSS JOIN generate_series(1, 3) AS n;

SELECT set_eq(
    'SELECT * FROM codeverify.list_due_clean_ups()', 'SELECT target FROM boundary', 'each has a row that is past its time');
SELECT set_eq(
    $$SELECT target, split_part(detail, ' ', 1) FROM codeverify.maintain('clean_up')$$,
    'SELECT target, ''1'' FROM boundary',
    'each loses one');
SELECT is(tap.expiries(target, horizon), ARRAY[horizon, horizon + tick], format('%s keeps the row that is not past its time, and the one after', target))
FROM boundary;
SELECT is_empty('SELECT * FROM codeverify.list_due_clean_ups()', 'and no more is due');
SET LOCAL codeverify.clock = '2030-01-01 00:00:00.000001+00';
SELECT is(count(*), (SELECT count(*) FROM boundary WHERE target <> 'auth.api_key_rate_buckets') + 1, 'a moment later, each loses the next')
FROM codeverify.maintain('clean_up');
SET LOCAL codeverify.clock = '2030-01-01 00:00:00+00';

-- ---- what has no end, is not over or still counts, however old it is
INSERT INTO analysis.jobs
SELECT (jsonb_populate_record(NULL::analysis.jobs, tap.line('analysis.jobs', jsonb_build_object(
    'job_id', s, 'status', s, 'updated_at', timestamptz '2020-01-01')))).*
FROM unnest(ARRAY['pending', 'running', 'completed', 'failed']) AS s;
INSERT INTO production.artifacts
SELECT (jsonb_populate_record(NULL::production.artifacts, tap.line('production.artifacts', jsonb_build_object(
    'id', tap.id('kept artifact'), 'created_at', timestamptz '2020-01-01', 'expires_at', NULL)))).*;
INSERT INTO auth.login_attempts (subject_hash, kind, failures, last_failed_at, locked_until, user_id)
VALUES (repeat('1', 64), 'account', 100, '2020-01-01', '9999-01-01', tap.id('owner of a')),
       (repeat('2', 64), 'account', 5, '2020-01-01', NULL, tap.id('owner of a')),
       (repeat('3', 64), 'account', 4, '2020-01-01', NULL, tap.id('owner of a')),
       (repeat('4', 64), 'account', 100, '2020-01-01', '9999-01-01', NULL),
       (repeat('5', 64), 'ip_address', 100, '2020-01-01', '2030-01-01 00:00:01+00', NULL),
       (repeat('6', 64), 'ip_address', 100, '2020-01-01', '2029-12-31', NULL);
INSERT INTO auth.sessions (id, user_id, session_token_hash, created_at, expires_at)
VALUES (tap.id('a session'), tap.id('owner of a'), repeat('7', 64), '2029-12-30', '2030-02-01');
INSERT INTO auth.session_revocations (session_id, reason, revoked_at) VALUES (tap.id('a session'), 'logout', '2029-12-01');
SELECT codeverify.maintain('clean_up');
SELECT set_eq(
    $$SELECT job_id FROM analysis.jobs WHERE job_id IN ('pending', 'running', 'completed', 'failed')$$, ARRAY['pending', 'running'],
    'a job that waits or runs stays');
SELECT is(count(*), 1::bigint, 'an artifact without an end stays') FROM production.artifacts WHERE id = tap.id('kept artifact');
SELECT set_eq(
    $$SELECT left(subject_hash, 1) FROM auth.login_attempts WHERE subject_hash ~ '^(.)\1{63}$'$$, ARRAY['1', '2', '5'],
    'what is locked or still counts against a user''s account stays');
SELECT is(count(*), 1::bigint, 'the revocation of a session that is there stays')
FROM auth.session_revocations WHERE session_id = tap.id('a session');

-- ---- the history of a session goes with it
INSERT INTO auth.sessions (id, user_id, session_token_hash, created_at, expires_at)
VALUES (tap.id('old session'), tap.id('owner of a'), repeat('8', 64), '2028-01-01', '2028-01-02');
INSERT INTO auth.refresh_tokens (token_hash, session_id) VALUES (repeat('9', 64), tap.id('old session'));
SELECT codeverify.maintain('auth.sessions');
SELECT is_empty($$SELECT FROM auth.refresh_tokens WHERE session_id = tap.id('old session')$$, 'with its refresh tokens');

-- ---- how long
SELECT throws_ok('SET LOCAL ROLE codeverify_service; SELECT codeverify.configure_clean_up(''analysis.jobs'', ''1 day'')', '42501', NULL, 'the service may not');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok($$SELECT codeverify.configure_clean_up('observability.logs', '1 day')$$, 'VC095', '"observability.logs" is not cleaned up by maintenance', 'not what maintenance does not clean up');
SELECT throws_ok($$SELECT codeverify.configure_clean_up(NULL, '1 day')$$, 'VC095', NULL, 'nor NULL');
SELECT throws_ok($$SELECT codeverify.configure_clean_up('analysis.jobs', '-1 second')$$, '22023', NULL, 'not before its end');
SELECT is(keep, interval '30 days', 'as by default') FROM codeverify.list_clean_up_targets() WHERE target = 'analysis.jobs';
SELECT codeverify.configure_clean_up('analysis.jobs', '40 days');
SELECT codeverify.configure_clean_up('analysis.jobs', '50 days');
SELECT results_eq(
    $$SELECT keep, default_keep FROM codeverify.list_clean_up_targets() WHERE target = 'analysis.jobs'$$,
    $$VALUES (interval '50 days', interval '30 days')$$, 'a second call changes it');
SELECT codeverify.configure_clean_up('analysis.trust_score_cache', NULL);
RESET SESSION AUTHORIZATION;
SELECT tap.make('analysis.jobs', 10, '2029-11-12 00:00:00+00');
SELECT tap.make('analysis.trust_score_cache', 10, '2000-01-01 00:00:00+00');
SELECT is_empty('SELECT * FROM codeverify.list_due_clean_ups()', 'what is kept for longer, or for good, is not due');
SELECT is_empty($$SELECT * FROM codeverify.clean_up('analysis.trust_score_cache')$$, 'nor deleted');
SELECT is_empty($$SELECT * FROM codeverify.clean_up('analysis.jobs')$$, 'at the boundary either');
SET LOCAL codeverify.clock = '2030-01-01 00:00:00.000001+00';
SELECT is(detail, '1 rows with updated_at before 2029-11-12 00:00:00+00', 'and then it is') FROM codeverify.maintain('analysis.jobs');
SELECT is_empty($$SELECT * FROM codeverify.clean_up('pg_catalog.pg_class')$$, 'a target that is none is let be');

SELECT * FROM finish();
ROLLBACK;
