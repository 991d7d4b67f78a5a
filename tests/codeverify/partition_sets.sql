-- How partition sets are configured, and by whom; and with whose rights maintenance works on them.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

CREATE ROLE tap_app NOLOGIN;
CREATE ROLE tap_member LOGIN IN ROLE tap_app, codeverify_admin;
CREATE ROLE tap_insider LOGIN IN ROLE codeverify_owner, codeverify_admin;
GRANT tap_app TO codeverify_owner;
CREATE SCHEMA app AUTHORIZATION tap_app;
SET LOCAL ROLE tap_app;
CREATE TABLE app.events (at timestamptz NOT NULL, note text) PARTITION BY RANGE (at);
CREATE TABLE app.events_default PARTITION OF app.events DEFAULT;
CREATE TABLE app.plain (at timestamptz);
CREATE TABLE app.listed (at timestamptz) PARTITION BY LIST (at);
CREATE TABLE app.stamped (at timestamp) PARTITION BY RANGE (at);
CREATE TABLE app.doubled (at timestamptz, n int) PARTITION BY RANGE (at, n);
RESET ROLE;
CREATE TABLE tap.superior (at timestamptz) PARTITION BY RANGE (at);

-- What there is by default.
SELECT set_eq(
    $$SELECT parent::text, period, premake FROM codeverify.list_partition_sets() WHERE retention IS NULL AND compress_after IS NULL$$,
    $$VALUES ('observability.logs', 'day', 14), ('telemetry.code_events', 'month', 3), ('providers.usage_tracking', 'month', 3),
             ('integrations.webhook_deliveries', 'month', 3), ('audits.audit_log', 'month', 3)$$,
    'the five partitioned tables are sets that keep everything');
SELECT is_empty('TABLE codeverify.partition_sets', 'without a row');
SELECT codeverify.store_partition_set('observability.logs') \g /dev/null
SELECT codeverify.store_partition_set('observability.logs') \g /dev/null
SELECT is((SELECT count(*) FROM codeverify.list_partition_sets() WHERE parent = 'observability.logs'::regclass), 1::bigint, 'with one it is the same set');
SELECT results_eq(
    $$SELECT cardinality(closed_indexes), is_stored FROM codeverify.list_partition_sets() WHERE parent = 'observability.logs'::regclass$$,
    $$VALUES (2, true)$$,
    'kept as before');
SELECT is_empty($$SELECT codeverify.list_set_partitions('auth.users')$$, 'an ordinary table has no partitions');
SELECT is_empty($$SELECT codeverify.list_set_partitions('app.listed')$$, 'nor has a list');

-- The administrator configures our tables.
CALL tap.act(login => 'tap_admin');
SELECT lives_ok($$SELECT codeverify.configure_partitions('observability.logs', retention => '90 days', compress_after => '7 days', premake => 21)$$, 'a set is configured');
SELECT results_eq(
    $$SELECT period, premake, retention, action, compress_after, cardinality(closed_indexes) FROM codeverify.list_partition_sets() WHERE parent = 'observability.logs'::regclass$$,
    $$VALUES ('day', 21, '90 days'::interval, 'drop', '7 days'::interval, 2)$$,
    'as it was said, and the rest stays');
SELECT lives_ok($$SELECT codeverify.configure_partitions('observability.logs', reset => '{retention,compress_after}')$$, 'what was set is taken back');
SELECT results_eq(
    $$SELECT premake, retention, compress_after FROM codeverify.list_partition_sets() WHERE parent = 'observability.logs'::regclass$$,
    $$VALUES (21, NULL::interval, NULL::interval)$$,
    'and that alone');
SELECT lives_ok($$SELECT codeverify.configure_partitions('audits.audit_log', retention => '10 years', action => 'archive')$$, 'the ledger may be archived');

SELECT throws_ok(a.statement, 'VC091', NULL, a.statement)
FROM unnest(ARRAY[
    $$SELECT codeverify.configure_partitions('observability.logs', period => 'year')$$,
    $$SELECT codeverify.configure_partitions('observability.logs', premake => 13)$$,
    $$SELECT codeverify.configure_partitions('observability.logs', premake => 151)$$,
    $$SELECT codeverify.configure_partitions('telemetry.code_events', premake => 1)$$,
    $$SELECT codeverify.configure_partitions('observability.logs', action => 'burn')$$,
    $$SELECT codeverify.configure_partitions('observability.logs', retention => '0')$$,
    $$SELECT codeverify.configure_partitions('observability.logs', compress_after => '-1 day')$$,
    $$SELECT codeverify.configure_partitions('observability.logs', closes_after => '-1 hour')$$,
    $$SELECT codeverify.configure_partitions('observability.logs', retention => '7 days', compress_after => '7 days')$$,
    $$SELECT codeverify.configure_partitions('observability.logs', reset => '{premake}')$$,
    $$SELECT codeverify.configure_partitions('observability.logs', retention => '7 days', reset => '{retention}')$$,
    $$SELECT codeverify.configure_partitions('observability.logs', closed_indexes => ARRAY['USING gin (message); DROP TABLE x'])$$,
    $$SELECT codeverify.configure_partitions('observability.logs', closed_indexes => ARRAY['message'])$$,
    $$SELECT codeverify.configure_partitions('audits.audit_log', action => 'drop')$$,
    $$SELECT codeverify.configure_partitions('audits.audit_log', compress_after => '1 year')$$]) AS a (statement);
SELECT throws_ok(a.statement, 'VC092', NULL, a.statement)
FROM unnest(ARRAY[
    $$SELECT codeverify.configure_partitions('auth.users', 'month')$$,
    $$SELECT codeverify.configure_partitions('observability.logs_default', 'month')$$,
    $$SELECT codeverify.configure_partitions(0, 'month')$$]) AS a (statement);

-- What stands in an index runs with the rights of the table's owner.
SELECT throws_ok($$SELECT codeverify.configure_partitions('observability.logs', closed_indexes => ARRAY['((1))'])$$, '42501', NULL, 'the administrator does not say which indexes our tables get');
SELECT throws_ok($$SELECT codeverify.configure_partitions('observability.logs', reset => '{closed_indexes}')$$, '42501', NULL, 'nor that they get none');
SELECT throws_ok(
    $$SELECT codeverify.save_partition_set('observability.logs', '{"period": "day", "premake": 14, "action": "drop", "live_search": true, "closes_after": "1 hour", "closed_indexes": ["((1))"]}')$$,
    '42501', NULL, 'nor by another way');
SELECT throws_ok(
    $$SELECT codeverify.save_partition_set('telemetry.code_events', '{"period": "month", "premake": 1, "action": "drop", "live_search": true, "closes_after": "1 hour", "closed_indexes": []}')$$,
    '22023', NULL, 'what was not checked before is');
SELECT throws_ok($$SELECT codeverify.configure_partitions('app.events', 'month')$$, '42501', NULL, 'the administrator configures no table of others');
CALL tap.act(login => 'tap_insider');
SELECT lives_ok($$SELECT codeverify.configure_partitions('observability.logs', closed_indexes => ARRAY['(level)', 'USING gin (meta_json jsonb_path_ops)'])$$, 'a member of the owner says which indexes our tables get');
SELECT lives_ok($$SELECT codeverify.configure_partitions('observability.logs', reset => '{closed_indexes}')$$, 'or that they get none');
CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT codeverify.configure_partitions('observability.logs', premake => 20)$$, '42501', NULL, 'a tenant configures nothing');

-- Tables of others.
CALL tap.act(login => 'tap_member');
SELECT throws_ok($$SELECT codeverify.configure_partitions('app.events')$$, 'VC091', NULL, 'a new set needs a period');
SELECT lives_ok($$SELECT codeverify.configure_partitions('app.events', 'week', closed_indexes => ARRAY['(lower(note))'])$$, 'the owner''s member makes a set of their table');
SELECT results_eq(
    $$SELECT period, premake, action, live_search FROM codeverify.list_partition_sets() WHERE parent = 'app.events'::regclass$$,
    $$VALUES ('week', 4, 'drop', false)$$,
    'with what is usual');
SELECT throws_ok(format('SELECT codeverify.configure_partitions(%L, %L)', t.name, 'month'), 'VC092', NULL, format('%s is no set', t.name))
FROM unnest('{app.plain,app.listed,app.stamped,app.doubled}'::text[]) AS t (name);
SELECT throws_ok($$SELECT codeverify.configure_partitions('observability.logs', closed_indexes => ARRAY['((1))'])$$, '42501', NULL, 'which makes nobody owner of ours');
RESET SESSION AUTHORIZATION;
SELECT throws_ok($$SELECT codeverify.configure_partitions('tap.superior', 'month')$$, 'VC093', NULL, 'a superuser''s table is no set');
REVOKE tap_app FROM codeverify_owner;
CALL tap.act(login => 'tap_member');
SELECT throws_ok($$SELECT codeverify.configure_partitions('app.events', 'day')$$, 'VC093', NULL, 'nor is one whose owner codeverify_owner may not act for');
RESET SESSION AUTHORIZATION;
GRANT tap_app TO codeverify_owner;

-- 150 partitions are enough.
SELECT lives_ok($$SELECT codeverify.configure_partitions('observability.logs', retention => '300 days')$$, 'many partitions are only warned of');

-- With whose rights. The owner of a table attacks whoever maintains it.
GRANT CREATE ON SCHEMA tap TO tap_app;
CREATE TABLE tap.witnessed (place text, role name, may_set_role text);
GRANT INSERT ON tap.witnessed TO tap_app;
SET LOCAL ROLE tap_app;
CREATE FUNCTION app.attack(place text) RETURNS text LANGUAGE plpgsql AS $function$
DECLARE
    outcome text := 'done';
BEGIN
    BEGIN
        EXECUTE 'SET ROLE codeverify_owner';
    EXCEPTION WHEN OTHERS THEN
        outcome := SQLSTATE;
    END;
    INSERT INTO tap.witnessed VALUES (place, current_user, outcome);
    RETURN place;
END
$function$;
CREATE FUNCTION app.attack_by_index(note text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $function$
BEGIN
    RETURN app.attack('index');
END
$function$;
CREATE FUNCTION app.attack_by_trigger() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM app.attack('trigger ' || TG_OP);
    RETURN coalesce(NEW, OLD);
END
$function$;
CREATE TRIGGER attack_rows BEFORE INSERT OR DELETE ON app.events FOR EACH ROW EXECUTE FUNCTION app.attack_by_trigger();
CREATE TRIGGER attack_statements AFTER DELETE ON app.events_default FOR EACH STATEMENT EXECUTE FUNCTION app.attack_by_trigger();
CREATE RULE attack AS ON DELETE TO app.events_default DO ALSO SELECT app.attack('rule');
CREATE INDEX ON app.events (app.attack_by_index(note));
ALTER TABLE app.events ALTER note SET DEFAULT app.attack('default');
INSERT INTO app.events (at) VALUES (now());
RESET ROLE;
SELECT set_eq('SELECT DISTINCT place FROM tap.witnessed', '{default,index,trigger INSERT}'::text[], 'the attack is on');
TRUNCATE tap.witnessed;

CALL tap.act(login => 'tap_insider');
SET LOCAL ROLE codeverify_owner;
SELECT matches(
    (SELECT detail FROM codeverify.partition_next('app.events')),
    '^app\.events_\d{4}_\d\d_\d\d with 1 rows of the default partition$', 'maintenance makes a partition of that table, with its row');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM ONLY app.events_default), 0::bigint, 'which is there');
SELECT results_eq(
    'SELECT DISTINCT place, role, may_set_role FROM tap.witnessed',
    $$VALUES ('index', 'tap_app'::name, '42501')$$,
    'what builds an index runs as the table''s owner, who cannot become anybody else; triggers, rules and defaults do not run');
TRUNCATE tap.witnessed;
CALL tap.act(login => 'tap_insider');
SET LOCAL ROLE codeverify_owner;
SELECT is(codeverify.run_as_owner_of('app.events', 'INSERT INTO app.events (at) SELECT now() FROM generate_series(1, 3)'), 3::bigint, 'a statement counts its rows');
SELECT is(codeverify.run_as_owner_of('app.events', 'SELECT pg_catalog.count(*) FROM app.events'), 1::bigint, 'a query too');
SELECT throws_ok($$SELECT codeverify.run_as_owner_of('app.events', 'SET ROLE codeverify_owner')$$, '42501', NULL, 'it cannot become the maintainer');
SELECT throws_ok($$SELECT codeverify.run_as_owner_of('app.events', 'RESET SESSION AUTHORIZATION')$$, '42501', NULL, 'nor whoever is logged in');
SELECT throws_ok($$SELECT codeverify.run_as_owner_of('app.events', 'SELECT * FROM auth.users')$$, '42501', NULL, 'nor read what is ours');
SELECT throws_ok($$SELECT codeverify.run_as_owner_of('tap.superior', 'SELECT 1')$$, 'VC093', NULL, 'nothing runs as a superuser');
SELECT throws_like($$SELECT codeverify.run_as_owner_of('audits.audit_log', 'DELETE FROM audits.audit_log')$$, '%is refused%', 'and the ledger stays final');
SELECT throws_like($$SELECT codeverify.run_as_owner_of('audits.audit_log', 'ALTER TABLE audits.audit_log DETACH PARTITION audits.audit_log_default')$$, '%guarded%', 'in one piece');
SELECT is(current_user, 'codeverify_owner', 'afterwards everything is as it was');
SELECT is(current_setting('search_path'), '"$user", public', 'settings too');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    $$SELECT DISTINCT role, may_set_role FROM tap.witnessed$$,
    $$VALUES ('tap_app'::name, '42501')$$,
    'triggers, defaults and indexes of a statement have its owner''s rights');
REVOKE tap_app FROM codeverify_owner;
SELECT 'app.events'::regclass::oid::text AS former \gset
CALL tap.act(login => 'tap_insider');
SET LOCAL ROLE codeverify_owner;
SELECT throws_ok(format('SELECT codeverify.run_as_owner_of(%s, %L)', :'former', 'SELECT 1'), 'VC093', NULL, 'of others it keeps away');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok($$SELECT codeverify.run_as_owner_of('observability.logs', 'SELECT 1')$$, '42501', NULL, 'an administrator does not run statements so');
RESET SESSION AUTHORIZATION;

-- A set that is no more is forgotten.
SELECT cmp_ok((SELECT count(*) FROM codeverify.partition_sets WHERE parent = 'app.events'::regclass), '=', 1::bigint, 'the set is known');
DROP TABLE app.events;
SELECT ok(EXISTS (SELECT FROM codeverify.list_sets_to_partition() AS t (target) WHERE t.target = :'former'), 'a table that is gone is noticed');
SELECT is((SELECT action FROM codeverify.partition_next(:'former')), 'forgot', 'and forgotten');
SELECT is_empty(format('SELECT FROM codeverify.partition_sets WHERE parent = %s', :'former'), 'for good');

SELECT * FROM finish();
ROLLBACK;
