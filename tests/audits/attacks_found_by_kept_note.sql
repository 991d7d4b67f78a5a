-- What a superuser changes behind the ledger's back, held against a note from before. Whoever can write everything
-- can make everything fit, except a note that is elsewhere.
BEGIN;
SELECT plan(37);
-- No entries but those made here.
SET LOCAL codeverify.capture = off;
SET LOCAL client_min_messages = error;
\ir ../two_tenants.sql

INSERT INTO audits.audit_log (org_id, action, payload, actor_id)
SELECT tap.id(o.name), 'number ' || n, jsonb_build_object('n', n), tap.id('owner of ' || coalesce(o.name, 'a'))
FROM (VALUES ('a'), ('b'), (NULL)) AS o (name)
CROSS JOIN generate_series(1, 100) AS n;
CREATE TABLE tap.note AS SELECT audits.checkpoint() AS note;
INSERT INTO audits.audit_log (org_id, action) VALUES (tap.id('a'), 'later');
SELECT audits.checkpoint()
\g /dev/null
CREATE TABLE tap.victim AS SELECT a.* FROM audits.audit_log AS a WHERE a.org_id = tap.id('b') AND a.seq = 40;

CREATE FUNCTION tap.verdict()
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT audits.verify_against(n.note) FROM tap.note AS n
$function$;
CREATE FUNCTION tap.victim_difference(kind text)
RETURNS jsonb
LANGUAGE sql
AS $function$
    SELECT jsonb_build_object(
        'difference', kind, 'leaf_index', c.first_leaf + v.seq - c.first_seq,
        'org_id', v.org_id, 'lane', v.lane, 'seq', v.seq)
    FROM tap.victim AS v
    JOIN audits.checkpoint_lanes AS c ON c.org_id = v.org_id AND c.first_seq = 1
$function$;

-- Writes the whole tree anew over what the entries are now, as somebody would who wants everything to fit.
CREATE PROCEDURE tap.rebuild()
LANGUAGE plpgsql
AS $procedure$
DECLARE
    entry record;
    last_signature text;
BEGIN
    FOR entry IN SELECT a.* FROM audits.audit_log AS a ORDER BY a.org_id, a.lane, a.seq LOOP
        IF entry.seq = 1 THEN
            last_signature := repeat('0', 64);
        END IF;
        UPDATE audits.audit_log AS a
        SET prev_hash = last_signature,
            signature = audits.hash_entry(
                a.org_id, a.lane, a.seq, last_signature, a.id, a.event_id, a.ts, a.entity, a.action, a.actor_id,
                a.resource_id, a.payload, a.ip_address, a.user_agent)
        WHERE a.id = entry.id AND a.ts = entry.ts
        RETURNING a.signature INTO last_signature;
    END LOOP;
    DELETE FROM audits.checkpoint_lanes;
    DELETE FROM audits.checkpoints;
    DELETE FROM audits.merkle_tiles;
    UPDATE audits.lanes SET checkpointed_seq = 0, checkpointed_signature = NULL, checkpointed_ts = NULL;
    PERFORM audits.checkpoint();
END
$procedure$;

DO $disable$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT t.relid FROM pg_partition_tree('audits.audit_log') AS t
        UNION ALL
        SELECT unnest(ARRAY['audits.lanes', 'audits.checkpoints', 'audits.checkpoint_lanes', 'audits.merkle_tiles']::regclass[])
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', relation);
    END LOOP;
END
$disable$;
SELECT is(tap.verdict() ->> 'status', 'consistent', 'before anything was done the ledger continues the note');
SELECT is((tap.verdict() ->> 'tree_size')::int, 300, 'of which it tells the size');
SELECT ok(NOT tap.verdict() ? 'first_difference', 'and no difference');
SAVEPOINT clean;

-- Each column of an entry.
CREATE FUNCTION tap.change(assignment text)
RETURNS jsonb
LANGUAGE plpgsql
AS $function$
DECLARE
    result jsonb;
BEGIN
    BEGIN
        EXECUTE format('UPDATE audits.audit_log AS a SET %s FROM tap.victim AS v WHERE a.id = v.id AND a.ts = v.ts', assignment);
        result := tap.verdict();
        RAISE SQLSTATE 'TAP00';
    EXCEPTION
        WHEN SQLSTATE 'TAP00' THEN
            RETURN result;
    END;
END
$function$;
SELECT is(
    tap.change(c.assignment) - '{detail,origin,tree_size,current_size,signature}'::text[],
    jsonb_build_object('status', 'inconsistent', 'first_difference', tap.victim_difference(c.kind)),
    'changed: ' || c.assignment)
FROM (VALUES
    ('id = a.id + 100000', 'altered'),
    ('event_id = gen_random_uuid()', 'altered'),
    ('entity = ''x''', 'altered'),
    ('action = ''x''', 'altered'),
    ('actor_id = tap.id(''viewer of b'')', 'altered'),
    ('resource_id = tap.id(''x'')', 'altered'),
    ('payload = ''{"n": 40.0}''', 'altered'),
    ('ip_address = ''192.0.2.1''', 'altered'),
    ('user_agent = ''''', 'altered'),
    ('prev_hash = repeat(''1'', 64)', 'altered'),
    ('ts = a.ts + interval ''1 us''', 'altered'),
    ('ts = a.ts - interval ''1 day''', 'altered'),
    ('lane = (a.lane + 1) % 32', 'missing'),
    ('seq = 4000', 'missing'),
    ('seq = 41', 'missing')) AS c (assignment, kind);
SELECT is(
    tap.change('org_id = tap.id(''a'')') #>> '{first_difference,difference}', 'repeated',
    'changed: the organization, in which another entry is at that place');
-- The signature is not what is hashed: the content is.
SELECT is(tap.change('signature = repeat(''1'', 64)') ->> 'status', 'consistent', 'a changed signature is for verify_chain() to find');

DELETE FROM audits.audit_log AS a USING tap.victim AS v WHERE a.id = v.id;
SELECT is(tap.verdict() -> 'first_difference', tap.victim_difference('missing'), 'an entry deleted in the middle');
ROLLBACK TO clean;
UPDATE audits.audit_log SET payload = jsonb_build_object('n', 140 - (payload ->> 'n')::int) WHERE org_id = tap.id('b') AND seq IN (40, 100);
SELECT is(tap.verdict() -> 'first_difference', tap.victim_difference('altered'), 'two entries with each other''s content');
ROLLBACK TO clean;
DELETE FROM audits.audit_log WHERE org_id = tap.id('b');
SELECT is(tap.verdict() #>> '{first_difference,difference}', 'missing', 'a whole tenant');
ROLLBACK TO clean;

-- The tree.
UPDATE audits.merkle_tiles SET hashes = set_byte(hashes, 99, get_byte(hashes, 99) # 255) WHERE level = 0 AND tile_index = 2;
SELECT matches(tap.verdict() ->> 'detail', 'its tiles were changed', 'a tile that was changed');
SELECT is(tap.verdict() #>> '{first_difference,leaf_index}', '131', 'is found at its leaf');
ROLLBACK TO clean;
DELETE FROM audits.merkle_tiles;
SELECT is(tap.verdict() ->> 'status', 'inconsistent', 'a tree that is gone');
ROLLBACK TO clean;
UPDATE audits.merkle_tiles SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 255) WHERE level = 1;
SELECT is(tap.verdict() ->> 'status', 'inconsistent', 'a node above the leaves');
ROLLBACK TO clean;
UPDATE audits.checkpoint_lanes SET lane = (lane + 1) % 32 WHERE org_id = tap.id('a') AND first_seq = 1;
SELECT is(tap.verdict() ->> 'status', 'inconsistent', 'leaves that are said to be other entries');
ROLLBACK TO clean;
DELETE FROM audits.checkpoint_lanes WHERE first_leaf = 100;
SELECT is(tap.verdict() -> 'first_difference', '{"leaf_index": 100, "difference": "unknown"}', 'or no entries');
ROLLBACK TO clean;

-- Everything that is here, made to fit.
UPDATE audits.audit_log AS a SET payload = '{"n": 1000}' FROM tap.victim AS v WHERE a.id = v.id;
CALL tap.rebuild();
SELECT is((SELECT audits.verify_against(c.note) ->> 'status' FROM audits.checkpoints AS c), 'consistent', 'a history that was written anew fits itself');
SELECT is(tap.verdict() ->> 'status', 'inconsistent', 'but not the note from outside');
SELECT matches(tap.verdict() ->> 'detail', 'the past was written anew', 'which is what it says');
ROLLBACK TO clean;
DELETE FROM audits.audit_log WHERE seq > 90;
CALL tap.rebuild();
SELECT is(tap.verdict() ->> 'status', 'unknown_size', 'nor a shorter one');
ROLLBACK TO clean;

-- What is no note of ours.
SELECT is(audits.verify_against(n.note) ->> 'status', 'invalid_note', 'no checkpoint: ' || quote_literal(n.note))
FROM (VALUES (''), ('junk'), (E'a\n1\nAAAA\n\n')) AS n (note);
SELECT is(
    audits.verify_against(regexp_replace(n.note, E'\n300\n', E'\n299\n')) ->> 'status', 'inconsistent',
    'a note of another size')
FROM tap.note AS n;

SELECT * FROM finish();
ROLLBACK;
