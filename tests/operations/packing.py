#!/usr/bin/env python3
"""Packing: writers that are late lose nothing and are let go on, whoever reads is not in its way and sees each row once,
however old the snapshot, a crash in its middle loses nothing and doubles nothing, and a dump takes along what is packed."""

import contextlib
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import ledger_support as support

import psycopg

LINES = support.size(2000)
UNPACK = "SELECT codeverify.unpack_partition('observability.logs', '2024-01-01 00:00:00+00')"
EMPTY = "SELECT codeverify.empty_partition('observability.logs', 'observability.logs_2024_01_01')"
STEP = "SELECT action, detail FROM codeverify.compress_rows('observability.logs')"
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
            self.examine_as_seen_by(connection, lines)
            self.assertEqual(connection.execute("SELECT * FROM codeverify.verify_packed()").fetchall(), [])

    def examine_as_seen_by(self, connection, lines):
        found = [message for message, in connection.execute(EVERYTHING)]
        self.assertEqual(sorted(found), sorted(f"line {number}" for number in range(1, lines + 1)))

    @contextlib.contextmanager
    def restore(self, dump, template="template0", *options):
        """A connection to what a dump gives back."""
        copy = f"{self.DATABASE}_copy"
        support.drop_database(copy)
        self.addCleanup(support.drop_database, copy)
        with support.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {copy} TEMPLATE {template}")
        subprocess.run(["pg_restore", "--exit-on-error", *options, "-d", copy, dump], check=True)
        with support.connect(copy) as connection:
            yield connection

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
        writer, packer, other, reader = (self.connect() for _ in range(4))

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

        # A step of maintenance says so as well, and goes on next time.
        other.execute("BEGIN")
        other.execute(INSERT, (lines + 1, lines + 1))
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            packer.execute("SELECT * FROM codeverify.compress_rows('observability.logs')")
        other.execute("COMMIT")
        lines += 1

        # Writers who come while it packs wait, and their lines are packed the next time. Readers do not wait, before it
        # commits or after, and it does not wait for those whose transaction has read what it packs.
        reader.execute("BEGIN")
        self.examine_as_seen_by(reader, lines)
        packer.execute("BEGIN")
        packer.execute(PACK)
        thread = threading.Thread(target=writer.execute, args=(INSERT, (lines + 1, lines + 9)))
        thread.start()
        while not support.value(
                other, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", writer.info.backend_pid):
            time.sleep(0.02)
        self.assertEqual(support.value(reader, FOUND), 100)
        self.assertEqual(support.value(reader, COUNTED), lines // 3)
        packer.execute("COMMIT")
        thread.join()
        self.assertEqual(support.value(reader, FOUND), 100)
        self.assertEqual(support.value(reader, COUNTED), lines // 3 + 3)
        lines += 9
        self.examine_as_seen_by(reader, lines)
        reader.execute("COMMIT")
        self.assertEqual(self.count_live(), 9)
        self.examine(lines)
        packer.execute(PACK)
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

    def test_writing_readers(self):
        """What is packed while a statement runs is not packed for it, also in a transaction that has written."""
        reader, other = self.connect(), self.connect()
        other.execute(
            "INSERT INTO observability.logs (org_id, ts, message) SELECT md5('0')::uuid, '2024-01-01 12:00+00', 'late' FROM generate_series(1, 10)")
        lines = support.value(other, COUNTED)
        reader.execute("BEGIN")
        reader.execute("SELECT pg_current_xact_id()")
        other.execute("SELECT pg_advisory_lock(1)")
        found = []
        thread = threading.Thread(target=lambda: found.append(support.value(
            reader,
            """
                WITH live AS MATERIALIZED (
                    SELECT count(*) AS lines FROM observability.logs WHERE org_id = md5('0')::uuid AND ts >= '2024-01-01' AND ts < '2024-01-02'),
                gate AS MATERIALIZED (SELECT l.lines FROM live AS l, pg_advisory_xact_lock(l.lines * 0 + 1))
                SELECT g.lines + p.lines
                FROM gate AS g
                CROSS JOIN LATERAL (
                    SELECT coalesce(sum(c.lines), 0)::int AS lines
                    FROM codeverify.count_packed_logs(
                        md5('0')::uuid, '2024-01-01', '2024-01-02', interval '1 day' * (g.lines * 0 + 1), NULL, NULL, NULL) AS c) AS p
            """)))
        thread.start()
        while not support.value(
                other, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", reader.info.backend_pid):
            time.sleep(0.02)
        other.execute(PACK)
        other.execute("SELECT pg_advisory_unlock(1)")
        thread.join()
        self.assertEqual(found, [lines])

    def dump_and_restore(self, lines):
        with tempfile.TemporaryDirectory() as folder:
            dump = Path(folder) / "dump"
            subprocess.run(["pg_dump", "-Fc", "-f", dump, self.DATABASE], check=True)
            with self.restore(dump) as connection:
                self.examine_as_seen_by(connection, lines)
                self.assertEqual(connection.execute("SELECT * FROM codeverify.verify_packed()").fetchall(), [])
                self.assertEqual(support.value(connection, UNPACK), lines)
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
        self.crash(UNPACK, asleep)
        self.examine(LINES)
        self.assertEqual(self.count_live(), 0)
        with support.connect(self.DATABASE) as connection:
            take_steps(connection, "dropped")
        self.examine(LINES)
        with support.connect(self.DATABASE) as connection:
            self.assertEqual(support.value(connection, UNPACK), LINES)
        self.examine(LINES)
        self.assertEqual(self.count_live(), LINES)


class Snapshots(Base):
    """What was packed is there once for every snapshot, in a dump too, before and after its room is given back."""

    DATABASE = "cv_packing_snapshots"

    @classmethod
    def setUpClass(cls):
        # What vacuum did in between would be left for maintenance no more.
        cls.cluster = support.Cluster("packing_snapshots")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create("autovacuum=off", "max_prepared_transactions=2")
        make_lines(cls.DATABASE)
        # What dumps are restored into, which takes long for all of a database.
        cls.EMPTY_DATABASE = f"{cls.DATABASE}_empty"
        with support.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {cls.EMPTY_DATABASE} TEMPLATE {cls.DATABASE}")
        with support.connect(cls.EMPTY_DATABASE) as connection:
            connection.execute("TRUNCATE observability.logs")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def reader(self):
        """Somebody who has a snapshot, and has read nothing of it yet."""
        connection = self.connect()
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.snapshot = support.value(connection, "SELECT pg_export_snapshot()")
        return connection

    def dump(self, reader, lines):
        path = Path(self.folder.name) / f"dump {len(self.dumps)}"
        subprocess.run(
            ["pg_dump", "-Fc", "--data-only", "-t", "observability.logs*", "-t", "codeverify.packed_segments",
             "--snapshot", reader.snapshot, "-f", path, self.DATABASE], check=True, capture_output=True)
        self.dumps.append((path, lines))

    def examine_restored(self):
        """Also what maintenance makes of it."""
        for path, lines in self.dumps:
            with self.restore(path, self.EMPTY_DATABASE, "--data-only") as connection:
                self.examine_as_seen_by(connection, lines)
                # Whoever has maintenance run has a snapshot himself, from before it packs: so it takes two runs.
                deadline = time.monotonic() + 20
                while support.value(connection, "SELECT to_regclass('observability.logs_2024_01_01') IS NOT NULL"):
                    self.assertLess(time.monotonic(), deadline)
                    connection.execute("SELECT count(*) FROM codeverify.maintain('compression')")
                self.examine_as_seen_by(connection, lines)
                self.assertEqual(support.value(connection, "SELECT count(*) FROM observability.logs"), 0)

    def test_phases(self):
        self.dumps = []
        worker, preparer = self.connect(), self.connect()
        self.unpack_in_each_phase(worker)

        before = self.reader()
        worker.execute(PACK)
        between = self.reader()
        # The one from before has the rows, the other what is packed, and neither both.
        self.assertEqual(support.value(before, "SELECT count(*) FROM observability.logs"), LINES)
        self.assertEqual(support.value(before, "SELECT count(*) FROM codeverify.packed_segments"), 0)
        self.assertEqual(support.value(between, "SELECT count(*) FROM observability.logs"), 0)
        for reader in (before, between):
            self.examine_as_seen_by(reader, LINES)
            self.assertEqual(support.value(reader, FOUND), 100)
            self.assertEqual(support.value(reader, COUNTED), LINES // 3)
        self.dump(before, LINES)

        # Late lines are beside what is packed. Whoever sees the rows keeps them.
        worker.execute(INSERT, (LINES + 1, LINES + 10))
        self.assertFalse(support.value(worker, EMPTY))
        (action, detail), = worker.execute(STEP)
        self.assertEqual(
            (action, detail),
            ("waiting", "observability.logs_2024_01_01 is packed; its rows stay for those who still see them: "
                        f"process {before.info.backend_pid}"))
        self.examine(LINES + 10)
        self.examine_as_seen_by(before, LINES)
        self.examine_as_seen_by(between, LINES)
        self.dump(between, LINES)
        before.execute("COMMIT")

        # When nobody sees them any more, the late ones are packed, and kept for those who do not see that yet.
        preparer.execute("BEGIN")
        preparer.execute("SELECT pg_current_xact_id()")
        preparer.execute("PREPARE TRANSACTION 'from before'")
        (action, detail), = worker.execute(STEP)
        self.assertEqual((action, detail.partition(" ")[0]), ("packed", "10"))
        (action, detail), = worker.execute(STEP)
        self.assertEqual((action, detail.rpartition(": ")[2]), ("waiting", f"process {between.info.backend_pid}"))
        self.examine_as_seen_by(between, LINES)
        between.execute("COMMIT")
        (action, detail), = worker.execute(STEP)
        self.assertEqual((action, detail.rpartition(": ")[2]), ("waiting", "prepared transaction from before"))
        preparer.execute("ROLLBACK PREPARED 'from before'")

        # The room comes back under the eyes of one who has it packed.
        late = self.reader()
        self.assertEqual(worker.execute(STEP).fetchall(), [("emptied", "observability.logs_2024_01_01")])
        self.assertEqual(support.value(worker, "SELECT pg_relation_size('observability.logs_2024_01_01')"), 0)
        self.examine_as_seen_by(late, LINES + 10)
        self.dump(late, LINES + 10)
        late.execute("COMMIT")
        late = self.reader()
        (action, detail), = worker.execute(STEP)
        self.assertEqual(action, "dropped")
        self.examine_as_seen_by(late, LINES + 10)
        self.examine(LINES + 10)
        # As of any table that is dropped before a dump has locked it: that is an error, not a dump without it.
        with self.assertRaises(subprocess.CalledProcessError):
            self.dump(late, LINES + 10)
        late.execute("COMMIT")
        self.examine_restored()

    def unpack_in_each_phase(self, worker):
        for phase in ("packed", "emptied"):
            with self.subTest(phase):
                take_steps(worker, phase)
                reader = self.reader()
                self.assertEqual(support.value(worker, UNPACK), LINES)
                self.assertEqual(self.count_live(), LINES)
                self.examine(LINES)
                self.examine_as_seen_by(reader, LINES)
                reader.execute("COMMIT")


def take_steps(connection, until):
    """Steps of compression, one after the other, until one says so; for a moment something may keep it waiting."""
    deadline = time.monotonic() + 20
    action = None
    while action != until:
        if time.monotonic() > deadline:
            raise AssertionError(f"no step has {until} anything")
        action, detail = connection.execute(STEP).fetchone() or (None, None)
        if action in (None, "waiting"):
            time.sleep(0.05)


if __name__ == "__main__":
    support.run_at_once(__file__, Locks, Crash, Snapshots)
