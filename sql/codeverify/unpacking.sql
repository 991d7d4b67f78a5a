-- What is packed, brought back.

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
