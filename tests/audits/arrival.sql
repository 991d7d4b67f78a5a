-- Entries that arrive with their hashes, as from a dump: verified, stored as they are, never forked.
BEGIN;
SELECT plan(28);
\ir ../two_tenants.sql

INSERT INTO audits.audit_log (org_id, action, payload)
SELECT tap.id('a'), 'number ' || n, jsonb_build_object('n', n)
FROM generate_series(1, 6) AS n;
CREATE TABLE tap.dump AS
SELECT a.*
FROM audits.audit_log AS a;
GRANT USAGE ON SCHEMA tap TO PUBLIC;
GRANT ALL ON tap.dump TO PUBLIC;

-- An empty ledger to restore into.
ALTER TABLE audits.audit_log DISABLE TRIGGER USER;
DELETE FROM audits.audit_log;
ALTER TABLE audits.audit_log ENABLE ALWAYS TRIGGER audit_log_chain_entry;

CREATE FUNCTION tap.restore(places text, change text DEFAULT 'seq = seq')
RETURNS void
LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format('CREATE TEMPORARY TABLE changed AS SELECT d.* FROM tap.dump AS d WHERE d.seq IN (%s)', places);
    EXECUTE format('UPDATE pg_temp.changed SET %s', change);
    INSERT INTO audits.audit_log SELECT c.* FROM pg_temp.changed AS c ORDER BY c.seq;
    DROP TABLE pg_temp.changed;
END
$function$;

-- The login that restores passes row security and is an administrator.
CREATE ROLE tap_restorer LOGIN BYPASSRLS IN ROLE codeverify_admin;
GRANT TEMPORARY ON DATABASE :DBNAME TO tap_restorer;
CALL tap.act(login => 'tap_restorer');

SELECT throws_ok(
    format('SELECT tap.restore(%L, %L)', '1', c.change), 'VC051',
    format('entry 1 of lane %s does not fit its signature', (SELECT d.lane FROM tap.dump AS d LIMIT 1)),
    'refused: ' || c.change)
FROM unnest(ARRAY[
    'id = id + 1', 'event_id = gen_random_uuid()', 'org_id = tap.id(''b'')', 'org_id = NULL', 'entity = ''x''',
    'action = ''x''', 'actor_id = tap.id(''owner of a'')', 'resource_id = tap.id(''owner of a'')', 'payload = ''{"n": 1.0}''',
    'ip_address = ''::1''', 'user_agent = ''x''', 'signature = repeat(''0'', 64)', 'prev_hash = repeat(''1'', 64)',
    'ts = ts + interval ''1 microsecond'''
]) AS c (change);
SELECT throws_ok(
    $$SELECT tap.restore('2', 'seq = 1')$$, 'VC051', NULL, 'refused: another place');
SELECT lives_ok($$SELECT tap.restore('1')$$, 'the first');
SELECT throws_ok(
    $$SELECT tap.restore('1')$$, 'VC051', format('entry 1 of lane %s exists already', (SELECT d.lane FROM tap.dump AS d LIMIT 1)),
    'once');
SELECT throws_ok(
    format('SELECT tap.restore(%L, %L)', '2', c.change), 'VC050', NULL, 'refused: ' || c.change)
FROM unnest(ARRAY['lane = NULL', 'lane = 32', 'seq = NULL', 'ts = ''infinity''']) AS c (change);
SELECT lives_ok($$SELECT tap.restore('2, 3')$$, 'entries in order');
SELECT throws_ok($$SELECT tap.restore('2')$$, 'VC051', NULL, 'none comes twice');
SELECT lives_ok($$SELECT tap.restore('6')$$, 'a gap is let in');
SELECT lives_ok($$SELECT tap.restore('5')$$, 'and may be filled later');
SELECT lives_ok($$SELECT tap.restore('4')$$, 'wherever it is');

RESET SESSION AUTHORIZATION;
SELECT set_eq('SELECT * FROM audits.audit_log', 'SELECT * FROM tap.dump', 'they are stored as they are');
INSERT INTO audits.audit_log (org_id, action) VALUES (tap.id('a'), 'number 7');
SELECT is(
    (SELECT a.prev_hash FROM audits.audit_log AS a WHERE a.action = 'number 7'),
    (SELECT d.signature FROM tap.dump AS d WHERE d.seq = 6),
    'new entries continue them');

SELECT * FROM finish();
ROLLBACK;
