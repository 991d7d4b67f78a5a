-- Rows of closed partitions in compressed segments: codeverify.packed_segments.

COMMENT ON FUNCTION codeverify.write_segments(regclass, regclass, text, text, timestamptz, timestamptz, boolean, boolean, bigint) IS
    'Packs the rows of a partition for which a condition holds, and returns {"rows", "skipped", "bytes", "segments"}. Where org_id says whose they are, each segment has rows of one organization; those of organizations that are gone are skipped, or kept for operators. For codeverify.pack_rows(), which verifies. Raises VC106 for what cannot be packed.';

COMMENT ON FUNCTION codeverify.describe_segment(uuid, text, boolean) IS
    'What is in a segment, as codeverify.packed_segments should say of it: {"rows", "min_ts", "max_ts" (microseconds since 2000), "summary", "words"}. Raises VC105 when it is damaged.';

CREATE FUNCTION codeverify.segment_rows(segment uuid)
RETURNS SETOF record
STABLE
STRICT
PARALLEL RESTRICTED
ROWS 8000
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_segment_rows';
COMMENT ON FUNCTION codeverify.segment_rows(uuid) IS
    'The rows of a segment, with the columns that the query lists: found by name, converted to the type, NULL where the segment has none of the name. Raises VC105 when it is damaged.';

CREATE FUNCTION codeverify.scan_packed_logs(
    tenant uuid,
    since timestamptz,
    until timestamptz,
    query tsquery,
    of_service uuid,
    of_environment uuid,
    of_level text,
    of_meta jsonb,
    max_rows int,
    before_ts timestamptz,
    before_id bigint)
RETURNS TABLE (
    id bigint,
    service_id uuid,
    environment_id uuid,
    ts timestamptz,
    level text,
    message text,
    meta_json jsonb)
STABLE
PARALLEL RESTRICTED
ROWS 100
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_scan_packed_logs';
COMMENT ON FUNCTION codeverify.scan_packed_logs(uuid, timestamptz, timestamptz, tsquery, uuid, uuid, text, jsonb, int, timestamptz, bigint) IS
    'What observability.read_packed_logs() returns, for an organization that its caller vouches for; NULL stands for no limit. Raises VC105 for a damaged segment.';

CREATE FUNCTION codeverify.count_packed_logs(
    tenant uuid,
    since timestamptz,
    until timestamptz,
    bucket interval,
    of_service uuid,
    of_environment uuid,
    of_level text)
RETURNS TABLE (bucket_start timestamptz, level text, lines bigint)
STABLE
PARALLEL RESTRICTED
ROWS 100
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_count_packed_logs';
COMMENT ON FUNCTION codeverify.count_packed_logs(uuid, timestamptz, timestamptz, interval, uuid, uuid, text) IS
    'What observability.count_packed_logs() returns, for an organization that its caller vouches for. Raises VC105 for a damaged segment.';

CREATE FUNCTION codeverify.readable_type(type_name text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Neither checks of domains nor casts of somebody's own type are run by whoever reads packed rows.
    SELECT coalesce(
        (SELECT CASE
                    WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN pg_catalog.format_type(t.oid, -1)
                    WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN pg_catalog.format_type(b.oid, -1)
                    WHEN e.typtype = 'e' THEN 'text[]'
                END
         FROM pg_catalog.pg_type AS t
         LEFT JOIN pg_catalog.pg_type AS b ON b.oid = t.typbasetype
         LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND e.typarray = t.oid
         WHERE t.oid = pg_catalog.to_regtype(type_name)),
        'text')
$function$;
COMMENT ON FUNCTION codeverify.readable_type(text) IS
    'The type that values of a packed column are read as: their own, or that below a domain, where it is one of PostgreSQL''s, else text, with text[] for arrays of an enum type.';

CREATE FUNCTION codeverify.list_readable_columns(columns jsonb)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_catalog.string_agg(
        pg_catalog.format('%I %s', c.value ->> 'name', codeverify.readable_type(c.value ->> 'type')), ', ' ORDER BY c.ordinality)
    FROM pg_catalog.jsonb_array_elements(columns) WITH ORDINALITY AS c
$function$;
COMMENT ON FUNCTION codeverify.list_readable_columns(jsonb) IS
    'The columns of a segment as a query over codeverify.segment_rows() lists them.';

CREATE FUNCTION codeverify.digest_query(columns text[], source text, kept text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Of the text of each value, so that 1.0 is not 1.00; sums do not depend on the order of rows.
    SELECT pg_catalog.format(
        'SELECT ARRAY[count(*), count(*) FILTER (WHERE d.kept),'
        ' coalesce(sum(hash_array_extended(d.hashes, 0)) FILTER (WHERE d.kept), 0),'
        ' coalesce(sum(hash_array_extended(d.hashes, 1)) FILTER (WHERE d.kept), 0)]'
        ' FROM (SELECT ARRAY[%s]::bigint[] AS hashes, %s AS kept FROM %s) AS d',
        pg_catalog.string_agg(
            pg_catalog.format(
                'CASE num_nulls(r.%1$I) WHEN 0 THEN hashtextextended(concat(r.%1$I) COLLATE "C", 0) END', c.name),
            ', ' ORDER BY c.place),
        kept,
        source)
    FROM pg_catalog.unnest(columns) WITH ORDINALITY AS c (name, place)
$function$;
COMMENT ON FUNCTION codeverify.digest_query(text[], text, text) IS
    'A query for four numbers: how many rows r a source has, for how many of them a condition holds, and the sums of two hashes of each of those.';

CREATE FUNCTION codeverify.pack_rows(
    parent regclass,
    source regclass,
    condition text,
    period_start timestamptz,
    period_end timestamptz)
RETURNS jsonb
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
    -- @plpgsql_check_options: security_warnings = off
    -- The condition compares the column that decides the partition with literals.
    key_column name;
    has_organizations boolean;
    keeps_gone boolean;
    estimate bigint;
    written jsonb;
    segments uuid[];
    names text[];
    of_table numeric[];
    of_segments numeric[];
BEGIN
    SELECT a.attname,
           EXISTS (
               SELECT
               FROM pg_catalog.pg_policy AS y
               WHERE y.polrelid = c.oid
                 AND tenancy.is_isolating_policy(y.oid, 'org_id')),
           pg_catalog.pg_get_userbyid(c.relowner) <> 'codeverify_owner',
           greatest(0, s.reltuples)::bigint
    INTO STRICT key_column, has_organizations, keeps_gone, estimate
    FROM pg_catalog.pg_partitioned_table AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.partrelid
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
    JOIN pg_catalog.pg_class AS s ON s.oid = source
    WHERE p.partrelid = parent;

    written := codeverify.write_segments(
        parent, source, key_column, condition, period_start, period_end, has_organizations, keeps_gone, estimate);
    SELECT coalesce(pg_catalog.array_agg(s.value::uuid), '{}')
    INTO segments
    FROM pg_catalog.jsonb_array_elements_text(written -> 'segments') AS s;

    -- What comes out of the segments must be what is in the table: found out by the server alone on one side, through
    -- everything that a reader goes through on the other.
    SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
    INTO names
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = source
      AND a.attnum > 0
      AND NOT a.attisdropped;
    of_table := codeverify.read_as_owner_of(parent, pg_catalog.format('SELECT (%s)::text', codeverify.digest_query(
        names,
        pg_catalog.format('ONLY %s AS r WHERE %s', source, condition),
        CASE
            WHEN has_organizations AND NOT keeps_gone THEN
                pg_catalog.format(
                    'r.org_id IS NULL OR r.org_id IN'
                    ' (SELECT s.org_id FROM codeverify.packed_segments AS s WHERE s.id = ANY (%L::uuid[]))',
                    segments)
            ELSE 'true'
        END)))::numeric[];
    EXECUTE codeverify.digest_query(
        names,
        pg_catalog.format(
            'codeverify.packed_segments AS s CROSS JOIN LATERAL codeverify.segment_rows(s.id) AS r (%s) WHERE s.id = ANY ($1)',
            (SELECT pg_catalog.string_agg(
                        pg_catalog.format(
                            '%I %s', a.attname, codeverify.readable_type(pg_catalog.format_type(a.atttypid, -1))),
                        ', ' ORDER BY a.attnum)
             FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid = source
               AND a.attnum > 0
               AND NOT a.attisdropped)),
        'true')
    INTO of_segments
    USING segments;
    IF of_table[2:] IS DISTINCT FROM of_segments[2:]
        OR of_table[2] <> (written ->> 'rows')::bigint
        OR of_table[1] <> (written ->> 'rows')::bigint + (written ->> 'skipped')::bigint
    THEN
        RAISE EXCEPTION '% cannot be packed', source
            USING ERRCODE = 'VC106',
                  DETAIL = pg_catalog.format(
                      '%s of its %s rows were read back from segments, and do not give the same as those of the table.',
                      of_segments[2], of_table[2]),
                  HINT = 'Nothing was changed. Please report it with the types of the table''s columns.';
    END IF;
    RETURN written - 'segments';
END
$function$;
COMMENT ON FUNCTION codeverify.pack_rows(regclass, regclass, text, timestamptz, timestamptz) IS
    'Packs the rows of a partition for which a condition holds, reads them back and compares every column of every row with the table. The rows are still in the table afterwards; the caller has kept others from writing to it. Returns {"rows", "skipped", "bytes"}. Raises VC106 for what cannot be packed.';

CREATE FUNCTION codeverify.refuse_packing(source regclass, reason text, advice text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION '% cannot be packed', source
        USING ERRCODE = 'VC106', DETAIL = reason, HINT = advice;
END
$function$;
COMMENT ON FUNCTION codeverify.refuse_packing(regclass, text, text) IS
    'Raises VC106.';

CREATE FUNCTION codeverify.pack_partition(parent regclass, partition regclass)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- Less than deadlock_timeout: whoever waits for it, as one who deletes an organization does, is not the one to fail.
SET lock_timeout = '500ms'
AS $function$
DECLARE
    lower_bound timestamptz;
    upper_bound timestamptz;
    bytes_before bigint;
    packed jsonb;
BEGIN
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM codeverify.refuse_packing(
            partition,
            'An older snapshot might not see all that was committed.',
            'Call codeverify.pack_partition() in a transaction at READ COMMITTED.');
    END IF;
    IF parent = pg_catalog.to_regclass('audits.audit_log') THEN
        PERFORM codeverify.refuse_packing(
            partition, 'Entries of the ledger leave it for an archive only.', 'Use audits.archive_partition().');
    END IF;

    -- Waits for transactions that have written to it and are still open; whoever writes to it, or locks its rows, then
    -- waits for this one. Readers go on.
    EXECUTE pg_catalog.format('LOCK TABLE ONLY %s IN EXCLUSIVE MODE', partition);
    SELECT p.lower_bound, p.upper_bound
    INTO lower_bound, upper_bound
    FROM codeverify.list_set_partitions(parent) AS p
    JOIN pg_catalog.pg_class AS c ON c.oid = p.partition AND c.relkind = 'r'
    WHERE p.partition = pack_partition.partition
      AND NOT p.is_default;
    IF NOT FOUND THEN
        PERFORM codeverify.refuse_packing(
            partition,
            pg_catalog.format('It is no partition of %s that has rows and bounds of its own.', parent),
            'SELECT * FROM codeverify.list_set_partitions(...) lists partitions.');
    END IF;
    IF upper_bound > codeverify.read_clock() THEN
        PERFORM codeverify.refuse_packing(
            partition, 'New rows may still come to it.', 'Wait until its upper bound has passed.');
    END IF;
    IF EXISTS (
        SELECT
        FROM pg_catalog.pg_constraint AS k
        WHERE k.contype = 'f'
          AND k.confrelid IN (parent, partition))
    THEN
        PERFORM codeverify.refuse_packing(
            partition, 'Foreign keys refer to its rows.', 'Set compress_after to NULL to leave them where they are.');
    END IF;

    bytes_before := pg_catalog.pg_total_relation_size(partition);
    packed := codeverify.pack_rows(parent, partition, 'true', lower_bound, upper_bound);
    -- Not by TRUNCATE, which is for every snapshot at once: one from before, as of a dump, would then see neither the
    -- rows nor the segments. So each sees the rows or the segments, whatever comes between.
    IF codeverify.delete_packed_rows(partition) <> (packed ->> 'rows')::bigint + (packed ->> 'skipped')::bigint THEN
        PERFORM codeverify.refuse_packing(
            partition, 'It has other rows than have been packed.', 'Nothing was changed. Please report it.');
    END IF;
    RETURN pg_catalog.jsonb_build_object('partition', partition::text, 'bytes_before', bytes_before) || packed;
END
$function$;
COMMENT ON FUNCTION codeverify.pack_partition(regclass, regclass) IS
    'Packs the rows of a partition that is over into codeverify.packed_segments, compares what can be read back with the rows, and deletes those, all of them or, when anything fails, none: every snapshot has them either as rows or packed. Their room comes back when no snapshot from before is left: by maintenance (codeverify.empty_partition()) or vacuum. Rows of organizations that are gone are deleted where the table is one of codeverify, and kept for operators where it is not. Readers go on; late writers wait, and their rows are packed next time. Returns {"partition", "rows", "skipped", "bytes_before", "bytes"}. Raises VC106 for what cannot be packed, lock_not_available where open transactions have written to it.';

CREATE FUNCTION codeverify.find_packing_cutoff(
    period text,
    compress_after interval,
    closes_after interval,
    action text,
    retention interval)
RETURNS timestamptz
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT greatest(
        codeverify.find_retention_cutoff(
            period, CASE WHEN compress_after IS NOT NULL THEN greatest(compress_after, closes_after) END),
        codeverify.find_retention_cutoff(period, CASE action WHEN 'archive' THEN retention END))
$function$;
COMMENT ON FUNCTION codeverify.find_packing_cutoff(text, interval, interval, text, interval) IS
    'The time before which rows of a set are packed: those past compress_after, and those past retention where that archives. -infinity for a set that is not packed.';

CREATE FUNCTION codeverify.pack_late_rows(parent regclass)
RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '500ms'
SET timezone = 'UTC'
SET datestyle = 'ISO, MDY'
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    source regclass;
    key_column name;
    key_type text;
    period text;
    until timestamptz;
    earliest timestamptz;
    period_end timestamptz;
    condition text;
    packed jsonb;
    deleted bigint;
BEGIN
    SELECT p.partdefid,
           a.attname,
           pg_catalog.format_type(a.atttypid, NULL),
           s.period,
           least(
               s.retired_until,
               codeverify.find_packing_cutoff(s.period, s.compress_after, s.closes_after, s.action, s.retention))
    INTO source, key_column, key_type, period, until
    FROM codeverify.partition_sets AS s
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = s.parent
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE s.parent = pack_late_rows.parent
      AND s.parent IS DISTINCT FROM pg_catalog.to_regclass('audits.audit_log')
      AND s.retired_until IS NOT NULL
      AND p.partdefid <> 0;
    IF NOT FOUND OR NOT pg_catalog.isfinite(until) THEN
        RETURN NULL;
    END IF;

    -- Others may neither write nor pack.
    EXECUTE pg_catalog.format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', source);
    earliest := codeverify.read_as_owner_of(parent, pg_catalog.format(
        'SELECT min(r.%I)::timestamptz::text FROM ONLY %s AS r WHERE r.%1$I < %3$L::%4$s AND isfinite(r.%1$I)',
        key_column, source, pg_catalog.to_char(until, 'YYYY-MM-DD BC'), key_type))::timestamptz;
    IF earliest IS NULL THEN
        RETURN NULL;
    END IF;
    earliest := pg_catalog.date_trunc(period, earliest);
    period_end := earliest + ('1 ' || period)::interval;
    condition := pg_catalog.format(
        '%I >= %L::%s AND %1$I < %4$L::%3$s',
        key_column, pg_catalog.to_char(earliest, 'YYYY-MM-DD BC'), key_type, pg_catalog.to_char(period_end, 'YYYY-MM-DD BC'));
    packed := codeverify.pack_rows(parent, source, condition, earliest, period_end);
    deleted := codeverify.run_as_owner_of(parent, pg_catalog.format('DELETE FROM ONLY %s WHERE %s', source, condition));
    IF deleted <> (packed ->> 'rows')::bigint + (packed ->> 'skipped')::bigint THEN
        PERFORM codeverify.refuse_packing(
            source,
            'Its rows cannot be deleted as its owner: row security hides them from the owner, or a trigger keeps them.',
            'Give the owner of the table BYPASSRLS.');
    END IF;
    RETURN pg_catalog.jsonb_build_object('period', earliest::date) || packed;
END
$function$;
COMMENT ON FUNCTION codeverify.pack_late_rows(regclass) IS
    'Packs the rows of one period that came to the default partition after their own had left the table, as codeverify.pack_partition() does, and deletes them there. NULL when there are none. Raises VC106 for what cannot be packed.';
