#!/usr/bin/env python3
"""Copies of the ledger on another server: a standby that is promoted in the middle of things continues every lane, and
a subscriber of logical replication has the entries as they are."""

import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

import ledger_support as support

import psycopg

DATABASE = "cv_ledger_primary"
SUBSCRIBER = "cv_ledger_subscriber"
SETTINGS = ("wal_level=logical", "max_wal_senders=10")
LEDGER = "SELECT md5(string_agg(a::text, '' ORDER BY a.org_id, a.lane, a.seq)), count(*) FROM audits.audit_log AS a"
INSERT = "INSERT INTO audits.audit_log (org_id, action) VALUES (%s, %s) RETURNING seq"


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise support.Fault(f"not after {seconds} s: {what}")
        time.sleep(0.05)


class Standby:
    """A copy of the scratch cluster beside it, which belongs to the same OS user."""

    def __init__(self, primary):
        self.owner, self.data = primary.owner_and_data()
        self.directory = Path(self.data).parent / "standby"
        self.host = os.environ["PGHOST"]
        self.primary_port = os.environ["PGPORT"]
        self.port = str(int(self.primary_port) + 1 if int(self.primary_port) < 65535 else 1024)

    def run(self, *command):
        if os.geteuid() == 0 and self.owner != "root":
            command = ("runuser", "-u", self.owner, "--", *command)
        subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.directory.mkdir(mode=0o700)
        shutil.chown(self.directory, self.owner)
        self.run(f"{support.BINDIR}/pg_basebackup", "-h", self.host, "-p", self.primary_port, "-U", "postgres", "-D", str(self.directory),
                 "-R", "-X", "stream", "-c", "fast")
        self.run(f"{support.BINDIR}/pg_ctl", "-D", str(self.directory), "-l", str(self.directory / "server.log"), "-w",
                 "-o", f"-p {self.port}", "start")

    def promote(self):
        self.run(f"{support.BINDIR}/pg_ctl", "-D", str(self.directory), "-w", "promote")
        os.environ["PGPORT"] = self.port

    def stop(self):
        if self.directory.exists():
            self.run(f"{support.BINDIR}/pg_ctl", "-D", str(self.directory), "-m", "immediate", "-w", "stop")
            shutil.rmtree(self.directory)


class Promotion(unittest.TestCase):
    def test_lanes_continue_on_a_promoted_standby(self):
        primary = support.Cluster()
        self.addCleanup(primary.destroy)
        primary.create(*SETTINGS)
        support.create_database(DATABASE)
        tenants = [support.PLATFORM, *support.create_tenants(DATABASE, 3)]
        support.append_some(DATABASE, tenants)

        standby = Standby(primary)
        self.addCleanup(standby.stop)
        standby.start()
        # What is acknowledged from now on is on the standby.
        with support.connect(DATABASE) as connection:
            wait_until(lambda: support.value(connection, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"), "streaming")
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            wait_until(lambda: support.value(
                connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"), "synchronous")
            with support.connect(DATABASE, port=standby.port) as copy:
                self.assertEqual(support.fails(copy, "SELECT * FROM codeverify.maintain()"), "VC096", "maintenance is the primary's")
            connection.execute("SET codeverify.ledger_lanes = 1")
            connection.execute("BEGIN")
            pending = support.value(connection, INSERT, tenants[1].org_id, "promotion.pending")
            connection.execute("PREPARE TRANSACTION 'promotion'")

        workers = [
            support.Worker(100 + number, DATABASE, tenants, support.ISOLATION_LEVELS[number % 3], 10**9, time.time_ns(),
                           prepares=0.2 if number < 4 else 0)
            for number in range(16)]

        def fail_over():
            wait_until(lambda: sum(len(worker.acknowledged) for worker in workers) > 100, "there is traffic")
            time.sleep(0.5)
            primary.kill9()
            standby.promote()

        support.run_traffic(workers, fail_over)
        for worker in workers:
            self.assertIsInstance(worker.failure, psycopg.OperationalError, repr(worker.failure))

        self.assertEqual(support.faults_of(DATABASE), [])
        with support.connect(DATABASE) as connection:
            left = [gid for gid, in connection.execute("SELECT gid FROM pg_prepared_xacts")]
            self.assertIn("promotion", left)
            connection.execute("SET codeverify.ledger_lanes = 1")
            connection.execute("SET lock_timeout = '200ms'")
            with self.assertRaises(psycopg.errors.LockNotAvailable):
                connection.execute(INSERT, (tenants[1].org_id, "promotion.refused"))
            support.append_some(DATABASE, tenants, first=200)
            for gid in left:
                connection.execute(f"COMMIT PREPARED '{gid}'")
                for worker in workers:
                    worker.acknowledged.update(worker.unanswered.pop(gid, ()))
            self.assertEqual(support.value(connection, INSERT, tenants[1].org_id, "promotion.after"), pending + 1)
        self.assertEqual(support.faults_of(DATABASE), [])
        stored = set(support.stored_entries(DATABASE))
        self.assertEqual(set().union(*(worker.acknowledged for worker in workers)) - stored, set(), "acknowledged and lost")


class Logical(unittest.TestCase):
    def setUp(self):
        self.cluster = support.Cluster()
        self.addCleanup(self.cluster.destroy)
        self.cluster.create(*SETTINGS)
        support.create_database(DATABASE)
        support.create_database(SUBSCRIBER)
        self.tenants = [support.PLATFORM, *support.create_tenants(DATABASE, 3)]
        support.append_some(DATABASE, self.tenants)

    def subscribe(self, publication):
        """Both databases are of one server here, where a subscription cannot make the slot by itself."""
        with support.connect(DATABASE) as connection:
            connection.execute(f"CREATE PUBLICATION ledger {publication}")
            connection.execute("SELECT pg_create_logical_replication_slot('ledger', 'pgoutput')")
        with support.connect(SUBSCRIBER) as connection:
            connection.execute(
                "CREATE SUBSCRIPTION ledger CONNECTION"
                f" 'host={os.environ['PGHOST']} port={os.environ['PGPORT']} user=postgres dbname={DATABASE}'"
                " PUBLICATION ledger WITH (create_slot = false, slot_name = 'ledger')")

    def unsubscribe(self):
        with support.connect(SUBSCRIBER) as connection:
            connection.execute("ALTER SUBSCRIPTION ledger DISABLE")
            connection.execute("ALTER SUBSCRIPTION ledger SET (slot_name = NONE)")
            connection.execute("DROP SUBSCRIPTION ledger")

    def ledger(self, database, orgs):
        with support.connect(database) as connection:
            return connection.execute(
                LEDGER + " WHERE a.org_id IS NULL OR a.org_id = ANY (%s)", (orgs,)).fetchone()

    def wait_for_copy(self):
        orgs = [tenant.org_id for tenant in self.tenants if tenant.org_id]
        try:
            wait_until(lambda: self.ledger(DATABASE, orgs) == self.ledger(SUBSCRIBER, orgs), "the same entries")
        except support.Fault as fault:
            log = Path(self.cluster.owner_and_data()[1], "server.log").read_text().splitlines()
            self.fail(f"{fault}: {self.ledger(DATABASE, orgs)} {self.ledger(SUBSCRIBER, orgs)}\n" + "\n".join(
                line for line in log if "ERROR" in line or "DETAIL" in line)[-3000:])

    def not_ready(self, connection):
        return connection.execute("SELECT srrelid::regclass::text FROM pg_subscription_rel WHERE srsubstate <> 'r'").fetchall()

    def flow(self, publication):
        self.subscribe(publication)
        self.wait_for_copy()
        with support.connect(SUBSCRIBER) as connection:
            wait_until(lambda: not self.not_ready(connection), f"tables that are not copied: {self.not_ready(connection)}")
        # While entries come, the subscriber makes its own, of organizations of its own.
        with support.connect(SUBSCRIBER) as connection:
            connection.execute("SELECT codeverify.version()")
            connection.execute("SET codeverify.capture = off")
            own = support.value(connection, "SELECT tenancy.create_organization('Local')")
            # A sequence is not replicated: the subscriber's own entries get numbers far from those that come.
            connection.execute("SELECT setval('audits.audit_log_id_seq', 1000000000)")
            support.append_some(DATABASE, self.tenants, first=100, prepares=0.01)
            for number in range(50):
                connection.execute(INSERT, (own, "local.entry"))
            self.wait_for_copy()
            self.assertEqual(
                connection.execute("SELECT count(*), max(seq) FROM audits.audit_log WHERE org_id = %s", (own,)).fetchone(), (50, 50))
        self.assertEqual(support.faults_of(SUBSCRIBER, without_lanes=True), [])
        # When it takes over, it continues where they end.
        self.unsubscribe()
        with support.connect(SUBSCRIBER) as connection:
            for tenant in self.tenants[1:]:
                connection.execute(
                    "INSERT INTO tenancy.organizations (id, name) VALUES (%s, 'Taken over') ON CONFLICT DO NOTHING", (tenant.org_id,))
                for _ in range(10):
                    connection.execute(INSERT, (tenant.org_id, "local.continued"))
        self.assertEqual(support.faults_of(SUBSCRIBER, without_lanes=True), [])

    def test_the_ledger_alone_through_its_root(self):
        self.flow("FOR TABLE audits.audit_log WITH (publish_via_partition_root = true)")

    def test_all_tables(self):
        self.flow("FOR ALL TABLES")


if __name__ == "__main__":
    unittest.main()
