-- How much is in the ledger.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

CALL tap.act('owner', 'a');
SELECT count(audits.append('project', 'project.renamed', '{"n": 1}')) FROM generate_series(1, 3) \g /dev/null
SELECT audits.append('project', 'project.deleted', jsonb_build_object('large', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 2000) AS n))) \g /dev/null
SELECT audits.append(NULL, 'ping') \g /dev/null
CALL tap.act('owner', 'b');
SELECT audits.append('project', 'project.renamed', ip_address => '192.0.2.1', user_agent => 'curl') \g /dev/null

CALL tap.act('viewer', 'a');
SELECT results_eq(
    $$SELECT entity, action, month, entries, org_id FROM audits.statistics WHERE entity IS DISTINCT FROM 'user' AND action !~ '^(row|table)\.' ORDER BY action$$,
    $$
        SELECT s.entity, s.action, date_trunc('month', now() AT TIME ZONE 'UTC')::date, s.entries, tap.id('a')
        FROM (VALUES (NULL, 'ping', 1::bigint), ('project', 'project.deleted', 1), ('project', 'project.renamed', 3)) AS s (entity, action, entries)
    $$,
    'entries are counted by entity, action and month, those of the reader''s organization');
SELECT ok(s.first_ts < s.last_ts, 'with the times of the first and the last') FROM audits.statistics AS s WHERE s.action = 'project.renamed';
SELECT cmp_ok(s.bytes, '>', 30000::bigint, 'a large payload counts with its stored size') FROM audits.statistics AS s WHERE s.action = 'project.deleted';
SELECT cmp_ok(s.bytes, '<', 70000::bigint, 'not twice') FROM audits.statistics AS s WHERE s.action = 'project.deleted';
RESET SESSION AUTHORIZATION;
-- The sum over all columns of the row, NULLs taking nothing.
SELECT results_eq(
    $$SELECT bytes FROM audits.statistics WHERE action IN ('ping', 'project.renamed') AND org_id IN (tap.id('a'), tap.id('b')) ORDER BY org_id, action$$,
    $$
        SELECT sum(coalesce(pg_column_size(a.id), 0) + coalesce(pg_column_size(a.event_id), 0) + coalesce(pg_column_size(a.org_id), 0)
                   + coalesce(pg_column_size(a.entity), 0) + coalesce(pg_column_size(a.action), 0) + coalesce(pg_column_size(a.actor_id), 0)
                   + coalesce(pg_column_size(a.resource_id), 0) + coalesce(pg_column_size(a.payload), 0) + coalesce(pg_column_size(a.ip_address), 0)
                   + coalesce(pg_column_size(a.user_agent), 0) + coalesce(pg_column_size(a.signature), 0) + coalesce(pg_column_size(a.prev_hash), 0)
                   + coalesce(pg_column_size(a.ts), 0) + coalesce(pg_column_size(a.lane), 0) + coalesce(pg_column_size(a.seq), 0))
        FROM audits.audit_log AS a
        WHERE a.action IN ('ping', 'project.renamed') AND a.org_id IN (tap.id('a'), tap.id('b'))
        GROUP BY a.org_id, a.action
        ORDER BY a.org_id, a.action
    $$,
    'bytes are the sizes of all columns');

-- size_report
SELECT is((SELECT count(*) FROM audits.size_report WHERE kind = 'total'), 1::bigint, 'there is one total');
SELECT is(r.total_bytes, (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree('audits.audit_log') AS t)::bigint, 'partitions together have the size of the ledger')
FROM (SELECT sum(total_bytes)::bigint AS total_bytes FROM audits.size_report WHERE kind = 'partition') AS r;
SELECT is_empty(
    $$SELECT name FROM audits.size_report WHERE kind <> 'total' AND total_bytes <> pg_total_relation_size(name::regclass)$$,
    'each has the size that PostgreSQL tells');
SELECT is_empty(
    $$SELECT name FROM audits.size_report WHERE total_bytes <> table_bytes + toast_bytes + index_bytes$$, 'which is the sum of its parts');
SELECT is(
    (SELECT total_bytes FROM audits.size_report WHERE kind = 'total'),
    (SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c WHERE c.relnamespace = 'audits'::regnamespace AND c.relkind = 'r'),
    'the total is that of all tables of the ledger');
SELECT is(
    (SELECT count(*) FROM audits.size_report WHERE kind = 'partition'),
    (SELECT count(*) FROM pg_inherits AS i WHERE i.inhparent = 'audits.audit_log'::regclass), 'every partition is listed');
SELECT is((SELECT bounds FROM audits.size_report WHERE name = 'audits.audit_log_default'), 'DEFAULT', 'with its bounds');
SELECT set_eq(
    $$SELECT name FROM audits.size_report WHERE kind = 'archive'$$, ARRAY['audits.archives', 'audits.archive_segments'], 'archives are told apart');
CREATE SCHEMA elsewhere;
SET LOCAL client_min_messages = error;
CREATE TABLE elsewhere.attached (LIKE audits.audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE audits.audit_log ATTACH PARTITION elsewhere.attached FOR VALUES FROM ('1990-01-01') TO ('1990-02-01');
SELECT is((SELECT kind FROM audits.size_report WHERE name = 'elsewhere.attached'), 'partition', 'a partition counts in whichever schema it is');

CALL tap.act(login => 'tap_auditor');
SELECT isnt_empty('SELECT FROM audits.size_report WHERE total_bytes > 0', 'an auditor may read it');
CALL tap.act(login => 'tap_admin');
SELECT isnt_empty('SELECT FROM audits.size_report WHERE total_bytes > 0', 'so may an administrator');
CALL tap.act(login => 'tap_service');
SELECT isnt_empty('SELECT FROM audits.size_report WHERE total_bytes > 0', 'and the service');
CALL tap.act('owner', 'a');
SELECT throws_ok('SELECT FROM audits.size_report', '42501', NULL, 'a tenant may not');

SELECT * FROM finish();
ROLLBACK;
