-- Partitions that are closed get the indexes of their set: by definition, one at a time, never twice.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

-- What a definition may be.
SELECT is(codeverify.label_index(d.definition), d.label, d.definition)
FROM (VALUES
    ('USING gin (to_tsvector(''simple'', message))', 'message_fts'),
    ('USING gin (meta_json jsonb_path_ops)', 'meta_json'),
    ('(a, b DESC NULLS LAST) INCLUDE (c) WITH (fillfactor = 90) WHERE d > 3', 'a_b'),
    ('USING gin (x public.gin_trgm_ops)', 'x'),
    ('((pg_catalog.lower(a) || b))', 'a_b'),
    ('using GIN (audits.entry_document(entity, action, payload))', 'entity_action_payload'),
    ('("Odd; name") -- the end', 'Odd; name'),
    ('((1))', 'expr')
) AS d (definition, label);
SELECT throws_ok(format('SELECT codeverify.label_index(%L)', d.definition), 'VC091', NULL, d.what)
FROM (VALUES
    ('(a); DROP TABLE auth.users', 'a second statement is refused'),
    ('(a); CREATE INDEX ON indexed (b)', 'even an index'),
    (';', 'and none'),
    ('', 'and nothing'),
    ('.users (a)', 'another table is refused'),
    ('(a) TABLESPACE elsewhere', 'a tablespace is refused'),
    ('(a', 'a syntax error is told of'),
    ('(public.evil(a))', 'functions of others are refused'),
    ('((lower(public.evil(a))))', 'however deep they are'),
    ('(a) WHERE public.evil(a)', 'and in the condition'),
    ('((a OPERATOR(public.+) b))', 'operators of others are refused'),
    ('((a::public.domain))', 'types of others are refused'),
    ('(a COLLATE public.odd)', 'collations of others are refused'),
    ('((a COLLATE public.odd))', 'wherever they are')
) AS d (definition, what);
SELECT throws_like($$SELECT codeverify.label_index('(a) TABLESPACE x')$$, '%"(a) TABLESPACE x"%', 'the message says which');

-- The sets of the extension have their indexes as the server writes them.
SELECT is(codeverify.normalize_index(s.parent, d.definition), d.definition, format('%s: %s', s.parent, d.definition))
FROM codeverify.list_partition_sets() AS s
CROSS JOIN LATERAL unnest(s.closed_indexes) AS d (definition);
SELECT throws_ok($$SELECT codeverify.normalize_index('observability.logs', '(nothing)')$$, '42703', NULL, 'columns must be there');
SELECT hasnt_table('codeverify', format('codeverify_scratch_%s', pg_backend_pid())::name, 'what was tried is undone');

-- Four days of a table of ours, by a clock that is on the third.
CREATE TABLE observability.tap_lines (
    id bigint, org_id uuid, ts timestamptz NOT NULL, message text, meta jsonb) PARTITION BY RANGE (ts);
ALTER TABLE observability.tap_lines OWNER TO codeverify_owner;
CREATE TABLE observability.tap_lines_default PARTITION OF observability.tap_lines DEFAULT;
CREATE TABLE observability.tap_lines_2026_01_01 PARTITION OF observability.tap_lines FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-01-02 00:00:00+00');
CREATE TABLE observability.tap_lines_2026_01_02 PARTITION OF observability.tap_lines FOR VALUES FROM ('2026-01-02 00:00:00+00') TO ('2026-01-03 00:00:00+00');
CREATE TABLE observability.tap_lines_2026_01_03 PARTITION OF observability.tap_lines FOR VALUES FROM ('2026-01-03 00:00:00+00') TO ('2026-01-04 00:00:00+00');
CREATE TABLE observability.tap_lines_2026_01_04 PARTITION OF observability.tap_lines FOR VALUES FROM ('2026-01-04 00:00:00+00') TO ('2026-01-05 00:00:00+00');
DO $$ DECLARE p regclass; BEGIN
    FOR p IN SELECT t.relid FROM pg_partition_tree('observability.tap_lines') AS t LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO codeverify_owner', p);
    END LOOP;
END $$;
SELECT tenancy.isolate('observability.tap_lines') \g /dev/null
INSERT INTO observability.tap_lines
SELECT i, tap.id('a'), '2026-01-01 00:00+00'::timestamptz + i * interval '1 hour', 'line ' || i, jsonb_build_object('i', i)
FROM generate_series(0, 95) AS i;
INSERT INTO codeverify.partition_sets (parent, period, premake, closed_indexes)
VALUES ('observability.tap_lines', 'day', 1, ARRAY['USING  GIN (to_tsvector(''simple'', message))', 'using gin (meta jsonb_path_ops)']);
SELECT set_eq(
    $$SELECT unnest(closed_indexes) FROM codeverify.partition_sets WHERE parent = 'observability.tap_lines'::regclass$$,
    ARRAY['USING gin (to_tsvector(''simple''::regconfig, message))', 'USING gin (meta jsonb_path_ops)'],
    'definitions are kept as the server writes them');
SELECT throws_ok(
    $$UPDATE codeverify.partition_sets SET closed_indexes = '{(a); DROP TABLE auth.users}' WHERE parent = 'observability.tap_lines'::regclass$$,
    'VC091', NULL, 'and others cannot be kept');

SELECT throws_ok(
    $$SELECT codeverify.configure_partitions('observability.tap_lines', closed_indexes => '{"(public.evil(message))"}')$$,
    'VC091', NULL, 'nor configured');

CREATE VIEW tap.built AS
SELECT i.indexrelid::regclass::text AS name,
       regexp_replace(pg_get_indexdef(i.indexrelid), '^.* ON \S+ ', '') AS definition
FROM pg_partition_tree('observability.tap_lines') AS t
JOIN pg_index AS i ON i.indrelid = t.relid;

-- It closes an hour after its end, not before.
SET LOCAL codeverify.clock = '2026-01-02 00:59:59.999999+00';
SELECT is_empty($$SELECT * FROM codeverify.list_unbuilt_indexes('observability.tap_lines')$$, 'nothing is closed yet');
SELECT is_empty($$SELECT * FROM codeverify.close_partitions('observability.tap_lines')$$, 'and nothing is done');
SET LOCAL codeverify.clock = '2026-01-02 01:00:00+00';
SET LOCAL TimeZone = 'America/New_York';
SET LOCAL DateStyle = 'German';
SELECT is((SELECT count(*) FROM codeverify.list_unbuilt_indexes('observability.tap_lines')), 2::bigint, 'the first day is closed, whatever the zone of the session');
SET LOCAL codeverify.clock = '2026-01-03 12:00:00+00';
SELECT is((SELECT count(*) FROM codeverify.list_unbuilt_indexes('observability.tap_lines')), 4::bigint, 'two days are closed');

-- The first day has one of them already, by another name, and the name of the other is taken.
CREATE INDEX my_own ON observability.tap_lines_2026_01_01 USING gin (meta jsonb_path_ops);
CREATE INDEX tap_lines_2026_01_01_message_fts_idx ON observability.tap_lines_2026_01_01 (message);
SELECT is((SELECT count(*) FROM codeverify.list_unbuilt_indexes('observability.tap_lines')), 3::bigint, 'what somebody else made counts');
SELECT results_eq(
    $$SELECT action, detail, more FROM codeverify.close_partitions('observability.tap_lines')$$,
    $$VALUES ('indexed'::text, 'tap_lines_2026_01_01_message_fts_idx1 of observability.tap_lines_2026_01_01', true)$$,
    'the oldest is built first, under a name that is free');
SELECT is((SELECT count(*) FROM tap.built), 3::bigint, 'one index per step');
SELECT isnt_empty($$SELECT * FROM codeverify.close_partitions('observability.tap_lines')$$, 'the next step builds another');
SELECT isnt_empty($$SELECT * FROM codeverify.close_partitions('observability.tap_lines')$$, 'and the next');
SELECT is_empty($$SELECT * FROM codeverify.close_partitions('observability.tap_lines')$$, 'until there is nothing more to do');
SELECT set_eq(
    'SELECT name, definition FROM tap.built',
    $$VALUES ('observability.my_own', 'USING gin (meta jsonb_path_ops)'),
             ('observability.tap_lines_2026_01_01_message_fts_idx', 'USING btree (message)'),
             ('observability.tap_lines_2026_01_01_message_fts_idx1', 'USING gin (to_tsvector(''simple''::regconfig, message))'),
             ('observability.tap_lines_2026_01_02_message_fts_idx', 'USING gin (to_tsvector(''simple''::regconfig, message))'),
             ('observability.tap_lines_2026_01_02_meta_idx', 'USING gin (meta jsonb_path_ops)')$$,
    'what was built is named after partition and columns');
SELECT is(
    (SELECT array_agg(a.attstattarget) FROM pg_attribute AS a WHERE a.attrelid = 'observability.tap_lines_2026_01_02_message_fts_idx'::regclass),
    '{0}', 'no statistics tell of other tenants'' words');
SELECT is(
    (SELECT c.relowner::regrole::text FROM pg_class AS c WHERE c.oid = 'observability.tap_lines_2026_01_02_meta_idx'::regclass),
    'codeverify_owner', 'it belongs to the table''s owner');

SELECT is(
    obj_description('observability.tap_lines_2026_01_02_meta_idx'::regclass), 'Built when the partition closed: USING gin (meta jsonb_path_ops).',
    'and says what it is');
COMMENT ON INDEX observability.tap_lines_2026_01_02_meta_idx IS NULL;
SELECT is_empty($$SELECT * FROM codeverify.close_partitions('observability.tap_lines')$$, 'it is found without that, too');

-- A set may have what another version of the server wrote; nothing is built twice for it.
ALTER TABLE codeverify.partition_sets DISABLE TRIGGER partition_sets_check;
UPDATE codeverify.partition_sets SET closed_indexes = ARRAY['using gin(meta jsonb_path_ops)'] WHERE parent = 'observability.tap_lines'::regclass;
ALTER TABLE codeverify.partition_sets ENABLE TRIGGER partition_sets_check;
SELECT is((SELECT action FROM codeverify.close_partitions('observability.tap_lines')), 'normalized', 'what is written another way is written anew');
SELECT is_empty($$SELECT * FROM codeverify.close_partitions('observability.tap_lines')$$, 'and found then');

-- Live search: partitions that are open, and those ahead.
UPDATE codeverify.partition_sets SET live_search = true WHERE parent = 'observability.tap_lines'::regclass;
SELECT results_eq(
    $$SELECT partition::text FROM codeverify.list_unbuilt_indexes('observability.tap_lines')$$,
    ARRAY['observability.tap_lines_2026_01_03', 'observability.tap_lines_2026_01_04', 'observability.tap_lines_default'],
    'open ones get them too, and the default');
SELECT is((SELECT count(*) FROM generate_series(1, 4) AS g CROSS JOIN LATERAL codeverify.close_partitions('observability.tap_lines' || left('', g))), 3::bigint, 'one by one');
CREATE TABLE observability.tap_lines_2026_01_05 PARTITION OF observability.tap_lines FOR VALUES FROM ('2026-01-05 00:00:00+00') TO ('2026-01-06 00:00:00+00');
ALTER TABLE observability.tap_lines_2026_01_05 OWNER TO codeverify_owner;
SELECT is(
    (SELECT detail FROM codeverify.close_partitions('observability.tap_lines')),
    'tap_lines_2026_01_05_meta_idx of observability.tap_lines_2026_01_05', 'and those that are made later');

-- An index of the whole table is on every partition.
UPDATE codeverify.partition_sets SET closed_indexes = ARRAY['(id)'], live_search = false WHERE parent = 'observability.tap_lines'::regclass;
CREATE INDEX ON observability.tap_lines (id);
SELECT is_empty($$SELECT * FROM codeverify.list_unbuilt_indexes('observability.tap_lines')$$, 'what the table has its partitions need not get');

-- The ledger's guard lets this one pass.
SET LOCAL codeverify.clock = '2100-01-01';
INSERT INTO codeverify.partition_sets (parent, period, premake, action, closed_indexes)
VALUES ('audits.audit_log', 'month', 3, 'archive', ARRAY['USING gin (audits.entry_document(entity, action, payload))'])
ON CONFLICT (parent) DO UPDATE SET closed_indexes = excluded.closed_indexes;
SET LOCAL ROLE codeverify_owner;
SELECT is((SELECT more FROM codeverify.close_partitions('audits.audit_log')), true, 'partitions of the ledger get their indexes too');
SELECT throws_ok(
    format('CREATE INDEX ON %s (ip_address)', (SELECT min(partition::text) FROM codeverify.list_set_partitions('audits.audit_log'))),
    'VC053', NULL, 'which their owner cannot make');
SELECT audits.build_index('auth.users', 'tap_index', '(username)') \g /dev/null
RESET ROLE;
SELECT hasnt_index('auth', 'users', 'tap_index', 'other tables are left alone by what may');

-- A table that is gone, or no set, has nothing to do.
SELECT is_empty($$SELECT * FROM codeverify.close_partitions('observability.gone')$$, 'a set whose table is gone is left alone');
SELECT is_empty($$SELECT * FROM codeverify.close_partitions('auth.users')$$, 'and so is what is no set');

SELECT * FROM finish();
ROLLBACK;
