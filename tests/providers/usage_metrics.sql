-- providers.usage_metrics after any change of usage is what a computation from nothing gives: by UTC day, week from
-- Monday and month; each user sees its own, managers see the organization's totals.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

-- What should be there, by a query that has nothing of the refresh.
CREATE VIEW tap.expected AS
SELECT t.org_id, t.user_id, t.provider, t.model, p.period, date_trunc(p.period, t.date::timestamp)::date AS date,
       sum(t.requests_count)::bigint AS requests_count, sum(t.tokens_input)::bigint AS tokens_input,
       sum(t.tokens_output)::bigint AS tokens_output, sum(t.cost_usd) AS cost_usd
FROM providers.usage_tracking AS t
CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
GROUP BY t.org_id, t.user_id, t.provider, t.model, p.period, 6;
CREATE VIEW tap.actual AS
SELECT m.org_id, m.user_id, m.provider, m.model, m.period, m.date, m.requests_count, m.tokens_input, m.tokens_output, m.cost_usd
FROM providers.usage_metrics AS m;
CREATE VIEW tap.note AS
SELECT c.org_id FROM codeverify.metric_changes AS c WHERE c.relation = 'providers.usage_metrics';
CREATE FUNCTION tap.refresh(since timestamptz DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
AS $function$
DECLARE
    changed bigint;
BEGIN
    CALL tap.act(login => 'tap_service');
    SELECT providers.refresh_usage_metrics(since) INTO changed;
    RESET SESSION AUTHORIZATION;
    RETURN changed;
END
$function$;

DELETE FROM providers.usage_tracking;
SELECT ok(tap.refresh('-infinity') > 0, 'what is in the table without usage');
SELECT is_empty('SELECT * FROM tap.actual', 'goes away');
SELECT is_empty('SELECT * FROM codeverify.list_due_metrics(''providers.usage_metrics'')', 'and maintenance has nothing to do');

INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count, tokens_input, tokens_output, cost_usd)
SELECT tap.id(o.name), tap.id(m.role || ' of ' || o.name), 'openai', model, date '2025-12-20' + n, n, 2000000000, n * 3, n / 7.0
FROM unnest(ARRAY['a', 'b']) AS o (name)
CROSS JOIN unnest(ARRAY['owner', 'developer']) AS m (role)
CROSS JOIN unnest(ARRAY['small', 'large']) AS model
CROSS JOIN generate_series(0, 60) AS n;
INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count)
VALUES (tap.id('a'), tap.id('owner of a'), 'local', 'x', '1970-01-01', 1), (tap.id('a'), tap.id('owner of a'), 'local', 'x', '9999-12-31', 1);
SELECT results_eq('SELECT * FROM codeverify.list_due_metrics(''providers.usage_metrics'')', $$VALUES ('providers.usage_metrics')$$, 'changes are due');
SELECT is(tap.refresh(), (SELECT count(*) FROM tap.expected), 'every row is written');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'and is as computed from nothing');
SELECT is_empty('SELECT FROM tap.note', 'nothing is left to do');
SELECT is(tap.refresh('-infinity'), 0::bigint, 'all of it once more changes nothing');

-- Every kind of change.
INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count, cost_usd)
VALUES (tap.id('a'), tap.id('owner of a'), 'openai', 'small', '2026-01-05', 1, 0.000001)
ON CONFLICT ON CONSTRAINT usage_tracking_org_id_user_id_provider_model_date_key
DO UPDATE SET requests_count = usage_tracking.requests_count + excluded.requests_count, cost_usd = usage_tracking.cost_usd + excluded.cost_usd;
SELECT is(tap.refresh(), 3::bigint, 'a request more changes a day, a week and a month');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
UPDATE providers.usage_tracking SET date = date + 100, model = 'other' WHERE model = 'small' AND date < '2026-01-03';
SELECT ok(tap.refresh() > 0, 'after moves to other days and models');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
DELETE FROM providers.usage_tracking WHERE date BETWEEN '2026-01-07' AND '2026-01-22';
SELECT ok(tap.refresh() > 0, 'after deletes');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');
UPDATE providers.usage_metrics SET cost_usd = cost_usd + 1;
SELECT is(tap.refresh(), 0::bigint, 'what nobody noted is not looked at');
SELECT ok(tap.refresh('2026-02-01 00:00+00') > 0, 'but is from the time that is named');
SELECT is_empty($$SELECT * FROM tap.actual WHERE date >= '2026-02-01' EXCEPT SELECT * FROM tap.expected$$, 'from there on it is so');
SELECT ok(tap.refresh('-infinity') > 0, 'all of it');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');

-- By one organization, in steps.
UPDATE providers.usage_tracking SET cost_usd = cost_usd + 1;
CALL tap.act('developer', 'b', 'tap_service');
SELECT ok(providers.refresh_usage_metrics() > 0, 'in a context');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT array_agg(DISTINCT c.org_id) FROM tap.note AS c), ARRAY[tap.id('a')], 'the others'' metrics are left');
SELECT results_eq(
    $$SELECT s.action, s.more FROM codeverify.refresh_metrics_step('providers.usage_metrics') AS s$$, $$VALUES ('refreshed', false)$$,
    'a step of maintenance does the rest');
SELECT is_empty($$SELECT * FROM codeverify.refresh_metrics_step('providers.usage_metrics')$$, 'and then nothing');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM tap.expected', 'it is so');

-- What is packed is counted as what is not.
DELETE FROM providers.usage_tracking WHERE date NOT BETWEEN '2025-12-01' AND '2026-12-31';
SELECT is(tap.refresh(), 6::bigint, 'usage of no year in particular goes with its metrics');
SET LOCAL codeverify.clock = '2026-03-15 00:00:00+00';
SELECT codeverify.configure_partitions('providers.usage_tracking', compress_after => '1 day') \g /dev/null
CREATE FUNCTION tap.exhaust(step text)
RETURNS int
LANGUAGE plpgsql
AS $function$
DECLARE
    more boolean := true;
    steps int := 0;
BEGIN
    WHILE more LOOP
        EXECUTE format('SELECT more FROM codeverify.%I(''providers.usage_tracking'')', step) INTO more;
        steps := steps + 1;
    END LOOP;
    RETURN steps;
END
$function$;
CREATE TEMP TABLE counted AS SELECT * FROM tap.actual;
SELECT cmp_ok(tap.exhaust('partition_next'), '>', 0, 'rows move to their partitions');
SELECT is_empty('SELECT FROM tap.note', 'which changes no metrics');
SELECT cmp_ok(tap.exhaust('compress_rows'), '>', 1, 'and are packed');
SELECT is_empty($$SELECT FROM providers.usage_tracking WHERE date BETWEEN '2026-01-01' AND '2026-01-31'$$, 'so that the table has none of them');
SELECT is_empty('SELECT FROM tap.note', 'which changes no metrics either');
SELECT is(tap.refresh('-infinity'), 0::bigint, 'nor does a computation from nothing, which reads them');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM counted', 'all is as before');
INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count)
VALUES (tap.id('a'), tap.id('owner of a'), 'openai', 'small', '2026-01-05', 1000);
SELECT is(tap.refresh(), 3::bigint, 'a late row adds to what is packed');
SELECT is(
    (SELECT m.requests_count FROM providers.usage_metrics AS m WHERE m.date = '2026-01-05' AND m.period = 'day' AND m.user_id = tap.id('owner of a') AND m.model = 'small'),
    (SELECT c.requests_count + 1000 FROM counted AS c WHERE c.date = '2026-01-05' AND c.period = 'day' AND c.user_id = tap.id('owner of a') AND c.model = 'small'),
    'whose sum it is');

-- What is past retention is counted still.
DROP TABLE counted;
CREATE TEMP TABLE counted AS SELECT * FROM tap.actual;
SELECT codeverify.configure_partitions('providers.usage_tracking', retention => '30 days', action => 'drop') \g /dev/null
SELECT cmp_ok(tap.exhaust('retire_rows'), '>', 0, 'rows are past retention');
SELECT is_empty(
    $$SELECT FROM codeverify.packed_segments WHERE relation = 'providers.usage_tracking'::regclass AND period_end < '2026-02-01'$$,
    'and gone, packed as they were');
SELECT is(tap.refresh('-infinity'), 0::bigint, 'their metrics stay, whatever is computed anew');
SELECT set_eq('SELECT * FROM tap.actual', 'SELECT * FROM counted', 'all is as before');
SET LOCAL codeverify.clock = '';

-- Who sees what.
CALL tap.act('developer', 'a');
SELECT is((SELECT array_agg(DISTINCT user_id) FROM providers.usage_metrics), ARRAY[tap.id('developer of a')], 'a user sees its own');
SELECT throws_ok('SELECT * FROM providers.read_organization_usage()', 'VC014', NULL, 'and no totals');
SELECT throws_ok('UPDATE providers.usage_metrics SET cost_usd = 0', '42501', NULL, 'and changes nothing');
SELECT throws_ok('SELECT providers.refresh_usage_metrics()', '42501', NULL, 'nor refreshes');
CALL tap.act('admin', 'a');
SELECT is((SELECT count(*) FROM providers.usage_metrics), 0::bigint, 'a manager does not see users'' rows');
CREATE TEMP TABLE total AS SELECT * FROM providers.read_organization_usage('month', '2026-02-01', '2026-02-28');
SELECT results_eq('SELECT date, provider, model, users FROM total', $$VALUES (date '2026-02-01', 'openai', 'large', 2::bigint), ('2026-02-01', 'openai', 'small', 2)$$, 'but the organization''s totals');
RESET SESSION AUTHORIZATION;
SELECT results_eq(
    'SELECT provider, model, requests_count, tokens_input, tokens_output, cost_usd FROM total',
    $$SELECT provider, model, sum(requests_count)::bigint, sum(tokens_input)::bigint, sum(tokens_output)::bigint, sum(cost_usd)
      FROM providers.list_usage(tap.id('a'), '2026-02-01', '2026-02-28')
      GROUP BY provider, model ORDER BY provider, model$$, 'which are those of its usage');
CALL tap.act(login => 'tap_service');
SELECT throws_ok('SELECT * FROM providers.read_organization_usage()', 'VC011', NULL, 'without a context there are none');

-- Deletions of what it hangs on.
RESET SESSION AUTHORIZATION;
UPDATE providers.usage_tracking SET cost_usd = 3;
DELETE FROM auth.users WHERE id = tap.id('developer of a');
SELECT lives_ok('SELECT tap.refresh()', 'after a user is gone');
SELECT is_empty('SELECT * FROM tap.expected WHERE date >= ''2026-02-01'' EXCEPT SELECT * FROM tap.actual', 'it is so');
SELECT is_empty($$SELECT FROM providers.usage_metrics WHERE user_id = tap.id('developer of a')$$, 'and nothing is there of the user');
DELETE FROM tenancy.organizations WHERE id = tap.id('b');
SELECT lives_ok('SELECT tap.refresh()', 'after an organization is gone');
SELECT is_empty('SELECT FROM tap.note', 'nothing is left of it');

SELECT * FROM finish();
ROLLBACK;
