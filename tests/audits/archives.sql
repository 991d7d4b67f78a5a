-- Partitions that leave the ledger for an archive: nothing of them is lost, and what is changed there is told.
\ir ../month_goes_on.sql
BEGIN;
SELECT plan(88);
\ir ../two_tenants.sql
\ir ../close_month.sql

-- Every kind of value, in three ledgers.
INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload, ip_address, user_agent)
SELECT CASE n % 3 WHEN 1 THEN tap.id('a') WHEN 2 THEN tap.id('b') END,
       CASE WHEN n % 4 > 0 THEN 'größe' END,
       'action ' || n,
       CASE WHEN n % 5 > 0 THEN tap.id('owner of a') END,
       CASE WHEN n % 2 > 0 THEN tap.id(n::text) END,
       CASE
           WHEN n = 3300 THEN jsonb_build_object('deep', (repeat('[', 900) || repeat(']', 900))::jsonb)
           ELSE CASE n % 6
           WHEN 0 THEN '{}'
           WHEN 1 THEN format('{"n": %s, "big": 9007199254740993, "scale": 1.00, "tiny": 1e-30, "huge": 1e300}', n)::jsonb
           WHEN 2 THEN '{"": "", "nested": [[], {}, [{"a": null}], true, false], "escapes": "\"\\\n\u0001€😀"}'
           WHEN 3 THEN jsonb_build_object('long', repeat(n::text, 2000))
           WHEN 4 THEN '{"bb": 1, "a": 2, "ccc": -0.0}'
           ELSE jsonb_build_object('number', 12345678901234567890.123456789012345678901234567890)
           END
       END,
       CASE WHEN n % 7 > 0 THEN '2001:db8::1' END,
       CASE WHEN n % 3 > 0 THEN repeat('agent ', n % 10) END
FROM generate_series(1, 3300) AS n;
CALL tap.close_month();
SET LOCAL client_min_messages = error;
CREATE TABLE tap.before AS
SELECT a.*, a.payload::text AS payload_text
FROM audits.audit_log AS a;
ALTER TABLE tap.before ENABLE ROW LEVEL SECURITY;
CREATE POLICY tap_before ON tap.before USING (true);
GRANT SELECT ON tap.before TO PUBLIC;
RESET client_min_messages;

-- Who may, and what.
CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT audits.archive_partition('audits.audit_log_closed')$$, '42501', NULL, 'a tenant archives nothing');
SELECT throws_ok($$SELECT audits.prune_archive(gen_random_uuid())$$, '42501', NULL, 'prunes nothing');
SELECT throws_ok($$SELECT audits.lock_retention('infinity')$$, '42501', NULL, 'locks nothing');
SELECT throws_ok($$SELECT * FROM audits.archives$$, '42501', NULL, 'and does not see the archives');
SELECT throws_ok($$SELECT * FROM audits.archive_segments$$, '42501', NULL, 'nor their segments');
SELECT throws_ok($$SELECT * FROM audits.list_archives()$$, '42501', NULL, 'nor a list of them');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok($$SELECT audits.archive_partition('audits.audit_log_closed')$$, '42501', NULL, 'nor does the service');
CALL tap.act(login => 'tap_auditor');
SELECT throws_ok($$SELECT audits.archive_partition('audits.audit_log_closed')$$, '42501', NULL, 'nor an auditor');

CALL tap.act(login => 'tap_admin');
SELECT throws_ok(
    format('SELECT audits.archive_partition(%L)', 'audits.audit_log_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')), 'VC058',
    NULL, 'the month under way stays');
SELECT throws_ok(
    $$SELECT audits.archive_partition('audits.audit_log_default')$$, 'VC058',
    'audits.audit_log_default cannot be archived', 'the DEFAULT partition stays');
SELECT throws_ok(
    $$SELECT audits.archive_partition('audits.audit_log')$$, 'VC058', 'audits.audit_log cannot be archived', 'so does the whole');
SELECT throws_ok($$SELECT audits.archive_partition('auth.users')$$, 'VC058', NULL, 'and what is no ledger');
SELECT throws_ok($$SELECT audits.archive_partition('pg_catalog.pg_class')$$, 'VC058', NULL, 'at all');
SELECT throws_ok($$SELECT audits.archive_partition(0)$$, 'VC058', NULL, 'or does not exist');

-- An entry that was changed stays where it is.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION tap.refusal(statement text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    detail text;
BEGIN
    ALTER TABLE audits.audit_log_closed DISABLE TRIGGER USER;
    EXECUTE statement;
    PERFORM audits.archive_partition('audits.audit_log_closed');
    RETURN 'archived';
EXCEPTION
    WHEN SQLSTATE 'VC060' THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        RETURN regexp_replace(detail, '^What is wrong: entry \d+ of lane \d+ of (the platform|organization [-0-9a-f]+): ', '');
END
$function$;
SELECT is(tap.refusal(c.change), c.problem, c.change)
FROM (VALUES
    ($$UPDATE audits.audit_log_closed SET payload = '{"n": 1.0}' WHERE action = 'action 700'$$, 'signature is not the hash of the entry.'),
    ($$UPDATE audits.audit_log_closed SET actor_id = NULL WHERE action = 'action 701'$$, 'signature is not the hash of the entry.'),
    ($$UPDATE audits.audit_log_closed SET signature = repeat('0', 64) WHERE action = 'action 702'$$, 'prev_hash is not the signature of the entry before.'),
    ($$UPDATE audits.audit_log_closed AS a SET ts = b.ts FROM audits.audit_log_closed AS b WHERE a.action = 'action 703' AND (b.org_id, b.lane, b.seq + 1) IS NOT DISTINCT FROM (a.org_id, a.lane, a.seq)$$, 'ts is not later than that of the entry before.'),
    ($$DELETE FROM audits.audit_log_closed WHERE seq = 5 AND org_id IS NULL$$, 'the next should be 5.'),
    ($$DELETE FROM audits.audit_log_closed WHERE seq = 1 AND org_id = tap.id('b')$$, 'the next should be 1.'),
    ($$UPDATE audits.audit_log_closed SET org_id = tap.id('a') WHERE seq = 1 AND org_id = tap.id('b')$$, 'the next should be 2.')
) AS c (change, problem);
SELECT is((SELECT count(*) FROM audits.audit_log), 3300::bigint, 'nothing of it stays');
SELECT is((SELECT count(*) FROM audits.archives), 0::bigint, 'and nothing is archived');

-- Archiving.
CALL tap.act(login => 'tap_admin');
CREATE TEMPORARY TABLE outcome AS
SELECT audits.archive_partition('audits.audit_log_closed') AS result;
SELECT results_eq(
    $$SELECT result ->> 'partition', (result ->> 'entries')::int, (result ->> 'segments')::int FROM outcome$$,
    $$VALUES ('audit_log_closed', 3300, 6)$$,
    'a closed month is archived, one organization a segment');
SELECT cmp_ok(
    (SELECT (result ->> 'bytes_before')::int FROM outcome), '>', (SELECT 5 * (result ->> 'bytes_after')::int FROM outcome),
    'and takes less than a fifth of the room');
SELECT is(to_regclass('audits.audit_log_closed'), NULL, 'the partition is gone');
SELECT throws_ok($$SELECT * FROM audits.audit_log$$, '42501', NULL, 'an administrator still does not read the ledger itself');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$
        SELECT a.action, a.payload ->> 'root', a.resource_id::text, a.payload ->> 'by'
        FROM audits.audit_log AS a
        JOIN audits.archives AS r ON r.entry_id = a.id
        WHERE a.org_id IS NULL
    $$,
    $$SELECT 'partition.archived', result ->> 'root', result ->> 'archive', 'tap_admin' FROM outcome$$,
    'the platform''s ledger tells of it, with its root');
SELECT is_empty(
    $$
        SELECT b.org_id, b.lane
        FROM (SELECT DISTINCT ON (org_id, lane) * FROM tap.before ORDER BY org_id, lane, seq DESC) AS b
        LEFT JOIN audits.lanes AS l ON l.org_id IS NOT DISTINCT FROM b.org_id AND l.lane = b.lane
        WHERE (l.archived_seq, l.archived_signature, l.archived_ts) IS DISTINCT FROM (b.seq, b.signature, b.ts)
    $$,
    'the lanes know where the archive ends');
SELECT is(
    (SELECT octet_length(s.signatures) FROM audits.archive_segments AS s ORDER BY s.place LIMIT 1), 32000,
    'a segment has 1,000 entries, and their signatures beside them');

-- What the server cannot do at the moment says nothing of an archive.
RESET SESSION AUTHORIZATION;
SET LOCAL max_stack_depth = '100kB';
SELECT throws_ok('SELECT payload FROM audits.entries', '54001', NULL, 'a stack that is too small for a payload is an error and no NULL');
SET LOCAL max_stack_depth = '2MB';
CALL tap.act(login => 'tap_admin');

-- Reading.
SELECT is_empty(
    $$
        SELECT b.id
        FROM tap.before AS b
        FULL JOIN audits.read_archive(NULL, NULL) AS r USING (id)
        WHERE (b.event_id, b.org_id, b.entity, b.action, b.actor_id, b.resource_id, b.payload_text, b.ip_address, b.user_agent,
               b.signature, b.prev_hash, b.ts, b.lane, b.seq)
              IS DISTINCT FROM
              (r.event_id, r.org_id, r.entity, r.action, r.actor_id, r.resource_id, r.payload::text, r.ip_address, r.user_agent,
               r.signature, r.prev_hash, r.ts, r.lane, r.seq)
    $$,
    'every column of every entry comes back as it was');
SELECT is_empty(
    $$
        SELECT r.id
        FROM audits.read_archive(NULL, NULL) AS r
        WHERE r.signature <> audits.hash_entry(
            r.org_id, r.lane, r.seq, r.prev_hash, r.id, r.event_id, r.ts, r.entity, r.action, r.actor_id,
            r.resource_id, r.payload, r.ip_address, r.user_agent)
    $$,
    'and has the same hash');
SELECT is(
    (SELECT array_agg(a.attname::text ORDER BY a.attnum)
     FROM pg_attribute AS a
     WHERE a.attrelid = 'audits.audit_log'::regclass AND a.attnum > 0),
    (SELECT p.proargnames[3:] FROM pg_proc AS p WHERE p.proname = 'read_archive'),
    'read_archive() has the columns of the ledger, in order');
SELECT is(
    (SELECT count(*) FROM audits.read_archive((SELECT ts FROM tap.before WHERE action = 'action 1000'), (SELECT ts FROM tap.before WHERE action = 'action 2000'))),
    1000::bigint,
    'from a time on, and before one');
SELECT is((SELECT count(*) FROM audits.read_archive('-infinity', '2000-01-01')), 0::bigint, 'nothing was before');
SELECT is((SELECT count(*) FROM audits.read_archive('2000-01-01', 'infinity')), 3300::bigint, 'everything after');
CALL tap.act('viewer', 'a');
SELECT is((SELECT count(*) FROM audits.read_archive(NULL, NULL)), 1100::bigint, 'a tenant reads its own');
SELECT is((SELECT count(*) FROM audits.read_archive(NULL, NULL) AS r WHERE r.org_id <> tap.id('a')), 0::bigint, 'and no other''s');
SELECT is((SELECT count(*) FROM audits.entries), 1100::bigint, 'the view has them too');
SELECT throws_ok($$SELECT * FROM audits.verify_archives()$$, '42501', NULL, 'it does not verify all');
CALL tap.act('viewer', 'b', 'tap_service');
SELECT is((SELECT count(*) FROM audits.entries), 1100::bigint, 'the service reads those of its context');
CALL tap.act();
SELECT is((SELECT count(*) FROM audits.read_archive(NULL, NULL)), 0::bigint, 'without a context there is nothing');
CALL tap.act(login => 'tap_auditor');
SELECT is((SELECT count(*) FROM audits.read_archive(NULL, NULL)), 3300::bigint, 'an auditor reads all');
SELECT is_empty($$SELECT * FROM audits.verify_archives()$$, 'and finds nothing wrong');
SELECT is((SELECT entries FROM audits.list_archives()), 3300::bigint, 'and sees the list');

SELECT is(
    (SELECT audits.verify_against(c.note) ->> 'status' FROM audits.checkpoints AS c ORDER BY c.tree_size DESC LIMIT 1),
    'consistent', 'what is archived is under a checkpoint, and fits it');
SELECT set_eq($$SELECT DISTINCT verdict FROM audits.verify_chain()$$, ARRAY['pruned'], 'verify_chain() tells only that it was archived');
CALL tap.act(login => 'tap_admin');
SELECT is(audits.verify(false) ->> 'verdict', 'intact', 'the ledger is intact');

-- Archived entries keep their places in the tree.
SELECT is_empty(
    $$
        SELECT b.id
        FROM tap.before AS b,
             LATERAL (SELECT audits.leaf_index(b.id) AS place, max(c.tree_size) AS size FROM audits.checkpoints AS c) AS l
        WHERE b.id % 500 = 0
          AND audits.verify_inclusion(
              decode(b.signature, 'hex'), l.place, l.size, audits.inclusion_proof(l.place, l.size), audits.tree_root(l.size))
              IS NOT TRUE
    $$,
    'leaf_index() finds them, in every ledger');
CALL tap.act('viewer', 'a');
SELECT is(
    (SELECT count(audits.leaf_index(b.id)) FROM tap.before AS b WHERE b.action IN ('action 1', 'action 2', 'action 3')),
    1::bigint, 'a tenant finds its own');

-- The chain goes on.
CALL tap.act('developer', 'a');
SELECT lives_ok($$SELECT audits.append('project', 'project.renamed')$$, 'the ledger goes on');
SELECT results_eq(
    $$SELECT e.is_archived, count(*) FROM audits.entries AS e GROUP BY 1 ORDER BY 1$$,
    $$VALUES (false, 1::bigint), (true, 1100)$$,
    'the view has both');
SELECT is(
    (SELECT e.prev_hash FROM audits.entries AS e WHERE NOT e.is_archived),
    (SELECT e.signature FROM audits.entries AS e WHERE e.is_archived ORDER BY e.seq DESC LIMIT 1),
    'the next entry is chained to the last archived one');

-- What a superuser changes in the archive is told.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION tap.verdicts(statement text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    found text;
BEGIN
    SET LOCAL client_min_messages = error;
    ALTER TABLE audits.archives DISABLE TRIGGER ALL;
    ALTER TABLE audits.archive_segments DISABLE TRIGGER ALL;
    ALTER TABLE audits.lanes DISABLE TRIGGER ALL;
    EXECUTE statement;
    SELECT string_agg(DISTINCT verdict, ' ' ORDER BY verdict) INTO found FROM audits.verify_archives();
    RAISE SQLSTATE 'TAP01';
EXCEPTION
    WHEN SQLSTATE 'TAP01' THEN
        RETURN found;
END
$function$;
CREATE FUNCTION tap.verdict_against(statement text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    found text;
BEGIN
    ALTER TABLE audits.archive_segments DISABLE TRIGGER ALL;
    EXECUTE statement;
    SELECT audits.verify_against(c.note) ->> 'status' INTO found FROM audits.checkpoints AS c ORDER BY c.tree_size DESC LIMIT 1;
    RAISE SQLSTATE 'TAP01';
EXCEPTION
    WHEN SQLSTATE 'TAP01' THEN
        RETURN found;
END
$function$;
SELECT is(tap.verdicts(c.change), c.verdicts, c.change)
FROM (VALUES
    ($$UPDATE audits.archive_segments SET content = set_byte(content, 200, get_byte(content, 200) # 1) WHERE place = 1$$, 'altered'),
    ($$UPDATE audits.archive_segments SET content = substr(content, 1, 500) WHERE place = 1$$, 'altered'),
    ($$UPDATE audits.archive_segments SET content = '' WHERE place = 1$$, 'altered'),
    ($$UPDATE audits.archive_segments SET signatures = set_byte(signatures, 64, get_byte(signatures, 64) # 1) WHERE place = 1$$, 'altered'),
    ($$UPDATE audits.archive_segments SET content = NULL WHERE place = 1$$, 'missing'),
    ($$DELETE FROM audits.archive_segments WHERE place = 0$$, 'altered missing'),
    ($$DELETE FROM audits.archive_segments WHERE place = 5$$, 'altered missing'),
    ($$UPDATE audits.archive_segments SET org_id = tap.id('b') WHERE org_id = tap.id('a')$$, 'forked misplaced missing reordered'),
    ($$DELETE FROM audits.archive_segments; DELETE FROM audits.archives$$, 'missing'),
    ($$UPDATE audits.lanes SET archived_seq = archived_seq + 1$$, 'missing'),
    ($$UPDATE audits.lanes SET archived_seq = archived_seq - 1$$, 'head_mismatch'),
    ($$UPDATE audits.archives SET root = sha256('')$$, 'altered'),
    ($$UPDATE audits.archives SET pruned_at = now(), pruned_by = 'x'; UPDATE audits.archive_segments SET content = NULL$$, 'missing')
) AS c (change, verdicts);

-- So are entries that were made anew with all their hashes: the tree remembers.
SELECT is(
    tap.verdict_against($$UPDATE audits.archive_segments SET signatures = set_byte(signatures, 64, get_byte(signatures, 64) # 1), content = NULL WHERE place = 1$$),
    'inconsistent', 'other signatures do not fit the checkpoint');
SELECT is(
    tap.verdict_against($$UPDATE audits.archive_segments SET content = '' WHERE place = 1$$), 'inconsistent', 'nor do damaged rows');

-- Retention.
SAVEPOINT unlocked;
CALL tap.act(login => 'tap_admin');
SELECT throws_ok($$SELECT audits.lock_retention(now() - interval '1 day')$$, 'VC059', NULL, 'a lock ends in the future');
SELECT throws_ok($$SELECT audits.lock_retention(NULL)$$, 'VC059', NULL, 'at some time');
SELECT lives_ok($$SELECT audits.lock_retention('2100-01-01 00:00:00+00')$$, 'retention is locked');
SELECT throws_ok($$SELECT audits.lock_retention('2099-01-01 00:00:00+00')$$, 'VC059', NULL, 'the lock is not shortened');
SELECT lives_ok($$SELECT audits.lock_retention('2101-01-01 00:00:00+00')$$, 'but lengthened');
SELECT is(audits.retention_locked_until(), '2101-01-01 00:00:00+00', 'the latest is in force');
SELECT throws_ok(
    $$SELECT audits.prune_archive(archive) FROM audits.list_archives()$$, 'VC059', NULL, 'nothing is pruned under a lock');
SELECT throws_ok($$DELETE FROM audits.retention_locks$$, '42501', NULL, 'nobody lifts it');
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT count(*) FROM audits.audit_log WHERE action = 'retention.locked'), 2::bigint, 'the ledger tells of the locks');
-- The only way to prune after all, in a test: as if the lock had never been.
ROLLBACK TO SAVEPOINT unlocked;
CALL tap.act(login => 'tap_admin');
SELECT throws_ok($$SELECT audits.prune_archive(gen_random_uuid())$$, 'VC058', NULL, 'what is not there is not pruned');
SELECT is(
    (SELECT audits.prune_archive(archive) FROM audits.list_archives()), 3300::bigint, 'without a lock an archive is pruned');
SELECT throws_ok(
    $$SELECT audits.prune_archive(archive) FROM audits.list_archives()$$, 'VC058', NULL, 'once');
SELECT is((SELECT pruned_by FROM audits.list_archives()), 'tap_admin', 'its record stays');
SELECT is((SELECT count(*) FROM audits.read_archive(NULL, NULL)), 0::bigint, 'its rows are gone');
SELECT is(audits.leaf_index((SELECT min(b.id) FROM tap.before AS b)), NULL, 'and with them their ids');
SELECT set_eq(
    $$SELECT DISTINCT verdict FROM audits.verify_archives()$$, ARRAY['pruned'], 'and that is told as what it is');
SELECT is(
    (SELECT audits.verify_against(c.note) ->> 'status' FROM audits.checkpoints AS c ORDER BY c.tree_size DESC LIMIT 1),
    'consistent', 'the signatures that stay still fit the checkpoint');
SELECT is(audits.verify(false) ->> 'verdict', 'intact', 'and the ledger is intact');
SELECT ok(
    EXISTS (SELECT FROM audits.verify_chain() AS v WHERE v.detail LIKE '%were deleted with archive%'), 'which verify_chain() says too');
SELECT * FROM finish();
ROLLBACK;
