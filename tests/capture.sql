-- What the tests of capture share: a table that is tracked, and the entries about it. Included by \ir after
-- two_tenants.sql.
SET LOCAL codeverify.capture = on;

SET LOCAL client_min_messages = error;
CREATE TABLE tap.ticket (
    id uuid PRIMARY KEY,
    org_id uuid,
    title text,
    votes int,
    updated_at timestamptz);
SELECT audits.track('tap.ticket') \g /dev/null
RESET client_min_messages;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON tap.ticket TO codeverify_tenant;

-- Whoever acts: reading the ledger is not what these tests are about.
CREATE FUNCTION tap.entries(entity text DEFAULT 'tap.ticket')
RETURNS TABLE (place bigint, org_id uuid, action text, actor_id uuid, resource_id uuid, payload jsonb)
LANGUAGE sql
STABLE
SECURITY DEFINER
AS $function$
    SELECT row_number() OVER (ORDER BY a.id), a.org_id, a.action, a.actor_id, a.resource_id, a.payload
    FROM audits.audit_log AS a
    WHERE a.entity = $1
$function$;
COMMENT ON FUNCTION tap.entries(text) IS 'The entries about a table, in the order in which they were made.';

CREATE FUNCTION tap.last_entry(entity text DEFAULT 'tap.ticket')
RETURNS jsonb
LANGUAGE sql
STABLE
AS $function$
    SELECT e.payload FROM tap.entries($1) AS e ORDER BY e.place DESC LIMIT 1
$function$;
COMMENT ON FUNCTION tap.last_entry(text) IS 'The payload of the newest entry about a table.';
GRANT EXECUTE ON FUNCTION tap.entries(text), tap.last_entry(text) TO PUBLIC;
