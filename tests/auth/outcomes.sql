-- What came of attempts to get in, as the ledger and auth.audit_logs tell it. That failures are told after a rollback is
-- in tests/operations/outcomes.py: here they are in the transaction that is rolled back.
BEGIN;
SELECT no_plan();
\ir ../two_tenants.sql

CREATE TABLE tap.answers (name text PRIMARY KEY, answer jsonb);
GRANT ALL ON tap.answers TO PUBLIC;
CALL tap.act(login => 'tap_service');
INSERT INTO tap.answers SELECT 'registered', auth.register_user('ada@outcomes.test', 'correct horse');
SELECT is(auth.verify_email(answer ->> 'verification_token') ->> 'status', 'ok', 'there is a user') FROM tap.answers;
INSERT INTO tap.answers
SELECT 'failed', auth.login(
    'ada@outcomes.test', 'a wrong password', ip_address => '192.0.2.1',
    device_info => jsonb_build_object('user_agent', E'agent\n\u00e9' || repeat('x', 900)));
INSERT INTO tap.answers
SELECT 'succeeded', auth.login('ada@outcomes.test', 'correct horse', ip_address => '2001:db8::1', device_info => '{"user_agent": "curl/8"}');

-- Both places tell the same.
RESET SESSION AUTHORIZATION;
CREATE VIEW tap.entries AS
SELECT l.action, l.status, l.details, l.ip_address, l.user_agent, l.created_at, l.org_id, l.resource
FROM auth.audit_logs AS l
JOIN tap.answers AS r ON r.name = 'registered' AND l.user_id = (r.answer ->> 'user_id')::uuid
WHERE l.action LIKE 'login.%';
SELECT results_eq(
    'SELECT action, status, details ->> ''reason'', ip_address, org_id FROM tap.entries ORDER BY created_at',
    $$VALUES ('login.failed',    'failure', 'wrong_password', '192.0.2.1',   NULL::uuid),
             ('login.succeeded', 'success', NULL,             '2001:db8::1', NULL)$$,
    'a failure and a success are told');
SELECT set_eq(
    $$
        SELECT e.action, e.payload, e.ip_address, e.user_agent, e.org_id, e.resource_id::text
        FROM audits.audit_log AS e
        JOIN tap.answers AS r ON r.name = 'registered' AND e.actor_id = (r.answer ->> 'user_id')::uuid
        WHERE e.entity = 'auth' AND e.action LIKE 'login.%'
    $$,
    'SELECT action, details, ip_address, user_agent, org_id, resource FROM tap.entries', 'in the ledger as well');
SELECT is(
    (SELECT resource FROM tap.entries WHERE status = 'success'),
    (SELECT answer ->> 'session_id' FROM tap.answers WHERE name = 'succeeded'), 'the success names the session');
SELECT ok(
    (SELECT user_agent LIKE 'agenté%' AND length(user_agent) = 255 FROM tap.entries WHERE status = 'failure'),
    'what a client says of itself is cut, and has no line breaks');
SELECT is(
    (SELECT count(*) FROM tap.entries WHERE created_at BETWEEN now() AND clock_timestamp()), 2::bigint, 'the rows have the time of the event');
SELECT is_empty('SELECT * FROM audits.verify_chain()', 'the ledger is whole');

-- Without secrets.
SELECT is_empty(
    $$
        SELECT s.secret
        FROM (
            SELECT 'correct horse' AS secret
            UNION ALL
            SELECT 'a wrong password'
            UNION ALL
            SELECT a.answer ->> t.name
            FROM tap.answers AS a
            CROSS JOIN unnest(ARRAY['session_token', 'refresh_token', 'verification_token']) AS t (name)
            WHERE a.answer ? t.name
        ) AS s
        WHERE EXISTS (SELECT FROM audits.audit_log AS e WHERE e.payload::text LIKE '%' || s.secret || '%')
           OR EXISTS (SELECT FROM auth.audit_logs AS l WHERE l.details::text LIKE '%' || s.secret || '%')
    $$, 'no password and no token is told');

-- Tokens that belong to nobody are counted. This session has told of none before.
CALL tap.act(login => 'tap_service');
SELECT results_eq(
    $$
        SELECT DISTINCT auth.verify_email(answer ->> 'verification_token') ->> 'status'
        FROM tap.answers
        CROSS JOIN generate_series(1, 10)
        WHERE name = 'registered'
    $$, ARRAY['used'], 'a token that was used');
RESET SESSION AUTHORIZATION;
DELETE FROM auth.email_verifications;
CALL tap.act(login => 'tap_service');
SELECT results_eq(
    $$
        SELECT DISTINCT auth.verify_email(answer ->> 'verification_token') ->> 'status'
        FROM tap.answers
        CROSS JOIN generate_series(1, 10)
        WHERE name = 'registered'
    $$, ARRAY['invalid'], 'and one that is not known any more');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT action, status, user_id, details - 'at'
        FROM auth.audit_logs
        WHERE details ->> 'reason' = 'unknown' AND created_at >= now()
    $$,
    $$
        VALUES ('user.email_verification_failed', 'failure', NULL::uuid,
                '{"reason": "unknown", "token": "email_verification", "count": 1}'::jsonb)
    $$, 'ten unknown ones are told once; the others with the next, a minute later');

-- Who reads it.
CALL tap.act('owner', 'a');
SELECT is_empty($$SELECT FROM auth.audit_logs WHERE action LIKE 'login.%'$$, 'a tenant sees no log-ins that were in no organization');

SELECT * FROM finish();
ROLLBACK;
