#!/usr/bin/env python3
"""Deliveries that come in several times at once, while their installation is claimed, and while the server is killed: at
each isolation level every one is handled once."""

import hashlib
import hmac
import json
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import ledger_support as support

import psycopg

DATABASE = "cv_deliveries"
SECRET = "a secret that GitHub shares with us"
OWN_SECRET = "a secret that GitHub shares with the organization"
SESSIONS = 16
PAYLOADS = support.ROOT / "tests" / "data" / "github_webhooks"
PULL_REQUEST = json.loads((PAYLOADS / "pull_request.opened.json").read_text())
PUSH = json.loads((PAYLOADS / "push.json").read_text())
RECEIVE = "SELECT integrations.receive_delivery('github', %s, %s, %s, %s)"


def delivery(identifier, event, payload, secret=SECRET):
    """What a front end passes on."""
    body = json.dumps(payload).encode()
    signature = hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    return identifier, event, body, f"sha256={signature}"


def pull_request(number, digit):
    changed = json.loads(json.dumps(PULL_REQUEST))
    changed["pull_request"]["number"] = number
    changed["pull_request"]["head"]["sha"] = digit * 40
    return changed


def push(number):
    """Of one commit, which no other push has."""
    return {**PUSH, "installation": {"id": 1}, "commits": [
        {"id": f"{number:040x}", "message": f"Change {number}", "timestamp": "2026-01-01T00:00:00Z"}]}


class Deliveries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster("deliveries")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create()
        support.create_database(DATABASE)
        owner, data = cls.cluster.owner_and_data()
        key_file = f"{data}/encryption_keys"
        with support.connect(DATABASE) as connection:
            line = support.value(connection, "SELECT codeverify.create_encryption_key()")
            connection.execute(f"COPY (SELECT '{line}') TO PROGRAM 'umask 077; cat > {key_file}'")
            connection.execute(f"ALTER DATABASE {DATABASE} SET codeverify.encryption_key_file = '{key_file}'")
        with support.connect(DATABASE) as connection:
            connection.execute("CREATE ROLE delivery_service LOGIN IN ROLE codeverify_service")
            connection.execute("SELECT integrations.set_inbound_secret('github', %s)", (SECRET,))
            cls.org_id = support.value(connection, "SELECT tenancy.create_organization('Codertocat')")
            connection.execute("SELECT scm.claim_installation(1, %s)", (cls.org_id,))

    def query(self, statement, *parameters):
        with support.connect(DATABASE) as connection:
            return support.value(connection, statement, *parameters)

    def receive(self, deliveries, isolation):
        """A session for each, which begin at the same time and try again what could not be serialized."""
        start = threading.Barrier(len(deliveries))

        def session(arguments):
            with support.connect(DATABASE) as connection:
                connection.execute(f"SET default_transaction_isolation = '{isolation}'")
                # Above READ COMMITTED the snapshot is older than what the others do.
                connection.execute("BEGIN")
                support.value(connection, "SELECT count(*) FROM scm.repositories")
                start.wait()
                while True:
                    try:
                        answer = support.value(connection, RECEIVE, *arguments)
                        connection.execute("COMMIT")
                        return answer["status"]
                    except psycopg.errors.SerializationFailure:
                        connection.execute("ROLLBACK")
                        connection.execute("BEGIN")

        with ThreadPoolExecutor(len(deliveries)) as pool:
            return sorted(pool.map(session, deliveries))

    def of_pull_request(self, number):
        """Its analyses and events."""
        return (
            self.query("SELECT count(*) FROM analysis.analyses WHERE pr_number = %s", number),
            self.query("SELECT count(*) FROM telemetry.code_events WHERE metadata ->> 'number' = %s", str(number)))

    def test_copies_of_one(self):
        for number, isolation in enumerate(support.ISOLATION_LEVELS, start=100):
            with self.subTest(isolation):
                copies = [delivery(f"copy {number}", "pull_request", pull_request(number, "a"))] * SESSIONS
                self.assertEqual(self.receive(copies, isolation), ["accepted"] + ["duplicate"] * (SESSIONS - 1))
                self.assertEqual(self.of_pull_request(number), (1, 1))

    def test_several_that_name_one_head(self):
        for number, isolation in enumerate(support.ISOLATION_LEVELS, start=200):
            with self.subTest(isolation):
                several = [
                    delivery(f"head {number} {session}", "pull_request", pull_request(number, "b"))
                    for session in range(SESSIONS)]
                self.assertEqual(self.receive(several, isolation), ["accepted"] * SESSIONS)
                self.assertEqual(self.of_pull_request(number), (1, 1))

    def test_the_second_waits_for_what_becomes_of_the_first(self):
        for number, (end, status) in enumerate([("COMMIT", "duplicate"), ("ROLLBACK", "accepted")], start=300):
            with self.subTest(end), support.connect(DATABASE) as first, support.connect(DATABASE) as second:
                arguments = delivery(f"wait {number}", "pull_request", pull_request(number, "c"))
                first.execute("BEGIN")
                self.assertEqual(support.value(first, RECEIVE, *arguments)["status"], "accepted")
                with ThreadPoolExecutor(1) as pool:
                    answer = pool.submit(support.value, second, RECEIVE, *arguments)
                    while not self.query(
                            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock')",
                            second.info.backend_pid):
                        self.assertFalse(answer.done())
                        time.sleep(0.01)
                    first.execute(end)
                    self.assertEqual(answer.result()["status"], status)
                self.assertEqual(self.of_pull_request(number), (1, 1))

    def test_two_webhooks_of_one_event(self):
        """The App's and the organization's own come at once, under one identifier and with other bodies."""
        with support.connect(DATABASE) as first, support.connect(DATABASE) as second:
            support.value(first, RECEIVE, *delivery("the repository comes in", "push", push(400)))
            support.value(first, "SELECT integrations.set_inbound_secret('github', %s, %s)", OWN_SECRET, self.org_id)
            first.execute("BEGIN")
            own = pull_request(401, "d")
            del own["installation"]
            answer = support.value(first, RECEIVE, *delivery("of both", "pull_request", own, OWN_SECRET))
            self.assertEqual(answer["outcome"], "handled")
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(support.value, second, RECEIVE, *delivery("of both", "pull_request", pull_request(401, "d")))
                while not self.query(
                        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock')",
                        second.info.backend_pid):
                    self.assertFalse(answer.done())
                    time.sleep(0.01)
                first.execute("COMMIT")
                self.assertEqual((answer.result()["status"], answer.result()["outcome"]), ("accepted", "ignored"))
            self.assertEqual(self.of_pull_request(401), (1, 1))

    def test_a_claim_among_deliveries(self):
        """What comes before, during and after the claim is all handled."""
        for installation, isolation in enumerate(support.ISOLATION_LEVELS, start=1000):
            with self.subTest(isolation):
                start = threading.Barrier(SESSIONS + 1)

                def deliver(session):
                    with support.connect(DATABASE, user="delivery_service") as connection:
                        connection.execute(f"SET default_transaction_isolation = '{isolation}'")
                        start.wait()
                        for turn in range(5):
                            number = installation * 1000 + session * 10 + turn
                            arguments = delivery(f"claim {number}", "installation_repositories", {
                                "action": "added", "installation": {"id": installation}, "repositories_removed": [],
                                "repositories_added": [{"id": number, "name": "r", "full_name": f"c/r{number}", "private": False}]})
                            self.until_serialized(connection, RECEIVE, *arguments)

                def claim():
                    with support.connect(DATABASE, user="delivery_service") as connection:
                        connection.execute(f"SET default_transaction_isolation = '{isolation}'")
                        start.wait()
                        self.until_serialized(connection, "SELECT scm.claim_installation(%s, %s)", installation, self.org_id)

                with ThreadPoolExecutor(SESSIONS + 1) as pool:
                    work = [pool.submit(deliver, session) for session in range(SESSIONS)] + [pool.submit(claim)]
                    for one in work:
                        one.result()
                # One whose snapshot was older than the claim waits for the next of its installation.
                self.query("SELECT scm.claim_installation(%s, %s)", installation, self.org_id)
                self.assertEqual(
                    self.query("SELECT count(*) FROM scm.repositories WHERE installation_id = %s", installation), SESSIONS * 5)
                self.assertEqual(
                    self.query("SELECT count(*) FROM integrations.inbound_deliveries WHERE status = 'unclaimed'"), 0)

    def until_serialized(self, connection, statement, *parameters):
        while True:
            try:
                return support.value(connection, statement, *parameters)
            except psycopg.errors.SerializationFailure:
                pass

    def test_kill_9_in_the_middle(self):
        """What was acknowledged is there, and what was not is delivered again: each commit is told once."""
        total = 0
        for crash in range(3):
            acknowledged = [[] for _ in range(8)]

            def deliver(session):
                with support.connect(DATABASE, user="delivery_service") as connection:
                    number = crash * 1_000_000 + session * 100_000
                    try:
                        while True:
                            number += 1
                            support.value(connection, RECEIVE, *delivery(f"push {number}", "push", push(number)))
                            acknowledged[session].append(number)
                    except psycopg.OperationalError:
                        return number

            with ThreadPoolExecutor(8) as pool:
                work = [pool.submit(deliver, session) for session in range(8)]
                while sum(map(len, acknowledged)) < 60:
                    self.assertFalse(any(one.done() for one in work))
                    time.sleep(0.01)
                self.cluster.kill9()
                last = [one.result() for one in work]
            self.cluster.start()
            with support.connect(DATABASE) as connection:
                for session in range(8):
                    for number in range(crash * 1_000_000 + session * 100_000 + 1, last[session] + 1):
                        total += 1
                        answer = support.value(connection, RECEIVE, *delivery(f"push {number}", "push", push(number)))
                        # A commit that nobody answered may have been done.
                        if number in acknowledged[session]:
                            self.assertEqual((answer["status"], answer["same_body"]), ("duplicate", True))
                        else:
                            self.assertEqual(number, last[session])
            self.assertEqual(self.query("SELECT count(*) FROM integrations.inbound_deliveries WHERE event = 'push'"), total)
            self.assertEqual(
                self.query("SELECT ARRAY[count(*), count(DISTINCT commit_sha)] FROM telemetry.code_events WHERE event_type = 'commit'"),
                [total, total])
        print(f"{total} pushes over 3 crashes", flush=True)


if __name__ == "__main__":
    unittest.main()
