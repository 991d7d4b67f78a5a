CREATE VIEW codeverify.maintenance_status
WITH (security_invoker = true)
AS
SELECT r.parent,
       r.period,
       r.partitions,
       r.runway_days,
       r.default_rows,
       r.retention,
       r.compress_after,
       r.last_run_at,
       r.last_success_at,
       r.last_task,
       r.last_action,
       r.last_detail,
       r.last_error,
       r.last_error_at,
       r.dead_tuples,
       r.total_bytes,
       r.oldest_snapshot_holder,
       r.oldest_snapshot_pid,
       r.oldest_snapshot_age
FROM codeverify.report_maintenance() AS r;

COMMENT ON VIEW codeverify.maintenance_status IS 'How the partitioned tables are kept, one a row: how far ahead their partitions reach, what waits in DEFAULT, what maintenance did last and what went wrong, and what vacuum waits for.';
COMMENT ON COLUMN codeverify.maintenance_status.parent IS 'The partitioned table.';
COMMENT ON COLUMN codeverify.maintenance_status.period IS 'Length of a partition: day, week or month.';
COMMENT ON COLUMN codeverify.maintenance_status.partitions IS 'How many partitions it has, DEFAULT with them.';
COMMENT ON COLUMN codeverify.maintenance_status.runway_days IS 'How many days ahead of the clock partitions reach without a gap; 0 when there is none for now.';
COMMENT ON COLUMN codeverify.maintenance_status.default_rows IS 'Rows in DEFAULT, which wait for a partition: 1000+ for more than a thousand; NULL where there is no DEFAULT, or codeverify_owner may not read it.';
COMMENT ON COLUMN codeverify.maintenance_status.retention IS 'How long rows are kept after their partition''s end; NULL for good.';
COMMENT ON COLUMN codeverify.maintenance_status.compress_after IS 'How long after its end a partition is packed; NULL never.';
COMMENT ON COLUMN codeverify.maintenance_status.last_run_at IS 'When codeverify.maintain() last ran in this database.';
COMMENT ON COLUMN codeverify.maintenance_status.last_success_at IS 'When it last came to its end.';
COMMENT ON COLUMN codeverify.maintenance_status.last_task IS 'Task that last did something to this table.';
COMMENT ON COLUMN codeverify.maintenance_status.last_action IS 'What it did, in a word.';
COMMENT ON COLUMN codeverify.maintenance_status.last_detail IS 'What it did, in words.';
COMMENT ON COLUMN codeverify.maintenance_status.last_error IS 'What goes wrong with this table, with the task; NULL when nothing does.';
COMMENT ON COLUMN codeverify.maintenance_status.last_error_at IS 'When it last did.';
COMMENT ON COLUMN codeverify.maintenance_status.dead_tuples IS 'About how many deleted or changed rows wait for vacuum, in all partitions.';
COMMENT ON COLUMN codeverify.maintenance_status.total_bytes IS 'Size of all partitions with their indexes.';
COMMENT ON COLUMN codeverify.maintenance_status.oldest_snapshot_holder IS 'What keeps vacuum from removing rows for longest: a process, a prepared transaction or a replication slot; NULL when nothing does. The same for all tables.';
COMMENT ON COLUMN codeverify.maintenance_status.oldest_snapshot_pid IS 'Process of that; NULL when it has none.';
COMMENT ON COLUMN codeverify.maintenance_status.oldest_snapshot_age IS 'How many transactions began since.';

GRANT SELECT ON codeverify.maintenance_status TO codeverify_admin, codeverify_service, codeverify_auditor;
