-- Entries of the ledger name organizations and users that exist when they are written, and outlive both.
BEGIN;
SELECT plan(17);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CALL tap.act('owner', 'a', 'tap_service');
SELECT lives_ok(
    $$INSERT INTO audits.audit_log (action, actor_id) VALUES ('key.created', tap.id('owner of a'))$$, 'the service writes an entry');
SELECT lives_ok($$INSERT INTO audits.audit_log (action) VALUES ('key.created')$$, 'with or without an actor');
SELECT throws_ok(
    $$INSERT INTO audits.audit_log (action, actor_id) VALUES ('key.created', tap.id('no user'))$$, '23503',
    'insert or update on table "audit_log" violates foreign key constraint "audit_log_actor_id_fkey"',
    'an actor must exist');
SELECT throws_ok(
    $$INSERT INTO audits.audit_log (action, actor_id) SELECT 'x', CASE n WHEN 7 THEN tap.id('no user') END FROM generate_series(1, 9) AS n$$,
    '23503', NULL, 'one wrong entry refuses the statement');
SELECT throws_ok(
    $$INSERT INTO audits.audit_log (org_id, action) VALUES (tap.id('b'), 'x')$$, '42501', NULL,
    'nobody writes into another organization''s ledger');
SELECT throws_ok(
    $$INSERT INTO audits.audit_log (org_id, action) VALUES (NULL, 'x')$$, '42501', NULL, 'nor into nobody''s');
SELECT throws_ok($$UPDATE audits.audit_log SET action = 'x'$$, '42501', NULL, 'nobody changes an entry');
SELECT throws_ok('DELETE FROM audits.audit_log', '42501', NULL, 'nor deletes one');
CALL tap.act('owner', 'a');
SELECT throws_ok($$INSERT INTO audits.audit_log (action) VALUES ('x')$$, '42501', NULL, 'an owner writes none by hand');
SELECT throws_ok('DELETE FROM audits.audit_log', '42501', NULL, 'nor deletes one');
SELECT is((SELECT count(*) FROM audits.audit_log), 4::bigint, 'but reads those of its organization');
SELECT is((SELECT sum(entries) FROM audits.statistics), 4::numeric, 'and the statistics of them');

RESET SESSION AUTHORIZATION;
SELECT throws_ok(
    $$INSERT INTO audits.audit_log (org_id, action) VALUES (tap.id('no organization'), 'x')$$, '23503',
    'insert or update on table "audit_log" violates foreign key constraint "audit_log_org_id_fkey"', 'an organization must exist');
DELETE FROM auth.users WHERE id = tap.id('developer of a');
SELECT is(
    (SELECT count(*) FROM audits.audit_log WHERE actor_id = tap.id('developer of a')), 1::bigint,
    'an entry outlives its actor');
DELETE FROM tenancy.organizations WHERE id = tap.id('a');
SELECT is((SELECT count(*) FROM audits.audit_log WHERE org_id = tap.id('a')), 4::bigint, 'and its organization');
CALL tap.act('owner', 'b');
SELECT is((SELECT count(*) FROM audits.audit_log WHERE org_id = tap.id('a')), 0::bigint, 'which does not show it to others');
SELECT is((SELECT count(*) FROM audits.statistics WHERE org_id <> tap.id('b')), 0::bigint, 'nor do the statistics');

SELECT * FROM finish();
ROLLBACK;
