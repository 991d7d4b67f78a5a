-- Past the policies by way of keys: 4 foreign keys, 5 cascades, 6 unique keys, and 25 what an error tells.
BEGIN;
SELECT * FROM no_plan();
\ir ../../two_tenants.sql
\ir ../../tenant_rows.sql
\ir ../../careless.sql

-- 4: a foreign key on the id alone.
CREATE TABLE careless.children (
    id int PRIMARY KEY,
    org_id uuid DEFAULT tenancy.current_org_id(),
    parent_id uuid REFERENCES careless.secrets ON DELETE CASCADE
);
SELECT tenancy.protect('careless.children');
GRANT SELECT, INSERT, UPDATE ON careless.children TO codeverify_tenant;

CALL tap.act('owner', 'a');
SELECT is(
    tap.error_of($$INSERT INTO careless.children VALUES (1, DEFAULT, tap.id('secret of b'))$$), NULL,
    '4: a foreign key on the id alone takes another organization''s parent');
SELECT matches(
    tap.error_of($$INSERT INTO careless.children VALUES (1, DEFAULT, tap.id('nothing'))$$), '^23503',
    '4: and so tells which ids exist');
CREATE TEMP TABLE child (what text, statement text);
INSERT INTO child
VALUES ('an analysis',
        $$INSERT INTO analysis.analyses (repo_id, pr_number, head_sha) VALUES (tap.id('repository of %s'), 1, repeat('a', 40))$$),
       ('an analysis that moves',
        $$UPDATE analysis.analyses SET repo_id = tap.id('repository of %s')$$),
       ('a finding',
        $$INSERT INTO analysis.findings (analysis_id, category, severity, title, file_path)
          VALUES (tap.id('analysis of %s'), 'security', 'low', 't', 'f')$$),
       ('a finding that moves',
        $$UPDATE analysis.findings SET analysis_id = tap.id('analysis of %s')$$),
       ('a stage',
        $$INSERT INTO analysis.analysis_stages (analysis_id, stage_name) VALUES (tap.id('analysis of %s'), 'parse')$$),
       ('a rule',
        $$INSERT INTO analysis.custom_rules (repo_id, name, rule_type, rule_config)
          VALUES (tap.id('repository of %s'), 'r', 'ast', '{}')$$),
       ('a scan', $$INSERT INTO analysis.codebase_scans (repo_id) VALUES (tap.id('repository of %s'))$$),
       ('a schedule',
        $$INSERT INTO analysis.scan_schedules (repo_id, cron_expression) VALUES (tap.id('repository of %s'), '@daily')$$);
SELECT matches(tap.error_of(format(statement, 'b')), '^23503', format('4: %s finds no parent in another organization', what)) FROM child;
SELECT is(
    tap.error_of(format(statement, 'b')), tap.error_of(format(statement, 'nobody')),
    format('4: %s says of it what it says of one that does not exist', what))
FROM child;
SELECT matches(
    tap.error_of($$SELECT * FROM auth.create_api_key(tap.id('a'), 'k', service_id => tap.id('service of b'))$$), '^23503',
    '4: an API key finds no service of another organization');
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT k.conrelid::regclass, k.conname
        FROM pg_constraint AS k
        JOIN pg_class AS child ON child.oid = k.conrelid
        JOIN pg_roles AS r ON r.oid = child.relowner
        JOIN pg_attribute AS p ON p.attrelid = k.confrelid AND p.attname = 'org_id'
        JOIN pg_attribute AS c ON c.attrelid = k.conrelid AND c.attname = 'org_id'
        WHERE k.contype = 'f'
          AND r.rolname = 'codeverify_owner'
          AND NOT EXISTS (
              SELECT
              FROM unnest(k.conkey, k.confkey) AS pair (child, parent)
              WHERE pair.child = c.attnum AND pair.parent = p.attnum)
    $$,
    '4: every foreign key between tables of tenants carries org_id');

-- 5: ON DELETE CASCADE does not ask the policies of the children.
INSERT INTO careless.children VALUES (2, tap.id('b'), tap.id('secret of a'));
CALL tap.act('owner', 'a');
DELETE FROM careless.secrets;
RESET SESSION AUTHORIZATION;
SELECT is(
    (SELECT count(*) FROM careless.children WHERE org_id = tap.id('b')), 0::bigint,
    '5: a cascade deletes what hangs there from another organization');
-- Whatever a tenant may delete, it deletes.
SAVEPOINT before_deleting;
CREATE TEMP TABLE before AS
SELECT v.schema_name, v.table_name, x.rows
FROM tenancy.coverage AS v
CROSS JOIN LATERAL (
    SELECT (xpath('//n/text()', query_to_xml(
        format('SELECT count(*) AS n FROM %I.%I WHERE org_id = tap.id(''b'')', v.schema_name, v.table_name), false, true, '')))[1]::text::bigint
) AS x (rows)
WHERE v.schema_name <> 'careless';
CALL tap.act('owner', 'a');
DO $delete$
DECLARE
    target regclass;
BEGIN
    FOR target IN
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind IN ('r', 'p')
          AND has_table_privilege(c.oid, 'DELETE')
          AND c.oid <> 'tenancy.org_memberships'::regclass
    LOOP
        EXECUTE format('DELETE FROM %s', target);
    END LOOP;
END
$delete$;
SELECT is((SELECT count(*) FROM analysis.analyses), 0::bigint, '5: a tenant deletes what it has');
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT b.schema_name, b.table_name
        FROM before AS b
        CROSS JOIN LATERAL (
            SELECT (xpath('//n/text()', query_to_xml(
                format('SELECT count(*) AS n FROM %I.%I WHERE org_id = tap.id(''b'')', b.schema_name, b.table_name), false, true, '')))[1]::text::bigint
        ) AS x (rows)
        WHERE x.rows <> b.rows
    $$,
    '5: and nothing of another organization goes with it');
ROLLBACK TO SAVEPOINT before_deleting;
RESET SESSION AUTHORIZATION;

-- 6: a key that is unique over all organizations tells what the others have.
CREATE TABLE careless.names (org_id uuid DEFAULT tenancy.current_org_id(), name text UNIQUE);
INSERT INTO careless.names VALUES (tap.id('b'), 'taken');
SELECT tenancy.protect('careless.names');
GRANT SELECT, INSERT ON careless.names TO codeverify_tenant;
CALL tap.act('owner', 'a');
SELECT matches(tap.error_of($$INSERT INTO careless.names (name) VALUES ('taken')$$), '^23505', '6: a global key tells what is taken');
SELECT is_empty(
    $$INSERT INTO careless.names (name) VALUES ('taken') ON CONFLICT DO NOTHING RETURNING name$$,
    '6: with ON CONFLICT DO NOTHING too');
SELECT lives_ok(
    $$INSERT INTO tenancy.environments (name) SELECT name || '-2' FROM tenancy.environments$$, '6: a name of ours');
RESET SESSION AUTHORIZATION;
UPDATE tenancy.environments SET name = 'only of b' WHERE org_id = tap.id('b');
CALL tap.act('owner', 'a');
SELECT isnt_empty(
    $$INSERT INTO tenancy.environments (name) VALUES ('only of b') ON CONFLICT DO NOTHING RETURNING name$$,
    '6: is free whatever others have');
-- Primary keys are random UUIDs that others cannot guess. Beyond them, no unique key of a table that tenants write
-- is without org_id.
SELECT is_empty(
    $$
        SELECT i.indexrelid::regclass
        FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        JOIN pg_attribute AS o ON o.attrelid = c.oid AND o.attname = 'org_id'
        WHERE i.indisunique
          AND r.rolname = 'codeverify_owner'
          AND (SELECT bool_and(has_column_privilege('codeverify_tenant', c.oid, k.attnum, 'INSERT')
                               OR has_column_privilege('codeverify_tenant', c.oid, k.attnum, 'UPDATE'))
               FROM unnest(i.indkey) AS k (attnum)
               WHERE k.attnum > 0)
          AND o.attnum <> ALL (i.indkey::int2[])
          AND NOT (i.indisprimary AND i.indnatts = 1 AND EXISTS (
              SELECT
              FROM pg_attribute AS a
              JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
              WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0] AND pg_get_expr(d.adbin, d.adrelid) = 'gen_random_uuid()'))
    $$,
    '6: unique keys that tenants write hold org_id');

-- 25: what an error tells.
CALL tap.act('owner', 'a');
SELECT is(
    tap.error_of($$INSERT INTO analysis.findings (id, analysis_id, category, severity, title, file_path)
                   VALUES (tap.id('finding of b'), tap.id('analysis of a'), 'security', 'low', 't', 'f')$$),
    '23505 duplicate key value violates unique constraint "findings_pkey" ',
    '25: a duplicate key shows no key');
SELECT is(
    tap.error_of($$UPDATE analysis.findings SET line_start = 0$$),
    '23514 new row for relation "findings" violates check constraint "findings_line_start_check" ',
    '25: a failed check shows no row');
SELECT is(
    tap.error_of($$UPDATE analysis.findings SET org_id = tap.id('b')$$),
    '42501 new row violates row-level security policy "findings_tenant" for table "findings" ',
    '25: nor does a policy');
SELECT unalike(
    tap.error_of($$INSERT INTO analysis.findings (analysis_id, category, severity, title, file_path)
                   VALUES (tap.id('analysis of b'), 'security', 'low', 't', 'f')$$),
    '%' || tap.id('b')::text || '%',
    '25: nor a missing parent');

SELECT * FROM finish();
ROLLBACK;
