-- Log lines name organizations, services and environments that exist, checked once for each statement; they go with
-- their organization.
BEGIN;
SELECT plan(21);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

SELECT is(
    (SELECT count(*) FROM pg_constraint AS k WHERE k.conrelid = 'observability.logs'::regclass AND k.contype = 'f'), 0::bigint,
    'there is no foreign key, which would be checked for each row');

-- As a writer of logs inside an organization.
CALL tap.act('developer', 'a', 'tap_ingest');
SELECT lives_ok($$INSERT INTO observability.logs (message) VALUES ('a line')$$, 'a line needs a message only');
SELECT lives_ok(
    $$INSERT INTO observability.logs (service_id, environment_id, message)
      VALUES (tap.id('service of a'), tap.id('environment of a'), 'x'), (NULL, NULL, 'y'), (tap.id('service of a'), NULL, 'z')$$,
    'it may name a service and an environment of its organization');
SELECT throws_ok(
    $$INSERT INTO observability.logs (service_id, message) VALUES (tap.id('no service'), 'x')$$, '23503',
    'insert or update on table "logs" violates foreign key constraint "logs_org_id_service_id_fkey"',
    'a service that does not exist is refused');
SELECT throws_ok(
    $$INSERT INTO observability.logs (service_id, message) VALUES (tap.id('service of b'), 'x')$$, '23503',
    'insert or update on table "logs" violates foreign key constraint "logs_org_id_service_id_fkey"',
    'one of another organization in the same words');
SELECT throws_ok(
    $$INSERT INTO observability.logs (environment_id, message) VALUES (tap.id('environment of b'), 'x')$$, '23503',
    'insert or update on table "logs" violates foreign key constraint "logs_org_id_environment_id_fkey"',
    'so is an environment');
SELECT throws_ok(
    $$INSERT INTO observability.logs (service_id, message)
      SELECT CASE n WHEN 500 THEN tap.id('service of b') ELSE tap.id('service of a') END, 'x' FROM generate_series(1, 1000) AS n$$,
    '23503', NULL, 'one wrong line refuses the statement');
SELECT throws_ok(
    $$INSERT INTO observability.logs (service_id, ts, message) VALUES (tap.id('service of b'), '1999-01-01', 'x')$$, '23503', NULL,
    'whichever partition it would go to');
SELECT throws_ok(
    $$INSERT INTO observability.logs (org_id, message) VALUES (tap.id('b'), 'x')$$, '42501', NULL,
    'nobody writes lines for another organization');
SELECT throws_ok('SELECT message FROM observability.logs', '42501', NULL, 'a writer of logs reads none');
SELECT throws_ok($$UPDATE observability.logs SET message = 'x'$$, '42501', NULL, 'nor changes any');
SELECT throws_ok('DELETE FROM observability.logs', '42501', NULL, 'nor deletes any');
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok($$INSERT INTO observability.logs (message) VALUES ('x')$$, '42501', NULL, 'without a context it writes none');
CALL tap.act('owner', 'a');
SELECT throws_ok($$INSERT INTO observability.logs (message) VALUES ('x')$$, '42501', NULL, 'an owner writes none by hand');
SELECT is((SELECT count(*) FROM observability.logs), 6::bigint, 'but reads those of its organization');

-- Deleting.
RESET SESSION AUTHORIZATION;
SELECT throws_ok(
    $$INSERT INTO observability.logs (org_id, message) VALUES (tap.id('no organization'), 'x')$$, '23503',
    'insert or update on table "logs" violates foreign key constraint "logs_org_id_fkey"', 'an organization must exist');
DELETE FROM tenancy.services WHERE id = tap.id('service of a');
SELECT is(
    (SELECT count(*) FROM observability.logs WHERE org_id = tap.id('a')), 6::bigint,
    'lines outlive the service that wrote them');
SELECT lives_ok($$DELETE FROM tenancy.organizations WHERE id = tap.id('a')$$, 'an organization is deleted');
SELECT is((SELECT count(*) FROM observability.logs WHERE org_id = tap.id('a')), 0::bigint, 'its lines go with it');
SELECT is((SELECT count(*) FROM observability.incidents WHERE org_id = tap.id('a')), 0::bigint, 'so do its incidents');
SELECT is((SELECT count(*) FROM observability.logs WHERE org_id = tap.id('b')), 2::bigint, 'those of another organization stay');

SELECT * FROM finish();
ROLLBACK;
