-- Every way in which rows change, by every kind of role, is captured.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../capture.sql

-- INSERT ... ON CONFLICT, MERGE, WITH, COPY.
INSERT INTO tap.ticket VALUES (tap.id('1'), tap.id('a'), 'one', 1);
INSERT INTO tap.ticket VALUES (tap.id('1'), tap.id('a'), 'again', 1), (tap.id('2'), tap.id('a'), 'two', 1)
ON CONFLICT (id) DO UPDATE SET title = excluded.title;
SELECT set_eq(
    $$SELECT action, payload->'rows'->0->'new'->>'title', (payload->'count')::int FROM tap.entries() WHERE place > 1$$,
    $$VALUES ('row.inserted', 'two', 1), ('row.updated', 'again', 1)$$, 'INSERT ... ON CONFLICT DO UPDATE does both');
INSERT INTO tap.ticket VALUES (tap.id('1'), tap.id('a'), 'never', 1) ON CONFLICT DO NOTHING;
SELECT is((SELECT count(*) FROM tap.entries()), 3::bigint, 'DO NOTHING does nothing');
MERGE INTO tap.ticket AS t
USING (VALUES (tap.id('1'), 'merged'), (tap.id('2'), NULL), (tap.id('3'), 'new')) AS s (id, title) ON s.id = t.id
WHEN MATCHED AND s.title IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET title = s.title
WHEN NOT MATCHED THEN INSERT VALUES (s.id, tap.id('a'), s.title, 1);
SELECT set_eq(
    $$SELECT action, payload->'rows'->0->'key'->>'id' FROM tap.entries() WHERE place > 3$$,
    $$VALUES ('row.deleted', tap.id('2')::text), ('row.updated', tap.id('1')::text), ('row.inserted', tap.id('3')::text)$$,
    'MERGE does all three');
WITH gone AS (DELETE FROM tap.ticket WHERE id = tap.id('3') RETURNING *),
     changed AS (UPDATE tap.ticket SET votes = 9 RETURNING *)
INSERT INTO tap.ticket SELECT tap.id('4'), g.org_id, g.title, 1 FROM gone AS g;
SELECT set_eq(
    $$SELECT action, payload->'rows'->0->'key'->>'id', (payload->'count')::int FROM tap.entries() WHERE place > 6$$,
    $$VALUES ('row.deleted', tap.id('3')::text, 1), ('row.updated', tap.id('1')::text, 1), ('row.inserted', tap.id('4')::text, 1)$$,
    'and so does one statement with several');
COPY tap.ticket (id, org_id, title) FROM stdin;
00000000-0000-0000-0000-0000000000c1	\N	copied
00000000-0000-0000-0000-0000000000c2	\N	too
\.
SELECT is(tap.last_entry()->'count', '2', 'COPY is an insert');

-- Savepoints, and errors that are caught.
SAVEPOINT s;
DELETE FROM tap.ticket;
ROLLBACK TO SAVEPOINT s;
DO $$
BEGIN
    DELETE FROM tap.ticket;
    RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
    UPDATE tap.ticket SET votes = 5 WHERE id = tap.id('1');
END
$$;
SELECT is((SELECT count(*) FROM tap.entries() WHERE action = 'row.deleted'), 2::bigint, 'what is rolled back leaves no entry');
SELECT is(tap.last_entry()->'rows'->0->'new', '{"votes": 5}', 'what comes after it does');

-- Partitions: of statements that name the table and of those that name a partition.
CREATE TABLE tap.part (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE tap.part_low PARTITION OF tap.part FOR VALUES FROM (0) TO (10);
CREATE TABLE tap.part_high (v text, gone int, k int NOT NULL, id int NOT NULL);
ALTER TABLE tap.part_high DROP COLUMN gone;
ALTER TABLE tap.part ATTACH PARTITION tap.part_high FOR VALUES FROM (10) TO (20);
SELECT audits.track('tap.part', redact => '{v}') \g /dev/null
INSERT INTO tap.part VALUES (1, 1, 'low'), (2, 11, 'high');
UPDATE tap.part SET k = k + 5;
UPDATE tap.part SET k = CASE k WHEN 6 THEN 16 ELSE 6 END;
SELECT results_eq(
    $$SELECT action, payload - 'rows', payload->'rows'->0->'old', payload->'rows'->1->'new' FROM tap.entries('tap.part') WHERE action = 'row.updated'$$,
    $$
        VALUES ('row.updated', '{"count": 2}'::jsonb, '{"k": 1}'::jsonb, '{"k": 16}'::jsonb),
               ('row.updated', '{"count": 2}', '{"k": 6}', '{"k": 6}')
    $$,
    'rows that go from one partition to another are updates, with old and new side by side');
INSERT INTO tap.part_high (id, k, v) VALUES (3, 12, 'direct');
UPDATE tap.part_high SET v = 'x' WHERE id = 3;
SELECT results_eq(
    $$
        SELECT action, payload->>'partition', payload->'rows'->0->'key', payload::text LIKE '%direct%'
        FROM tap.entries('tap.part') ORDER BY place DESC LIMIT 2
    $$,
    $$VALUES ('row.updated', 'tap.part_high', '{"k": 12, "id": 3}'::jsonb, false), ('row.inserted', 'tap.part_high', '{"k": 12, "id": 3}', false)$$,
    'a statement that names a partition is told of as well, with the partition');
CREATE FUNCTION tap.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER swallow BEFORE INSERT ON tap.part_low FOR EACH ROW WHEN (NEW.id = 3) EXECUTE FUNCTION tap.swallow();
UPDATE tap.part SET k = 5 WHERE id IN (2, 3);
SELECT set_eq(
    $$
        SELECT (r.row->'key'->>'id')::int, r.row ? 'old' AS has_old, r.row ? 'new' AS has_new
        FROM jsonb_array_elements(tap.last_entry('tap.part')->'rows') AS r (row)
    $$,
    $$VALUES (2, true, false), (3, true, false), (2, false, true)$$,
    'where a trigger of a partition swallows a row on its way there, old and new rows are told apart');
DROP TRIGGER swallow ON tap.part_low;

-- Inheritance: a statement that names the parent.
CREATE TABLE tap.parent (id int PRIMARY KEY, v text);
CREATE TABLE tap.child (extra int) INHERITS (tap.parent);
INSERT INTO tap.child VALUES (1, 'child', 7);
SELECT audits.track('tap.parent') \g /dev/null
UPDATE tap.parent SET v = 'both';
SELECT is(
    tap.last_entry('tap.parent')->'rows'->0, '{"key": {"id": 1}, "old": {"v": "child"}, "new": {"v": "both"}}',
    'rows of a table that inherits are told of with the columns of the parent');

-- Cascades.
CREATE TABLE tap.owner_of (id int PRIMARY KEY);
CREATE TABLE tap.owned (id int PRIMARY KEY, owner_id int REFERENCES tap.owner_of ON DELETE CASCADE, old_owner int REFERENCES tap.owner_of ON DELETE SET NULL);
SELECT audits.track('tap.owned') \g /dev/null
INSERT INTO tap.owner_of VALUES (1), (2);
INSERT INTO tap.owned VALUES (1, 1, 2), (2, 2, 1), (3, 2, 1);
DELETE FROM tap.owner_of WHERE id = 1;
SELECT set_eq(
    $$SELECT action, (payload->'count')::int FROM tap.entries('tap.owned')$$,
    $$VALUES ('row.inserted', 3), ('row.deleted', 1), ('row.updated', 2)$$,
    'what foreign keys delete and set is told of');

-- Roles. A tenant has no right to write to the ledger, and needs none.
CALL tap.act('viewer', 'a');
SELECT throws_ok($$INSERT INTO audits.audit_log (action) VALUES ('x')$$, '42501', NULL, 'a viewer does not write to the ledger');
UPDATE tap.ticket SET votes = 6 WHERE id = tap.id('1');
SELECT results_eq(
    $$SELECT actor_id, payload->'rows'->0->'new' FROM tap.entries() ORDER BY place DESC LIMIT 1$$,
    $$VALUES (tap.id('viewer of a'), '{"votes": 6}'::jsonb)$$, 'but what the viewer changes is there');
RESET SESSION AUTHORIZATION;
CREATE TABLE tap.open (id int PRIMARY KEY);
SELECT audits.track('tap.open') \g /dev/null
GRANT INSERT ON tap.open TO tap_nobody;
CREATE FUNCTION tap.insert_as_definer() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_temp AS 'INSERT INTO tap.open VALUES (2)';
CALL tap.act(NULL, NULL, 'tap_nobody');
SET LOCAL search_path = pg_temp;
INSERT INTO tap.open VALUES (1);
RESET search_path;
SELECT is((SELECT count(*) FROM tap.entries('tap.open')), 1::bigint, 'nor does one who has no right to the schema');
CALL tap.act('owner', 'b');
SELECT tap.insert_as_definer() \g /dev/null
SELECT results_eq(
    $$SELECT org_id, actor_id FROM tap.entries('tap.open') WHERE place = 2$$,
    $$VALUES (tap.id('b'), tap.id('owner of b'))$$, 'a function with its owner''s rights acts for the context all the same');

-- The extension's own tables.
CALL tap.act('admin', 'a');
UPDATE tenancy.organizations SET name = 'New name' WHERE id = tap.id('a');
SELECT results_eq(
    $$SELECT org_id, actor_id, resource_id, payload->'rows'->0->'new' FROM tap.entries('tenancy.organizations')$$,
    $$VALUES (tap.id('a'), tap.id('admin of a'), tap.id('a'), '{"name": "New name"}'::jsonb)$$,
    'an organization''s own row is in its ledger; updated_at alone is nothing to tell');
CALL tap.act('owner', 'a');
UPDATE tenancy.org_memberships SET role = 'viewer' WHERE user_id = tap.id('developer of a');
SELECT is(
    tap.last_entry('tenancy.org_memberships')->'rows'->0->'new', '{"role": "viewer"}', 'who may do what is told');
CALL tap.act();
RESET SESSION AUTHORIZATION;
DELETE FROM auth.users WHERE id = tap.id('stranger of a');
SELECT results_eq(
    $$SELECT org_id, actor_id, resource_id FROM tap.entries('auth.users') WHERE action = 'row.deleted'$$,
    $$VALUES (NULL::uuid, NULL::uuid, tap.id('stranger of a'))$$, 'without a context nobody did it, in the platform''s ledger');
CALL tap.act('viewer', 'a');
RESET SESSION AUTHORIZATION;
DELETE FROM auth.users WHERE id = tap.id('viewer of a');
SELECT is(
    (SELECT count(*) FROM tap.entries('auth.users') WHERE actor_id = tap.id('viewer of a') AND resource_id = tap.id('viewer of a')), 1::bigint,
    'whoever deletes their own user did it');
DELETE FROM tenancy.organizations WHERE id = tap.id('a');
SELECT is(
    (SELECT count(*) FROM tap.entries('tenancy.organizations') WHERE org_id = tap.id('a') AND action = 'row.deleted'), 1::bigint,
    'the end of an organization is in its ledger');
SELECT ok(
    (SELECT count(*) > 0 FROM tap.entries('tenancy.org_memberships') WHERE org_id = tap.id('a') AND action = 'row.deleted'),
    'and so is what went with it');

SELECT is_empty('SELECT * FROM audits.verify_chain()', 'the chain verifies');
SELECT * FROM finish();
ROLLBACK;
