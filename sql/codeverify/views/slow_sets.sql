CREATE VIEW codeverify.slow_sets
WITH (security_invoker = true)
AS
SELECT t.task,
       t.target,
       t.last_elapsed,
       t.last_run_at,
       t.runs,
       t.failures,
       t.last_error,
       (
           SELECT sum(pg_total_relation_size(p.relid))::bigint
           -- The name of an organization's row is none of a table, which to_regclass() would raise on.
           FROM pg_partition_tree(CASE WHEN t.target !~ '^[0-9a-f]{8}-' THEN to_regclass(t.target) END) AS p
       ) AS bytes
FROM codeverify.maintenance_tasks AS t
WHERE t.target <> '';

COMMENT ON VIEW codeverify.slow_sets IS 'How long maintenance takes for each table and other target; order it by last_elapsed for the slowest.';
COMMENT ON COLUMN codeverify.slow_sets.task IS 'Name of the task.';
COMMENT ON COLUMN codeverify.slow_sets.target IS 'What it was done to.';
COMMENT ON COLUMN codeverify.slow_sets.last_elapsed IS 'How long it took last.';
COMMENT ON COLUMN codeverify.slow_sets.last_run_at IS 'When that was.';
COMMENT ON COLUMN codeverify.slow_sets.runs IS 'How often it was tried.';
COMMENT ON COLUMN codeverify.slow_sets.failures IS 'How often it failed.';
COMMENT ON COLUMN codeverify.slow_sets.last_error IS 'Why it failed last; NULL once it has gone well again.';
COMMENT ON COLUMN codeverify.slow_sets.bytes IS 'Size of the table with its partitions and indexes, where the target is one.';

GRANT SELECT ON codeverify.slow_sets TO codeverify_admin, codeverify_auditor;
