#!/usr/bin/env python3
"""kill -9 of every server process while sixteen sessions append, ten times, with transactions that are left prepared:
no break, what was acknowledged is there, and lanes of prepared transactions stay taken until they are decided."""

import itertools
import random
import time
import unittest

import ledger_support as support

import psycopg

DATABASE = "cv_ledger_crash"
SESSIONS = 16
CRASHES = 10


def prepared(connection):
    return [gid for gid, in connection.execute("SELECT gid FROM pg_prepared_xacts ORDER BY gid")]


class Crash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster()
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create()
        support.create_database(DATABASE)
        cls.tenants = [support.PLATFORM, *support.create_tenants(DATABASE, 3)]

    def setUp(self):
        self.numbers = itertools.count()
        self.workers = []
        self.random = random.Random(self.seed())

    def seed(self):
        seed = time.time_ns()
        print(f"seed {seed}", flush=True)
        return seed

    def decide_prepared(self, there):
        """Commits or rolls back what the crash left prepared, while others append."""
        by_gid = {gid: worker for worker in self.workers for gid in worker.unanswered}
        with support.connect(DATABASE) as connection:
            for gid in there:
                worker = by_gid[gid]
                written = worker.unanswered.pop(gid)
                if self.random.random() < 0.5:
                    connection.execute(f"COMMIT PREPARED '{gid}'")
                    worker.acknowledged.update(written)
                else:
                    connection.execute(f"ROLLBACK PREPARED '{gid}'")
                time.sleep(self.random.uniform(0, 0.1))

    def test_kill_9_in_the_middle(self):
        left = 0
        there = []
        for crash in range(CRASHES):
            isolation = support.ISOLATION_LEVELS[crash % 3]
            workers = [
                support.Worker(
                    next(self.numbers), DATABASE, self.tenants, isolation, 10**9, self.random.random(),
                    in_order=True, prepares=0.2 if number < 4 else 0)
                for number in range(SESSIONS)]
            self.workers += workers

            def decide_then_crash():
                self.decide_prepared(there)
                time.sleep(self.random.uniform(0.2, 0.6) * support.size(1))
                self.cluster.kill9()

            support.run_traffic(workers, decide_then_crash)
            for worker in workers:
                self.assertIsInstance(worker.failure, psycopg.OperationalError, repr(worker.failure))
                self.assertIn(worker.failure.sqlstate, (None, "57P01", "57P02"), repr(worker.failure))
            self.cluster.start()
            with support.connect(DATABASE) as connection:
                there = prepared(connection)
            left += len(there)
            self.assertEqual({worker.pending for worker in workers} - {None} - set(there), set(), "prepared and lost")
            # Prepared entries are not to be seen, and those of others already follow them or wait.
            self.assertEqual(support.faults_of(DATABASE, outside=False), [], f"crash {crash}")
            self.assertEqual(support.faults_of_traffic(DATABASE, self.workers), [], f"crash {crash}")
        self.decide_prepared(there)
        self.assertEqual(support.faults_of(DATABASE), [])
        self.assertEqual(support.faults_of_traffic(DATABASE, self.workers), [])
        acknowledged = sum(len(worker.acknowledged) for worker in self.workers)
        print(f"{CRASHES} crashes, {acknowledged} entries acknowledged, {left} transactions left prepared", flush=True)

    def test_a_prepared_transaction_keeps_its_lane_over_a_crash(self):
        with support.connect("postgres") as connection:
            connection.execute(f"ALTER DATABASE {DATABASE} SET codeverify.ledger_lanes = 1")
        tenant = self.tenants[1]
        append = "INSERT INTO audits.audit_log (org_id, action, payload) VALUES (%s, %s, '{}') RETURNING seq"
        for command, kept in (("COMMIT", 1), ("ROLLBACK", 0)):
            with self.subTest(command):
                with support.connect(DATABASE) as connection:
                    before = support.value(connection, append, tenant.org_id, "prepared.before")
                    connection.execute("BEGIN")
                    connection.execute(append, (tenant.org_id, "prepared.entry"))
                    connection.execute("PREPARE TRANSACTION 'pending'")
                self.cluster.kill9()
                self.cluster.start()
                with support.connect(DATABASE) as connection:
                    connection.execute("SET lock_timeout = '200ms'")
                    with self.assertRaises(psycopg.errors.LockNotAvailable):
                        connection.execute(append, (tenant.org_id, "prepared.refused"))
                    # Other ledgers go on.
                    connection.execute(append, (self.tenants[2].org_id, "prepared.other"))
                    connection.execute(f"{command} PREPARED 'pending'")
                    after = support.value(connection, append, tenant.org_id, "prepared.after")
                    self.assertEqual(after, before + kept + 1)
                self.assertEqual(support.faults_of(DATABASE), [])


if __name__ == "__main__":
    unittest.main()
