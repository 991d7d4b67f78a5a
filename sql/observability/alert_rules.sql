-- Alert rules: the parameters that they take.

COMMENT ON FUNCTION observability.alert_schema(text) IS
    'The JSON schema of the parameters of alert rules of a type, with a description, bounds and the default of each; NULL for an unknown type. Example: SELECT observability.alert_schema(''error_count'') -> ''properties'';';
GRANT EXECUTE ON FUNCTION observability.alert_schema(text) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION observability.list_alert_faults(text, jsonb) IS
    'What is wrong with the parameters of an alert rule of a type: the JSON path and the problem of each fault. No rows when nothing is. Example: SELECT * FROM observability.list_alert_faults(''error_count'', ''{"threshold": 0}'');';
GRANT EXECUTE ON FUNCTION observability.list_alert_faults(text, jsonb) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION observability.complete_alert_params(text, jsonb) IS
    'The parameters of an alert rule of a type with the defaults of those that are left out: what the rule is evaluated with. NULL for an unknown type. Example: SELECT observability.complete_alert_params(''error_count'', ''{"threshold": 100}'');';
GRANT EXECUTE ON FUNCTION observability.complete_alert_params(text, jsonb) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.require_valid_params(rule_type text, params jsonb)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    fault record;
BEGIN
    SELECT f.path, f.problem
    INTO fault
    FROM observability.list_alert_faults(rule_type, params) AS f
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'invalid parameters of an alert rule: %', fault.problem
            USING ERRCODE = 'VC110',
                  DETAIL = pg_catalog.format('The fault is at %s.', fault.path),
                  HINT = pg_catalog.format('The parameters are described by observability.alert_schema(%L).', rule_type);
    END IF;
END
$function$;
COMMENT ON FUNCTION observability.require_valid_params(text, jsonb) IS
    'Raises VC110 with the JSON path of the first fault when the parameters of an alert rule do not fit the schema of its type.';
GRANT EXECUTE ON FUNCTION observability.require_valid_params(text, jsonb) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.check_alert_rule()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    unknown text;
BEGIN
    PERFORM observability.require_valid_params(NEW.type, NEW.params_json);

    -- What a rule names may be deleted later, and then it observes nothing; a restore brings such rules back.
    IF tenancy.current_org_id() IS NOT NULL THEN
        SELECT n.name
        INTO unknown
        FROM (VALUES
            ('service_id', (
                SELECT true FROM tenancy.services AS s
                WHERE s.org_id = NEW.org_id AND s.id = (NEW.params_json ->> 'service_id')::uuid)),
            ('environment_id', (
                SELECT true FROM tenancy.environments AS e
                WHERE e.org_id = NEW.org_id AND e.id = (NEW.params_json ->> 'environment_id')::uuid)),
            ('repo_id', (
                SELECT true FROM scm.repositories AS r
                WHERE r.org_id = NEW.org_id AND r.id = (NEW.params_json ->> 'repo_id')::uuid))
        ) AS n (name, present)
        WHERE NEW.params_json ? n.name
          AND n.present IS NULL
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'invalid parameters of an alert rule: the organization has no such %',
                CASE unknown WHEN 'repo_id' THEN 'repository' ELSE pg_catalog.replace(unknown, '_id', '') END
                USING ERRCODE = 'VC110',
                      DETAIL = pg_catalog.format('The fault is at $.%s.', unknown),
                      HINT = 'Check the id and the organization in context.';
        END IF;
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION observability.check_alert_rule() IS
    'Trigger function: holds the parameters of an alert rule to the schema of its type, and what they name to what the organization has. Raises VC110 with the JSON path of the fault.';
