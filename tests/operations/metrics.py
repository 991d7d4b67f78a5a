#!/usr/bin/env python3
"""Metrics of attribution and of usage are what a computation from nothing gives after every refresh, however the transactions
of several sessions are interleaved: steps of writers, of refreshers and of maintenance in random order, with the writers'
transactions open across them; and with all of them at once. METRICS_TEST_SEED repeats an order."""

import os
import random
import threading
import time
import unittest

import ledger_support as support
import psycopg

DATABASE = "cv_metrics"
SEED = int(os.environ.get("METRICS_TEST_SEED", "20261121"))
TIERS = ("T1_boilerplate", "T2_glue", "T3_core", "T4_novel")

EXPECTED = {
    "attribution": """
        SELECT a.repo_id, p.period, date_trunc(p.period, a.created_at AT TIME ZONE 'UTC')::date, count(*)::int,
               count(*) FILTER (WHERE a.ai_confidence >= coalesce(
                   (r.settings ->> 'ai_confidence_threshold')::float8, (o.settings ->> 'ai_confidence_threshold')::float8, 0.5))::int,
               avg(a.ai_confidence::numeric)::float8,
               count(*) FILTER (WHERE a.risk_tier = 'T1_boilerplate')::int, count(*) FILTER (WHERE a.risk_tier = 'T2_glue')::int,
               count(*) FILTER (WHERE a.risk_tier = 'T3_core')::int, count(*) FILTER (WHERE a.risk_tier = 'T4_novel')::int
        FROM telemetry.code_attribution AS a
        JOIN scm.repositories AS r ON r.id = a.repo_id
        JOIN tenancy.organizations AS o ON o.id = a.org_id
        CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
        GROUP BY a.repo_id, p.period, 3""",
    "usage": """
        SELECT t.org_id, t.user_id, t.provider, t.model, p.period, date_trunc(p.period, t.date::timestamp)::date,
               sum(t.requests_count)::bigint, sum(t.tokens_input)::bigint, sum(t.tokens_output)::bigint, sum(t.cost_usd)
        FROM providers.usage_tracking AS t
        CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
        GROUP BY t.org_id, t.user_id, t.provider, t.model, p.period, 6""",
}
ACTUAL = {
    "attribution": """
        SELECT m.repo_id, m.period::text, m.date, m.files_analyzed, m.ai_files, m.avg_ai_confidence,
               m.t1_boilerplate_files, m.t2_glue_files, m.t3_core_files, m.t4_novel_files
        FROM telemetry.repo_metrics AS m""",
    "usage": """
        SELECT m.org_id, m.user_id, m.provider, m.model, m.period, m.date, m.requests_count, m.tokens_input, m.tokens_output, m.cost_usd
        FROM providers.usage_metrics AS m""",
}
REFRESH = {
    "attribution": "SELECT telemetry.refresh_repo_metrics(%s)",
    "usage": "SELECT providers.refresh_usage_metrics(%s)",
}
STEP = {
    "attribution": "SELECT * FROM codeverify.refresh_metrics_step('telemetry.repo_metrics')",
    "usage": "SELECT * FROM codeverify.refresh_metrics_step('providers.usage_metrics')",
}
# As a computation by the function itself from nothing, too.
TARGET = {"attribution": "telemetry.repo_metrics", "usage": "providers.usage_metrics"}


class Session:
    """A connection with transactions that stay open, and give up instead of waiting long for a lock."""

    def __init__(self, world, seed, lock_timeout="20ms"):
        self.world = world
        self.random = random.Random(seed)
        self.connection = support.connect(DATABASE)
        self.connection.execute(f"SET lock_timeout = '{lock_timeout}'")
        self.connection.execute("SET codeverify.capture = off")
        self.refused = 0

    @property
    def is_open(self):
        return self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE

    def run(self, statement, *parameters):
        try:
            self.connection.execute(statement, parameters)
            return True
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure,
                psycopg.errors.UniqueViolation, psycopg.errors.ForeignKeyViolation):
            self.refused += 1
            if self.is_open:
                self.connection.execute("ROLLBACK")
            return False

    def end(self):
        if self.is_open:
            self.run(self.random.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))

    def write(self):
        if not self.is_open and self.random.random() < 0.8:
            self.run(self.random.choice(["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"]))
        chance = self.random.random()
        if self.is_open and chance < 0.25:
            self.end()
        elif self.is_open and chance < 0.32:
            self.connection.execute("SAVEPOINT s")
            if self.change():
                self.run(self.random.choice(["ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s"]))
        else:
            self.change()

    def change(self):
        return self.random.choice([
            self.add_attribution, self.add_attribution, self.change_attribution, self.move_attribution, self.delete_attribution,
            self.add_usage, self.add_usage, self.change_usage, self.delete_usage, self.set_threshold, self.replace_repository])()

    def add_attribution(self):
        return self.run("""
            INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier, created_at)
            SELECT r.org_id, r.id, repeat('a', 40), gen_random_uuid()::text, %s, %s::telemetry.risk_tier, %s::timestamptz + n * interval '7 hours'
            FROM scm.repositories AS r
            CROSS JOIN generate_series(1, %s) AS n
            WHERE r.github_id = %s""",
            round(self.random.random(), 3), self.random.choice(TIERS), self.moment(), self.random.randint(1, 5), self.repository())

    def change_attribution(self):
        return self.run("UPDATE telemetry.code_attribution SET ai_confidence = %s WHERE md5(id::text) < %s",
                        round(self.random.random(), 3), self.prefix())

    def move_attribution(self):
        return self.run("UPDATE telemetry.code_attribution SET created_at = %s WHERE md5(id::text) < %s", self.moment(), self.prefix())

    def delete_attribution(self):
        return self.run("DELETE FROM telemetry.code_attribution WHERE md5(id::text) < %s", self.prefix())

    def add_usage(self):
        tenant = self.random.choice(self.world.tenants)
        return self.run("""
            INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count, tokens_input, cost_usd)
            VALUES (%s, %s, 'openai', %s, %s::timestamptz::date, 1, %s, %s)
            ON CONFLICT ON CONSTRAINT usage_tracking_org_id_user_id_provider_model_date_key
            DO UPDATE SET requests_count = usage_tracking.requests_count + 1, cost_usd = usage_tracking.cost_usd + excluded.cost_usd""",
            tenant.org_id, tenant.owner_id, self.random.choice(["m", "n"]), self.moment(), self.random.randint(0, 1000),
            round(self.random.random(), 6))

    def change_usage(self):
        return self.run("UPDATE providers.usage_tracking SET cost_usd = cost_usd + 1, date = date + %s WHERE md5(id::text) < %s",
                        self.random.choice([0, 0, 5000]), self.prefix())

    def delete_usage(self):
        return self.run("DELETE FROM providers.usage_tracking WHERE md5(id::text) < %s", self.prefix())

    def set_threshold(self):
        threshold = self.random.choice(['{}', '{"ai_confidence_threshold": 0.2}', '{"ai_confidence_threshold": 0.8}'])
        if self.random.random() < 0.5:
            return self.run("UPDATE scm.repositories SET settings = %s WHERE github_id = %s", threshold, self.repository())
        return self.run("UPDATE tenancy.organizations SET settings = %s WHERE id = %s", threshold, self.random.choice(self.world.tenants).org_id)

    def replace_repository(self):
        if self.random.random() < 0.8:
            return True
        number = self.repository()
        return (self.run("DELETE FROM scm.repositories WHERE github_id = %s", number)
                and self.run("INSERT INTO scm.repositories (org_id, github_id, name, full_name) VALUES (%s, %s, 'r', 'o/r')",
                             self.world.tenants[number % 2].org_id, number))

    def refresh(self):
        """Returns what was refreshed, if it is committed: maybe the transaction stays open."""
        subject = self.random.choice(list(REFRESH))
        if self.is_open:
            self.end()
            return None
        stays_open = self.random.random() < 0.3
        if stays_open:
            self.connection.execute("BEGIN")
        if self.random.random() < 0.3:
            self.run(STEP[subject])
            return None
        since = self.random.choice([None, None, None, None, "-infinity", "2026-02-10"])
        return subject if self.run(REFRESH[subject], since) and not stays_open else None

    def moment(self):
        return f"2026-{self.random.randint(1, 3):02}-{self.random.randint(1, 28):02} {self.random.randint(0, 23):02}:30:00+00"

    def prefix(self):
        return f"{self.random.randint(0, 40):02x}"

    def repository(self):
        return self.random.randint(1, 4)


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_logins)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.tenants = support.create_tenants(DATABASE, 2)
        print(f"METRICS_TEST_SEED={SEED}", flush=True)

    def setUp(self):
        self.observer = support.connect(DATABASE)
        self.addCleanup(self.observer.close)
        self.observer.execute("TRUNCATE telemetry.code_attribution")
        self.observer.execute("DELETE FROM providers.usage_tracking")
        self.observer.execute("DELETE FROM scm.repositories")
        for number in range(1, 5):
            self.observer.execute("INSERT INTO scm.repositories (org_id, github_id, name, full_name) VALUES (%s, %s, 'r', 'o/r')",
                                  (self.tenants[number % 2].org_id, number))

    def sessions(self, count, seed, **arguments):
        made = [Session(self, f"{seed} {number}", **arguments) for number in range(count)]
        for session in made:
            self.addCleanup(session.connection.close)
        return made

    def assert_equal(self, subject, what):
        """In one snapshot."""
        with self.observer.transaction():
            self.observer.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            expected = set(self.observer.execute(EXPECTED[subject]).fetchall())
            actual = set(self.observer.execute(ACTUAL[subject]).fetchall())
        self.assertEqual(actual - expected, set(), what)
        self.assertEqual(expected - actual, set(), what)

    def assert_final(self, sessions, what):
        for session in sessions:
            session.end()
        for subject in REFRESH:
            self.observer.execute(REFRESH[subject], (None,))
            self.assert_equal(subject, what)
            stored = set(self.observer.execute(ACTUAL[subject]).fetchall())
            self.assertEqual(support.value(self.observer, REFRESH[subject], "-infinity"), 0, what)
            self.observer.execute(f"DELETE FROM {TARGET[subject]}")
            self.observer.execute(REFRESH[subject], ("-infinity",))
            self.assertEqual(set(self.observer.execute(ACTUAL[subject]).fetchall()), stored, what)

    def test_interleaved(self):
        compared = refused = 0
        for run in range(support.size(4)):
            what = f"METRICS_TEST_SEED={SEED}, run {run}"
            order = random.Random(f"{SEED} {run}")
            writers, refreshers = self.sessions(4, f"{SEED} {run} w"), self.sessions(2, f"{SEED} {run} r")
            for step in range(200):
                if order.random() < 0.75:
                    order.choice(writers).write()
                else:
                    # What a refresh that is still open has counted is not there yet.
                    subject = order.choice(refreshers).refresh()
                    if subject and not any(session.is_open for session in refreshers):
                        self.assert_equal(subject, f"{what}, step {step}")
                        compared += 1
            self.assert_final(writers + refreshers, what)
            refused += sum(session.refused for session in writers + refreshers)
            for session in writers + refreshers:
                session.connection.close()
        self.assertGreater(compared, 20)
        print(f"interleaved: {compared} refreshes compared, {refused} statements gave way", flush=True)

    def test_at_once(self):
        """Waiting for locks, and with every refresher going on at once."""
        sessions = self.sessions(6, f"{SEED} at once", lock_timeout="1s")
        failures, done = [], [0] * len(sessions)
        until = time.monotonic() + support.size(4)

        def work(number, session):
            try:
                while time.monotonic() < until:
                    session.write() if number < 4 else session.refresh()
                    done[number] += 1
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(sessions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            self.assertFalse(thread.is_alive(), "a session hangs")
        if failures:
            raise failures[0]
        self.assert_final(sessions, "at once")
        print(f"at once: {sum(done[:4])} writes, {sum(done[4:])} refreshes, {sum(s.refused for s in sessions)} gave way", flush=True)

    def test_a_writer_that_commits_last(self):
        """Rows that were made first and become visible last are counted, by id and by time the oldest."""
        writer, = self.sessions(1, "late")
        writer.connection.execute("BEGIN")
        writer.connection.execute("""
            INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier)
            SELECT org_id, id, repeat('b', 40), 'late', 1, 'T3_core' FROM scm.repositories WHERE github_id = 1""")
        self.observer.execute("""
            INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier)
            SELECT org_id, id, repeat('b', 40), 'early', 0, 'T3_core' FROM scm.repositories WHERE github_id = 1""")
        self.observer.execute(REFRESH["attribution"], (None,))
        self.assertEqual(support.value(self.observer, "SELECT sum(files_analyzed) FROM telemetry.repo_metrics WHERE period = 'day'"), 1)
        writer.connection.execute("COMMIT")
        self.assertEqual(support.value(self.observer, REFRESH["attribution"], None), 3)
        self.assertEqual(support.value(self.observer, "SELECT sum(files_analyzed) FROM telemetry.repo_metrics WHERE period = 'day'"), 2)

    def test_two_refreshes_of_one_week(self):
        """Of two that change different days of a week, the second waits: each would add the week up without the other's day."""
        add = """
            INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier, created_at)
            SELECT org_id, id, repeat('b', 40), %s, 1, 'T3_core', %s FROM scm.repositories WHERE github_id = 1"""
        first, second = self.sessions(2, "week")
        self.observer.execute(add, ("Monday", "2026-03-02 12:00+00"))
        self.observer.execute(REFRESH["attribution"], (None,))
        self.observer.execute("UPDATE telemetry.repo_metrics SET files_analyzed = 9 WHERE date = '2026-03-02'")
        first.connection.execute("BEGIN")
        first.connection.execute(REFRESH["attribution"], ("2026-03-02",))
        self.observer.execute(add, ("Tuesday", "2026-03-03 12:00+00"))
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            second.connection.execute(REFRESH["attribution"], (None,))
        self.assertIsNone(second.connection.execute(STEP["attribution"]).fetchone(), "maintenance comes back another time")
        first.connection.execute("COMMIT")
        self.assertEqual(support.value(second.connection, REFRESH["attribution"], None), 3)
        self.assert_equal("attribution", "two refreshes of one week")

    def test_packing_under_way(self):
        """Usage is there once for every snapshot, as rows or packed: a refresh while it is packed waits for nothing and misses
        nothing, and whoever has a snapshot from before goes on seeing it."""
        packer, refresher, reader = self.sessions(3, "packing", lock_timeout="2s")
        for statement in (
                "DELETE FROM codeverify.packed_segments",
                "DROP TABLE IF EXISTS providers.usage_tracking_2024_01",
                "DELETE FROM providers.usage_metrics"):
            self.addCleanup(self.observer.execute, statement)
        self.observer.execute("""
            CREATE TABLE providers.usage_tracking_2024_01 PARTITION OF providers.usage_tracking FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
            ALTER TABLE providers.usage_tracking_2024_01 OWNER TO codeverify_owner""")
        tenant = self.tenants[0]
        add = """
            INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count)
            VALUES (%s, %s, 'openai', 'gpt-4', %s, 7)"""
        self.observer.execute(add, (tenant.org_id, tenant.owner_id, "2024-01-15"))
        self.observer.execute(REFRESH["usage"], (None,))
        count = "SELECT sum(requests_count) FROM providers.usage_metrics WHERE period = 'month'"
        used = "SELECT sum(requests_count)::int FROM providers.list_usage(%s, '2024-01-01', '2024-01-31')"
        self.assertEqual(support.value(self.observer, count), 7)
        self.observer.execute(add, (tenant.org_id, tenant.owner_id, "2024-01-16"))

        reader.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.connection.execute("SELECT 1 FROM tenancy.organizations")
        packer.connection.execute("BEGIN")
        packer.connection.execute("SELECT codeverify.pack_partition('providers.usage_tracking', 'providers.usage_tracking_2024_01')")
        refresher.connection.execute(REFRESH["usage"], (None,))
        self.assertEqual(support.value(self.observer, count), 14)
        self.assertEqual(support.value(self.observer, used, tenant.org_id), 14)
        packer.connection.execute("COMMIT")
        for connection in (reader.connection, self.observer):
            self.assertEqual(support.value(connection, used, tenant.org_id), 14)
        self.assertEqual(support.value(reader.connection, "SELECT count(*) FROM providers.usage_tracking WHERE date < '2024-02-01'"), 2)
        self.assertFalse(support.value(
            self.observer, "SELECT codeverify.empty_partition('providers.usage_tracking', 'providers.usage_tracking_2024_01')"))
        reader.connection.execute("COMMIT")
        refresher.connection.execute(REFRESH["usage"], ("2024-01-01",))
        self.assertEqual(support.value(self.observer, count), 14)

    def test_one_snapshot_is_refused(self):
        for subject in REFRESH:
            for isolation in ("REPEATABLE READ", "SERIALIZABLE"):
                with self.subTest(subject, isolation=isolation), self.observer.transaction(force_rollback=True):
                    self.observer.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                    with self.assertRaises(psycopg.Error) as caught, self.observer.transaction():
                        self.observer.execute(REFRESH[subject], (None,))
                    self.assertEqual(caught.exception.sqlstate, "VC121")


if __name__ == "__main__":
    unittest.main()
