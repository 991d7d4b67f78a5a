-- A status moves along the legal steps of its state machine only.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

-- The legal steps, by table. A table whose trigger is not listed here fails.
-- "besides" is what has to go with a status that is set by hand.
CREATE TABLE tap.machine (target text, states text[], legal text[], besides text DEFAULT '');
INSERT INTO tap.machine
VALUES ('analysis.analyses',
        '{pending,running,completed,failed}',
        '{pending>running,pending>failed,running>completed,running>failed}');
INSERT INTO tap.machine
VALUES ('observability.incidents',
        '{open,investigating,identified,resolved}',
        '{open>investigating,open>identified,open>resolved,investigating>identified,investigating>resolved,'
        'identified>investigating,identified>resolved,resolved>open,resolved>investigating}',
        $$, resolved_at = CASE %1$L WHEN 'resolved' THEN created_at END$$);

SELECT set_eq(
    $$
        SELECT t.tgrelid::regclass::text
        FROM pg_trigger AS t
        WHERE t.tgfoid = 'codeverify.enforce_transition()'::regprocedure AND t.tgparentid = 0
    $$,
    'SELECT target FROM tap.machine',
    'the tables with a state machine are those listed here');

-- Puts a row into the first state, whatever the trigger says, and then tries the step.
CREATE FUNCTION tap.step(target text, from_state text, to_state text, besides text)
RETURNS text
LANGUAGE plpgsql
AS $function$
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE format('UPDATE %s SET status = %L', target, from_state) || format(besides, from_state);
    SET LOCAL session_replication_role = origin;
    EXECUTE format('UPDATE %s SET status = %L', target, to_state);
    RETURN 'moved';
EXCEPTION
    WHEN OTHERS THEN
        RETURN SQLSTATE;
END
$function$;

SELECT is(
    tap.step(m.target, a.state, b.state, m.besides),
    CASE WHEN a.state = b.state OR a.state || '>' || b.state = ANY (m.legal) THEN 'moved' ELSE 'VC041' END,
    format('%s: %s to %s', m.target, a.state, b.state))
FROM tap.machine AS m
CROSS JOIN unnest(m.states) AS a (state)
CROSS JOIN unnest(m.states) AS b (state)
ORDER BY m.target, a.state, b.state;

-- What the error says.
SET LOCAL session_replication_role = replica;
UPDATE analysis.analyses SET status = 'completed';
SET LOCAL session_replication_role = origin;
CREATE FUNCTION tap.complaint()
RETURNS text[]
LANGUAGE plpgsql
AS $function$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    UPDATE analysis.analyses SET status = 'running';
EXCEPTION
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RETURN ARRAY[message, detail, hint];
END
$function$;
SELECT is(
    tap.complaint(),
    ARRAY[
        'analysis cannot go from completed to running',
        'The legal steps are pending>running, pending>failed, running>completed, running>failed.',
        'Use the functions that move it, or start a new one.'],
    'the error names the legal steps');

-- A tenant cannot go around it.
CALL tap.act('owner', 'a');
SELECT throws_ok($$UPDATE analysis.analyses SET status = 'running'$$, 'VC041', NULL, 'it binds tenants');
SELECT throws_ok($$SET LOCAL session_replication_role = replica$$, '42501', NULL, 'who cannot switch triggers off');

SELECT * FROM finish();
ROLLBACK;
