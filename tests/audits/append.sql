-- New entries: chained whichever way they come, in the right ledger, by whom they say.
BEGIN;
SELECT plan(44);
\ir ../two_tenants.sql

CREATE FUNCTION tap.breaks()
RETURNS bigint
LANGUAGE sql
AS $function$
    SELECT count(*)
    FROM (
        SELECT a.seq,
               a.ts,
               a.prev_hash,
               row_number() OVER lane AS place,
               lag(a.ts) OVER lane AS last_ts,
               lag(a.signature, 1, repeat('0', 64)) OVER lane AS last_signature,
               a.signature = audits.hash_entry(
                   a.org_id, a.lane, a.seq, a.prev_hash, a.id, a.event_id, a.ts, a.entity, a.action, a.actor_id,
                   a.resource_id, a.payload, a.ip_address, a.user_agent) AS is_right
        FROM audits.audit_log AS a
        WINDOW lane AS (PARTITION BY a.org_id, a.lane ORDER BY a.seq)
    ) AS e
    WHERE e.seq <> e.place
       OR e.prev_hash <> e.last_signature
       OR e.ts <= e.last_ts
       OR NOT e.is_right
$function$;
COMMENT ON FUNCTION tap.breaks() IS 'How many entries do not continue their lane.';

-- append()
CALL tap.act('developer', 'a');
SELECT lives_ok(
    $$SELECT audits.append('project', 'project.renamed', '{"n": 1.00}', resource_id => tap.id('p'), ip_address => '192.0.2.1', user_agent => 'curl')$$,
    'a developer appends an entry');
SELECT results_eq(
    $$SELECT org_id, entity, action, actor_id, resource_id, payload::text, ip_address, user_agent, seq FROM audits.audit_log$$,
    $$VALUES (tap.id('a'), 'project', 'project.renamed', tap.id('developer of a'), tap.id('p'), '{"n": 1.00}', '192.0.2.1', 'curl', 1::bigint)$$,
    'in the organization and by the user in context');
SELECT audits.append('project', 'project.renamed') AS entry_id
\gset
SELECT is(:entry_id::bigint, (SELECT max(id) FROM audits.audit_log), 'the result is the id');
SELECT is((SELECT payload FROM audits.audit_log WHERE seq = 2), '{}', 'an entry needs no payload');
SELECT lives_ok($$SELECT audits.append('x', 'y', NULL, tap.id('developer of a'), tap.id('a'))$$, 'one may name oneself');
SELECT throws_ok(
    $$SELECT audits.append('x', 'y', org_id => tap.id('b'))$$, 'VC014',
    'the entry would go to the ledger of another organization', 'but no other organization');
SELECT throws_ok(
    $$SELECT audits.append('x', 'y', actor_id => tap.id('owner of a'))$$, 'VC018',
    'the entry names another user than the one in context', 'and nobody else');
SELECT throws_ok(
    $$SELECT audits.append('auth.users', 'row.updated')$$, 'VC052', 'action "row.updated" is reserved',
    'nobody imitates the capture of changes');
SELECT throws_ok($$SELECT audits.append('x', 'table.truncated')$$, 'VC052', NULL, 'of either kind');
SELECT throws_ok(format('SELECT audits.append(%L, %L)', 'x', a.action), 'VC052', NULL, 'nor what looks like it: ' || a.action)
FROM unnest(ARRAY[' row.deleted', 'Row.deleted', E'row\u200b.deleted', 'TABLE.truncated']) AS a (action);
SELECT throws_ok($$SELECT audits.append('x', NULL)$$, '23502', NULL, 'an action is needed');
SELECT throws_ok($$SELECT audits.append('x', repeat('y', 256))$$, '23514', NULL, 'of 255 characters at most');
SELECT throws_ok($$SELECT audits.append('x', 'y', '[]')$$, '23514', NULL, 'a payload is an object');
SELECT is((SELECT count(*) FROM audits.audit_log), 3::bigint, 'nothing of what was refused is there');

CALL tap.act('viewer', 'a');
SELECT throws_ok($$SELECT audits.append('x', 'y')$$, 'VC014', NULL, 'a viewer appends nothing');
CALL tap.act();
SELECT throws_ok($$SELECT audits.append('x', 'y')$$, 'VC011', NULL, 'nobody without a context does');
SELECT throws_ok($$SELECT audits.append('x', 'y', org_id => tap.id('a'))$$, 'VC011', NULL, 'whatever organization is named');
CALL tap.act(login => 'tap_auditor');
SELECT throws_ok($$SELECT audits.append('x', 'y')$$, '42501', NULL, 'nor an auditor');

CALL tap.act('owner', 'a', 'tap_service');
SELECT lives_ok($$SELECT audits.append('x', 'y', actor_id => tap.id('viewer of a'))$$, 'the service names the actor');
SELECT throws_ok($$SELECT audits.append('x', 'y', org_id => tap.id('b'))$$, 'VC014', NULL, 'but no other organization than the context''s');
SELECT throws_ok($$SELECT audits.append('x', 'y', actor_id => tap.id('nobody'))$$, '23503', NULL, 'an actor exists');
CALL tap.act(login => 'tap_service');
SELECT lives_ok($$SELECT audits.append('x', 'y', org_id => tap.id('b'))$$, 'without a context it names the organization');
SELECT throws_ok($$SELECT audits.append('x', 'y', org_id => tap.id('c'))$$, '23503', NULL, 'which exists');
SELECT lives_ok($$SELECT audits.append('server', 'server.started')$$, 'or none, for the platform''s own ledger');
CALL tap.act(login => 'tap_admin');
SELECT lives_ok($$SELECT audits.append('server', 'server.stopped')$$, 'as does an administrator');

-- Plain statements
CALL tap.act('owner', 'a', 'tap_service');
SELECT lives_ok(
    $$INSERT INTO audits.audit_log (action, payload)
      SELECT 'bulk', jsonb_build_object('n', n) FROM generate_series(1, 500) AS n$$,
    'many rows in one statement');
SELECT lives_ok($$INSERT INTO audits.audit_log (action) VALUES ('x'), ('y'), ('z')$$, 'some more');
SELECT throws_ok(
    format($$INSERT INTO audits.audit_log (action, %I) VALUES ('x', %s)$$, c.name, c.value), '42501', NULL,
    format('the service does not set %s', c.name))
FROM (VALUES
    ('id', '1'), ('ts', 'now()'), ('lane', '0'), ('seq', '1'), ('signature', $$repeat('0', 64)$$), ('prev_hash', $$repeat('0', 64)$$)
) AS c (name, value);
SELECT lives_ok(
    $$INSERT INTO audits.audit_log (action, event_id) VALUES ('x', tap.id('event'))$$, 'but may give event_id');

RESET SESSION AUTHORIZATION;
SELECT throws_ok(
    format($$INSERT INTO audits.audit_log (action, %I) VALUES ('x', %s)$$, c.name, c.value), 'VC050',
    format('%s of a ledger entry cannot be given', coalesce(c.said, c.name)),
    format('a superuser does not set %s either', c.name))
FROM (VALUES
    ('ts', $$'2020-01-01'$$, NULL), ('lane', '0', NULL), ('seq', '1', NULL),
    ('signature', $$repeat('0', 64)$$, 'signature and prev_hash'), ('prev_hash', $$repeat('0', 64)$$, 'signature and prev_hash')
) AS c (name, value, said);
SELECT throws_ok(
    $$INSERT INTO audits.audit_log (action, ts) VALUES ('x', 'infinity')$$, 'VC050', NULL, 'no time is infinite');

SELECT is(tap.breaks(), 0::bigint, 'every lane is a chain without a gap');

SELECT * FROM finish();
ROLLBACK;
