-- Everything that the extension makes says what it is.
BEGIN;
SELECT plan(8);

CREATE TEMP VIEW domain AS
SELECT n.oid, n.nspname
FROM pg_namespace AS n
JOIN pg_roles AS r ON r.oid = n.nspowner
WHERE r.rolname = 'codeverify_owner';

-- Partitions take theirs from the parent that people read.
CREATE TEMP VIEW relation AS
SELECT c.oid, c.relkind
FROM pg_class AS c
JOIN domain AS d ON d.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition;

SELECT is((SELECT count(*) FROM domain), 15::bigint, 'there are fifteen schemas');

SELECT is_empty(
    $$SELECT d.nspname FROM domain AS d WHERE obj_description(d.oid, 'pg_namespace') IS NULL$$,
    'every schema has a comment');
SELECT is_empty(
    $$SELECT r.oid::regclass FROM relation AS r WHERE obj_description(r.oid, 'pg_class') IS NULL$$,
    'every table and view has a comment');
SELECT is_empty(
    $$
        SELECT a.attrelid::regclass, a.attname
        FROM pg_attribute AS a
        JOIN relation AS r ON r.oid = a.attrelid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NULL
    $$,
    'every column has a comment');
SELECT is_empty(
    $$
        SELECT t.oid::regtype
        FROM pg_type AS t
        JOIN domain AS d ON d.oid = t.typnamespace
        WHERE t.typtype IN ('e', 'd', 'r') AND obj_description(t.oid, 'pg_type') IS NULL
    $$,
    'every type has a comment');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM pg_proc AS p
        JOIN domain AS d ON d.oid = p.pronamespace
        WHERE obj_description(p.oid, 'pg_proc') IS NULL
    $$,
    'every function has a comment');
SELECT is_empty(
    $$
        SELECT p.polrelid::regclass, p.polname
        FROM pg_policy AS p
        JOIN pg_class AS c ON c.oid = p.polrelid
        JOIN domain AS d ON d.oid = c.relnamespace
        WHERE obj_description(p.oid, 'pg_policy') IS NULL
    $$,
    'every policy has a comment');
SELECT is_empty(
    $$
        SELECT t.evtname
        FROM pg_event_trigger AS t
        JOIN pg_proc AS p ON p.oid = t.evtfoid
        JOIN domain AS d ON d.oid = p.pronamespace
        WHERE obj_description(t.oid, 'pg_event_trigger') IS NULL
    $$,
    'every event trigger has a comment');

SELECT * FROM finish();
ROLLBACK;
