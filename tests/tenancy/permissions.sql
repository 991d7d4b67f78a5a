-- Which role has which permission, and what that lets it write.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../tenant_rows.sql

-- The table of permissions, asked as each role.
CREATE TABLE tap.permission (member text, permission text, granted boolean);
GRANT SELECT ON tap.permission TO PUBLIC;
INSERT INTO tap.permission
VALUES ('owner',     'read', true), ('owner',     'write', true),  ('owner',     'manage', true),  ('owner',     'own', true),
       ('admin',     'read', true), ('admin',     'write', true),  ('admin',     'manage', true),  ('admin',     'own', false),
       ('member',    'read', true), ('member',    'write', true),  ('member',    'manage', false), ('member',    'own', false),
       ('developer', 'read', true), ('developer', 'write', true),  ('developer', 'manage', false), ('developer', 'own', false),
       ('viewer',    'read', true), ('viewer',    'write', false), ('viewer',    'manage', false), ('viewer',    'own', false);

-- What each may write: the outcome of one statement for each of the things that the roles are about.
CREATE FUNCTION tap.outcome(statement text)
RETURNS text
LANGUAGE plpgsql
AS $function$
DECLARE
    affected bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS affected = ROW_COUNT;
    RETURN CASE affected WHEN 0 THEN 'refused' ELSE 'done' END;
EXCEPTION
    WHEN insufficient_privilege OR SQLSTATE 'VC014' THEN
        RETURN 'refused';
    WHEN OTHERS THEN
        RETURN SQLSTATE;
END
$function$;

CREATE TABLE tap.deed (what text, permission text, statement text);
GRANT SELECT ON tap.deed TO PUBLIC;
INSERT INTO tap.deed
VALUES ('reads analyses', 'read', 'SELECT FROM analysis.analyses'),
       ('reads findings', 'read', 'SELECT FROM analysis.findings'),
       ('reads API keys', 'read', 'SELECT name FROM auth.api_keys'),
       ('reads members', 'read', 'SELECT FROM tenancy.org_memberships'),
       ('reads the dashboard', 'read', 'SELECT FROM analysis.repository_dashboard'),
       ('exports findings', 'read', $$SELECT analysis.export_sarif(tap.id('analysis of a'))$$),

       ('starts an analysis', 'write',
        $$SELECT analysis.start_analysis(tap.id('repository of a'), 7, repeat('c', 40))$$),
       ('writes an analysis', 'write',
        $$INSERT INTO analysis.analyses (repo_id, pr_number, head_sha) VALUES (tap.id('repository of a'), 8, repeat('c', 40))$$),
       ('changes an analysis', 'write', $$UPDATE analysis.analyses SET pr_title = 'New'$$),
       ('writes a finding', 'write',
        $$INSERT INTO analysis.findings (analysis_id, category, severity, title, file_path)
          VALUES (tap.id('analysis of a'), 'security', 'low', 'New', 'new.py')$$),
       ('changes a finding', 'write', $$UPDATE analysis.findings SET severity = 'low'$$),
       ('imports findings', 'write',
        $$SELECT * FROM analysis.import_sarif(tap.id('analysis of a'),
            '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": [{"message": {"text": "x"}}]}]}')$$),
       ('dismisses a finding', 'write', $$SELECT analysis.dismiss_finding(tap.id('finding of a'), 'noise')$$),
       ('reopens a finding', 'write', $$SELECT analysis.reopen_finding(tap.id('finding of a'))$$),
       ('fails an analysis', 'write', $$SELECT analysis.fail_analysis(tap.id('analysis of a'), 'broken')$$),

       ('reads webhooks', 'manage', 'SELECT id FROM integrations.webhooks'),
       ('makes a webhook', 'manage', $$INSERT INTO integrations.webhooks (url) VALUES ('https://hooks.test/new')$$),
       ('changes a webhook', 'manage', 'UPDATE integrations.webhooks SET active = false'),
       ('removes a webhook', 'manage', 'DELETE FROM integrations.webhooks'),
       ('makes an API key', 'manage', $$SELECT * FROM auth.create_api_key(tap.id('a'), 'new')$$),
       ('makes a rule', 'manage',
        $$INSERT INTO analysis.custom_rules (name, rule_type, rule_config) VALUES ('new', 'ast', '{}')$$),
       ('changes a rule', 'manage', 'UPDATE analysis.custom_rules SET enabled = false'),
       ('removes a rule', 'manage', 'DELETE FROM analysis.custom_rules'),
       ('makes a schedule', 'manage',
        $$INSERT INTO analysis.scan_schedules (repo_id, cron_expression) VALUES (tap.id('repository of a'), '@daily')$$),
       ('writes a membership', NULL, $$INSERT INTO tenancy.org_memberships (user_id) VALUES (tap.id('stranger of a'))$$),
       ('invites', 'manage', $$SELECT auth.create_invitation(tap.id('a'), 'viewer')$$),
       ('reads invitations', 'manage', 'SELECT id FROM auth.invitations'),
       ('changes a member', 'manage', $$UPDATE tenancy.org_memberships SET role = 'viewer' WHERE role = 'member'$$),
       ('removes a member', 'manage', $$SELECT WHERE tenancy.remove_member(tap.id('a'), tap.id('viewer of a'))$$),
       ('configures a repository', 'manage', $$UPDATE scm.repositories SET settings = '{"x": 1}'$$),
       ('makes a service', 'manage', $$INSERT INTO tenancy.services (name) VALUES ('new')$$),
       ('deletes findings', 'manage', 'DELETE FROM analysis.findings'),
       ('deletes an analysis', 'manage', 'DELETE FROM analysis.analyses'),

       ('makes an owner', 'own', $$SELECT tenancy.add_member(tap.id('a'), tap.id('admin of a'), 'owner')$$),

       ('makes a repository', NULL,
        $$INSERT INTO scm.repositories (github_id, name, full_name) VALUES (1, 'new', 'new/new')$$),
       ('renames a repository', NULL, $$UPDATE scm.repositories SET name = 'new'$$),
       ('writes an attestation', NULL, 'DELETE FROM attestations.verification_attestations'),
       ('writes deliveries', NULL, 'DELETE FROM integrations.webhook_deliveries'),
       ('writes the log of log-ins', NULL, $$INSERT INTO auth.audit_logs (action) VALUES ('login')$$),
       ('writes an API key by hand', NULL,
        $$INSERT INTO auth.api_keys (name, key_hash) VALUES ('mine', repeat('a', 64))$$),
       ('widens an API key', NULL, $$UPDATE auth.api_keys SET scopes = '["admin"]'$$);

-- Each deed is undone, so that the next one finds what it needs.
CREATE FUNCTION tap.permissions_of(who text)
RETURNS SETOF text
LANGUAGE plpgsql
AS $function$
DECLARE
    rule record;
    outcome text;
BEGIN
    CALL tap.act(who, 'a');
    FOR rule IN SELECT p.permission, p.granted FROM tap.permission AS p WHERE p.member = who LOOP
        RETURN NEXT is(
            tenancy.has_permission(rule.permission), rule.granted,
            format('%s %s permission "%s"', who, CASE WHEN rule.granted THEN 'has' ELSE 'has not' END, rule.permission));
    END LOOP;
    FOR rule IN
        SELECT d.what, d.statement, coalesce(p.granted, false) AS granted
        FROM tap.deed AS d
        LEFT JOIN tap.permission AS p ON p.permission = d.permission AND p.member = who
    LOOP
        BEGIN
            outcome := tap.outcome(rule.statement);
            RAISE EXCEPTION USING ERRCODE = 'VC999';
        EXCEPTION
            WHEN SQLSTATE 'VC999' THEN
                NULL;
        END;
        RETURN NEXT is(
            outcome, CASE WHEN rule.granted THEN 'done' ELSE 'refused' END,
            format('%s %s', who, CASE WHEN rule.granted THEN rule.what ELSE 'not: ' || rule.what END));
    END LOOP;
END
$function$;

SELECT * FROM tap.permissions_of('owner');
SELECT * FROM tap.permissions_of('admin');
SELECT * FROM tap.permissions_of('member');
SELECT * FROM tap.permissions_of('developer');
SELECT * FROM tap.permissions_of('viewer');

-- Nobody, and names that are no permissions.
CALL tap.act();
SELECT is(tenancy.has_permission(p.name), false, format('without a context there is no permission "%s"', p.name))
FROM unnest('{read,write,manage,own}'::text[]) AS p (name);
SELECT throws_ok(
    $$SELECT tenancy.require_permission('read')$$, 'VC011', 'no organization in context', 'what requires one says so');
SELECT throws_ok(
    $$SELECT tenancy.has_permission('delete')$$, 'VC017', '"delete" is not a permission', 'a typing error is no silent refusal');
SELECT set_eq(
    'SELECT role, permission, allowed FROM tenancy.permissions', 'SELECT member, permission, granted FROM tap.permission',
    'the view shows the same table to everybody');
SELECT is_empty(
    'SELECT FROM tenancy.permissions WHERE what_it_allows !~ ''^[A-Z].*\.$''', 'with a sentence on each');
SELECT throws_ok($$SELECT tenancy.require_permission('')$$, 'VC017', NULL, 'nor is an empty name');
SELECT is(tenancy.has_permission(NULL), NULL, 'NULL is no permission');

CALL tap.act('viewer', 'a');
SELECT is(tenancy.require_permission('read'), tap.id('a'), 'a permission that is there gives the organization');
SELECT throws_ok(
    $$SELECT tenancy.require_permission('write')$$, 'VC014', 'the member role in context does not allow this',
    'one that is not raises an error');

SELECT * FROM finish();
ROLLBACK;
