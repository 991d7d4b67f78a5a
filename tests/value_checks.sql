-- Tries values that a table must refuse, and some at the limits that it must take. Included by tests/<domain>/values.sql
-- after two_tenants.sql and tenant_rows.sql, as a superuser. Each file lists the cases of its domain; a CHECK
-- constraint that no case violates fails, so that a new one cannot stay untested.

CREATE TABLE tap.value_case (place int GENERATED ALWAYS AS IDENTITY, target text, assignment text, refused_by text);
COMMENT ON TABLE tap.value_case IS 'An assignment of an UPDATE; refused_by is the constraint or SQLSTATE that refuses it, NULL when it is taken.';

CREATE FUNCTION tap.try_value(target text, assignment text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    changed bigint;
    violated text;
BEGIN
    EXECUTE format(
        'UPDATE %1$s SET %2$s WHERE (tableoid, ctid) = (SELECT t.tableoid, t.ctid FROM %1$s AS t LIMIT 1)', target, assignment);
    GET DIAGNOSTICS changed = ROW_COUNT;
    -- Undone, so that the next case finds the row as it was.
    RAISE EXCEPTION USING ERRCODE = 'VC999', MESSAGE = CASE changed WHEN 1 THEN 'taken' ELSE 'there is no row' END;
EXCEPTION
    WHEN SQLSTATE 'VC999' THEN
        RETURN SQLERRM;
    WHEN check_violation THEN
        GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
        RETURN violated;
    WHEN OTHERS THEN
        RETURN SQLSTATE;
END
$function$;

CREATE FUNCTION tap.test_values(domain name, except_for text[] DEFAULT '{}')
RETURNS SETOF text
LANGUAGE plpgsql
AS $function$
BEGIN
    -- Triggers and foreign keys are not what is tried here.
    SET LOCAL session_replication_role = replica;
    RETURN QUERY
        SELECT is(
            tap.try_value(c.target, c.assignment), coalesce(c.refused_by, 'taken'),
            format('%s: %s', c.target, left(replace(c.assignment, E'\n', ' '), 100)))
        FROM tap.value_case AS c
        ORDER BY c.place;
    RETURN NEXT is_empty(
        format($query$
            SELECT k.conrelid::regclass, k.conname
            FROM pg_constraint AS k
            JOIN pg_class AS c ON c.oid = k.conrelid
            JOIN pg_roles AS r ON r.oid = c.relowner
            WHERE k.contype = 'c'
              AND r.rolname = 'codeverify_owner'
              AND NOT c.relispartition
              AND c.relnamespace = %L::regnamespace
              AND k.conname <> ALL (%L)
              AND NOT EXISTS (
                  SELECT FROM tap.value_case AS v WHERE v.refused_by = k.conname AND v.target::regclass = k.conrelid)
        $query$, domain, except_for),
        format('every CHECK constraint of %s has a case', domain));
    SET LOCAL session_replication_role = origin;
END
$function$;
