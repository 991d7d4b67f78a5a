CREATE FUNCTION observability.check_log_references()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    missing record;
BEGIN
    -- The organization is locked once a statement, so that one that is being deleted leaves no row behind.
    -- Scalar sub-selects look each distinct value up by index, whatever the sizes were when the plan was made.
    SELECT v.key_columns, v.key_values, v.parent
    INTO missing
    FROM (SELECT DISTINCT n.org_id, n.service_id, n.environment_id FROM new_rows AS n) AS d
    CROSS JOIN LATERAL (VALUES
        (
            'org_id',
            d.org_id::text,
            'organizations',
            (SELECT true FROM tenancy.organizations AS o WHERE o.id = d.org_id FOR KEY SHARE)
        ),
        (
            'org_id, service_id',
            pg_catalog.concat_ws(', ', d.org_id, d.service_id),
            'services',
            d.service_id IS NULL
            OR (SELECT true FROM tenancy.services AS s WHERE s.org_id = d.org_id AND s.id = d.service_id)
        ),
        (
            'org_id, environment_id',
            pg_catalog.concat_ws(', ', d.org_id, d.environment_id),
            'environments',
            d.environment_id IS NULL
            OR (SELECT true FROM tenancy.environments AS e WHERE e.org_id = d.org_id AND e.id = d.environment_id)
        )
    ) AS v (key_columns, key_values, parent, present)
    WHERE v.present IS NULL
    LIMIT 1;

    IF FOUND THEN
        PERFORM codeverify.raise_missing_reference(
            'observability', 'logs', missing.key_columns, missing.key_values, missing.parent);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION observability.check_log_references() IS
    'Trigger function: checks once per statement that the organizations of new log lines exist and own the services and environments named. Raises foreign_key_violation, the same for one of another organization as for one that does not exist.';

CREATE FUNCTION observability.delete_organization_logs()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF EXISTS (SELECT FROM observability.logs AS l WHERE l.org_id = OLD.id) THEN
        PERFORM tenancy.leave_organization_rows('observability.logs'::regclass, OLD.id);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION observability.delete_organization_logs() IS
    'Trigger function: deletes the log lines of an organization that was deleted; of more than a few thousand, maintenance deletes the rest.';
