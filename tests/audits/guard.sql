-- What the ledger consists of is dropped and altered by superusers alone, and by the extension itself. Tried as a
-- member of codeverify_owner that passes row security: whoever else may define nothing here anyway. Each attack is
-- first seen to succeed on a copy without guards.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
SET LOCAL client_min_messages = error;

CREATE ROLE tap_owner LOGIN BYPASSRLS IN ROLE codeverify_owner;
CREATE ROLE tap_member LOGIN IN ROLE codeverify_owner;
-- For what needs more than the tables: to hand on schemas, and to make some.
GRANT CREATE ON DATABASE :"DBNAME" TO codeverify_owner, tap_owner;

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
        RETURN SQLSTATE || CASE WHEN SQLSTATE = 'VC053' THEN '' ELSE ': ' || SQLERRM END;
END
$function$;

-- The copy, named alike: a schema with such tables, functions, triggers, policies and a view.
CREATE SCHEMA plain AUTHORIZATION codeverify_owner;
CREATE SCHEMA elsewhere AUTHORIZATION tap_owner;
GRANT ALL ON SCHEMA elsewhere TO codeverify_owner;
SET LOCAL ROLE codeverify_owner;
CREATE FUNCTION plain.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION plain.append(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE SEQUENCE plain.audit_log_id_seq;
CREATE TABLE plain.audit_log (LIKE audits.audit_log INCLUDING CONSTRAINTS) PARTITION BY RANGE (ts);
ALTER TABLE plain.audit_log ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id, ts);
ALTER TABLE plain.audit_log ALTER COLUMN payload SET DEFAULT '{}';
CREATE TABLE plain.this_month PARTITION OF plain.audit_log
FOR VALUES FROM ('2000-01-01') TO ('2100-01-01');
CREATE INDEX idx_audit_org ON plain.audit_log (org_id, ts);
CREATE TRIGGER audit_log_refuse_changes BEFORE UPDATE OR DELETE ON plain.audit_log FOR EACH ROW EXECUTE FUNCTION plain.refuse_change();
ALTER TABLE plain.audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_log_tenant ON plain.audit_log AS RESTRICTIVE USING (true);
ALTER POLICY audit_log_tenant ON plain.audit_log TO PUBLIC;
CREATE TABLE plain.lanes (LIKE audits.lanes INCLUDING ALL);
CREATE VIEW plain.statistics WITH (security_invoker = true) AS SELECT a.org_id, a.entity FROM plain.audit_log AS a;
RESET ROLE;

CREATE TABLE tap.attack (place int GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO tap.attack (statement)
VALUES
    -- Dropping.
    ('DROP SCHEMA LEDGER CASCADE'),
    ('DROP OWNED BY codeverify_owner CASCADE'),
    ('DROP OWNED BY codeverify_owner, tap_owner CASCADE'),
    ('DROP TABLE LEDGER.audit_log CASCADE'),
    ('DROP TABLE LEDGER.PARTITION CASCADE'),
    ('DROP TABLE IF EXISTS public.nothing, LEDGER.lanes CASCADE'),
    ('DROP VIEW LEDGER.statistics'),
    ('DROP TRIGGER audit_log_refuse_changes ON LEDGER.audit_log'),
    ('DROP POLICY audit_log_tenant ON LEDGER.audit_log'),
    ('DROP INDEX LEDGER.idx_audit_org'),
    ('DROP SEQUENCE LEDGER.audit_log_id_seq CASCADE'),
    ('ALTER TABLE LEDGER.audit_log DROP COLUMN user_agent CASCADE'),
    ('ALTER TABLE LEDGER.audit_log DROP COLUMN IF EXISTS nothing, DROP COLUMN ip_address CASCADE'),
    ('ALTER TABLE LEDGER.audit_log DROP CONSTRAINT audit_log_action_check'),
    ('ALTER TABLE LEDGER.audit_log DROP CONSTRAINT audit_log_pkey'),
    ('ALTER TABLE LEDGER.audit_log ALTER COLUMN payload DROP DEFAULT'),
    ('ALTER TABLE LEDGER.audit_log ALTER COLUMN signature DROP NOT NULL'),
    ('ALTER TABLE LEDGER.lanes DROP CONSTRAINT lanes_org_id_lane_key'),
    -- Triggers and rules.
    ('ALTER TABLE LEDGER.audit_log DISABLE TRIGGER ALL'),
    ('ALTER TABLE LEDGER.audit_log DISABLE TRIGGER USER'),
    ('ALTER TABLE LEDGER.audit_log DISABLE TRIGGER audit_log_refuse_changes'),
    ('ALTER TABLE ONLY LEDGER.audit_log DISABLE TRIGGER audit_log_refuse_changes'),
    ('ALTER TABLE LEDGER.PARTITION DISABLE TRIGGER USER'),
    ('ALTER TABLE ONLY LEDGER.PARTITION DISABLE TRIGGER audit_log_refuse_changes'),
    ('ALTER TABLE IF EXISTS LEDGER.audit_log ALTER COLUMN seq SET STATISTICS 10, DISABLE TRIGGER USER'),
    ('ALTER TABLE LEDGER.audit_log ENABLE TRIGGER audit_log_refuse_changes'),
    ('ALTER TABLE LEDGER.audit_log ENABLE REPLICA TRIGGER audit_log_refuse_changes'),
    ('ALTER TABLE LEDGER.PARTITION ENABLE REPLICA TRIGGER audit_log_refuse_changes'),
    ('ALTER TRIGGER audit_log_refuse_changes ON LEDGER.audit_log RENAME TO harmless'),
    ('CREATE TRIGGER swallow BEFORE INSERT ON LEDGER.audit_log FOR EACH ROW EXECUTE FUNCTION LEDGER.refuse_change()'),
    ('CREATE TRIGGER swallow BEFORE INSERT ON LEDGER.PARTITION FOR EACH ROW EXECUTE FUNCTION LEDGER.refuse_change()'),
    ('CREATE OR REPLACE TRIGGER audit_log_refuse_changes BEFORE UPDATE OF user_agent ON LEDGER.audit_log FOR EACH ROW EXECUTE FUNCTION LEDGER.refuse_change()'),
    ('CREATE RULE swallow AS ON INSERT TO LEDGER.audit_log DO INSTEAD NOTHING'),
    ('CREATE RULE swallow AS ON INSERT TO LEDGER.lanes DO INSTEAD NOTHING'),
    -- Partitions and children.
    ('ALTER TABLE LEDGER.audit_log DETACH PARTITION LEDGER.PARTITION'),
    ('CREATE TABLE elsewhere.forged (LIKE LEDGER.audit_log INCLUDING CONSTRAINTS); ALTER TABLE LEDGER.audit_log ATTACH PARTITION elsewhere.forged FOR VALUES FROM (''1990-01-01'') TO (''1990-02-01'')'),
    ('CREATE TABLE elsewhere.forged PARTITION OF LEDGER.audit_log (CHECK (action = ''x'')) FOR VALUES FROM (''1990-01-01'') TO (''1990-02-01'')'),
    ('CREATE TABLE elsewhere.forged PARTITION OF LEDGER.audit_log (action DEFAULT ''x'') FOR VALUES FROM (''1990-01-01'') TO (''1990-02-01'')'),
    ('CREATE UNLOGGED TABLE elsewhere.forged PARTITION OF LEDGER.audit_log FOR VALUES FROM (''1990-01-01'') TO (''1990-02-01'')'),
    ('CREATE TABLE elsewhere.forged PARTITION OF LEDGER.audit_log FOR VALUES FROM (''1990-01-01'') TO (''1990-02-01'') PARTITION BY RANGE (ts)'),
    ('CREATE TABLE elsewhere.forged () INHERITS (LEDGER.lanes)'),
    ('CREATE TABLE elsewhere.forged (LIKE LEDGER.lanes INCLUDING ALL); ALTER TABLE elsewhere.forged INHERIT LEDGER.lanes'),
    ('CREATE TABLE LEDGER.more (id int)'),
    ('CREATE TABLE LEDGER.more AS SELECT 1 AS id'),
    -- Names, owners, types.
    ('ALTER SCHEMA LEDGER RENAME TO hidden'),
    ('ALTER SCHEMA LEDGER OWNER TO tap_owner'),
    ('ALTER TABLE LEDGER.audit_log RENAME TO hidden'),
    ('ALTER TABLE LEDGER.PARTITION RENAME TO hidden'),
    ('ALTER TABLE LEDGER.audit_log RENAME COLUMN payload TO hidden'),
    ('ALTER TABLE LEDGER.audit_log RENAME CONSTRAINT audit_log_action_check TO hidden'),
    ('ALTER INDEX LEDGER.idx_audit_org RENAME TO hidden'),
    ('ALTER TABLE LEDGER.audit_log SET SCHEMA elsewhere'),
    ('ALTER TABLE LEDGER.PARTITION SET SCHEMA elsewhere'),
    ('ALTER TABLE LEDGER.lanes SET SCHEMA elsewhere'),
    ('ALTER TABLE LEDGER.audit_log OWNER TO tap_owner'),
    ('ALTER TABLE LEDGER.PARTITION OWNER TO tap_owner'),
    ('ALTER TABLE LEDGER.lanes ALTER COLUMN verified_signature TYPE varchar'),
    ('ALTER TABLE LEDGER.lanes ALTER COLUMN lane SET DEFAULT 7'),
    ('ALTER TABLE LEDGER.audit_log ADD COLUMN extra text'),
    ('ALTER TABLE LEDGER.audit_log ADD CONSTRAINT never CHECK (seq > 1000000) NOT VALID'),
    ('ALTER TABLE LEDGER.lanes SET UNLOGGED'),
    ('ALTER TABLE LEDGER.lanes REPLICA IDENTITY NOTHING'),
    ('ALTER SEQUENCE LEDGER.audit_log_id_seq RESTART'),
    ('ALTER SEQUENCE LEDGER.audit_log_id_seq CYCLE MAXVALUE 5 RESTART'),
    -- Row security.
    ('ALTER TABLE LEDGER.audit_log DISABLE ROW LEVEL SECURITY'),
    ('ALTER TABLE LEDGER.audit_log NO FORCE ROW LEVEL SECURITY'),
    ('ALTER TABLE LEDGER.PARTITION NO FORCE ROW LEVEL SECURITY'),
    ('CREATE POLICY wide ON LEDGER.audit_log USING (true)'),
    ('ALTER POLICY audit_log_tenant ON LEDGER.audit_log USING (true)'),
    ('ALTER POLICY audit_log_tenant ON LEDGER.audit_log RENAME TO hidden'),
    ('ALTER VIEW LEDGER.statistics SET (security_invoker = false)'),
    ('CREATE OR REPLACE VIEW LEDGER.fresh AS SELECT 1 AS x'),
    -- Indexes that run somebody's function, or refuse entries.
    ('CREATE INDEX spy ON LEDGER.audit_log (abs(lane))'),
    ('CREATE INDEX spy ON LEDGER.PARTITION (abs(lane))'),
    ('CREATE INDEX spy ON LEDGER.lanes (lane) WHERE lane > 1'),
    ('CREATE UNIQUE INDEX spy ON LEDGER.lanes (archived_seq, id)'),
    ('CREATE STATISTICS LEDGER.spy ON org_id, ts FROM LEDGER.PARTITION'),
    -- Functions.
    ('CREATE OR REPLACE FUNCTION LEDGER.refuse_change() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END'''),
    ('ALTER FUNCTION LEDGER.refuse_change() RENAME TO hidden'),
    ('ALTER FUNCTION LEDGER.refuse_change() OWNER TO tap_owner'),
    ('ALTER FUNCTION LEDGER.refuse_change() SET SCHEMA elsewhere'),
    ('ALTER FUNCTION LEDGER.refuse_change() SET search_path = elsewhere'),
    ('ALTER ROUTINE LEDGER.refuse_change() SECURITY DEFINER'),
    ('CREATE FUNCTION LEDGER.append(text, text) RETURNS bigint LANGUAGE sql AS ''SELECT 1::bigint'''),
    ('CREATE TYPE LEDGER.kind AS ENUM (''x'')'),
    ('DO ''BEGIN ALTER TABLE LEDGER.audit_log DISABLE TRIGGER ALL; END''');
GRANT SELECT ON tap.attack TO PUBLIC;

SELECT to_char(now() AT TIME ZONE 'UTC', '"audit_log_"YYYY_MM') AS partition \gset

-- On the copy. DROP OWNED concerns whatever the owner has, the ledger first.
CALL tap.act(login => 'tap_owner');
SELECT is(
    tap.attempt(regexp_replace(replace(a.statement, 'LEDGER', 'plain'), '\.PARTITION\M', '.this_month', 'g')), 'done',
    'a copy without guards: ' || a.statement)
FROM tap.attack AS a
WHERE a.statement !~ 'OWNED BY'
ORDER BY a.place;

-- On the ledger.
SELECT is(
    tap.attempt(regexp_replace(replace(a.statement, 'LEDGER', 'audits'), '\.PARTITION\M', '.' || :'partition', 'g')), 'VC053',
    'the ledger: ' || a.statement)
FROM tap.attack AS a
ORDER BY a.place;
SET LOCAL ROLE codeverify_owner;
SELECT is(
    tap.attempt(regexp_replace(replace(a.statement, 'LEDGER', 'audits'), '\.PARTITION\M', '.' || :'partition', 'g')), 'VC053',
    'as codeverify_owner: ' || a.statement)
FROM tap.attack AS a
WHERE a.statement !~ 'tap_owner'
ORDER BY a.place;
RESET ROLE;

-- What commits on its way is refused before it begins.
CALL tap.act(login => 'tap_owner');
SELECT is(tap.attempt(replace(a.statement, 'PARTITION_NAME', :'partition')), 'VC053', a.statement)
FROM unnest(ARRAY[
    'ALTER TABLE audits.audit_log DETACH PARTITION audits.PARTITION_NAME CONCURRENTLY',
    'ALTER TABLE audits.audit_log DETACH PARTITION audits.PARTITION_NAME FINALIZE',
    'CREATE INDEX CONCURRENTLY spy ON audits.PARTITION_NAME (abs(lane))',
    'CREATE UNIQUE INDEX CONCURRENTLY spy ON audits.lanes (verified_seq, id)',
    'DROP INDEX CONCURRENTLY audits.idx_audit_org']) AS a (statement);
SET LOCAL search_path = elsewhere, audits, public;
SELECT is(tap.attempt('DROP INDEX CONCURRENTLY idx_audit_org'), 'VC053', 'without a schema too');
SELECT is(tap.attempt('ALTER TABLE audit_log DISABLE TRIGGER ALL'), 'VC053', 'so is what is found by search_path');
SELECT is(tap.attempt('DROP TABLE lanes'), 'VC053', 'or dropped by it');
RESET search_path;

-- Operators of the attacker's own do not mislead the guard.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION elsewhere.never(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR elsewhere.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = elsewhere.never);
CALL tap.act(login => 'tap_owner');
SET LOCAL search_path = elsewhere, pg_catalog, public;
SELECT is(tap.attempt('ALTER TABLE audits.audit_log DISABLE TRIGGER ALL'), 'VC053', 'operators ahead of pg_catalog change nothing');
RESET search_path;

-- In pieces: an extension of the attacker's that takes in what is to be dropped, an owner that has changed.
RESET SESSION AUTHORIZATION;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA elsewhere;
UPDATE pg_extension SET extowner = (SELECT oid FROM pg_roles WHERE rolname = 'tap_owner') WHERE extname = 'citext';
CALL tap.act(login => 'tap_owner');
SELECT is(tap.attempt('ALTER EXTENSION citext ADD TABLE plain.lanes'), 'done', 'an extension may take in a table');
SELECT is(tap.attempt('ALTER EXTENSION citext ADD TABLE audits.lanes'), 'VC053', 'none of the ledger');
SELECT is(tap.attempt('ALTER EXTENSION citext ADD SCHEMA audits'), 'VC053', 'nor its schema');
SELECT is(tap.attempt('ALTER EXTENSION citext ADD SCHEMA tenancy'), 'VC053', 'nor one with functions that the ledger needs');
SELECT is(tap.attempt('ALTER FUNCTION audits.refuse_change() DEPENDS ON EXTENSION citext'), 'VC053', 'nor make a guard go with it');
SELECT is(tap.attempt('ALTER TRIGGER audit_log_refuse_changes ON audits.audit_log DEPENDS ON EXTENSION citext'), 'VC053', 'nor its trigger');
SELECT is(tap.attempt('DROP SCHEMA tenancy CASCADE'), 'VC053', 'a schema that would take the extension along stays');
SELECT is(tap.attempt('DROP SCHEMA plain, codeverify CASCADE'), 'VC053', 'among others too');
SELECT is(tap.attempt('ALTER SCHEMA tenancy RENAME TO other'), 'VC053', 'it keeps its name');
SELECT is(tap.attempt('ALTER FUNCTION tenancy.current_org_id() RENAME TO other'), 'VC053', 'so do the functions of the extension');
SELECT is(tap.attempt('DROP SCHEMA plain CASCADE'), 'done', 'any other may go');
SELECT is(
    tap.attempt('REASSIGN OWNED BY codeverify_owner TO tap_owner; DROP OWNED BY tap_owner CASCADE'), 'VC053',
    'a new owner drops nothing');
SELECT is(
    tap.attempt('REASSIGN OWNED BY codeverify_owner TO tap_owner; ALTER TABLE audits.audit_log DISABLE TRIGGER ALL'), 'VC053',
    'and disables nothing');

-- A partition that a superuser attached from another schema.
RESET SESSION AUTHORIZATION;
CREATE TABLE elsewhere.attached (LIKE audits.audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE elsewhere.free (LIKE audits.audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TRIGGER audit_log_refuse_changes BEFORE UPDATE ON elsewhere.free FOR EACH ROW EXECUTE FUNCTION plain.refuse_change();
ALTER TABLE elsewhere.free OWNER TO codeverify_owner;
ALTER TABLE audits.audit_log ATTACH PARTITION elsewhere.attached FOR VALUES FROM ('1990-01-01 00:00+00') TO ('1990-02-01 00:00+00');
CREATE SCHEMA another AUTHORIZATION tap_owner;
CREATE TABLE another.attached (LIKE audits.audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE audits.audit_log ATTACH PARTITION another.attached FOR VALUES FROM ('1990-02-01 00:00+00') TO ('1990-03-01 00:00+00');
CALL tap.act(login => 'tap_owner');
SELECT is(tap.attempt(replace(a.statement, 'TARGET', t.name)), t.expected, replace(a.statement, 'TARGET', t.name))
FROM (VALUES
    ('DROP TABLE elsewhere.TARGET'),
    ('DROP TRIGGER IF EXISTS TARGET_refuse_statements ON elsewhere.TARGET'),
    ('ALTER TABLE elsewhere.TARGET DISABLE TRIGGER USER'),
    ('ALTER TABLE elsewhere.TARGET RENAME TO hidden'),
    ('ALTER TABLE elsewhere.TARGET DROP CONSTRAINT audit_log_action_check'),
    ('ALTER TABLE elsewhere.TARGET ADD COLUMN extra text; ALTER TABLE elsewhere.TARGET DROP COLUMN extra'),
    ('CREATE INDEX mine ON elsewhere.TARGET (abs(lane)); DROP INDEX elsewhere.mine')
) AS a (statement)
CROSS JOIN (VALUES ('free', 'done')) AS t (name, expected);
SELECT is(tap.attempt(a.statement), 'VC053', a.statement)
FROM unnest(ARRAY[
    'DROP TABLE elsewhere.attached',
    'DROP TABLE plain.lanes, elsewhere.attached',
    'DROP TRIGGER attached_refuse_statements ON elsewhere.attached',
    'ALTER TABLE elsewhere.attached DISABLE TRIGGER USER',
    'ALTER TABLE elsewhere.attached RENAME TO hidden',
    'ALTER TABLE elsewhere.attached SET SCHEMA plain',
    'ALTER TABLE elsewhere.attached NO FORCE ROW LEVEL SECURITY',
    'CREATE INDEX mine ON elsewhere.attached (abs(lane))',
    'DROP SCHEMA another CASCADE']) AS a (statement);

-- What would hide entries, show them to others, or refuse new ones: a long value does not fit into an index.
SELECT is(tap.attempt(a.statement), 'VC053', a.statement)
FROM unnest(ARRAY[
    'CREATE INDEX mine ON audits.audit_log (user_agent)',
    'CREATE POLICY mine ON audits.audit_log AS RESTRICTIVE USING (false)',
    'ALTER TABLE audits.entries SET (security_invoker = false)',
    'ALTER VIEW audits.entries SET (security_invoker = false)']) AS a (statement);

-- A table of one's own has whatever partitions one likes.
RESET SESSION AUTHORIZATION;
CREATE SCHEMA unrelated AUTHORIZATION tap_nobody;
CALL tap.act(login => 'tap_nobody');
SELECT lives_ok(
    $$CREATE TABLE unrelated.parent (a int) PARTITION BY RANGE (a);
      CREATE TABLE unrelated.made PARTITION OF unrelated.parent FOR VALUES FROM (0) TO (10);
      CREATE TABLE unrelated.attached (a int);
      ALTER TABLE unrelated.parent ATTACH PARTITION unrelated.attached FOR VALUES FROM (10) TO (20)$$,
    'partitions of a table of somebody without any role here');
CALL tap.act(login => 'tap_owner');

-- What is allowed: comments, tuning, stronger row security, partitions like the documented ones.
SELECT is(tap.attempt(replace(a.statement, 'PARTITION_NAME', :'partition')), 'done', a.statement)
FROM unnest(ARRAY[
    'COMMENT ON TABLE audits.audit_log IS ''mine''',
    'ALTER TABLE audits.PARTITION_NAME SET (fillfactor = 90)',
    'ALTER TABLE audits.audit_log ALTER COLUMN seq SET STATISTICS 100',
    'ALTER TABLE audits.lanes FORCE ROW LEVEL SECURITY',
    'GRANT SELECT ON audits.audit_log TO tap_auditor',
    'CREATE TABLE audits.audit_log_1990_03 PARTITION OF audits.audit_log FOR VALUES FROM (''1990-03-01'') TO (''1990-04-01'')',
    'CREATE TABLE IF NOT EXISTS elsewhere.mine PARTITION OF audits.audit_log FOR VALUES FROM (''1990-03-01'') TO (''1990-04-01'')',
    'REINDEX TABLE audits.PARTITION_NAME',
    'CREATE TABLE elsewhere.mine (id int); ALTER TABLE elsewhere.mine ADD COLUMN x int; DROP TABLE elsewhere.mine',
    'SELECT codeverify.create_partitions(''audits.audit_log'', ''month'', 2, 9)']) AS a (statement);
SELECT lives_ok(
    'CREATE TABLE audits.audit_log_1990_03 PARTITION OF audits.audit_log FOR VALUES FROM (''1990-03-01 00:00+00'') TO (''1990-04-01 00:00+00'')',
    'a partition is made');
CALL tap.act(login => 'tap_member');
SELECT lives_ok(
    'CREATE TABLE audits.audit_log_1990_04 PARTITION OF audits.audit_log FOR VALUES FROM (''1990-04-01 00:00+00'') TO (''1990-05-01 00:00+00'')',
    'also by a member that row security binds');
RESET SESSION AUTHORIZATION;
SELECT is_empty('SELECT codeverify.list_unguarded()', 'and is guarded at once');

-- Everybody else defines nothing here, and is not held up elsewhere.
CREATE TABLE tap.login (name name);
INSERT INTO tap.login VALUES ('tap_admin'), ('tap_service'), ('tap_tenant'), ('tap_ingest'), ('tap_auditor'), ('tap_nobody');
CREATE FUNCTION tap.attempt_as(login name, attack text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    outcome text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', login);
    outcome := tap.attempt(attack);
    RESET ROLE;
    RETURN outcome;
END
$function$;
SELECT matches(
    tap.attempt_as(l.name, regexp_replace(replace(a.statement, 'LEDGER', 'audits'), '\.PARTITION\M', '.' || :'partition', 'g')),
    '^(42501|VC053)', format('%s: %s', l.name, a.statement))
FROM tap.login AS l
CROSS JOIN tap.attack AS a
WHERE a.statement !~ 'elsewhere'
ORDER BY l.name, a.place;
SELECT is(
    tap.attempt_as(l.name, 'CREATE TEMP TABLE mine (id int) ON COMMIT DROP; ALTER TABLE mine ADD x int; DROP TABLE mine'), 'done',
    l.name || ' has tables of its own')
FROM tap.login AS l;

-- Superusers may.
SELECT is(tap.attempt('ALTER TABLE audits.audit_log DISABLE TRIGGER ALL'), 'done', 'a superuser may disable triggers');
SELECT is(tap.attempt('DROP TABLE audits.lanes'), 'done', 'and drop tables');
SELECT is(tap.attempt('ALTER EVENT TRIGGER codeverify_guard_definitions_end DISABLE'), 'done', 'and disable the guard');
CALL tap.act(login => 'tap_owner');
SELECT matches(tap.attempt('ALTER EVENT TRIGGER codeverify_guard_definitions_end DISABLE'), '^42501', 'nobody else disables it');
SELECT matches(tap.attempt('DROP EVENT TRIGGER codeverify_guard_definitions_end'), '^42501', 'or drops it');
SELECT matches(tap.attempt('DROP EXTENSION codeverify CASCADE'), '^42501', 'or the extension');
SELECT matches(tap.attempt('SET session_replication_role = replica'), '^42501', 'or silences triggers');
RESET SESSION AUTHORIZATION;
GRANT SET ON PARAMETER session_replication_role TO tap_owner;
CALL tap.act(login => 'tap_owner');
SET LOCAL session_replication_role = replica;
SELECT is(tap.attempt('ALTER TABLE audits.audit_log DISABLE TRIGGER ALL'), 'VC053', 'who may silence triggers does not silence the guard');
SELECT is(tap.attempt('DROP TABLE audits.lanes'), 'VC053', 'for drops neither');
RESET session_replication_role;

-- The functions by themselves.
SELECT is(tap.attempt($$SELECT audits.refuse_statements('audits.lanes')$$), 'VC053', 'guards are not added by hand either');
RESET SESSION AUTHORIZATION;
CREATE TABLE tap.mine (id int);
CREATE TRIGGER mine BEFORE DELETE ON tap.mine FOR EACH STATEMENT EXECUTE FUNCTION audits.refuse_change();
SELECT is(tap.attempt('DELETE FROM tap.mine'), 'VC053', 'on a table of one''s own the trigger function does what it says');

SELECT * FROM finish();
ROLLBACK;
