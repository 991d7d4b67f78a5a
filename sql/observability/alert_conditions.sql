-- What alert rules observe, by type.

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
                   -- Another delivery of the same attempt is no other failure.
                   count(DISTINCT (
                       d.repo_id,
                       coalesce(d.details ->> 'run_id', d.id::text),
                       coalesce(d.details ->> 'attempt', '1'))) AS runs
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
