#!/usr/bin/env python3
"""Eight sessions evaluate the same alert rules at once, again and again, as members and as maintenance: one incident and
one firing for each fingerprint within the cool-down, and no session that fails. Incidents that are opened, resolved and
reopened at once stay one for each fingerprint."""

import threading
import unittest
from collections import Counter

import ledger_support as support

DATABASE = "cv_alerts"
SESSIONS = 8
ROUNDS = support.size(3)
RULES = 3


class Alerts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_logins)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.tenants = support.create_tenants(DATABASE, 2)

    def setUp(self):
        with support.connect(DATABASE) as connection:
            connection.execute("DELETE FROM observability.alert_rules")
            connection.execute("DELETE FROM observability.incidents")

    def at_once(self, work):
        """What work(number, connection) returns in every session; all begin together."""
        barrier = threading.Barrier(SESSIONS)
        results, failures = [None] * SESSIONS, []

        def run(number):
            try:
                with support.connect(DATABASE, user=support.SERVICE) as connection:
                    barrier.wait(30)
                    results[number] = work(number, connection)
            except Exception as failure:
                barrier.abort()
                failures.append(failure)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(failures, [])
        return results

    def as_owner(self, connection, tenant, statement, *parameters, level="READ COMMITTED"):
        """Runs a statement in a transaction that acts for the owner, and tries it again as a client does."""
        while True:
            try:
                with connection.transaction():
                    connection.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
                    connection.execute("SELECT tenancy.assume(%s, %s)", (tenant.org_id, tenant.owner_id))
                    return connection.execute(statement, parameters or None).fetchall()
            except support.psycopg.errors.SerializationFailure:
                continue

    def make_rules(self, cool_down):
        with support.connect(DATABASE) as connection:
            for tenant in self.tenants:
                connection.execute(
                    "INSERT INTO observability.logs (org_id, level, message) SELECT %s, 'error', 'x' FROM generate_series(1, 20)",
                    (tenant.org_id,))
                for _ in range(RULES):
                    connection.execute(
                        "INSERT INTO observability.alert_rules (org_id, type, params_json) VALUES (%s, 'error_count', %s)",
                        (tenant.org_id, support.Jsonb({"threshold": 1, "cool_down_minutes": cool_down})))

    def test_one_firing_within_the_cool_down(self):
        for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
            with self.subTest(level):
                self.setUp()
                self.make_rules(cool_down=60)
                tenant = self.tenants[0]

                def evaluate(number, connection):
                    rows = []
                    for _ in range(ROUNDS):
                        # Half of them as maintenance would, for all organizations.
                        if number % 2 and level == "READ COMMITTED":
                            rows += connection.execute("SELECT * FROM observability.evaluate_alert_rules()").fetchall()
                        else:
                            rows += self.as_owner(
                                connection, tenant, "SELECT * FROM observability.evaluate_alert_rules()", level=level)
                    return rows

                rows = [row for rows in self.at_once(evaluate) for row in rows]
                fired = Counter(fingerprint for _, fingerprint, fired, *_ in rows if fired)
                fingerprints = {fingerprint for _, fingerprint, *_ in rows}
                self.assertEqual(len(fingerprints), RULES * (2 if level == "READ COMMITTED" else 1))
                self.assertEqual(fired, Counter(fingerprints), "each fired once")
                with support.connect(DATABASE) as connection:
                    incidents = connection.execute(
                        "SELECT fingerprint, occurrences, status FROM observability.incidents").fetchall()
                    self.assertEqual(
                        sorted(incidents), sorted((fingerprint, 1, "open") for fingerprint in fingerprints))
                    self.assertEqual(
                        support.value(connection, "SELECT count(*) FROM observability.alert_firings"), len(fingerprints))
                    self.assertEqual(
                        support.value(connection, "SELECT count(*) FROM observability.incident_events"), len(fingerprints))
                    self.assertEqual(
                        support.value(
                            connection, "SELECT count(*) FROM observability.alert_evaluations WHERE last_error IS NOT NULL"), 0)

    def test_without_a_cool_down_all_firings_are_one_incident(self):
        self.make_rules(cool_down=0)

        def evaluate(_, connection):
            return [
                row for _ in range(ROUNDS)
                for row in self.as_owner(connection, self.tenants[0], "SELECT * FROM observability.evaluate_alert_rules()")]

        rows = [row for rows in self.at_once(evaluate) for row in rows]
        fired = Counter(fingerprint for _, fingerprint, fired, *_ in rows if fired)
        self.assertEqual(len(fired), RULES)
        with support.connect(DATABASE) as connection:
            incidents = connection.execute("SELECT fingerprint, occurrences FROM observability.incidents").fetchall()
            self.assertEqual(Counter(dict(incidents)), fired, "one incident each, which counts every firing")

    def test_a_session_that_holds_a_rule_is_waited_for(self):
        self.make_rules(cool_down=60)
        tenant = self.tenants[0]
        with support.connect(DATABASE, user=support.SERVICE) as first, support.connect(DATABASE, user=support.SERVICE) as second:
            first.execute("BEGIN")
            first.execute("SELECT tenancy.assume(%s, %s)", (tenant.org_id, tenant.owner_id))
            fired = first.execute("SELECT fired FROM observability.evaluate_alert_rules()").fetchall()
            self.assertEqual(fired, [(True,)] * RULES)
            # Maintenance does not wait for long, and does not fail.
            second.execute("SET lock_timeout = '50ms'")
            self.assertEqual(
                self.as_owner(second, tenant, "SELECT fired FROM observability.evaluate_alert_rules()"), [])
            first.execute("ROLLBACK")
            fired = self.as_owner(second, tenant, "SELECT fired FROM observability.evaluate_alert_rules()")
            self.assertEqual(fired, [(True,)] * RULES, "what was rolled back has not fired")

    def test_incidents_opened_resolved_and_reopened_at_once(self):
        tenant = self.tenants[0]
        ids = self.at_once(lambda _, connection: self.as_owner(
            connection, tenant, "SELECT observability.open_incident('f')")[0][0])
        self.assertEqual(len(set(ids)), 1, "all opened the same")
        with support.connect(DATABASE) as connection:
            self.assertEqual(
                support.value(connection, "SELECT occurrences FROM observability.incidents"), SESSIONS)
            connection.execute("UPDATE observability.incidents SET status = 'resolved'")
            # Others that were resolved before, with the same fingerprint.
            for _ in range(SESSIONS - 1):
                connection.execute(
                    "INSERT INTO observability.incidents (org_id, fingerprint, status) VALUES (%s, 'f', 'resolved')",
                    (tenant.org_id,))
            ids = [row[0] for row in connection.execute("SELECT id FROM observability.incidents").fetchall()]

        def reopen(number, connection):
            try:
                self.as_owner(connection, tenant, "SELECT observability.reopen_incident(%s)", ids[number])
            except support.psycopg.Error as error:
                return error.sqlstate
            return None

        outcomes = Counter(self.at_once(reopen))
        self.assertEqual(outcomes, {None: 1, "VC112": SESSIONS - 1}, "one of them is reopened")

        def acknowledge(_, connection):
            return self.as_owner(
                connection, tenant,
                "SELECT observability.acknowledge_incident(id) FROM observability.incidents WHERE status <> 'resolved'")[0][0]

        self.assertEqual(Counter(self.at_once(acknowledge)), {True: 1, False: SESSIONS - 1}, "and taken on by one")


if __name__ == "__main__":
    unittest.main(verbosity=2)
