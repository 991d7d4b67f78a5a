-- JSON Web Tokens: a context for the user of one that a trusted issuer has signed, and for nobody else.
BEGIN;
SELECT * FROM no_plan();
\ir ../two_tenants.sql
\ir ../key_files.sql
\ir ../web_token_issuers.sql

-- Two organizations for one user, none for another; and somebody whom Auth0 knows.
INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (tap.id('b'), tap.id('developer of a'), 'owner');
UPDATE auth.users SET auth0_sub = 'auth0|viewer' WHERE id = tap.id('viewer of a');
UPDATE auth.users SET auth0_sub = tap.id('owner of a')::text WHERE id = tap.id('stranger of a');

CREATE FUNCTION tap.status(token text, org_id uuid DEFAULT NULL)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT tenancy.authenticate_web_token(token, org_id) ->> 'status'
$function$;

CALL tap.act();
SELECT is(
    tenancy.authenticate_web_token('garbage'), '{"status": "invalid", "org_id": null, "user_id": null, "role": null}',
    'what is refused says why and no more');

-- What is no token of ours.
SELECT is(tap.status(t.token), 'invalid', 'invalid: ' || t.what)
FROM (VALUES
    ('NULL', NULL),
    ('nothing', ''),
    ('a dot', '.'),
    ('two dots', '..'),
    ('garbage', 'a.b.c'),
    ('an API key', 'cv_live_' || repeat('0', 36)),
    ('a token with a blank before it', ' ' || tap.token()),
    ('a token with Bearer before it', 'Bearer ' || tap.token()),
    ('one without its signature', regexp_replace(tap.token(), '[^.]*$', '')),
    ('one with another signature', regexp_replace(tap.token(), '[^.]*$', tap.base64url(sha256('x')))),
    ('one with the claims of another', split_part(tap.token(), '.', 1) || '.' || split_part(tap.token(jsonb_build_object('sub', tap.id('owner of a'))), '.', 2) || '.' || split_part(tap.token(), '.', 3)),
    ('one that is too large', tap.token(jsonb_build_object('x', repeat('x', 16384)))),
    ('one that is much too large', repeat('x', 10000000)),
    ('alg none', tap.token(header => '{"alg": "none"}')),
    ('alg none without a signature', tap.base64url('{"alg":"none"}') || '.' || split_part(tap.token(), '.', 2) || '.'),
    ('another algorithm', tap.token(header => '{"alg": "HS512"}')),
    ('the algorithm of another key', tap.token(header => '{"alg": "RS256"}')),
    ('no algorithm', tap.token(header => '{"alg": null}')),
    ('the public key as a secret', tap.sign('{"alg":"HS256","kid":"1"}', jsonb_build_object('iss', 'https://rsa.test/', 'sub', tap.id('owner of b'), 'exp', 4102444800)::text, '-----BEGIN PUBLIC KEY-----')),
    ('a key id that there is not', tap.token(header => '{"kid": "2"}')),
    ('a key id that is SQL', tap.token(header => $${"kid": "' OR true --"}$$)),
    ('a key id that is a path', tap.token(header => '{"kid": "../../dev/null"}')),
    ('a key id of another issuer', tap.token(header => '{"kid": "1"}')),
    ('a key that it brings along', tap.sign('{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}', jsonb_build_object('iss', 'https://shared.test/')::text, '')),
    ('a critical extension', tap.token(header => '{"crit": ["exp"]}')),
    ('claims that are not encoded', tap.token(header => '{"b64": false}')),
    ('another issuer', tap.token('{"iss": "https://evil.test/"}')),
    ('an issuer whose key it is not', tap.token('{"iss": "https://ed.test/"}', '{"alg": "EdDSA"}')),
    ('no issuer', tap.token('{"iss": null}')),
    ('several issuers', tap.token('{"iss": ["https://shared.test/"]}')),
    ('another audience', tap.token('{"aud": "others"}')),
    ('other audiences', tap.token('{"aud": ["others", "more"]}')),
    ('no audience', tap.token('{"aud": null}')),
    ('no expiry', tap.token('{"exp": null}')),
    ('an expiry that is a text', tap.token('{"exp": "4102444800"}')),
    ('an expiry beyond all time', tap.token('{"exp": 1e300}')),
    ('no subject', tap.token('{"sub": null}')),
    ('a subject that is no text', tap.token('{"sub": 1}')),
    ('an organization that is no id', tap.token('{"org_id": "acme"}')),
    ('an organization that is no text', tap.token('{"org_id": 1}')),
    ('names that come twice', tap.sign('{"alg":"HS256"}', '{"iss":"https://shared.test/","iss":"https://shared.test/","exp":4102444800}')),
    ('claims that are no object', tap.sign('{"alg":"HS256"}', '["https://shared.test/"]'))
) AS t (what, token);

SELECT is(tap.status(tap.token(t.claims)), t.status, t.what)
FROM (VALUES
    ('one that has expired', 'expired', jsonb_build_object('exp', extract(epoch FROM now()) - 61)),
    ('one that is for later', 'not_yet_valid', jsonb_build_object('nbf', extract(epoch FROM clock_timestamp()) + 90)),
    ('one from the future', 'not_yet_valid', jsonb_build_object('iat', extract(epoch FROM clock_timestamp()) + 90)),
    ('a user who does not exist', 'no_membership', jsonb_build_object('sub', tap.id('nobody'))),
    ('a user by another name than an id', 'no_membership', '{"sub": "auth0|viewer"}'),
    ('a user of no organization', 'no_membership', jsonb_build_object('sub', tap.id('stranger of a'), 'org_id', NULL)),
    ('a stranger', 'no_membership', jsonb_build_object('sub', tap.id('stranger of a'))),
    ('an organization of others', 'no_membership', jsonb_build_object('org_id', tap.id('b'))),
    ('an organization that does not exist', 'no_membership', jsonb_build_object('org_id', tap.id('nowhere'))),
    ('a user of two organizations', 'org_required', jsonb_build_object('sub', tap.id('developer of a'), 'org_id', NULL))
) AS t (what, status, claims);
SELECT is(tap.status(tap.token(), tap.id('b')), 'no_membership', 'an organization that neither the token nor the user is for');
SELECT is(
    tap.status(tap.token(jsonb_build_object('sub', tap.id('developer of a'), 'org_id', tap.id('a'))), tap.id('b')), 'no_membership',
    'a token for one organization is not for another of the user');
SELECT is(
    tap.status(tap.token(jsonb_build_object('iss', 'https://auth0.test/', 'sub', tap.id('viewer of a')))), 'no_membership',
    'an id is no name that Auth0 gives');
SELECT is(tenancy.current_org_id(), NULL, 'after all that there is no context');

-- A key that is disabled, and one that is not there any more.
RESET SESSION AUTHORIZATION;
SELECT auth.disable_jwt_key(:'ed_key') AS disabled, auth.disable_jwt_key(:'ed_key') AS again \gset
SELECT ok(:'disabled' AND NOT :'again', 'a key is disabled once');
CALL tap.act();
SELECT is(tap.status(tap.ed_token()), 'invalid', 'tokens of a key that is disabled are not believed');
RESET SESSION AUTHORIZATION;
UPDATE auth.jwt_keys SET enabled = true WHERE id = :'ed_key';

-- A request of PostgREST that is refused.
CALL tap.act();
SELECT throws_ok(
    'SELECT tenancy.from_jwt_claims()', r.code, NULL, format('a request with %s is answered by %s', r.headers - 'authorization', r.code))
FROM (VALUES
    ('PT401', jsonb_build_object('authorization', 'Bearer ' || tap.token('{"aud": "others"}'))),
    ('PT401', jsonb_build_object('authorization', 'Bearer ' || tap.token('{"exp": 1}'))),
    ('PT401', jsonb_build_object('authorization', 'Bearer')),
    ('PT401', jsonb_build_object('authorization', 'bearer  ')),
    ('PT401', jsonb_build_object('authorization', 'BEARER x y')),
    ('PT403', jsonb_build_object('authorization', 'Bearer ' || tap.token('{"sub": "x"}'))),
    ('PT403', jsonb_build_object('authorization', 'Bearer ' || tap.token(), 'x-organization-id', tap.id('b'))),
    ('22P02', jsonb_build_object('authorization', 'Bearer ' || tap.token(), 'x-organization-id', 'b'))
) AS r (code, headers)
CROSS JOIN LATERAL set_config('request.headers', r.headers::text, true);
SELECT lives_ok('SELECT tenancy.from_jwt_claims()', 'a request with ' || coalesce(nullif(h.value, ''), 'nothing') || ' goes on')
FROM unnest(ARRAY['', '{}', '{"authorization": null}', '{"authorization": ""}', '{"authorization": "Basic eDp5"}', '{"authorization": "Bearerx y"}']) AS h (value)
CROSS JOIN LATERAL set_config('request.headers', h.value, true);
SELECT set_config('request.jwt.claims', jsonb_build_object('sub', tap.id('owner of a'), 'org_id', tap.id('a'), 'role', 'owner')::text, true) \g /dev/null
SELECT tenancy.from_jwt_claims() \g /dev/null
SELECT is(tenancy.current_org_id(), NULL, 'claims without the token that they came with are nobody''s');
SELECT is((SELECT count(*) FROM tenancy.organizations), 0::bigint, 'and show no rows');

-- What is accepted. A transaction takes one identity: all that follows are tokens of the same.
SELECT is(
    tenancy.authenticate_web_token(tap.token(jsonb_build_object('role', 'owner', 'member_role', 'owner'))),
    jsonb_build_object('status', 'ok', 'org_id', tap.id('a'), 'user_id', tap.id('viewer of a'), 'role', 'viewer'),
    'a token says who somebody is; the membership says what they may');
SELECT is(tenancy.current_org_id(), tap.id('a'), 'the organization is in context');
SELECT is(tenancy.current_user_id(), tap.id('viewer of a'), 'and the user');
SELECT is(tenancy."current_role"(), 'viewer', 'and the role');
SELECT is((SELECT count(*) FROM tenancy.org_memberships), 5::bigint, 'the rows are there');
SELECT throws_ok($$INSERT INTO tenancy.services (name) VALUES ('x')$$, '42501', NULL, 'which a viewer does not write');
SELECT is(tap.status(t.token, t.org_id), 'ok', 'taken: ' || t.what)
FROM (VALUES
    ('an RS256 token', tap.rsa_token(), NULL::uuid),
    ('an EdDSA token', tap.ed_token(), NULL),
    ('one that names the organization itself', tap.token(), tap.id('a')),
    ('one that names none, for the user''s only one', tap.token('{"org_id": null}'), NULL),
    ('one that names none, where the caller does', tap.token('{"org_id": null}'), tap.id('a')),
    ('one for several audiences', tap.token('{"aud": ["others", "codeverify"]}'), NULL),
    ('one that has just expired', tap.token(jsonb_build_object('exp', extract(epoch FROM clock_timestamp()) - 30)), NULL),
    ('one that is for soon', tap.token(jsonb_build_object('nbf', extract(epoch FROM clock_timestamp()) + 30)), NULL),
    ('one without a type', tap.token(header => '{"typ": null}'), NULL),
    ('one of Auth0', tap.token(jsonb_build_object('iss', 'https://auth0.test/', 'sub', 'auth0|viewer', 'org_id', NULL, 'https://example.org/org', tap.id('a'))), NULL)
) AS t (what, token, org_id);
SELECT throws_ok(
    format('SELECT tenancy.authenticate_web_token(%L)', tap.token(jsonb_build_object('sub', s.subject, 'org_id', s.org_id))), 'VC010', NULL,
    'a token of somebody else is a second identity')
FROM (VALUES (tap.id('owner of a'), tap.id('a')), (tap.id('owner of b'), tap.id('b'))) AS s (subject, org_id);
SELECT is(tap.status('garbage'), 'invalid', 'a wrong token is told so');
SELECT is(tenancy.current_org_id(), tap.id('a'), 'and takes nothing away');
SELECT lives_ok('SELECT tenancy.from_jwt_claims()', 'a request with a good token goes on')
FROM set_config('request.headers', jsonb_build_object('authorization', 'Bearer ' || tap.token())::text, true);
SELECT lives_ok('SELECT tenancy.from_jwt_claims()', 'also one that names the organization beside it')
FROM set_config('request.headers', jsonb_build_object('authorization', 'bearer ' || tap.token('{"org_id": null}'), 'x-organization-id', tap.id('a'))::text, true);

-- The leeway.
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.web_token_leeway = 0;
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(tap.status(tap.token(jsonb_build_object('exp', extract(epoch FROM clock_timestamp()) - 1))), 'expired', 'without a leeway, expired is expired');
SELECT throws_ok('SET codeverify.web_token_leeway = 600', '42501', NULL, 'which a tenant does not widen');

-- A member who has gone, a member with another role.
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.web_token_leeway = 60;
UPDATE tenancy.org_memberships SET role = 'admin' WHERE user_id = tap.id('viewer of a');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT throws_ok(format('SELECT tap.status(%L)', tap.token()), 'VC010', NULL, 'a new role is in force at the next authentication');
RESET SESSION AUTHORIZATION;
DELETE FROM tenancy.org_memberships WHERE user_id = tap.id('viewer of a');
SET LOCAL SESSION AUTHORIZATION tap_tenant;
SELECT is(tap.status(tap.token()), 'no_membership', 'and so is the end of a membership');

-- The ledger knows, without the token.
RESET SESSION AUTHORIZATION;
SELECT isnt_empty(
    format($$SELECT FROM audits.audit_log WHERE action = 'web_token.accepted' AND org_id = tap.id('a') AND actor_id = tap.id('viewer of a') AND resource_id = %L$$, :'shared_key'),
    'a success is told in the organization''s ledger');
SELECT is(
    (SELECT count(*) FROM audits.audit_log WHERE action = 'web_token.accepted'), 1::bigint, 'once in a transaction');
SELECT is_empty(
    $$SELECT FROM audits.audit_log AS l WHERE l.payload::text ~ 'eyJ' OR position(tap.secret() IN l.payload::text) > 0$$, 'no token is in it, and no secret');

-- Keys: who adds them, and which.
SELECT results_eq(
    format($$SELECT k.algorithm, k.public_key, k.secret_encrypted LIKE 'cv1:%%' FROM auth.jwt_keys AS k WHERE k.id = %L$$, :'shared_key'),
    $$VALUES ('HS256', NULL::text, true)$$, 'a shared secret is stored encrypted');
SELECT is_empty($$SELECT FROM auth.jwt_keys AS k WHERE position(tap.secret() IN to_jsonb(k)::text) > 0$$, 'and nowhere else');
CALL tap.act(login => 'tap_service');
SELECT throws_ok(
    format('SELECT auth.add_jwt_key(%L, %L, %L, %L, %L, %L, %L, %L)', k.issuer, k.algorithm, k.key, k.key_id, k.audience, k.org_claim, k.subject, k.is_base64),
    'VC028', NULL, 'a key is refused: ' || k.problem)
FROM (VALUES
    ('no issuer', NULL, 'HS256', tap.secret(), NULL, NULL, 'org_id', 'id', false),
    ('an empty issuer', '', 'HS256', tap.secret(), NULL, NULL, 'org_id', 'id', false),
    ('a long issuer', repeat('x', 1001), 'HS256', tap.secret(), NULL, NULL, 'org_id', 'id', false),
    ('no algorithm', 'x', NULL, tap.secret(), NULL, NULL, 'org_id', 'id', false),
    ('alg none', 'x', 'none', tap.secret(), NULL, NULL, 'org_id', 'id', false),
    ('alg ES256', 'x', 'ES256', tap.secret(), NULL, NULL, 'org_id', 'id', false),
    ('no key', 'x', 'HS256', NULL, NULL, NULL, 'org_id', 'id', false),
    ('a short secret', 'x', 'HS256', repeat('x', 31), NULL, NULL, 'org_id', 'id', false),
    ('a secret that is a public key', 'x', 'HS256', '-----BEGIN PUBLIC KEY----- and so on, and so on', NULL, NULL, 'org_id', 'id', false),
    ('a short secret in Base64', 'x', 'HS256', encode(repeat('x', 31)::bytea, 'base64'), NULL, NULL, 'org_id', 'id', true),
    ('a secret that is not in Base64', 'x', 'HS256', tap.secret(), NULL, NULL, 'org_id', 'id', true),
    ('a secret as a public key', 'x', 'RS256', tap.secret(), NULL, NULL, 'org_id', 'id', false),
    ('a private key', 'x', 'EdDSA', '-----BEGIN PRIVATE KEY-----', NULL, NULL, 'org_id', 'id', false),
    ('a key of another algorithm', 'x', 'RS256', E'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA3ICEsbZwEghMbLBtH21dCF7VqfqHDn/RVmpbhizoZlw=\n-----END PUBLIC KEY-----', NULL, NULL, 'org_id', 'id', false),
    ('an empty key id', 'x', 'HS256', tap.secret(), '', NULL, 'org_id', 'id', false),
    ('an empty audience', 'x', 'HS256', tap.secret(), NULL, '', 'org_id', 'id', false),
    ('no claim for the organization', 'x', 'HS256', tap.secret(), NULL, NULL, NULL, 'id', false),
    ('another subject', 'x', 'HS256', tap.secret(), NULL, NULL, 'org_id', 'email', false)
) AS k (problem, issuer, algorithm, key, key_id, audience, org_claim, subject, is_base64);
SELECT throws_ok(
    $$SELECT auth.add_jwt_key('https://shared.test/', 'HS256', tap.secret())$$, '23505', NULL, 'an issuer has one key of a name');
SELECT lives_ok(
    $$SELECT auth.add_jwt_key('x', 'HS256', translate(encode(convert_to('a secret ?>?>?> with all letters', 'UTF8'), 'base64'), '+/=', '-_'), key_is_base64 => true)$$,
    'a secret may be in the Base64 of URLs');
SELECT throws_like(
    $$SELECT auth.add_jwt_key('y', 'HS256', 'swordfish')$$, '%at least 32 bytes%', 'the error says what is wrong');
SELECT is_empty($$SELECT FROM auth.list_jwt_keys() AS k WHERE position(tap.secret() IN k::text) > 0$$, 'the list shows no secret');
SELECT is((SELECT count(*) FROM auth.list_jwt_keys()), 5::bigint, 'and every key');
CALL tap.act('owner', 'a', 'tap_service');
SELECT throws_ok($$SELECT auth.add_jwt_key('z', 'HS256', tap.secret())$$, 'VC014', NULL, 'the service adds none while it acts for a tenant');
CALL tap.act(login => 'tap_admin');
SELECT throws_ok($$SELECT auth.add_jwt_key('z', 'HS256', tap.secret())$$, '42501', NULL, 'an administrator adds none: it would make them everybody');
SELECT ok(auth.remove_jwt_key(:'auth0_key'), 'but removes one');
SELECT ok(NOT auth.remove_jwt_key(:'auth0_key'), 'once');
CALL tap.act('owner', 'a');
SELECT throws_ok($$SELECT auth.add_jwt_key('z', 'HS256', tap.secret())$$, '42501', NULL, 'a tenant adds none');
SELECT throws_ok($$SELECT * FROM auth.list_jwt_keys()$$, '42501', NULL, 'nor sees any');
SELECT throws_ok($$SELECT * FROM auth.jwt_keys$$, '42501', NULL, 'in the table neither');

-- Without the key file the shared secret is of no use to anybody, and public keys still are.
RESET SESSION AUTHORIZATION;
SET LOCAL codeverify.encryption_key_file = '';
CALL tap.act();
SELECT throws_ok(format('SELECT tap.status(%L)', tap.token()), 'VC024', NULL, 'without the file of keys no shared secret is read');
SELECT is(tap.status(tap.rsa_token()), 'no_membership', 'public keys need none');

RESET SESSION AUTHORIZATION;
SELECT tap.remove_key_file() \g /dev/null
SELECT * FROM finish();
ROLLBACK;
