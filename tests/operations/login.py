#!/usr/bin/env python3
"""Users who register, log in and change passwords at the same time: a flood takes no more memory than the settings allow,
of two who register one address one does, a changed password lets nobody in, and what failed is told after a rollback."""

import hashlib
import threading
import time
import unittest

import ledger_support as support
import psycopg

DATABASE = "cv_login"
PASSWORD = "correct horse"
SLOTS = "SELECT count(*) FILTER (WHERE granted), count(*) FROM pg_locks WHERE locktype = 'userlock' AND database = 0"


class InBackground:
    """A query in a session of its own. result() waits for its first value, or raises what it raised."""

    def __init__(self, connection, statement, *parameters):
        self.value, self.error = None, None
        self.thread = threading.Thread(target=self.run, args=(connection, statement, parameters))
        self.thread.start()

    def run(self, connection, statement, parameters):
        try:
            self.value = support.value(connection, statement, *parameters)
        except psycopg.Error as error:
            self.error = error

    def result(self):
        self.thread.join(60)
        if self.thread.is_alive():
            raise TimeoutError("the query is still running")
        if self.error is not None:
            raise self.error
        return self.value


class Login(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.numbers = iter(range(1_000_000))

    def setUp(self):
        self.observer = self.connect()

    def connect(self, **settings):
        """A session of the service."""
        connection = support.connect(DATABASE)
        self.addCleanup(connection.close)
        for name, value in settings.items():
            connection.execute("SELECT set_config('codeverify.' || %s, %s, false)", (name, value))
        connection.execute("SET ROLE codeverify_service")
        return connection

    def new_user(self):
        """A verified user: address and id."""
        email = f"user{next(self.numbers)}@example.org"
        answer = self.register(self.observer, email)
        self.assertEqual(answer["status"], "ok")
        verified = support.value(self.observer, "SELECT auth.verify_email(%s)", answer["verification_token"])
        self.assertEqual(verified["status"], "ok")
        return email, answer["user_id"]

    @staticmethod
    def register(connection, email):
        return support.value(connection, "SELECT auth.register_user(%s, %s)", email, PASSWORD)

    @staticmethod
    def login(connection, email, password=PASSWORD):
        return support.value(connection, "SELECT auth.login(%s, %s)", email, password)

    def wait_until(self, what, statement, *parameters, seconds=20):
        """Waits until a superuser finds the statement true."""
        with support.connect(DATABASE) as connection:
            end = time.monotonic() + seconds
            while not support.value(connection, statement, *parameters):
                self.assertLess(time.monotonic(), end, what)
                time.sleep(0.02)

    def wait_until_it_waits(self, connection):
        self.wait_until(
            "the session waits for another",
            "SELECT cardinality(pg_blocking_pids(%s)) > 0", connection.info.backend_pid)

    def test_a_flood_takes_turns(self):
        for slots, clients in ((2, 12), (4, 40)):
            with self.subTest(slots=slots):
                sessions = [self.connect(max_concurrent_hashes=str(slots)) for _ in range(clients)]
                most_granted, most = 0, 0
                # Again, should a busy machine not have looked while all of them were taken.
                for _ in range(5):
                    flood = [
                        InBackground(session, "SELECT auth.login(%s, %s) ->> 'status'", f"nobody{next(self.numbers)}@example.org", PASSWORD)
                        for session in sessions]
                    while any(query.thread.is_alive() for query in flood):
                        granted, known = self.observer.execute(SLOTS).fetchone()
                        most_granted, most = max(most_granted, granted), max(most, known)
                        time.sleep(0.005)
                    statuses = [query.result() for query in flood]
                    if most_granted >= slots:
                        break
                # Without preloading, an attempt that no background worker is free to count is not heard.
                self.assertLessEqual(set(statuses), {"invalid_credentials", "locked"})
                self.assertGreaterEqual(statuses.count("invalid_credentials"), clients // 2, statuses)
                self.assertLessEqual(most_granted, slots)
                self.assertEqual(most_granted, slots, "all of the slots were in use")
                self.assertEqual(self.observer.execute(SLOTS).fetchone(), (0, 0), "none is left behind")
                print(f"{clients} log-ins, {slots} slots: at most {most_granted} hash at once, {most - most_granted} wait", flush=True)

    def test_the_wait_for_a_slot_can_be_cancelled(self):
        costly = {"max_concurrent_hashes": "1", "argon2_memory": "128MB", "argon2_iterations": "16"}
        busy = self.connect(**costly)
        waiting = self.connect(**costly)
        hashing = InBackground(busy, "SELECT auth.register_user(%s, %s)", f"user{next(self.numbers)}@example.org", PASSWORD)
        self.wait_until("a slot is taken", "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'userlock' AND database = 0")
        waiting.execute("SET statement_timeout = '50ms'")
        with self.assertRaises(psycopg.errors.QueryCanceled):
            self.register(waiting, f"user{next(self.numbers)}@example.org")
        self.assertTrue(hashing.thread.is_alive(), "the other is still at work")
        self.assertEqual(hashing.result()["status"], "ok")
        self.assertEqual(self.observer.execute(SLOTS).fetchone(), (0, 0))
        waiting.execute("SET statement_timeout = 0")
        self.assertEqual(self.register(waiting, f"user{next(self.numbers)}@example.org")["status"], "ok", "then it goes on")

    def test_two_register_one_address(self):
        for ending, expected in (("COMMIT", "email_taken"), ("ROLLBACK", "ok")):
            with self.subTest(ending):
                email = f"user{next(self.numbers)}@example.org"
                first, second = self.connect(), self.connect()
                first.execute("BEGIN")
                self.assertEqual(self.register(first, email)["status"], "ok")
                other = InBackground(second, "SELECT auth.register_user(%s, %s)", email.upper(), PASSWORD)
                self.wait_until_it_waits(second)
                first.execute(ending)
                self.assertEqual(other.result()["status"], expected)

    def test_two_link_one_identity(self):
        users = [self.new_user()[1] for _ in range(2)]
        github_id = 9_000_000 + next(self.numbers)
        first, second = self.connect(), self.connect()
        statement = "SELECT auth.link_identity(%s, %s) ->> 'status'"
        first.execute("BEGIN")
        self.assertEqual(support.value(first, statement, users[0], github_id), "ok")
        other = InBackground(second, statement, users[1], github_id)
        self.wait_until_it_waits(second)
        first.execute("COMMIT")
        self.assertEqual(other.result(), "identity_taken")

    def test_a_changed_password_lets_nobody_in(self):
        email, user_id = self.new_user()
        change = "SELECT auth.change_password(%s, %s, %s)"
        first, second = self.connect(), self.connect()

        first.execute("BEGIN")
        session = self.login(first, email)
        self.assertEqual(session["status"], "ok")
        changing = InBackground(second, change, user_id, PASSWORD, "battery staple")
        self.wait_until_it_waits(second)
        first.execute("COMMIT")
        self.assertEqual(changing.result(), {"status": "ok", "sessions_revoked": 1}, "a session that began just before ends")
        self.assertNotEqual(
            support.value(first, "SELECT auth.authenticate_session(%s) ->> 'status'", session["session_token"]), "ok")

        first.execute("BEGIN")
        self.assertEqual(support.value(first, change, user_id, "battery staple", PASSWORD)["status"], "ok")
        logging_in = InBackground(second, "SELECT auth.login(%s, %s)", email, "battery staple")
        self.wait_until_it_waits(second)
        first.execute("COMMIT")
        self.assertEqual(logging_in.result()["status"], "invalid_credentials", "none begins just after")

    def test_one_token_verifies_once(self):
        email = f"user{next(self.numbers)}@example.org"
        token = self.register(self.observer, email)["verification_token"]
        first, second = self.connect(), self.connect()
        statement = "SELECT auth.verify_email(%s) ->> 'status'"
        first.execute("BEGIN")
        self.assertEqual(support.value(first, statement, token), "ok")
        other = InBackground(second, statement, token)
        self.wait_until_it_waits(second)
        first.execute("COMMIT")
        self.assertEqual(other.result(), "used")

    def test_what_failed_is_told_after_a_rollback(self):
        email, user_id = self.new_user()
        stranger = f"stranger{next(self.numbers)}@example.org"
        mistyped = "my secret, in the wrong field"
        client = self.connect()
        client.execute("BEGIN")
        for address in (email, stranger, mistyped):
            self.assertEqual(self.login(client, address, "wrong horse"), {"status": "invalid_credentials"})
        client.execute("ROLLBACK")
        told = """
            SELECT count(*) = 1
            FROM auth.audit_logs AS l
            JOIN audits.audit_log AS e ON e.action = l.action AND e.payload = l.details
            WHERE l.action = 'login.failed' AND l.status = 'failure' AND l.user_id IS NOT DISTINCT FROM %s::uuid
              AND l.details - 'at' = %s"""
        digest = hashlib.sha256(stranger.encode()).hexdigest()
        for user, details in (
                (user_id, {"reason": "wrong_password"}),
                (None, {"reason": "unknown_user", "email_sha256": digest}),
                (None, {"reason": "unknown_user"})):
            self.wait_until(f"{details} is told", told, user, support.Jsonb(details))
        with support.connect(DATABASE) as connection:
            for text in (stranger, mistyped, "wrong horse", PASSWORD):
                for table in ("auth.audit_logs", "audits.audit_log"):
                    self.assertEqual(
                        support.value(connection, f"SELECT count(*) FROM {table} AS t WHERE to_jsonb(t)::text LIKE %s", f"%{text}%"),
                        0, f"{text!r} in {table}")

    def test_tenants_with_open_transactions_keep_nobody_out(self):
        """What users do outside of an organization is told in the platform's ledger, of which tenants have half."""
        refreshes = []
        for _ in range(2):
            email, _ = self.new_user()
            tenant = self.connect(ledger_lanes="2")
            refreshes.append((tenant, self.login(tenant, email)["refresh_token"]))
            tenant.execute("SET ROLE codeverify_tenant")
        (first, token), (second, other_token) = refreshes
        first.execute("BEGIN")
        self.assertEqual(support.value(first, "SELECT auth.refresh_session(%s) ->> 'status'", token), "ok")
        second.execute("SET lock_timeout = '500ms'")
        second.execute("BEGIN")
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            second.execute("SELECT auth.refresh_session(%s)", (other_token,))
        second.execute("ROLLBACK")
        service = self.connect(ledger_lanes="2")
        service.execute("SET lock_timeout = '20s'")
        self.assertEqual(self.register(service, f"late{next(self.numbers)}@example.org")["status"], "ok")


if __name__ == "__main__":
    unittest.main(verbosity=2)
