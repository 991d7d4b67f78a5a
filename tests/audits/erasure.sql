-- Personal fields: encrypted in what is stored and hashed, readable to those they belong to, and to nobody once the key
-- is erased.
BEGIN;
SELECT plan(54);
\ir ../two_tenants.sql

CREATE FUNCTION tap.is_intact()
RETURNS boolean
LANGUAGE sql
AS $function$
    SELECT bool_and(a.signature = audits.hash_entry(
        a.org_id, a.lane, a.seq, a.prev_hash, a.id, a.event_id, a.ts, a.entity, a.action, a.actor_id, a.resource_id,
        a.payload, a.ip_address, a.user_agent))
    FROM audits.audit_log AS a
$function$;

-- Marked in the payload.
CALL tap.act('developer', 'a');
SELECT lives_ok(
    format(
        $$SELECT audits.append('order', 'order.placed', '{"n": 1.00, "by": {"$personal": "Ann"},
            "for": [{"$personal": {"name": "Bob", "age": 30.50}, "subject": "%s"}]}')$$,
        tap.id('bob')),
    'an entry has personal fields');
SELECT is(
    (SELECT payload::text FROM audits.audit_log WHERE payload::text ~ '"Ann"|"Bob"|30\.50'), NULL,
    'what is personal is not stored');
SELECT is((SELECT (payload -> 'n')::text FROM audits.audit_log), '1.00', 'all else is, as it was written');
SELECT results_eq(
    $$SELECT payload #>> '{by,subject}', payload #>> '{for,0,subject}' FROM audits.audit_log$$,
    $$VALUES (tap.id('developer of a')::text, tap.id('bob')::text)$$,
    'the subject is the one that is named, or the actor');
SELECT is(
    (SELECT array_agg(k ORDER BY k) FROM audits.audit_log, jsonb_object_keys(payload -> 'by') AS k),
    ARRAY['$encrypted', 'commitment', 'subject'], 'ciphertext, subject and commitment are stored');
SELECT ok((SELECT payload #>> '{by,commitment}' ~ '^[0-9a-f]{64}$' FROM audits.audit_log), 'the commitment is a SHA-256');
SELECT is(
    (SELECT audits.reveal(payload)::text FROM audits.audit_log),
    '{"n": 1.00, "by": "Ann", "for": [{"age": 30.50, "name": "Bob"}]}', 'the organization reads them');
SELECT is((SELECT audits.reveal(payload -> 'by') FROM audits.audit_log), '"Ann"', 'also a part of a payload');
SELECT is(audits.reveal('{"a": [1.00, null]}')::text, '{"a": [1.00, null]}', 'where nothing is encrypted nothing changes');
SELECT is(audits.reveal(NULL), NULL, 'NULL is NULL');
SELECT throws_ok($$SELECT * FROM audits.subject_keys$$, '42501', NULL, 'the keys are not readable');
SELECT throws_ok(format('SELECT audits.erase_subject(%L)', tap.id('bob')), '42501', NULL, 'a tenant erases nobody');
SELECT throws_ok(format('SELECT * FROM audits.find_subject(%L)', tap.id('bob')), '42501', NULL, 'nor looks for anybody');

-- Same value, same subject: nothing shows that.
DO $$ BEGIN PERFORM audits.append('order', 'again', '{"by": {"$personal": "Ann"}}'); END $$;
SELECT is(
    (SELECT count(DISTINCT payload #>> '{by,commitment}') FROM audits.audit_log WHERE payload ? 'by'), 2::bigint,
    'equal values have different commitments');
CREATE TEMPORARY TABLE stolen AS SELECT payload, id FROM audits.audit_log;
GRANT SELECT ON stolen TO PUBLIC;


-- What cannot be encrypted.
SELECT throws_ok(
    format('SELECT audits.append(%L, %L, %L)', 'x', 'y', c.payload), 'VC061', 'a personal field of the entry cannot be stored',
    'refused: ' || c.payload)
FROM (VALUES
    ('{"a": {"$personal": 1, "subject": "x"}}'),
    ('{"a": {"$personal": 1, "subject": null}}'),
    ('{"a": {"$personal": 1, "more": 1}}')
) AS c (payload);
CALL tap.act('developer', 'a', 'tap_service');
SELECT throws_ok(
    $$INSERT INTO audits.audit_log (action, payload, actor_id) VALUES ('x', '{"a": {"$personal": 1}}', NULL)$$, 'VC061', NULL,
    'refused: no subject and no actor');
SELECT lives_ok(
    $$INSERT INTO audits.audit_log (action, payload) VALUES ('x', '{"a": "$personal", "$personality": 1}')$$,
    'what only looks like a mark is none');
SELECT is(
    (SELECT payload::text FROM audits.audit_log WHERE action = 'x'), '{"a": "$personal", "$personality": 1}', 'and stays');

-- How many people: each takes a lock until the transaction ends.
CALL tap.act('developer', 'a');
SAVEPOINT people;
SELECT throws_ok(
    format('SELECT audits.append(''e'', ''many'', %L)', (
        SELECT jsonb_build_object('a', jsonb_agg(jsonb_build_object('$personal', 1, 'subject', gen_random_uuid())))
        FROM generate_series(1, 101))),
    'VC061', NULL, 'refused: more than 100 people in one entry');
SELECT lives_ok(
    $$
        SELECT audits.append('e', 'many', (
            SELECT jsonb_build_object('a', jsonb_agg(jsonb_build_object('$personal', 1, 'subject', md5(format('%s %s', n, i))::uuid)))
            FROM generate_series(1, 99) AS i))
        FROM generate_series(1, 10) AS n
    $$, '990 people in one transaction are not');
SELECT throws_ok(
    $$
        SELECT audits.append('e', 'many', (
            SELECT jsonb_build_object('a', jsonb_agg(jsonb_build_object('$personal', 1, 'subject', md5(format('more %s', i))::uuid)))
            FROM generate_series(1, 11) AS i))
    $$, 'VC061', NULL, 'refused: more than 1,000 of them');
ROLLBACK TO SAVEPOINT people;

-- Another organization.
CALL tap.act('developer', 'b');
SELECT is((SELECT count(*) FROM stolen WHERE audits.reveal(payload) <> payload), 0::bigint, 'another organization reads nothing of it');
SELECT lives_ok(
    $$SELECT audits.append('x', 'copied', payload) FROM stolen$$, 'it may copy what is encrypted');
SELECT is(
    (SELECT count(*) FROM audits.audit_log WHERE audits.reveal(payload) <> payload), 0::bigint, 'which does not open it');
SELECT is(
    audits.reveal(jsonb_build_object(
        '$encrypted', encode(overlay(decode(s.payload #>> '{by,$encrypted}', 'base64') PLACING uuid_send(tap.id('b')) FROM 3), 'base64'),
        'subject', s.payload #>> '{by,subject}', 'commitment', s.payload #>> '{by,commitment}')) ? '$encrypted',
    true, 'nor does a changed organization')
FROM stolen AS s
ORDER BY s.id
LIMIT 1;
CALL tap.act(login => 'tap_auditor');
SELECT is((SELECT audits.reveal(payload -> 'by') FROM stolen ORDER BY id LIMIT 1), '"Ann"', 'an auditor reads all');
SELECT is((SELECT count(*) FROM audits.find_subject(tap.id('bob'))), 2::bigint, 'and finds where a person is named');

-- Fields that are always personal.
CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT audits.mark_personal('user', 'email')$$, '42501', NULL, 'a tenant marks no field');
CALL tap.act(login => 'tap_admin');
SELECT lives_ok($$SELECT audits.mark_personal('user', 'email', 'resource')$$, 'an administrator does');
SELECT throws_ok($$SELECT audits.mark_personal('user', 'phone', 'nobody')$$, '23514', NULL, 'for the actor or the resource');
SELECT results_eq(
    $$SELECT entity, field, subject FROM audits.list_personal_fields()$$, $$VALUES ('user', 'email', 'resource')$$, 'and sees them');
CALL tap.act('developer', 'a');
DO $$ BEGIN PERFORM audits.append('user', 'user.invited', '{"email": "eve@example.org", "n": 1}', resource_id => tap.id('eve')); END $$;
SELECT results_eq(
    $$
        SELECT payload::text LIKE '%eve@%', payload #>> '{email,subject}', audits.reveal(payload)::text
        FROM audits.audit_log
        WHERE action = 'user.invited'
    $$,
    $$VALUES (false, tap.id('eve')::text, '{"n": 1, "email": "eve@example.org"}')$$,
    'their values are encrypted for the person they concern');
SELECT throws_ok($$SELECT audits.append('user', 'user.invited', '{"email": "x"}')$$, 'VC061', NULL, 'who must be named');
DO $$ BEGIN PERFORM audits.append('team', 'team.invited', '{"email": "x"}'); END $$;
SELECT is((SELECT payload FROM audits.audit_log WHERE action = 'team.invited'), '{"email": "x"}', 'other entities keep theirs');
RESET SESSION AUTHORIZATION;
SELECT ok(tap.is_intact(), 'hashes cover what is stored');
SELECT is((SELECT count(*) FROM audits.subject_keys), 3::bigint, 'each person has a key');

-- Erasure.
CALL tap.act(login => 'tap_admin');
SELECT is(
    audits.erase_subject(tap.id('bob')), jsonb_build_object('subject', tap.id('bob'), 'keys', 1), 'a person is erased');
SELECT is(
    audits.erase_subject(tap.id('unknown')), jsonb_build_object('subject', tap.id('unknown'), 'keys', 0),
    'also one who is in no entry');
CALL tap.act('developer', 'a');
SELECT is(
    (SELECT audits.reveal(payload) FROM audits.audit_log WHERE action = 'order.placed'),
    jsonb_build_object('n', 1.00, 'by', 'Ann', 'for', jsonb_build_array(jsonb_build_object('$erased', tap.id('bob')))),
    'their fields cannot be read any more, those of others can');
DO $$ BEGIN PERFORM audits.append('user', 'user.returned', '{"email": "bob@example.org"}', resource_id => tap.id('bob')); END $$;
SELECT is(
    (SELECT payload FROM audits.audit_log WHERE action = 'user.returned'),
    jsonb_build_object('email', jsonb_build_object('$erased', tap.id('bob'))), 'new ones are not stored');
RESET SESSION AUTHORIZATION;
SELECT ok(tap.is_intact(), 'the chain is intact');
SELECT results_eq(
    $$SELECT key, erased_by FROM audits.subject_keys WHERE subject_id = tap.id('bob')$$, $$VALUES (NULL::bytea, 'tap_admin')$$,
    'a tombstone stays');
SELECT is(
    (SELECT count(*) FROM audits.audit_log WHERE org_id IS NULL AND action = 'subject.erased'), 2::bigint, 'the ledger tells of it');


-- One who comes back.
CALL tap.act(login => 'tap_admin');
SELECT results_eq(
    $$SELECT v.org_id, v.verdict, v.detail FROM audits.verify_chain() AS v ORDER BY v.org_id, v.seq$$,
    $$
        SELECT o.id, 'erased', format('the personal fields of %s have been erased', tap.id('bob'))
        FROM unnest(ARRAY[tap.id('a'), tap.id('b')]) AS o (id)
        ORDER BY o.id
    $$,
    'verification tells where fields were erased, and nothing else');
SELECT is(audits.verify(false) ->> 'verdict', 'intact', 'the ledger is intact');
SELECT ok(NOT audits.readmit_subject(tap.id('eve')), 'who is not erased is not readmitted');
SELECT ok(audits.readmit_subject(tap.id('bob')), 'who is, is');
SELECT ok(audits.unmark_personal('user', 'email'), 'a field is unmarked');
SELECT ok(NOT audits.unmark_personal('user', 'email'), 'once');
CALL tap.act('developer', 'a');
DO $$ BEGIN PERFORM audits.append('order', 'order.again', jsonb_build_object('for', jsonb_build_object('$personal', 'Bob', 'subject', tap.id('bob')))); END $$;
SELECT is(
    (SELECT audits.reveal(payload) ->> 'for' FROM audits.audit_log WHERE action = 'order.again'), 'Bob', 'new fields are stored again');
SELECT is(
    (SELECT audits.reveal(payload) #>> '{for,0,$erased}' FROM audits.audit_log WHERE action = 'order.placed'), tap.id('bob')::text,
    'old ones stay erased');
DO $$ BEGIN PERFORM audits.append('user', 'user.plain', '{"email": "x"}', resource_id => tap.id('eve')); END $$;
SELECT is(
    (SELECT payload FROM audits.audit_log WHERE action = 'user.plain'), '{"email": "x"}', 'a field that is not marked any more is stored');

SELECT * FROM finish();
ROLLBACK;
