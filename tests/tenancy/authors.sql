-- Columns that say who did something name the user in context or nobody.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

-- Every nullable reference to a user is such a column, but those listed: a user who signs in or is named by a log-in, and
-- who answers for an API key, which a key that makes another hands on; tenants write neither.
SELECT set_eq(
    $$
        SELECT k.conrelid::regclass::text, a.attname::text
        FROM pg_constraint AS k
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
        JOIN pg_roles AS r ON r.oid = (SELECT c.relowner FROM pg_class AS c WHERE c.oid = k.conrelid)
        WHERE k.contype = 'f' AND k.confrelid = 'auth.users'::regclass AND k.confdeltype = 'n' AND r.rolname = 'codeverify_owner'
          AND k.conrelid <> 'auth.audit_logs'::regclass
          -- Made by functions only, and by a key in the name of the user who made that.
          AND k.conrelid <> 'auth.api_keys'::regclass
    $$,
    $$
        SELECT DISTINCT t.tgrelid::regclass::text, u.name
        FROM pg_trigger AS t
        CROSS JOIN regexp_split_to_table(rtrim(encode(t.tgargs, 'escape'), '\000'), '\\000') AS u (name)
        WHERE t.tgfoid = 'tenancy.check_authors()'::regprocedure AND u.name <> ''
    $$,
    'every column that names an author is bound');

CALL tap.act('admin', 'a');
SELECT lives_ok(
    $$INSERT INTO analysis.custom_rules (name, rule_type, rule_config) VALUES ('by default', 'ast', '{}')$$, 'an author may be left out');
SELECT is((SELECT created_by FROM analysis.custom_rules WHERE name = 'by default'), tap.id('admin of a'), 'and is the user in context');
SELECT lives_ok(
    $$INSERT INTO analysis.custom_rules (name, rule_type, rule_config, created_by) VALUES ('named', 'ast', '{}', tap.id('admin of a'))$$,
    'who may be named');
SELECT lives_ok(
    $$INSERT INTO analysis.custom_rules (name, rule_type, rule_config, created_by) VALUES ('nobody', 'ast', '{}', NULL)$$, 'or nobody');
SELECT throws_ok(
    $$INSERT INTO analysis.custom_rules (name, rule_type, rule_config, created_by) VALUES ('other', 'ast', '{}', tap.id('owner of a'))$$, 'VC018',
    'column "created_by" names another user than the one in context', 'another member may not');
SELECT throws_ok(
    $$INSERT INTO analysis.custom_rules (name, rule_type, rule_config, created_by) VALUES ('other', 'ast', '{}', tap.id('owner of b'))$$, 'VC018', NULL,
    'nor somebody of another organization');
SELECT throws_ok(
    $$INSERT INTO analysis.custom_rules (name, rule_type, rule_config, created_by) VALUES ('other', 'ast', '{}', tap.id('no user'))$$, 'VC018', NULL,
    'nor somebody who does not exist, in the same words');
SELECT throws_ok(
    $$UPDATE analysis.custom_rules SET created_by = tap.id('owner of a') WHERE name = 'named'$$, 'VC018', NULL, 'nor by an UPDATE');
SELECT throws_ok(
    $$UPDATE analysis.findings SET dismissed = true, dismissed_by = tap.id('owner of a')$$, 'VC018', NULL, 'nobody dismisses in another''s name');
SELECT throws_ok(
    $$UPDATE analysis.analyses SET triggered_by = tap.id('member of a')$$, 'VC018', NULL, 'or starts an analysis so');

-- What another wrote can be changed, if not its author.
CALL tap.act('owner', 'a');
SELECT lives_ok($$UPDATE analysis.custom_rules SET enabled = false WHERE name = 'named'$$, 'another member changes the rest of a row');
SELECT lives_ok($$UPDATE analysis.analyses SET pr_title = 'New'$$, 'of any table');
SELECT is((SELECT created_by FROM analysis.custom_rules WHERE name = 'named'), tap.id('admin of a'), 'its author stays');

-- An API key is nobody; the service inside a user's context is that user; an operator without a context may restore.
CALL tap.act('developer', 'a');
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.user_id = '';
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT throws_ok(
    $$UPDATE analysis.findings SET dismissed_by = tap.id('developer of a')$$, 'VC018', NULL, 'a key names no user');
CALL tap.act('developer', 'a', 'tap_service');
SELECT throws_ok(
    $$UPDATE analysis.findings SET dismissed_by = tap.id('owner of a')$$, 'VC018', NULL, 'the service acts as the user it has taken on');
SELECT lives_ok(
    $$SELECT analysis.dismiss_finding(tap.id('finding of a'), 'said by the developer')$$, 'a developer dismisses');
CALL tap.act('member', 'a');
SELECT throws_ok(
    $$UPDATE analysis.findings SET dismissed_reason = 'I accept this risk' WHERE dismissed_by = tap.id('developer of a')$$,
    'VC018', NULL, 'nobody puts words into another''s mouth');
SELECT throws_ok(
    $$UPDATE analysis.findings SET dismissed_at = '2020-01-01' WHERE dismissed_by = tap.id('developer of a')$$,
    'VC018', NULL, 'nor moves the hour');
SELECT lives_ok(
    $$UPDATE analysis.findings SET dismissed_reason = 'mine now', dismissed_by = tap.id('member of a')$$, 'but signs a new reason with the own name');
CALL tap.act();
RESET SESSION AUTHORIZATION;
SELECT lives_ok($$UPDATE analysis.findings SET dismissed_by = tap.id('owner of a') WHERE org_id = tap.id('a')$$, 'without a context an operator restores what was');
CALL tap.act('developer', 'a');
SELECT lives_ok($$SELECT analysis.reopen_finding(tap.id('finding of a'))$$, 'a dismissal can be taken back by another');

SELECT * FROM finish();
ROLLBACK;
