-- Auditors and administrators read every ledger, whole and in the order of its lanes.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql
INSERT INTO audits.audit_log (org_id, action) VALUES (NULL, 'of the platform'), (NULL, 'of the platform, again');
SET LOCAL client_min_messages = error;
CREATE TABLE tap.whole AS SELECT * FROM audits.audit_log;
GRANT SELECT ON tap.whole TO PUBLIC;
SELECT max(ts) AS newest, min(ts) AS oldest FROM tap.whole \gset

-- The columns are those of the table, in its order, so that a copy of one is a copy of the other.
SELECT results_eq(
    $$
        SELECT a.name, format_type(a.type, NULL)
        FROM pg_proc AS p
        CROSS JOIN LATERAL ROWS FROM (unnest(p.proallargtypes), unnest(p.proargmodes), unnest(p.proargnames)) AS a (type, mode, name)
        WHERE p.oid = 'audits.read_ledger'::regproc AND a.mode = 't'
    $$,
    $$
        SELECT a.attname::text, format_type(a.atttypid, NULL)
        FROM pg_attribute AS a
        WHERE a.attrelid = 'audits.audit_log'::regclass AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    $$,
    'it returns the columns of the table in their order');

CALL tap.act(login => 'tap_auditor');
SELECT bag_eq('SELECT * FROM audits.read_ledger()', 'SELECT * FROM tap.whole', 'an auditor reads every ledger');
SELECT bag_eq(
    $$SELECT * FROM audits.read_ledger(tap.id('a'))$$, $$SELECT * FROM tap.whole WHERE org_id = tap.id('a')$$, 'or that of one organization');
SELECT isnt_empty($$SELECT FROM audits.read_ledger() WHERE org_id IS NULL$$, 'the platform''s own is among them');
SELECT is_empty($$SELECT FROM audits.read_ledger(tap.id('no organization'))$$, 'nothing of one that does not exist');
SELECT results_eq(
    'SELECT org_id, lane, seq FROM audits.read_ledger()',
    'SELECT org_id, lane, seq FROM tap.whole ORDER BY org_id, lane, seq', 'in the order of organization, lane and seq');
SELECT bag_eq(
    format('SELECT * FROM audits.read_ledger(since => %L)', :'newest'),
    format('SELECT * FROM tap.whole WHERE ts = %L', :'newest'), 'since is included');
SELECT bag_eq(
    format('SELECT * FROM audits.read_ledger(until => %L)', :'newest'),
    format('SELECT * FROM tap.whole WHERE ts < %L', :'newest'), 'until is not');
SELECT is_empty(format('SELECT * FROM audits.read_ledger(until => %L)', :'oldest'), 'nothing is before the first');
SELECT bag_eq(
    format($$SELECT * FROM audits.read_ledger(tap.id('a'), %L, 'infinity')$$, :'oldest'),
    $$SELECT * FROM tap.whole WHERE org_id = tap.id('a')$$, 'bounds and organization go together');
-- An organization in context does not narrow it: a context is for tenants.
CALL tap.act('owner', 'b', 'tap_auditor');
SELECT bag_eq('SELECT * FROM audits.read_ledger()', 'SELECT * FROM tap.whole', 'a context changes nothing');
SELECT throws_ok('TABLE audits.audit_log', '42501', NULL, 'the table itself is not theirs');

CALL tap.act(login => 'tap_admin');
SELECT bag_eq('SELECT * FROM audits.read_ledger()', 'SELECT * FROM tap.whole', 'an administrator reads it too');
CALL tap.act('owner', 'a');
SELECT throws_ok('SELECT FROM audits.read_ledger()', '42501', NULL, 'an owner of an organization does not');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok('SELECT FROM audits.read_ledger()', '42501', NULL, 'nor does the service');
CALL tap.act(login => 'tap_ingest');
SELECT throws_ok('SELECT FROM audits.read_ledger()', '42501', NULL, 'nor an ingester');
CALL tap.act(login => 'tap_nobody');
SELECT throws_ok('SELECT FROM audits.read_ledger()', '42501', NULL, 'nor anybody else');

SELECT * FROM finish();
ROLLBACK;
