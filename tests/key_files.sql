-- A key file of the test's own. Included by \ir after two_tenants.sql; tap.write_key_file() takes a superuser, and
-- tap.remove_key_file() ends the test.
CREATE FUNCTION tap.key_file() RETURNS text LANGUAGE sql AS $$SELECT '/tmp/codeverify_tap_key_' || pg_backend_pid()$$;

CREATE FUNCTION tap.write_key_file(content text, mode text DEFAULT '600')
RETURNS void
LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format(
        'COPY (SELECT unnest(%L::text[])) TO PROGRAM %L',
        string_to_array(content, E'\n'), format('umask 077; cat > %1$s; chmod %2$s %1$s', tap.key_file(), mode));
END
$function$;

CREATE FUNCTION tap.remove_key_file()
RETURNS void
LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat > /dev/null; rm -f ' || tap.key_file());
END
$function$;
