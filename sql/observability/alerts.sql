-- Alert rules: what they take, and what happens when their conditions hold.

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

CREATE FUNCTION observability.count_errors(tenant uuid, params jsonb, as_of timestamptz)
RETURNS TABLE (scope text, service_id uuid, environment_id uuid, observed numeric)
LANGUAGE plpgsql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
-- Times are written into the statement.
SET datestyle = 'ISO'
SET timezone = 'UTC'
AS $function$
#variable_conflict use_column
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Every value is quoted; the rest is written here.
    by_service constant boolean := params -> 'group_by' ? 'service';
    by_environment constant boolean := params -> 'group_by' ? 'environment';
    only_service constant uuid := (params ->> 'service_id')::uuid;
    only_environment constant uuid := (params ->> 'environment_id')::uuid;
    scope_format constant text := pg_catalog.concat(
        CASE WHEN by_service THEN ':service=%1$s' END,
        CASE WHEN by_environment THEN ':environment=%2$s' END);
BEGIN
    -- Literal bounds, so that the partitions outside of the window are not even planned for.
    RETURN QUERY EXECUTE pg_catalog.format(
        $query$
            SELECT pg_catalog.format(%1$L, coalesce(g.service_id::text, 'none'), coalesce(g.environment_id::text, 'none')),
                   g.service_id,
                   g.environment_id,
                   g.lines::numeric
            FROM (
                SELECT %2$s AS service_id, %3$s AS environment_id, count(*) AS lines
                FROM (
                    SELECT w.service_id, w.environment_id, w.ts, w.level
                    FROM observability.logs AS w
                    WHERE w.org_id = %4$L
                      AND w.ts > %6$L
                      AND w.ts <= %7$L
                    UNION ALL
                    -- Where lines are packed sooner than windows end.
                    SELECT p.service_id, p.environment_id, p.ts, p.level
                    FROM codeverify.packed_segments AS s
                    CROSS JOIN LATERAL codeverify.segment_rows(s.id) AS p (
                        service_id uuid, environment_id uuid, ts timestamptz, level text)
                    WHERE s.org_id = %4$L
                      AND s.relation = 'observability.logs'::regclass
                      AND s.max_ts > %6$L
                      AND s.min_ts <= %7$L
                      AND coalesce(s.summary -> 'level' -> 'in' ?| %5$L, true)
                ) AS l
                WHERE l.level = ANY (%5$L)
                  AND l.ts > %6$L
                  AND l.ts <= %7$L
                  %8$s
                  %9$s
                GROUP BY 1, 2
            ) AS g
        $query$,
        scope_format,
        CASE WHEN by_service OR only_service IS NOT NULL THEN 'l.service_id' ELSE 'NULL::uuid' END,
        CASE WHEN by_environment OR only_environment IS NOT NULL THEN 'l.environment_id' ELSE 'NULL::uuid' END,
        tenant,
        ARRAY(SELECT v.level FROM pg_catalog.jsonb_array_elements_text(params -> 'levels') AS v (level)),
        as_of - pg_catalog.make_interval(mins => (params ->> 'window_minutes')::numeric::int),
        as_of,
        'AND l.service_id = ' || pg_catalog.quote_literal(only_service),
        'AND l.environment_id = ' || pg_catalog.quote_literal(only_environment));

    -- Silence counts where it is known who is silent.
    IF NOT FOUND
        AND (NOT by_service OR only_service IS NOT NULL)
        AND (NOT by_environment OR only_environment IS NOT NULL)
    THEN
        RETURN QUERY
            SELECT pg_catalog.format(scope_format, only_service, only_environment), only_service, only_environment, 0::numeric;
    END IF;
END
$function$;
COMMENT ON FUNCTION observability.count_errors(uuid, jsonb, timestamptz) IS
    'What alert rules of type error_count observe: log lines of an organization, packed or not, in the window that ends with as_of, whose start does not belong to it, by service and environment as the complete parameters say.';

CREATE FUNCTION observability.name_in_scope(name text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
        WHEN name IS NULL THEN 'none'
        WHEN name = 'none' OR name !~ '^[A-Za-z0-9_./-]{1,64}$' THEN pg_catalog.md5(name)
        ELSE name
    END
$function$;
COMMENT ON FUNCTION observability.name_in_scope(text) IS
    'A name as it stands in a fingerprint: itself, or its MD5 where it is long or could be taken for another part.';

CREATE FUNCTION observability.count_deployment_failures(tenant uuid, params jsonb, as_of timestamptz)
RETURNS TABLE (scope text, repo_id uuid, branch text, workflow text, observed numeric)
LANGUAGE plpgsql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
DECLARE
    by_repository constant boolean := params -> 'group_by' ? 'repository';
    by_branch constant boolean := params -> 'group_by' ? 'branch';
    by_workflow constant boolean := params -> 'group_by' ? 'workflow';
    only_repository constant uuid := (params ->> 'repo_id')::uuid;
    scope_format constant text := pg_catalog.concat(
        CASE WHEN by_repository THEN ':repository=%1$s' END,
        CASE WHEN by_branch THEN ':branch=%2$s' END,
        CASE WHEN by_workflow THEN ':workflow=%3$s' END);
BEGIN
    RETURN QUERY
        SELECT pg_catalog.format(
                   scope_format,
                   coalesce(g.repo_id::text, 'none'),
                   observability.name_in_scope(g.branch),
                   observability.name_in_scope(g.workflow)),
               g.repo_id,
               g.branch,
               g.workflow,
               g.runs::numeric
        FROM (
            SELECT CASE WHEN by_repository OR only_repository IS NOT NULL THEN d.repo_id END AS repo_id,
                   CASE WHEN by_branch THEN d.details ->> 'branch' END AS branch,
                   CASE WHEN by_workflow THEN d.details ->> 'workflow' END AS workflow,
                   count(*) AS runs
            FROM integrations.inbound_deliveries AS d
            LEFT JOIN scm.repositories AS r ON r.org_id = tenant AND r.id = d.repo_id
            WHERE d.org_id = tenant
              AND d.event = 'workflow_run'
              AND d.action = 'completed'
              AND d.status = 'handled'
              AND d.created_at > as_of - pg_catalog.make_interval(mins => (params ->> 'window_minutes')::numeric::int)
              AND d.created_at <= as_of
              AND params -> 'conclusions' ? (d.details ->> 'conclusion')
              AND (only_repository IS NULL OR d.repo_id = only_repository)
              AND (NOT params ? 'branches' OR params -> 'branches' ? (d.details ->> 'branch'))
              -- Runs of other workflows, such as tests, are no deployments.
              AND CASE
                  WHEN params ? 'workflows' THEN params -> 'workflows' ? (d.details ->> 'workflow')
                  WHEN r.settings ? 'deployment_workflows' THEN r.settings -> 'deployment_workflows' ? (d.details ->> 'workflow')
                  ELSE true
              END
            GROUP BY 1, 2, 3
        ) AS g;

    IF NOT FOUND
        AND (NOT by_repository OR only_repository IS NOT NULL)
        AND NOT by_branch
        AND NOT by_workflow
    THEN
        RETURN QUERY
            SELECT pg_catalog.format(scope_format, only_repository), only_repository, NULL::text, NULL::text, 0::numeric;
    END IF;
END
$function$;
COMMENT ON FUNCTION observability.count_deployment_failures(uuid, jsonb, timestamptz) IS
    'What alert rules of type deployment_failure observe: workflow runs of an organization whose delivery came in the window that ends with as_of, whose start does not belong to it, and that ended as the complete parameters say, by repository, branch and workflow.';

CREATE FUNCTION observability.measure_alert_rule(
    tenant uuid,
    target_rule uuid,
    rule_type text,
    params jsonb,
    as_of timestamptz)
RETURNS TABLE (fingerprint text, service_id uuid, environment_id uuid, repo_id uuid, subject text, observed numeric)
LANGUAGE plpgsql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    -- What a line names may be gone, and an incident cannot name it then.
    CASE rule_type
        WHEN 'error_count' THEN
            RETURN QUERY
                SELECT target_rule || c.scope,
                       s.id,
                       e.id,
                       NULL::uuid,
                       pg_catalog.concat_ws(' in ', s.name, e.name),
                       c.observed
                FROM observability.count_errors(tenant, params, as_of) AS c
                LEFT JOIN tenancy.services AS s ON s.org_id = tenant AND s.id = c.service_id
                LEFT JOIN tenancy.environments AS e ON e.org_id = tenant AND e.id = c.environment_id;
        WHEN 'deployment_failure' THEN
            RETURN QUERY
                SELECT target_rule || c.scope,
                       NULL::uuid,
                       NULL::uuid,
                       r.id,
                       pg_catalog.concat_ws(', ', r.full_name, c.branch, c.workflow),
                       c.observed
                FROM observability.count_deployment_failures(tenant, params, as_of) AS c
                LEFT JOIN scm.repositories AS r ON r.org_id = tenant AND r.id = c.repo_id;
    END CASE;
END
$function$;
COMMENT ON FUNCTION observability.measure_alert_rule(uuid, uuid, text, jsonb, timestamptz) IS
    'What an alert rule observes as of a time, a row for each fingerprint. Fingerprints begin with the id of the rule, so that no two rules share one.';

CREATE FUNCTION observability.evaluate_alert_rule(tenant uuid, target_rule uuid, as_of timestamptz)
RETURNS TABLE (fingerprint text, fired boolean, incident_id uuid, observed numeric, threshold numeric)
LANGUAGE plpgsql
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
DECLARE
    rule record;
    params jsonb;
    latest timestamptz;
    is_past boolean;
    needed numeric;
    cool_down interval;
    found_now record;
    is_reached boolean;
    is_firing boolean;
    incident uuid;
BEGIN
    -- Who evaluates the same rule at the same time waits here, and goes on with what the other has done.
    INSERT INTO observability.alert_evaluations AS e (org_id, rule_id, evaluated_at)
    SELECT r.org_id, r.id, as_of
    FROM observability.alert_rules AS r
    WHERE r.org_id = tenant
      AND r.id = target_rule
      AND r.enabled
    ON CONFLICT (rule_id) DO UPDATE
    SET evaluated_at = greatest(e.evaluated_at, excluded.evaluated_at),
        last_error = NULL,
        last_error_at = NULL
    RETURNING e.evaluated_at INTO latest;

    SELECT r.type, r.params_json
    INTO rule
    FROM observability.alert_rules AS r
    WHERE r.org_id = tenant
      AND r.id = target_rule
      AND r.enabled;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- Rules may have come with a restore that no trigger has looked at.
    PERFORM observability.require_valid_params(rule.type, rule.params_json);
    params := observability.complete_alert_params(rule.type, rule.params_json);
    is_past := latest > as_of;
    needed := (params ->> 'threshold')::numeric;
    cool_down := pg_catalog.make_interval(mins => (params ->> 'cool_down_minutes')::numeric::int);

    FOR found_now IN
        SELECT coalesce(m.fingerprint, f.fingerprint) AS fingerprint,
               coalesce(m.observed, 0) AS observed,
               m.service_id,
               m.environment_id,
               m.repo_id,
               m.subject,
               f.fired_at,
               f.state,
               f.incident_id
        FROM observability.measure_alert_rule(tenant, target_rule, rule.type, params, as_of) AS m
        FULL JOIN (
            SELECT a.fingerprint, a.fired_at, a.state, a.incident_id
            FROM observability.alert_firings AS a
            WHERE a.org_id = tenant
              AND a.rule_id = target_rule
        ) AS f ON f.fingerprint = m.fingerprint
        WHERE m.fingerprint IS NOT NULL
           OR f.state = 'firing'
        ORDER BY 1
    LOOP
        is_reached := found_now.observed >= needed;
        is_firing := coalesce(found_now.state = 'firing', false);
        incident := CASE WHEN is_reached OR is_firing THEN found_now.incident_id END;
        fired := is_reached
            AND NOT is_past
            AND (found_now.fired_at IS NULL
                 OR as_of > found_now.fired_at AND as_of >= found_now.fired_at + cool_down);

        IF fired THEN
            INSERT INTO observability.incidents AS i
                (org_id, fingerprint, severity, title, service_id, environment_id, repo_id, rule_id, last_seen_at, metadata)
            VALUES (
                tenant,
                found_now.fingerprint,
                (params ->> 'severity')::observability.incident_severity,
                coalesce(
                    params ->> 'title',
                    pg_catalog."left"(
                        pg_catalog.concat_ws(
                            ': ',
                            nullif(found_now.subject, ''),
                            pg_catalog.format(
                                '%s %s within %s',
                                found_now.observed,
                                CASE rule.type WHEN 'error_count' THEN 'log line' ELSE 'failed workflow run' END
                                    || CASE WHEN found_now.observed <> 1 THEN 's' ELSE '' END,
                                CASE params ->> 'window_minutes'
                                    WHEN '1' THEN 'a minute'
                                    ELSE (params ->> 'window_minutes') || ' minutes'
                                END)),
                        200)),
                found_now.service_id,
                found_now.environment_id,
                found_now.repo_id,
                target_rule,
                as_of,
                pg_catalog.jsonb_build_object('observed', found_now.observed, 'threshold', needed))
            ON CONFLICT (org_id, fingerprint) WHERE status <> 'resolved'
            DO UPDATE SET
                occurrences = i.occurrences + 1,
                last_seen_at = greatest(i.last_seen_at, excluded.last_seen_at)
            RETURNING i.id INTO incident;

            INSERT INTO observability.alert_firings AS a
                (org_id, rule_id, fingerprint, fired_at, evaluated_at, observed, threshold, incident_id)
            VALUES (tenant, target_rule, found_now.fingerprint, as_of, as_of, found_now.observed, needed, incident)
            ON CONFLICT (rule_id, fingerprint) DO UPDATE
            SET fired_at = excluded.fired_at,
                state = 'firing',
                evaluated_at = excluded.evaluated_at,
                recovered_at = NULL,
                observed = excluded.observed,
                threshold = excluded.threshold,
                incident_id = excluded.incident_id;
        ELSIF NOT is_past AND (is_firing OR is_reached) THEN
            UPDATE observability.alert_firings AS a
            SET state = CASE WHEN is_reached THEN 'firing' ELSE 'recovered' END,
                evaluated_at = as_of,
                recovered_at = CASE WHEN NOT is_reached THEN as_of END,
                observed = found_now.observed,
                threshold = needed
            WHERE a.org_id = tenant
              AND a.rule_id = target_rule
              AND a.fingerprint = found_now.fingerprint;

            IF NOT is_reached AND (params ->> 'auto_resolve')::boolean THEN
                UPDATE observability.incidents AS i
                SET status = 'resolved'
                WHERE i.org_id = tenant
                  AND i.id = found_now.incident_id
                  AND i.status <> 'resolved';
                IF FOUND THEN
                    INSERT INTO observability.incident_events (org_id, incident_id, kind, actor_id, note)
                    VALUES (tenant, found_now.incident_id, 'noted', NULL, 'The condition of the alert rule is over.');
                END IF;
            END IF;
        END IF;

        fingerprint := found_now.fingerprint;
        incident_id := incident;
        observed := found_now.observed;
        threshold := needed;
        RETURN NEXT;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION observability.evaluate_alert_rule(uuid, uuid, timestamptz) IS
    'Evaluates one alert rule of an organization as of a time and keeps the outcome: fires, opens or counts up the incident, or lets the state recover. As of a time before the last evaluation it only tells what it observes. No rows for a rule that is not enabled.';

CREATE FUNCTION observability.evaluate_organization(tenant uuid, as_of timestamptz)
RETURNS TABLE (
    rule_id uuid,
    fingerprint text,
    fired boolean,
    incident_id uuid,
    observed numeric,
    threshold numeric)
LANGUAGE plpgsql
ROWS 20
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
DECLARE
    patience constant text := pg_catalog.current_setting('lock_timeout');
    rule record;
    problem text;
BEGIN
    IF as_of > greatest(codeverify.read_clock(), pg_catalog.clock_timestamp()) + interval '1 minute' THEN
        RAISE EXCEPTION 'alert rules cannot be evaluated as of %, which is to come', as_of
            USING ERRCODE = 'VC113',
                  DETAIL = 'Until then, no evaluation would change anything.',
                  HINT = 'Leave the time out to evaluate them as of now.';
    END IF;

    -- Always in the same order, since whoever evaluates one waits for others who do.
    FOR rule IN
        SELECT r.id
        FROM observability.alert_rules AS r
        WHERE r.org_id = tenant
          AND r.enabled
        ORDER BY r.id
    LOOP
        BEGIN
            RETURN QUERY
                SELECT rule.id, e.fingerprint, e.fired, e.incident_id, e.observed, e.threshold
                FROM observability.evaluate_alert_rule(tenant, rule.id, as_of) AS e;
        EXCEPTION
            WHEN serialization_failure OR deadlock_detected THEN
                -- Of the transaction, which is to be tried again, and not of the rule.
                RAISE;
            WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT;
                RAISE WARNING 'alert rule % was not evaluated: %', rule.id, problem
                    USING ERRCODE = 'VC114';
                IF SQLSTATE = '55P03' THEN
                    -- Who holds the lock evaluates it, and likely the next ones too: they are not waited for as long again.
                    PERFORM pg_catalog.set_config('lock_timeout', '10ms', true);
                ELSE
                    INSERT INTO observability.alert_evaluations AS e
                        (org_id, rule_id, evaluated_at, last_error, last_error_at)
                    SELECT r.org_id, r.id, as_of, problem, pg_catalog.clock_timestamp()
                    FROM observability.alert_rules AS r
                    WHERE r.org_id = tenant
                      AND r.id = rule.id
                    ON CONFLICT (rule_id) DO UPDATE
                    SET evaluated_at = greatest(e.evaluated_at, excluded.evaluated_at),
                        last_error = excluded.last_error,
                        last_error_at = excluded.last_error_at;
                END IF;
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('lock_timeout', patience, true);
END
$function$;
COMMENT ON FUNCTION observability.evaluate_organization(uuid, timestamptz) IS
    'Evaluates the enabled alert rules of an organization. One that fails is told in a warning (VC114) and in observability.alert_evaluations, and does not stop the others. Raises VC113 for a time that is to come.';

CREATE FUNCTION observability.evaluate_own_alert_rules(at timestamptz)
RETURNS TABLE (
    rule_id uuid,
    fingerprint text,
    fired boolean,
    incident_id uuid,
    observed numeric,
    threshold numeric)
LANGUAGE plpgsql
SECURITY DEFINER
ROWS 20
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('write');
BEGIN
    RETURN QUERY
        SELECT e.rule_id, e.fingerprint, e.fired, e.incident_id, e.observed, e.threshold
        FROM observability.evaluate_organization(tenant, coalesce(at, pg_catalog.now())) AS e;
END
$function$;
COMMENT ON FUNCTION observability.evaluate_own_alert_rules(timestamptz) IS
    'What evaluate_alert_rules does inside a context.';
GRANT EXECUTE ON FUNCTION observability.evaluate_own_alert_rules(timestamptz) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.evaluate_all_alert_rules(at timestamptz)
RETURNS TABLE (
    rule_id uuid,
    fingerprint text,
    fired boolean,
    incident_id uuid,
    observed numeric,
    threshold numeric)
LANGUAGE plpgsql
SECURITY DEFINER
ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
        SELECT e.rule_id, e.fingerprint, e.fired, e.incident_id, e.observed, e.threshold
        FROM (SELECT DISTINCT r.org_id FROM observability.alert_rules AS r WHERE r.enabled ORDER BY r.org_id) AS o
        CROSS JOIN LATERAL observability.evaluate_organization(o.org_id, coalesce(at, pg_catalog.now())) AS e;
END
$function$;
COMMENT ON FUNCTION observability.evaluate_all_alert_rules(timestamptz) IS
    'What evaluate_alert_rules does for codeverify_service outside of a context: the rules of every organization, in one transaction.';
GRANT EXECUTE ON FUNCTION observability.evaluate_all_alert_rules(timestamptz) TO codeverify_service;

CREATE FUNCTION observability.evaluate_alert_rules(at timestamptz DEFAULT pg_catalog.now())
RETURNS TABLE (
    rule_id uuid,
    fingerprint text,
    fired boolean,
    incident_id uuid,
    observed numeric,
    threshold numeric)
LANGUAGE plpgsql
ROWS 20
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF tenancy.current_org_id() IS NULL AND pg_catalog.pg_has_role(CURRENT_USER, 'codeverify_service', 'USAGE') THEN
        RETURN QUERY
            SELECT e.rule_id, e.fingerprint, e.fired, e.incident_id, e.observed, e.threshold
            FROM observability.evaluate_all_alert_rules(at) AS e;
    ELSE
        RETURN QUERY
            SELECT e.rule_id, e.fingerprint, e.fired, e.incident_id, e.observed, e.threshold
            FROM observability.evaluate_own_alert_rules(at) AS e;
    END IF;
END
$function$;
COMMENT ON FUNCTION observability.evaluate_alert_rules(timestamptz) IS
    'Evaluates the enabled alert rules of the organization in context, or of all when codeverify_service calls it outside of a context, as of a time, and returns a row for each fingerprint: whether it fired now, the incident it is under, what was observed and the threshold. A fingerprint that has fired does not fire again within the cool-down of its rule; when it does, the incident that goes on is counted up. As of a time before the last evaluation nothing is changed. codeverify.maintain() does this every minute. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC113 for a time that is to come; warns with VC114 of a rule that fails. Example: SELECT * FROM observability.evaluate_alert_rules() WHERE fired;';
GRANT EXECUTE ON FUNCTION observability.evaluate_alert_rules(timestamptz) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.list_due_organizations()
RETURNS SETOF uuid
LANGUAGE plpgsql
STABLE
ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    a_minute_ago constant timestamptz := codeverify.read_clock() - interval '1 minute';
BEGIN
    RETURN QUERY
        SELECT DISTINCT r.org_id
        FROM observability.alert_rules AS r
        LEFT JOIN observability.alert_evaluations AS e ON e.rule_id = r.id
        WHERE r.enabled
          AND (e.evaluated_at IS NULL OR e.evaluated_at <= a_minute_ago)
        ORDER BY r.org_id;
END
$function$;
COMMENT ON FUNCTION observability.list_due_organizations() IS
    'Organizations with an enabled alert rule that was not evaluated for a minute.';

CREATE FUNCTION observability.take_alert_step(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant constant uuid := target::uuid;
    fingerprints bigint;
    firings bigint;
    failures bigint;
BEGIN
    SELECT count(*), count(*) FILTER (WHERE e.fired)
    INTO fingerprints, firings
    FROM observability.evaluate_organization(tenant, codeverify.read_clock()) AS e;

    SELECT count(*)
    INTO failures
    FROM observability.alert_evaluations AS e
    WHERE e.org_id = tenant
      AND e.last_error_at >= pg_catalog.now();

    RETURN QUERY
        SELECT 'evaluated',
               pg_catalog.concat_ws(
                   ', ',
                   pg_catalog.format('%s fingerprints', fingerprints),
                   pg_catalog.format('%s fired', firings),
                   CASE WHEN failures > 0 THEN pg_catalog.format('%s rules failed', failures) END),
               false;
END
$function$;
COMMENT ON FUNCTION observability.take_alert_step(text) IS
    'Step of maintenance: evaluates the alert rules of one organization.';
