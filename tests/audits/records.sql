-- Retention locks and people's keys that are changed otherwise than by the functions that record it: verification holds
-- the tables to what the ledger says.
\ir ../month_goes_on.sql
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../close_month.sql
SET LOCAL client_min_messages = error;

-- What only the ledger says of itself nobody else says in the platform's ledger, where verification reads it.
CALL tap.act(NULL, NULL, 'tap_service');
SELECT throws_ok(
    $$SELECT audits.append('audits.audit_log', 'retention.locked', '{"until": "2100-01-01T00:00:00+00:00"}')$$, 'VC052',
    'entity "audits.audit_log" is reserved in the platform''s ledger', 'the service records no lock that there is not');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok(
    $$SELECT audits.append('audits.subject_keys', 'subject.erased')$$, 'VC052', NULL, 'an administrator records no erasure');
CALL tap.act('developer', 'a');
SELECT lives_ok(
    $$SELECT audits.append('audits.audit_log', 'retention.locked', '{"until": "2100-01-01T00:00:00+00:00"}')$$,
    'in its own ledger a tenant says what it likes');

-- Nor does anybody bring a field that seems to have been encrypted for the entry that brings it.
DO $$ BEGIN PERFORM audits.append('order', 'order.placed', '{"by": {"$personal": "Ann"}}', resource_id => tap.id('order')); END $$;
CREATE TEMPORARY TABLE stolen AS SELECT a.payload, a.event_id FROM audits.audit_log AS a WHERE a.action = 'order.placed';
GRANT SELECT ON stolen TO PUBLIC;
CALL tap.act('developer', 'a', 'tap_service');
SELECT throws_ok(
    $$INSERT INTO audits.audit_log (action, event_id, payload) SELECT 'forged', s.event_id, s.payload FROM stolen AS s$$, 'VC061',
    NULL, 'a field is not forged');
SELECT lives_ok(
    $$INSERT INTO audits.audit_log (action, payload) SELECT 'copied', s.payload FROM stolen AS s$$, 'a copy may be kept');

-- Two locks; one person whose fields can be read, one who was erased, one who was erased and came back.
CALL tap.act('developer', 'a');
DO $$
BEGIN
    PERFORM audits.append('order', 'order.shared', jsonb_build_object(
        'for', (SELECT jsonb_agg(jsonb_build_object('$personal', 1, 'subject', tap.id(p))) FROM unnest(ARRAY['bob', 'carl']) AS p)));
END $$;
CALL tap.act(login => 'tap_admin');
DO $$
BEGIN
    PERFORM audits.lock_retention('2100-01-01 00:00:00+00'), audits.lock_retention('infinity');
    PERFORM audits.erase_subject(tap.id('bob')), audits.erase_subject(tap.id('carl')), audits.erase_subject(tap.id('unknown'));
    PERFORM audits.readmit_subject(tap.id('carl'));
END $$;
CALL tap.act('developer', 'a');
DO $$ BEGIN PERFORM audits.append('order', 'order.back', jsonb_build_object('$personal', 1, 'subject', tap.id('carl'))); END $$;
RESET SESSION AUTHORIZATION;

-- The details of what is illegal after a change, with people by name, and what verify() says; nothing of it stays.
CREATE FUNCTION tap.after(change text, OUT findings text[], OUT verdict text)
LANGUAGE plpgsql
AS $function$
BEGIN
    ALTER TABLE audits.retention_locks DISABLE TRIGGER ALL;
    ALTER TABLE audits.subject_keys DISABLE TRIGGER ALL;
    EXECUTE change;
    SELECT array_agg(f.finding ORDER BY f.finding COLLATE "C")
    INTO findings
    FROM (
        SELECT DISTINCT v.verdict || ': ' || coalesce(replace(v.detail, tap.id(p.name)::text, p.name), v.detail)
        FROM audits.verify_chain() AS v
        LEFT JOIN unnest(ARRAY['bob', 'carl', 'unknown', 'developer of a']) AS p (name)
            ON strpos(v.detail, tap.id(p.name)::text) > 0
        WHERE v.verdict NOT IN ('erased', 'pruned')) AS f (finding);
    verdict := audits.verify() ->> 'verdict';
    RAISE SQLSTATE 'TAP01';
EXCEPTION
    WHEN SQLSTATE 'TAP01' THEN
END
$function$;

CREATE TABLE tap.change (number serial, change text, at_once text, found text[]);
INSERT INTO tap.change (change, at_once, found)
VALUES
    ('SELECT 1', 'intact', NULL),
    ('DELETE FROM audits.retention_locks WHERE isfinite(locked_until)', 'broken',
     '{missing: the retention lock until 2100-01-01T00:00:00+00:00 is gone}'),
    ($$UPDATE audits.retention_locks SET locked_until = '2099-01-01 00:00:00+00' WHERE NOT isfinite(locked_until)$$, 'broken',
     '{altered: the ledger has no entry about the retention lock until 2099-01-01T00:00:00+00:00,'
     'missing: the retention lock until infinity is gone}'),
    ($$INSERT INTO audits.retention_locks (locked_until) VALUES ('2101-01-01 00:00:00+00')$$, 'intact',
     '{altered: the ledger has no entry about the retention lock until 2101-01-01T00:00:00+00:00}'),
    ($$DELETE FROM audits.subject_keys WHERE subject_id = tap.id('unknown')$$, 'broken',
     '{missing: that unknown was erased is gone from audits.subject_keys}'),
    ($$DELETE FROM audits.subject_keys WHERE subject_id = tap.id('bob')$$, 'broken',
     '{missing: that bob was erased is gone from audits.subject_keys,'
     '"missing: the key of the personal fields of bob is gone, and was not erased"}'),
    ($$UPDATE audits.subject_keys SET key = sha256(''), erased_at = NULL, erased_by = NULL WHERE subject_id = tap.id('bob')$$,
     'broken',
     '{altered: the key of bob that was erased is there again,'
     'altered: the key of the personal fields of bob is not the one that they were encrypted under}'),
    ($$INSERT INTO audits.subject_keys (subject_id, key) VALUES (tap.id('bob'), sha256(''))$$, 'intact',
     '{"altered: bob was erased, and has a key that the ledger has no entry about"}'),
    ($$UPDATE audits.subject_keys SET key = sha256('') WHERE subject_id = tap.id('developer of a')$$, 'intact',
     '{altered: the key of the personal fields of developer of a is not the one that they were encrypted under}'),
    ($$UPDATE audits.subject_keys SET key = NULL, erased_at = now(), erased_by = 'x' WHERE subject_id = tap.id('developer of a')$$,
     'intact', '{"missing: the key of developer of a is gone, and the ledger has no entry about its erasure"}'),
    ($$DELETE FROM audits.subject_keys WHERE subject_id = tap.id('developer of a')$$, 'intact',
     '{"missing: the key of the personal fields of developer of a is gone, and was not erased"}'),
    ($$UPDATE audits.subject_keys SET subject_id = tap.id('x') WHERE subject_id = tap.id('developer of a')$$, 'intact',
     '{"missing: the key of the personal fields of developer of a is gone, and was not erased"}'),
    -- As a dump without the keys leaves it.
    ('DELETE FROM audits.subject_keys', 'intact', NULL);

-- What entries say is held to the tables at once; the tables to the entries when everything is verified.
SELECT is(audits.verify() ->> 'verdict', 'intact', 'the ledger is intact');
SELECT results_eq(
    format('SELECT (tap.after(%L)).*', c.change), format('VALUES (%L::text[], %L)', c.found, c.at_once), c.change)
FROM tap.change AS c
ORDER BY c.number;
SELECT set_eq(
    $$SELECT v.detail FROM audits.verify_chain(tap.id('a')) AS v$$,
    $$SELECT format('the personal fields of %s have been erased', tap.id(p.name)) FROM unnest(ARRAY['bob', 'carl']) AS p (name)$$,
    'of one organization, its entries alone are looked at');

-- The same of what has left for an archive; at once, nothing of that is read.
CALL tap.close_month();
SELECT audits.archive_partition('audits.audit_log_closed') \g /dev/null
SELECT is(audits.verify(false) ->> 'verdict', 'intact', 'the archived ledger is intact');
SELECT results_eq(
    format('SELECT (tap.after(%L)).*', c.change), format('VALUES (%L::text[], %L)', c.found, 'intact'), 'archived: ' || c.change)
FROM tap.change AS c
ORDER BY c.number;

-- What a pruned archive recorded is known to nobody, and missed by nobody.
SELECT results_eq(
    format('SELECT (tap.after(%L)).*', 'DELETE FROM audits.retention_locks; SELECT audits.prune_archive(a.id) FROM audits.archives AS a'),
    $$VALUES (NULL::text[], 'intact')$$, 'entries of a pruned archive are not missed');

SELECT * FROM finish();
ROLLBACK;
