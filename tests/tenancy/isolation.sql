-- Every table with org_id, and each partition by its own name, under a tenant of one of two organizations: it sees
-- its own rows and no others, and writes nothing into the other. A table that tenant_rows.sql does not fill fails
-- here, so that a new table cannot stay untested.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

-- What each organization has, counted by the superuser.
CREATE TABLE tap.target (
    name    regclass,
    key     name,
    leaf    boolean,
    columns text,
    of_a    bigint,
    of_b    bigint,
    row_of_a jsonb
);
GRANT SELECT ON tap.target TO PUBLIC;

DO $count$
DECLARE
    target tap.target;
BEGIN
    FOR target.name, target.key, target.leaf IN
        SELECT c.oid::regclass, CASE c.oid WHEN 'tenancy.organizations'::regclass THEN 'id' ELSE 'org_id' END, c.relispartition
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind IN ('r', 'p')
          AND (c.oid = 'tenancy.organizations'::regclass
               OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped))
    LOOP
        SELECT string_agg(quote_ident(a.attname), ', ')
        INTO target.columns
        FROM pg_attribute AS a
        WHERE a.attrelid = target.name AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        EXECUTE format(
            'SELECT count(*) FILTER (WHERE %1$I = tap.id(''a'')),
                    count(*) FILTER (WHERE %1$I = tap.id(''b'')),
                    (array_agg(to_jsonb(t)) FILTER (WHERE %1$I = tap.id(''a'')))[1]
             FROM %2$s AS t',
            target.key, target.name)
        INTO target.of_a, target.of_b, target.row_of_a;
        INSERT INTO tap.target SELECT target.*;
    END LOOP;
END
$count$;

SELECT cmp_ok((SELECT count(*) FROM tap.target WHERE NOT leaf), '>=', 30::bigint, 'the tables with org_id are found');
SELECT is_empty(
    'SELECT name FROM tap.target WHERE NOT leaf AND (of_a = 0 OR of_b = 0)',
    'tests/tenant_rows.sql fills every table for both organizations');
SELECT ok(
    EXISTS (SELECT FROM tap.target WHERE leaf AND of_a > 0 AND of_b > 0),
    'and some partitions');

-- The number that a statement gives, or its error.
CREATE FUNCTION tap.outcome(statement text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    affected bigint;
BEGIN
    IF starts_with(statement, 'SELECT') THEN
        EXECUTE statement INTO affected;
    ELSE
        EXECUTE statement;
        GET DIAGNOSTICS affected = ROW_COUNT;
    END IF;
    RETURN affected;
EXCEPTION
    WHEN OTHERS THEN
        RETURN SQLSTATE;
END
$function$;

-- What goes wrong with one table under the context that is in force, as one test. "own" says whether a's rows must
-- show; where they need not, a missing privilege is as good as a policy.
CREATE FUNCTION tap.isolates(target tap.target, own boolean, who text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    -- VC053: the ledger refuses the command to everybody, VC120: so do code events; VC051: an entry's hashes do not fit
    -- another organization.
    nothing constant text[] := '{42501,0,VC053}';
    attempt record;
    outcome text;
    faults text[] := '{}';
BEGIN
    FOR attempt IN
        SELECT a.what, format(
                   a.statement, target.name, target.key, target.columns,
                   target.row_of_a || jsonb_build_object(target.key, tap.id('b'))) AS statement, a.expected
        FROM (VALUES
            ('see the other''s rows',
             'SELECT count(*) FROM %1$s WHERE %2$I <> tap.id(''a'')', nothing),
            ('see all of its own',
             CASE WHEN own THEN 'SELECT count(*) FROM %1$s' END, ARRAY[target.of_a::text]),
            ('insert a row for the other',
             CASE WHEN target.of_a > 0 THEN
                 'INSERT INTO %1$s (%3$s) SELECT %3$s FROM jsonb_populate_record(NULL::%1$s, %4$L)'
             END, ARRAY['42501', 'VC051']),
            -- Where there is no row of one's own there is none to move.
            ('move its rows to the other',
             'UPDATE %1$s SET %2$I = tap.id(''b'') WHERE %2$I = tap.id(''a'')',
             CASE WHEN own AND target.of_a > 0 THEN ARRAY['42501', 'VC053', 'VC120'] ELSE nothing END),
            ('take the other''s rows',
             'UPDATE %1$s SET %2$I = tap.id(''a'') WHERE %2$I = tap.id(''b'')', nothing),
            ('delete the other''s rows',
             'DELETE FROM %1$s WHERE %2$I = tap.id(''b'')', nothing),
            ('lock the other''s rows',
             'SELECT count(*) FROM (SELECT FROM %1$s WHERE %2$I = tap.id(''b'') FOR UPDATE) AS locked', nothing)
        ) AS a (what, statement, expected)
        WHERE a.statement IS NOT NULL
    LOOP
        outcome := tap.outcome(attempt.statement);
        IF outcome <> ALL (attempt.expected) THEN
            faults := faults || format('%s: %s', attempt.what, outcome);
        END IF;
    END LOOP;
    RETURN is(faults, '{}', format('%s and %s', target.name, who));
END
$function$;

CALL tap.act('owner', 'a');
SELECT tap.isolates(target, false, 'an owner') FROM tap.target ORDER BY name::text;
CALL tap.act('owner', 'a', 'tap_service');
SELECT tap.isolates(target, false, 'the service') FROM tap.target ORDER BY name::text;
CALL tap.act(login => 'tap_tenant');
SELECT tap.isolates(target, false, 'a tenant without a context') FROM tap.target ORDER BY name::text;
CALL tap.act(login => 'tap_admin');
SELECT tap.isolates(target, false, 'an administrator of the server') FROM tap.target ORDER BY name::text;
CALL tap.act('owner', 'a', 'tap_ingest');
SELECT tap.isolates(target, false, 'a writer of logs') FROM tap.target ORDER BY name::text;

-- However careless the grants and the policies that are added later: everything is granted, and allowed, to all.
RESET SESSION AUTHORIZATION;
DO $careless$
DECLARE
    target regclass;
    policy record;
BEGIN
    FOR target IN SELECT name FROM tap.target LOOP
        -- At once: with less, autovacuum would wait for this transaction, which would wait for it.
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', target);
        EXECUTE format('GRANT ALL ON %s TO PUBLIC', target);
        EXECUTE format('CREATE POLICY careless ON %s USING (true) WITH CHECK (true)', target);
        -- Those that limit a user to rows of their own have a test of their own.
        FOR policy IN
            SELECT p.polname FROM pg_policy AS p WHERE p.polrelid = target AND NOT p.polpermissive AND p.polname LIKE '%\_own'
        LOOP
            EXECUTE format('DROP POLICY %I ON %s', policy.polname, target);
        END LOOP;
    END LOOP;
END
$careless$;

CALL tap.act('owner', 'a');
SELECT tap.isolates(target, true, 'a tenant with every grant') FROM tap.target ORDER BY name::text;
CALL tap.act(login => 'tap_tenant');
SELECT tap.isolates(target, false, 'a tenant with every grant and no context') FROM tap.target ORDER BY name::text;
-- The owner of a table is bound too, where it has not the right to pass row security.
RESET SESSION AUTHORIZATION;
ALTER ROLE codeverify_owner NOBYPASSRLS;
CALL tap.act('owner', 'a', 'codeverify_owner');
SELECT tap.isolates(target, true, 'the owner of the table') FROM tap.target ORDER BY name::text;

RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT t.name, n.of_a, n.of_b
        FROM tap.target AS t
        CROSS JOIN LATERAL (
            SELECT (xpath('/row/a/text()', x))[1]::text::bigint AS of_a, (xpath('/row/b/text()', x))[1]::text::bigint AS of_b
            FROM query_to_xml(
                format('SELECT count(*) FILTER (WHERE %1$I = tap.id(''a'')) AS a, count(*) FILTER (WHERE %1$I = tap.id(''b'')) AS b FROM %2$s', t.key, t.name),
                false, true, '') AS x
        ) AS n
        WHERE t.of_b <> n.of_b
    $$,
    'the other organization still has every row');

SELECT * FROM finish();
ROLLBACK;
