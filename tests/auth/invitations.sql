-- Nobody is a member who has not agreed, and nobody is given more than whoever invites has to give.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql

CREATE TABLE tap.invited (name text PRIMARY KEY, answer jsonb);
GRANT ALL ON tap.invited TO PUBLIC;
CREATE FUNCTION tap.code(invitation text)
RETURNS text
LANGUAGE sql
STABLE
AS $function$
    SELECT i.answer ->> 'code' FROM tap.invited AS i WHERE i.name = invitation
$function$;
CREATE FUNCTION tap.accept(invitation text, member text)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT auth.accept_invitation(tap.code(invitation), tap.id(member)) ->> 'status'
$function$;

-- Making them.
CALL tap.act('admin', 'a');
INSERT INTO tap.invited VALUES ('plain', auth.create_invitation(tap.id('a'), 'developer'));
INSERT INTO tap.invited VALUES ('three', auth.create_invitation(tap.id('a'), 'user', max_uses => 3, expires_in => '1 hour'));
INSERT INTO tap.invited VALUES ('bound', auth.create_invitation(tap.id('a'), 'admin', ' Stranger@A.Test '));
INSERT INTO tap.invited VALUES ('taken back', auth.create_invitation(tap.id('a'), 'viewer'));
INSERT INTO tap.invited VALUES ('old', auth.create_invitation(tap.id('a'), 'viewer'));
SELECT is(answer ->> 'status', 'ok', format('"%s" is made', name)) FROM tap.invited ORDER BY name;
SELECT matches(answer ->> 'code', '^cv_invite_[0-9A-Za-z]{36}$', format('"%s" has a code', name)) FROM tap.invited ORDER BY name;
SELECT results_eq(
    $$
        SELECT t.name, i.role, i.email, i.max_uses, i.uses, i.expires_at, i.created_by, i.api_key_id
        FROM tap.invited AS t
        JOIN auth.invitations AS i ON i.id = (t.answer ->> 'invitation_id')::uuid
        WHERE t.name IN ('plain', 'three', 'bound')
        ORDER BY t.name
    $$,
    $$
        VALUES ('bound', 'admin',     'stranger@a.test', 1, 0, now() + interval '7 days', tap.id('admin of a'), NULL::uuid),
               ('plain', 'developer', NULL,              1, 0, now() + interval '7 days', tap.id('admin of a'), NULL),
               ('three', 'member',    NULL,              3, 0, now() + interval '1 hour', tap.id('admin of a'), NULL)
    $$,
    'the rows have what was asked for, the address in its normal form');
SELECT is(
    auth.create_invitation(tap.id('a'), 'viewer', 'no address'),
    '{"status": "invalid_email", "invitation_id": null, "code": null, "expires_at": null}', 'what is no address is told');
SELECT throws_ok(
    format('SELECT auth.create_invitation(tap.id(''a''), %s)', a.arguments), 'VC025', NULL, format('not with %s', a.arguments))
FROM unnest(ARRAY[
    $$'owner'$$, $$'emperor'$$, $$NULL$$, $$''$$, $$'viewer', max_uses => 0$$, $$'viewer', max_uses => -1$$, $$'viewer', max_uses => 10001$$,
    $$'viewer', max_uses => NULL$$, $$'viewer', 'ada@a.test', 2$$, $$'viewer', expires_in => '0'$$, $$'viewer', expires_in => '-1 day'$$,
    $$'viewer', expires_in => '2 years'$$, $$'viewer', expires_in => NULL$$]) AS a (arguments);
SELECT throws_ok($$SELECT auth.create_invitation(tap.id('b'), 'viewer')$$, 'VC015', NULL, 'nor into another organization');
SELECT throws_ok($$SELECT auth.create_invitation(NULL, 'viewer')$$, 'VC011', NULL, 'nor into none');
CALL tap.act('member', 'a');
SELECT throws_ok($$SELECT auth.create_invitation(tap.id('a'), 'viewer')$$, 'VC014', NULL, 'a member invites nobody');
SELECT throws_ok($$SELECT auth.revoke_invitation(tap.id('x'))$$, 'VC014', NULL, 'and takes nothing back');
SELECT is((SELECT count(*) FROM auth.list_invitations()), 0::bigint, 'and sees none');
CALL tap.act();
SELECT throws_ok($$SELECT auth.create_invitation(tap.id('a'), 'viewer')$$, 'VC011', NULL, 'nor does anybody without a context');
SELECT throws_ok($$SELECT auth.revoke_invitation(tap.id('x'))$$, 'VC011', NULL, 'or take anything back');
CALL tap.act(login => 'tap_service');
INSERT INTO tap.invited VALUES ('of the service', auth.create_invitation(tap.id('b'), 'admin'));
SELECT is((SELECT answer ->> 'status' FROM tap.invited WHERE name = 'of the service'), 'ok', 'the service invites into any');
SELECT throws_ok($$SELECT auth.create_invitation(tap.id('no organization'), 'viewer')$$, '23503', NULL, 'that exists');
SELECT throws_ok($$SELECT auth.create_invitation(tap.id('b'), 'owner')$$, 'VC025', NULL, 'but makes no owner so');

-- Whose they are to accept.
CALL tap.act('viewer', 'b');
SELECT throws_ok(
    $$SELECT tap.accept('plain', 'stranger of a')$$, 'VC014', NULL, 'nobody accepts for another');
SELECT throws_ok($$SELECT tap.accept('plain', NULL)$$, 'VC014', NULL, 'or for nobody');
CALL tap.act();
SELECT throws_ok(
    $$SELECT tap.accept('plain', 'stranger of a')$$, 'VC014', NULL, 'nor without a context');
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    $$SELECT tap.accept('plain', 'no user')$$, 'VC025', NULL, 'nor the service for a user who does not exist');

-- What is no code.
SELECT is(
    auth.accept_invitation(c.code, tap.id('stranger of a')), '{"status": "invalid", "org_id": null, "role": null}',
    format('"%s" is no code', c.code))
FROM unnest(ARRAY[NULL, '', 'cv_invite_', 'cv_invite_0000000000000000000000000000000000',
                  'x'' OR true --']) AS c (code);
SELECT is(
    auth.accept_invitation(tap.code('plain') || '0', tap.id('stranger of a')) ->> 'status',
    'invalid', 'nor is one with a letter more');
SELECT is(
    auth.accept_invitation(reverse(tap.code('plain')), tap.id('stranger of a')) ->> 'status', 'invalid', 'nor is one that is turned round');

-- One use, by a user in another organization's context: the invitation names the organization.
CALL tap.act('viewer', 'b');
SELECT is(
    auth.accept_invitation(tap.code('plain'), tap.id('viewer of b')),
    jsonb_build_object('status', 'ok', 'org_id', tap.id('a'), 'role', 'developer'), 'a user joins while acting for another organization');
SELECT is(tenancy.current_org_id(), tap.id('b'), 'which is still the context');
SELECT is(
    auth.accept_invitation(tap.code('plain'), tap.id('viewer of b')),
    jsonb_build_object('status', 'already_member', 'org_id', tap.id('a'), 'role', 'developer'), 'a second time it is nothing');
CALL tap.act('member', 'b');
SELECT is(tap.accept('plain', 'member of b'), 'used_up', 'one use is one');
SELECT is(tap.accept('three', 'member of b'), 'ok', 'three are three');
SELECT is(tap.accept('three', 'member of b'), 'already_member', 'counted by user');
CALL tap.act('developer', 'b');
SELECT is(tap.accept('three', 'developer of b'), 'ok', 'for another user');
CALL tap.act('admin', 'a');
SELECT results_eq(
    $$SELECT role, uses, max_uses, status FROM auth.list_invitations() WHERE uses > 0 ORDER BY uses$$,
    $$VALUES ('developer', 1, 1, 'used_up'), ('member', 2, 3, 'open')$$, 'the uses are counted');
SELECT bag_eq(
    $$SELECT user_id, role FROM auth.invitation_uses$$,
    $$VALUES (tap.id('viewer of b'), 'developer'), (tap.id('member of b'), 'member'), (tap.id('developer of b'), 'member')$$,
    'and who has used them');

-- A member who was removed does not come back by the code that is still in their mail.
SELECT ok(tenancy.remove_member(tap.id('a'), tap.id('member of b')), 'a member is removed');
CALL tap.act('member', 'b');
SELECT is(tap.accept('three', 'member of b'), 'used_up', 'and cannot use the same code again');

-- Bound to an address.
CALL tap.act(login => 'tap_service');
SELECT is(tap.accept('bound', 'stranger of b'), 'wrong_email', 'another''s address is wrong');
SELECT is(tap.accept('bound', 'stranger of a'), 'wrong_email', 'so is one that was not verified');
RESET SESSION AUTHORIZATION;
UPDATE auth.users SET verified = true WHERE id IN (tap.id('stranger of a'), tap.id('stranger of b'));
CALL tap.act(login => 'tap_service');
SELECT is(tap.accept('bound', 'stranger of b'), 'wrong_email', 'another''s stays wrong');
SELECT is(tap.accept('bound', 'stranger of a'), 'ok', 'the one is right, as it was written');

-- Taken back, and too late.
CALL tap.act('owner', 'b');
SELECT ok(NOT auth.revoke_invitation((SELECT (answer ->> 'invitation_id')::uuid FROM tap.invited WHERE name = 'taken back')), 'another organization takes nothing back');
CALL tap.act('owner', 'a');
SELECT ok(auth.revoke_invitation((SELECT (answer ->> 'invitation_id')::uuid FROM tap.invited WHERE name = 'taken back')), 'an owner takes an invitation back');
SELECT ok(NOT auth.revoke_invitation((SELECT (answer ->> 'invitation_id')::uuid FROM tap.invited WHERE name = 'taken back')), 'once');
SELECT ok(NOT auth.revoke_invitation(NULL), 'not none');
CALL tap.act(login => 'tap_service');
SELECT is(tap.accept('taken back', 'stranger of b'), 'revoked', 'it is worth nothing');
RESET SESSION AUTHORIZATION;
UPDATE auth.invitations SET created_at = now() - interval '2 days', expires_at = now() - interval '1 day'
WHERE id = (SELECT (answer ->> 'invitation_id')::uuid FROM tap.invited WHERE name = 'old');
CALL tap.act(login => 'tap_service');
SELECT is(tap.accept('old', 'stranger of b'), 'expired', 'nor is an old one');

-- Never more than the inviter has at that moment.
RESET SESSION AUTHORIZATION;
UPDATE tenancy.org_memberships SET role = 'member' WHERE user_id = tap.id('admin of a');
CALL tap.act('owner', 'a');
SELECT is((SELECT status FROM auth.list_invitations() WHERE max_uses = 3), 'revoked', 'what somebody invites to who may not invite is shown as revoked');
CALL tap.act(login => 'tap_service');
SELECT is(tap.accept('three', 'stranger of b'), 'revoked', 'and is');
RESET SESSION AUTHORIZATION;
UPDATE tenancy.org_memberships SET role = 'admin' WHERE user_id = tap.id('admin of a');
CALL tap.act('owner', 'a');
SELECT is((SELECT status FROM auth.list_invitations() WHERE max_uses = 3), 'open', 'until they may again');
SELECT ok(tenancy.remove_member(tap.id('a'), tap.id('admin of a')), 'but when they leave');
SELECT is(
    (SELECT count(*) FROM auth.list_invitations() WHERE created_by = tap.id('admin of a') AND status = 'open'), 0::bigint,
    'what is open is revoked');
RESET SESSION AUTHORIZATION;
INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (tap.id('a'), tap.id('admin of a'), 'admin');
CALL tap.act(login => 'tap_service');
SELECT is(tap.accept('three', 'stranger of b'), 'revoked', 'for good');
CALL tap.act('admin', 'a');
INSERT INTO tap.invited VALUES ('of a user to be deleted', auth.create_invitation(tap.id('a'), 'viewer'));
CALL tap.act();
RESET SESSION AUTHORIZATION;
SELECT lives_ok($$DELETE FROM auth.users WHERE id = tap.id('admin of a')$$, 'also when the user is deleted');
CALL tap.act(login => 'tap_service');
SELECT is(tap.accept('of a user to be deleted', 'stranger of b'), 'revoked', 'so that none becomes the service''s');
SELECT is(tap.accept('of the service', 'stranger of b'), 'ok', 'which stands as it is');

-- A key that invites.
RESET SESSION AUTHORIZATION;
SELECT api_key_id AS key_id FROM auth.create_api_key(tap.id('a'), 'inviting', '["admin"]') \gset
CALL tap.act('admin', 'a');
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.user_id', '', true), set_config('codeverify.api_key_id', :'key_id', true) \g /dev/null
SET LOCAL SESSION AUTHORIZATION tap_tenant;
INSERT INTO tap.invited VALUES ('of a key', auth.create_invitation(tap.id('a'), 'member', max_uses => 2));
SELECT results_eq(
    $$SELECT created_by, api_key_id FROM auth.list_invitations() WHERE max_uses = 2$$, format('VALUES (NULL::uuid, %L::uuid)', :'key_id'),
    'a key invites in its own name');
SELECT throws_ok(
    format('SELECT auth.accept_invitation(%L, tap.id(''stranger of b''))', tap.code('of a key')), 'VC014', NULL, 'and accepts for nobody');
RESET SESSION AUTHORIZATION;
SELECT set_config('codeverify.api_key_id', '', true) \g /dev/null
CALL tap.act(login => 'tap_service');
SELECT is(tap.accept('of a key', 'stranger of b'), 'ok', 'a user joins');
SELECT ok(auth.revoke_api_key(:'key_id'), 'the key is revoked');
SELECT is(tap.accept('of a key', 'viewer of b'), 'already_member', 'a member is one already');
SELECT is(tap.accept('of a key', 'owner of b'), 'revoked', 'and nobody joins any more');
CALL tap.act('owner', 'a');
SELECT is((SELECT status FROM auth.list_invitations() WHERE max_uses = 2), 'revoked', 'as the list says');

-- What the ledger was told.
CALL tap.act();
RESET SESSION AUTHORIZATION;
SELECT bag_eq(
    $$SELECT action, count(*) FROM audits.audit_log WHERE org_id = tap.id('a') AND action LIKE 'invitation.%' GROUP BY action$$,
    $$VALUES ('invitation.created', 7::bigint), ('invitation.accepted', 5), ('invitation.refused', 9), ('invitation.revoked', 3)$$,
    'each outcome is told');
SELECT is_empty(
    $$
        SELECT l.payload
        FROM audits.audit_log AS l, tap.invited AS i
        WHERE strpos(l.payload::text, substr(i.answer ->> 'code', 15)) > 0
           OR strpos(l.payload::text, encode(sha256((i.answer ->> 'code')::bytea), 'hex')) > 0
    $$,
    'without a code or its hash');
SELECT is_empty(
    $$
        SELECT FROM auth.invitations AS i, tap.invited AS t
        WHERE i.id = (t.answer ->> 'invitation_id')::uuid AND i.code_hash <> encode(sha256((t.answer ->> 'code')::bytea), 'hex')
    $$,
    'of the code itself only a hash is stored');

SELECT * FROM finish();
ROLLBACK;
