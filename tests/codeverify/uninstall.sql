-- codeverify.uninstall() removes the data on purpose, after which DROP EXTENSION removes the rest.
BEGIN;
SELECT plan(16);
CREATE SCHEMA tap;
CREATE ROLE tap_admin LOGIN IN ROLE codeverify_admin;

SELECT throws_ok(
    $$SELECT codeverify.uninstall('another_database')$$, 'VC002', 'removing all codeverify data was not confirmed',
    'the name of the database must be given');
SELECT throws_ok($$SELECT codeverify.uninstall('')$$, 'VC002', NULL, 'an empty one is not enough');
SELECT lives_ok('SELECT codeverify.uninstall(NULL)', 'NULL does nothing');
SELECT isnt(to_regclass('tenancy.organizations'), NULL, 'nothing is removed so far');

SET LOCAL SESSION AUTHORIZATION tap_admin;
SELECT throws_ok('SELECT codeverify.uninstall(current_database())', '42501', NULL, 'an administrator may not call it');
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION codeverify.uninstall(text) TO tap_admin;
SET LOCAL SESSION AUTHORIZATION tap_admin;
SELECT throws_ok('SELECT codeverify.uninstall(current_database())', 'VC004', NULL, 'nor anybody who is no superuser');
RESET SESSION AUTHORIZATION;

CREATE VIEW tap.mine AS SELECT * FROM analysis.findings;
SELECT throws_ok(
    'SELECT codeverify.uninstall(current_database())', '2BP01', NULL, 'what depends on a table of ours keeps it');
SELECT isnt(to_regclass('analysis.analysis_stages'), NULL, 'and every other');
DROP VIEW tap.mine;

-- A user's own column and index go with the table. A user's own table in a schema of ours stays, and the schema too.
ALTER TABLE analysis.findings ADD COLUMN mine text;
CREATE INDEX mine_idx ON analysis.findings (mine);
CREATE TABLE analysis.mine (id int);
SELECT lives_ok('SELECT codeverify.uninstall(current_database())', 'confirmed, it removes the data');
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        WHERE c.relowner = 'codeverify_owner'::regrole
    $$,
    'every relation of ours is gone');
SELECT is_empty(
    $$SELECT t.oid::regtype FROM pg_type AS t WHERE t.typowner = 'codeverify_owner'::regrole$$, 'and every type');
SELECT isnt(to_regclass('analysis.mine'), NULL, 'a table of the user''s own is not');
SELECT throws_ok('DROP EXTENSION codeverify', '2BP01', NULL, 'and keeps its schema and the extension');
DROP TABLE analysis.mine;
SELECT lives_ok('DROP EXTENSION codeverify', 'then the extension goes');
SELECT is_empty(
    $$SELECT n.nspname FROM pg_namespace AS n WHERE n.nspowner = 'codeverify_owner'::regrole$$, 'and every schema');

-- And comes back.
SET LOCAL client_min_messages = warning;
SELECT lives_ok('CREATE EXTENSION codeverify', 'and it can be made again');

SELECT * FROM finish();
ROLLBACK;
