-- Entries of the ledger are final: UPDATE, DELETE, TRUNCATE and MERGE are refused for every role, by whichever name of
-- the table. Each attack is first seen to succeed on a copy of the table without the guard.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CREATE ROLE tap_owner LOGIN BYPASSRLS IN ROLE codeverify_owner;
CREATE ROLE tap_bypass LOGIN BYPASSRLS IN ROLE codeverify_admin;
CREATE ROLE tap_super LOGIN SUPERUSER;

-- The copy: the same columns and partitions, in a schema of the owner.
GRANT CREATE ON DATABASE :"DBNAME" TO codeverify_owner;
CREATE SCHEMA plain AUTHORIZATION codeverify_owner;
SET LOCAL ROLE codeverify_owner;
CREATE TABLE plain.audit_log (LIKE audits.audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES) PARTITION BY RANGE (ts);
RESET ROLE;
DO $copy$
DECLARE
    partition record;
BEGIN
    FOR partition IN
        SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'audits.audit_log'::regclass
    LOOP
        EXECUTE format('CREATE TABLE plain.%I PARTITION OF plain.audit_log %s', partition.relname, partition.bound);
        EXECUTE format('ALTER TABLE plain.%I OWNER TO codeverify_owner', partition.relname);
    END LOOP;
END
$copy$;
INSERT INTO plain.audit_log SELECT * FROM audits.audit_log;

-- What a login may do to the ledger it may do to the copy too, except for what the attack is about.
CREATE FUNCTION tap.attempt(attack text)
RETURNS text
LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE attack;
    RAISE EXCEPTION USING ERRCODE = 'VC999';
EXCEPTION
    WHEN SQLSTATE 'VC999' THEN
        RETURN 'done';
    WHEN OTHERS THEN
        RETURN SQLSTATE;
END
$function$;

CREATE TABLE tap.attack (title text, statement text);
INSERT INTO tap.attack
SELECT format('%s of %s', a.title, n.name), replace(a.statement, 'TARGET', n.name)
FROM (VALUES
    ('an update', $$UPDATE LEDGER.TARGET SET action = 'forged'$$),
    ('an update of one column that the ledger sets', $$UPDATE LEDGER.TARGET SET signature = repeat('0', 64)$$),
    ('an update that moves rows to another partition', $$UPDATE LEDGER.TARGET SET ts = ts + interval '0 years' WHERE id > 0$$),
    ('an update without rows', $$UPDATE LEDGER.TARGET SET action = 'forged' WHERE false$$),
    ('a delete', 'DELETE FROM LEDGER.TARGET'),
    ('a delete without rows', 'DELETE FROM LEDGER.TARGET WHERE false'),
    ('a truncate', 'TRUNCATE LEDGER.TARGET'),
    ('a truncate with cascade', 'TRUNCATE LEDGER.TARGET RESTART IDENTITY CASCADE'),
    ('a merge that updates',
     $$MERGE INTO LEDGER.TARGET AS t USING (VALUES (1)) AS s (n) ON t.lane <> s.n WHEN MATCHED THEN UPDATE SET action = 'forged'$$),
    ('a merge that deletes',
     'MERGE INTO LEDGER.TARGET AS t USING (VALUES (1)) AS s (n) ON t.lane <> s.n WHEN MATCHED THEN DELETE'),
    ('an update in a query', $$WITH u AS (UPDATE LEDGER.TARGET SET action = 'forged' RETURNING 1) SELECT count(*) FROM u$$),
    ('an insert that updates',
     $$INSERT INTO LEDGER.TARGET (id, ts, action, lane, seq, signature, prev_hash)
       SELECT id, ts, action, lane, seq, signature, prev_hash FROM LEDGER.TARGET
       ON CONFLICT (id, ts) DO UPDATE SET action = 'forged'$$)
) AS a (title, statement)
CROSS JOIN (
    SELECT 'audit_log'
    UNION ALL SELECT 'audit_log_default'
    UNION ALL SELECT to_char(now() AT TIME ZONE 'UTC', '"audit_log_"YYYY_MM')
    -- One without any entry.
    UNION ALL SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 months', '"audit_log_"YYYY_MM')
) AS n (name);
GRANT SELECT ON tap.attack TO PUBLIC;

CREATE FUNCTION tap.test_attacks(login name, expected text, schema_name name DEFAULT 'audits')
RETURNS SETOF text
LANGUAGE sql
AS $function$
    SELECT is(
        tap.attempt(replace(a.statement, 'LEDGER', schema_name)), expected,
        format('%s: %s in %s', login, a.title, schema_name))
    FROM tap.attack AS a
    ORDER BY a.title
$function$;

SELECT tap.test_attacks('the superuser', 'done', 'plain');
SELECT tap.test_attacks('the superuser', 'VC053');

CALL tap.act(login => 'tap_owner');
SELECT tap.test_attacks('a member of codeverify_owner', 'done', 'plain');
SELECT tap.test_attacks('a member of codeverify_owner', 'VC053');
SET LOCAL ROLE codeverify_owner;
SELECT tap.test_attacks('codeverify_owner', 'VC053');
RESET ROLE;

CALL tap.act('owner', 'a', 'tap_service');
SELECT tap.test_attacks('the service', '42501');
CALL tap.act('owner', 'a');
SELECT tap.test_attacks('an owner', '42501');
CALL tap.act(login => 'tap_admin');
SELECT tap.test_attacks('an administrator', '42501');
CALL tap.act(login => 'tap_bypass');
SELECT tap.test_attacks('an administrator who passes row security', '42501');
CALL tap.act(login => 'tap_auditor');
SELECT tap.test_attacks('an auditor', '42501');
CALL tap.act(login => 'tap_ingest');
SELECT tap.test_attacks('an ingester', '42501');
CALL tap.act(login => 'tap_nobody');
SELECT tap.test_attacks('somebody', '42501');

-- A grant makes no difference, whoever got it by mistake.
RESET SESSION AUTHORIZATION;
GRANT ALL ON audits.audit_log TO codeverify_service;
CALL tap.act('owner', 'a', 'tap_service');
SELECT is(tap.attempt($$UPDATE audits.audit_log SET action = 'forged'$$), 'VC053', 'a grant is not enough to update');
SELECT is(tap.attempt('DELETE FROM audits.audit_log'), 'VC053', 'nor to delete');
SELECT is(tap.attempt('TRUNCATE audits.audit_log'), 'VC053', 'nor to truncate');
RESET SESSION AUTHORIZATION;
REVOKE ALL ON audits.audit_log FROM codeverify_service;

-- What says so says what to do.
SELECT throws_ok('DELETE FROM audits.audit_log', 'VC053', 'DELETE on audits.audit_log is refused', 'the message names command and table');
CREATE FUNCTION tap.hint(attack text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    hint text;
BEGIN
    EXECUTE attack;
    RETURN NULL;
EXCEPTION
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
        RETURN hint;
END
$function$;
SELECT matches(tap.hint('DELETE FROM audits.audit_log'), 'Append another entry', 'the hint says what to do');
SELECT matches(tap.hint('TRUNCATE audits.audit_log'), 'archive_partition', 'and how old entries leave');

-- As a subscription or a restore would write: ordinary triggers are silent then.
SET LOCAL session_replication_role = replica;
SELECT tap.test_attacks('the superuser as a replica', 'VC053');
SET LOCAL session_replication_role = origin;

-- Partitions of the future: made by codeverify.create_partitions(), as documented, and attached by hand.
SELECT codeverify.create_partitions('audits.audit_log', 'month', 1, 8) \g /dev/null
CREATE TABLE audits.audit_log_2001_01 PARTITION OF audits.audit_log FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-02-01 00:00+00');
CREATE SCHEMA elsewhere;
GRANT USAGE ON SCHEMA elsewhere TO PUBLIC;
SET LOCAL client_min_messages = error;
CREATE TABLE elsewhere.attached (LIKE audits.audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
GRANT ALL ON elsewhere.attached TO PUBLIC, codeverify_tenant;
ALTER TABLE audits.audit_log ATTACH PARTITION elsewhere.attached FOR VALUES FROM ('2001-02-01 00:00+00') TO ('2001-03-01 00:00+00');
-- A table that has partitions itself.
CREATE TABLE elsewhere.split (LIKE audits.audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (ts);
CREATE TABLE elsewhere.split_1 PARTITION OF elsewhere.split FOR VALUES FROM ('2001-03-01 00:00+00') TO ('2001-03-15 00:00+00');
ALTER TABLE audits.audit_log ATTACH PARTITION elsewhere.split FOR VALUES FROM ('2001-03-01 00:00+00') TO ('2001-04-01 00:00+00');
CREATE TABLE elsewhere.split_2 PARTITION OF elsewhere.split FOR VALUES FROM ('2001-03-15 00:00+00') TO ('2001-04-01 00:00+00');
-- One that comes with its schema, in the same command.
CREATE SCHEMA together
CREATE TABLE audit_log_2001_04 PARTITION OF audits.audit_log FOR VALUES FROM ('2001-04-01 00:00+00') TO ('2001-05-01 00:00+00');
SELECT is_empty('SELECT codeverify.list_unguarded()', 'all of them have the triggers');
SELECT is(tap.attempt(format('%s %s', a.command, t.relid)), 'VC053', format('%s %s', a.command, t.relid))
FROM pg_partition_tree('audits.audit_log') AS t
CROSS JOIN unnest(ARRAY['DELETE FROM', 'TRUNCATE']) AS a (command)
WHERE t.relid::regclass::text ~ '2001|elsewhere'
ORDER BY 1;

-- The ledger cannot be reached by a partition's name.
SELECT is_empty(
    $$
        SELECT c.oid::regclass, a.grantee::regrole
        FROM pg_partition_tree('audits.audit_log') AS t
        JOIN pg_class AS c ON c.oid = t.relid
        CROSS JOIN aclexplode(c.relacl) AS a
        WHERE t.level > 0
          AND a.grantee <> c.relowner
    $$,
    'no partition has a grant, the attached ones neither');
SELECT is_empty(
    $$
        SELECT v.table_name
        FROM tenancy.coverage AS v
        WHERE v.is_partition
          AND v.schema_name IN ('audits', 'elsewhere', 'together')
          AND NOT (v.row_security AND v.forced AND v.restrictive_policy)
    $$,
    'row security is forced on all, with the policy of the table');
SELECT is_empty(
    $$SELECT t.relid FROM pg_partition_tree('audits.audit_log') AS t JOIN pg_class AS c ON c.oid = t.relid WHERE c.relowner <> 'codeverify_owner'::regrole$$,
    'and codeverify_owner owns them');

CREATE TABLE tap.approach (statement text);
INSERT INTO tap.approach
SELECT replace(c.statement, 'TARGET', t.relid::regclass::text)
FROM pg_partition_tree('audits.audit_log') AS t
CROSS JOIN (VALUES ('TABLE TARGET'), ($$INSERT INTO TARGET (action) VALUES ('x')$$), ('LOCK TARGET IN SHARE MODE')) AS c (statement)
WHERE t.level > 0;
GRANT SELECT ON tap.approach TO PUBLIC;

CREATE FUNCTION tap.test_names(login name)
RETURNS SETOF text
LANGUAGE sql
AS $function$
    SELECT is(tap.attempt(a.statement), '42501', format('%s: %s', login, a.statement))
    FROM tap.approach AS a
    ORDER BY a.statement
$function$;
CALL tap.act('owner', 'a');
SELECT tap.test_names('an owner');
CALL tap.act('owner', 'a', 'tap_service');
SELECT tap.test_names('the service');
CALL tap.act(login => 'tap_admin');
SELECT tap.test_names('an administrator');
CALL tap.act(login => 'tap_auditor');
SELECT tap.test_names('an auditor');
CALL tap.act(login => 'tap_ingest');
SELECT tap.test_names('an ingester');
CALL tap.act(login => 'tap_nobody');
SELECT tap.test_names('somebody');
RESET SESSION AUTHORIZATION;

-- Other tables of the ledger.
SELECT is_empty(
    $$SELECT f.relation FROM audits.list_final_tables() AS f (relation) WHERE NOT audits.refuses_statements(f.relation)$$,
    'tables that only gain rows refuse the rest');
SELECT is_empty(
    $$
        SELECT g.tgrelid::regclass, g.tgname
        FROM pg_trigger AS g
        JOIN pg_class AS c ON c.oid = g.tgrelid
        WHERE c.relnamespace = 'audits'::regnamespace
          AND g.tgfoid = 'audits.refuse_change()'::regprocedure
          AND g.tgenabled <> 'A'
    $$,
    'every guard fires always');
SELECT isnt_empty('SELECT FROM audits.lanes', 'there are lanes');
SELECT is(tap.attempt('UPDATE audits.lanes SET verified_seq = 0'), 'done', 'a lane may be verified again from its beginning');
SELECT is(tap.attempt('UPDATE audits.lanes SET checkpointed_seq = checkpointed_seq + 1'), 'done', 'and be checkpointed further');
SELECT is(tap.attempt('UPDATE audits.lanes SET checkpointed_seq = checkpointed_seq + 1; UPDATE audits.lanes SET checkpointed_seq = 0'), 'VC053', 'not less far');
SELECT is(tap.attempt('UPDATE audits.lanes SET archived_seq = 1; UPDATE audits.lanes SET archived_seq = 0'), 'VC053', 'what is archived stays so');
SELECT is(tap.attempt('UPDATE audits.lanes SET lane = 31 - lane'), 'VC053', 'it keeps its number');
SELECT is(tap.attempt('UPDATE audits.lanes SET org_id = NULL'), 'VC053', 'and its organization');
SELECT is(tap.attempt('DELETE FROM audits.lanes'), 'VC053', 'and is not forgotten');
SELECT is(tap.attempt('TRUNCATE audits.lanes'), 'VC053', 'not all of them either');

-- The Merkle tree grows to the right.
INSERT INTO audits.merkle_tiles (level, tile_index, hashes) VALUES (10, 7, decode(repeat('ab', 64), 'hex'));
SELECT is(
    tap.attempt($$UPDATE audits.merkle_tiles SET hashes = hashes || decode(repeat('cd', 32), 'hex') WHERE level = 10$$), 'done',
    'a tile gains hashes');
SELECT is(tap.attempt('UPDATE audits.merkle_tiles SET hashes = substring(hashes FOR 32) WHERE level = 10'), 'VC053', 'it does not lose any');
SELECT is(tap.attempt('UPDATE audits.merkle_tiles SET hashes = set_byte(hashes, 63, 1) WHERE level = 10'), 'VC053', 'none is changed');
SELECT is(
    tap.attempt('UPDATE audits.merkle_tiles SET hashes = set_byte(hashes, 0, 1) || hashes WHERE level = 10'), 'VC053',
    'while others are added either');
SELECT is(tap.attempt('UPDATE audits.merkle_tiles SET tile_index = 8 WHERE level = 10'), 'VC053', 'it keeps its place');
SELECT is(tap.attempt('UPDATE audits.merkle_tiles SET level = 9 WHERE level = 10'), 'VC053', 'and its level');
SELECT is(tap.attempt('DELETE FROM audits.merkle_tiles'), 'VC053', 'and stays');
SELECT is(tap.attempt('TRUNCATE audits.merkle_tiles'), 'VC053', 'as all of them do');

-- Keys of persons are erased, and nothing else.
INSERT INTO audits.subject_keys (subject_id, key) VALUES (tap.id('person'), decode(repeat('ab', 32), 'hex'));
INSERT INTO audits.subject_keys (subject_id, erased_at, erased_by) VALUES (tap.id('erased'), now(), 'somebody');
SELECT is(
    tap.attempt($$UPDATE audits.subject_keys SET key = NULL, erased_at = now(), erased_by = 'me' WHERE subject_id = tap.id('person')$$),
    'done', 'a key is erased');
SELECT is(
    tap.attempt($$UPDATE audits.subject_keys SET key = decode(repeat('cd', 32), 'hex') WHERE subject_id = tap.id('person')$$), 'VC053',
    'it is not changed');
SELECT is(tap.attempt($$UPDATE audits.subject_keys SET subject_id = tap.id('another')$$), 'VC053', 'it stays the same person''s');
SELECT is(
    tap.attempt($$UPDATE audits.subject_keys SET erased_by = 'another' WHERE subject_id = tap.id('erased')$$), 'VC053',
    'who erased it stays known');
SELECT is(
    tap.attempt($$UPDATE audits.subject_keys SET key = decode(repeat('cd', 32), 'hex'), erased_at = NULL, erased_by = NULL
                  WHERE subject_id = tap.id('erased')$$),
    'VC053', 'and it does not come back');
SELECT is(tap.attempt('DELETE FROM audits.subject_keys'), 'VC053', 'none is deleted');
SELECT is(tap.attempt('TRUNCATE audits.subject_keys'), 'VC053', 'nor all');

SELECT * FROM finish();
ROLLBACK;
