-- What is packed: read, verified, and brought back.

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

COMMENT ON FUNCTION codeverify.insert_as_owner_of(regclass, text, text[]) IS
    'The first value of a statement that writes to a table, whose parameter $1 is an array: planned and run as the owner of the table, as codeverify.run_as_owner_of() runs statements, since it runs what the owner has put there (triggers, defaults, checks, casts), but with the caller''s rights to the tables that it names. For codeverify.unpack_partition(). Raises VC093 as codeverify.run_as_owner_of() does.';

CREATE FUNCTION codeverify.unpack_segment(parent regclass, target regclass, segment uuid)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Names are quoted, and types as the server writes them.
    listed text;
    names text[];
    lost text;
    as_text text[];
    moved numeric[];
    of_segment numeric[];
BEGIN
    SELECT codeverify.list_readable_columns(s.columns), n.names, n.lost
    INTO STRICT listed, names, lost
    FROM codeverify.packed_segments AS s
    CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(c.value ->> 'name' ORDER BY c.ordinality) AS names,
               pg_catalog.string_agg(pg_catalog.quote_ident(c.value ->> 'name'), ', ') FILTER (WHERE a.attname IS NULL) AS lost
        FROM pg_catalog.jsonb_array_elements(s.columns) WITH ORDINALITY AS c
        LEFT JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = target
            AND a.attname = c.value ->> 'name'
            AND a.attnum > 0
            AND NOT a.attisdropped
    ) AS n
    WHERE s.id = segment;
    IF target IS NULL OR lost IS NOT NULL THEN
        RAISE EXCEPTION 'packed rows cannot be brought back to %', parent
            USING ERRCODE = 'VC107',
                  DETAIL = coalesce(
                      pg_catalog.format('%s has lost these columns: %s.', target, lost),
                      'It has neither a partition for them nor a default one.'),
                  HINT = CASE
                      WHEN lost IS NULL THEN 'Add a partition for the period, and try again.'
                      ELSE 'Add the columns, and try again; or read the rows with codeverify.read_all_packed().'
                  END;
    END IF;

    -- Who owns the table has no rights on what is packed: so the values go there as text, a column each, from which the
    -- owner's types are made as the owner.
    EXECUTE (
        SELECT pg_catalog.format(
            'SELECT ARRAY[%s] FROM codeverify.segment_rows($1) AS r (%s)',
            pg_catalog.string_agg(
                pg_catalog.format('array_agg(CASE num_nulls(r.%1$I) WHEN 0 THEN concat(r.%1$I) END)::text', c.name), ', ' ORDER BY c.place),
            listed)
        FROM pg_catalog.unnest(names) WITH ORDINALITY AS c (name, place))
    INTO as_text
    USING segment;
    moved := codeverify.insert_as_owner_of(
        parent,
        (
            SELECT pg_catalog.format(
                'WITH moved AS (INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM ROWS FROM (%s) AS r (%s) RETURNING %s)'
                ' SELECT (%s)::text',
                target,
                -- What is generated is generated anew, and has to come out the same.
                pg_catalog.string_agg(pg_catalog.quote_ident(c.name), ', ' ORDER BY c.place) FILTER (WHERE a.attgenerated = ''),
                pg_catalog.string_agg(
                    pg_catalog.format('r.%I::%s', c.name, pg_catalog.format_type(a.atttypid, -1)), ', ' ORDER BY c.place)
                    FILTER (WHERE a.attgenerated = ''),
                pg_catalog.string_agg(pg_catalog.format('unnest($1[%s]::text[])', c.place), ', ' ORDER BY c.place),
                pg_catalog.string_agg(pg_catalog.quote_ident(c.name), ', ' ORDER BY c.place),
                pg_catalog.string_agg(pg_catalog.quote_ident(c.name), ', ' ORDER BY c.place),
                codeverify.digest_query(names, 'moved AS r', 'true'))
            FROM pg_catalog.unnest(names) WITH ORDINALITY AS c (name, place)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = target AND a.attname = c.name
        ),
        as_text)::numeric[];
    EXECUTE codeverify.digest_query(
        names,
        pg_catalog.format('codeverify.segment_rows($1) AS r (%s)', listed),
        'true')
    INTO of_segment
    USING segment;
    IF moved IS DISTINCT FROM of_segment THEN
        RAISE EXCEPTION 'packed rows cannot be brought back to %', parent
            USING ERRCODE = 'VC107',
                  DETAIL = 'The rows in the table are not those of the segments: a trigger changes them, or the type or expression of a column has changed.',
                  HINT = 'Nothing was changed. Disable the trigger, or read the rows with codeverify.read_all_packed().';
    END IF;
    DELETE FROM codeverify.packed_segments AS s
    WHERE s.id = segment;
    RETURN moved[2]::bigint;
END
$function$;
COMMENT ON FUNCTION codeverify.unpack_segment(regclass, regclass, uuid) IS
    'Brings the rows of a segment back to a partition of a table, as the table''s owner, compares them with the segment, deletes that, and returns how many rows there were. For codeverify.unpack_partition(), whose settings it takes. Raises VC107 when the partition does not take them as they were.';

CREATE FUNCTION codeverify.unpack_partition(parent regclass, period timestamptz)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, MDY'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET lc_monetary = 'C'
AS $function$
DECLARE
    target regclass;
    segment uuid;
    unpacked bigint := 0;
BEGIN
    -- Not by way of the table: its statement triggers would look for services that may be gone by now.
    SELECT p.partition
    INTO target
    FROM codeverify.list_set_partitions(parent) AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.partition AND c.relkind = 'r'
    WHERE p.is_default
       OR p.lower_bound <= period AND p.upper_bound > period
    ORDER BY p.is_default
    LIMIT 1;

    FOR segment IN
        SELECT s.id
        FROM codeverify.packed_segments AS s
        WHERE s.relation = parent
          AND s.period_start = period
        FOR UPDATE
    LOOP
        unpacked := unpacked + codeverify.unpack_segment(parent, target, segment);
    END LOOP;
    RETURN unpacked;
END
$function$;
COMMENT ON FUNCTION codeverify.unpack_partition(regclass, timestamptz) IS
    'Brings the packed rows of the period that begins at a time back to the table: into its partition or, where that has been dropped, the default one, as the owner of the table. Compares them with the segments, deletes those, and returns how many rows there were: all of it or nothing. For codeverify_owner and superusers; set compress_after to NULL first, or maintenance packs them again. Raises VC107 when the table does not take them as they were, and VC093 when codeverify_owner may not act for the owner.';
