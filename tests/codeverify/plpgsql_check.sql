-- plpgsql_check over every PL/pgSQL function of the schemas that the extension fills, trigger functions with
-- each table they stand on. A trigger function that stands on no table cannot be checked and counts as a fault.
BEGIN;
CREATE EXTENSION IF NOT EXISTS plpgsql_check;
SELECT * FROM no_plan();

CREATE TEMP VIEW candidate AS
SELECT p.oid AS function, p.prorettype
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
WHERE n.nspname NOT LIKE 'pg\_%'
  AND n.nspname <> 'information_schema'
  AND coalesce(e.extname, 'codeverify') = 'codeverify'
  AND (e.extname IS NOT NULL OR n.nspname <> 'public');

CREATE TEMP VIEW stand AS
SELECT DISTINCT g.tgfoid AS function, g.tgrelid, g.tgoldtable, g.tgnewtable
FROM pg_catalog.pg_trigger AS g
WHERE g.tgparentid = 0;

-- These put clauses into a statement that they have built by format() themselves, which the check cannot follow. None
-- takes text from a tenant.
CREATE TEMP TABLE builds_statements (function regprocedure);
INSERT INTO builds_statements
VALUES ('codeverify.clean_up(text)'),
       ('codeverify.list_due_clean_ups()'),
       ('tenancy.allow(regclass,text,text,text,text,name)'),
       ('tenancy.bind_authors(regclass,text,text[])');

SELECT is(
    (SELECT string_agg(format('%s at line %s: %s%s', c.level, c.lineno, c.message, ' (' || c.hint || ')'), E'\n')
     FROM plpgsql_check_function_tb(
              f.function,
              coalesce(t.tgrelid, 0),
              fatal_errors => false,
              performance_warnings => false,
              security_warnings => f.function NOT IN (SELECT b.function FROM builds_statements AS b),
              oldtable => t.tgoldtable,
              newtable => t.tgnewtable) AS c
     WHERE c.level <> 'notice'
       -- From 2.8.6 on it warns of STABLE functions that call VOLATILE ones. Reading as the owner of a table changes
       -- nothing, and is VOLATILE lest the planner does it.
       AND c.message NOT LIKE 'routine is marked as %, but expression is %'),
    NULL,
    f.function::regprocedure::text || coalesce(' on ' || t.tgrelid::regclass::text, ''))
FROM candidate AS f
LEFT JOIN stand AS t USING (function)
WHERE t.function IS NOT NULL OR f.prorettype <> 'pg_catalog.trigger'::regtype
ORDER BY f.function::regprocedure::text, t.tgrelid::regclass::text;

SELECT is_empty(
    $$
        SELECT f.function::regprocedure
        FROM candidate AS f
        LEFT JOIN stand AS t USING (function)
        WHERE t.function IS NULL AND f.prorettype = 'pg_catalog.trigger'::regtype
    $$,
    'every trigger function stands on a table');

SELECT * FROM finish();
ROLLBACK;
