-- Log lines that come in batches: what is good lands, what is not is kept with the reason. And what a collector may do.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CREATE FUNCTION tap.nested(levels int)
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT (repeat('[', levels) || repeat(']', levels))::jsonb
$function$;
GRANT EXECUTE ON FUNCTION tap.nested(int) TO PUBLIC;

-- All that a line can say.
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT is(
    observability.ingest_logs(jsonb_build_array(
        jsonb_build_object(
            'service_id', tap.id('service of a'), 'environment_id', tap.id('environment of a'),
            'ts', '2026-01-31T23:59:59.123456+01:00', 'level', 'error', 'message', E'first "line" \u00fc', 'meta', '{"a": [1, null]}'::jsonb),
        jsonb_build_object('message', 'second'),
        jsonb_build_object(
            'message', '', 'service_id', NULL, 'environment_id', NULL, 'ts', NULL, 'level', NULL, 'meta', NULL, 'what', 'else'))),
    3::bigint, 'a batch of good lines lands');
SELECT is(observability.ingest_logs('[]'), 0::bigint, 'an empty one is none');
SELECT is(
    observability.ingest_logs(
        ARRAY[tap.id('service of a'), NULL], ARRAY[NULL, tap.id('environment of a')],
        ARRAY['2026-01-31 12:00+00'::timestamptz, NULL], ARRAY['fatal', NULL], ARRAY['third', 'fourth'],
        ARRAY['{"b": 2}'::jsonb, NULL]),
    2::bigint, 'so do arrays');
SELECT is(
    observability.ingest_logs(NULL, NULL, NULL, NULL, ARRAY['fifth'], NULL), 1::bigint,
    'of which those that say nothing may be left out');
SELECT is(
    observability.ingest_logs('{}'::uuid[], '{}', '{}', '{}', '{}', '{}'), 0::bigint, 'empty arrays are no lines');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT org_id = tap.id('a'), service_id = tap.id('service of a'), environment_id = tap.id('environment of a'),
               ts = '2026-01-31 22:59:59.123456+00', ts = now(), level, message, meta_json
        FROM observability.logs
        WHERE message NOT LIKE '%secret%'
          AND message NOT LIKE 'Secret%'
        ORDER BY id
    $$,
    $$
        VALUES (true, true, true, true,  false, 'error', E'first "line" \u00fc', '{"a": [1, null]}'::jsonb),
               (true, NULL, NULL, false, true,  'info',  'second', '{}'),
               (true, NULL, NULL, false, true,  'info',  '', '{}'),
               (true, true, NULL, false, false, 'fatal', 'third', '{"b": 2}'),
               (true, NULL, true, false, true,  'info',  'fourth', '{}'),
               (true, NULL, NULL, false, true,  'info',  'fifth', '{}')
    $$,
    'the lines are as they were sent, in their order, with defaults where they said nothing');
SELECT is((SELECT count(*) FROM observability.rejected_logs), 2::bigint, 'and none was rejected');
DELETE FROM observability.rejected_logs;

-- Each fault, in a batch with good lines.
CREATE TABLE tap.fault (place int, entry jsonb, reason text);
GRANT SELECT ON tap.fault TO PUBLIC;
INSERT INTO tap.fault
SELECT row_number() OVER (), f.entry, f.reason
FROM (VALUES
    ('{"message": "good"}'::jsonb, NULL),
    ('"a text"', 'not_an_object'),
    ('7', 'not_an_object'),
    ('null', 'not_an_object'),
    ('["message"]', 'not_an_object'),
    (tap.nested(1000), 'not_an_object'),
    ('{}', 'no_message'),
    ('{"message": null}', 'no_message'),
    ('{"message": 7}', 'invalid_message'),
    ('{"message": {"text": "x"}}', 'invalid_message'),
    (jsonb_build_object('message', repeat('x', 1048577)), 'message_too_long'),
    -- Half as many characters of two bytes.
    (jsonb_build_object('message', repeat(U&'\00fc', 524289)), 'message_too_long'),
    (jsonb_build_object('message', repeat('x', 1048576), 'level', 'debug'), NULL),
    ('{"message": "x", "level": "warning"}', 'invalid_level'),
    ('{"message": "x", "level": "ERROR"}', 'invalid_level'),
    ('{"message": "x", "level": ""}', 'invalid_level'),
    ('{"message": "x", "level": 3}', 'invalid_level'),
    ('{"message": "x", "level": {}}', 'invalid_level'),
    ('{"message": "x", "ts": "yesterday"}', 'invalid_ts'),
    ('{"message": "x", "ts": "infinity"}', 'invalid_ts'),
    ('{"message": "x", "ts": "-infinity"}', 'invalid_ts'),
    ('{"message": "x", "ts": "2026-02-30T00:00:00Z"}', 'invalid_ts'),
    ('{"message": "x", "ts": 1769904000}', 'invalid_ts'),
    ('{"message": "x", "ts": ["2026-01-31T00:00:00Z"]}', 'invalid_ts'),
    (jsonb_build_object('message', 'x', 'ts', now() + interval '1 day 1 second'), 'ts_in_future'),
    ('{"message": "x", "ts": "9999-12-31T23:59:60-15:59"}', 'ts_in_future'),
    (jsonb_build_object('message', 'good', 'ts', now() + interval '23 hours'), NULL),
    ('{"message": "good", "ts": "0001-01-01T00:00:00+15:59"}', NULL),
    ('{"message": "x", "service_id": "api"}', 'invalid_service_id'),
    ('{"message": "x", "service_id": 7}', 'invalid_service_id'),
    ('{"message": "x", "service_id": ""}', 'invalid_service_id'),
    (jsonb_build_object('message', 'x', 'service_id', tap.id('no service')), 'unknown_service'),
    (jsonb_build_object('message', 'x', 'service_id', tap.id('service of b')), 'unknown_service'),
    (jsonb_build_object('message', 'x', 'service_id', tap.id('environment of a')), 'unknown_service'),
    ('{"message": "x", "environment_id": "{}"}', 'invalid_environment_id'),
    (jsonb_build_object('message', 'x', 'environment_id', tap.id('environment of b')), 'unknown_environment'),
    (jsonb_build_object('message', 'good', 'service_id', upper(tap.id('service of a')::text)), NULL),
    ('{"message": "x", "meta": []}', 'invalid_meta'),
    ('{"message": "x", "meta": "{}"}', 'invalid_meta'),
    ('{"message": "x", "meta": 1}', 'invalid_meta'),
    ('{"message": "good", "meta": {}}', NULL)
) AS f (entry, reason);

CALL tap.act('developer', 'a', 'tap_ingest');
SELECT is(
    observability.ingest_logs((SELECT jsonb_agg(f.entry ORDER BY f.place) FROM tap.fault AS f)),
    (SELECT count(*) FROM tap.fault AS f WHERE f.reason IS NULL),
    'the good lines of a batch with every fault land');
RESET SESSION AUTHORIZATION;
SELECT bag_eq(
    'SELECT org_id, received_at, reason, entry FROM observability.rejected_logs',
    $$SELECT tap.id('a'), now(), f.reason, left(f.entry::text, 10000) FROM tap.fault AS f WHERE f.reason IS NOT NULL$$,
    'each of the others is kept with its reason');
DELETE FROM observability.rejected_logs;

CALL tap.act('developer', 'a', 'tap_ingest');
SELECT is(
    observability.ingest_logs(
        ARRAY[NULL, NULL, NULL, NULL, NULL, NULL, NULL, tap.id('service of b'), NULL, NULL]::uuid[],
        ARRAY[NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, tap.id('environment of b'), NULL]::uuid[],
        ARRAY[NULL, NULL, 'infinity', '-infinity', now() + interval '2 days', NULL, NULL, NULL, NULL, NULL]::timestamptz[],
        ARRAY['info', 'bad', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL],
        ARRAY[NULL, 'x', 'x', 'x', 'x', repeat('x', 1048577), 'x', 'x', 'x', 'good'],
        ARRAY[NULL, NULL, NULL, NULL, NULL, NULL, 'null', NULL, NULL, NULL]::jsonb[]),
    1::bigint, 'arrays may have faults too');
RESET SESSION AUTHORIZATION;
SELECT bag_eq(
    'SELECT reason FROM observability.rejected_logs',
    ARRAY[
        'no_message', 'invalid_level', 'invalid_ts', 'invalid_ts', 'ts_in_future', 'message_too_long', 'invalid_meta',
        'unknown_service', 'unknown_environment'],
    'each is kept with its reason');
SELECT is(
    (SELECT r.entry::jsonb FROM observability.rejected_logs AS r WHERE r.reason = 'invalid_level'),
    '{"service_id": null, "environment_id": null, "ts": null, "level": "bad", "message": "x", "meta": null}',
    'as JSON');
SELECT is(
    (SELECT max(length(r.entry)) FROM observability.rejected_logs AS r), 10000, 'of which long ones are cut');

-- Whole batches that are refused.
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT throws_ok(
    format('SELECT observability.ingest_logs(%L::jsonb)', f.entries), 'VC100',
    'log lines must come in a JSON array, not in ' || f.kind, f.kind || ' is no batch')
FROM (VALUES ('{"message": "x"}', 'object'), ('"x"', 'string'), ('null', 'null'), ('1', 'number'), (NULL, 'NULL'))
    AS f (entries, kind);
SELECT throws_ok(
    $$SELECT observability.ingest_logs('[{"message": "a\u0000b"}]'::jsonb)$$, '22P05', NULL,
    'a NUL character is none that jsonb has, and the server says so before');
SELECT is(
    observability.ingest_logs(
        '[{"message": "as text"}, {"message": "a\u0000b"}, {"message": "as text"}, {"message": "x", "meta": {"k": "\ud800"}},'
        ' {"message": "x", "meta": [1e200000]}, {"message": "as text", "level": "loud"}]'),
    2::bigint, 'of JSON text the lines land that jsonb can hold');
SELECT is(observability.ingest_logs('[{"message": "\u0000"}]'::text), 0::bigint, 'or none');
SELECT is(observability.ingest_logs('[{"message": "as text", "meta": {"a": "b"}}]'::text), 1::bigint, 'or all');
SELECT throws_ok(
    format('SELECT observability.ingest_logs(%L::text)', f.entries), f.code, NULL, f.entries || ' is no batch')
FROM (VALUES ('{"message": "x"}', 'VC100'), ('{"message": "\u0000"}', '22P05'), ('[{"message": ', '22P02'), ('', '22P02'))
    AS f (entries, code);
RESET SESSION AUTHORIZATION;
SELECT bag_eq(
    $$SELECT reason, entry FROM observability.rejected_logs WHERE org_id = tap.id('a') AND (reason = 'invalid_json' OR entry LIKE '%loud%')$$,
    $$
        VALUES ('invalid_json', '{"message": "a\u0000b"}'), ('invalid_json', '{"message": "x", "meta": {"k": "\ud800"}}'),
               ('invalid_json', '{"message": "x", "meta": [1e200000]}'), ('invalid_json', '{"message": "\u0000"}'),
               ('invalid_level', '{"level": "loud", "message": "as text"}')
    $$,
    'and each of the others is kept as it came');
SELECT is((SELECT count(*) FROM observability.logs AS l WHERE l.message = 'as text'), 3::bigint, 'those that landed are there');
DELETE FROM observability.rejected_logs AS r WHERE r.reason = 'invalid_json' OR r.entry LIKE '%loud%';
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT throws_ok(
    format('SELECT observability.ingest_logs(%s)', f.arguments), 'VC101', 'the arrays of log lines differ in length', f.what)
FROM (VALUES
    ($$NULL, NULL, NULL, ARRAY['info', 'info'], ARRAY['x'], NULL$$, 'a level too many'),
    ($$NULL, NULL, NULL, ARRAY['info'], ARRAY['x', 'y'], NULL$$, 'a level too few'),
    ($$'{}', NULL, NULL, NULL, ARRAY['x'], NULL$$, 'an empty array beside one that is not'),
    ($$NULL, NULL, ARRAY[now(), now()], NULL, ARRAY['x'], NULL$$, 'a time too many'),
    ($$NULL, ARRAY[NULL, NULL]::uuid[], NULL, NULL, ARRAY['x'], NULL$$, 'an environment too many'),
    ($$NULL, NULL, NULL, NULL, ARRAY['x'], ARRAY['{}', '{}']::jsonb[]$$, 'metadata too many'),
    ($$NULL, NULL, NULL, ARRAY['info'], NULL, NULL$$, 'no messages')) AS f (arguments, what);

-- Times are read as the server reads them.
RESET SESSION AUTHORIZATION;
SET LOCAL timezone = 'America/New_York';
SELECT is_empty(
    $$
        SELECT t.value
        FROM (VALUES
            ('2026-01-31T23:59:59Z'), ('2024-02-29 12:00:00.000001+00'), ('1999-12-31t23:59:60z'),
            ('2026-07-01T00:00:00.9999995+05:30'), ('0001-01-01T00:00:00Z'), ('1900-03-01T00:00:00-12'),
            ('2000-02-29T23:59:59.5-0330'), ('9999-12-31T23:59:59.999999+14:00')) AS t (value)
        WHERE observability.read_log_time(t.value) IS DISTINCT FROM t.value::timestamptz
    $$,
    'a time is what the server takes it for');
SELECT is(
    observability.read_log_time('2026-07-01T00:00:00'), '2026-07-01 00:00:00+00', 'without an offset it is UTC, wherever the client is');
RESET timezone;

-- Who may.
CALL tap.act('viewer', 'a', 'tap_ingest');
SELECT throws_ok($$SELECT observability.ingest_logs('[]')$$, 'VC014', NULL, 'a viewer writes no lines');
SELECT throws_ok(
    $$SELECT observability.ingest_logs(NULL, NULL, NULL, NULL, ARRAY['x'], NULL)$$, 'VC014', NULL, 'nor in arrays');
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok($$SELECT observability.ingest_logs('[]')$$, 'VC011', NULL, 'nobody does without a context');
CALL tap.act('member', 'b');
SELECT is(observability.ingest_logs('[{"message": "of b"}]'), 1::bigint, 'a tenant does');
CALL tap.act('owner', 'b', 'tap_service');
SELECT is(observability.ingest_logs('[{"message": "of b"}, 1]'), 1::bigint, 'so does the service');
CALL tap.act('owner', 'b', 'tap_auditor');
SELECT throws_ok($$SELECT observability.ingest_logs('[]')$$, '42501', NULL, 'an auditor does not');

-- Who sees what was rejected.
CALL tap.act('admin', 'a');
SELECT is((SELECT count(*) FROM observability.rejected_logs), 9::bigint, 'managers see what their organization sent');
SELECT throws_ok('DELETE FROM observability.rejected_logs', '42501', NULL, 'and change nothing of it');
CALL tap.act('admin', 'b');
SELECT results_eq('SELECT entry FROM observability.rejected_logs', ARRAY['1'], 'and no other');
CALL tap.act('developer', 'a');
SELECT is_empty('SELECT FROM observability.rejected_logs', 'others see none');

-- A plain INSERT takes or refuses the statement.
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT lives_ok($$INSERT INTO observability.logs (level, message) VALUES ('warn', 'plain')$$, 'a plain INSERT works');
SELECT throws_ok(
    $$INSERT INTO observability.logs (level, message) VALUES ('warn', 'x'), ('warning', 'x')$$, '23514', NULL,
    'and raises when a line is bad');

-- COPY, by way of a view.
RESET SESSION AUTHORIZATION;
DELETE FROM observability.rejected_logs;
CALL tap.act('developer', 'a', 'tap_ingest');
COPY observability.log_intake (level, message, meta_json, ts, service_id) FROM stdin;
warn	copied	{"a": 1}	2026-01-31 12:00:00+00	\N
\N	copied	\N	\N	\N
\.
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT org_id = tap.id('a'), service_id, ts = '2026-01-31 12:00+00', ts = now(), level, meta_json
        FROM observability.logs
        WHERE message = 'copied'
        ORDER BY id
    $$,
    $$
        VALUES (true, NULL::uuid, true,  false, 'warn', '{"a": 1}'::jsonb),
               (true, NULL,       false, true,  'info', '{}')
    $$,
    'lines that are copied in land, with defaults for NULL');
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT lives_ok(
    $$
        INSERT INTO observability.log_intake (service_id, ts, level, message, meta_json)
        VALUES (NULL, NULL, 'info', 'taken in', NULL),
               (tap.id('service of b'), NULL, NULL, 'x', NULL),
               (NULL, NULL, 'warning', 'x', NULL),
               (NULL, now() + interval '2 days', NULL, 'x', NULL),
               (NULL, NULL, NULL, 'x', '[]'),
               (NULL, NULL, NULL, NULL, NULL),
               (NULL, NULL, NULL, 'taken in', NULL)
    $$,
    'a bad line among good ones is no error there');
INSERT INTO observability.log_intake (message, meta_json)
SELECT 'many', jsonb_build_object('n', n) FROM generate_series(1, 2345) AS n;
SELECT throws_ok(
    $$INSERT INTO observability.log_intake (message) SELECT 'lost ' || 1 / (1500 - n) FROM generate_series(1, 2000) AS n$$,
    '22012', NULL, 'a statement that fails takes its lines along');
INSERT INTO observability.log_intake (message) VALUES ('after it');
-- A statement within another has its own lines.
CREATE FUNCTION pg_temp.take_in(what text)
RETURNS text
LANGUAGE plpgsql
AS $function$
BEGIN
    INSERT INTO observability.log_intake (message) SELECT what || ' ' || 1 / n FROM generate_series(-1, 1, 2) AS n;
    BEGIN
        INSERT INTO observability.log_intake (message) SELECT what || ' ' || 1 / n FROM generate_series(-1, 1) AS n;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
    RETURN 'outer';
END
$function$;
INSERT INTO observability.log_intake (message) SELECT pg_temp.take_in('inner') FROM generate_series(1, 3);
RESET SESSION AUTHORIZATION;
SELECT bag_eq(
    'SELECT reason FROM observability.rejected_logs',
    ARRAY['unknown_service', 'invalid_level', 'ts_in_future', 'invalid_meta', 'no_message'],
    'it is kept with its reason');
SELECT results_eq(
    $$
        SELECT message, count(*)
        FROM observability.logs
        WHERE message ~ '^(taken in|many|lost|after it|inner|outer)'
        GROUP BY message
        ORDER BY message
    $$,
    $$VALUES ('after it', 1::bigint), ('inner -1', 3), ('inner 1', 3), ('many', 2345), ('outer', 3), ('taken in', 2)$$,
    'every good line is there once');
SELECT is(
    (SELECT sum((l.meta_json ->> 'n')::int) FROM observability.logs AS l WHERE l.message = 'many'), 2345 * 2346 / 2::bigint,
    'with what it says');
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT throws_ok('SELECT FROM observability.log_intake', '42501', NULL, 'nothing is read from it');
CALL tap.act('viewer', 'a', 'tap_ingest');
SELECT throws_ok(
    $$INSERT INTO observability.log_intake (message) VALUES ('x')$$, 'VC014', NULL, 'a viewer copies nothing in');
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$INSERT INTO observability.log_intake (message) VALUES ('x')$$, '42501', NULL, 'a tenant is no collector');
CALL tap.act('developer', 'a', 'tap_ingest');

-- A collector does that and nothing else. What is listed is about its own context and secrets, and the same for anybody.
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT c.oid::regclass, p.privilege
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) AS p (privilege)
        WHERE n.nspowner = 'codeverify_owner'::regrole
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND (has_table_privilege('tap_ingest', c.oid, p.privilege)
               OR p.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
               AND has_any_column_privilege('tap_ingest', c.oid, p.privilege))
          AND (c.oid::regclass::text, p.privilege) NOT IN (
              ('observability.logs', 'INSERT'), ('observability.log_intake', 'INSERT'), ('telemetry.code_events', 'INSERT'))
    $$,
    'a collector has no privilege on a table but to add lines and events');
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspowner = 'codeverify_owner'::regrole
          AND c.relkind = 'S'
          AND (has_sequence_privilege('tap_ingest', c.oid, 'SELECT') OR has_sequence_privilege('tap_ingest', c.oid, 'UPDATE'))
    $$,
    'it cannot set or read sequences');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure::text
        FROM pg_proc AS p
        JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspowner = 'codeverify_owner'::regrole
          AND has_function_privilege('tap_ingest', p.oid, 'EXECUTE')
          AND has_schema_privilege('tap_ingest', n.oid, 'USAGE')
          AND p.proname <> ALL (ARRAY[
              'ingest_logs', 'authenticate_api_key', 'check_rate_limit', 'current_org_id', 'current_user_id', 'current_role',
              'current_api_key_id', 'has_permission', 'require_permission', 'list_permissions', 'version',
              'is_cron_expression', 'encode_entry', 'hash_entry'])
    $$,
    'it calls no function that tells it anything of the organization');
CALL tap.act('owner', 'a', 'tap_ingest');
SELECT throws_ok('SELECT observability.search_logs()', '42501', NULL, 'it does not search');
SELECT throws_ok($$SELECT observability.log_volume(now(), now(), '1 day')$$, '42501', NULL, 'nor count');
SELECT throws_ok('SELECT FROM observability.rejected_logs', '42501', NULL, 'nor read what was rejected');
SELECT throws_ok(
    $$SELECT observability.store_logs(tap.id('b'), NULL, NULL, NULL, NULL, ARRAY['x'], NULL, NULL, NULL)$$, '42501', NULL,
    'nor write for another organization');
SELECT throws_ok(
    $$INSERT INTO observability.logs (message) VALUES ('x') RETURNING id$$, '42501', NULL, 'nor get lines back');

SELECT * FROM finish();
ROLLBACK;
