-- RFC 6962 in SQL: the reference tree of eight leaves that is published with Certificate Transparency, from pure
-- functions and from stored tiles.
BEGIN;
SELECT plan(45);
\ir ../two_tenants.sql

CREATE TABLE tap.leaf (index bigint, content bytea);
INSERT INTO tap.leaf
SELECT l.index - 1, decode(l.digits, 'hex')
FROM unnest(ARRAY['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'])
    WITH ORDINALITY AS l (digits, index);
CREATE TABLE tap.root (tree_size bigint, root bytea);
INSERT INTO tap.root
SELECT r.size - 1, decode(r.digits, 'hex')
FROM unnest(ARRAY[
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'])
    WITH ORDINALITY AS r (digits, size);
CREATE FUNCTION tap.hashes(VARIADIC digits text[])
RETURNS bytea[]
LANGUAGE sql
AS $function$
    SELECT coalesce(array_agg(decode(d.digits, 'hex') ORDER BY d.place), '{}')
    FROM unnest(digits) WITH ORDINALITY AS d (digits, place)
$function$;
CREATE FUNCTION tap.root(size bigint) RETURNS bytea LANGUAGE sql AS 'SELECT root FROM tap.root WHERE tree_size = size';
CREATE FUNCTION tap.leaf_hash(place bigint) RETURNS bytea LANGUAGE sql AS 'SELECT audits.merkle_leaf_hash(content) FROM tap.leaf WHERE index = place';

-- The published proofs.
CREATE TABLE tap.inclusion (leaf bigint, size bigint, proof bytea[]);
INSERT INTO tap.inclusion
VALUES (0, 1, '{}'),
       (0, 8, tap.hashes('96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7', '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e', '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4')),
       (5, 8, tap.hashes('bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b', 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0', 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7')),
       (2, 3, tap.hashes('fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125')),
       (1, 5, tap.hashes('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d', '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e', 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b'));
CREATE TABLE tap.consistency (old bigint, new bigint, proof bytea[]);
INSERT INTO tap.consistency
VALUES (0, 8, '{}'),
       (1, 1, '{}'),
       (1, 8, tap.hashes('96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7', '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e', '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4')),
       (6, 8, tap.hashes('0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a', 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0', 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7')),
       (2, 5, tap.hashes('5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e', 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b'));
GRANT SELECT ON ALL TABLES IN SCHEMA tap TO PUBLIC;

-- The tree as it is stored.
INSERT INTO audits.merkle_tiles (level, tile_index, hashes)
SELECT 0, 0, string_agg(audits.merkle_leaf_hash(l.content), '' ORDER BY l.index)
FROM tap.leaf AS l;
INSERT INTO audits.checkpoints (tree_size, root, origin, note, is_signed)
SELECT 8, r.root, 'reference', 'none', false
FROM tap.root AS r
WHERE r.tree_size = 8;

CALL tap.act('viewer', 'a');
SELECT is(
    audits.merkle_leaf_hash('L123456'), '\x395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56',
    'a leaf is hashed with a zero byte before it');
SELECT results_eq(
    $$SELECT audits.merkle_root((SELECT coalesce(array_agg(l.content ORDER BY l.index), '{}') FROM tap.leaf AS l WHERE l.index < r.tree_size)) FROM tap.root AS r ORDER BY r.tree_size$$,
    'SELECT root FROM tap.root ORDER BY tree_size',
    'the reference tree has its roots at every size, and the empty one its own');
SELECT is(audits.merkle_root('{NULL}'), NULL, 'a leaf that is not known makes no root');
SELECT is(audits.merkle_root(NULL), NULL, 'no leaves at all neither');
SELECT results_eq(
    'SELECT audits.tree_root(tree_size) FROM tap.root ORDER BY tree_size', 'SELECT root FROM tap.root ORDER BY tree_size',
    'so does the stored tree');
SELECT results_eq(
    'SELECT audits.inclusion_proof(leaf, size) FROM tap.inclusion', 'SELECT proof FROM tap.inclusion',
    'inclusion proofs are the published ones');
SELECT results_eq(
    'SELECT audits.consistency_proof(old, new) FROM tap.consistency', 'SELECT proof FROM tap.consistency',
    'consistency proofs are the published ones');
SELECT ok(
    audits.verify_inclusion(tap.leaf_hash(leaf), leaf, size, proof, tap.root(size)),
    format('leaf %s is in the tree of %s', leaf, size))
FROM tap.inclusion;
SELECT ok(
    audits.verify_consistency(old, new, tap.root(old), tap.root(new), proof),
    format('the tree of %s continues that of %s', new, old))
FROM tap.consistency;
SELECT is_empty(
    $$
        SELECT l.index, r.tree_size
        FROM tap.leaf AS l
        JOIN tap.root AS r ON r.tree_size > l.index
        WHERE NOT audits.verify_inclusion(tap.leaf_hash(l.index), l.index, r.tree_size, audits.inclusion_proof(l.index, r.tree_size), r.root)
    $$,
    'every leaf is in every tree that has it');
SELECT is_empty(
    $$
        SELECT o.tree_size, n.tree_size
        FROM tap.root AS o
        JOIN tap.root AS n ON n.tree_size >= o.tree_size
        WHERE NOT audits.verify_consistency(o.tree_size, n.tree_size, o.root, n.root, audits.consistency_proof(o.tree_size, n.tree_size))
    $$,
    'every tree continues every smaller one');

-- What proves nothing.
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(4), 5, 8, proof, tap.root(8)), 'not another leaf') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(5), 4, 8, proof, tap.root(8)), 'not at another place') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(5), 5, 8, proof, tap.root(7)), 'not below another root') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(5), 5, 6, proof, tap.root(8)), 'not in a tree of another size') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(5), 5, 8, proof[1:2], tap.root(8)), 'not with a proof cut short') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(5), 5, 8, proof || tap.root(8), tap.root(8)), 'not with one more') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(5), 5, 8, ARRAY[proof[2], proof[1], proof[3]], tap.root(8)), 'not in another order') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(5), 5, 8, ARRAY[proof[1], set_byte(proof[2], 31, 0), proof[3]], tap.root(8)), 'not with a byte changed') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion('\x00', 5, 8, proof, tap.root(8)), 'a leaf hash has 32 bytes') FROM tap.inclusion WHERE leaf = 5;
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(0), 0, 1, '{NULL}', tap.root(1)), 'a proof has hashes in it');
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(0), 0, 1, '{}', '\x'), 'a root has 32 bytes');
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(0), -1, 1, '{}', tap.root(1)), 'places begin with 0');
SELECT ok(NOT audits.verify_inclusion(tap.leaf_hash(0), 9223372036854775806, 9223372036854775807, '{}', tap.root(1)), 'whatever the size');
SELECT ok(NOT audits.verify_consistency(6, 8, tap.root(7), tap.root(8), proof), 'not another old root') FROM tap.consistency WHERE old = 6;
SELECT ok(NOT audits.verify_consistency(6, 8, tap.root(6), tap.root(7), proof), 'not another new root') FROM tap.consistency WHERE old = 6;
SELECT ok(NOT audits.verify_consistency(8, 6, tap.root(8), tap.root(6), proof), 'not backwards') FROM tap.consistency WHERE old = 6;
SELECT ok(NOT audits.verify_consistency(6, 8, tap.root(6), tap.root(8), proof[2:]), 'not with a proof cut short') FROM tap.consistency WHERE old = 6;
SELECT ok(NOT audits.verify_consistency(0, 8, tap.root(0), tap.root(8), proof), 'nothing is to be proven of the empty tree') FROM tap.consistency WHERE old = 6;
SELECT ok(NOT audits.verify_consistency(0, 8, tap.root(1), tap.root(8), '{}'), 'whose root is the empty root');
SELECT ok(NOT audits.verify_consistency(-1, 8, tap.root(0), tap.root(8), '{}'), 'sizes begin with 0');
SELECT is(audits.verify_consistency(0, 8, tap.root(0), tap.root(8), NULL), NULL, 'nothing is said of what is not known');

-- What cannot be proven.
SELECT throws_ok('SELECT audits.inclusion_proof(0, 9)', 'VC056', 'the ledger''s tree has never had 9 leaves', 'no proof of a tree that is not there');
SELECT throws_ok('SELECT audits.inclusion_proof(8, 8)', 'VC056', 'a tree of 8 leaves has no leaf 8', 'or of a leaf');
SELECT throws_ok('SELECT audits.consistency_proof(7, 6)', 'VC056', 'a tree of 6 leaves does not continue one of 7', 'or of the wrong way round');
SELECT throws_ok('SELECT audits.tree_root(-1)', 'VC056', NULL, 'or of less than nothing');
RESET SESSION AUTHORIZATION;
ALTER TABLE audits.merkle_tiles DISABLE TRIGGER USER;
UPDATE audits.merkle_tiles SET hashes = substr(hashes, 1, 160);
SELECT throws_ok('SELECT audits.tree_root(8)', 'VC057', 'the ledger''s Merkle tree is damaged', 'a tile that was cut is missed');

SELECT * FROM finish();
ROLLBACK;
