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
    SELECT v.key_columns, v.key_values, v.parent
    INTO missing
    FROM (SELECT DISTINCT n.org_id, n.actor_id FROM new_rows AS n) AS d
    CROSS JOIN LATERAL (VALUES
        (
            'org_id',
            d.org_id::text,
            'organizations',
            d.org_id IS NULL
            OR (SELECT true FROM tenancy.organizations AS o WHERE o.id = d.org_id)
        ),
        (
            'actor_id',
            d.actor_id::text,
            'users',
            d.actor_id IS NULL
            OR (SELECT true FROM auth.users AS u WHERE u.id = d.actor_id)
        )
    ) AS v (key_columns, key_values, parent, present)
    WHERE v.present IS NULL
    LIMIT 1;

    IF FOUND THEN
        PERFORM codeverify.raise_missing_reference(
            'audits', 'audit_log', missing.key_columns, missing.key_values, missing.parent);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION audits.check_audit_log_references() IS
    'Trigger function: checks once per statement that the organizations and actors of new ledger entries exist. Raises foreign_key_violation.';
