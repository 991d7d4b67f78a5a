-- The catalog tells sizes to everybody; the parent of partitions has none of its own.
CREATE VIEW audits.size_report
WITH (security_invoker = true)
AS
SELECT coalesce(s.name, 'all') AS name,
       CASE WHEN grouping(s.name) = 1 THEN 'total' ELSE s.kind END AS kind,
       s.bounds,
       sum(s.estimated_rows)::bigint AS estimated_rows,
       sum(s.table_bytes)::bigint AS table_bytes,
       sum(s.toast_bytes)::bigint AS toast_bytes,
       sum(s.index_bytes)::bigint AS index_bytes,
       sum(s.table_bytes + s.toast_bytes + s.index_bytes)::bigint AS total_bytes
FROM (
    SELECT c.oid::regclass::text AS name,
           CASE
               WHEN c.relispartition THEN 'partition'
               WHEN c.relname IN ('archives', 'archive_segments') THEN 'archive'
               ELSE 'table'
           END AS kind,
           pg_get_expr(c.relpartbound, c.oid) AS bounds,
           nullif(c.reltuples, -1)::bigint AS estimated_rows,
           pg_table_size(c.oid) - coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) AS table_bytes,
           coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) AS toast_bytes,
           pg_indexes_size(c.oid) AS index_bytes
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind = 'r'
      AND (c.relnamespace = 'audits'::regnamespace
           OR EXISTS (
               SELECT
               FROM pg_catalog.pg_partition_ancestors(c.oid) AS a
               JOIN pg_catalog.pg_class AS p ON p.oid = a.relid
               WHERE p.relnamespace = 'audits'::regnamespace))
) AS s
GROUP BY GROUPING SETS ((s.name, s.kind, s.bounds), ());

COMMENT ON VIEW audits.size_report IS 'How large the ledger is: its partitions, its other tables and, in the row "all", everything together.';
COMMENT ON COLUMN audits.size_report.name IS 'The partition or table; "all" for the sum.';
COMMENT ON COLUMN audits.size_report.kind IS 'partition (entries of a month), archive (packed entries), table (lanes, checkpoints and the like) or total.';
COMMENT ON COLUMN audits.size_report.bounds IS 'Which entries a partition takes, by ts: from the first bound, up to but without the second.';
COMMENT ON COLUMN audits.size_report.estimated_rows IS 'Rows as of the last VACUUM or ANALYZE; NULL when there was none yet.';
COMMENT ON COLUMN audits.size_report.table_bytes IS 'Size of the rows, without what is stored outside of them.';
COMMENT ON COLUMN audits.size_report.toast_bytes IS 'Size of large values that are stored outside of the rows.';
COMMENT ON COLUMN audits.size_report.index_bytes IS 'Size of the indexes.';
COMMENT ON COLUMN audits.size_report.total_bytes IS 'Size of all three.';

GRANT SELECT ON audits.size_report TO codeverify_admin, codeverify_auditor, codeverify_service;
