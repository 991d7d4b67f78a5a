#!/usr/bin/env python3
"""Sixteen sessions append to four ledgers at each isolation level, with as many lanes as there are and with so few that
they wait: no break, no gap, nothing lost, no error. LEDGER_TEST_SCALE=20 gives each session 2,000 entries."""

import itertools
import time
import unittest

import ledger_support as support

DATABASE = "cv_ledger"
SESSIONS = 16
ENTRIES = support.size(100)


class Concurrency(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_logins)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.tenants = [support.PLATFORM, *support.create_tenants(DATABASE, 3)]
        cls.workers = []
        cls.numbers = itertools.count()

    def traffic(self, isolation, lanes):
        with support.connect(DATABASE) as connection:
            connection.execute(f"ALTER DATABASE {DATABASE} SET codeverify.ledger_lanes = {lanes}")
        seed = time.time_ns()
        workers = [
            support.Worker(
                next(self.numbers), DATABASE, self.tenants, isolation, ENTRIES, seed,
                in_order=lanes < SESSIONS, prepares=0.01 if number < 8 else 0)
            for number in range(SESSIONS)]
        started = time.monotonic()
        support.run_traffic(workers)
        seconds = time.monotonic() - started
        self.workers.extend(workers)
        for worker in workers:
            if worker.failure is not None:
                self.fail(f"worker {worker.number}, seed {seed}: {worker.failure!r}")
        self.assertEqual(support.faults_of_traffic(DATABASE, self.workers), [], f"seed {seed}")
        self.assertEqual(support.faults_of(DATABASE), [], f"seed {seed}")
        written = sum(len(worker.acknowledged) for worker in workers)
        tried = sum(worker.last for worker in workers)
        print(f"{isolation}, {lanes} lanes: {written} entries committed of {tried} in {seconds:.1f} s", flush=True)
        with support.connect(DATABASE) as connection:
            self.assertLess(
                support.value(connection, "SELECT max(lane) FROM audits.audit_log WHERE payload @> %s",
                              support.Jsonb({"worker": workers[0].number})), lanes)

    def test_lanes_enough_for_all(self):
        for isolation in support.ISOLATION_LEVELS:
            with self.subTest(isolation):
                self.traffic(isolation, 32)

    def test_two_lanes(self):
        for isolation in support.ISOLATION_LEVELS:
            with self.subTest(isolation):
                self.traffic(isolation, 2)


if __name__ == "__main__":
    unittest.main()
