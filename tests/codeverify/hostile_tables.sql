-- A partition set whose owner has put code wherever planning a query or CREATE INDEX works out what is constant:
-- whatever maintenance asks of it runs that as the owner, never as codeverify_owner.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
SET LOCAL codeverify.clock = '2026-06-15 12:00:00+00';
SET LOCAL codeverify.own_transactions = off;
SET LOCAL client_min_messages = warning;

CREATE ROLE tap_app NOLOGIN;
CREATE ROLE tap_member LOGIN IN ROLE tap_app, codeverify_admin;
GRANT tap_app TO codeverify_owner;
CREATE SCHEMA app AUTHORIZATION tap_app;
GRANT USAGE ON SCHEMA app TO PUBLIC;
-- What is undone is seen as well.
CREATE SEQUENCE tap.runs_as_owner;
CREATE SEQUENCE tap.runs_as_others;
CREATE SEQUENCE tap.sights;
GRANT USAGE ON SEQUENCE tap.runs_as_owner, tap.runs_as_others, tap.sights TO PUBLIC;

SET LOCAL ROLE tap_app;
CREATE TABLE app.hidden AS SELECT 1 AS n;
ALTER TABLE app.hidden ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.hidden FORCE ROW LEVEL SECURITY;
CREATE TYPE app.color AS ENUM ('red', 'green');
CREATE FUNCTION app.attack()
RETURNS text
LANGUAGE plpgsql
VOLATILE
AS $function$
BEGIN
    PERFORM nextval(CASE current_user WHEN 'tap_app' THEN 'tap.runs_as_owner' ELSE 'tap.runs_as_others' END);
    BEGIN
        PERFORM nextval('tap.sights') FROM app.hidden;
    EXCEPTION
        WHEN insufficient_privilege THEN
            NULL;
    END;
    RETURN 'x';
END
$function$;
CREATE FUNCTION app.blacken(color app.color)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
AS $function$
BEGIN
    RETURN app.attack();
END
$function$;
CREATE CAST (app.color AS text) WITH FUNCTION app.blacken(app.color) AS IMPLICIT;
CREATE DOMAIN app.remark AS text CHECK (app.attack() = 'x');
CREATE TABLE app.lines (at timestamptz NOT NULL, color app.color, note app.remark) PARTITION BY RANGE (at);
CREATE TABLE app.lines_default PARTITION OF app.lines DEFAULT;
INSERT INTO app.lines
SELECT d.at, 'red', 'a note'
FROM generate_series('2026-03-01 12:00+00'::timestamptz, '2026-06-15 12:00+00', '1 day') AS d (at);
CREATE INDEX lines_default_attack_idx ON app.lines (app.blacken('red'));
CREATE STATISTICS app.lines_attack ON (app.blacken('green')) FROM app.lines_default;
-- The owner sees no row of it.
ALTER TABLE app.lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.lines FORCE ROW LEVEL SECURITY;
ALTER TABLE app.lines_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.lines_default FORCE ROW LEVEL SECURITY;
RESET ROLE;

-- Since the last time.
CREATE FUNCTION tap.witnesses()
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    outcome text := concat_ws(
        ', ',
        CASE WHEN (SELECT s.is_called FROM tap.runs_as_owner AS s) THEN 'as the owner' END,
        CASE WHEN (SELECT s.is_called FROM tap.runs_as_others AS s) THEN 'as somebody else' END,
        CASE WHEN (SELECT s.is_called FROM tap.sights AS s) THEN 'past row security' END);
BEGIN
    PERFORM setval(s.name, 1, false) FROM unnest('{tap.runs_as_owner,tap.runs_as_others,tap.sights}'::text[]) AS s (name);
    RETURN outcome;
END
$function$;

SELECT tap.witnesses() \g /dev/null
CALL tap.act(login => 'tap_member');
SELECT throws_ok(
    $$SELECT codeverify.configure_partitions('app.lines', 'month', closed_indexes => ARRAY['(lower(CASE WHEN true THEN ''red'' ELSE color END))'])$$,
    '22023', NULL, 'an index that takes their cast of a constant is refused');
RESET SESSION AUTHORIZATION;
SELECT is(tap.witnesses(), 'as the owner', 'whose definition was read as the owner');
CALL tap.act(login => 'tap_member');
SELECT lives_ok($$SELECT codeverify.configure_partitions('app.lines', 'month', closed_indexes => '{(note)}')$$, 'one of a column is not');
RESET SESSION AUTHORIZATION;
SELECT is_empty($$SELECT FROM pg_class WHERE relname LIKE 'codeverify_scratch%'$$, 'and leaves nothing behind');

SELECT tap.witnesses() \g /dev/null
SELECT is((SELECT default_rows FROM codeverify.maintenance_status WHERE parent = 'app.lines'::regclass), '107', 'rows in its default partition are counted, all of them');
SELECT is(tap.witnesses(), 'as the owner', 'as the owner');

SELECT tap.witnesses() \g /dev/null
SELECT bag_eq(
    $$SELECT action, count(*)::int FROM codeverify.maintain('partitions') WHERE target = 'app.lines' GROUP BY action$$,
    $$VALUES ('made', 7)$$,
    'months behind and ahead are made');
SELECT is(tap.witnesses(), 'as the owner', 'as the owner');
SELECT is((SELECT count(*) FROM ONLY app.lines_default), 0::bigint, 'with all rows');

SELECT tap.witnesses() \g /dev/null
SELECT is((SELECT array_agg(DISTINCT action) FROM codeverify.maintain('indexes') WHERE target = 'app.lines'), '{indexed}', 'closed months get the index');
SELECT is(tap.witnesses(), '', 'which has nothing of the kind');

-- A month is packed, then rows that came too late for it.
SELECT codeverify.configure_partitions('app.lines', compress_after => '60 days') \g /dev/null
SELECT tap.witnesses() \g /dev/null
SELECT bag_eq(
    $$SELECT action FROM codeverify.maintain('compression') WHERE target = 'app.lines'$$,
    $$VALUES ('packed'), ('emptied'), ('dropped')$$,
    'a month is packed, emptied and dropped');
SELECT is(tap.witnesses(), 'as the owner', 'as the owner');
SELECT is((SELECT count(*) FROM codeverify.read_all_packed('app.lines')), 31::bigint, 'with rows that the owner does not see');
INSERT INTO app.lines VALUES ('2026-03-05 00:00+00', 'green', 'late');
SELECT tap.witnesses() \g /dev/null
SELECT is((SELECT array_agg(action || ': ' || detail) FROM codeverify.maintain('compression') WHERE target = 'app.lines'),
    '{"failed: app.lines_default cannot be packed"}', 'late rows that the owner may not delete stay');
SELECT is(tap.witnesses(), 'as the owner', 'which the owner found out');

-- Retention by archive, and by drop.
SELECT codeverify.configure_partitions('app.lines', reset => '{compress_after}', retention => '30 days', action => 'archive') \g /dev/null
SELECT tap.witnesses() \g /dev/null
SELECT is((SELECT array_agg(action) FROM codeverify.maintain('retention') WHERE target = 'app.lines'), '{archived,dropped}', 'a month is archived');
SELECT unalike(tap.witnesses(), '%somebody%', 'as nobody else than the owner');
SELECT is((SELECT count(*) FROM codeverify.read_all_packed('app.lines')), 61::bigint, 'whole');
SELECT codeverify.configure_partitions('app.lines', action => 'drop') \g /dev/null
SELECT tap.witnesses() \g /dev/null
SELECT matches((SELECT string_agg(detail, ', ') FROM codeverify.maintain('retention') WHERE target = 'app.lines'),
    '^rows of app.lines_default that are past retention cannot be deleted as its owner$', 'late rows past retention are seen, though not by the owner');
SELECT is(tap.witnesses(), 'as the owner', 'as the owner');

-- What the owner's code asks while a query is planned is not read with the rights of maintenance.
SELECT is(codeverify.read_as_owner_of('app.lines', 'SELECT count(*)::text FROM app.lines'), '47', 'the query itself is');
SELECT throws_ok($$SELECT codeverify.read_as_owner_of('app.lines', 'SELECT 1; SELECT count(*)::text FROM auth.users')$$, '42501', NULL, 'nor is a second one');
SELECT throws_ok($$SELECT codeverify.read_as_owner_of('app.lines', 'SELECT set_config(''role'', ''codeverify_owner'', false)')$$, '42501', NULL, 'and it becomes nobody else');
SELECT throws_ok($$SELECT codeverify.read_as_owner_of('app.lines', 'SELECT 1 +')$$, '42601', NULL, 'a query that fails');
CALL tap.act(login => 'tap_member');
SELECT throws_ok($$SELECT codeverify.read_as_owner_of('app.lines', 'SELECT 1')$$, '42501', NULL, 'is nothing that an administrator has run');
SET LOCAL ROLE tap_app;
SELECT is((SELECT count(*) FROM app.lines), 0::bigint, 'and leaves no rights behind');
RESET SESSION AUTHORIZATION;

-- What is brought back meets the owner's triggers, checks, defaults, types and casts.
SET LOCAL ROLE tap_app;
CREATE FUNCTION app.attack_by_trigger()
RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM app.attack();
    RETURN NEW;
END
$function$;
CREATE TRIGGER before_row BEFORE INSERT ON app.lines FOR EACH ROW EXECUTE FUNCTION app.attack_by_trigger();
CREATE TRIGGER after_row AFTER INSERT ON app.lines FOR EACH ROW EXECUTE FUNCTION app.attack_by_trigger();
CREATE TRIGGER statement AFTER INSERT ON app.lines_default FOR EACH STATEMENT EXECUTE FUNCTION app.attack_by_trigger();
CREATE FUNCTION app.redden(color text)
RETURNS app.color
LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM app.attack();
    RETURN CASE color WHEN 'green' THEN 'green'::app.color ELSE 'red'::app.color END;
END
$function$;
CREATE CAST (text AS app.color) WITH FUNCTION app.redden(text) AS ASSIGNMENT;
ALTER TABLE app.lines ADD COLUMN since_then text DEFAULT app.attack();
ALTER TABLE app.lines ADD CHECK (app.attack() = 'x');
RESET ROLE;
SELECT tap.witnesses() \g /dev/null
SELECT is(codeverify.unpack_partition('app.lines', '2026-04-01 00:00+00'), 30::bigint, 'a superuser brings rows back');
SELECT is(tap.witnesses(), 'as the owner', 'as the owner');
SET LOCAL ROLE codeverify_owner;
SELECT is(codeverify.unpack_partition('app.lines', '2026-03-01 00:00+00'), 31::bigint, 'and so does codeverify_owner');
RESET ROLE;
SELECT is(tap.witnesses(), 'as the owner', 'as the owner');
SELECT throws_ok(
    $$SELECT codeverify.insert_as_owner_of('app.lines', 'WITH m AS (DELETE FROM auth.users RETURNING 1) SELECT set_config(''role'', ''codeverify_owner'', false) || $1::text', '{}')$$,
    '42501', NULL, 'who becomes nobody else');
CALL tap.act(login => 'tap_member');
SELECT throws_ok($$SELECT codeverify.insert_as_owner_of('app.lines', 'SELECT $1[1]', '{}')$$, '42501', NULL, 'which is nothing for an administrator either');
RESET SESSION AUTHORIZATION;

-- A superuser who makes a set of somebody's table.
SET LOCAL ROLE tap_app;
CREATE TABLE app.plain (at timestamptz NOT NULL CHECK (app.attack() = 'x'), color app.color);
INSERT INTO app.plain VALUES ('2026-06-15 12:00+00', 'red');
CREATE INDEX plain_attack_idx ON app.plain (app.blacken('red'));
CREATE STATISTICS app.plain_attack ON (app.blacken('green')) FROM app.plain;
RESET ROLE;
SELECT tap.witnesses() \g /dev/null
SELECT codeverify.partition_table('app.plain', 'at', 'month') \g /dev/null
SELECT is(tap.witnesses(), 'as the owner', 'a superuser makes a set of a table as its owner');

-- A dump gives an owner's rights on a schema back last: until then a definition stays as it is.
CREATE SCHEMA borrowed;
CREATE TABLE borrowed.lines (at timestamptz NOT NULL, note text) PARTITION BY RANGE (at);
ALTER TABLE borrowed.lines OWNER TO tap_app;
INSERT INTO codeverify.partition_sets (parent, period, premake, closed_indexes) VALUES ('borrowed.lines', 'month', 3, '{(note)}');
SELECT is((SELECT closed_indexes FROM codeverify.partition_sets WHERE parent = 'borrowed.lines'::regclass), '{(note)}', 'a set is restored before its owner''s grants');

SELECT * FROM finish();
ROLLBACK;
