-- Each rule is a table, the column that tells when a row expired, which has an index that serves the look-up, what else
-- has to be so for a row to go ($1 is the clock), and how long it is kept after that.
CREATE FUNCTION codeverify.list_clean_up_rules()
RETURNS TABLE (target text, expiry text, condition text, default_keep interval, description text)
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
ROWS 14
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT v.target, v.expiry, v.condition, v.default_keep, v.description
    FROM (VALUES
        (
            'auth.sessions', 'expires_at', 'true', interval '7 days',
            'sessions after their end, with the refresh tokens that they had'
        ),
        (
            'auth.session_revocations', 'revoked_at',
            'NOT EXISTS (SELECT FROM auth.sessions AS s WHERE s.id = t.session_id)', interval '7 days',
            'revocations of sessions that are gone'
        ),
        (
            'auth.email_verifications', 'expires_at', 'true', interval '7 days',
            'tokens that confirm a mail address, used or not, after their end'
        ),
        (
            'auth.password_resets', 'expires_at', 'true', interval '1 day',
            'tokens that reset a password, used or not, after their end'
        ),
        -- What still counts against an account that a user has is not forgotten.
        (
            'auth.login_attempts', 'last_failed_at',
            $condition$
                CASE
                    WHEN t.kind = 'account' AND NOT EXISTS (SELECT FROM auth.users AS u WHERE u.id = t.user_id) THEN true
                    WHEN t.locked_until > $1 THEN false
                    ELSE t.kind = 'ip_address' OR t.failures < 5
                END
            $condition$, interval '30 days',
            'failed log-ins that count no more, after the last one'
        ),
        (
            'auth.invitations', 'expires_at', 'true', interval '90 days',
            'invitations after their end, with who accepted them'
        ),
        (
            'auth.api_key_rate_buckets', 'window_start', 'true', interval '1 day',
            'counts of uses of API keys by minute'
        ),
        (
            'observability.alert_firings', 'fired_at', 'true', interval '90 days',
            'state of alerts that have not fired since'
        ),
        (
            'observability.rejected_logs', 'received_at', 'true', interval '30 days',
            'log lines that were not taken, after they were sent'
        ),
        (
            'integrations.inbound_deliveries', 'created_at', 'true', interval '90 days',
            'deliveries that came in; one that comes again is known as a duplicate for as long'
        ),
        (
            'analysis.jobs', 'updated_at', $condition$t.status IN ('completed', 'failed')$condition$, interval '30 days',
            'jobs that are over, after their last change'
        ),
        (
            'analysis.trust_score_cache', 'computed_at', 'true', interval '90 days',
            'trust scores, which are computed again when asked for'
        ),
        (
            'analysis.diff_summary_cache', 'computed_at', 'true', interval '90 days',
            'summaries of pull requests, which are written again when asked for'
        ),
        (
            'production.artifacts', 'expires_at', 'true', interval '0',
            'temporary artifacts after their end'
        ),
        (
            'codeverify.maintenance_tasks', 'last_run_at', $condition$t.task <> 'maintain'$condition$, interval '90 days',
            'what is known of tasks that have not been due since, as those of tables that are gone'
        )
    ) AS v (target, expiry, condition, default_keep, description)
$function$;
COMMENT ON FUNCTION codeverify.list_clean_up_rules() IS
    'What the task clean_up deletes, as SQL: the column of a table that tells when a row expired, and the condition under which it goes, where $1 is the clock.';

CREATE FUNCTION codeverify.list_clean_up_targets()
RETURNS TABLE (target text, keep interval, default_keep interval, description text)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 14
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT r.target,
           CASE WHEN s.target IS NULL THEN r.default_keep ELSE s.keep END,
           r.default_keep,
           r.description
    FROM codeverify.list_clean_up_rules() AS r
    LEFT JOIN codeverify.clean_up_settings AS s ON s.target = r.target
    ORDER BY r.target;
END
$function$;
COMMENT ON FUNCTION codeverify.list_clean_up_targets() IS
    'What maintenance cleans up: tables, how long a row is kept after it has expired (NULL for good), how long by default, and what is meant by it. Change it with codeverify.configure_clean_up(). For codeverify_admin and codeverify_auditor.';
GRANT EXECUTE ON FUNCTION codeverify.list_clean_up_targets()
TO codeverify_admin, codeverify_auditor;

CREATE FUNCTION codeverify.configure_clean_up(target text, keep interval)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM codeverify.list_clean_up_rules() AS r WHERE r.target = configure_clean_up.target) THEN
        RAISE EXCEPTION '"%" is not cleaned up by maintenance', configure_clean_up.target
            USING ERRCODE = 'VC095',
                  HINT = pg_catalog.format('It is one of %s.', (
                      SELECT pg_catalog.string_agg(r.target, ', ' ORDER BY r.target)
                      FROM codeverify.list_clean_up_rules() AS r));
    END IF;
    IF configure_clean_up.keep < interval '0' THEN
        RAISE EXCEPTION 'what has not expired is not cleaned up'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give how long rows are kept after they have expired, 0 or more, or NULL to keep them for good.';
    END IF;
    INSERT INTO codeverify.clean_up_settings AS s (target, keep)
    VALUES (configure_clean_up.target, configure_clean_up.keep)
    ON CONFLICT (target) DO UPDATE
    SET keep = excluded.keep;
END
$function$;
COMMENT ON FUNCTION codeverify.configure_clean_up(text, interval) IS
    'Sets how long maintenance keeps the rows of a table after they have expired; NULL for good. Raises VC095 for a table that is not cleaned up, with a list of those that are. For codeverify_admin. Example: SELECT codeverify.configure_clean_up(''analysis.jobs'', ''7 days'');';
GRANT EXECUTE ON FUNCTION codeverify.configure_clean_up(text, interval)
TO codeverify_admin;

CREATE FUNCTION codeverify.list_due_clean_ups()
RETURNS SETOF text
LANGUAGE plpgsql
VOLATILE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    clock constant timestamptz := codeverify.read_clock();
    rule record;
    is_due boolean;
BEGIN
    FOR rule IN
        SELECT r.target, r.expiry, r.condition, t.keep
        FROM codeverify.list_clean_up_rules() WITH ORDINALITY AS r (target, expiry, condition, default_keep, description, place)
        JOIN codeverify.list_clean_up_targets() AS t USING (target)
        WHERE t.keep IS NOT NULL
        ORDER BY r.place
    LOOP
        -- In the order of the index, whatever the statistics say: the oldest row tells.
        EXECUTE pg_catalog.format(
            'SELECT true FROM %s AS t WHERE t.%I < $2 AND (%s) ORDER BY t.%I LIMIT 1',
            rule.target, rule.expiry, rule.condition, rule.expiry)
        INTO is_due
        USING clock, clock - rule.keep;
        IF is_due THEN
            RETURN NEXT rule.target;
        END IF;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION codeverify.list_due_clean_ups() IS
    'Tables that have rows which maintenance deletes, because they expired long enough ago.';

CREATE FUNCTION codeverify.clean_up(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
VOLATILE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    batch constant integer := 1000;
    clock constant timestamptz := codeverify.read_clock();
    rule record;
    deleted integer;
BEGIN
    SELECT r.target, r.expiry, r.condition, clock - t.keep AS horizon
    INTO rule
    FROM codeverify.list_clean_up_rules() AS r
    JOIN codeverify.list_clean_up_targets() AS t USING (target)
    WHERE r.target = clean_up.target;
    IF rule.horizon IS NULL THEN
        RETURN;
    END IF;
    -- As an array, which is made once: a plan that ran the subquery again for each row would lock other rows each time,
    -- and delete more than a batch. A row that was changed meanwhile is left to the next run.
    EXECUTE pg_catalog.format(
        'DELETE FROM %1$s
        WHERE ctid = ANY (ARRAY(
            SELECT t.ctid FROM %1$s AS t
            WHERE t.%2$I < $2 AND (%3$s)
            ORDER BY t.%2$I
            LIMIT $3
            FOR UPDATE OF t SKIP LOCKED))',
        rule.target, rule.expiry, rule.condition)
    USING clock, rule.horizon, batch;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF deleted > 0 THEN
        RETURN QUERY
        SELECT 'deleted',
               pg_catalog.format(
                   '%s rows with %s before %s', deleted, rule.expiry, pg_catalog.date_trunc('second', rule.horizon)),
               deleted = batch;
    END IF;
END
$function$;
COMMENT ON FUNCTION codeverify.clean_up(text) IS
    'Deletes up to 1,000 rows of a table that expired long enough ago, the oldest first; rows that somebody holds are left for another time.';
