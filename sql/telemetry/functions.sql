COMMENT ON FUNCTION telemetry.is_maintained() IS
    'Whether codeverify.maintain() is at work in this session right now, which moves rows between partitions.';

CREATE FUNCTION telemetry.check_code_event_references()
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
    FROM (SELECT DISTINCT n.org_id, n.repo_id FROM new_rows AS n) AS d
    CROSS JOIN LATERAL (VALUES
        (
            'org_id',
            d.org_id::text,
            'organizations',
            (SELECT true FROM tenancy.organizations AS o WHERE o.id = d.org_id FOR KEY SHARE)
        ),
        (
            'org_id, repo_id',
            pg_catalog.concat_ws(', ', d.org_id, d.repo_id),
            'repositories',
            (SELECT true FROM scm.repositories AS r WHERE r.org_id = d.org_id AND r.id = d.repo_id)
        )
    ) AS v (key_columns, key_values, parent, present)
    WHERE v.present IS NULL
    LIMIT 1;

    IF FOUND THEN
        PERFORM codeverify.raise_missing_reference(
            'telemetry', 'code_events', missing.key_columns, missing.key_values, missing.parent);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.check_code_event_references() IS
    'Trigger function: checks once per statement that the organizations of new code events exist and own the repositories named. Raises foreign_key_violation, the same for a repository of another organization as for one that does not exist.';

CREATE FUNCTION telemetry.delete_organization_events()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF EXISTS (SELECT FROM telemetry.code_events AS e WHERE e.org_id = OLD.id) THEN
        PERFORM tenancy.leave_organization_rows('telemetry.code_events'::regclass, OLD.id);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION telemetry.delete_organization_events() IS
    'Trigger function: deletes the code events of an organization that was deleted; of more than a few thousand, maintenance deletes the rest.';

CREATE FUNCTION telemetry.refuse_event_change()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF telemetry.is_maintained() THEN
        RETURN CASE TG_OP WHEN 'UPDATE' THEN NEW WHEN 'DELETE' THEN OLD END;
    END IF;
    -- Events go with their organization, at once or, when they are many, later.
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM tenancy.organizations AS o WHERE o.id = OLD.org_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% on telemetry.code_events is refused', TG_OP
        USING ERRCODE = 'VC120',
              DETAIL = 'Events are append-only; they go with their organization.',
              HINT = 'Add an event that says what is right.';
END
$function$;
COMMENT ON FUNCTION telemetry.refuse_event_change() IS
    'Trigger function: refuses to change or delete code events, whoever asks, unless their organization is gone. Raises VC120.';
