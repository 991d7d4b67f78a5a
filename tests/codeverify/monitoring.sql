-- What operators watch: sizes, indexes, queues, slow maintenance.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

-- Sizes.
CALL tap.act(login => 'tap_admin');
SELECT set_eq(
    'SELECT schema_name::text FROM codeverify.schema_sizes',
    $$
        SELECT n.nspname::text
        FROM pg_namespace AS n
        WHERE n.nspowner = 'codeverify_owner'::regrole
    $$,
    'every schema has its size');
SELECT is(
    (SELECT sum(total_bytes) FROM codeverify.schema_sizes),
    (SELECT sum(table_bytes + index_bytes) FROM codeverify.schema_sizes),
    'the sizes add up');
SELECT is(
    (SELECT s.partitions FROM codeverify.schema_sizes AS s WHERE s.schema_name = 'telemetry'),
    (SELECT count(*) FROM pg_inherits AS i WHERE i.inhparent = 'telemetry.code_events'::regclass AND i.inhrelid::regclass::text <> ''),
    'partitions are counted');
SELECT is(
    (SELECT s.total_bytes FROM codeverify.schema_sizes AS s WHERE s.schema_name = 'scm'),
    pg_total_relation_size('scm.installations') + pg_total_relation_size('scm.repositories'),
    'a size is that of its tables');

-- Indexes.
SELECT is_empty('SELECT * FROM codeverify.index_usage WHERE same_as IS NOT NULL', 'no index of codeverify stands twice');
SELECT is_empty('SELECT * FROM codeverify.index_usage WHERE NOT is_valid', 'all are valid');
SELECT is(
    (SELECT u.is_unused FROM codeverify.index_usage AS u WHERE u.index_name = 'analysis.findings_pkey'::regclass), false,
    'an index that enforces something is needed');
RESET SESSION AUTHORIZATION;
CREATE INDEX findings_again ON analysis.findings (org_id, id);
CREATE INDEX findings_twice ON analysis.findings (org_id, id);
CREATE INDEX findings_partly ON analysis.findings (org_id, id) WHERE line_start > 0;
CREATE INDEX findings_downwards ON analysis.findings (org_id, id DESC);
CALL tap.act(login => 'tap_auditor');
SELECT results_eq(
    $$
        SELECT u.index_name::text, u.is_unused
        FROM codeverify.index_usage AS u
        WHERE u.index_name::text ~ '^analysis.findings_(again|twice|partly|downwards)$'
        ORDER BY 1
    $$,
    $$
        VALUES ('analysis.findings_again', true),
               ('analysis.findings_downwards', true),
               ('analysis.findings_partly', true),
               ('analysis.findings_twice', true)
    $$,
    'one that no query has used is unused');
SELECT set_eq(
    $$
        SELECT u.index_name::text
        FROM codeverify.index_usage AS u
        WHERE u.same_as IS NOT NULL AND u.index_name::text ~ '_(again|twice|partly|downwards)$'
    $$,
    $$
        SELECT n
        FROM unnest(ARRAY['analysis.findings_again', 'analysis.findings_twice']) AS n
        WHERE n = 'analysis.findings_twice'
           OR EXISTS (
               SELECT FROM pg_constraint AS k
               WHERE k.conrelid = 'analysis.findings'::regclass AND k.conname = 'findings_org_id_id_key')
    $$,
    'the same index again is known, another predicate or order is another index');

-- Foreign keys.
SELECT is_empty('SELECT * FROM codeverify.missing_foreign_key_indexes', 'no foreign key of codeverify lacks an index');
RESET SESSION AUTHORIZATION;
CREATE TABLE tap.notes (org_id uuid, repo_id uuid, author uuid CONSTRAINT notes_author_fkey REFERENCES auth.users (id),
    CONSTRAINT notes_repo_fkey FOREIGN KEY (org_id, repo_id) REFERENCES scm.repositories (org_id, id));
CREATE INDEX notes_org_id_idx ON tap.notes (org_id);
CREATE INDEX notes_author_idx ON tap.notes (author) WHERE author > '00000000-0000-0000-0000-000000000000';
GRANT USAGE ON SCHEMA tap TO codeverify_admin;
CALL tap.act(login => 'tap_admin');
SELECT set_eq(
    'SELECT constraint_name::text, refers_to::text, columns FROM codeverify.missing_foreign_key_indexes',
    $$VALUES ('notes_author_fkey', 'auth.users', 'author'), ('notes_repo_fkey', 'scm.repositories', 'org_id, repo_id')$$,
    'one of yours does: org_id alone, and an index of some rows, do not serve');
RESET SESSION AUTHORIZATION;
CREATE INDEX notes_repo_id_idx ON tap.notes (repo_id, author);
DROP INDEX tap.notes_author_idx;
CREATE INDEX notes_author_idx ON tap.notes (author) WHERE author IS NOT NULL;
CALL tap.act(login => 'tap_admin');
SELECT is_empty('SELECT * FROM codeverify.missing_foreign_key_indexes', 'until they have one');

-- Queues: of all organizations, numbers only.
RESET SESSION AUTHORIZATION;
DELETE FROM codeverify.metric_changes;
INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date)
SELECT 'providers.usage_metrics', tap.id('a'), tap.id('owner of a'), date '2026-01-01' + n FROM generate_series(0, 2) AS n;
DELETE FROM integrations.inbound_deliveries;
INSERT INTO integrations.inbound_deliveries (provider, delivery_id, event, payload_hash, org_id, status, installation_id, facts)
VALUES ('github', 'waits', 'push', repeat('0', 64), NULL, 'unclaimed', 1, '{}');
UPDATE analysis.jobs SET status = 'completed' WHERE status IN ('pending', 'running');
INSERT INTO analysis.jobs (job_id, user_id, source_kind, org_id, created_at)
SELECT 'job of ' || t.name, tap.id('owner of ' || t.name), 'upload', tap.id(t.name), now() - t.ago
FROM (VALUES ('a', interval '1 hour'), ('b', interval '2 hours')) AS t (name, ago);
CALL tap.act(login => 'tap_admin');
SELECT results_eq(
    $$SELECT q.waiting, q.age FROM codeverify.queue_age AS q WHERE q.queue = 'jobs'$$,
    $$VALUES (2::bigint, interval '2 hours')$$,
    'jobs of all organizations wait, the oldest for two hours');
SELECT results_eq(
    $$SELECT q.waiting, q.oldest_at, q.age FROM codeverify.queue_age AS q WHERE q.queue = 'jobs_running'$$,
    $$VALUES (0::bigint, NULL::timestamptz, NULL::interval)$$,
    'none is running');
SELECT results_eq(
    $$SELECT q.queue, q.waiting FROM codeverify.queue_age AS q WHERE q.queue IN ('metrics', 'unclaimed_deliveries')$$,
    $$VALUES ('unclaimed_deliveries', 1::bigint), ('metrics', 3)$$,
    'deliveries that nobody has claimed, and metrics that are out of date');
CALL tap.act('developer', 'a');
INSERT INTO observability.incidents (title, created_at) VALUES ('without a beginning', '-infinity'), ('old', now() - interval '100 years');
CALL tap.act(login => 'tap_admin');
SELECT results_eq(
    $$SELECT q.age FROM codeverify.queue_age AS q WHERE q.queue = 'incidents'$$,
    $$VALUES (now() - (now() - interval '100 years'))$$,
    'what a tenant dates without end stops nobody who watches');
CALL tap.act('owner', 'a');
SELECT throws_ok('SELECT * FROM codeverify.queue_age', '42501', NULL, 'a tenant does not see them');
SELECT throws_ok('SELECT * FROM codeverify.measure_queues()', '42501', NULL, 'nor by the function');

-- Slow sets.
RESET SESSION AUTHORIZATION;
INSERT INTO codeverify.maintenance_tasks (task, target, last_run_at, last_elapsed, runs)
VALUES ('tap', 'observability.logs', now(), '3 s', 7),
       ('tap', tap.id('a')::text, now(), '1 s', 1);
CALL tap.act(login => 'tap_auditor');
SELECT results_eq(
    $$SELECT s.target, s.last_elapsed, s.runs, s.bytes > 0 FROM codeverify.slow_sets AS s WHERE s.task = 'tap' ORDER BY s.last_elapsed DESC$$,
    format($$VALUES ('observability.logs', interval '3 s', 7::bigint, true), (%L, '1 s', 1, NULL)$$, tap.id('a')),
    'a set is shown with its size, what is no table without one');

RESET SESSION AUTHORIZATION;
SELECT * FROM finish();
ROLLBACK;
