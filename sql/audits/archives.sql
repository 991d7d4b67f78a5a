-- Archives of old partitions.

CREATE FUNCTION audits.describe_partition(partition regclass)
RETURNS TABLE (partition_name text, from_ts timestamptz, until_ts timestamptz)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $function$
    SELECT c.relname::text,
           CASE WHEN b.bounds[1] = 'MINVALUE' THEN '-infinity' ELSE pg_catalog.btrim(b.bounds[1], '''') END::timestamptz,
           CASE WHEN b.bounds[2] = 'MAXVALUE' THEN 'infinity' ELSE pg_catalog.btrim(b.bounds[2], '''') END::timestamptz
    FROM pg_catalog.pg_inherits AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL pg_catalog.regexp_match(
        pg_catalog.pg_get_expr(c.relpartbound, c.oid),
        '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS b (bounds)
    WHERE i.inhparent = pg_catalog.to_regclass('audits.audit_log')
      AND i.inhrelid = partition
      AND c.relkind = 'r'
$function$;
COMMENT ON FUNCTION audits.describe_partition(regclass) IS
    'Name and bounds of a partition of audits.audit_log; no row for any other table and for the DEFAULT partition, whose bounds are NULL.';

CREATE FUNCTION audits.lock_out_appends()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    attempts constant int := 10;
    callers_timeout constant text := pg_catalog.current_setting('lock_timeout');
BEGIN
    -- Whoever comes after a waiting ACCESS EXCLUSIVE waits too. So it waits for short times only, and lets the others
    -- pass in between.
    FOR attempt IN 1 .. attempts LOOP
        BEGIN
            IF callers_timeout::interval = '0' OR callers_timeout::interval > '1 s' THEN
                SET LOCAL lock_timeout = '1s';
            END IF;
            LOCK TABLE audits.audit_log IN ACCESS EXCLUSIVE MODE;
            PERFORM pg_catalog.set_config('lock_timeout', callers_timeout, true);
            RETURN;
        EXCEPTION
            WHEN lock_not_available THEN
                IF attempt = attempts THEN
                    RAISE lock_not_available USING
                        MESSAGE = 'could not obtain the lock on audits.audit_log that detaching a partition takes',
                        DETAIL = pg_catalog.format('%s attempts found transactions that had read or written the ledger and were still open.', attempts),
                        HINT = 'Nothing was changed. Look for long transactions in pg_stat_activity and try again.';
                END IF;
        END;
        PERFORM pg_catalog.pg_sleep(0.2 * attempt);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION audits.lock_out_appends() IS
    'Locks audits.audit_log against everybody, for the moment in which a partition leaves it, without making others queue for more than a second at a time. Raises lock_not_available after ten attempts.';

COMMENT ON FUNCTION audits.archive_partition(regclass) IS
    'Moves a closed partition of audits.audit_log into an archive, for codeverify_admin: verifies every entry, packs them into compressed segments, verifies the pack, makes a checkpoint where one does not cover them yet, records the archive in the platform''s own ledger, and drops the partition. Returns an object with archive, partition, entries, segments, bytes_before, bytes_after and root. Runs at READ COMMITTED. Older partitions that have entries go first. Raises VC058 for a table that is no closed partition of the ledger and VC060 when an entry does not verify, and changes nothing then. Example: SELECT audits.archive_partition(''audits.audit_log_2026_01'');';
GRANT EXECUTE ON FUNCTION audits.archive_partition(regclass) TO codeverify_admin;

COMMENT ON FUNCTION audits.read_archive(timestamptz, timestamptz) IS
    'Archived entries with all columns of audits.audit_log, of the organization in context; codeverify_admin and codeverify_auditor see those of all. From the first time on and before the second; NULL means no bound. Raises VC060 when a segment is damaged. Example: SELECT * FROM audits.read_archive(''2026-01-01'', ''2026-02-01'') ORDER BY ts;';
GRANT EXECUTE ON FUNCTION audits.read_archive(timestamptz, timestamptz)
TO codeverify_admin, codeverify_auditor, codeverify_tenant;

COMMENT ON FUNCTION audits.verify_archives() IS
    'What is wrong with the archives, in the terms of audits.verify_chain(): no rows when they are intact. Every segment is unpacked, every entry hashed again and compared with its signature, its lane and the archive''s root. The verdict pruned tells of rows that were deleted with audits.prune_archive(). For codeverify_admin and codeverify_auditor. Example: SELECT * FROM audits.verify_archives();';
GRANT EXECUTE ON FUNCTION audits.verify_archives() TO codeverify_admin, codeverify_auditor;

CREATE FUNCTION audits.list_archives()
RETURNS TABLE (
    archive uuid,
    partition_name text,
    from_ts timestamptz,
    until_ts timestamptz,
    entries bigint,
    segments int,
    bytes_before bigint,
    bytes_after bigint,
    root text,
    archived_by text,
    archived_at timestamptz,
    pruned_by text,
    pruned_at timestamptz)
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 50
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT a.id,
           a.partition_name,
           a.from_ts,
           a.until_ts,
           a.entries,
           a.segments,
           a.bytes_before,
           a.bytes_after,
           pg_catalog.encode(a.root, 'hex'),
           a.archived_by,
           a.archived_at,
           a.pruned_by,
           a.pruned_at
    FROM audits.archives AS a
    ORDER BY a.until_ts, a.id
$function$;
COMMENT ON FUNCTION audits.list_archives() IS
    'The archives of the ledger, oldest first, for codeverify_admin and codeverify_auditor. Example: SELECT partition_name, entries, bytes_before / bytes_after AS ratio FROM audits.list_archives();';
GRANT EXECUTE ON FUNCTION audits.list_archives() TO codeverify_admin, codeverify_auditor;

CREATE FUNCTION audits.retention_locked_until()
RETURNS timestamptz
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_catalog.max(r.locked_until)
    FROM audits.retention_locks AS r
$function$;
COMMENT ON FUNCTION audits.retention_locked_until() IS
    'Until when no archive may be pruned; NULL when that was never set.';
GRANT EXECUTE ON FUNCTION audits.retention_locked_until() TO codeverify_admin, codeverify_auditor;

CREATE FUNCTION audits.lock_retention(until timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before timestamptz;
BEGIN
    -- Two at once follow each other, so that the later cannot set less than the earlier.
    LOCK TABLE audits.retention_locks IN SHARE ROW EXCLUSIVE MODE;
    before := audits.retention_locked_until();
    IF lock_retention.until IS NULL OR lock_retention.until <= pg_catalog.clock_timestamp() THEN
        RAISE EXCEPTION 'retention cannot be locked until %', coalesce(lock_retention.until::text, 'NULL')
            USING ERRCODE = 'VC059',
                  DETAIL = 'A lock ends in the future.',
                  HINT = 'Name a later time.';
    END IF;
    IF lock_retention.until < before THEN
        RAISE EXCEPTION 'the retention lock until % cannot be shortened', before
            USING ERRCODE = 'VC059',
                  DETAIL = pg_catalog.format('It would end %s.', lock_retention.until),
                  HINT = 'A retention lock can only be lengthened, by nobody be lifted.';
    END IF;

    INSERT INTO audits.retention_locks (locked_until)
    VALUES (lock_retention.until);
    INSERT INTO audits.audit_log (org_id, entity, action, actor_id, payload)
    VALUES (
        NULL,
        'audits.audit_log',
        'retention.locked',
        tenancy.current_user_id(),
        pg_catalog.jsonb_build_object(
            -- In UTC whatever the session's zone is: verification compares the text.
            'until', CASE
                WHEN pg_catalog.isfinite(lock_retention.until)
                THEN (pg_catalog.to_jsonb(lock_retention.until AT TIME ZONE 'UTC') #>> '{}') || '+00:00'
                ELSE lock_retention.until::text
            END,
            'before', before,
            'by', session_user));
    RETURN lock_retention.until;
END
$function$;
COMMENT ON FUNCTION audits.lock_retention(timestamptz) IS
    'Keeps archives from being pruned until a time, for codeverify_admin. It can be lengthened and never shortened or lifted; infinity is for good. Partitions may still be archived, since that loses nothing. The lock is recorded in the platform''s own ledger. Raises VC059 for a time that is earlier than the one in force, or past. Example: SELECT audits.lock_retention(now() + interval ''7 years'');';
GRANT EXECUTE ON FUNCTION audits.lock_retention(timestamptz) TO codeverify_admin;

COMMENT ON FUNCTION audits.prune_archive(uuid) IS
    'Deletes the packed rows of an archive for good and returns how many entries that were, for codeverify_admin. Their signatures, the record of the archive and the ends of its lanes stay, so that all that is left still verifies and inclusion in old checkpoints can be proven. It is recorded in the platform''s own ledger, and audits.verify_archives() tells of it with the verdict pruned. Raises VC058 when there is no such archive or it was pruned before, VC059 while retention is locked. Example: SELECT audits.prune_archive(archive) FROM audits.list_archives() WHERE until_ts < now() - interval ''10 years'';';
GRANT EXECUTE ON FUNCTION audits.prune_archive(uuid) TO codeverify_admin;
