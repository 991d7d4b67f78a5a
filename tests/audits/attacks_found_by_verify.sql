-- What a superuser can do to the ledger and to all that the database knows of it, with checkpoints made before: in the
-- database verification tells of it, and where nothing in the database can, a checkpoint that somebody kept.
BEGIN;
SELECT * FROM no_plan();
SET LOCAL codeverify.capture = off;
\ir ../two_tenants.sql
SET LOCAL client_min_messages = error;
\ir ../ledger_attacks.sql

SELECT audits.checkpoint() AS kept
\gset
CALL tap.add('a', 0, 11, tap.signature('a', 10));
CALL tap.add('b', 0, 11, tap.signature('b', 10));
CALL tap.add('b', 3, 1, repeat('0', 64));
SELECT audits.checkpoint() AS newer
\gset
CALL tap.add('a', 0, 12, tap.signature('a', 11));
CALL tap.add('a', 0, 13, tap.signature('a', 12));
SELECT is(tap.found(), '{}', 'a ledger with checkpoints that nobody has touched is intact');
SELECT is(audits.verify_against(:'kept') ->> 'status', 'consistent', 'and continues what was kept');
SELECT is(
    audits.verify() - 'seconds',
    '{"verdict": "intact", "incremental": false, "entries": 38, "lanes": 5, "tree_size": 36, "findings": {}, "first": null}'::jsonb,
    'verification says so');
SELECT is(
    audits.verify() - 'seconds',
    '{"verdict": "intact", "incremental": true, "entries": 0, "lanes": 5, "tree_size": 36, "findings": {}, "first": null}'::jsonb,
    'again');
CALL tap.disarm();

-- As if nothing had been verified: what remains is the tree.
UPDATE audits.lanes SET verified_seq = 0, verified_signature = NULL, verified_ts = NULL;
DELETE FROM audits.verifications;
SELECT is(tap.found(), '{}', 'it is no fault that nothing was verified');

CREATE PROCEDURE tap.forget()
LANGUAGE sql
AS $procedure$
    -- Lanes are said to have no more than they have.
    UPDATE audits.lanes AS l
    SET checkpointed_seq = h.seq, checkpointed_signature = h.signature, checkpointed_ts = h.ts
    FROM (SELECT DISTINCT ON (a.org_id, a.lane) a.* FROM audits.audit_log AS a ORDER BY a.org_id, a.lane, a.seq DESC) AS h
    WHERE h.org_id IS NOT DISTINCT FROM l.org_id AND h.lane = l.lane AND l.checkpointed_seq > h.seq;
    UPDATE audits.lanes AS l
    SET checkpointed_signature = a.signature
    FROM audits.audit_log AS a
    WHERE a.org_id IS NOT DISTINCT FROM l.org_id AND a.lane = l.lane AND a.seq = l.checkpointed_seq;
    DELETE FROM audits.lanes AS l
    WHERE NOT EXISTS (SELECT FROM audits.audit_log AS a WHERE a.org_id IS NOT DISTINCT FROM l.org_id AND a.lane = l.lane)
$procedure$;
COMMENT ON PROCEDURE tap.forget() IS 'Edits the heads that audits.lanes knows so that they match the entries.';

-- Entries, with heads that match.
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq > 8; CALL tap.forget()$$),
    ARRAY['a 0 9 truncated', 'a 0 checkpoint_mismatch'], 'the last entries are deleted and the heads edited');
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('b'); CALL tap.forget()$$),
    ARRAY['b 0 1 truncated', 'b 0 checkpoint_mismatch', 'b 3 1 truncated', 'b 3 checkpoint_mismatch'], 'a tenant, with its lanes');
SELECT is(
    tap.after($$DELETE FROM audits.audit_log WHERE org_id = tap.id('b') AND lane = 3; CALL tap.forget()$$),
    ARRAY['b 3 1 truncated', 'b 3 checkpoint_mismatch'], 'one lane');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET payload = '{}' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5;
                CALL tap.rechain('a', 5)$$),
    ARRAY['a 0 5 checkpoint_mismatch', 'a 0 11 head_mismatch'], 'the whole chain is computed anew: the first entry that differs is named');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET payload = '{}' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5;
                CALL tap.rechain('a', 5); CALL tap.forget()$$),
    ARRAY['a 0 5 checkpoint_mismatch'], 'and the heads edited to match');
SELECT is(
    tap.after($$CALL tap.rechain('a', 1); UPDATE audits.audit_log SET ts = ts + interval '1 microsecond' WHERE org_id = tap.id('a') AND lane = 1;
                CALL tap.rechain('a', 1, 1); CALL tap.forget()$$),
    ARRAY['a 1 1 checkpoint_mismatch'], 'a lane is computed anew with other times');
SELECT is(
    tap.after($$UPDATE audits.audit_log SET payload = '{}' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 13;
                CALL tap.rechain('a', 13)$$),
    '{}', 'what no checkpoint and no verification has seen can be rewritten: so make checkpoints often');

-- The tree and the checkpoints.
SELECT is(c.found, ARRAY['platform checkpoint_mismatch'], c.attack)
FROM (
    SELECT v.attack, tap.after(v.attack) AS found
    FROM (VALUES
        ('UPDATE audits.checkpoints SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE tree_size = 33'),
        ($$UPDATE audits.checkpoints SET note = replace(note, 'codeverify/', 'codeverify.') WHERE tree_size = 33$$),
        ($$UPDATE audits.checkpoints SET origin = 'other' WHERE tree_size = 36$$),
        ($$UPDATE audits.checkpoints SET note = '' WHERE tree_size = 36$$),
        ('UPDATE audits.checkpoints SET is_signed = true WHERE tree_size = 36'),
        ('DELETE FROM audits.checkpoints WHERE tree_size = 33')
    ) AS v (attack)
) AS c;
SELECT ok(
    NOT 'checkpoint_mismatch' <> ALL (SELECT split_part(f, ' ', -1) FROM unnest(c.found) AS f) AND cardinality(c.found) > 0, c.attack)
FROM (
    SELECT v.attack, tap.after(v.attack) AS found
    FROM (VALUES
        ('UPDATE audits.merkle_tiles SET hashes = set_byte(hashes, 70, get_byte(hashes, 70) # 1) WHERE level = 0'),
        ('UPDATE audits.merkle_tiles SET hashes = substr(hashes, 33) WHERE level = 0'),
        ('DELETE FROM audits.merkle_tiles'),
        ('INSERT INTO audits.merkle_tiles SELECT 1, 0, substr(hashes, 1, 32) FROM audits.merkle_tiles'),
        ('INSERT INTO audits.merkle_tiles SELECT 0, 1, hashes FROM audits.merkle_tiles'),
        ('DELETE FROM audits.checkpoints WHERE tree_size = 36'),
        ('DELETE FROM audits.checkpoints'),
        ('UPDATE audits.checkpoints SET tree_size = 37 WHERE tree_size = 36'),
        ('DELETE FROM audits.checkpoint_lanes WHERE lane = 1'),
        ('DELETE FROM audits.checkpoint_lanes'),
        ('UPDATE audits.checkpoint_lanes SET lane = 7 WHERE lane = 1'),
        ('UPDATE audits.checkpoint_lanes SET org_id = NULL WHERE lane = 3'),
        ('UPDATE audits.checkpoint_lanes SET first_seq = first_seq + 1, last_seq = last_seq + 1 WHERE lane = 1'),
        ('UPDATE audits.lanes SET checkpointed_seq = checkpointed_seq - 1 WHERE lane = 1'),
        ('UPDATE audits.lanes SET checkpointed_seq = 0 WHERE lane = 1'),
        ('TRUNCATE audits.checkpoints, audits.checkpoint_lanes, audits.merkle_tiles')
    ) AS v (attack)
) AS c;

-- Everything in the database is made to match: only what was kept outside tells.
CREATE FUNCTION tap.against(attack text, note text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    status text;
BEGIN
    EXECUTE attack;
    status := concat_ws(' ', tap.found(), audits.verify_against(note) ->> 'status');
    RAISE EXCEPTION USING ERRCODE = 'TAP00';
EXCEPTION
    WHEN SQLSTATE 'TAP00' THEN
        RETURN status;
END
$function$;
COMMENT ON FUNCTION tap.against(text, text) IS 'What verification finds after an attack, and what a note that was kept says.';

CREATE PROCEDURE tap.make_checkpoints_anew()
LANGUAGE plpgsql
AS $procedure$
BEGIN
    TRUNCATE audits.checkpoints, audits.checkpoint_lanes, audits.merkle_tiles, audits.verifications;
    UPDATE audits.lanes SET checkpointed_seq = 0, checkpointed_signature = NULL, checkpointed_ts = NULL;
    DELETE FROM audits.lanes AS l
    WHERE NOT EXISTS (SELECT FROM audits.audit_log AS a WHERE a.org_id IS NOT DISTINCT FROM l.org_id AND a.lane = l.lane);
    PERFORM audits.checkpoint();
END
$procedure$;
COMMENT ON PROCEDURE tap.make_checkpoints_anew() IS 'Makes the tree of the entries that are there, as if there had never been another.';

SELECT is(tap.against('SELECT', :'kept'), '{} consistent', 'nothing was done');
SELECT is(
    tap.against('CALL tap.make_checkpoints_anew()', :'newer'), '{} inconsistent', 'an order of entries that is not the old one is another tree');
SELECT is(
    tap.against($$UPDATE audits.audit_log SET payload = '{}' WHERE org_id = tap.id('a') AND lane = 0 AND seq = 5;
                  CALL tap.rechain('a', 5); CALL tap.make_checkpoints_anew()$$, :'kept'),
    '{} inconsistent', 'history is written anew with all that proves it: the note tells');
SELECT is(
    tap.against($$DELETE FROM audits.audit_log WHERE org_id = tap.id('b'); CALL tap.make_checkpoints_anew()$$, :'newer'),
    '{} unknown_size', 'a tenant never was: the note tells');
SELECT is(
    tap.against($$DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND lane = 0 AND seq > 8; CALL tap.make_checkpoints_anew()$$, :'newer'),
    '{} unknown_size', 'the last entries never were: the note tells');
SELECT is(
    tap.against('TRUNCATE audits.audit_log, audits.checkpoints, audits.checkpoint_lanes, audits.merkle_tiles, audits.verifications, audits.lanes', :'kept'),
    '{} unknown_size', 'the whole ledger never was: the note tells');

SELECT * FROM finish();
ROLLBACK;
