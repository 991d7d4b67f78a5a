-- Built on what PostgreSQL shows of COPY: the work runs as one whose rows come from, or go to, a callback of ours. Rows of
-- parallel workers count for the process that they work for.
CREATE VIEW codeverify.progress
WITH (security_invoker = true)
AS
SELECT coalesce(a.leader_pid, p.pid) AS pid,
       p.datname,
       max(a.usename) AS role,
       o.operation,
       p.relid::regclass AS relation,
       sum(p.tuples_processed)::bigint AS done,
       CASE o.operation WHEN 'import' THEN NULL ELSE greatest(max(nullif(p.bytes_total, 0)), sum(p.tuples_processed)::bigint) END AS total,
       min(a.query_start) AS started_at,
       clock_timestamp() - min(a.query_start) AS elapsed
FROM pg_catalog.pg_stat_progress_copy AS p
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid
JOIN (VALUES
    ('analysis.findings', 'COPY FROM', 'import'),
    ('audits.audit_log', 'COPY TO', 'verify'),
    ('audits.archives', 'COPY TO', 'archive'),
    ('audits.checkpoints', 'COPY TO', 'checkpoint'),
    ('codeverify.packed_segments', 'COPY TO', 'pack'),
    ('codeverify.maintenance_tasks', 'COPY TO', 'maintain'),
    ('auth.users', 'COPY FROM', 'reencrypt'),
    ('auth.jwt_keys', 'COPY FROM', 'reencrypt'),
    ('integrations.inbound_secrets', 'COPY FROM', 'reencrypt')
) AS o (relation, command, operation)
    ON o.relation::regclass = p.relid AND o.command = p.command
WHERE p.datid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
  AND p.type = 'CALLBACK'
GROUP BY coalesce(a.leader_pid, p.pid), p.datname, o.operation, p.relid;

COMMENT ON VIEW codeverify.progress IS 'How far long operations of this database are, one a row: imports of SARIF logs, verifications, archives and checkpoints of the ledger, packing of partitions, encryption under a new key, maintenance. Those of roles that the reader is no member of are shown to members of pg_read_all_stats, such as pg_monitor.';
COMMENT ON COLUMN codeverify.progress.pid IS 'Process that runs it; pg_cancel_backend(pid) ends it and leaves nothing of it.';
COMMENT ON COLUMN codeverify.progress.datname IS 'Name of the database.';
COMMENT ON COLUMN codeverify.progress.role IS 'Login that runs it.';
COMMENT ON COLUMN codeverify.progress.operation IS 'import, verify, archive, checkpoint, pack, reencrypt or maintain.';
COMMENT ON COLUMN codeverify.progress.relation IS 'Table that it is about.';
COMMENT ON COLUMN codeverify.progress.done IS 'Rows that have been stored or read; steps that maintenance has taken.';
COMMENT ON COLUMN codeverify.progress.total IS 'About how many rows there are; NULL where that is not known before.';
COMMENT ON COLUMN codeverify.progress.started_at IS 'When its statement began.';
COMMENT ON COLUMN codeverify.progress.elapsed IS 'How long it has been running.';

GRANT SELECT ON codeverify.progress TO codeverify_admin, codeverify_service, codeverify_auditor;
