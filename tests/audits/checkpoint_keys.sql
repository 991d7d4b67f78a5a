-- Signing keys, the file that holds one, and notes that are signed with it.
BEGIN;
SELECT plan(32);
-- No entries but those made here.
SET LOCAL codeverify.capture = off;
\ir ../two_tenants.sql
\ir ../key_files.sql

-- The example of C2SP signed-note, and the one of its first implementation.
SELECT ok(audits.verify_note(v.note, v.key), 'a published note verifies')
FROM (VALUES
    (E'This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
     'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'),
    (E'If you think cryptography is the answer to your problem,\nthen you don''t know what your problem is.\n\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
     'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW')
) AS v (note, key);
CREATE TABLE tap.example AS
SELECT E'This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n' AS note,
       'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k' AS key;
SELECT ok(NOT audits.verify_note(replace(e.note, c.old, c.new), e.key), 'not with ' || c.what)
FROM tap.example AS e
CROSS JOIN (VALUES ('another text', 'example message', 'exemplary message'),
                   ('another signature', 'Uw2QOkn8s', 'Uw2QOkn8t'),
                   ('another name', 'example.com/foo', 'example.com/bar'),
                   ('no signature', 'Uw2QOkn', ''),
                   ('no dash', E'\u2014', '-'),
                   ('no blank line', E'\n\n', E'\n')) AS c (what, old, new);
SELECT ok(NOT audits.verify_note(e.note, replace(e.key, c.old, c.new)), 'not by ' || c.what)
FROM tap.example AS e
CROSS JOIN (VALUES ('a key of another id', '530d903a', '530d903b'),
                   ('a key cut short', 'U2k', ''),
                   ('no key', 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k', 'junk')) AS c (what, old, new);
SELECT is(audits.verify_note(NULL, 'x'), NULL, 'nothing is said of no note');

-- A key of our own.
CALL tap.act(login => 'tap_admin');
CREATE TEMP TABLE key AS SELECT * FROM audits.create_signing_key('example.org/ledger');
SELECT ok(private_key ~ '^PRIVATE\+KEY\+example\.org/ledger\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$', 'a private key has the form of C2SP signed notes') FROM key;
SELECT ok(verifier_key ~ '^example\.org/ledger\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$', 'so has a verifier key') FROM key;
SELECT throws_ok(format('SELECT audits.create_signing_key(%L)', n), 'VC055', NULL, 'no key has the name ' || n)
FROM unnest(ARRAY['', 'a b', 'a+b']) AS n;
SELECT is(audits.verifier_key(), NULL, 'none is configured');
SELECT throws_ok($$SET codeverify.ledger_key_file = '/tmp/x'$$, '42501', NULL, 'by none but a superuser');
RESET SESSION AUTHORIZATION;

SELECT set_config('codeverify.ledger_key_file', tap.key_file(), true);
SELECT throws_ok('SELECT audits.checkpoint()', 'VC055', 'the ledger''s key file cannot be used: it does not exist', 'a file that is not there');
SELECT tap.write_key_file('junk');
SELECT throws_ok('SELECT audits.checkpoint()', 'VC055', 'the ledger''s key file cannot be used: its content is not a key', 'or holds no key');
SELECT tap.write_key_file((SELECT private_key FROM key), '640');
SELECT throws_ok('SELECT audits.checkpoint()', 'VC055', 'the ledger''s key file cannot be used: others than its owner have access to it', 'or is open to others');
SELECT is((SELECT count(*) FROM audits.checkpoints), 0::bigint, 'makes no checkpoint');

INSERT INTO audits.audit_log (action) VALUES ('one');
SELECT set_config('codeverify.ledger_key_file', '', true);
SELECT lives_ok('SELECT audits.checkpoint()', 'without a file one is made');
SELECT is((SELECT c.is_signed FROM audits.checkpoints AS c), false, 'and not signed');
SELECT is((SELECT audits.verify_against(c.note) ->> 'signature' FROM audits.checkpoints AS c), 'unchecked', 'nor its signature checked');
CREATE TABLE tap.unsigned AS SELECT note FROM audits.checkpoints;

SELECT set_config('codeverify.ledger_key_file', tap.key_file(), true);
SELECT set_config('codeverify.ledger_origin', 'example.org/ledger', true);
SELECT tap.write_key_file((SELECT private_key FROM key));
SELECT is(audits.verifier_key(), (SELECT verifier_key FROM key), 'a key is configured');
SELECT ok(audits.verify_note(audits.checkpoint(), (SELECT verifier_key FROM key)), 'the checkpoint is signed anew');
SELECT is(
    (SELECT array_agg(audits.verify_against(n.note) ->> 'status' ORDER BY n.place)
     FROM (SELECT 1, c.note FROM audits.checkpoints AS c
           UNION ALL SELECT 2, u.note FROM tap.unsigned AS u
           UNION ALL SELECT 3, overlay(c.note PLACING 'AAAA' FROM length(c.note) - 12) FROM audits.checkpoints AS c) AS n (place, note)),
    '{consistent,bad_signature,bad_signature}',
    'and the ledger held to signed ones only');

-- Another key: notes of the former one are known by its verifier key.
CREATE TABLE tap.former AS SELECT c.note FROM audits.checkpoints AS c;
CREATE TEMP TABLE next AS SELECT * FROM audits.create_signing_key('example.org/ledger');
SELECT tap.write_key_file((SELECT private_key FROM next));
SELECT is((SELECT audits.verify_against(f.note) ->> 'status' FROM tap.former AS f), 'bad_signature', 'notes of a former key are not ours');
SELECT tap.write_key_file((SELECT n.private_key || E'\n' || k.verifier_key FROM next AS n, key AS k));
SELECT is((SELECT audits.verify_against(f.note) ->> 'status' FROM tap.former AS f), 'consistent', 'unless the file has it too');
SELECT set_config('codeverify.ledger_origin', E'a\nb', true);
SELECT throws_ok('SELECT audits.checkpoint()', 'VC055', 'the ledger''s origin cannot be written in a checkpoint', 'an origin is one line');

SELECT tap.remove_key_file();
SELECT * FROM finish();
ROLLBACK;
