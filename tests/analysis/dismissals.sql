-- A dismissal by a person outlives an import, however it was written; one by a log follows the log.
BEGIN;
SELECT plan(6);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CREATE FUNCTION tap.import(suppressions jsonb)
RETURNS boolean
LANGUAGE sql
AS $function$
    SELECT count(*) = 1
    FROM analysis.import_sarif(tap.id('analysis of a'), jsonb_set(
        '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": [{"message": {"text": "found"}}]}]}',
        '{runs,0,results,0,suppressions}', suppressions))
$function$;
CREATE VIEW tap.state WITH (security_invoker = true) AS
SELECT dismissed, dismissed_reason, dismissed_by FROM analysis.findings WHERE title = 'found';
GRANT SELECT ON tap.state TO PUBLIC;

CALL tap.act('developer', 'a');
SELECT tap.import('[]') \g /dev/null

-- With the function.
SELECT analysis.dismiss_finding(id, 'a test') FROM analysis.findings WHERE title = 'found' \g /dev/null
SELECT tap.import('[]') \g /dev/null
SELECT results_eq('SELECT * FROM tap.state', $$VALUES (true, 'a test', tap.id('developer of a'))$$, 'one by the function stays');
SELECT tap.import('[{"kind": "inSource", "justification": "nosec"}]') \g /dev/null
SELECT results_eq('SELECT * FROM tap.state', $$VALUES (true, 'a test', tap.id('developer of a'))$$, 'with its reason, when the log suppresses too');
SELECT analysis.reopen_finding(id) FROM analysis.findings WHERE title = 'found' \g /dev/null

-- With the documented columns, as an ORM writes them.
UPDATE analysis.findings SET dismissed = true, dismissed_by = tap.id('developer of a'), dismissed_reason = 'by hand' WHERE title = 'found';
SELECT tap.import('[]') \g /dev/null
SELECT results_eq('SELECT * FROM tap.state', $$VALUES (true, 'by hand', tap.id('developer of a'))$$, 'one by an UPDATE stays');
SELECT analysis.reopen_finding(id) FROM analysis.findings WHERE title = 'found' \g /dev/null

-- With the log.
SELECT tap.import('[{"kind": "inSource", "justification": "nosec"}]') \g /dev/null
SELECT results_eq('SELECT * FROM tap.state', $$VALUES (true, 'nosec', NULL::uuid)$$, 'one by the log is nobody''s');
SELECT tap.import('[{"kind": "inSource", "justification": "because"}]') \g /dev/null
SELECT results_eq('SELECT * FROM tap.state', $$VALUES (true, 'because', NULL::uuid)$$, 'follows it in its reason');
SELECT tap.import('[]') \g /dev/null
SELECT results_eq('SELECT * FROM tap.state', $$VALUES (false, NULL::text, NULL::uuid)$$, 'and ends with it');

SELECT * FROM finish();
ROLLBACK;
