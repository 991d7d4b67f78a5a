CREATE VIEW codeverify.schema_sizes
WITH (security_invoker = true)
AS
SELECT n.nspname AS schema_name,
       count(*) FILTER (WHERE NOT c.relispartition) AS tables,
       count(*) FILTER (WHERE c.relispartition) AS partitions,
       sum(greatest(c.reltuples, 0))::bigint AS estimated_rows,
       sum(pg_table_size(c.oid))::bigint AS table_bytes,
       sum(pg_indexes_size(c.oid))::bigint AS index_bytes,
       sum(pg_total_relation_size(c.oid))::bigint AS total_bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles AS r ON r.oid = n.nspowner
WHERE c.relkind IN ('r', 'm')
  AND r.rolname = 'codeverify_owner'
GROUP BY n.nspname;

COMMENT ON VIEW codeverify.schema_sizes IS 'How large each schema of codeverify is.';
COMMENT ON COLUMN codeverify.schema_sizes.schema_name IS 'The schema.';
COMMENT ON COLUMN codeverify.schema_sizes.tables IS 'Tables and materialised views that hold rows and are no partitions.';
COMMENT ON COLUMN codeverify.schema_sizes.partitions IS 'Partitions that hold rows.';
COMMENT ON COLUMN codeverify.schema_sizes.estimated_rows IS 'Rows as of the last VACUUM or ANALYZE of each.';
COMMENT ON COLUMN codeverify.schema_sizes.table_bytes IS 'Size of the rows, with what is stored outside of them.';
COMMENT ON COLUMN codeverify.schema_sizes.index_bytes IS 'Size of the indexes.';
COMMENT ON COLUMN codeverify.schema_sizes.total_bytes IS 'Size of both.';

GRANT SELECT ON codeverify.schema_sizes TO codeverify_admin, codeverify_auditor;
