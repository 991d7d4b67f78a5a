-- Full text search in the ledger of the organization in context.
BEGIN;
SELECT * FROM no_plan();

-- Partitions outside the bounds are not opened: after the first thing that this transaction does with the ledger, the
-- planner has locked no others.
SELECT codeverify.version() \g /dev/null
SELECT set_config('codeverify.org_id', gen_random_uuid()::text, true), set_config('codeverify.member_role', 'viewer', true) \g /dev/null
SELECT count(*) FROM audits.search('repository', date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', now()) \g /dev/null
SELECT set_eq(
    $$
        SELECT DISTINCT c.relname::text
        FROM pg_locks AS l
        JOIN pg_class AS c ON c.oid = l.relation
        JOIN pg_inherits AS i ON i.inhrelid = c.oid
        WHERE l.pid = pg_backend_pid()
          AND i.inhparent = 'audits.audit_log'::regclass
    $$,
    ARRAY[to_char(now() AT TIME ZONE 'UTC', '"audit_log_"YYYY_MM')],
    'a search of this month plans with its partition alone');

\ir ../two_tenants.sql

CALL tap.act('owner', 'a');
DO $entries$
BEGIN
    PERFORM audits.append('repository', 'repository.disabled', '{"reason": "archived by Zoë", "stars": 4711}', resource_id => tap.id('r'));
    PERFORM audits.append('repository', 'repository.enabled', '{"reason": "needed again", "nested": {"list": ["Pear", {"deep": "plum"}]}}');
    PERFORM audits.append('user', 'user_invited', '{"email": "jane.doe@example.org", "ip": "192.0.2.17", "vip": true}');
    PERFORM audits.append('api-key', 'key:rotated', '{"id": "5c1c9f52-6a0b-4a35-9d62-0d5c0f3a9b11", "none": null}');
    PERFORM audits.append(NULL, 'ping');
END
$entries$;
CALL tap.act('owner', 'b');
SELECT audits.append('repository', 'repository.disabled', '{"reason": "archived too"}') \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.org_id', '', true), set_config('codeverify.user_id', '', true), set_config('codeverify.member_role', '', true) \g /dev/null
INSERT INTO audits.audit_log (org_id, entity, action) VALUES (NULL, 'repository', 'repository.purged');

CALL tap.act('viewer', 'a');
SET LOCAL client_min_messages = warning;
CREATE FUNCTION pg_temp.actions(query text) RETURNS text LANGUAGE sql AS $$SELECT string_agg(s.action, ' ') FROM audits.search(query) AS s$$;
SELECT is(pg_temp.actions(q.query), q.expected, q.query || ': ' || q.title)
FROM (VALUES
    ('repository', 'repository.enabled repository.disabled', 'an entity; newest first, of this organization only'),
    ('REPOSITORY', 'repository.enabled repository.disabled', 'without regard to case'),
    ('repository.disabled', 'repository.disabled', 'an action'),
    ('disabled', 'repository.disabled', 'a part of one'),
    ('invited', 'user_invited', 'behind an underscore'),
    ('rotated', 'key:rotated', 'a colon'),
    ('api-key', 'key:rotated', 'an entity with a hyphen'),
    ('key rotated', 'key:rotated', 'several words, all of them'),
    ('repository -archived', 'repository.enabled', 'without a word'),
    ('archived or plum', 'repository.enabled repository.disabled', 'one or the other'),
    ('"needed again"', 'repository.enabled', 'a phrase'),
    ('"again needed"', NULL, 'in its order'),
    ('zoë', 'repository.disabled', 'beyond ASCII'),
    ('4711', 'repository.disabled', 'a number in the payload'),
    ('plum', 'repository.enabled', 'deep in it'),
    ('reason', 'repository.enabled repository.disabled', 'a key of it'),
    ('jane.doe@example.org', 'user_invited', 'an address'),
    ('192.0.2.17', 'user_invited', 'a number of a host'),
    ('5c1c9f52-6a0b-4a35-9d62-0d5c0f3a9b11', 'key:rotated', 'an id'),
    ('purged', NULL, 'nothing of the platform''s own ledger'),
    ('too', NULL, 'or of another organization'),
    ('', NULL, 'no words'),
    ('   ', NULL, 'only spaces'),
    ('-archived -inserted', 'ping key:rotated user_invited repository.enabled', 'what does not have the words'),
    ('''; DROP TABLE audits.audit_log --', NULL, 'whatever is in it'),
    (')(&|!:*<->\', NULL, 'no operators of tsquery')
) AS q (query, expected, title);
SELECT is_empty('SELECT * FROM audits.search(NULL)', 'NULL finds nothing');
SELECT lives_ok(
    format('SELECT * FROM audits.search(%L)', c.query), 'a query of 4,000 characters is one: ' || left(c.query, 12))
FROM (VALUES (rpad('', 4000, 'a ')), (rpad('', 4000, '-a ')), (rpad('', 4000, 'a or ')), (rpad('', 4000, '"a b" '))) AS c (query);
SELECT throws_ok(
    format('SELECT * FROM audits.search(%L)', c.query), 'VC145', 'the query of a search is too long',
    format('one of %s characters is not', length(c.query)))
FROM (VALUES (repeat('a', 4001)), (repeat('word ', 100000))) AS c (query);
SELECT results_eq(
    $$SELECT entity, action, actor_id, resource_id, payload ->> 'stars', lane BETWEEN 0 AND 31, seq > 0, ip_address FROM audits.search('4711')$$,
    $$VALUES ('repository', 'repository.disabled', tap.id('owner of a'), tap.id('r'), '4711', true, true, NULL::text)$$,
    'the entry comes with what a reader needs');

-- Bounds.
SELECT ts AS middle FROM audits.search('enabled') \gset
SELECT is(pg_temp.actions('repository'), 'repository.enabled repository.disabled', 'without bounds both');
SELECT results_eq(format('SELECT action FROM audits.search(%L, since => %L)', 'repository', :'middle'), ARRAY['repository.enabled'], 'since is included');
SELECT results_eq(format('SELECT action FROM audits.search(%L, until => %L)', 'repository', :'middle'), ARRAY['repository.disabled'], 'until is not');
SELECT is_empty(format('SELECT action FROM audits.search(%L, %L, %L)', 'repository', :'middle', :'middle'), 'together they can leave nothing');
SELECT results_eq($$SELECT action FROM audits.search('repository', "limit" => 1)$$, ARRAY['repository.enabled'], 'limit keeps the newest');
SELECT is_empty($$SELECT * FROM audits.search('repository', "limit" => 0)$$, 'none are none');
SELECT is_empty($$SELECT * FROM audits.search('repository', "limit" => -1)$$, 'less are none too');
SELECT is((SELECT count(*) FROM audits.search('repository', "limit" => NULL)), 2::bigint, 'NULL is the default');
SELECT is((SELECT count(*) FROM audits.search('repository', '-infinity', 'infinity')), 2::bigint, 'infinite bounds are none');

-- Who.
CALL tap.act('owner', 'b');
SELECT is(pg_temp.actions('repository'), 'repository.disabled', 'another organization finds its own');
CALL tap.act('owner', 'a', 'tap_service');
SELECT is(pg_temp.actions('4711'), 'repository.disabled', 'the service finds those of its context');
CALL tap.act();
SELECT throws_ok($$SELECT * FROM audits.search('repository')$$, 'VC011', NULL, 'without a context there is an error');
CALL tap.act('owner', 'a', 'tap_auditor');
SELECT throws_ok($$SELECT * FROM audits.search('repository')$$, '42501', NULL, 'auditors use audits.read_ledger()');
CALL tap.act('owner', 'a', 'tap_ingest');
SELECT throws_ok($$SELECT * FROM audits.search('repository')$$, '42501', NULL, 'ingesters read nothing');
CALL tap.act('owner', 'a', 'tap_nobody');
SELECT throws_ok($$SELECT * FROM audits.search('repository')$$, '42501', NULL, 'somebody neither');

-- A large entry is searched from its beginning, and stops no search.
CALL tap.act('owner', 'a');
SELECT audits.append('bulk', 'large', (SELECT jsonb_object_agg(md5(i::text), 'early' || i) FROM generate_series(1, 40000) AS i)) \g /dev/null
SELECT lives_ok($$SELECT * FROM audits.search('repository')$$, 'a large entry stops no search');
SELECT is((SELECT count(*) FROM audits.search('large')), 1::bigint, 'and is found');

SELECT * FROM finish();
ROLLBACK;
