-- audits.track(): what statements do to a table is in the ledger, whoever runs them.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../capture.sql

-- The shape of entries.
CALL tap.act('developer', 'a');
INSERT INTO tap.ticket
VALUES (tap.id('one'), tap.id('a'), 'first', 1, now()), (tap.id('two'), tap.id('a'), NULL, NULL, NULL);
SELECT results_eq(
    'SELECT * FROM tap.entries()',
    $$
        VALUES (
            1::bigint, tap.id('a'), 'row.inserted', tap.id('developer of a'), NULL::uuid,
            jsonb_build_object('count', 2, 'rows', jsonb_build_array(
                jsonb_build_object(
                    'key', jsonb_build_object('id', tap.id('one')),
                    'new', jsonb_build_object('id', tap.id('one'), 'org_id', tap.id('a'), 'title', 'first', 'votes', 1)),
                jsonb_build_object(
                    'key', jsonb_build_object('id', tap.id('two')),
                    'new', jsonb_build_object('id', tap.id('two'), 'org_id', tap.id('a'), 'title', NULL, 'votes', NULL)))))
    $$,
    'an insert is one entry with its rows in order, in the organization and by the user in context');
UPDATE tap.ticket SET title = 'renamed', votes = votes WHERE id = tap.id('one');
SELECT results_eq(
    'SELECT action, resource_id, payload FROM tap.entries() WHERE place = 2',
    $$
        VALUES ('row.updated', tap.id('one'), jsonb_build_object('count', 1, 'rows', jsonb_build_array(jsonb_build_object(
            'key', jsonb_build_object('id', tap.id('one')),
            'old', '{"title": "first"}'::jsonb,
            'new', '{"title": "renamed"}'::jsonb))))
    $$,
    'an update tells the columns that changed, and an entry on one row names it');
UPDATE tap.ticket SET title = title, updated_at = now() + interval '1 hour';
UPDATE tap.ticket SET title = 'x' WHERE false;
DELETE FROM tap.ticket WHERE false;
INSERT INTO tap.ticket SELECT t.* FROM tap.ticket AS t WHERE false;
SELECT is((SELECT count(*) FROM tap.entries()), 2::bigint, 'what changes nothing leaves no entry');
UPDATE tap.ticket SET title = CASE id WHEN tap.id('one') THEN 'again' ELSE title END;
SELECT is(tap.last_entry()->'count', '1', 'rows that stay as they are are not told of');
UPDATE tap.ticket SET id = tap.id('three') WHERE id = tap.id('one');
SELECT is(
    tap.last_entry()->'rows'->0,
    jsonb_build_object(
        'key', jsonb_build_object('id', tap.id('one')),
        'old', jsonb_build_object('id', tap.id('one')),
        'new', jsonb_build_object('id', tap.id('three'))),
    'a row whose key changes is named by the one that it had');
DELETE FROM tap.ticket WHERE id = tap.id('two');
SELECT results_eq(
    'SELECT action, resource_id, payload FROM tap.entries() ORDER BY place DESC LIMIT 1',
    $$
        VALUES ('row.deleted', tap.id('two'), jsonb_build_object('count', 1, 'rows', jsonb_build_array(jsonb_build_object(
            'key', jsonb_build_object('id', tap.id('two')),
            'old', jsonb_build_object('id', tap.id('two'), 'org_id', tap.id('a'), 'title', NULL, 'votes', NULL)))))
    $$,
    'a deletion tells the row that is gone');
TRUNCATE tap.ticket;
SELECT results_eq(
    'SELECT org_id, action, payload FROM tap.entries() ORDER BY place DESC LIMIT 1',
    $$VALUES (tap.id('a'), 'table.truncated', '{}'::jsonb)$$, 'TRUNCATE is told of');
SELECT is_empty(
    $$SELECT FROM tap.entries() WHERE payload::text::jsonb <> payload OR pg_column_size(payload::text::jsonb || '{}') <> pg_column_size(payload || '{}')$$,
    'payloads are as jsonb itself would store them');
SELECT is_empty('SELECT * FROM audits.verify_chain()', 'and the chain verifies');

-- Organizations.
RESET SESSION AUTHORIZATION;
SAVEPOINT organizations;
INSERT INTO tap.ticket
VALUES (tap.id('1'), tap.id('b'), 'b 1', 1), (tap.id('2'), tap.id('a'), 'a 1', 1), (tap.id('3'), tap.id('b'), 'b 2', 1), (tap.id('4'), NULL, 'none', 1);
SELECT results_eq(
    $$SELECT org_id, (payload->'count')::int, payload->'rows'->0->'new'->>'title' FROM tap.entries() ORDER BY place DESC LIMIT 3$$,
    $$VALUES (NULL::uuid, 1, 'none'), (tap.id('a'), 1, 'a 1'), (tap.id('b'), 2, 'b 1')$$,
    'each organization has an entry with its own rows; rows of nobody go to the platform''s ledger');
UPDATE tap.ticket SET org_id = tap.id('a'), title = 'moved' WHERE id = tap.id('1');
SELECT results_eq(
    $$SELECT org_id, payload->'rows'->0->'old', payload->'rows'->0->'new' FROM tap.entries() ORDER BY place DESC LIMIT 2$$,
    $$
        VALUES (tap.id('a'), jsonb_build_object('org_id', tap.id('b')), jsonb_build_object('org_id', tap.id('a'), 'title', 'moved')),
               (tap.id('b'), jsonb_build_object('org_id', tap.id('b'), 'title', 'b 1'), jsonb_build_object('org_id', tap.id('a')))
    $$,
    'a row that changes hands is told to both, each what was its own');
CALL tap.act('owner', 'a');
CREATE FUNCTION pg_temp.nothing() RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET SESSION AUTHORIZATION;
ROLLBACK TO SAVEPOINT organizations;

-- Tables of all shapes.
CALL tap.act();
RESET SESSION AUTHORIZATION;
CREATE TABLE tap.heap (a int, b text);
SELECT audits.track('tap.heap') \g /dev/null
INSERT INTO tap.heap VALUES (1, 'x');
UPDATE tap.heap SET b = 'y';
DELETE FROM tap.heap;
SELECT results_eq(
    $$SELECT org_id, action, payload->'rows' FROM tap.entries('tap.heap')$$,
    $$
        VALUES (NULL::uuid, 'row.inserted', '[{"new": {"a": 1, "b": "x"}}]'::jsonb),
               (NULL, 'row.updated', '[{"key": {"a": 1, "b": "x"}, "new": {"b": "y"}, "old": {"b": "x"}}]'),
               (NULL, 'row.deleted', '[{"old": {"a": 1, "b": "y"}}]')
    $$,
    'without a key the whole row names itself');
SELECT audits.track('tap.heap', key_columns => '{a}') \g /dev/null
INSERT INTO tap.heap VALUES (2, 'x');
SELECT is(tap.last_entry('tap.heap')->'rows'->0->'key', '{"a": 2}', 'a key can be named');

CREATE TABLE tap.odd (
    gone int,
    "Id ""x""" int,
    part text,
    twice int GENERATED ALWAYS AS ("Id ""x""" * 2) STORED,
    "$personal" text,
    PRIMARY KEY (part, "Id ""x""") DEFERRABLE);
ALTER TABLE tap.odd DROP COLUMN gone;
SELECT audits.track('tap.odd') \g /dev/null
INSERT INTO tap.odd VALUES (3, 'p', DEFAULT, 'q');
UPDATE tap.odd SET "Id ""x""" = 4;
SELECT is(
    (SELECT array_agg(payload->'rows'->0 ORDER BY place) FROM tap.entries('tap.odd')),
    ARRAY[
        '{"key": {"part": "p", "Id \"x\"": 3}, "new": {"part": "p", "twice": 6, "Id \"x\"": 3, "\"$personal\"": "q"}}',
        '{"key": {"part": "p", "Id \"x\"": 3}, "old": {"twice": 6, "Id \"x\"": 3}, "new": {"twice": 8, "Id \"x\"": 4}}'
    ]::jsonb[],
    'dropped columns, generated ones, odd names, a key of several columns that is checked at commit');
ALTER TABLE tap.odd ADD COLUMN late numeric DEFAULT 1.50, DROP COLUMN "$personal";
UPDATE tap.odd SET late = 2.5;
SELECT is(
    tap.last_entry('tap.odd')->'rows'->0,
    '{"key": {"part": "p", "Id \"x\"": 4}, "old": {"late": 1.50}, "new": {"late": 2.5}}', 'columns may come and go');
ALTER TABLE tap.odd RENAME TO "odd table";
CREATE SCHEMA tap_other;
ALTER TABLE tap."odd table" SET SCHEMA tap_other;
UPDATE tap_other."odd table" SET late = 3;
SELECT is((SELECT count(*) FROM tap.entries('tap_other."odd table"')), 1::bigint, 'a table that was renamed has its new name');
ALTER SCHEMA tap_other RENAME TO tap_third;
UPDATE tap_third."odd table" SET late = 4;
SELECT is((SELECT count(*) FROM tap.entries('tap_third."odd table"')), 1::bigint, 'and so has its schema');

CREATE TABLE tap.wide (id int PRIMARY KEY);
SELECT format('ALTER TABLE tap.wide %s', string_agg(format('ADD COLUMN c%s int DEFAULT %s', n, n), ', '))
FROM generate_series(1, 100) AS n
\gexec
SELECT audits.track('tap.wide') \g /dev/null
INSERT INTO tap.wide (id) VALUES (1);
SELECT is(
    tap.last_entry('tap.wide')->'rows'->0->'new', (SELECT to_jsonb(w) FROM tap.wide AS w), 'a table may have many columns');

-- Values.
CREATE DOMAIN tap.score AS numeric CHECK (VALUE >= 0);
CREATE TYPE tap.mood AS ENUM ('fine', 'bad');
CREATE TYPE tap.pair AS (x int, y text);
CREATE TABLE tap.value (
    id int PRIMARY KEY,
    b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, s tap.score, t text, v varchar(9), c char(4), nm name,
    j json, jb jsonb, u uuid, d date, ts timestamp, tz timestamptz, iv interval, by bytea, a int[], f8a float8[],
    e tap.mood, p tap.pair, r int4range, m money, x xml, o oid, cl regclass, ip inet);
SELECT audits.track('tap.value') \g /dev/null
SET LOCAL DateStyle = 'German, DMY';
SET LOCAL TimeZone = 'Asia/Tokyo';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL bytea_output = 'escape';
SET LOCAL extra_float_digits = -15;
INSERT INTO tap.value VALUES (
    1, true, -32768, 9007199254740993, 0.1, -1.5e-7, 1.50, 2.00, E'Zeile\n"é😀\\', 'v', 'c', 'n',
    '{"z": 1e2, "a": "\u0041"}', '[1, {"k": null}, "s", 1.0]', '00000000-0000-0000-0000-00000000000a', '2026-01-02',
    '2026-01-02 03:04:05.6', '2026-01-02 03:04:05+00', '1 mon 2 days 03:00', '\x00ff', '{1,NULL}', '{0.1}',
    'fine', '(1,"a b")', '[1,3)', 1234.5, '<a/>', 7, 'tap.ticket', '192.0.2.1');
RESET DateStyle; RESET TimeZone; RESET IntervalStyle; RESET bytea_output; RESET extra_float_digits;
SELECT is(
    tap.last_entry('tap.value')->'rows'->0->'new',
    $${
        "id": 1, "b": true, "i2": -32768, "i8": 9007199254740993, "f4": 0.1, "f8": -0.00000015, "n": 1.50, "s": 2.00,
        "t": "Zeile\n\"é😀\\", "v": "v", "c": "c   ", "nm": "n", "j": {"z": 100, "a": "A"}, "jb": [1, {"k": null}, "s", 1.0],
        "u": "00000000-0000-0000-0000-00000000000a", "d": "2026-01-02", "ts": "2026-01-02 03:04:05.6", "tz": "2026-01-02 03:04:05+00",
        "iv": "P1M2DT3H", "by": "\\x00ff", "a": "{1,NULL}", "f8a": "{0.1}", "e": "fine", "p": "(1,\"a b\")", "r": "[1,3)",
        "m": "1234.50", "x": "<a/>", "o": "7", "cl": "tap.ticket", "ip": "192.0.2.1"
    }$$::jsonb || jsonb_build_object('m', tap.last_entry('tap.value')->'rows'->0->'new'->>'m'),
    'booleans, numbers and JSON are that; all else is text, whatever the session''s settings are');
SELECT is(current_setting('bytea_output'), 'hex', 'which are as they were afterwards');
SELECT results_eq(
    $$SELECT payload->'rows'->0->'new'->>'n', payload->'rows'->0->'new'->>'jb' FROM tap.entries('tap.value')$$,
    $$VALUES ('1.50', '[1, {"k": null}, "s", 1.0]')$$, 'numbers keep their digits');
INSERT INTO tap.value (id, f4, f8, n, j, jb)
VALUES (2, 'NaN', '-Infinity', 'NaN', '"\u0000"', '"s"'),
       (3, 'Infinity', '1e300', 'Infinity', '1e100000', '3.10'),
       (4, '-0', '4.9e-324', 1e-100, '{"$personal": 1}', '{"a": [{"$encrypted": "x", "subject": "y"}]}'),
       (5, '3.4028235e38', '1.7976931348623157e308', -1e100, 'null', 'true');
SELECT is(
    (SELECT jsonb_agg(jsonb_strip_nulls(r.row->'new') - 'id')
     FROM jsonb_array_elements(tap.last_entry('tap.value')->'rows') AS r (row)),
    $$[
        {"f4": "NaN", "f8": "-Infinity", "n": "NaN", "j": "\"\\u0000\"", "jb": "s"},
        {"f4": "Infinity", "f8": 1e300, "n": "Infinity", "j": "1e100000", "jb": 3.10},
        {"f4": 0, "f8": 5e-324, "n": 1e-100, "j": "{\"$personal\": 1}", "jb": "{\"a\": [{\"subject\": \"y\", \"$encrypted\": \"x\"}]}"},
        {"f4": 3.4028235e38, "f8": 1.7976931348623157e308, "n": -1e100, "jb": true}
    ]$$::jsonb,
    'what JSON has no number for is text, and so is what jsonb cannot hold or would mean something in a payload');
INSERT INTO tap.value (id, j, jb)
SELECT n, (repeat('[', n) || repeat(']', n))::json, (repeat('{"a": ', n) || '1' || repeat('}', n))::jsonb
FROM unnest(ARRAY[64, 65, 3000]) AS n;
SELECT is(
    (SELECT array_agg(jsonb_typeof(r.row->'new'->'j') || ' ' || jsonb_typeof(r.row->'new'->'jb'))
     FROM jsonb_array_elements(tap.last_entry('tap.value')->'rows') AS r (row)),
    ARRAY['array object', 'string string', 'string string'], 'JSON in more than 64 levels is text');
UPDATE tap.value SET n = 1.500 WHERE id = 1;
SELECT is(
    tap.last_entry('tap.value')->'rows'->0->'new'->>'n', '1.500', 'a number with another zero is a change');
UPDATE tap.value SET jb = jb || '{}', f8 = '0' WHERE id = 4;
UPDATE tap.value SET f8 = '-0' WHERE id = 4;
SELECT is((SELECT count(*) FROM tap.entries('tap.value')), 6::bigint, 'and so is the sign of zero');

-- Large values.
CREATE TABLE tap.big (id int PRIMARY KEY, content text, n int);
ALTER TABLE tap.big ALTER content SET STORAGE EXTERNAL;
SELECT audits.track('tap.big') \g /dev/null
INSERT INTO tap.big VALUES (1, repeat('x', 100000), 1), (2, repeat('y', 2000000), 1);
SELECT is(
    (SELECT array_agg(left(r.row->'new'->>'content', 12) || length(r.row->'new'->>'content'))
     FROM jsonb_array_elements(tap.last_entry('tap.big')->'rows') AS r (row)),
    ARRAY['xxxxxxxxxxxx100000', 'hmac-sha256:76'], 'a value of more than a megabyte is digested');
UPDATE tap.big SET n = 2, content = content;
SELECT is(
    (SELECT jsonb_agg(r.row->'new') FROM jsonb_array_elements(tap.last_entry('tap.big')->'rows') AS r (row)), '[{"n": 2}, {"n": 2}]',
    'a large value that is written again as it is has not changed');
UPDATE tap.big SET content = left(content, 99999) || 'z' WHERE id = 1;
SELECT is(length(tap.last_entry('tap.big')->'rows'->0->'old'->>'content'), 100000, 'one that did is told, old and new');

-- Many rows.
TRUNCATE tap.heap;
INSERT INTO tap.heap SELECT n, 'row ' || n FROM generate_series(1, 2500) AS n;
SELECT results_eq(
    $$
        SELECT (payload->'chunk')::int, (payload->'count')::int, payload->'rows'->0->'new'->>'a', jsonb_array_length(payload->'rows')
        FROM tap.entries('tap.heap') WHERE payload ? 'chunk' ORDER BY place
    $$,
    $$VALUES (1, 1000, '1', 1000), (2, 1000, '1001', 1000), (3, 500, '2001', 500)$$, 'a thousand rows to an entry');
UPDATE tap.heap SET b = repeat('x', 10000) WHERE a <= 60;
SELECT is(
    (SELECT count(*) FROM tap.entries('tap.heap') WHERE action = 'row.updated' AND payload ? 'chunk' AND pg_column_size(payload) < 300000), 3::bigint,
    'fewer where they are large');

-- The setting.
SET LOCAL codeverify.capture = off;
INSERT INTO tap.heap VALUES (0, 'unseen');
SET LOCAL codeverify.capture = on;
SELECT isnt(tap.last_entry('tap.heap')->'rows'->0->'new'->>'b', 'unseen', 'nothing is recorded while codeverify.capture is off');
CALL tap.act('owner', 'a');
SELECT throws_ok('SET codeverify.capture = off', '42501', NULL, 'which a tenant cannot turn off');
CALL tap.act(NULL, NULL, 'tap_admin');
SELECT throws_ok('SET codeverify.capture = off', '42501', NULL, 'nor can an administrator');
RESET SESSION AUTHORIZATION;
SET LOCAL session_replication_role = replica;
INSERT INTO tap.heap VALUES (0, 'replicated');
SET LOCAL session_replication_role = origin;
SELECT isnt(tap.last_entry('tap.heap')->'rows'->0->'new'->>'b', 'replicated', 'nor what a subscription brings: its entries come with it');

SELECT is_empty('SELECT * FROM audits.verify_chain()', 'the chain verifies');
SELECT * FROM finish();
ROLLBACK;
