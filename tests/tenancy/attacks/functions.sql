-- Every function that a tenant may call, with what belongs to another organization as arguments, and with a path on which
-- the attacker's operators and functions come first (14). None tells or changes anything of the other's, none runs what
-- the attacker made with other rights than his own, none fails in a way that was not foreseen.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- What only b has, by the column that holds it.
CREATE TABLE tap.of_b (value text PRIMARY KEY);
CREATE PROCEDURE tap.collect()
LANGUAGE plpgsql
AS $procedure$
DECLARE
    target record;
BEGIN
    FOR target IN
        SELECT c.oid::regclass AS relation, a.attname AS name, o.attname AS org
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner AND r.rolname = 'codeverify_owner'
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_attribute AS o
          ON o.attrelid = c.oid AND o.attname = CASE WHEN c.oid = 'tenancy.organizations'::regclass THEN 'id' ELSE 'org_id' END
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.atttypid IN ('text'::regtype, 'uuid'::regtype)
    LOOP
        EXECUTE format(
            $$
                INSERT INTO tap.of_b
                SELECT DISTINCT b.%1$I::text FROM %2$s AS b
                WHERE b.%3$I = tap.id('b')
                  AND length(b.%1$I::text) >= 8
                  AND NOT EXISTS (SELECT FROM %2$s AS a WHERE a.%3$I = tap.id('a') AND a.%1$I = b.%1$I)
                ON CONFLICT DO NOTHING
            $$,
            target.name, target.relation, target.org);
    END LOOP;
    INSERT INTO tap.of_b
    SELECT v.value FROM auth.users AS u CROSS JOIN LATERAL (VALUES (u.id::text), (u.email), (u.username)) AS v (value)
    WHERE u.email LIKE '%@b.test'
    ON CONFLICT DO NOTHING;
END
$procedure$;
CALL tap.collect();
SELECT cmp_ok((SELECT count(*) FROM tap.of_b), '>', 80::bigint, 'b has things that a has not');

-- A row of b that is written to ends the statement.
CREATE FUNCTION tap.spy() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
    touched jsonb := CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
BEGIN
    IF coalesce(touched ->> 'org_id', touched ->> 'id') = tap.id('b')::text THEN
        RAISE EXCEPTION '% of a row of b in %', TG_OP, TG_RELID::regclass USING ERRCODE = 'VC998';
    END IF;
    RETURN NULL;
END
$function$;
DO $spies$
DECLARE
    target regclass;
BEGIN
    FOR target IN
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner AND r.rolname = 'codeverify_owner'
        JOIN pg_attribute AS o
          ON o.attrelid = c.oid AND o.attname = CASE WHEN c.oid = 'tenancy.organizations'::regclass THEN 'id' ELSE 'org_id' END
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace <> 'audits'::regnamespace
    LOOP
        EXECUTE format('CREATE TRIGGER spy AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION tap.spy()', target);
    END LOOP;
END
$spies$;

-- The attacker's operators, and functions by the names that ours call. One that is run at all ends the statement, and says
-- with whose rights.
CREATE PROCEDURE tap.shadow()
LANGUAGE plpgsql
AS $procedure$
DECLARE
    types constant oid[] := '{uuid,text,int4,int8,timestamptz,interval,jsonb,bool,bytea,name,regclass,oid}'::regtype[]::oid[];
    sources constant text := (
        SELECT string_agg(p.prosrc, ' ') FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner
        WHERE r.rolname = 'codeverify_owner');
    body constant text := $$
        BEGIN
            RAISE EXCEPTION 'this runs as %', current_user USING ERRCODE = 'VC997';
        END
    $$;
    shadowed record;
BEGIN
    FOR shadowed IN
        SELECT o.oprname AS name, o.oprleft::regtype AS a, o.oprright::regtype AS b, o.oprresult::regtype AS result, o.oid
        FROM pg_operator AS o
        WHERE o.oprnamespace = 'pg_catalog'::regnamespace
          AND o.oprleft = ANY (types) AND o.oprright = ANY (types)
          AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '||', '->', '->>', '+', '-', '~', '~~', '?', '@>')
    LOOP
        EXECUTE format('CREATE FUNCTION attacker.operator_%s(%s, %s) RETURNS %s LANGUAGE plpgsql SET search_path = pg_catalog AS %L',
            shadowed.oid, shadowed.a, shadowed.b, shadowed.result, body);
        EXECUTE format('CREATE OPERATOR attacker.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = attacker.operator_%s)',
            shadowed.name, shadowed.a, shadowed.b, shadowed.oid);
    END LOOP;
    FOR shadowed IN
        SELECT p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments, p.prorettype::regtype AS result
        FROM pg_proc AS p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
          AND p.prokind = 'f' AND NOT p.proretset AND p.pronargs <= 3
          AND p.proargtypes::oid[] <@ types
          AND strpos(sources, p.proname || '(') > 0
    LOOP
        EXECUTE format('CREATE FUNCTION attacker.%I(%s) RETURNS %s LANGUAGE plpgsql SET search_path = pg_catalog AS %L',
            shadowed.name, shadowed.arguments, shadowed.result, body);
    END LOOP;
    EXECUTE format('CREATE FUNCTION attacker.is_good(text) RETURNS bool LANGUAGE plpgsql SET search_path = pg_catalog AS %L', body);
    CREATE DOMAIN attacker.uuid AS text CHECK (attacker.is_good(VALUE));
    CREATE DOMAIN attacker.jsonb AS text CHECK (attacker.is_good(VALUE));
END
$procedure$;
GRANT ALL ON SCHEMA attacker TO PUBLIC;
CALL tap.act('owner', 'a');
CALL tap.shadow();
RESET SESSION AUTHORIZATION;

-- A careless function of ours would run them.
CREATE FUNCTION careless.count_members() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
    'SELECT count(*) FROM tenancy.org_memberships WHERE org_id = tenancy.current_org_id()';
CALL tap.act('owner', 'a');
SELECT throws_ok(
    'SET LOCAL search_path = attacker, pg_catalog; SELECT careless.count_members()', 'VC997', NULL,
    '14: a definer function without a path runs the attacker''s operator');
RESET SESSION AUTHORIZATION;

-- What is put in for a parameter, by its type and name; a place from 0 to 11 chooses.
CREATE FUNCTION tap.argument(type regtype, name text, place int) RETURNS text LANGUAGE sql AS $function$
    SELECT CASE type::text
        WHEN 'uuid' THEN coalesce(quote_literal(CASE
            -- In turn something of b that the name speaks of, the organization itself, and things of other kinds.
            WHEN place % 12 = 0 THEN NULL
            WHEN place % 12 IN (1, 2, 3) OR place % 12 IN (4, 5) AND name ~ 'org' THEN
                tap.id(CASE
                    WHEN name ~ 'org' THEN ''
                    WHEN name ~ 'user|owner|member|actor' THEN 'owner of '
                    WHEN name ~ 'key' THEN 'key of '
                    WHEN name ~ 'repo' THEN 'repository of '
                    ELSE regexp_replace(coalesce(name, ''), '^p_|_id$', '', 'g') || ' of '
                END || CASE WHEN place % 12 = 3 THEN 'a' ELSE 'b' END)
            ELSE (SELECT v.value FROM tap.of_b AS v WHERE v.value ~ '^[0-9a-f-]{36}$' ORDER BY md5(v.value || place) LIMIT 1)::uuid
        END), 'NULL')
        WHEN 'text' THEN coalesce(quote_literal((ARRAY[
            'owner', 'owner@b.test', 'read', 'admin', 'Secret', '', 'pending', 'x', repeat('x', 9000), E'\u2603', '%'' OR true --'
        ])[place % 12]), 'NULL')
        WHEN 'jsonb' THEN (ARRAY['''{}''', '''[]''', '''["read"]''', '''"x"''', 'NULL'])[1 + place % 5]
        WHEN 'boolean' THEN (ARRAY['true', 'false', 'NULL'])[1 + place % 3]
        WHEN 'integer' THEN (ARRAY['1', '0', '-1', '2147483647', '20', 'NULL'])[1 + place % 6]
        WHEN 'bigint' THEN (ARRAY['1', '0', '-1', '9223372036854775807', 'NULL'])[1 + place % 5]
        WHEN 'interval' THEN (ARRAY['''1 day''', '''-1 day''', '''178000000 years''', 'NULL'])[1 + place % 4]
        WHEN 'timestamp with time zone' THEN (ARRAY['pg_catalog.now()', '''infinity''', '''-infinity''', 'NULL'])[1 + place % 4]
        WHEN 'regclass' THEN (ARRAY['''analysis.findings''', '''auth.users''', '0', 'NULL'])[1 + place % 4]
        ELSE 'NULL'
    END || (SELECT format('::%I.%I', t.typnamespace::regnamespace, t.typname) FROM pg_type AS t WHERE t.oid = type)
$function$;

-- Calls each function eight times, with these settings, and undoes what it did.
CREATE TABLE tap.call (place int GENERATED ALWAYS AS IDENTITY, storm text, statement text, state text, answer text);
CREATE PROCEDURE tap.storm(storm text, settings text[])
LANGUAGE plpgsql
AS $procedure$
DECLARE
    setting text;
    callee record;
    statement text;
    state text;
    answer text;
BEGIN
    FOR callee IN
        SELECT p.oid::regproc AS name, a.arguments
        FROM pg_proc AS p
        JOIN pg_roles AS r ON r.oid = p.proowner
        CROSS JOIN generate_series(0, 7) AS place
        CROSS JOIN LATERAL (
            SELECT coalesce(string_agg(tap.argument(t.type::regtype, p.proargnames[t.n], (place + 5 * (t.n - 1)::int) % 12), ', ' ORDER BY t.n), '')
            FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS t (type, n)
        ) AS a (arguments)
        WHERE r.rolname = 'codeverify_owner'
          AND p.prokind = 'f'
          AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
          AND has_function_privilege('tap_tenant', p.oid, 'EXECUTE')
          AND (p.pronargs > 0 OR place = 0)
          -- Hashing a password takes as long as all the rest.
          AND (place = 1 OR p.proname NOT IN ('login', 'register_user', 'change_password', 'reset_password'))
    LOOP
        statement := format('SELECT string_agg(r::text, '' '') FROM %s(%s) AS r', callee.name, callee.arguments);
        BEGIN
            answer := NULL;
            CALL tap.act('owner', 'a');
            FOREACH setting IN ARRAY settings LOOP
                PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
            END LOOP;
            EXECUTE statement INTO answer;
            RAISE EXCEPTION USING ERRCODE = 'VC999';
        EXCEPTION
            WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
                IF state <> 'VC999' THEN
                    GET STACKED DIAGNOSTICS answer = MESSAGE_TEXT;
                END IF;
        END;
        INSERT INTO tap.call (storm, statement, state, answer) VALUES (storm, statement, state, answer);
    END LOOP;
END
$procedure$;
CALL tap.storm('calm', '{}');
-- The attacker's path, and settings that are anybody's to change and say how texts are read and written, what NULL is and
-- what PL/pgSQL puts up with.
CALL tap.storm('storm', ARRAY[
    'plpgsql.extra_errors=all', 'transform_null_equals=on', 'array_nulls=off',
    'standard_conforming_strings=off', 'backslash_quote=on', 'bytea_output=escape', 'DateStyle=SQL, DMY',
    'IntervalStyle=iso_8601', 'TimeZone=Asia/Kathmandu', 'extra_float_digits=-15', 'xmloption=document',
    'default_transaction_isolation=serializable', 'enable_indexscan=off', 'enable_bitmapscan=off',
    'plan_cache_mode=force_generic_plan', 'search_path=attacker, pg_temp, pg_catalog']);
RESET SESSION AUTHORIZATION;
SELECT cmp_ok((SELECT count(*) FROM tap.call WHERE state = 'VC999'), '>', 100::bigint, 'many calls succeed');
SELECT is_empty($$SELECT left(statement, 200), answer FROM tap.call WHERE state = 'VC998'$$, 'no function writes to a row of b');
SELECT is_empty(
    $$
        SELECT left(c.statement, 200), v.value, left(c.answer, 200)
        FROM tap.call AS c
        JOIN tap.of_b AS v ON strpos(c.answer, v.value) > 0 AND strpos(c.statement, v.value) = 0
    $$,
    'nothing of b''s is in an answer that was not in the question');
SELECT is_empty(
    $$
        SELECT storm, left(statement, 200), state, left(answer, 100)
        FROM tap.call
        WHERE state ~ '^(XX|58|53|57)' OR state IN ('42P01', '42883', '42804', '42703')
    $$,
    'no function fails in a way that was not foreseen');
SELECT is_empty(
    $$SELECT left(statement, 200), answer FROM tap.call WHERE state = 'VC997'$$,
    '14: no function runs what the attacker made');
-- Both call the same in the same order.
SELECT is_empty(
    $$
        SELECT left(storm.statement, 200), calm.state, storm.state, left(storm.answer, 100)
        FROM (SELECT c.*, row_number() OVER (ORDER BY c.place) AS n FROM tap.call AS c WHERE c.storm = 'storm') AS storm
        JOIN (SELECT c.*, row_number() OVER (ORDER BY c.place) AS n FROM tap.call AS c WHERE c.storm = 'calm') AS calm
          ON calm.n = storm.n
        WHERE calm.state <> storm.state
    $$,
    'no setting of the session makes a function answer where it refused, or the other way about');

SELECT * FROM finish();
ROLLBACK;
