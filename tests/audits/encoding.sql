-- The canonical encoding against a second one in SQL, written from docs/ledger_format.md alone.
BEGIN;
SELECT plan(26);
\ir ../two_tenants.sql

CREATE FUNCTION tap.byte(value int)
RETURNS bytea
LANGUAGE sql
AS $function$
    SELECT substr(int4send(value), 4)
$function$;

CREATE FUNCTION tap.sized(value bytea)
RETURNS bytea
LANGUAGE sql
AS $function$
    SELECT int4send(length(value)) || value
$function$;

CREATE FUNCTION tap.encode_json(value jsonb)
RETURNS bytea
LANGUAGE plpgsql
AS $function$
DECLARE
    parts bytea;
BEGIN
    CASE jsonb_typeof(value)
        WHEN 'null' THEN
            RETURN '\x00';
        WHEN 'boolean' THEN
            RETURN CASE WHEN value = 'true' THEN '\x02'::bytea ELSE '\x01' END;
        WHEN 'number' THEN
            RETURN '\x03'::bytea || tap.sized(convert_to((value #>> '{}')::numeric::text, 'UTF8'));
        WHEN 'string' THEN
            RETURN '\x04'::bytea || tap.sized(convert_to(value #>> '{}', 'UTF8'));
        WHEN 'array' THEN
            SELECT coalesce(string_agg(tap.encode_json(e.value), '' ORDER BY e.place), '')
            INTO parts
            FROM jsonb_array_elements(value) WITH ORDINALITY AS e (value, place);
            RETURN '\x05'::bytea || int4send(jsonb_array_length(value)) || parts;
        ELSE
            SELECT coalesce(string_agg(
                       tap.sized(convert_to(e.key, 'UTF8')) || tap.encode_json(e.value), '' ORDER BY convert_to(e.key, 'UTF8')
                   ), '')
            INTO parts
            FROM jsonb_each(value) AS e;
            RETURN '\x06'::bytea || int4send((SELECT count(*)::int FROM jsonb_each(value))) || parts;
    END CASE;
END
$function$;

CREATE FUNCTION tap.field(ordinal int, type int, value bytea)
RETURNS bytea
LANGUAGE sql
AS $function$
    SELECT tap.byte(ordinal) || tap.byte(type) || CASE WHEN value IS NULL THEN '\x01' ELSE '\x00'::bytea || tap.sized(value) END
$function$;

CREATE FUNCTION tap.encode_entry(
    org_id uuid, lane int, seq bigint, prev_hash text, id bigint, event_id uuid, ts timestamptz, entity text, action text,
    actor_id uuid, resource_id uuid, payload jsonb, ip_address text, user_agent text
)
RETURNS bytea
LANGUAGE sql
AS $function$
    SELECT convert_to('codeverify.audit.entry', 'UTF8') || '\x01'
        || tap.field(1, 1, uuid_send(org_id))
        || tap.field(2, 2, int8send(lane::bigint))
        || tap.field(3, 2, int8send(seq))
        || tap.field(4, 5, decode(prev_hash, 'hex'))
        || tap.field(5, 2, int8send(id))
        || tap.field(6, 1, uuid_send(event_id))
        || tap.field(7, 3, int8send((extract(epoch FROM ts) * 1000000)::bigint))
        || tap.field(8, 4, convert_to(entity, 'UTF8'))
        || tap.field(9, 4, convert_to(action, 'UTF8'))
        || tap.field(10, 1, uuid_send(actor_id))
        || tap.field(11, 1, uuid_send(resource_id))
        || tap.field(12, 6, tap.encode_json(payload))
        || tap.field(13, 4, convert_to(ip_address, 'UTF8'))
        || tap.field(14, 4, convert_to(user_agent, 'UTF8'))
$function$;

-- The server's encoding of a payload alone: what follows the fields of a minimal entry.
CREATE FUNCTION tap.encoded(payload jsonb)
RETURNS bytea
LANGUAGE sql
AS $function$
    SELECT substr(e.bytes, 173, length(e.bytes) - 172 - 6)
    FROM audits.encode_entry(
             NULL, 0, 1, repeat('0', 64), 1, tap.id('event'), '1970-01-01 00:00+00', NULL, 'a', NULL, NULL, payload, NULL, NULL
         ) AS e (bytes)
$function$;

CREATE TEMP TABLE sample (value jsonb NOT NULL);
INSERT INTO sample
SELECT v.value::jsonb
FROM unnest(ARRAY[
    'null', 'true', 'false', '""', '"a"', '[]', '{}', '[[]]', '[{}]', '{"":{}}', '{"":null}', '[null]', '[[],[]]', '[[[]]]',
    '0', '-0', '-0.0', '0.00', '1', '-1', '1.0', '1.00', '1.10', '9999', '10000', '99999999', '100000000', '1e5', '1.5e3',
    '0.1', '0.0001', '0.00001', '0.000001', '1e-20', '1e300', '-1e300', '1.5e-300', '9007199254740993', '9007199254740992',
    '9223372036854775807', '18446744073709551616', '123456789012345678901234567890.000100', '1e-16383', '1e131071',
    '3.14159265358979323846264338327950288', '0.10000', '10000.0001', '1000000000000.5', '100000000000000000000.00000000001',
    '"\u00fc\u20ac\ud83d\ude00"', '"line\nbreak \"quoted\" \\ \t \u0001"', '"a|b"', '"null"', '"1"'
]) AS v (value);
INSERT INTO sample
VALUES ('{"b": 1, "aa": 2, "\u00fc": 3, "zzz": 4, "Z": 5, "": 6, "a": 7, "\ud83d\ude00": 8, "\uffff": 9}'),
       ('{"e\u0301": 1, "\u00e9": 2, "E": 3, " a": 4, "a ": 5, "A": 6}'),
       ('{"a": {"a": {"a": [1, {"a": [[]]}]}}, "1": "1", "10": 10, "9": 9}'),
       ('{"entity": "x", "payload": {"payload": {}}, "numbers": [1, 1.0, 1.00, 1e2, -0.5]}'),
       ('[0, "a", 1, "ab", 2, "abc", 3, "abcd", 4, [5], "x", {"y": 6.5}]');
-- Beyond the stride at which offsets are stored, and beyond what is stored in place.
INSERT INTO sample
SELECT c.value
FROM generate_series(30, 100) AS n (elements)
CROSS JOIN LATERAL (
    SELECT jsonb_agg(CASE i % 3 WHEN 0 THEN to_jsonb(i) WHEN 1 THEN to_jsonb(repeat('x', i)) ELSE '[1.5, {"k": null}]' END)
    FROM generate_series(1, elements) AS i
    UNION ALL
    SELECT jsonb_object_agg(
               to_hex(i * i) || repeat('-', i % 5),
               CASE i % 3 WHEN 0 THEN to_jsonb(i / 7.0) WHEN 1 THEN to_jsonb(repeat('x', i)) ELSE '{"k": [2]}' END
           )
    FROM generate_series(1, elements) AS i
) AS c (value);
INSERT INTO sample
SELECT jsonb_build_object('long', repeat('0123456789', n), 'array', (SELECT jsonb_agg(md5(i::text)) FROM generate_series(1, n) AS i))
FROM unnest(ARRAY[10, 1000, 5000]) AS n;
-- Numbers of all sizes and scales.
SELECT setseed(0.5)
\g /dev/null
INSERT INTO sample
SELECT jsonb_agg(n.value)
FROM (
    SELECT round((random() - 0.5)::numeric * 10::numeric ^ (i % 60), (i * 7) % 40) AS value, i
    FROM generate_series(1, 2000) AS i
) AS n
GROUP BY n.i / 20;

SELECT is_empty(
    $$SELECT left(value::text, 100) FROM sample WHERE tap.encoded(value) IS DISTINCT FROM tap.encode_json(value)$$,
    'every sample is encoded as its second reading says');
SELECT is_empty(
    $$
        SELECT left(value::text, 100)
        FROM sample
        WHERE tap.encoded(jsonb_build_object('in', value)) IS DISTINCT FROM tap.encode_json(jsonb_build_object('in', value))
    $$,
    'also inside an object');
SELECT is_empty(
    $$
        SELECT min(left(value::text, 100)), max(left(value::text, 100))
        FROM sample
        GROUP BY tap.encoded(value)
        HAVING count(DISTINCT value::text) > 1
    $$,
    'what prints differently is encoded differently');
SELECT is(
    (SELECT count(DISTINCT tap.encoded(v::jsonb)) FROM unnest(ARRAY['1e2', '100', '1.00e2', '100e0']) AS v), 1::bigint,
    'what jsonb takes for the same number is the same');
SELECT isnt(tap.encoded('1.0'), tap.encoded('1.00'), 'a number keeps its scale');
SELECT is(tap.encoded('-0'), tap.encoded('0'), 'there is no negative zero');
SELECT is(tap.encoded('{"a": 1, "a": 2}'), tap.encoded('{"a": 2}'), 'jsonb keeps the last of equal keys');
SELECT is(
    tap.encoded(to_jsonb('NaN'::numeric)), '\x04000000034e614e'::bytea,
    'a number that JSON does not have is a string');

-- As deep as may be.
SELECT is(
    tap.encoded((repeat('[', 1000) || repeat(']', 1000))::jsonb),
    string_agg('\x0500000001'::bytea, '') || '\x0500000000',
    'nesting of 1,000 levels')
FROM generate_series(1, 999);
SELECT throws_ok(
    $$SELECT tap.encoded((repeat('[', 1001) || repeat(']', 1001))::jsonb)$$, '54000',
    'the entry''s payload is nested too deeply', 'and not deeper');
SELECT throws_ok(
    $$SELECT tap.encoded((SELECT jsonb_agg('1e131071'::numeric) FROM generate_series(1, 200)))$$, '54000',
    'the entry is too large to encode', 'a few bytes of jsonb are not millions of digits');

-- Stored in every way that a row may have it.
CREATE TEMP TABLE stored (storage text, value jsonb);
ALTER TABLE stored ALTER COLUMN value SET STORAGE EXTENDED;
INSERT INTO stored SELECT 'extended', value FROM sample;
ALTER TABLE stored ALTER COLUMN value SET STORAGE EXTERNAL;
INSERT INTO stored SELECT 'external', value FROM sample;
ALTER TABLE stored ALTER COLUMN value SET STORAGE MAIN;
INSERT INTO stored SELECT 'main', value FROM sample WHERE pg_column_size(value) < 2000;
SELECT is_empty(
    $$SELECT storage, left(value::text, 100) FROM stored WHERE tap.encoded(value) IS DISTINCT FROM tap.encode_json(value)$$,
    'compressed, out of line and with a short header');

CREATE TEMP TABLE entry AS
SELECT e.org_id::uuid, e.lane, e.seq, e.prev_hash, e.id, tap.id('event') AS event_id, e.ts::timestamptz, e.entity, e.action,
       e.actor_id::uuid, e.resource_id::uuid, e.payload::jsonb, e.ip_address, e.user_agent
FROM (VALUES
    (NULL, 0, 1::bigint, repeat('0', 64), 1::bigint, '2026-11-21 12:00:00.000001+00', NULL, 'a', NULL, NULL, '{}', NULL, NULL),
    (tap.id('a')::text, 31, 9223372036854775807, repeat('f', 64), 9223372036854775807, '2026-11-21 12:00+02', 'a', 'b|c',
     tap.id('b')::text, tap.id('c')::text, '{"a": [1]}', '::1', 'curl/8'),
    (tap.id('a')::text, 31, 2, repeat('0a', 32), 3, '2026-11-21 12:00+02', 'a|b', 'c', tap.id('c')::text, tap.id('b')::text,
     '{"a": [1]}', 'curl/8', '::1'),
    (NULL, 1, 1, repeat('0', 64), 1, '1969-12-31 23:59:59.999999+00', '', 'a', NULL, tap.id('a')::text, '{}', '', ''),
    (tap.id('a')::text, 1, 1, repeat('0', 64), 1, '0001-01-01 00:00:00+00 BC', NULL, 'a', NULL, NULL, '{}', NULL, NULL),
    (NULL, 1, 1, repeat('0', 64), 1, '9999-12-31 23:59:59.999999+00', 'Größe', 'größer 😀', NULL, NULL, '{}', NULL, NULL)
) AS e (org_id, lane, seq, prev_hash, id, ts, entity, action, actor_id, resource_id, payload, ip_address, user_agent);
GRANT SELECT ON entry TO PUBLIC;
SELECT is_empty(
    $$
        SELECT *
        FROM entry
        WHERE audits.encode_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id,
                                  payload, ip_address, user_agent)
            IS DISTINCT FROM
              tap.encode_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id,
                               payload, ip_address, user_agent)
    $$,
    'entries are encoded as their second reading says');
SELECT is_empty(
    $$
        SELECT *
        FROM entry
        WHERE audits.hash_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id,
                                payload, ip_address, user_agent)
            IS DISTINCT FROM
              encode(sha256('\x00' || tap.encode_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action,
                                                       actor_id, resource_id, payload, ip_address, user_agent)), 'hex')
    $$,
    'and hashed as a leaf of RFC 6962');
SET LOCAL timezone = 'Asia/Kathmandu';
SELECT is_empty(
    $$
        SELECT *
        FROM entry
        WHERE audits.encode_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id,
                                  payload, ip_address, user_agent)
            IS DISTINCT FROM
              tap.encode_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id,
                               payload, ip_address, user_agent)
    $$,
    'in any time zone');

-- Every column counts.
CREATE TEMP TABLE hashed (changed text, hash text);
DO $do$
DECLARE
    changes text[] := ARRAY[
        'nothing', 'e.org_id = tap.id(''b'')', 'e.lane = 2', 'e.seq = 3', 'e.prev_hash = repeat(''1'', 64)', 'e.id = 4',
        'e.event_id = tap.id(''other'')', 'e.ts = e.ts + interval ''1 microsecond''', 'e.entity = ''b''', 'e.action = ''c''',
        'e.actor_id = NULL', 'e.resource_id = NULL', 'e.payload = ''{"a": [1.0]}''', 'e.ip_address = ''::2''',
        'e.user_agent = NULL', 'e.ip_address = NULL', 'e.user_agent = '''''
    ];
    change text;
BEGIN
    FOREACH change IN ARRAY changes LOOP
        CREATE TEMP TABLE e AS SELECT * FROM entry WHERE lane = 31 AND seq > 3;
        IF change <> 'nothing' THEN
            EXECUTE 'UPDATE e SET ' || replace(change, 'e.', '');
        END IF;
        INSERT INTO hashed
        SELECT change,
               audits.hash_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id,
                                 payload, ip_address, user_agent)
        FROM e;
        DROP TABLE e;
    END LOOP;
END
$do$;
SELECT is((SELECT count(DISTINCT hash) FROM hashed), 17::bigint, 'a change of any column is another hash');

PREPARE hash_with(text, jsonb, int) AS
SELECT audits.hash_entry(NULL, $3, 1, $1, 1, tap.id('event'), now(), NULL, 'a', NULL, NULL, $2, NULL, NULL);
SELECT throws_ok(
    format('EXECUTE hash_with(%L, %L, 0)', repeat('A', 64), '{}'), '22023', 'prev_hash is not a hash',
    'upper-case digits are no hash');
SELECT throws_ok(
    format('EXECUTE hash_with(%L, %L, 0)', repeat('a', 63), '{}'), '22023', NULL,
    'nor are too few');
SELECT throws_ok(
    $$
        SELECT audits.hash_entry(NULL, 0, 1, repeat('0', 64), 1, tap.id('event'), now(), NULL, 'a', NULL, NULL,
                                 jsonb_build_object('numbers', jsonb_agg(1e131071)), NULL, NULL)
        FROM generate_series(1, 3000)
    $$,
    '54000', 'the entry is too large to encode',
    'a payload whose numbers print as more than a server should hold is refused');
SELECT is(
    audits.hash_entry(NULL, NULL, 1, repeat('0', 64), 1, tap.id('event'), now(), NULL, 'a', NULL, NULL, '{}', NULL, NULL), NULL,
    'no hash without a lane');
SELECT is(
    audits.encode_entry(NULL, 0, 1, repeat('0', 64), 1, tap.id('event'), now(), NULL, 'a', NULL, NULL, NULL, NULL, NULL), NULL,
    'no encoding without a payload');

-- What the ledger itself writes.
CALL tap.act(login => 'tap_admin');
SELECT lives_ok(
    $$
        SELECT audits.append(nullif('e' || i % 3, 'e0'), 'tap.sample', jsonb_build_object('value', v.value),
                             ip_address => nullif('::1', '::' || i % 2), user_agent => 'x')
        FROM generate_series(1, 20) AS i
        CROSS JOIN (VALUES ('1.00'::jsonb), ('{"b": [], "aa": {}}')) AS v (value)
    $$,
    'entries are made');
RESET SESSION AUTHORIZATION;
SELECT is(
    (
        SELECT count(*)
        FROM audits.audit_log
        WHERE action = 'tap.sample'
          AND signature = audits.hash_entry(org_id, lane, seq, prev_hash, id, event_id, ts, entity, action, actor_id, resource_id,
                                            payload, ip_address, user_agent)
    ),
    40::bigint,
    'their signature is the hash of what is stored');

SELECT is(
    (p.provolatile, p.proparallel, p.proisstrict)::text, '(i,s,f)',
    format('%s is immutable, parallel safe and not strict', p.proname)
)
FROM pg_proc AS p
WHERE p.pronamespace = 'audits'::regnamespace
  AND p.proname IN ('encode_entry', 'hash_entry');
CALL tap.act(login => 'tap_ingest');
SELECT is(
    audits.hash_entry(NULL, 0, 1, repeat('0', 64), 1, '00000000-0000-0000-0000-000000000000', '1970-01-01 00:00+00', NULL, 'a',
                      NULL, NULL, '{}', NULL, NULL),
    encode(sha256('\x00' || audits.encode_entry(NULL, 0, 1, repeat('0', 64), 1, '00000000-0000-0000-0000-000000000000',
                                                '1970-01-01 00:00+00', NULL, 'a', NULL, NULL, '{}', NULL, NULL)), 'hex'),
    'every role may hash');
SELECT * FROM finish();
ROLLBACK;
