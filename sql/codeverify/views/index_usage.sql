-- Two indexes are the same when a later one has the same table, method, columns, operators, expressions and predicate.
CREATE VIEW codeverify.index_usage
WITH (security_invoker = true)
AS
SELECT i.indrelid::regclass AS relation,
       i.indexrelid::regclass AS index_name,
       pg_relation_size(i.indexrelid) AS bytes,
       coalesce(s.idx_scan, 0) AS scans,
       i.indisunique AS is_unique,
       i.indisvalid AS is_valid,
       coalesce(s.idx_scan, 0) = 0 AND NOT i.indisunique AS is_unused,
       (
           SELECT min(o.indexrelid)::regclass
           FROM pg_catalog.pg_index AS o
           WHERE o.indrelid = i.indrelid
             AND o.indexrelid < i.indexrelid
             AND o.indkey = i.indkey
             AND o.indclass = i.indclass
             AND o.indoption = i.indoption
             AND o.indcollation = i.indcollation
             AND pg_get_expr(o.indexprs, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indexprs, i.indrelid)
             AND pg_get_expr(o.indpred, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indpred, i.indrelid)
       ) AS same_as
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND c.relkind = 'i'
JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid AND t.relkind IN ('r', 'm')
JOIN pg_catalog.pg_roles AS r ON r.oid = t.relowner
LEFT JOIN pg_catalog.pg_stat_all_indexes AS s ON s.indexrelid = i.indexrelid
WHERE r.rolname = 'codeverify_owner';

COMMENT ON VIEW codeverify.index_usage IS 'The indexes of codeverify, those of partitions one by one: how large they are and how often queries used them since the statistics were reset.';
COMMENT ON COLUMN codeverify.index_usage.relation IS 'The table or partition.';
COMMENT ON COLUMN codeverify.index_usage.index_name IS 'The index.';
COMMENT ON COLUMN codeverify.index_usage.bytes IS 'Its size.';
COMMENT ON COLUMN codeverify.index_usage.scans IS 'How often a query has scanned it on this server; a standby counts for itself.';
COMMENT ON COLUMN codeverify.index_usage.is_unique IS 'Whether it enforces uniqueness, and so is needed though no query may scan it.';
COMMENT ON COLUMN codeverify.index_usage.is_valid IS 'Whether queries can use it.';
COMMENT ON COLUMN codeverify.index_usage.is_unused IS 'Whether no query has scanned it and it enforces nothing. One that serves a foreign key may be needed when a parent is deleted.';
COMMENT ON COLUMN codeverify.index_usage.same_as IS 'An older index of the same table that is the same but for its name; NULL when there is none.';

GRANT SELECT ON codeverify.index_usage TO codeverify_admin, codeverify_auditor;
