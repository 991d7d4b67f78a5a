-- What is packed: read and verified.

CREATE FUNCTION codeverify.query_packed(
    parent regclass,
    since timestamptz,
    until timestamptz,
    organization uuid,
    owner_column name,
    owner uuid)
RETURNS SETOF jsonb
LANGUAGE plpgsql
STABLE
ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    key_time text;
    shape jsonb;
BEGIN
    SELECT CASE a.atttypid
               WHEN 'pg_catalog.date'::regtype THEN pg_catalog.format('(r.%I::timestamp AT TIME ZONE %L)', a.attname, 'UTC')
               ELSE pg_catalog.format('r.%I', a.attname)
           END
    INTO key_time
    FROM pg_catalog.pg_partitioned_table AS p
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = parent;
    FOR shape IN
        SELECT DISTINCT s.columns
        FROM codeverify.packed_segments AS s
        WHERE s.relation = parent
          AND (organization IS NULL OR s.org_id = organization)
          AND s.max_ts >= coalesce(since, '-infinity')
          AND s.min_ts < coalesce(until, 'infinity')
    LOOP
        RETURN QUERY EXECUTE pg_catalog.format(
            'SELECT to_jsonb(r.*)'
            ' FROM codeverify.packed_segments AS s'
            ' CROSS JOIN LATERAL codeverify.segment_rows(s.id) AS r (%s)'
            ' WHERE s.relation = $1 AND s.columns = $2 AND ($3 IS NULL OR s.org_id = $3)'
            '   AND s.max_ts >= $4 AND s.min_ts < $5 AND %s >= $4 AND %2$s < $5 AND %s',
            codeverify.list_readable_columns(shape),
            key_time,
            CASE WHEN owner_column IS NULL THEN 'true' ELSE pg_catalog.format('r.%I = $6', owner_column) END)
        USING parent, shape, organization, coalesce(since, '-infinity'), coalesce(until, 'infinity'), owner;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION codeverify.query_packed(regclass, timestamptz, timestamptz, uuid, name, uuid) IS
    'Packed rows of a table as objects, from "since" on and before "until": of one organization or, with NULL, of all; with a column''s name, those that have the uuid there. Its callers say who sees what.';

CREATE FUNCTION codeverify.read_packed(parent regclass, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS SETOF jsonb
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('read');
    owner_column name;
BEGIN
    -- Where the table shows users their own rows only, so does this.
    SELECT a.attname
    INTO owner_column
    FROM pg_catalog.pg_policy AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_policy'::regclass
        AND d.objid = p.oid
        AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid = p.polrelid
        AND d.refobjsubid > 0
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.polrelid AND a.attnum = d.refobjsubid
    WHERE p.polrelid = parent
      AND NOT p.polpermissive
      AND p.polname = tenancy.name_after(c.relname, 'own')
    LIMIT 1;
    RETURN QUERY
    SELECT q.value
    FROM codeverify.query_packed(parent, since, until, tenant, owner_column, tenancy.current_user_id()) AS q (value);
END
$function$;
COMMENT ON FUNCTION codeverify.read_packed(regclass, timestamptz, timestamptz) IS
    'Packed rows of a table as objects, from "since" on and before "until", in no order: those of the organization in context and, where the table shows users their own rows only, of the user. For the trusted service: policies of your own on the table are not asked. Takes the permission read. Raises VC105 for a damaged segment. Example: SELECT * FROM codeverify.read_packed(''observability.logs'', ''2026-01-01'', ''2026-01-02'');';
GRANT EXECUTE ON FUNCTION codeverify.read_packed(regclass, timestamptz, timestamptz)
TO codeverify_service;

CREATE FUNCTION codeverify.read_all_packed(
    parent regclass,
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL,
    organization uuid DEFAULT NULL)
RETURNS SETOF jsonb
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT q.value
    FROM codeverify.query_packed(parent, since, until, organization, NULL, NULL) AS q (value);
END
$function$;
COMMENT ON FUNCTION codeverify.read_all_packed(regclass, timestamptz, timestamptz, uuid) IS
    'Packed rows of a table as objects, from "since" on and before "until", in no order: those of an organization or, by default, of all and those that have none. For administrators and auditors. Raises VC105 for a damaged segment.';
GRANT EXECUTE ON FUNCTION codeverify.read_all_packed(regclass, timestamptz, timestamptz, uuid)
TO codeverify_admin, codeverify_auditor;

CREATE FUNCTION codeverify.verify_packed()
RETURNS TABLE (segment uuid, relation regclass, org_id uuid, period_start timestamptz, problem text)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 5
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
DECLARE
    stored record;
    held jsonb;
BEGIN
    FOR stored IN
        SELECT s.id, s.relation, s.org_id, s.period_start, s.row_count, s.min_ts, s.max_ts, s.summary, a.attname,
               s.words IS NOT NULL AS has_words
        FROM codeverify.packed_segments AS s
        LEFT JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = s.relation
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
        ORDER BY s.relation::text, s.period_start, s.org_id, s.id
    LOOP
        segment := stored.id;
        relation := stored.relation;
        org_id := stored.org_id;
        period_start := stored.period_start;
        problem := NULL;
        IF stored.attname IS NULL THEN
            problem := 'its table is gone';
        ELSE
            BEGIN
                held := codeverify.describe_segment(stored.id, stored.attname::text, stored.has_words);
                problem := CASE
                    WHEN (held ->> 'rows')::int <> stored.row_count THEN 'row_count is not the number of rows'
                    WHEN held -> 'min_ts' IS DISTINCT FROM pg_catalog.to_jsonb(codeverify.stored_micros(stored.min_ts))
                        OR held -> 'max_ts' IS DISTINCT FROM pg_catalog.to_jsonb(codeverify.stored_micros(stored.max_ts))
                        THEN 'min_ts and max_ts are not those of the rows'
                    WHEN held -> 'summary' <> stored.summary THEN 'summary is not that of the rows'
                    WHEN stored.has_words AND NOT EXISTS (
                        SELECT
                        FROM codeverify.packed_segments AS s
                        WHERE s.id = stored.id
                          AND s.words = pg_catalog.decode(held ->> 'words', 'hex'))
                        THEN 'words are not those of the rows'
                END;
            EXCEPTION
                WHEN SQLSTATE 'VC105' THEN
                    GET STACKED DIAGNOSTICS problem = PG_EXCEPTION_DETAIL;
            END;
        END IF;
        IF problem IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION codeverify.verify_packed() IS
    'Reads every packed segment and returns a row for each that is damaged, or of which codeverify.packed_segments says what is not so. No row when all is well. For administrators and auditors.';
GRANT EXECUTE ON FUNCTION codeverify.verify_packed() TO codeverify_admin, codeverify_auditor;

CREATE FUNCTION codeverify.stored_micros(moment timestamptz)
RETURNS bigint
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT ((EXTRACT(epoch FROM moment) - 946684800) * 1000000)::bigint
$function$;
COMMENT ON FUNCTION codeverify.stored_micros(timestamptz) IS
    'Microseconds since 2000, as the server stores a finite time.';
