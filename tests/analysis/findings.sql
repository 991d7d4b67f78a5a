-- Findings are dismissed and reopened, and who did it, when and why is kept.
BEGIN;
SELECT plan(21);
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

CREATE VIEW tap.state WITH (security_invoker = true) AS
SELECT dismissed, dismissed_by, dismissed_reason, dismissed_at FROM analysis.findings WHERE id = tap.id('finding of a');
GRANT SELECT ON tap.state TO PUBLIC;

CALL tap.act('developer', 'a');
SELECT lives_ok($$SELECT analysis.dismiss_finding(tap.id('finding of a'), 'test code')$$, 'a finding is dismissed');
SELECT results_eq(
    'SELECT * FROM tap.state', $$VALUES (true, tap.id('developer of a'), 'test code', now())$$, 'by whom, why and when');
CALL tap.act('member', 'a');
SELECT lives_ok($$SELECT analysis.dismiss_finding(tap.id('finding of a'), 'checked again')$$, 'it may be dismissed again');
SELECT results_eq(
    'SELECT * FROM tap.state', $$VALUES (true, tap.id('member of a'), 'checked again', now())$$, 'by another, for another reason');
SELECT lives_ok($$SELECT analysis.reopen_finding(tap.id('finding of a'))$$, 'it is reopened');
SELECT results_eq(
    'SELECT * FROM tap.state', 'VALUES (false, NULL::uuid, NULL::text, NULL::timestamptz)', 'and nothing of the dismissal stays');
SELECT lives_ok($$SELECT analysis.dismiss_finding(tap.id('finding of a'), NULL)$$, 'a reason may be left out');
SELECT results_eq('SELECT dismissed, dismissed_reason FROM tap.state', 'VALUES (true, NULL::text)', 'and is dismissed all the same');

SELECT throws_ok(
    $$SELECT analysis.dismiss_finding(tap.id('no finding'), 'x')$$, 'VC042',
    format('finding %s does not exist', tap.id('no finding')), 'a finding must exist');
SELECT throws_ok(
    $$SELECT analysis.dismiss_finding(tap.id('finding of b'), 'x')$$, 'VC042',
    format('finding %s does not exist', tap.id('finding of b')), 'one of another organization does not');
SELECT throws_ok($$SELECT analysis.reopen_finding(tap.id('finding of b'))$$, 'VC042', NULL, 'not to reopen either');
SELECT throws_ok($$SELECT analysis.dismiss_finding(NULL, 'x')$$, 'VC042', NULL, 'and must be named');

CALL tap.act('viewer', 'a');
SELECT throws_ok($$SELECT analysis.dismiss_finding(tap.id('finding of a'), 'x')$$, 'VC014', NULL, 'a viewer dismisses none');
SELECT throws_ok($$SELECT analysis.reopen_finding(tap.id('finding of a'))$$, 'VC014', NULL, 'and reopens none');
CALL tap.act();
SELECT throws_ok($$SELECT analysis.dismiss_finding(tap.id('finding of a'), 'x')$$, 'VC011', NULL, 'without a context nobody does');

-- After the analysis is over, people still triage.
CALL tap.act('developer', 'a');
SELECT analysis.complete_analysis(tap.id('analysis of a')) \g /dev/null
SELECT lives_ok($$SELECT analysis.reopen_finding(tap.id('finding of a'))$$, 'findings of a completed analysis can be reopened');

-- What goes with what.
SELECT throws_ok(
    $$INSERT INTO analysis.findings (analysis_id, category, severity, title, file_path, fingerprint)
      SELECT analysis_id, category, severity, title, file_path, f FROM analysis.findings, unnest(ARRAY[repeat('a', 64), repeat('a', 64)]) AS f$$,
    '23505', NULL, 'a fingerprint names one finding of an analysis');
RESET SESSION AUTHORIZATION;
DELETE FROM auth.users WHERE id = tap.id('member of a');
SELECT is((SELECT count(*) FROM tap.state), 1::bigint, 'a finding outlives the user who dismissed it');
DELETE FROM analysis.analyses WHERE id = tap.id('analysis of a');
SELECT is((SELECT count(*) FROM tap.state), 0::bigint, 'but not its analysis');
SELECT is((SELECT count(*) FROM analysis.analysis_stages WHERE org_id = tap.id('a')), 0::bigint, 'nor do stages');
SELECT is(
    (SELECT count(*) FROM attestations.verification_attestations WHERE id = tap.id('attestation of a') AND analysis_id IS NULL), 1::bigint,
    'an attestation does');

SELECT * FROM finish();
ROLLBACK;
