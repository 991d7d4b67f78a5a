-- Checks of secrets: their keys, and where they could get out.

COMMENT ON FUNCTION codeverify.list_encryption_keys() IS
    'The ids of the keys in the file that codeverify.encryption_key_file names; none where it cannot be used.';

COMMENT ON FUNCTION codeverify.find_encryption_fault() IS
    'What is wrong with the file that codeverify.encryption_key_file names, in words; NULL when nothing is.';

CREATE FUNCTION codeverify.list_revealing_settings()
RETURNS SETOF text
LANGUAGE sql
STABLE
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A name that speaks of a secret and not of where one is, or a value that has the form of one.
    SELECT DISTINCT pg_catalog.format(
        '%s of %s', v.name,
        pg_catalog.concat_ws(
            ' in ',
            CASE WHEN s.setrole = 0 THEN 'all roles' ELSE pg_catalog.format('role %I', pg_catalog.pg_get_userbyid(s.setrole)) END,
            CASE WHEN s.setdatabase = 0 THEN 'all databases' ELSE 'database ' || (
                SELECT pg_catalog.quote_ident(d.datname) FROM pg_catalog.pg_database AS d WHERE d.oid = s.setdatabase) END))
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN pg_catalog.unnest(s.setconfig) AS c (entry)
    CROSS JOIN LATERAL (
        SELECT pg_catalog.split_part(c.entry, '=', 1), pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1)
    ) AS v (name, value)
    WHERE v.value <> ''
      AND (v.name ~* '(secret|passw|passphrase|credential|token|apikey|(^|[._])(key|dek|kek)$|[_.](api|private|signing|encryption|master)_?key)'
           AND v.name !~* '(_file|_path|_dir|_command|_encryption|_ciphers|_size|_length|_timeout|_ttl)$'
           OR v.value ~ '(cv_live_[0-9A-Za-z]{8}|-----BEGIN|ghp_[0-9A-Za-z]{8}|github_pat_|AKIA[0-9A-Z]{12}|sk-[0-9A-Za-z_-]{16}|PRIVATE\+KEY\+)'
           OR v.value ~ '://[^/:@\s]*:[^/@\s]+@')
    ORDER BY 1
$function$;
COMMENT ON FUNCTION codeverify.list_revealing_settings() IS
    'Settings of databases and roles, which everybody can read, that look like a secret by their name or value; without the value.';

CREATE FUNCTION codeverify.list_lost_secrets()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- During a restore there are functions and no tables.
    IF pg_catalog.to_regclass('integrations.inbound_secrets') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT pg_catalog.format('%s of %s (key %s)', count(*), s.place, k.key_id)
    FROM (
        SELECT 'auth.users.totp_secret', u.totp_secret FROM auth.users AS u WHERE u.totp_secret IS NOT NULL
        UNION ALL
        SELECT 'auth.jwt_keys.secret_encrypted', j.secret_encrypted FROM auth.jwt_keys AS j WHERE j.secret_encrypted IS NOT NULL
        UNION ALL
        SELECT 'integrations.inbound_secrets.secret_encrypted', i.secret_encrypted FROM integrations.inbound_secrets AS i
    ) AS s (place, sealed)
    CROSS JOIN LATERAL pg_catalog.split_part(s.sealed, ':', 2) AS k (key_id)
    WHERE k.key_id NOT IN (SELECT l.id FROM codeverify.list_encryption_keys() AS l (id))
    GROUP BY s.place, k.key_id
    ORDER BY s.place, k.key_id;
END
$function$;
COMMENT ON FUNCTION codeverify.list_lost_secrets() IS
    'How many secrets at rest of which column are under a key that the key file does not have, by the id of the key.';

CREATE FUNCTION codeverify.list_unsigned_receivers()
RETURNS SETOF text
LANGUAGE plpgsql
STABLE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    since constant timestamptz := pg_catalog.now() - interval '7 days';
BEGIN
    IF pg_catalog.to_regclass('integrations.inbound_secrets') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT *
    FROM (
        SELECT pg_catalog.format('installation %s of organization %s', i.github_installation_id, i.org_id)
        FROM scm.installations AS i
        WHERE i.suspended_at IS NULL
          AND NOT EXISTS (
              SELECT FROM integrations.inbound_secrets AS s WHERE s.org_id IS NULL OR s.org_id = i.org_id)
        UNION ALL
        -- By webhooks of its own, to whose identifiers it is added.
        SELECT DISTINCT pg_catalog.format('organization %s', d.org_id)
        FROM integrations.inbound_deliveries AS d
        WHERE d.created_at > since
          AND pg_catalog."right"(d.delivery_id, 37) = '@' || d.org_id
          AND NOT EXISTS (SELECT FROM integrations.inbound_secrets AS s WHERE s.org_id = d.org_id)
        UNION ALL
        SELECT pg_catalog.format('somebody, last refused at %s', pg_catalog.date_trunc('second', max(a.ts)))
        FROM audits.audit_log AS a
        WHERE a.action = 'delivery.refused'
          AND a.ts > since
          AND NOT EXISTS (SELECT FROM integrations.inbound_secrets AS s)
        HAVING count(*) > 0
    ) AS r (receiver)
    ORDER BY r.receiver
    LIMIT 10;
END
$function$;
COMMENT ON FUNCTION codeverify.list_unsigned_receivers() IS
    'Installations, and organizations with deliveries in the last week, whose deliveries are all refused because there is no inbound secret to verify them with; up to ten.';

CREATE FUNCTION codeverify.examine_secrets()
RETURNS TABLE (check_name text, severity text, fault text, fine text, hint text)
LANGUAGE sql
STABLE
ROWS 7
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT 'encryption_key', 'warning',
           codeverify.find_encryption_fault(),
           'secrets at rest can be encrypted',
           'Put what codeverify.create_encryption_key() gives into a file of the server''s user, mode 0600, off the data volume, and set codeverify.encryption_key_file.'
    UNION ALL
    SELECT 'lost_secrets', 'error',
           'no key opens: ' || (SELECT pg_catalog.string_agg(l.lost, ', ') FROM codeverify.list_lost_secrets() AS l (lost)),
           'every secret at rest is under a key that is there',
           'Put the line of that key back into the file that codeverify.encryption_key_file names, then SELECT codeverify.reencrypt();'
    UNION ALL
    SELECT 'inbound_secrets', 'warning',
           'all deliveries are refused, since no secret verifies them, of: ' || (
               SELECT pg_catalog.string_agg(r.receiver, ', ') FROM codeverify.list_unsigned_receivers() AS r (receiver)),
           'whoever delivers has a secret that verifies it',
           'SELECT integrations.set_inbound_secret(''github'', $1); with what was entered there, and the organization as the third argument for webhooks of its own.'
    UNION ALL
    SELECT 'log_parameters', 'warning',
           'bind parameters, which carry API keys, can get into the log: ' || nullif(pg_catalog.concat_ws(
               ', ',
               CASE WHEN pg_catalog.current_setting('log_parameter_max_length') <> '0' THEN
                   'log_parameter_max_length = ' || pg_catalog.current_setting('log_parameter_max_length') END,
               CASE WHEN pg_catalog.current_setting('log_parameter_max_length_on_error') <> '0' THEN
                   'log_parameter_max_length_on_error = ' || pg_catalog.current_setting('log_parameter_max_length_on_error') END,
               -- Of PostgreSQL 16 and later, where auto_explain is loaded.
               CASE WHEN pg_catalog.current_setting('auto_explain.log_parameter_max_length', true) NOT IN ('', '0') THEN
                   'auto_explain.log_parameter_max_length = '
                   || pg_catalog.current_setting('auto_explain.log_parameter_max_length', true) END), ''),
           'bind parameters are not logged',
           'ALTER SYSTEM SET log_parameter_max_length = 0; ALTER SYSTEM SET log_parameter_max_length_on_error = 0; SELECT pg_reload_conf(); and likewise auto_explain.log_parameter_max_length.'
    UNION ALL
    SELECT 'log_statement', 'warning',
           CASE WHEN pg_catalog.current_setting('log_statement') IN ('mod', 'all') THEN
               'log_statement = ' || pg_catalog.current_setting('log_statement') || ': literals of statements get into the log' END,
           'log_statement = ' || pg_catalog.current_setting('log_statement'),
           'ALTER SYSTEM SET log_statement = ''ddl''; SELECT pg_reload_conf(); the ledger records changes.'
    UNION ALL
    SELECT 'secrets_in_settings', 'error',
           'everybody can read these: ' || (SELECT pg_catalog.string_agg(s.name, ', ') FROM codeverify.list_revealing_settings() AS s (name)),
           'no setting of a database or role looks like a secret',
           'ALTER ... RESET it, and take the secret for known.'
    UNION ALL
    SELECT 'password_encryption', 'warning',
           CASE WHEN pg_catalog.current_setting('password_encryption') <> 'scram-sha-256' THEN
               'password_encryption = ' || pg_catalog.current_setting('password_encryption') END,
           'passwords are kept as scram-sha-256',
           'ALTER SYSTEM SET password_encryption = ''scram-sha-256''; SELECT pg_reload_conf(); then set the passwords anew.'
$function$;
COMMENT ON FUNCTION codeverify.examine_secrets() IS
    'The checks of codeverify.doctor() of secrets.';
