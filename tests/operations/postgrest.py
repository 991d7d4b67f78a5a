#!/usr/bin/env python3
"""What PostgREST does with a request: a login of its own, one transaction for each request, the role and the headers as
settings of that transaction, the function of db-pre-request, the query. PostgREST itself is in no Debian package, so
this speaks to the database as it does (its documentation, "Transactions" and "Pre-Request"), through one connection."""

import base64
import hashlib
import hmac
import json
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import ledger_support as support

import psycopg

DATABASE = "cv_postgrest"
AUTHENTICATOR = "cv_authenticator"
WEB = "cv_web"
ISSUER = "https://login.example.org/"
SECRET = "a secret that the issuer shares with the database"


def base64url(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def sign(claims, algorithm="HS256", secret=SECRET):
    header = base64url(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signed = f"{header}.{base64url(json.dumps(claims).encode())}"
    return f"{signed}.{base64url(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


class Requests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_logins)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.tenants = support.create_tenants(DATABASE, 2)
        cls.superuser = support.connect(DATABASE)
        cls.addClassCleanup(cls.superuser.close)
        for role in (AUTHENTICATOR, WEB):
            support.drop_login(role)
        cls.superuser.execute(f"CREATE ROLE {WEB} NOLOGIN IN ROLE codeverify_tenant")
        cls.superuser.execute(f"CREATE ROLE {AUTHENTICATOR} LOGIN NOINHERIT IN ROLE {WEB}")
        for role in (WEB, AUTHENTICATOR):
            cls.addClassCleanup(support.drop_login, role)
        cls.make_key_file()
        cls.superuser.execute("SELECT auth.add_jwt_key(%s, 'HS256', %s, audience => 'codeverify')", (ISSUER, SECRET))
        for tenant in cls.tenants:
            cls.superuser.execute("INSERT INTO tenancy.services (org_id, name) VALUES (%s, 'api')", (tenant.org_id,))
        cls.connection = support.connect(DATABASE, user=AUTHENTICATOR)
        cls.addClassCleanup(cls.connection.close)

    @classmethod
    def make_key_file(cls):
        """The file belongs to the server's OS user, which alone may read it."""
        directory = tempfile.mkdtemp(prefix="cv-postgrest-")
        cls.addClassCleanup(subprocess.run, ["rm", "-rf", directory], check=True)
        path = Path(directory) / "encryption.key"
        path.write_text(support.value(cls.superuser, "SELECT codeverify.create_encryption_key()") + "\n")
        path.chmod(0o600)
        owner = Path(support.value(cls.superuser, "SHOW data_directory")).owner()
        if owner != Path(directory).owner():
            subprocess.run(["chown", "-R", owner, directory], check=True)
        cls.superuser.execute(f"ALTER DATABASE {DATABASE} SET codeverify.encryption_key_file = '{path}'")
        cls.superuser.execute(f"SET codeverify.encryption_key_file = '{path}'")

    def add_viewer(self, org_id, user_id):
        self.superuser.execute("INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (%s, %s, 'viewer')", (org_id, user_id))

    def remove_member(self, org_id, user_id):
        self.superuser.execute("DELETE FROM tenancy.org_memberships WHERE org_id = %s AND user_id = %s", (org_id, user_id))

    def token(self, number=0, **claims):
        tenant = self.tenants[number]
        return sign({
            "iss": ISSUER, "aud": "codeverify", "sub": str(tenant.owner_id), "org_id": str(tenant.org_id), "role": WEB,
            "exp": time.time() + 300} | claims)

    def request(self, query, token=None, method="GET", role=WEB, claims=None, **headers):
        """One request: its rows, or the status that PostgREST answers an SQLSTATE PTxxx with."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        mode = "READ ONLY" if method == "GET" else "READ WRITE"
        self.connection.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED {mode}")
        try:
            self.connection.execute(
                """
                    SELECT set_config('search_path', 'tenancy', true), set_config('role', %s, true),
                           set_config('request.jwt.claims', %s, true), set_config('request.method', %s, true),
                           set_config('request.headers', %s, true)
                """, (role, json.dumps({"role": role} | (claims or {})), method, json.dumps(headers)))
            self.connection.execute("SELECT tenancy.from_jwt_claims()")
            rows = self.connection.execute(query).fetchall()
            self.connection.execute("COMMIT")
            return rows
        except psycopg.Error as error:
            self.connection.execute("ROLLBACK")
            if error.sqlstate.startswith("PT"):
                return int(error.sqlstate[2:])
            raise

    def organizations(self, *arguments, **keywords):
        answer = self.request("SELECT org_id FROM tenancy.services", *arguments, **keywords)
        return answer if isinstance(answer, int) else [row[0] for row in answer]

    # ---- who sees what

    def test_each_user_sees_their_organization(self):
        for _ in range(3):
            for number, tenant in enumerate(self.tenants):
                self.assertEqual(self.organizations(self.token(number)), [tenant.org_id])
                self.assertEqual(self.organizations(), [], "the next request has no token")

    def test_writing_takes_a_token(self):
        insert = "INSERT INTO tenancy.environments (name) VALUES ('staging') RETURNING org_id"
        self.assertEqual(self.request(insert, self.token(1), "POST"), [(self.tenants[1].org_id,)])
        with self.assertRaises(psycopg.errors.InsufficientPrivilege):
            self.request(insert, method="POST")
        with self.assertRaises(psycopg.errors.ReadOnlySqlTransaction):
            self.request(insert, self.token(0))

    def test_the_role_is_the_memberships(self):
        viewer = support.value(self.superuser, "INSERT INTO auth.users (username) VALUES ('viewer') RETURNING id")
        self.add_viewer(self.tenants[0].org_id, viewer)
        token = self.token(sub=str(viewer), member_role="owner")
        self.assertEqual(self.request("SELECT tenancy.\"current_role\"()", token), [("viewer",)])
        self.remove_member(self.tenants[0].org_id, viewer)
        self.assertEqual(self.organizations(token), 403)

    def test_an_organization_may_be_named_beside_the_token(self):
        ours, theirs = self.tenants
        token = self.token(org_id=None)
        self.assertEqual(self.organizations(token), [ours.org_id], "the only one")
        self.add_viewer(theirs.org_id, ours.owner_id)
        self.assertEqual(self.organizations(token), 403, "there are two")
        for tenant in self.tenants:
            self.assertEqual(self.organizations(token, **{"x-organization-id": str(tenant.org_id)}), [tenant.org_id])
        self.assertEqual(self.organizations(self.token(), **{"x-organization-id": str(theirs.org_id)}), 403, "the token names another")
        self.remove_member(theirs.org_id, ours.owner_id)
        self.assertEqual(self.organizations(token, **{"x-organization-id": str(theirs.org_id)}), 403)

    # ---- who does not

    def test_a_wrong_token_ends_the_request(self):
        for method in ("GET", "POST"):
            for token in ("garbage", "", self.token() + "x", self.token(aud="others"), self.token(exp=time.time() - 100),
                          self.token(iss="https://evil.example/"), self.token(nbf=time.time() + 3600),
                          sign({"iss": ISSUER}, secret="another secret that nobody shares"), sign({"iss": ISSUER}, "none")):
                self.assertEqual(self.organizations(token, method=method), 401, token)
        self.assertEqual(self.organizations(self.token(sub="nobody")), 403)

    def test_claims_without_their_token_are_nobodys(self):
        """What PostgREST has verified, anybody who can set a setting has too."""
        claims = {"iss": ISSUER, "sub": str(self.tenants[0].owner_id), "org_id": str(self.tenants[0].org_id)}
        self.assertEqual(self.organizations(claims=claims), [])

    def test_the_login_itself_sees_nothing(self):
        with self.assertRaises(psycopg.errors.InsufficientPrivilege):
            self.connection.execute("SELECT FROM tenancy.services")

    def test_a_failure_is_told_though_the_request_is_rolled_back(self):
        before = self.refusals()
        self.assertEqual(self.organizations(self.token(1, aud="yet others"), method="POST"), 401)
        deadline = time.monotonic() + 20
        while self.refusals() == before and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(self.refusals(), before + 1)

    def refusals(self):
        return support.value(
            self.superuser,
            "SELECT count(*) FROM audits.audit_log WHERE action = 'web_token.refused' AND payload ->> 'reason' = 'invalid'")

    def test_a_success_is_told_once_a_minute(self):
        accepted = "SELECT count(*) FROM audits.audit_log WHERE action = 'web_token.accepted' AND actor_id = %s"
        owner_id = self.tenants[1].owner_id
        for _ in range(5):
            self.organizations(self.token(1), method="POST")
        self.assertEqual(support.value(self.superuser, accepted, owner_id), 1)


if __name__ == "__main__":
    unittest.main()
