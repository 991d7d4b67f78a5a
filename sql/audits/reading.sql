-- Reading the ledger.

-- The names in a body of this form are looked up when the function is made, so it needs no path of its own; and it
-- can be inlined, so that an index on it serves the search.
CREATE FUNCTION audits.entry_document(entity text, action text, payload jsonb)
RETURNS tsvector
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
RETURN
    -- "repository.disabled" is one word to the parser, the name of a host; people look for its parts too.
    pg_catalog.to_tsvector(
        'pg_catalog.simple',
        coalesce(entity, '') || ' ' || action || ' '
        || pg_catalog.translate(coalesce(entity, '') || ' ' || action, '._:/-', '     '))
    -- A vector holds one megabyte, and an entry that does not fit would fail every search: of a large payload the
    -- beginning is searched, as text. No 100,000 characters make a vector of that size.
    || CASE
        WHEN pg_catalog.octet_length(payload::text) <= 100000
        THEN pg_catalog.jsonb_to_tsvector('pg_catalog.simple', payload, '["string", "numeric", "key"]')
        ELSE pg_catalog.to_tsvector('pg_catalog.simple', pg_catalog.left(payload::text, 100000))
    END;
COMMENT ON FUNCTION audits.entry_document(text, text, jsonb) IS
    'What audits.search() looks for words in: entity and action, whole and in parts, and the keys, strings and numbers of the payload, of a payload above 100 kB of its first 100,000 characters. Immutable, for an index: CREATE INDEX ... USING gin (audits.entry_document(entity, action, payload)).';

CREATE FUNCTION audits.search(
    query text,
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL,
    "limit" int DEFAULT 100)
RETURNS TABLE (
    id bigint,
    ts timestamptz,
    entity text,
    action text,
    actor_id uuid,
    resource_id uuid,
    payload jsonb,
    ip_address text,
    user_agent text,
    lane int,
    seq bigint)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: extra_warnings = off, other_warnings = off
    -- "limit" is what others call it too; RETURN QUERY sets the columns.
    tenant constant uuid := tenancy.require_permission('read');
    longest constant int := 4000;
    terms tsquery;
BEGIN
    -- The parser goes one level deeper with each word, and what is found is not what was asked for when words are left out.
    IF pg_catalog.length(query) > longest THEN
        RAISE EXCEPTION 'the query of a search is too long'
            USING ERRCODE = 'VC145',
                  DETAIL = pg_catalog.format('It has %s characters, of at most %s.', pg_catalog.length(query), longest),
                  HINT = 'Search for the words that tell most.';
    END IF;
    terms := pg_catalog.websearch_to_tsquery('pg_catalog.simple', query);
    IF pg_catalog.numnode(terms) = 0 THEN
        RETURN;
    END IF;
    -- EXECUTE plans for the values at hand: partitions outside the bounds are not even opened.
    RETURN QUERY EXECUTE
        'SELECT a.id, a.ts, a.entity, a.action, a.actor_id, a.resource_id, a.payload, a.ip_address, a.user_agent, a.lane, a.seq'
        ' FROM audits.audit_log AS a'
        ' WHERE a.org_id = $1'
        ' AND audits.entry_document(a.entity, a.action, a.payload) @@ $2'
        || CASE WHEN since IS NOT NULL THEN ' AND a.ts >= $3' ELSE '' END
        || CASE WHEN until IS NOT NULL THEN ' AND a.ts < $4' ELSE '' END
        || ' ORDER BY a.ts DESC, a.id DESC LIMIT $5'
    USING tenant, terms, since, until, least(greatest(coalesce("limit", 100), 0), 1000);
END
$function$;
COMMENT ON FUNCTION audits.search(text, timestamptz, timestamptz, int) IS
    'Entries of the ledger of the organization in context that have all the words, newest first: "quoted phrases", or and -without as in a web search; in entity, action and the keys, strings and numbers of the payload, without regard to case. since is included, until is not; limit is at most 1000. No words, no entries. Takes the permission read. Raises VC011 without a context, VC145 for a query of more than 4,000 characters. Example: SELECT ts, action FROM audits.search(''repository -archived'', since => now() - interval ''7 days'');';
GRANT EXECUTE ON FUNCTION audits.search(text, timestamptz, timestamptz, int)
TO codeverify_service, codeverify_tenant;

CREATE FUNCTION audits.read_ledger(
    org_id uuid DEFAULT NULL,
    since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL)
RETURNS TABLE (
    id bigint,
    event_id uuid,
    org_id uuid,
    entity text,
    action text,
    actor_id uuid,
    resource_id uuid,
    payload jsonb,
    ip_address text,
    user_agent text,
    signature text,
    prev_hash text,
    ts timestamptz,
    lane int,
    seq bigint)
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 1000000
SET search_path = pg_catalog, pg_temp
AS $function$
    -- In the order of an index, so that nothing is sorted; of the two branches only one is run.
    SELECT a.id, a.event_id, a.org_id, a.entity, a.action, a.actor_id, a.resource_id, a.payload, a.ip_address,
           a.user_agent, a.signature, a.prev_hash, a.ts, a.lane, a.seq
    FROM audits.audit_log AS a
    WHERE $1 IS NULL
      AND a.ts >= coalesce(since, '-infinity')
      AND a.ts < coalesce(until, 'infinity')
    UNION ALL
    SELECT a.id, a.event_id, a.org_id, a.entity, a.action, a.actor_id, a.resource_id, a.payload, a.ip_address,
           a.user_agent, a.signature, a.prev_hash, a.ts, a.lane, a.seq
    FROM audits.audit_log AS a
    WHERE a.org_id = $1
      AND a.ts >= coalesce(since, '-infinity')
      AND a.ts < coalesce(until, 'infinity')
    ORDER BY org_id, lane, seq
$function$;
COMMENT ON FUNCTION audits.read_ledger(uuid, timestamptz, timestamptz) IS
    'All columns of an organization''s entries, or, with NULL, of every ledger, the platform''s own included (org_id NULL, last), ordered by org_id, lane and seq. since is included, until is not. PostgreSQL keeps the rows in one temporary store before it hands them on, on disk above work_mem: large ledgers are read organization by organization or month by month. Example: COPY (SELECT * FROM audits.read_ledger()) TO STDOUT;';
GRANT EXECUTE ON FUNCTION audits.read_ledger(uuid, timestamptz, timestamptz)
TO codeverify_admin, codeverify_auditor;
