#!/usr/bin/env python3
"""Dump and restore of the ledger: whole, and as data alone into a fresh deployment, by a superuser and by a login of
codeverify_admin. Entries are verified and stored as they are; what was tampered with is refused or found."""

import random
import re
import subprocess
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ledger_support as support

SOURCE = "cv_ledger_source"
TARGET = "cv_ledger_target"
EMPTY = "cv_ledger_empty"
OPERATOR = "ledger_operator"

LEDGER = "SELECT md5(string_agg(a::text, '' ORDER BY a.org_id, a.lane, a.seq)), count(*) FROM audits.audit_log AS a"
# Triggers of the tables would change and chain things that the dump brings; the ledger's own fires nevertheless.
REPLICA = {"PGOPTIONS": "-c session_replication_role=replica -c client_min_messages=warning"}


class Restore(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(EMPTY)
        cls.addClassCleanup(support.drop_database, EMPTY)
        with support.connect("postgres") as connection:
            support.drop_database(SOURCE)
            connection.execute(f"CREATE DATABASE {SOURCE} TEMPLATE {EMPTY}")
        cls.addClassCleanup(support.drop_logins)
        cls.addClassCleanup(support.drop_database, SOURCE)
        cls.tenants = [support.PLATFORM, *support.create_tenants(SOURCE, 3)]
        support.append_some(SOURCE, cls.tenants)
        with support.connect(SOURCE) as connection:
            # Values that take care to print and read: a number that no float holds, escapes, and letters of all kinds.
            connection.execute(r"""
                SELECT audits.append('odd', 'odd.entry',
                    '{"n": 9007199254740993.10, "t": "tab\t \\ \"quoted\" \u00e9 \u2603", "nested": [[], {}, null]}',
                    org_id => %s, user_agent => E'line\nbreak\t\\.')""", (cls.tenants[1].org_id,))
            cls.ledger = connection.execute(LEDGER).fetchone()
            # A lane that has lost its last entry is a whole lane: without a checkpoint nothing tells what followed.
            cls.followed = {number for number, in connection.execute("""
                SELECT a.id
                FROM audits.audit_log AS a
                WHERE EXISTS (
                    SELECT FROM audits.audit_log AS later
                    WHERE (later.org_id, later.lane, later.seq) = (a.org_id, a.lane, a.seq + 1))""")}
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.directory = Path(directory.name)

    def create_target(self):
        """An empty database with the extension, copied from one that has it."""
        support.drop_database(TARGET)
        with support.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {TARGET} TEMPLATE {EMPTY}")

    def tearDown(self):
        support.drop_database(TARGET)

    def dump(self, name, *arguments):
        path = self.directory / name
        done = subprocess.run(["pg_dump", "-d", SOURCE, "-f", path, *arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def restore(self, path, *arguments, **environment):
        done = subprocess.run(
            ["pg_restore", "--exit-on-error", "-d", TARGET, *arguments, path],
            env={**support.os.environ, **environment}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def assert_restored(self, unknown_lanes=False):
        """The same entries, intact, and new ones continue where they end."""
        with support.connect(TARGET) as connection:
            self.assertEqual(connection.execute(LEDGER).fetchone(), self.ledger)
        self.assertEqual(support.faults_of(TARGET, without_lanes=unknown_lanes), [])

    def assert_continues(self):
        support.append_some(TARGET, self.tenants, first=1000)
        self.assertEqual(support.faults_of(TARGET), [])

    # ---- the whole database

    def test_whole(self):
        dump = self.dump("whole.dump", "-Fc")
        for arguments in ((), ("--jobs", "2")):
            with self.subTest(arguments):
                support.drop_database(TARGET)
                with support.connect("postgres") as connection:
                    connection.execute(f"CREATE DATABASE {TARGET} TEMPLATE template0")
                self.restore(dump, *arguments)
                self.assert_restored()
                self.assert_continues()

    # ---- data alone

    def test_data_alone(self):
        for arguments, jobs in (((), 4), (("--load-via-partition-root",), 1)):
            with self.subTest(arguments, jobs=jobs):
                dump = self.dump("data.dump", "-Fc", "--data-only", *arguments)
                self.create_target()
                self.restore(dump, "--jobs", str(jobs), **REPLICA)
                self.assert_restored()
                self.assert_continues()

    def test_several_jobs(self):
        """Each of pg_restore's jobs brings a partition, and meets the lanes of its rows in whatever order they lie."""
        with support.connect(SOURCE) as connection, connection.cursor().copy("""
                COPY (SELECT DISTINCT ON (org_id, lane) * FROM audits.audit_log
                      WHERE org_id IS NOT NULL ORDER BY org_id, lane, seq) TO STDOUT""") as copy:
            lines = [bytes(data) for data in copy]
        self.assertGreater(len(lines), 1)
        one, other = lines[0], lines[-1]
        self.create_target()

        def arrive(connection, line):
            with connection.cursor().copy("COPY audits.audit_log FROM STDIN") as copy:
                copy.write(line)

        with support.connect(TARGET) as watcher, support.connect(TARGET) as first, support.connect(TARGET) as second:
            first.execute("BEGIN")
            arrive(first, one)

            def bring():
                second.execute("BEGIN")
                arrive(second, other)
                second.execute("COMMIT")

            with ThreadPoolExecutor(1) as pool:
                bringing = pool.submit(bring)
                deadline = time.monotonic() + 20
                while not support.value(
                        watcher, "SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' FROM pg_stat_activity WHERE pid = %s",
                        second.info.backend_pid):
                    self.assertFalse(bringing.done(), "it does not wait for its turn")
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                first.execute("SET lock_timeout = '5s'")
                for line in lines[1:-1]:
                    arrive(first, line)
                first.execute("COMMIT")
                bringing.result(20)
            self.assertEqual(support.value(watcher, "SELECT count(*) FROM audits.audit_log"), len(lines))

    def tampered(self, change):
        """A restore of the data, in which one line of the ledger is not what it was."""
        dump = self.dump("data.sql", "--data-only")
        text = dump.read_text()
        lines = re.findall(r"^.*\ttest\.append\t.*\n", text, re.MULTILINE)
        self.assertGreater(len(lines), 20)
        lines = [line for line in lines if int(line.split("\t", 1)[0]) in self.followed]
        self.assertTrue(lines)
        line = lines[len(lines) // 2]
        dump.write_text(text.replace(line, change(line)))
        self.create_target()
        return line, support.psql(TARGET, "-1", "-f", str(dump), **REPLICA)

    def test_an_altered_entry_is_refused(self):
        _, done = self.tampered(lambda line: re.sub(r'"entry": (\d+)', r'"entry": 1\1', line))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("ERROR:  VC051", done.stderr)
        self.assertRegex(done.stderr, r"signature")
        with support.connect(TARGET) as connection:
            self.assertEqual(support.value(connection, "SELECT count(*) FROM audits.audit_log"), 0)

    def test_a_missing_entry_is_found(self):
        line, done = self.tampered(lambda line: "")
        self.assertEqual(done.returncode, 0, done.stderr)
        with support.connect(TARGET) as connection:
            self.assertEqual(support.value(connection, "SELECT count(*) FROM audits.audit_log"), self.ledger[1] - 1)
            found = " ".join(support.faults_of(TARGET))
            self.assertIn("breaks", found)
            if support.has_verify_chain(connection):
                verdicts = connection.execute("SELECT DISTINCT verdict FROM audits.verify_chain()").fetchall()
                self.assertLessEqual({"missing"}, {verdict for verdict, in verdicts})

    def test_entries_in_any_order(self):
        """As from a table that was vacuumed, or several workers: they come, and lie there, in no order."""
        dump = self.dump("shuffled.sql", "--data-only", "--table=audits.audit_log*")
        lines = dump.read_text().splitlines(keepends=True)
        entries = [place for place, line in enumerate(lines) if re.match(r"\d+\t", line)]
        self.assertEqual(len(entries), self.ledger[1])
        shuffled = random.Random(1).sample(entries, len(entries))
        moved = dict(zip(entries, (lines[place] for place in shuffled)))
        dump.write_text("".join(moved.get(place, line) for place, line in enumerate(lines)))
        self.create_target()
        done = support.psql(TARGET, "-1", "-f", str(dump))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_restored(unknown_lanes=True)

    def test_a_dump_that_is_restored_twice_is_refused(self):
        dump = self.dump("twice.sql", "--data-only", "--table=audits.audit_log*")
        self.create_target()
        self.assertEqual(support.psql(TARGET, "-f", str(dump)).returncode, 0)
        done = support.psql(TARGET, "-f", str(dump))
        self.assertIn("ERROR:  VC051", done.stderr)
        self.assert_restored(unknown_lanes=True)

    # ---- as codeverify_admin

    def test_as_an_operator(self):
        """No superuser: a login that row security does not bind, in codeverify_admin. The ledger alone."""
        with support.connect("postgres") as connection:
            connection.execute(f"DROP ROLE IF EXISTS {OPERATOR}")
            connection.execute(f"CREATE ROLE {OPERATOR} LOGIN BYPASSRLS IN ROLE codeverify_admin")
            self.addCleanup(support.drop_login, OPERATOR)
        dump = self.dump(
            "ledger.dump", "-Fc", "--data-only", "--load-via-partition-root", "--table=audits.audit_log*",
            "--exclude-table=audits.audit_log_id_seq")
        self.create_target()
        self.restore(dump, "-U", OPERATOR)
        self.assert_restored(unknown_lanes=True)

        bad = self.dump(
            "ledger.sql", "--data-only", "--load-via-partition-root", "--table=audits.audit_log*",
            "--exclude-table=audits.audit_log_id_seq")
        bad.write_text(bad.read_text().replace("9007199254740993.10", "9007199254740993.1"))
        self.create_target()
        done = support.psql(TARGET, "-U", OPERATOR, "-1", "-f", str(bad))
        self.assertIn("ERROR:  VC051", done.stderr)
        self.assertIn("signature", done.stderr)


if __name__ == "__main__":
    unittest.main()
