-- The ends of lanes follow savepoints, exceptions and what else may undo an append.
BEGIN;
SELECT plan(9);
\ir ../two_tenants.sql

CREATE FUNCTION tap.lane()
RETURNS text
LANGUAGE sql
AS $function$
    SELECT string_agg(a.action, ' ' ORDER BY a.seq)
           || CASE WHEN count(DISTINCT a.lane) = 1 AND max(a.seq) = count(*) THEN '' ELSE ' BROKEN' END
    FROM audits.audit_log AS a
    WHERE a.org_id = tap.id('a')
$function$;
COMMENT ON FUNCTION tap.lane() IS 'The actions of organization a in order.';

CREATE FUNCTION tap.append(action text)
RETURNS void
LANGUAGE sql
AS $function$
    INSERT INTO audits.audit_log (org_id, action) VALUES (tap.id('a'), action)
$function$;

SAVEPOINT genesis;
SELECT tap.append('0');
ROLLBACK TO genesis;
SELECT is(tap.lane(), NULL, 'a lane whose first entry was rolled back has none');
SELECT is((SELECT count(*) FROM audits.lanes WHERE org_id = tap.id('a')), 0::bigint, 'and is not known');

SELECT tap.append('1');
SAVEPOINT outside;
SELECT tap.append('2');
SAVEPOINT inside;
SELECT tap.append('3');
RELEASE inside;
SELECT tap.append('4');
ROLLBACK TO outside;
SELECT tap.append('5');
SELECT is(tap.lane(), '1 5', 'a rollback takes back what was released inside');

SAVEPOINT outside;
SELECT tap.append('6');
RELEASE outside;
SELECT tap.append('7');
SELECT is(tap.lane(), '1 5 6 7', 'what was released stays');

DO $$
BEGIN
    FOR n IN 1 .. 300 LOOP
        BEGIN
            PERFORM tap.append('8');
            PERFORM 1 / (n % 3);
        EXCEPTION
            WHEN division_by_zero THEN NULL;
        END;
    END LOOP;
END
$$;
SELECT is(tap.lane(), '1 5 6 7' || repeat(' 8', 200), 'exceptions take back their entries');

SELECT throws_ok(
    $$INSERT INTO audits.audit_log (org_id, action)
      SELECT tap.id('a'), CASE WHEN n < 100 THEN '9' ELSE '' END FROM generate_series(1, 100) AS n$$,
    '23514', NULL, 'a statement that fails at its last row');
SELECT tap.append('10');
SELECT is(tap.lane(), '1 5 6 7' || repeat(' 8', 200) || ' 10', 'leaves nothing behind');

-- An append inside an append
CREATE FUNCTION tap.append_more()
RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW.action = '11' THEN
        PERFORM tap.append('12');
    END IF;
    RETURN NULL;
END
$function$;
CREATE TRIGGER audit_log_append_more
AFTER INSERT ON audits.audit_log
FOR EACH ROW
EXECUTE FUNCTION tap.append_more();
INSERT INTO audits.audit_log (org_id, action) VALUES (tap.id('a'), '11'), (tap.id('a'), '11');
SELECT is(
    tap.lane(), '1 5 6 7' || repeat(' 8', 200) || ' 10 11 11 12 12', 'a trigger that appends more');

SET LOCAL session_replication_role = replica;
SELECT tap.append('13');
SELECT is(
    tap.lane(), '1 5 6 7' || repeat(' 8', 200) || ' 10 11 11 12 12 13', 'under session_replication_role = replica too');

SELECT * FROM finish();
ROLLBACK;
