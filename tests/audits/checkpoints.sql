-- audits.checkpoint(): what goes into the tree, in which order, and what does not.
BEGIN;
SELECT plan(50);
-- No entries but those made here.
SET LOCAL codeverify.capture = off;
\ir ../two_tenants.sql

CREATE FUNCTION tap.append(organization text, entries bigint)
RETURNS void
LANGUAGE sql
AS $function$
    INSERT INTO audits.audit_log (org_id, action, payload)
    SELECT tap.id(organization), 'number ' || n, jsonb_build_object('n', n)
    FROM generate_series(1, entries) AS n
$function$;
CREATE FUNCTION tap.lines(note text) RETURNS text[] LANGUAGE sql AS $$SELECT string_to_array(note, E'\n')$$;
GRANT USAGE ON SCHEMA tap TO PUBLIC;
CREATE PROCEDURE tap.set_guards(verb text)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    guard record;
BEGIN
    FOR guard IN
        SELECT g.tgrelid::regclass AS relation, g.tgname AS name
        FROM pg_trigger AS g
        JOIN pg_class AS c ON c.oid = g.tgrelid
        WHERE c.relnamespace = 'audits'::regnamespace
          AND NOT g.tgisinternal
        ORDER BY c.relkind DESC
    LOOP
        EXECUTE format('ALTER TABLE %s %s TRIGGER %I', guard.relation, verb, guard.name);
    END LOOP;
END
$procedure$;
COMMENT ON PROCEDURE tap.set_guards(text) IS 'Takes away what keeps a superuser from changing the ledger by mistake: CALL tap.set_guards(''DISABLE'').';

-- Nothing yet.
CALL tap.act(login => 'tap_admin');
SELECT is(
    audits.checkpoint(), format(E'codeverify/%s\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n', current_database()),
    'the checkpoint of an empty ledger is that of the empty tree, unsigned without a key');
SELECT is(audits.checkpoint(), (SELECT note FROM audits.checkpoints), 'and the same again');
SELECT results_eq(
    'SELECT tree_size, root, origin, is_signed FROM audits.checkpoints',
    $$VALUES (0::bigint, audits.tree_root(0), ('codeverify/' || current_database()) COLLATE "default", false)$$,
    'it is kept');
SELECT is(audits.consistency_proof(0, 0), '{}', 'the tree has no leaf');
SELECT throws_ok('SELECT audits.inclusion_proof(0, 0)', 'VC056', 'a tree of 0 leaves has no leaf 0', 'so nothing is in it');

-- Entries of two organizations and of the platform.
RESET SESSION AUTHORIZATION;
SELECT tap.append('b', 70);
SELECT tap.append(NULL, 3);
SELECT tap.append('a', 5);
CALL tap.act(login => 'tap_admin');
SELECT is((tap.lines(audits.checkpoint()))[2], '78', 'a checkpoint covers them all');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    'SELECT org_id, first_seq, last_seq, tree_size FROM audits.checkpoint_lanes ORDER BY first_leaf',
    $$
        SELECT v.org_id, 1::bigint, v.entries, 78::bigint
        FROM (VALUES (NULL, 3::bigint), (tap.id('a'), 5), (tap.id('b'), 70)) AS v (org_id, entries)
        ORDER BY v.org_id NULLS FIRST
    $$,
    'the platform''s own ledger first, then organizations by id');
SELECT is_empty(
    $$
        SELECT l.lane
        FROM audits.lanes AS l
        JOIN LATERAL (
            SELECT a.* FROM audits.audit_log AS a
            WHERE a.org_id IS NOT DISTINCT FROM l.org_id AND a.lane = l.lane
            ORDER BY a.seq DESC LIMIT 1) AS a ON true
        WHERE (l.checkpointed_seq, l.checkpointed_signature, l.checkpointed_ts) IS DISTINCT FROM (a.seq, a.signature, a.ts)
    $$,
    'lanes know how far they are in it');
SELECT results_eq(
    $$SELECT level, tile_index, length(hashes) / 32 FROM audits.merkle_tiles ORDER BY level, tile_index$$,
    $$VALUES (0, 0::bigint, 64), (0, 1, 14), (1, 0, 1)$$,
    'tiles hold its leaves and every 64th node above them');
SELECT is(
    (SELECT string_agg(t.hashes, '' ORDER BY t.tile_index) FROM audits.merkle_tiles AS t WHERE t.level = 0),
    (SELECT string_agg(decode(a.signature, 'hex'), '' ORDER BY audits.leaf_index(a.id)) FROM audits.audit_log AS a),
    'leaves are the signatures of entries');

-- It goes on where the last one ended.
CREATE TABLE tap.first_note AS SELECT c.note, c.root FROM audits.checkpoints AS c WHERE c.tree_size = 78;
SELECT tap.append('a', 200);
INSERT INTO audits.audit_log (org_id, action, ts)
VALUES (tap.id('b'), 'in no month that has a partition', clock_timestamp());
CALL tap.act(login => 'tap_admin');
SELECT is((tap.lines(audits.checkpoint()))[2], '279', 'the next checkpoint adds what is new');
SELECT is(audits.checkpoint(), (SELECT note FROM audits.checkpoints WHERE tree_size = 279), 'and nothing twice');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM audits.checkpoint_lanes), 5::bigint, 'one run of entries a lane and checkpoint');
SELECT is(audits.tree_root(78), (SELECT root FROM tap.first_note), 'the tree before is still there');
SELECT ok(
    audits.verify_consistency(78, 279, audits.tree_root(78), audits.tree_root(279), audits.consistency_proof(78, 279)),
    'and is shown to be its beginning');
SELECT is_empty(
    $$
        SELECT a.id
        FROM audits.audit_log AS a
        WHERE audits.verify_inclusion(
            decode(a.signature, 'hex'), audits.leaf_index(a.id), 279,
            audits.inclusion_proof(audits.leaf_index(a.id), 279), audits.tree_root(279)) IS NOT TRUE
    $$,
    'every entry is shown to be in it');
SELECT is((SELECT count(DISTINCT audits.leaf_index(a.id)) FROM audits.audit_log AS a), 279::bigint, 'at a place of its own');
SELECT tap.append('a', 1);
SELECT is(audits.leaf_index((SELECT max(id) FROM audits.audit_log)), NULL, 'an entry that no checkpoint covers has none');

-- What is rolled back was never there.
SAVEPOINT before;
SELECT is((tap.lines(audits.checkpoint()))[2], '280', 'a checkpoint in a savepoint');
ROLLBACK TO before;
SELECT is((SELECT max(tree_size) FROM audits.checkpoints), 279::bigint, 'goes with it');
SELECT is((tap.lines(audits.checkpoint()))[2], '280', 'and is made again');

-- A lane that audits.lanes does not know, as on a subscriber.
SELECT tap.append('b', 2);
SAVEPOINT unknown;
CALL tap.set_guards('DISABLE');
DELETE FROM audits.lanes;
DELETE FROM audits.checkpoint_lanes;
DELETE FROM audits.checkpoints;
DELETE FROM audits.merkle_tiles;
SELECT is((tap.lines(audits.checkpoint()))[2], '282', 'lanes that have no row are found by their entries');
SELECT is((SELECT count(*) FROM audits.lanes WHERE checkpointed_seq > 0), 3::bigint, 'and get one');
ROLLBACK TO unknown;

-- Gaps.
ROLLBACK TO before;
SELECT tap.append('b', 10);
CALL tap.set_guards('DISABLE');
CREATE TEMP TABLE gone AS SELECT a.* FROM audits.audit_log AS a WHERE a.org_id = tap.id('b') AND a.seq = 75;
DELETE FROM audits.audit_log WHERE id IN (SELECT id FROM gone);
SET LOCAL client_min_messages = error;
SELECT is((tap.lines(audits.checkpoint()))[2], '283', 'a lane goes in up to a gap');
SELECT is((SELECT checkpointed_seq FROM audits.lanes WHERE org_id = tap.id('b')), 74::bigint, 'and no further');
SELECT is((tap.lines(audits.checkpoint()))[2], '283', 'not the next time either');
INSERT INTO audits.audit_log SELECT * FROM gone;
SELECT is((tap.lines(audits.checkpoint()))[2], '290', 'until what is missing has come');
SAVEPOINT fork;
SELECT tap.append('a', 0);
INSERT INTO audits.audit_log (event_id, org_id, action, signature, prev_hash, ts, lane, seq)
SELECT gen_random_uuid(), a.org_id, 'forged', repeat('a', 64), repeat('b', 64), a.ts + interval '1 s', a.lane, a.seq + 1
FROM audits.audit_log AS a
WHERE a.org_id = tap.id('b')
ORDER BY a.seq DESC
LIMIT 1;
SELECT is((tap.lines(audits.checkpoint()))[2], '290', 'an entry that does not continue its lane stays out');
ROLLBACK TO fork;
CALL tap.set_guards('ENABLE ALWAYS');

-- A tree that was changed is not built upon.
CALL tap.set_guards('DISABLE');
SAVEPOINT damage;
UPDATE audits.merkle_tiles SET hashes = set_byte(hashes, 69, get_byte(hashes, 69) # 255) WHERE level = 0 AND tile_index = 4;
SELECT throws_ok('SELECT audits.checkpoint()', 'VC057', 'the ledger''s Merkle tree is damaged', 'a changed tile is noticed');
ROLLBACK TO damage;
DELETE FROM audits.merkle_tiles WHERE level = 1;
SELECT throws_ok('SELECT audits.checkpoint()', 'VC057', NULL, 'so is one that is gone');
ROLLBACK TO damage;
DELETE FROM audits.checkpoint_lanes WHERE tree_size = 290;
DELETE FROM audits.checkpoints WHERE tree_size = 290;
SELECT throws_ok('SELECT audits.checkpoint()', 'VC057', NULL, 'and a checkpoint that is');
ROLLBACK TO damage;
DELETE FROM audits.checkpoint_lanes WHERE first_leaf = (SELECT max(first_leaf) FROM audits.checkpoint_lanes);
SELECT throws_ok('SELECT audits.checkpoint()', 'VC057', NULL, 'and what says which entries are in it');
ROLLBACK TO damage;
DELETE FROM audits.checkpoint_lanes;
DELETE FROM audits.checkpoints;
DELETE FROM audits.merkle_tiles;
CALL tap.set_guards('ENABLE ALWAYS');
SELECT tap.append('a', 1);
SELECT throws_ok('SELECT audits.checkpoint()', 'VC057', NULL, 'and all of it, while lanes say that they are in a tree');
ROLLBACK TO damage;

-- Who may.
SELECT throws_ok(
    format('%s; SELECT audits.checkpoint()', a.act), '42501', NULL, a.who || ' makes no checkpoints')
FROM (VALUES ('a tenant', 'SET LOCAL ROLE codeverify_tenant'),
             ('the service', 'SET LOCAL ROLE codeverify_service'),
             ('an auditor', 'SET LOCAL ROLE codeverify_auditor'),
             ('a collector', 'SET LOCAL ROLE codeverify_ingest')) AS a (who, act);
CREATE TABLE tap.entry AS
SELECT a.org_id, min(a.id) AS id, audits.leaf_index(min(a.id)) AS leaf
FROM audits.audit_log AS a
GROUP BY a.org_id;
GRANT SELECT ON tap.entry TO PUBLIC;
CALL tap.act('viewer', 'a');
SELECT results_eq(
    'SELECT e.org_id FROM tap.entry AS e WHERE audits.leaf_index(e.id) = e.leaf', 'SELECT tap.id(''a'')',
    'a tenant finds the leaves of its own entries only');
SELECT is((SELECT count(*) FROM audits.checkpoints), 5::bigint, 'and reads every checkpoint');
SELECT results_eq('SELECT DISTINCT org_id FROM audits.checkpoint_lanes', 'SELECT tap.id(''a'')', 'but which leaves are its own only');
SELECT throws_ok('SELECT * FROM audits.merkle_tiles', '42501', NULL, 'tiles are read by functions only');
SELECT throws_ok('DELETE FROM audits.checkpoints', '42501', NULL, 'checkpoints stay');
SELECT throws_ok('SELECT audits.verify_against('''')', '42501', NULL, 'a tenant does not have every entry read');
CALL tap.act();
SELECT throws_ok('SELECT audits.leaf_index(1)', 'VC011', NULL, 'without a context nothing is a tenant''s own');
CALL tap.act(login => 'tap_auditor');
SELECT is((SELECT count(*) FROM tap.entry AS e WHERE audits.leaf_index(e.id) = e.leaf), 3::bigint, 'an auditor finds all');
SELECT is((SELECT audits.verify_against(note) ->> 'status' FROM audits.checkpoints WHERE tree_size = 279), 'consistent', 'and holds the ledger to a checkpoint');

-- Tiles for others.
SELECT results_eq(
    'SELECT path, length(content) FROM audits.export_tiles()',
    $$
        VALUES ('tile/0/000', 8192),
               ('tile/0/001.p/34', 1088),
               ('tile/1/000.p/1', 32),
               ('checkpoint', (SELECT octet_length(note) FROM audits.checkpoints WHERE tree_size = 290))
    $$,
    'the tree as C2SP tlog-tiles');
SELECT results_eq(
    'SELECT path FROM audits.export_tiles(290, 279)', $$VALUES ('tile/0/001.p/34'), ('tile/1/000.p/1'), ('checkpoint')$$,
    'or what has changed since');
SELECT is((SELECT content FROM audits.export_tiles(256) WHERE path = 'tile/1/000.p/1'), audits.tree_root(256), 'a node above full tiles is the root of what is below');
SELECT throws_ok('SELECT audits.export_tiles(1000)', 'VC056', NULL, 'no more than there is');

SELECT * FROM finish();
ROLLBACK;
