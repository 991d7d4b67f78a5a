-- The ways into another organization's rows, each tried as a tenant. Where a careless schema leaks, one is built
-- here and leaks, and then the same is tried on codeverify's. SECURITY numbers in the headings.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
SET LOCAL client_min_messages = error;

CREATE SCHEMA careless;
GRANT USAGE ON SCHEMA careless TO PUBLIC;
CREATE SCHEMA attacker AUTHORIZATION tap_tenant;

-- A table that is isolated as well as ours are, for careless things to be built on.
CREATE TABLE careless.secrets (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL DEFAULT tenancy.current_org_id(),
    secret text
);
INSERT INTO careless.secrets VALUES (tap.id('secret of a'), tap.id('a'), 'a'), (tap.id('secret of b'), tap.id('b'), 'b');
SELECT tenancy.protect('careless.secrets');
GRANT SELECT, INSERT, UPDATE, DELETE ON careless.secrets TO codeverify_tenant;

-- 1: a view with the rights of its owner.
CREATE VIEW careless.definer_view WITH (security_barrier = true) AS SELECT secret FROM careless.secrets;
GRANT SELECT ON careless.definer_view TO codeverify_tenant;
CALL tap.act('owner', 'a');
SELECT is((SELECT string_agg(secret, '' ORDER BY secret) FROM careless.definer_view), 'ab', '1: a view with its owner''s rights leaks');
SELECT is((SELECT string_agg(secret, '') FROM careless.secrets), 'a', '1: the table does not');
SELECT is((SELECT count(*) FROM analysis.finding_summary WHERE org_id <> tap.id('a')), 0::bigint, '1: nor does finding_summary');
SELECT is((SELECT count(*) FROM analysis.finding_summary), 1::bigint, '1: which shows one''s own');
SELECT is((SELECT count(*) FROM analysis.repository_dashboard WHERE org_id <> tap.id('a')), 0::bigint, '1: nor the dashboard');
SELECT is((SELECT count(*) FROM analysis.repository_dashboard), 1::bigint, '1: which shows one''s own');
RESET SESSION AUTHORIZATION;
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind = 'v'
          AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
    $$,
    '1: every view has its caller''s rights');

-- 2: a materialized view.
CREATE MATERIALIZED VIEW careless.stored AS SELECT secret FROM careless.secrets;
GRANT SELECT ON careless.stored TO codeverify_tenant;
CALL tap.act('owner', 'a');
SELECT is((SELECT string_agg(secret, '' ORDER BY secret) FROM careless.stored), 'ab', '2: a materialized view leaks');
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner' AND c.relkind IN ('m', 'f')
    $$,
    '2: there is none of codeverify''s, and no foreign table');

-- 3: a cheap function in a filter that tells what it is given.
RESET SESSION AUTHORIZATION;
CREATE VIEW careless.filtered AS SELECT secret FROM careless.secrets WHERE org_id = tenancy.current_org_id();
GRANT SELECT ON careless.filtered TO codeverify_tenant;
CALL tap.act('owner', 'a');
CREATE TABLE attacker.loot (value text);
CREATE FUNCTION attacker.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $function$
BEGIN
    INSERT INTO attacker.loot VALUES (tell.value);
    RETURN true;
END
$function$;
SELECT is((SELECT count(*) FROM careless.filtered WHERE attacker.tell(secret)), 1::bigint, '3: a view filters');
SELECT is((SELECT string_agg(value, '' ORDER BY value) FROM attacker.loot), 'ab', '3: but tells a leaky function everything');
TRUNCATE attacker.loot;
SELECT is((SELECT count(*) FROM analysis.findings WHERE attacker.tell(title)), 1::bigint, '3: a table of codeverify filters');
SELECT is((SELECT string_agg(value, '') FROM attacker.loot), 'Secret of a', '3: and tells nothing');
TRUNCATE attacker.loot;
SELECT is((SELECT count(*) FROM analysis.repository_dashboard WHERE attacker.tell(full_name)), 1::bigint, '3: so does a view of codeverify');
SELECT is((SELECT string_agg(value, '') FROM attacker.loot), 'tap-a/repository', '3: and tells nothing');
SELECT throws_ok(
    'CREATE FUNCTION attacker.leakproof(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS ''SELECT true''', '42501', NULL,
    '3: a tenant makes no function LEAKPROOF');

-- 4: a foreign key on the id alone.
RESET SESSION AUTHORIZATION;
CREATE TABLE careless.children (
    id int PRIMARY KEY,
    org_id uuid DEFAULT tenancy.current_org_id(),
    parent_id uuid REFERENCES careless.secrets ON DELETE CASCADE
);
SELECT tenancy.protect('careless.children');
GRANT SELECT, INSERT, UPDATE ON careless.children TO codeverify_tenant;

-- The SQLSTATE, message and DETAIL of a statement's error; NULL when it succeeds, which is undone.
CREATE FUNCTION tap.error_of(statement text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    message text;
    detail text;
BEGIN
    BEGIN
        EXECUTE statement;
        RAISE EXCEPTION USING ERRCODE = 'VC999';
    EXCEPTION
        WHEN SQLSTATE 'VC999' THEN
            RETURN NULL;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
            RETURN format('%s %s %s', SQLSTATE, message, detail);
    END;
END
$function$;

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

-- 7: TRUNCATE, REFERENCES and TRIGGER know no row security.
RESET SESSION AUTHORIZATION;
SAVEPOINT before_truncating;
GRANT TRUNCATE ON careless.names TO codeverify_tenant;
CALL tap.act('owner', 'a');
TRUNCATE careless.names;
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM careless.names), 0::bigint, '7: whoever may TRUNCATE removes everybody''s rows');
ROLLBACK TO SAVEPOINT before_truncating;
CALL tap.act('owner', 'a');
SELECT is_empty(
    $$
        SELECT c.oid::regclass, p.name
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        CROSS JOIN unnest('{TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p (name)
        WHERE r.rolname = 'codeverify_owner' AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege(c.oid, p.name)
    $$,
    '7: a tenant has none of them on any table');
SELECT throws_ok('TRUNCATE analysis.findings', '42501', NULL, '7: it truncates nothing');
SELECT throws_ok(
    'CREATE TABLE attacker.probe (id uuid REFERENCES analysis.findings)', '42501', NULL, '7: it references nothing');
CREATE FUNCTION attacker.on_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT throws_ok(
    'CREATE TRIGGER spy AFTER INSERT ON analysis.findings FOR EACH ROW EXECUTE FUNCTION attacker.on_write()', '42501', NULL,
    '7: it puts no trigger on anything');
SELECT throws_ok('CREATE RULE spy AS ON INSERT TO analysis.findings DO ALSO NOTHING', '42501', NULL, '7: nor a rule');
SELECT throws_ok('CREATE POLICY mine ON analysis.findings USING (true)', '42501', NULL, '7: nor a policy');
SELECT throws_ok('ALTER TABLE analysis.findings DISABLE ROW LEVEL SECURITY', '42501', NULL, '7: nor does it take one away');
SELECT throws_ok('DROP POLICY findings_tenant ON analysis.findings', '42501', NULL, '7: nor drop one');
SELECT throws_ok('CREATE INDEX spy ON analysis.findings (attacker.tell(title))', '42501', NULL, '7: nor an index that calls its function');
SELECT throws_ok('CREATE STATISTICS attacker.spy ON title, file_path FROM analysis.findings', '42501', NULL, '7: nor statistics');
SELECT throws_ok(
    'CREATE TABLE attacker.heir () INHERITS (analysis.findings)', '42501', NULL, '7: nor does it inherit from a table');
SELECT throws_ok('CREATE TABLE analysis.mine (id int)', '42501', NULL, '7: it makes nothing in our schemas');

-- 8: LOCK TABLE takes a grant to write.
SELECT throws_ok(
    format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', t.name), '42501', NULL, format('8: a tenant does not lock %s', t.name))
FROM unnest('{auth.users,auth.sessions,auth.password_resets,scm.installations,attestations.verification_attestations,integrations.webhook_deliveries,analysis.trust_score_cache}'::text[]) AS t (name);

-- 11: EXPLAIN ANALYZE counts the rows that a filter removes.
RESET SESSION AUTHORIZATION;
CREATE TABLE careless.unindexed AS
SELECT CASE WHEN n > 2990 THEN tap.id('a') ELSE tap.id('b') END AS org_id, n AS n FROM generate_series(1, 3000) AS n;
ALTER TABLE careless.unindexed ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON careless.unindexed USING (org_id = tenancy.current_org_id());
GRANT SELECT ON careless.unindexed TO codeverify_tenant;
INSERT INTO analysis.findings (org_id, analysis_id, category, severity, title, file_path)
SELECT tap.id(o.name), tap.id('analysis of ' || o.name), 'security', 'low', 'Finding ' || n, 'f'
FROM generate_series(1, 3000) AS n
CROSS JOIN LATERAL (SELECT CASE WHEN n > 2990 THEN 'a' ELSE 'b' END) AS o (name);
ANALYZE analysis.findings, careless.unindexed;
CREATE FUNCTION tap.plan(query text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    line text;
    answer text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, TIMING off) ' || query LOOP
        answer := answer || line || E'\n';
    END LOOP;
    RETURN answer;
END
$function$;
CALL tap.act('owner', 'a');
SELECT matches(tap.plan('SELECT * FROM careless.unindexed'), 'Rows Removed by Filter: 2990', '11: without an index EXPLAIN counts the others'' rows');
SELECT unalike(tap.plan('SELECT * FROM analysis.findings'), '%Removed by Filter%', '11: with one that begins with org_id it does not');
SELECT unalike(
    tap.plan($$SELECT * FROM analysis.findings WHERE title LIKE 'Finding 1%'$$), '%Removed by Filter: 2%',
    '11: nor with a filter beside');

-- 12: COPY.
\set file `mktemp`
COPY analysis.analyses (id) TO STDOUT \g :file
\set copied `cat :'file'; rm :'file'`
SELECT is(:'copied'::uuid, tap.id('analysis of a'), '12: COPY TO is filtered');
RESET SESSION AUTHORIZATION;
GRANT pg_read_server_files TO tap_tenant;
CALL tap.act('owner', 'a');
SELECT throws_ok(
    $$COPY analysis.findings FROM '/dev/null'$$, '0A000', 'COPY FROM not supported with row-level security',
    '12: COPY FROM is refused');
RESET SESSION AUTHORIZATION;
REVOKE pg_read_server_files FROM tap_tenant;

-- 13: sequences count for everybody.
CREATE SEQUENCE careless.numbers;
GRANT SELECT, USAGE ON careless.numbers TO codeverify_tenant;
SELECT nextval('careless.numbers') FROM generate_series(1, 41) \g /dev/null
CALL tap.act('owner', 'a');
SELECT is((SELECT last_value FROM careless.numbers), 41::bigint, '13: a sequence tells how much everybody has');
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_roles AS o ON o.oid = c.relowner
        WHERE o.rolname = 'codeverify_owner'
          -- CASE, so that the function is not asked about tables.
          AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT, USAGE, UPDATE') ELSE false END
    $$,
    '13: those of codeverify are closed to tenants');

-- 14: what a definer function looks up by a bare name is whatever its caller has put in the path.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION careless.count_members()
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
AS $function$
BEGIN
    RETURN (SELECT count(*) FROM org_memberships WHERE org_id = tenancy.current_org_id());
END
$function$;
CALL tap.act('owner', 'a');
CREATE FUNCTION attacker.steal(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $function$
BEGIN
    INSERT INTO attacker.loot VALUES (current_user);
    RETURN true;
END
$function$;
GRANT ALL ON SCHEMA attacker TO PUBLIC;
GRANT ALL ON attacker.loot TO PUBLIC;
TRUNCATE attacker.loot;
CREATE OPERATOR attacker.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = attacker.steal);
CREATE TEMP TABLE org_memberships (org_id uuid, user_id uuid, role text, created_at timestamptz);
CREATE TEMP TABLE users (id uuid, username text);
CREATE TEMP TABLE organizations (id uuid);
CREATE TEMP TABLE api_keys (id uuid);
INSERT INTO org_memberships VALUES (tap.id('b'));
SET LOCAL search_path = pg_temp, attacker, tenancy, auth, analysis, pg_catalog, public;
SELECT public.is(careless.count_members(), 1::bigint, '14: a definer function without a path reads a table of its caller');
SELECT public.is(
    (SELECT string_agg(DISTINCT value, '') FROM attacker.loot),
    (SELECT p.proowner::regrole::text FROM pg_proc AS p WHERE p.oid = 'careless.count_members()'::regprocedure),
    '14: and runs its caller''s operator with its owner''s rights');
TRUNCATE attacker.loot;
SELECT public.is((SELECT count(*) FROM tenancy.list_members()), 5::bigint, '14: list_members() reads the real tables');
SELECT public.throws_ok(
    $$SELECT tenancy.remove_member(tap.id('a'), tap.id('owner of a'))$$, 'VC013', NULL, '14: so does the trigger that keeps an owner');
SELECT public.is(
    (auth.authenticate_api_key('cv_live_' || repeat('0', 36)) ->> 'status'), 'invalid', '14: so does authenticate_api_key()');
SELECT public.lives_ok($$SELECT * FROM auth.create_api_key(tap.id('a'), 'k')$$, '14: and create_api_key()');
SELECT public.lives_ok($$SELECT analysis.start_analysis(tap.id('repository of a'), 3, repeat('b', 40))$$, '14: and start_analysis()');
SELECT public.is((SELECT count(*) FROM attacker.loot), 0::bigint, '14: none ran the attacker''s operator');
RESET search_path;
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM pg_proc AS p
        JOIN pg_roles AS r ON r.oid = p.proowner
        WHERE p.prosecdef
          AND r.rolname = 'codeverify_owner'
          AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)
    $$,
    '14: every definer function of codeverify has a fixed path');

-- 15: functions are everybody's unless revoked.
CALL tap.act(login => 'tap_nobody');
SELECT ok(has_function_privilege('careless.count_members()', 'EXECUTE'), '15: a function is everybody''s to call at first');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM pg_proc AS p
        JOIN pg_roles AS r ON r.oid = p.proowner
        WHERE r.rolname = 'codeverify_owner' AND has_function_privilege(p.oid, 'EXECUTE')
    $$,
    '15: none of codeverify''s is');

-- 17: a policy that reads a setting believes whoever sets it.
RESET SESSION AUTHORIZATION;
CREATE TABLE careless.believing (org_id uuid, secret text);
INSERT INTO careless.believing VALUES (tap.id('b'), 'b');
ALTER TABLE careless.believing ENABLE ROW LEVEL SECURITY;
CREATE POLICY believing ON careless.believing USING (org_id = current_setting('app.org_id', true)::uuid);
GRANT SELECT ON careless.believing TO codeverify_tenant;
CALL tap.act('viewer', 'a');
SELECT set_config('app.org_id', tap.id('b')::text, true) \g /dev/null
SELECT is((SELECT string_agg(secret, '') FROM careless.believing), 'b', '17: a policy on a plain setting believes anybody');
SELECT is_empty(
    $$
        SELECT p.polrelid::regclass, p.polname
        FROM pg_policy AS p
        JOIN pg_class AS c ON c.oid = p.polrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) LIKE '%current_setting%'
    $$,
    '17: no policy of codeverify reads a setting');

-- 21: stronger roles, and policies of another role that come with its membership.
SELECT throws_ok(format('SET ROLE %I', r.name), '42501', NULL, format('21: a tenant does not become %s', r.name))
FROM unnest('{codeverify_owner,codeverify_admin,codeverify_service,codeverify_ingest,codeverify_auditor,tap_service}'::text[]) AS r (name)
WHERE r.name IN (SELECT rolname FROM pg_roles);
RESET SESSION AUTHORIZATION;
CREATE ROLE tap_reporter;
CREATE TABLE careless.permissive (org_id uuid, secret text);
INSERT INTO careless.permissive VALUES (tap.id('b'), 'b');
ALTER TABLE careless.permissive ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON careless.permissive TO codeverify_tenant USING (org_id = tenancy.current_org_id());
CREATE POLICY reports ON careless.permissive TO tap_reporter USING (true);
CREATE POLICY reports ON analysis.findings TO tap_reporter USING (true) WITH CHECK (true);
GRANT SELECT ON careless.permissive TO codeverify_tenant;
GRANT tap_reporter TO tap_tenant;
CALL tap.act('owner', 'a');
SELECT is((SELECT string_agg(secret, '') FROM careless.permissive), 'b', '21: membership in a role adds its policies');
SELECT is((SELECT count(*) FROM analysis.findings WHERE org_id <> tap.id('a')), 0::bigint, '21: our restrictive policy stays');

-- 22: the owner of a table without FORCE, and a partition by its own name.
RESET SESSION AUTHORIZATION;
ALTER TABLE careless.permissive OWNER TO tap_tenant;
CREATE TABLE careless.parent (org_id uuid, n int) PARTITION BY RANGE (n);
CREATE TABLE careless.part PARTITION OF careless.parent DEFAULT;
INSERT INTO careless.parent VALUES (tap.id('b'), 1);
ALTER TABLE careless.parent ENABLE ROW LEVEL SECURITY;
ALTER TABLE careless.parent FORCE ROW LEVEL SECURITY;
CREATE POLICY tenants ON careless.parent USING (org_id = tenancy.current_org_id());
GRANT SELECT ON careless.parent, careless.part TO codeverify_tenant;
CALL tap.act('owner', 'a');
SELECT is((SELECT string_agg(secret, '') FROM careless.permissive), 'b', '22: row security does not bind an owner by itself');
SELECT is((SELECT count(*) FROM careless.parent), 0::bigint, '22: a partitioned table is protected');
SELECT is((SELECT count(*) FROM careless.part), 1::bigint, '22: its partition is not');
SELECT throws_ok(
    format('SELECT * FROM %s', c.oid::regclass), '42501', NULL, format('22: %s is closed', c.oid::regclass))
FROM pg_class AS c
JOIN pg_roles AS r ON r.oid = c.relowner
WHERE r.rolname = 'codeverify_owner' AND c.relispartition AND c.relkind = 'r' AND c.relname LIKE '%default';

-- 23: a careless permissive policy. tests/tenancy/isolation.sql does this to every table.
RESET SESSION AUTHORIZATION;
CREATE POLICY careless ON scm.repositories USING (true) WITH CHECK (true);
CALL tap.act('viewer', 'a');
SELECT is((SELECT string_agg(full_name, '') FROM scm.repositories), 'tap-a/repository', '23: the restrictive policy holds');

-- 24: a plan that is kept must not keep the organization.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION careless.current_org_id() RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT tenancy.current_org_id()';
CREATE TABLE careless.frozen (org_id uuid, secret text);
INSERT INTO careless.frozen VALUES (tap.id('a'), 'a'), (tap.id('b'), 'b');
ALTER TABLE careless.frozen ENABLE ROW LEVEL SECURITY;
CREATE POLICY frozen ON careless.frozen USING (org_id = careless.current_org_id());
GRANT SELECT ON careless.frozen TO codeverify_tenant;
SET LOCAL plan_cache_mode = force_generic_plan;
CALL tap.act('viewer', 'a');
PREPARE frozen AS SELECT string_agg(secret, '') FROM careless.frozen;
PREPARE flowing AS SELECT string_agg(full_name, '') FROM scm.repositories;
SELECT results_eq('EXECUTE frozen', $$VALUES ('a')$$, '24: a prepared statement of one organization');
SELECT results_eq('EXECUTE flowing', $$VALUES ('tap-a/repository')$$, '24: and one on a table of ours');
CALL tap.act('viewer', 'b');
SELECT results_eq('EXECUTE frozen', $$VALUES ('a')$$, '24: an IMMUTABLE accessor shows it to the next');
SELECT results_eq('EXECUTE flowing', $$VALUES ('tap-b/repository')$$, '24: ours does not');
CALL tap.act();
SELECT results_eq('EXECUTE flowing', $$VALUES (NULL::text)$$, '24: nor without a context');
DEALLOCATE ALL;
RESET plan_cache_mode;

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

-- 26: UPDATE of org_id, MERGE and INSERT … ON CONFLICT.
SELECT throws_ok(
    $$UPDATE analysis.analyses SET org_id = tap.id('b')$$, '42501', NULL, '26: UPDATE moves no row');
SELECT throws_ok(
    $$MERGE INTO tenancy.services AS s USING (SELECT 1) AS x ON false
      WHEN NOT MATCHED THEN INSERT (org_id, name) VALUES (tap.id('b'), 'merged')$$, '42501', NULL, '26: MERGE inserts none');
SELECT throws_ok(
    $$MERGE INTO tenancy.services AS s USING (SELECT 1) AS x ON true
      WHEN MATCHED THEN UPDATE SET org_id = tap.id('b')$$, '42501', NULL, '26: MERGE moves none');
SELECT lives_ok(
    $$MERGE INTO tenancy.services AS s USING (SELECT tap.id('b') AS org_id) AS x ON s.org_id = x.org_id
      WHEN MATCHED THEN DELETE$$, '26: MERGE finds nothing to delete');
SELECT throws_ok(
    $$INSERT INTO tenancy.services (id, org_id, name) VALUES (tap.id('service of b'), tap.id('b'), 'x')
      ON CONFLICT (id) DO UPDATE SET name = 'overwritten'$$, '42501', NULL, '26: ON CONFLICT overwrites none');
SELECT throws_ok(
    $$INSERT INTO tenancy.services (id, name) VALUES (tap.id('service of b'), 'x')
      ON CONFLICT (id) DO UPDATE SET name = 'overwritten'$$, '42501', NULL, '26: not with org_id left out either');
SELECT throws_ok(
    $$INSERT INTO tenancy.services (org_id, name) VALUES (NULL, 'x')$$, '42501', NULL, '26: a row of nobody is refused');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT name FROM tenancy.services WHERE id = tap.id('service of b')), 'api', '26: the other''s service is what it was');

-- 27: a table that was added without row security leaks, and coverage names it.
CREATE TABLE careless.forgotten (org_id uuid, secret text);
INSERT INTO careless.forgotten VALUES (tap.id('b'), 'b');
GRANT SELECT ON careless.forgotten TO codeverify_tenant;
SELECT isnt_empty(
    $$SELECT FROM tenancy.coverage WHERE table_name = 'forgotten' AND NOT row_security$$, '27: coverage names a new table');
CALL tap.act('owner', 'a');
SELECT is((SELECT count(*) FROM careless.forgotten), 1::bigint, '27: which leaks');
RESET SESSION AUTHORIZATION;
SELECT tenancy.protect('careless.forgotten');
CALL tap.act('owner', 'a');
SELECT is((SELECT count(*) FROM careless.forgotten), 0::bigint, '27: until it is protected');
SELECT results_eq(
    $$SELECT t.evtenabled, t.evtevent FROM pg_event_trigger AS t WHERE t.evtname = 'codeverify_warn_of_unprotected_tables'$$,
    $$VALUES ('O'::"char", 'ddl_command_end'::name)$$,
    '27: the event trigger that warns is on');

-- 31: row_security = off raises an error instead of showing everything.
SET LOCAL row_security = off;
SELECT throws_ok('SELECT * FROM analysis.findings', '42501', NULL, '31: without row security there is nothing');
SELECT throws_ok('SELECT * FROM analysis.repository_dashboard', '42501', NULL, '31: not through a view either');
SET LOCAL row_security = on;

-- 32: tests/tenancy/second_identity.sql. 34: tests/auth/columns.sql.

SELECT * FROM finish();
ROLLBACK;
