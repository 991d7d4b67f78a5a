-- Who may verify what, parts of a ledger, and that an honest ledger is intact whatever was done to it legally.
BEGIN;
SELECT plan(30);
SET LOCAL codeverify.capture = off;
\ir ../two_tenants.sql
SET LOCAL client_min_messages = error;

-- Rows one by one, many at once, in savepoints that stay and that do not, in several lanes.
INSERT INTO audits.audit_log (org_id, entity, action, payload)
SELECT o.id, 'thing', 'thing.done', jsonb_build_object('n', n, 'text', repeat('ä', n * 100), 'number', n / 7.0, 'list', jsonb_build_array(n, NULL, true))
FROM generate_series(1, 60) AS n
CROSS JOIN unnest(ARRAY[NULL, tap.id('a'), tap.id('b')]) AS o (id);
SAVEPOINT one;
INSERT INTO audits.audit_log (org_id, action) SELECT tap.id('a'), 'kept' FROM generate_series(1, 5);
SAVEPOINT two;
INSERT INTO audits.audit_log (org_id, action) SELECT tap.id('a'), 'undone' FROM generate_series(1, 5);
INSERT INTO audits.audit_log (org_id, action) VALUES (tap.id('b'), 'undone');
ROLLBACK TO SAVEPOINT two;
INSERT INTO audits.audit_log (org_id, action, entity, ip_address, user_agent, actor_id, resource_id)
VALUES (tap.id('a'), 'kept', 'thing', '::1', '', tap.id('owner of a'), tap.id('x'));
RELEASE SAVEPOINT one;
SELECT throws_ok($$INSERT INTO audits.audit_log (org_id, action) VALUES (tap.id('a'), 'kept'), (tap.id('a'), '')$$, '23514', NULL, 'a statement that fails');

SELECT is_empty('SELECT * FROM audits.verify_chain()', 'is intact for a superuser');
SELECT is(audits.verify() ->> 'verdict', 'intact', 'who may also verify');

CALL tap.act(NULL, NULL, 'tap_auditor');
SELECT is_empty('SELECT * FROM audits.verify_chain()', 'an auditor verifies all ledgers');
SELECT is_empty($$SELECT * FROM audits.verify_chain(tap.id('a'))$$, 'or one');
SELECT is_empty($$SELECT * FROM audits.verify_chain(tap.id('nobody'))$$, 'or one that is not there');
SELECT is(audits.verify() ->> 'entries', '0', 'and verifies what is new');
SELECT is(audits.verify(false) ->> 'entries', '186', 'or everything');
CALL tap.act(NULL, NULL, 'tap_admin');
SELECT is_empty('SELECT * FROM audits.verify_chain()', 'so does an administrator');
SELECT is(audits.verify() ->> 'verdict', 'intact', 'so does an administrator');
CALL tap.act('viewer', 'a');
SELECT is_empty('SELECT * FROM audits.verify_chain()', 'a viewer verifies the ledger of the organization');
SELECT is_empty($$SELECT * FROM audits.verify_chain(tap.id('a'))$$, 'also by its name');
SELECT throws_ok($$SELECT * FROM audits.verify_chain(tap.id('b'))$$, 'VC062', NULL, 'no other one');
SELECT throws_ok('SELECT audits.verify()', '42501', NULL, 'and does not set what is verified');
CALL tap.act('owner', 'b', 'tap_service');
SELECT is_empty('SELECT * FROM audits.verify_chain()', 'the service verifies for its context');
SELECT throws_ok($$SELECT * FROM audits.verify_chain(tap.id('a'))$$, 'VC062', NULL, 'and no other');
CALL tap.act(NULL, NULL, 'tap_service');
SELECT throws_ok('SELECT * FROM audits.verify_chain()', 'VC011', NULL, 'not without one');
CALL tap.act(NULL, NULL, 'tap_ingest');
SELECT throws_ok('SELECT * FROM audits.verify_chain()', '42501', NULL, 'who only writes does not verify');
RESET SESSION AUTHORIZATION;

-- What one tenant's verification says to another, and what is out of the time that was asked for.
ALTER TABLE audits.audit_log DISABLE TRIGGER ALL;
DO $triggers$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN SELECT t.relid FROM pg_partition_tree('audits.audit_log') AS t LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', relation);
    END LOOP;
END
$triggers$;
SELECT a.ts AS of_20, a.ts + interval '1 microsecond' AS after_20
FROM audits.audit_log AS a
WHERE a.org_id = tap.id('a') AND a.seq = 20
\gset
SELECT a.ts AS of_19
FROM audits.audit_log AS a
WHERE a.org_id = tap.id('a') AND a.seq = 19
\gset
SELECT is_empty(format('SELECT * FROM audits.verify_chain(since => %L)', :'of_20'), 'from a time on');
SELECT is_empty(format('SELECT * FROM audits.verify_chain(until => %L)', :'of_20'), 'before a time');
SELECT is_empty(format('SELECT * FROM audits.verify_chain(since => %L, until => %L)', :'of_20', :'after_20'), 'between two');
SELECT is_empty($$SELECT * FROM audits.verify_chain(since => 'infinity')$$, 'where there is nothing');
SELECT is_empty($$SELECT * FROM audits.verify_chain(until => '-infinity')$$, 'on either side');

UPDATE audits.audit_log SET org_id = tap.id('b') WHERE org_id = tap.id('a') AND seq = 66;
DELETE FROM audits.audit_log WHERE org_id = tap.id('a') AND seq = 20;
CALL tap.act('viewer', 'a');
SELECT set_eq(
    'SELECT seq, verdict FROM audits.verify_chain()',
    $$VALUES (20::bigint, 'missing'), (66, 'truncated')$$, 'a tenant hears of its own ledger');
SELECT results_eq(
    format('SELECT seq, verdict, detail FROM audits.verify_chain(since => %L, until => %L)', :'of_20', :'after_20'),
    $$VALUES (20::bigint, 'missing', 'entry 20 is not there')$$, 'in the time that it asks for, where nothing is left');
SELECT is_empty(format('SELECT * FROM audits.verify_chain(until => %L)', :'of_19'), 'and of nothing later');
CALL tap.act('viewer', 'b');
SELECT set_eq(
    'SELECT org_id, seq, verdict, detail FROM audits.verify_chain()',
    $$VALUES (tap.id('b'), 61::bigint, 'missing', 'entries 61 to 65 are not there'), (tap.id('b'), 66, 'misplaced', 'it was made as entry 66 of another ledger')$$,
    'and not whose entry it has got');
CALL tap.act(NULL, NULL, 'tap_auditor');
SELECT matches(
    (SELECT detail FROM audits.verify_chain(tap.id('b')) WHERE verdict = 'misplaced'), '^it was made as entry 66 of', 'an auditor may ask');
SELECT matches(
    (SELECT detail FROM audits.verify_chain() WHERE verdict = 'misplaced'),
    format('^it was made as entry 66 of lane \d+ of organization %s$', tap.id('a')), 'and hears it of all');

RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$SELECT * FROM audits.verify_chain(NULL, now() + interval '1 hour', now() - interval '1 hour')$$,
    'between a time and an earlier one there is nothing to find');

SELECT * FROM finish();
ROLLBACK;
