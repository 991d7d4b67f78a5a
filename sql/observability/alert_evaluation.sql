-- The evaluation of alert rules: what happens when their conditions hold.

CREATE FUNCTION observability.word_alert(rule_type text, params jsonb, subject text, observed numeric)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(
        params ->> 'title',
        pg_catalog."left"(
            pg_catalog.concat_ws(
                ': ',
                nullif(subject, ''),
                pg_catalog.format(
                    '%s %s within %s',
                    observed,
                    CASE rule_type WHEN 'error_count' THEN 'log line' ELSE 'failed workflow run' END
                        || CASE WHEN observed <> 1 THEN 's' ELSE '' END,
                    CASE params ->> 'window_minutes'
                        WHEN '1' THEN 'a minute'
                        ELSE (params ->> 'window_minutes') || ' minutes'
                    END)),
            200))
$function$;
COMMENT ON FUNCTION observability.word_alert(text, jsonb, text, numeric) IS
    'The title of the incident that an alert rule opens: the one that its parameters name, or what it observed of which subject.';

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
                observability.word_alert(rule.type, params, found_now.subject, found_now.observed),
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
