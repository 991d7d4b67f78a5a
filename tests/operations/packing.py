#!/usr/bin/env python3
"""Packing: writers that are late lose nothing and are let go on, whoever reads is not in its way for good, a crash in its
middle loses nothing and doubles nothing, and a dump takes along what is packed."""

import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import ledger_support as support

import psycopg

LINES = support.size(2000)
PACK = "SELECT codeverify.pack_partition('observability.logs', 'observability.logs_2024_01_01')"
TABLE = """
    CREATE TABLE observability.logs_2024_01_01 PARTITION OF observability.logs
    FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-01-02 00:00:00+00');
    ALTER TABLE observability.logs_2024_01_01 OWNER TO codeverify_owner;
    INSERT INTO codeverify.partition_sets (parent, period, premake, compress_after) VALUES ('observability.logs', 'day', 14, '1 day');
    INSERT INTO tenancy.organizations (id, name)
    SELECT md5(n::text)::uuid, 'organization ' || n FROM generate_series(0, 2) AS n;
"""
INSERT = """
    INSERT INTO observability.logs (org_id, ts, level, message, meta_json)
    SELECT md5((n %% 3)::text)::uuid, '2024-01-01 00:00:00+00'::timestamptz + n * interval '1 ms', 'info', 'line ' || n,
           jsonb_build_object('number', n)
    FROM generate_series(%s::int, %s::int) AS n
"""
# Of one organization in three.
FOUND = """
    SELECT count(*)
    FROM observability.find_logs(md5('0')::uuid, NULL, NULL, NULL, NULL, '2024-01-01', '2024-01-02', NULL, 100, NULL, 100000)
"""
COUNTED = """
    SELECT sum(lines)::int
    FROM observability.count_logs(md5('0')::uuid, '2024-01-01 00:00+00', '2024-01-02 00:00+00', '1 day')
"""
# Each line by its number, wherever it is.
EVERYTHING = """
    SELECT message FROM observability.logs
    UNION ALL
    SELECT r ->> 'message' FROM codeverify.read_all_packed('observability.logs') AS r
"""


def make_lines(database):
    support.create_database(database)
    with support.connect(database) as connection:
        connection.execute("SET codeverify.capture = off")
        connection.execute(TABLE)
        connection.execute(INSERT, (1, LINES))


class Base(unittest.TestCase):
    def connect(self):
        connection = support.connect(self.DATABASE)
        self.addCleanup(connection.close)
        return connection

    def examine(self, lines):
        """Every line is there, once; and what is packed verifies."""
        with support.connect(self.DATABASE) as connection:
            found = [message for message, in connection.execute(EVERYTHING)]
            self.assertEqual(sorted(found), sorted(f"line {number}" for number in range(1, lines + 1)))
            self.assertEqual(connection.execute("SELECT * FROM codeverify.verify_packed()").fetchall(), [])

    def count_live(self):
        with support.connect(self.DATABASE) as connection:
            return support.value(connection, "SELECT count(*) FROM observability.logs")


class Locks(Base):
    DATABASE = "cv_packing"

    @classmethod
    def setUpClass(cls):
        make_lines(cls.DATABASE)
        cls.addClassCleanup(support.drop_database, cls.DATABASE)

    def test_writers_and_readers(self):
        lines = LINES
        writer, packer, other, searcher, counter = (self.connect() for _ in range(5))

        # One that has written and is still open: packing gives up, soon, and keeps nobody.
        writer.execute("BEGIN")
        writer.execute(INSERT, (lines + 1, lines + 10))
        started = time.monotonic()
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            packer.execute(PACK)
        self.assertLess(time.monotonic() - started, 5)
        other.execute(INSERT, (lines + 11, lines + 20))
        writer.execute("COMMIT")
        lines += 20
        self.examine(lines)

        # One that reads and is still open: all was packed, and nothing is.
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM observability.logs_2024_01_01")
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            packer.execute(PACK)
        self.assertEqual(support.value(packer, "SELECT count(*) FROM codeverify.packed_segments"), 0)
        other.execute("COMMIT")

        # A step of maintenance says so as well, and goes on next time.
        other.execute("BEGIN")
        other.execute(INSERT, (lines + 1, lines + 1))
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            packer.execute("SELECT * FROM codeverify.compress_rows('observability.logs')")
        other.execute("COMMIT")
        lines += 1

        # Writers who come while it packs wait, and their lines are packed the next time. Searches that come before it
        # commits find all lines, packed.
        packer.execute("BEGIN")
        packer.execute(PACK)
        found = {}

        def search(connection, query):
            found[query] = support.value(connection, query)

        threads = [
            threading.Thread(target=writer.execute, args=(INSERT, (lines + 1, lines + 10))),
            threading.Thread(target=search, args=(searcher, FOUND)),
            threading.Thread(target=search, args=(counter, COUNTED)),
        ]
        for thread in threads:
            thread.start()
        waiting = [connection.info.backend_pid for connection in (writer, searcher, counter)]
        while support.value(
                other, "SELECT count(DISTINCT pid) FROM pg_locks WHERE pid = ANY (%s) AND NOT granted", waiting) < len(waiting):
            time.sleep(0.02)
        packer.execute("COMMIT")
        for thread in threads:
            thread.join()
        self.assertEqual(found[FOUND], 100)
        self.assertIn(found[COUNTED] - lines // 3, range(0, 12))
        lines += 10
        self.assertEqual(self.count_live(), 10)
        self.examine(lines)
        self.assertEqual(
            packer.execute("SELECT action FROM codeverify.compress_rows('observability.logs')").fetchall(), [("packed",)])
        self.assertEqual(self.count_live(), 0)
        self.examine(lines)

        # Two at once: one packs, and the other finds nothing or gives up.
        other.execute(INSERT, (lines + 1, lines + 500))
        lines += 500
        failures = []

        def pack(connection):
            try:
                connection.execute(PACK)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                failures.append(error)

        threads = [threading.Thread(target=pack, args=(connection,)) for connection in (packer, writer)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLess(len(failures), 2)
        self.examine(lines)
        self.assertEqual(self.count_live(), 0)

        # In a snapshot that is older than what is packed, nothing could be verified.
        packer.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        with self.assertRaises(psycopg.Error) as raised:
            packer.execute(PACK)
        self.assertEqual(raised.exception.sqlstate, "VC106")
        packer.execute("ROLLBACK")

        self.dump_and_restore(lines)

        # An organization that is deleted takes its packed lines with it.
        other.execute("DELETE FROM tenancy.organizations WHERE name = 'organization 1'")
        with support.connect(self.DATABASE) as connection:
            self.assertEqual(
                support.value(connection, f"SELECT count(*) FROM ({EVERYTHING}) AS e"),
                sum(number % 3 != 1 for number in range(1, lines + 1)))

    def dump_and_restore(self, lines):
        copy = f"{self.DATABASE}_copy"
        self.addCleanup(support.drop_database, copy)
        with tempfile.TemporaryDirectory() as folder:
            dump = Path(folder) / "dump"
            subprocess.run(["pg_dump", "-Fc", "-f", dump, self.DATABASE], check=True)
            support.drop_database(copy)
            with support.connect("postgres") as connection:
                connection.execute(f"CREATE DATABASE {copy} TEMPLATE template0")
            subprocess.run(["pg_restore", "--exit-on-error", "-d", copy, dump], check=True)
        with support.connect(copy) as connection:
            self.assertEqual(support.value(connection, f"SELECT count(*) FROM ({EVERYTHING}) AS e"), lines)
            self.assertEqual(connection.execute("SELECT * FROM codeverify.verify_packed()").fetchall(), [])
            self.assertEqual(
                support.value(connection, "SELECT codeverify.unpack_partition('observability.logs', '2024-01-01 00:00:00+00')"), lines)
            self.assertEqual(support.value(connection, "SELECT count(*) FROM observability.logs"), lines)


class Crash(Base):
    DATABASE = "cv_packing_crash"

    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster("packing")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create()
        make_lines(cls.DATABASE)

    def crash(self, statement, until):
        """Kills the server when a statement of another session is so far."""
        def work():
            try:
                with support.connect(self.DATABASE) as connection:
                    connection.execute("BEGIN")
                    connection.execute(statement)
                    connection.execute("SELECT pg_sleep(60)")
            except psycopg.OperationalError:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        with support.connect(self.DATABASE) as connection:
            deadline = time.monotonic() + 20
            while not support.value(connection, until):
                self.assertLess(time.monotonic(), deadline, until)
                time.sleep(0.005)
        self.cluster.kill9()
        thread.join()
        self.cluster.start()

    def test_crashes(self):
        asleep = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%')"
        # While it packs; on a fast machine, when it has.
        self.crash(PACK, f"SELECT EXISTS (SELECT FROM codeverify.progress WHERE operation = 'pack') OR ({asleep})")
        self.examine(LINES)
        self.assertEqual(self.count_live(), LINES, "the first time it was not finished")
        # Emptied, and not committed.
        self.crash(PACK, asleep)
        self.examine(LINES)
        self.assertEqual(self.count_live(), LINES, "nor the second time")
        with support.connect(self.DATABASE) as connection:
            connection.execute(PACK)
        self.cluster.kill9()
        self.cluster.start()
        self.examine(LINES)
        self.assertEqual(self.count_live(), 0, "then it was")
        unpack = "SELECT codeverify.unpack_partition('observability.logs', '2024-01-01 00:00:00+00')"
        self.crash(unpack, asleep)
        self.examine(LINES)
        self.assertEqual(self.count_live(), 0)
        with support.connect(self.DATABASE) as connection:
            self.assertEqual(support.value(connection, unpack), LINES)
        self.examine(LINES)
        self.assertEqual(self.count_live(), LINES)


if __name__ == "__main__":
    support.run_at_once(__file__, Locks, Crash)
