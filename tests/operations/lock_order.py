#!/usr/bin/env python3
"""Who authenticates and goes on working meets who deletes the user, the organization or the service behind the key or
session: one waits for the other, and neither fails with a deadlock. So do uninstall() and the processes that write
behind. Maintenance goes on beside those who bring entries to the ledger."""

import hashlib
import random
import threading
import time
import unittest

import ledger_support as support
import psycopg

DATABASE = "cv_lock_order"
TENANT = "cv_lock_order_tenant"


class Deletion:
    """A statement of another session, which has to wait."""

    def __init__(self, statement, *parameters):
        self.error = None
        self.connection = support.connect(DATABASE, options="-c statement_timeout=10s")
        self.thread = threading.Thread(target=self.run, args=(statement, parameters))
        self.thread.start()

    def run(self, statement, parameters):
        try:
            self.connection.execute(statement, parameters)
        except psycopg.Error as error:
            self.error = error

    def wait_until_blocked(self, superuser):
        deadline = time.monotonic() + 20
        while not support.value(superuser, "SELECT cardinality(pg_blocking_pids(%s)) > 0", self.connection.info.backend_pid):
            if time.monotonic() > deadline or not self.thread.is_alive():
                raise AssertionError("nothing is in the way of the deletion")
            time.sleep(0.01)

    def end(self):
        self.thread.join()
        self.connection.close()
        return self.error


class LockOrder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_login, TENANT)
        cls.addClassCleanup(support.drop_database, DATABASE)
        with support.connect(DATABASE) as connection:
            connection.execute(f"DROP ROLE IF EXISTS {TENANT}")
            connection.execute(f"CREATE ROLE {TENANT} LOGIN IN ROLE codeverify_tenant")

    def setUp(self):
        self.superuser = support.connect(DATABASE)
        self.addCleanup(self.superuser.close)
        # As without preloading, where the use of a key is stamped in the caller's own transaction.
        self.client = support.connect(DATABASE, options="-c codeverify.own_transactions=off -c statement_timeout=10s")
        self.addCleanup(self.client.close)
        self.client.execute(f"SET ROLE {TENANT}")
        self.user_id = support.value(
            self.superuser, "INSERT INTO auth.users (username) VALUES (gen_random_uuid()::text) RETURNING id")
        self.org_id = support.value(
            self.superuser, "SELECT tenancy.create_organization('Locks', owner_id => %s)", self.user_id)
        # Nobody's departure is refused because nobody would be left who owns the organization.
        other = support.value(
            self.superuser, "INSERT INTO auth.users (username) VALUES (gen_random_uuid()::text) RETURNING id")
        self.superuser.execute(
            "INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (%s, %s, 'owner')", (self.org_id, other))
        self.service_id = support.value(
            self.superuser, "INSERT INTO tenancy.services (org_id, name) VALUES (%s, 'api') RETURNING id", self.org_id)
        with self.superuser.transaction():
            self.superuser.execute("SELECT tenancy.assume(%s, %s)", (self.org_id, self.user_id))
            self.key_id, self.key = self.superuser.execute(
                "SELECT * FROM auth.create_api_key(%s, 'key', '[\"admin\"]', service_id => %s)",
                (self.org_id, self.service_id)).fetchone()
        self.token = support.well_formed("cv_session_", random.SystemRandom())
        self.superuser.execute(
            """
            INSERT INTO auth.sessions (
                user_id, login_org_id, session_token_hash, session_token_expires_at, expires_at, absolute_expires_at,
                last_used)
            VALUES (%s, %s, %s, now() + interval '15 minutes', now() + interval '1 day', now() + interval '9 days',
                now() - interval '2 minutes')
            """,
            (self.user_id, self.org_id, hashlib.sha256(self.token.encode()).hexdigest()))

    def authenticate(self, kind):
        self.client.execute("BEGIN")
        function, secret = {
            "key": ("auth.authenticate_api_key", self.key), "session": ("auth.authenticate_session", self.token)}[kind]
        self.assertEqual(support.value(self.client, f"SELECT {function}(%s) ->> 'status'", secret), "ok")

    def go_on(self):
        """What needs rows of the user, the organization and the service: a key refers to all three."""
        return support.fails(
            self.client, "SELECT auth.create_api_key(%s, 'child', '[\"read\"]', service_id => %s)",
            self.org_id, self.service_id)

    def test_who_authenticates_first_goes_first(self):
        for kind in ("key", "session"):
            for what, statement, value in (
                    ("user", "DELETE FROM auth.users WHERE id = %s", "user_id"),
                    ("organization", "DELETE FROM tenancy.organizations WHERE id = %s", "org_id"),
                    ("service", "DELETE FROM tenancy.services WHERE id = %s", "service_id")):
                if (kind, what) == ("session", "service"):
                    continue
                with self.subTest(f"{kind}, {what}"):
                    self.setUp()
                    self.authenticate(kind)
                    deletion = Deletion(statement, getattr(self, value))
                    deletion.wait_until_blocked(self.superuser)
                    self.assertIsNone(self.go_on())
                    self.client.execute("COMMIT")
                    self.assertIsNone(deletion.end())
                    left = support.value(
                        self.superuser, "SELECT count(*) FROM auth.api_keys WHERE org_id = %s AND revoked_at IS NULL",
                        self.org_id)
                    # A user's session has made a key of the user's, a key a child: none outlives what it depends on.
                    self.assertEqual(left, 0)

    def test_nobody_waits_for_who_deletes(self):
        """Authentication stamps nothing then, and the deletion finds nobody in its way."""
        for kind in ("key", "session"):
            for statement, value in (
                    ("DELETE FROM auth.users WHERE id = %s", "user_id"),
                    ("DELETE FROM tenancy.organizations WHERE id = %s", "org_id")):
                with self.subTest(f"{kind}, {value}"):
                    self.setUp()
                    with support.connect(DATABASE, options="-c statement_timeout=10s") as other:
                        other.execute("BEGIN")
                        other.execute(
                            f"SELECT FROM {statement.split()[2]} WHERE id = %s FOR UPDATE", (getattr(self, value),))
                        self.authenticate(kind)
                        other.execute(statement, (getattr(self, value),))
                        other.execute("COMMIT")
                    self.client.execute("COMMIT")

    def test_maintenance_runs_while_entries_are_brought(self):
        """Those who bring entries wait for each other, and for nobody else."""
        self.client.execute("RESET ROLE")
        self.client.execute("BEGIN")
        entry_id = support.value(self.client, "SELECT audits.append('lock', 'lock.tried', '{}')")
        entry = support.value(self.client, "SELECT e::text FROM audits.audit_log AS e WHERE e.id = %s", entry_id)
        self.client.execute("ROLLBACK")
        self.client.execute("BEGIN")
        self.client.execute(
            "INSERT INTO audits.audit_log SELECT (e.entry).* FROM (SELECT %s::audits.audit_log AS entry) AS e", (entry,))
        rows = self.superuser.execute("SELECT action FROM codeverify.maintain('observability.logs')").fetchall()
        self.client.execute("ROLLBACK")
        self.assertNotIn(("skipped",), rows)


if __name__ == "__main__":
    unittest.main()
