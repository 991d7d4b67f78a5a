#!/usr/bin/env python3
"""Partitions that are made while others write and read: an open writer does not stop them, an open reader of DEFAULT
only the sets that it reads, a search finds the lines that leave DEFAULT, and rows that arrive there meanwhile are
neither lost nor doubled."""

import contextlib
import threading
import time
import unittest

import ledger_support as support

import psycopg

DATABASE = "cv_partitions"
TOMORROW = "SELECT set_config('codeverify.clock', (now() + %s * interval '1 day')::text, false)"
DUE = "SELECT target, action, detail FROM codeverify.maintain('partitions') WHERE target = %s"


class Making(unittest.TestCase):
    SEARCHES = {
        "search_logs": "SELECT count(*) FROM observability.find_logs(%s, NULL, NULL, NULL, NULL, %s, %s, NULL, 100, NULL, 100000)",
        "log_volume": "SELECT sum(lines)::int FROM observability.count_logs(%s, %s, %s, '1 day')",
    }

    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.superuser = support.connect(DATABASE)
        cls.addClassCleanup(cls.superuser.close)
        cls.tenant = support.create_tenants(DATABASE, 1)[0]

    def maintain(self, days, target="observability.logs"):
        """A run of some days later: what it did to a set."""
        self.superuser.execute(TOMORROW, (days,))
        return self.superuser.execute(DUE, (target,)).fetchall()

    def insert(self, connection, days, rows=1):
        connection.execute(
            "INSERT INTO observability.logs (org_id, ts, message) SELECT %s, now() + %s * interval '1 day', 'line' FROM generate_series(1, %s)",
            (self.tenant.org_id, days, rows))

    def count(self, table="observability.logs"):
        return support.value(self.superuser, f"SELECT count(*) FROM {table}")

    def test_an_open_writer(self):
        with support.connect(DATABASE) as writer:
            writer.execute("BEGIN")
            self.insert(writer, 0)
            self.assertEqual({row[1] for row in self.maintain(4)}, {"made"})
            writer.execute("COMMIT")
        self.assertGreater(self.count(), 0)

    def test_an_open_reader_of_default(self):
        with support.connect(DATABASE) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM observability.logs_default")
            rows = self.maintain(2)
            self.assertEqual([row[1] for row in rows], ["failed"], rows)
            self.assertIn("lock", rows[0][2])
            reader.execute("COMMIT")
        self.assertEqual({row[1] for row in self.maintain(2)}, {"made"})

    def test_a_search_meanwhile(self):
        """It finds the lines that get a partition while it waits for DEFAULT, which they leave."""
        for at, (name, statement) in enumerate(self.SEARCHES.items()):
            day = f"2024-03-{7 + at:02}"
            with self.subTest(name), support.connect(DATABASE) as maker, support.connect(DATABASE) as reader:
                self.superuser.execute(
                    "INSERT INTO observability.logs (org_id, ts, message) SELECT %s, %s::timestamptz, 'line' FROM generate_series(1, 5)",
                    (self.tenant.org_id, f"{day} 12:00+00"))
                self.assertEqual(support.value(reader, statement, self.tenant.org_id, day, f"{day} 23:00"), 5)
                maker.execute("BEGIN")
                maker.execute("SELECT codeverify.make_partition('observability.logs', 'day', %s)", (f"{day} 00:00+00",))
                found = []
                search = threading.Thread(
                    target=lambda: found.append(support.value(reader, statement, self.tenant.org_id, day, f"{day} 23:00")))
                search.start()
                self.wait_until_it_waits(reader.info.backend_pid)
                maker.execute("COMMIT")
                search.join()
                self.assertEqual(found, [5])
                # Or there would be a gap since then.
                self.superuser.execute(f"DROP TABLE observability.logs_{day.replace('-', '_')}")

    def test_a_search_by_an_older_snapshot(self):
        """For it the lines are still in DEFAULT; and what it has seen is not what its session goes by later."""
        search = (self.SEARCHES["search_logs"], (self.tenant.org_id, "2024-04-01", "2024-04-02"))
        self.superuser.execute(
            "INSERT INTO observability.logs (org_id, ts, message) SELECT %s, '2024-04-01 12:00+00', 'line' FROM generate_series(1, 5)",
            (self.tenant.org_id,))
        with support.connect(DATABASE) as reader:
            for has_written in (False, True):
                with self.subTest(has_written=has_written):
                    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                    reader.execute("SELECT pg_current_xact_id()" if has_written else "SELECT FROM tenancy.organizations")
                    self.superuser.execute("SELECT codeverify.make_partition('observability.logs', 'day', '2024-04-01 00:00+00')")
                    self.assertEqual(reader.execute(*search).fetchone()[0], 5)
                    reader.execute("COMMIT")
                    self.assertEqual(reader.execute(*search).fetchone()[0], 5)
                    with self.superuser.transaction():
                        self.superuser.execute("ALTER TABLE observability.logs DETACH PARTITION observability.logs_2024_04_01")
                        self.superuser.execute("INSERT INTO observability.logs SELECT * FROM observability.logs_2024_04_01")
                        self.superuser.execute("DROP TABLE observability.logs_2024_04_01")
        self.superuser.execute("DELETE FROM observability.logs_default")

    def wait_until_it_waits(self, pid):
        for _ in range(1000):
            if support.value(self.superuser, "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", pid):
                return
            time.sleep(0.01)
        self.fail("the search does not wait for DEFAULT")

    def test_rows_that_come_meanwhile(self):
        before = self.count()
        written = []
        stop = threading.Event()

        def write():
            with support.connect(DATABASE) as writer:
                while not stop.is_set():
                    # Of days that have no partition yet. Who has waited for DEFAULT while one was made is refused: the
                    # server had chosen DEFAULT before, and repeating it finds the partition.
                    with contextlib.suppress(psycopg.errors.CheckViolation):
                        self.insert(writer, 17 + len(written) % 3, 20)
                        written.append(20)

        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            # One that writes to DEFAULT all the time may be met in the middle of it more than once.
            for _ in range(5):
                if not self.maintain(6):
                    break
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.maintain(6)
        self.assertEqual(self.count(), before + sum(written))
        self.assertEqual(self.count("ONLY observability.logs_default"), 0)


if __name__ == "__main__":
    unittest.main()
