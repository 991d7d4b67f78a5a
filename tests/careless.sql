-- What the attacks on isolation share: a schema for careless things, which are seen to leak before the same is tried
-- on codeverify's, and a schema of the attacker's own. Include two_tenants.sql and tenant_rows.sql before.
SET LOCAL client_min_messages = error;

CREATE SCHEMA careless;
GRANT USAGE ON SCHEMA careless TO PUBLIC;
CREATE SCHEMA attacker AUTHORIZATION tap_tenant;

-- A table that is isolated as well as ours are, for careless things to be built on.
CREATE TABLE careless.secrets (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL DEFAULT tenancy.current_org_id(),
    secret text
);
INSERT INTO careless.secrets VALUES (tap.id('secret of a'), tap.id('a'), 'a'), (tap.id('secret of b'), tap.id('b'), 'b');
SELECT tenancy.protect('careless.secrets') \g /dev/null
GRANT SELECT, INSERT, UPDATE, DELETE ON careless.secrets TO codeverify_tenant;

-- The attacker's notes, and a function that writes down what it is given.
CREATE TABLE attacker.loot (value text);
GRANT ALL ON attacker.loot TO PUBLIC;
ALTER TABLE attacker.loot OWNER TO tap_tenant;
CREATE FUNCTION attacker.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $function$
BEGIN
    INSERT INTO attacker.loot VALUES (tell.value);
    RETURN true;
END
$function$;
ALTER FUNCTION attacker.tell(text) OWNER TO tap_tenant;

-- The SQLSTATE, message and DETAIL of a statement's error; NULL when it succeeds, which is undone.
CREATE FUNCTION tap.error_of(statement text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    message text;
    detail text;
BEGIN
    BEGIN
        EXECUTE statement;
        RAISE EXCEPTION USING ERRCODE = 'VC999';
    EXCEPTION
        WHEN SQLSTATE 'VC999' THEN
            RETURN NULL;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
            RETURN format('%s %s %s', SQLSTATE, message, detail);
    END;
END
$function$;

-- A query's plan, as EXPLAIN with these options tells it.
CREATE FUNCTION tap.plan(query text, options text DEFAULT 'ANALYZE, TIMING off')
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    line text;
    answer text := '';
BEGIN
    FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, query) LOOP
        answer := answer || line || E'\n';
    END LOOP;
    RETURN answer;
END
$function$;
