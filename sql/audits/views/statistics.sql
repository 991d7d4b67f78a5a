CREATE VIEW audits.statistics
WITH (security_invoker = true)
AS
SELECT a.org_id,
       a.entity,
       a.action,
       date_trunc('month', a.ts AT TIME ZONE 'UTC')::date AS month,
       count(*) AS entries,
       min(a.ts) AS first_ts,
       max(a.ts) AS last_ts,
       -- Column by column: the size of a whole row would fetch what is stored outside of it. 92 bytes are the columns
       -- of fixed length, as far as an entry has them.
       sum(92 - 16 * num_nulls(a.org_id, a.actor_id, a.resource_id)
           + coalesce(pg_column_size(a.entity), 0)
           + pg_column_size(a.action)
           + pg_column_size(a.payload)
           + coalesce(pg_column_size(a.ip_address), 0)
           + coalesce(pg_column_size(a.user_agent), 0)
           + pg_column_size(a.signature)
           + pg_column_size(a.prev_hash)) AS bytes
FROM audits.audit_log AS a
GROUP BY 1, 2, 3, 4;

COMMENT ON VIEW audits.statistics IS 'How many ledger entries there are by organization, entity, action and month, and how large they are, as far as the reader may see the ledger.';
COMMENT ON COLUMN audits.statistics.org_id IS 'Organization whose ledger is counted; NULL for the platform''s own.';
COMMENT ON COLUMN audits.statistics.entity IS 'Type of the resource.';
COMMENT ON COLUMN audits.statistics.action IS 'What was done.';
COMMENT ON COLUMN audits.statistics.month IS 'First day of the UTC month.';
COMMENT ON COLUMN audits.statistics.entries IS 'Number of entries.';
COMMENT ON COLUMN audits.statistics.first_ts IS 'When the first of them was made.';
COMMENT ON COLUMN audits.statistics.last_ts IS 'When the last of them was made.';
COMMENT ON COLUMN audits.statistics.bytes IS 'Size of their columns as they are stored, compressed where they are; without row headers and indexes.';

GRANT SELECT ON audits.statistics TO codeverify_tenant;
