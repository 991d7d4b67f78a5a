-- What a superuser can do to the ledger behind its back, and that verification tells of it.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL codeverify.capture = off;
\ir ../two_tenants.sql
\ir ../ledger_attacks.sql
SET LOCAL client_min_messages = error;

SELECT is(tap.found(), '{}', 'a ledger that nobody has touched is intact');
SELECT is(audits.verify() ->> 'verdict', 'intact', 'and is said to be');
SELECT is(tap.found(), '{}', 'once more, with what has been verified');

-- From here on nothing stands in the way.
CALL tap.disarm();

-- Each column of one entry.
CREATE FUNCTION tap.after_setting(assignment text)
RETURNS text[]
LANGUAGE sql
AS $function$
    SELECT tap.after(format(
        'UPDATE audits.audit_log SET %s WHERE org_id = tap.id(''a'') AND lane = 0 AND seq = 5', assignment))
$function$;
SELECT is(tap.after_setting(c.assignment), ARRAY['a 0 5 altered'], c.assignment)
FROM (VALUES
    ('id = 1000000'),
    ('event_id = gen_random_uuid()'),
    ($$entity = 'other'$$),
    ('entity = NULL'),
    ($$action = 'thing.undone'$$),
    ($$action = 'thing.done '$$),
    ($$actor_id = tap.id('member of a')$$),
    ('actor_id = NULL'),
    ('resource_id = NULL'),
    ($$payload = payload || '{"n": 6}'$$),
    ($$payload = payload || '{"cost": 1.00}'$$),
    ($$payload = payload - 'n'$$),
    ($$payload = payload || '{"nested": {"of": "a", "list": {}}}'$$),
    ('ip_address = NULL'),
    ($$ip_address = '192.0.2.2'$$),
    ('user_agent = NULL'),
    ($$user_agent = ''$$),
    ($$signature = repeat('a', 64)$$),
    ($$prev_hash = repeat('a', 64)$$),
    ($$ts = ts + interval '1 microsecond'$$),
    ($$ts = ts - interval '1 hour'$$),
    ($$ts = ts + interval '2 months'$$)
) AS c (assignment);
SELECT is(tap.after_setting('lane = 1'), ARRAY['a 0 5 missing', 'a 1 4 missing', 'a 1 5 misplaced'], 'lane = 1');
SELECT is(tap.after_setting('seq = 50'), ARRAY['a 0 5 missing', 'a 0 11 missing', 'a 0 50 altered'], 'seq = 50');
SELECT is(
    tap.after_setting($$org_id = tap.id('b')$$), ARRAY['a 0 5 missing', 'b 0 5 forked', 'b 0 5 misplaced'], 'org_id of another');
SELECT is(tap.after_setting('org_id = NULL, lane = 9'), ARRAY['platform 9 1 missing', 'platform 9 5 misplaced', 'a 0 5 missing'], 'org_id of nobody');
SELECT is(
    tap.after($$ALTER TABLE audits.audit_log DROP CONSTRAINT audit_log_signature_check;
                UPDATE audits.audit_log SET signature = upper(signature) WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5$$),
    ARRAY['a 0 5 altered'], 'a hash in other letters is none');

-- Entries that are gone.
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5$$),
    ARRAY['a 0 5 missing'], 'an entry in the middle is deleted');
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq IN (1, 2, 6, 7)$$),
    ARRAY['a 0 1 missing', 'a 0 6 missing'], 'the first entries and some in the middle');
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq > 7$$),
    ARRAY['a 0 8 truncated'], 'the last entries');
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 1$$), ARRAY['a 1 1 truncated'], 'a lane');
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('b')$$), ARRAY['b 0 1 truncated'], 'a whole tenant');
SELECT is(
    tap.after($$UPDATE audits.lanes SET verified_seq = 0, verified_signature = NULL WHERE org_id = tap.id('b');
                DELETE FROM audits.audit_log WHERE org_id = tap.id('b')$$),
    ARRAY['b 0 1 truncated'], 'a whole tenant, and that it was verified');
SELECT is(
    tap.after('TRUNCATE audits.audit_log'),
    ARRAY['platform 0 1 truncated', 'a 0 1 truncated', 'a 1 1 truncated', 'b 0 1 truncated'], 'everything');
SELECT tableoid::regclass AS newest FROM audits.audit_log LIMIT 1
\gset
SELECT is(
    tap.after('ALTER TABLE audits.audit_log DETACH PARTITION ' || :'newest'),
    ARRAY['platform 0 1 truncated', 'a 0 1 truncated', 'a 1 1 truncated', 'b 0 1 truncated'], 'a partition');
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5;
                UPDATE audits.audit_log SET seq = seq - 1 WHERE org_id = tap.id('a') AND lane = 0 AND seq > 5$$),
    ARRAY['a 0 5 reordered', 'a 0 6 reordered', 'a 0 7 reordered', 'a 0 8 reordered', 'a 0 9 altered', 'a 0 10 truncated'],
    'an entry, with those after it counted anew');

-- Entries hashed anew.
SELECT is(
    tap.after($$UPDATE audits.audit_log SET payload = '{}' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5;
                CALL tap.rechain('a', 5, how_many => 1)$$),
    ARRAY['a 0 5 altered'], 'an entry is altered and hashed anew');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET payload = '{}' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5;
                CALL tap.rechain('a', 5, how_many => 3)$$),
    ARRAY['a 0 7 altered'], 'with some that follow: where they end is told');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET payload = '{}' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5;
                CALL tap.rechain('a', 5)$$),
    ARRAY['a 0 10 head_mismatch'], 'with all that follow: the last is not the one that was verified');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET payload = '{}' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 10;
                CALL tap.rechain('a', 10)$$),
    ARRAY['a 0 10 head_mismatch'], 'the last one');
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq = 1;
                UPDATE audits.audit_log SET seq = seq - 1 WHERE org_id = tap.id('a') AND lane = 0;
                UPDATE audits.audit_log SET prev_hash = repeat('0', 64) WHERE org_id = tap.id('a') AND lane = 0 AND seq = 1;
                CALL tap.rechain('a', 1)$$),
    ARRAY['a 0 10 truncated'], 'the first is deleted and all others are counted and hashed anew');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET prev_hash = repeat('1', 64) WHERE org_id = tap.id('a') AND lane = 0 AND seq = 1;
                CALL tap.rechain('a', 1)$$),
    ARRAY['a 0 1 altered', 'a 0 10 head_mismatch'], 'the first continues something');

-- Time.
SELECT is(
    tap.after($$UPDATE audits.audit_log SET ts = ts - interval '1 hour' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 10;
                CALL tap.rechain('a', 10)$$),
    ARRAY['a 0 10 head_mismatch', 'a 0 10 reordered'], 'the clock goes back for the last entry');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET ts = ts - interval '1 hour' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5;
                CALL tap.rechain('a', 5);
                UPDATE audits.lanes SET verified_seq = 0, verified_signature = NULL WHERE org_id = tap.id('a')$$),
    ARRAY['a 0 5 reordered'], 'for one in the middle, hashed anew with all that follow, and unknown');
SELECT is(
    tap.after($$UPDATE audits.audit_log AS a SET ts = b.ts FROM audits.audit_log AS b
                WHERE a.org_id = tap.id('a') AND a.lane = 0 AND a.seq = 5 AND b.org_id = a.org_id AND b.lane = 0 AND b.seq = 4;
                CALL tap.rechain('a', 5)$$),
    ARRAY['a 0 5 reordered', 'a 0 10 head_mismatch'], 'the clock stands still');

-- Order.
SELECT is(
    tap.after($$UPDATE audits.audit_log SET seq = 9 - seq WHERE org_id = tap.id('a') AND lane = 0 AND seq IN (4, 5)$$),
    ARRAY['a 0 4 reordered', 'a 0 5 reordered'], 'two entries change places');
SELECT is(
    tap.after($$UPDATE audits.audit_log AS a SET seq = b.seq, prev_hash = b.prev_hash, signature = b.signature
                FROM audits.audit_log AS b
                WHERE a.org_id = tap.id('a') AND a.lane = 0 AND a.seq IN (4, 7) AND b.org_id = a.org_id AND b.lane = 0 AND b.seq = 11 - a.seq$$),
    ARRAY['a 0 4 reordered', 'a 0 7 reordered'], 'so do their contents');
SELECT is(
    tap.after($$UPDATE audits.audit_log AS a SET payload = b.payload FROM audits.audit_log AS b
                WHERE a.org_id = tap.id('a') AND a.lane = 0 AND a.seq IN (4, 7) AND b.org_id = a.org_id AND b.lane = 0 AND b.seq = 11 - a.seq$$),
    ARRAY['a 0 4 altered', 'a 0 7 altered'], 'or their payloads');

-- Entries that are too many, or elsewhere.
SELECT is(
    tap.after($$CALL tap.add('a', 0, 5, tap.signature('a', 4))$$), ARRAY['a 0 5 forked'], 'a second entry at a place, with the right hash');
SELECT is(
    tap.after($$CALL tap.add('a', 0, 10, tap.signature('a', 9))$$), ARRAY['a 0 10 forked'], 'at the last place');
SELECT is(
    tap.after($$UPDATE audits.lanes SET verified_seq = 0, verified_signature = NULL WHERE org_id = tap.id('a');
                CALL tap.add('a', 0, 10, tap.signature('a', 9))$$),
    ARRAY['a 0 10 forked'], 'where nothing is known of the last one');
SELECT is(
    tap.after($$CALL tap.add('a', 0, 5, repeat('0', 64), '{"signature": "0000000000000000000000000000000000000000000000000000000000000000"}')$$),
    ARRAY['a 0 5 forked'], 'with any hash');
SELECT is(
    tap.after($$CALL tap.add('a', 0, 11, tap.signature('a', 10), '{"signature": "0000000000000000000000000000000000000000000000000000000000000000"}')$$),
    ARRAY['a 0 11 altered'], 'an entry that the ledger did not make');
SELECT is(
    tap.after($$CALL tap.add('a', 7, 1, repeat('0', 64))$$), '{}', 'one with all hashes right is an entry like any other');
SELECT is(
    tap.after($$CALL tap.add('b', 0, 11, tap.signature('a', 10))$$), ARRAY['b 0 11 misplaced'], 'an entry that continues another tenant''s lane');
SELECT is(
    tap.after($$CALL tap.add('a', 0, 11, tap.signature('a', 4))$$), ARRAY['a 0 11 reordered'], 'one that continues an earlier entry');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET org_id = tap.id(CASE org_id WHEN tap.id('a') THEN 'b' ELSE 'a' END) WHERE org_id IS NOT NULL AND lane = 0 AND seq = 5$$),
    ARRAY['a 0 5 misplaced', 'b 0 5 misplaced'], 'tenants change entries');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET org_id = NULL WHERE org_id = tap.id('a') AND lane = 1$$),
    ARRAY['platform 1 1 misplaced', 'platform 1 2 misplaced', 'platform 1 3 misplaced', 'a 1 1 truncated'], 'a lane becomes the platform''s');

-- What is known of lanes.
SELECT is(
    tap.after($$UPDATE audits.lanes SET verified_signature = repeat('a', 64) WHERE org_id = tap.id('a') AND lane = 0$$),
    ARRAY['a 0 10 head_mismatch'], 'what was verified is altered');
SELECT is(
    tap.after($$UPDATE audits.lanes SET verified_seq = 12 WHERE org_id = tap.id('a') AND lane = 0$$),
    ARRAY['a 0 11 truncated'], 'or moved on');

-- A partition that holds what belongs elsewhere, as PostgreSQL would never let in.
CREATE TABLE audits.stray (LIKE audits.audit_log INCLUDING ALL);
ALTER TABLE audits.stray OWNER TO codeverify_owner;
SELECT is(
    tap.after($$
        WITH taken AS (
            DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5 RETURNING *
        )
        INSERT INTO audits.stray SELECT * FROM taken;
        ALTER TABLE audits.stray ADD CONSTRAINT bounds CHECK (ts IS NOT NULL AND ts >= '2001-01-01 00:00+00' AND ts < '2001-02-01 00:00+00') NOT VALID;
        UPDATE pg_constraint SET convalidated = true WHERE conname = 'bounds' AND conrelid = 'audits.stray'::regclass;
        ALTER TABLE audits.audit_log ATTACH PARTITION audits.stray FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-02-01 00:00+00')$$),
    ARRAY['a 0 5 misplaced'], 'an entry in a partition that its time does not belong to');

-- Only what is asked for.
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5$$),
    ARRAY['a 0 5 missing'], 'what was undone left nothing behind');

-- The verified point of a broken lane stays where it was, that of others goes on.
INSERT INTO audits.audit_log (org_id, id, event_id, entity, action, payload, signature, prev_hash, ts, lane, seq)
SELECT n.org_id, n.id, n.event_id, 'thing', 'thing.done', '{}',
       audits.hash_entry(n.org_id, 0, 11, n.prev_hash, n.id, n.event_id, n.ts, 'thing', 'thing.done', NULL, NULL, '{}', NULL, NULL),
       n.prev_hash, n.ts, 0, 11
FROM (SELECT a.org_id, nextval('audits.audit_log_id_seq') AS id, gen_random_uuid() AS event_id, a.signature AS prev_hash, clock_timestamp() AS ts
      FROM audits.audit_log AS a
      WHERE a.lane = 0 AND a.seq = 10) AS n;
UPDATE audits.audit_log SET payload = '{"n": 1}' WHERE org_id = tap.id('b') AND lane = 0 AND seq = 11;
SELECT is(
    (audits.verify() #- '{first,id}'::text[]) - 'seconds'::text,
    jsonb_build_object(
        'verdict', 'broken', 'incremental', true, 'entries', 3, 'lanes', 4, 'tree_size', 0, 'findings', '{"altered": 1}'::jsonb,
        'first', jsonb_build_object(
            'org_id', tap.id('b'), 'lane', 0, 'seq', 11, 'verdict', 'altered', 'detail', 'its signature is not the hash of its content')),
    'what has come since is verified');
SELECT results_eq(
    'SELECT tap.name(l.org_id), l.lane, l.verified_seq FROM audits.lanes AS l WHERE l.verified_seq > 0 ORDER BY l.org_id NULLS FIRST, l.lane',
    $$VALUES ('platform', 0, 11::bigint), ('a', 0, 11::bigint), ('a', 1, 3::bigint), ('b', 0, 10::bigint)$$,
    'a broken lane is not said to be verified any further');
SELECT is(audits.verify() ->> 'verdict', 'broken', 'it stays broken');
SELECT is(audits.verify(false) ->> 'verdict', 'broken', 'whichever way');
SELECT is((SELECT array_agg(v.verdict ORDER BY v.verdict) FROM audits.verifications AS v), ARRAY['broken', 'broken', 'broken', 'intact'], 'all of which is kept');
SELECT is(
    (SELECT v.first_finding ->> 'verdict' FROM audits.verifications AS v WHERE v.verdict = 'broken' LIMIT 1), 'altered', 'with what was found');

SELECT * FROM finish();
ROLLBACK;
