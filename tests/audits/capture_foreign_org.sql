-- A table of somebody else's making names organizations as its owner likes: capture does not believe it.
BEGIN;
SELECT plan(8);
\ir ../two_tenants.sql
\ir ../capture.sql

CREATE ROLE tap_app LOGIN;
GRANT ALL ON SCHEMA tap TO tap_app;
GRANT CREATE ON SCHEMA tap TO tap_app;
CREATE TABLE tap.fake (id uuid PRIMARY KEY, org_id uuid, x text);
SELECT audits.track('tap.fake') \g /dev/null
ALTER TABLE tap.fake OWNER TO tap_app;

CALL tap.act(NULL, NULL, 'tap_app');
INSERT INTO tap.fake VALUES (tap.id('1'), tap.id('b'), 'forged');
SELECT results_eq(
    $$SELECT org_id, action FROM tap.entries('tap.fake')$$, $$VALUES (NULL::uuid, 'row.inserted')$$,
    'without a context, what an owner of a table says of an organization goes to the platform''s ledger');
CALL tap.act('owner', 'a', 'tap_app');
UPDATE tap.fake SET x = 'forged again';
SELECT results_eq(
    $$SELECT org_id FROM tap.entries('tap.fake') ORDER BY place DESC LIMIT 1$$, $$VALUES (tap.id('a'))$$,
    'with one, to the context''s');
INSERT INTO tap.fake SELECT gen_random_uuid(), gen_random_uuid(), 'made up' FROM generate_series(1, 1005);
SELECT is(
    (SELECT array_agg(DISTINCT org_id) FROM tap.entries('tap.fake') WHERE action = 'row.inserted' AND place > 1),
    ARRAY[tap.id('a')], 'made-up organizations are none');
INSERT INTO tap.fake VALUES (tap.id('2'), tap.id('a'), 'own');
SELECT is(tap.last_entry('tap.fake') #>> '{rows,0,new,x}', 'own', 'the context''s own organization is named rightly');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM audits.lanes AS l WHERE NOT EXISTS (SELECT FROM tenancy.organizations AS o WHERE o.id = l.org_id) AND l.org_id IS NOT NULL), 0::bigint, 'and there is no lane of an organization that does not exist');
INSERT INTO tap.fake VALUES (tap.id('3'), tap.id('b'), 'restored');
SELECT results_eq(
    $$SELECT org_id FROM tap.entries('tap.fake') ORDER BY place DESC LIMIT 1$$, $$VALUES (tap.id('b'))$$,
    'who is above row security is believed');
INSERT INTO tap.fake VALUES (tap.id('4'), tap.id('nobody'), 'wrong');
SELECT results_eq(
    $$SELECT org_id FROM tap.entries('tap.fake') ORDER BY place DESC LIMIT 1$$, $$VALUES (NULL::uuid)$$,
    'as long as the organization exists');
SELECT is_empty('SELECT * FROM audits.verify_chain()', 'and the chain verifies');

SELECT * FROM finish();
ROLLBACK;
