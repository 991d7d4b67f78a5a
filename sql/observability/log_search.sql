-- What search and count log lines have in common is in src/observability/log_search: statements are kept prepared, each for
-- one partition, since planning them anew would take longer than most of them.

COMMENT ON FUNCTION observability.hold_logs(timestamptz, timestamptz) IS
    'Keeps the partitions of observability.logs that have lines from "since" on and before "until" from leaving the table until the transaction ends, and DEFAULT from being relieved of lines, between when they are found and when they are read.';

CREATE FUNCTION observability.find_logs(
    tenant uuid,
    query text,
    of_service uuid,
    of_environment uuid,
    of_level text,
    since timestamptz,
    until timestamptz,
    of_meta jsonb,
    max_rows int,
    before_id bigint,
    scan_limit int)
RETURNS TABLE (
    id bigint,
    ts timestamptz,
    level text,
    service_id uuid,
    environment_id uuid,
    message text,
    meta_json jsonb)
-- What is read has to be locked before the snapshot is taken by which it is read.
VOLATILE
PARALLEL UNSAFE
ROWS 100
SET search_path = pg_catalog, pg_temp
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_find_logs';
COMMENT ON FUNCTION observability.find_logs(uuid, text, uuid, uuid, text, timestamptz, timestamptz, jsonb, int, bigint, int) IS
    'What observability.search_logs() returns, for an organization that has been checked: partition by partition from the newest on, until there are max_rows. Lines of partitions without an index for the words or values are read one by one, at most scan_limit; when these do not suffice, it warns with VC103. Raises VC102 for an unknown level.';

CREATE FUNCTION observability.search_logs(
    query text DEFAULT NULL,
    service_id uuid DEFAULT NULL,
    environment_id uuid DEFAULT NULL,
    level text DEFAULT NULL,
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL,
    meta jsonb DEFAULT NULL,
    max_rows int DEFAULT 100,
    before_id bigint DEFAULT NULL)
RETURNS TABLE (
    id bigint,
    ts timestamptz,
    level text,
    service_id uuid,
    environment_id uuid,
    message text,
    meta_json jsonb)
VOLATILE
PARALLEL UNSAFE
ROWS 100
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_search_logs';
COMMENT ON FUNCTION observability.search_logs(text, uuid, uuid, text, timestamptz, timestamptz, jsonb, int, bigint) IS
    'Log lines of the organization in context, newest first: with all the words of query in the first 100,000 characters of the message ("quoted phrases", or and -without as in a web search, of which 4,000 characters count; no query for any line), of a service, an environment and exactly one level, from since on (30 days before until, or now, by default) and before until, with metadata that contains meta. At most max_rows (100, up to 1000); the next page is what comes before the line before_id. Warns with VC103 when it stopped in a partition that is still open before it found enough. Takes the permission read. Raises VC011 without a context, VC102 for an unknown level. Example: SELECT ts, message FROM observability.search_logs(''timeout -retry'', level => ''error'', since => now() - interval ''1 hour'');';
GRANT EXECUTE ON FUNCTION observability.search_logs(text, uuid, uuid, text, timestamptz, timestamptz, jsonb, int, bigint)
TO codeverify_service, codeverify_tenant;
