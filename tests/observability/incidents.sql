-- One incident that goes on for each fingerprint; and the view for clients that speak in enums.
BEGIN;
SELECT plan(8);
\ir ../two_tenants.sql

CALL tap.act('developer', 'a');
SELECT lives_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('f')$$, 'an incident opens');
SELECT throws_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('f')$$, '23505', NULL, 'once while it goes on');
UPDATE observability.incidents SET status = 'resolved', resolved_at = now();
SELECT lives_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('f')$$, 'and again when it was resolved');
SELECT lives_ok(
    $$INSERT INTO observability.incidents (fingerprint) VALUES (NULL), (NULL)$$, 'without a fingerprint each is its own');
SELECT bag_eq(
    'SELECT status::text FROM observability.incident_progress',
    ARRAY['resolved', 'investigating', 'investigating', 'investigating'],
    'the view shows an open incident as one that is being investigated');
CALL tap.act('developer', 'b');
SELECT lives_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('f')$$, 'a fingerprint is an organization''s own');
SELECT is((SELECT count(*) FROM observability.incident_progress), 1::bigint, 'and so is what the view shows');
CALL tap.act('viewer', 'b');
SELECT throws_ok($$INSERT INTO observability.incidents (fingerprint) VALUES ('g')$$, '42501', NULL, 'a viewer opens none');

SELECT * FROM finish();
ROLLBACK;
