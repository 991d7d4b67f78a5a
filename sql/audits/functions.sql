CREATE FUNCTION audits.check_audit_log_references()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    missing record;
BEGIN
    -- Scalar sub-selects look each distinct value up by index, whatever the sizes were when the plan was made.
    SELECT v.key_column, v.key_value, v.parent
    INTO missing
    FROM (SELECT DISTINCT n.org_id, n.actor_id FROM new_rows AS n) AS d
    CROSS JOIN LATERAL (VALUES
        (
            'org_id',
            d.org_id,
            'organizations',
            d.org_id IS NULL
            OR (SELECT true FROM tenancy.organizations AS o WHERE o.id = d.org_id)
        ),
        (
            'actor_id',
            d.actor_id,
            'users',
            d.actor_id IS NULL
            OR (SELECT true FROM auth.users AS u WHERE u.id = d.actor_id)
        )
    ) AS v (key_column, key_value, parent, present)
    WHERE v.present IS NULL
    LIMIT 1;

    IF FOUND THEN
        RAISE foreign_key_violation USING
            MESSAGE = pg_catalog.format(
                'insert or update on table "audit_log" violates foreign key constraint "audit_log_%s_fkey"',
                missing.key_column),
            DETAIL = pg_catalog.format(
                'Key (%s)=(%s) is not present in table "%s".',
                missing.key_column, missing.key_value, missing.parent),
            SCHEMA = 'audits',
            TABLE = 'audit_log',
            CONSTRAINT = 'audit_log_' || missing.key_column || '_fkey';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION audits.check_audit_log_references() IS
    'Trigger function: checks once per statement that the organizations and actors of new ledger entries exist. Raises foreign_key_violation.';
