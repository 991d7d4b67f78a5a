-- tenancy.protect() and tenancy.unprotect(): isolation for tables of one's own.
BEGIN;
SELECT plan(45);
\ir ../two_tenants.sql

-- Every table here is made without row security first, which warns.
SET LOCAL client_min_messages = error;
CREATE SCHEMA tap_app;
GRANT USAGE ON SCHEMA tap_app TO PUBLIC;

-- The number of rows that each organization sees.
CREATE FUNCTION tap.seen(target regclass)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    answer text := '';
    organization text;
    n bigint;
BEGIN
    FOREACH organization IN ARRAY ARRAY['a', 'b', NULL] LOOP
        CALL tap.act('member', organization);
        EXECUTE format('SELECT count(*) FROM %s', target) INTO n;
        answer := concat_ws(' ', nullif(answer, ''), format('%s:%s', coalesce(organization, 'nobody'), n));
    END LOOP;
    RESET SESSION AUTHORIZATION;
    RETURN answer;
END
$function$;

-- A plain table.
CREATE TABLE tap_app.tickets (id int PRIMARY KEY, org_id uuid NOT NULL DEFAULT tenancy.current_org_id(), title text);
GRANT SELECT, INSERT, UPDATE, DELETE ON tap_app.tickets TO codeverify_tenant;
INSERT INTO tap_app.tickets (id, org_id) VALUES (1, tap.id('a')), (2, tap.id('a')), (3, tap.id('b'));
SELECT is(tap.seen('tap_app.tickets'), 'a:3 b:3 nobody:3', 'before, everybody sees everything');
SELECT lives_ok($$SELECT tenancy.protect('tap_app.tickets')$$, 'a table of one''s own is protected');
SELECT is(tap.seen('tap_app.tickets'), 'a:2 b:1 nobody:0', 'after, each sees its own');
SELECT results_eq(
    $$
        SELECT row_security, forced, restrictive_policy, leading_index, direct_partition_grants
        FROM tenancy.coverage
        WHERE schema_name = 'tap_app' AND table_name = 'tickets'
    $$,
    'VALUES (true, true, true, true, false)',
    'coverage shows no gap');
SELECT policies_are('tap_app', 'tickets', ARRAY['tickets_tenant', 'tickets_members'], 'it has two policies');
SELECT has_index('tap_app', 'tickets', 'tickets_org_id_idx', ARRAY['org_id'], 'and an index');
CALL tap.act('member', 'a');
SELECT lives_ok($$INSERT INTO tap_app.tickets (id, title) VALUES (4, 'mine')$$, 'a tenant writes its own');
SELECT throws_ok(
    $$INSERT INTO tap_app.tickets (id, org_id) VALUES (5, tap.id('b'))$$, '42501', NULL, 'and not the other''s');
SELECT throws_ok($$UPDATE tap_app.tickets SET org_id = tap.id('b')$$, '42501', NULL, 'nor gives one away');
RESET SESSION AUTHORIZATION;
SELECT lives_ok($$SELECT tenancy.protect('tap_app.tickets')$$, 'protecting it again changes nothing');
SELECT policies_are('tap_app', 'tickets', ARRAY['tickets_tenant', 'tickets_members'], 'it still has two policies');
SELECT is(
    (SELECT count(*) FROM pg_indexes WHERE schemaname = 'tap_app' AND tablename = 'tickets'), 2::bigint,
    'and one index more than it had');
SELECT is(tap.seen('tap_app.tickets'), 'a:3 b:1 nobody:0', 'each still sees its own');

SELECT lives_ok($$SELECT tenancy.unprotect('tap_app.tickets')$$, 'protection is taken away');
SELECT policies_are('tap_app', 'tickets', '{}'::name[], 'its policies are gone');
SELECT is(tap.seen('tap_app.tickets'), 'a:4 b:4 nobody:4', 'and everybody sees everything again');

-- A table with a policy and an index of its own.
CREATE TABLE tap_app.notes (org_id uuid, secret boolean);
CREATE INDEX notes_own_idx ON tap_app.notes (org_id, secret);
CREATE POLICY open_notes ON tap_app.notes USING (NOT secret);
GRANT SELECT ON tap_app.notes TO codeverify_tenant;
INSERT INTO tap_app.notes VALUES (tap.id('a'), false), (tap.id('a'), true), (tap.id('b'), false);
SELECT tenancy.protect('tap_app.notes');
SELECT policies_are('tap_app', 'notes', ARRAY['notes_tenant', 'open_notes'], 'a policy of the user''s own stays the only permissive one');
SELECT indexes_are('tap_app', 'notes', ARRAY['notes_own_idx'], 'an index of the user''s own is enough');
SELECT is(tap.seen('tap_app.notes'), 'a:1 b:1 nobody:0', 'both policies hold');
SELECT tenancy.unprotect('tap_app.notes');
SELECT policies_are('tap_app', 'notes', ARRAY['open_notes'], 'taking protection away leaves the user''s policy');
SELECT is(
    (SELECT c.relrowsecurity FROM pg_class AS c WHERE c.oid = 'tap_app.notes'::regclass), true,
    'and row security for its sake');

-- A column of another name.
CREATE TABLE tap_app.invoices (customer uuid, amount numeric);
GRANT SELECT ON tap_app.invoices TO codeverify_tenant;
INSERT INTO tap_app.invoices VALUES (tap.id('a'), 1), (tap.id('b'), 2), (NULL, 3);
SELECT throws_ok(
    $$SELECT tenancy.protect('tap_app.invoices')$$, 'VC016',
    'tap_app.invoices cannot be isolated by column "org_id"', 'without org_id the column must be named');
SELECT lives_ok($$SELECT tenancy.protect('tap_app.invoices', 'customer')$$, 'named, any uuid column will do');
SELECT is(tap.seen('tap_app.invoices'), 'a:1 b:1 nobody:0', 'a row with NULL is nobody''s');
SELECT has_index('tap_app', 'invoices', 'invoices_customer_idx', ARRAY['customer'], 'the index is on that column');

-- A table that cannot be protected.
CREATE TABLE tap_app.texts (org_id text);
SELECT throws_ok($$SELECT tenancy.protect('tap_app.texts')$$, 'VC016', NULL, 'org_id must be a uuid');
CREATE VIEW tap_app.a_view AS SELECT * FROM tap_app.invoices;
SELECT throws_ok($$SELECT tenancy.protect('tap_app.a_view', 'customer')$$, 'VC016', NULL, 'a view is no table');
SELECT throws_ok(
    $$SELECT tenancy.protect('tap_app.invoices', 'absent')$$, 'VC016', NULL, 'the column must be there');

-- Names that need quotes.
CREATE TABLE tap_app."Odd ""name" ("Org Id" uuid);
GRANT SELECT ON tap_app."Odd ""name" TO codeverify_tenant;
INSERT INTO tap_app."Odd ""name" VALUES (tap.id('a'));
SELECT lives_ok($$SELECT tenancy.protect('tap_app."Odd ""name"', 'Org Id')$$, 'names may need quotes');
SELECT is(tap.seen('tap_app."Odd ""name"'), 'a:1 b:0 nobody:0', 'and are protected no less');
SELECT lives_ok($$SELECT tenancy.unprotect('tap_app."Odd ""name"')$$, 'also when protection is taken away');

-- A name of the greatest length, 63 bytes: policies and index must not collide when theirs are cut.
DO $long$
BEGIN
    EXECUTE format('CREATE TABLE tap_app.%s (org_id uuid)', repeat('x', 63));
    EXECUTE format('GRANT SELECT ON tap_app.%s TO codeverify_tenant', repeat('x', 63));
    EXECUTE format('INSERT INTO tap_app.%s VALUES (tap.id(''a''))', repeat('x', 63));
END
$long$;
SELECT lives_ok($$SELECT tenancy.protect(('tap_app.' || repeat('x', 63))::regclass)$$, 'a name may be as long as names get');
SELECT is(tap.seen(('tap_app.' || repeat('x', 63))::regclass), 'a:1 b:0 nobody:0', 'and is protected no less');
-- A partitioned table, with a level below.
CREATE TABLE tap_app.events (org_id uuid, at date, kind text) PARTITION BY RANGE (at);
CREATE TABLE tap_app.events_2026 PARTITION OF tap_app.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (kind);
CREATE TABLE tap_app.events_2026_x PARTITION OF tap_app.events_2026 FOR VALUES IN ('x');
CREATE TABLE tap_app.events_default PARTITION OF tap_app.events DEFAULT;
GRANT SELECT ON tap_app.events, tap_app.events_2026, tap_app.events_2026_x, tap_app.events_default TO codeverify_tenant;
INSERT INTO tap_app.events VALUES (tap.id('a'), '2026-05-05', 'x'), (tap.id('b'), '2026-05-05', 'x'), (tap.id('b'), '1999-01-01', 'y');
SELECT tenancy.protect('tap_app.events');
SELECT is(tap.seen('tap_app.events'), 'a:1 b:2 nobody:0', 'a partitioned table is protected');
-- A partition has the restrictive policy alone: by its own name it shows nothing to anybody.
SELECT is(tap.seen('tap_app.events_2026'), 'a:0 b:0 nobody:0', 'a partition by its own name');
SELECT is(tap.seen('tap_app.events_2026_x'), 'a:0 b:0 nobody:0', 'a partition of the partition');
SELECT is(tap.seen('tap_app.events_default'), 'a:0 b:0 nobody:0', 'and the default');
CREATE TABLE tap_app.events_2027 PARTITION OF tap_app.events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
GRANT SELECT ON tap_app.events_2027 TO codeverify_tenant;
INSERT INTO tap_app.events VALUES (tap.id('b'), '2027-05-05', 'z');
SELECT tenancy.protect('tap_app.events');
SELECT is(tap.seen('tap_app.events_2027'), 'a:0 b:0 nobody:0', 'a partition made later, after another call');
SELECT tenancy.unprotect('tap_app.events');
SELECT is(
    (SELECT count(*)
     FROM pg_partition_tree('tap_app.events') AS t
     JOIN pg_class AS c ON c.oid = t.relid
     WHERE c.relrowsecurity OR c.relforcerowsecurity), 0::bigint, 'unprotect goes down to every partition');

-- What is codeverify's stays isolated, and who may do it.
SELECT throws_ok(
    $$SELECT tenancy.unprotect('analysis.findings')$$, 'VC016', 'analysis.findings belongs to codeverify and stays isolated',
    'the tables of codeverify stay isolated');
CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT tenancy.unprotect('tap_app.tickets')$$, '42501', NULL, 'a tenant takes no protection away');
SELECT throws_ok($$SELECT tenancy.protect('tap_app.tickets')$$, '42501', NULL, 'nor gives any');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok(
    $$SELECT tenancy.unprotect('tap_app.tickets')$$, '42501', NULL,
    'an administrator who does not own the table cannot either');
RESET SESSION AUTHORIZATION;
ALTER TABLE tap_app.tickets OWNER TO tap_admin;
GRANT CREATE ON SCHEMA tap_app TO tap_admin;
CALL tap.act(login => 'tap_admin');
SELECT lives_ok($$SELECT tenancy.protect('tap_app.tickets')$$, 'one who owns it can');
SELECT is((SELECT count(*) FROM tap_app.tickets), 0::bigint, 'and is bound by it then');

SELECT * FROM finish();
ROLLBACK;
