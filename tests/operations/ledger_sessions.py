#!/usr/bin/env python3
"""Sessions that meet in a lane: waits that are cut short, first entries at once, prepared transactions, isolation; and
one session's odd ways to append: many savepoints, many rows, errors that are caught, appends inside appends."""

import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import ledger_support as support

import psycopg

DATABASE = "cv_ledger_sessions"
INSERT = "INSERT INTO audits.audit_log (org_id, action) VALUES (%s, %s) RETURNING seq"


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_logins)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.tenants = support.create_tenants(DATABASE, 2)

    def setUp(self):
        self.superuser = self.connect()
        self.org_id = self.tenants[0].org_id

    def tearDown(self):
        self.assertEqual(support.faults_of(DATABASE), [])

    def connect(self, lanes=32, **arguments):
        connection = support.connect(DATABASE, options=f"-c codeverify.ledger_lanes={lanes}", **arguments)
        self.addCleanup(connection.close)
        return connection

    def insert(self, connection, action="test.entry", org_id=None):
        return support.value(connection, INSERT, org_id or self.org_id, action)

    def count(self, action):
        return support.value(self.superuser, "SELECT count(*) FROM audits.audit_log WHERE action = %s", action)

    def new_tenant(self):
        """An organization whose ledger is empty: not even its making is in it."""
        self.superuser.execute("SELECT codeverify.version()")
        self.superuser.execute("SET codeverify.capture = off")
        return support.value(self.superuser, "SELECT tenancy.create_organization('New', owner_id => %s)", self.tenants[0].owner_id)

    def wait_until_waiting(self, connection):
        """Until the session of the connection waits for a lock."""
        deadline = time.monotonic() + 20
        while not support.value(
                self.superuser, "SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' FROM pg_stat_activity WHERE pid = %s",
                connection.info.backend_pid):
            self.assertLess(time.monotonic(), deadline, "it does not wait")
            time.sleep(0.01)

    # ---- waiting for a lane

    def held_lane(self):
        """A session that holds the only lane, and one that wants it."""
        holder, waiter = self.connect(lanes=1), self.connect(lanes=1)
        holder.execute("BEGIN")
        self.insert(holder, "wait.holder")
        return holder, waiter

    def test_timeouts_in_the_middle_of_a_wait(self):
        for setting, error in (
                ("statement_timeout", psycopg.errors.QueryCanceled), ("lock_timeout", psycopg.errors.LockNotAvailable)):
            for isolation in support.ISOLATION_LEVELS:
                with self.subTest(setting=setting, isolation=isolation):
                    holder, waiter = self.held_lane()
                    waiter.execute(f"BEGIN ISOLATION LEVEL {isolation}")
                    waiter.execute(f"SET LOCAL {setting} = '50ms'")
                    waiter.execute("SAVEPOINT before")
                    with self.assertRaises(error):
                        self.insert(waiter, "wait.refused")
                    waiter.execute("ROLLBACK TO SAVEPOINT before")
                    # Another organization's lane is free meanwhile, and after the holder's end so is this one.
                    self.insert(waiter, "wait.other", self.tenants[1].org_id)
                    last = support.value(holder, "SELECT max(seq) FROM audits.audit_log WHERE org_id = %s AND lane = 0", self.org_id)
                    holder.execute("COMMIT")
                    self.assertEqual(self.insert(waiter, "wait.later"), last + 1)
                    waiter.execute("COMMIT")
                    self.assertEqual(self.count("wait.refused"), 0)

    def wait_and(self, interrupt):
        holder, waiter = self.held_lane()
        before = self.count("wait.interrupted")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self.insert, waiter, "wait.interrupted")
            self.wait_until_waiting(waiter)
            interrupt(holder, waiter)
            error = waiting.exception(20)
        holder.close()
        return error, self.count("wait.interrupted") - before

    def test_cancelled_in_the_middle_of_a_wait(self):
        error, count = self.wait_and(
            lambda holder, waiter: self.superuser.execute("SELECT pg_cancel_backend(%s)", (waiter.info.backend_pid,)))
        self.assertIsInstance(error, psycopg.errors.QueryCanceled)
        self.assertEqual(count, 0)

    def test_terminated_in_the_middle_of_a_wait(self):
        error, count = self.wait_and(
            lambda holder, waiter: self.superuser.execute("SELECT pg_terminate_backend(%s)", (waiter.info.backend_pid,)))
        self.assertIsInstance(error, psycopg.errors.AdminShutdown)
        self.assertEqual(count, 0)

    def test_the_holder_is_terminated(self):
        error, count = self.wait_and(
            lambda holder, waiter: self.superuser.execute("SELECT pg_terminate_backend(%s)", (holder.info.backend_pid,)))
        self.assertIsNone(error)
        self.assertEqual(count, 1)

    def test_a_free_lane_is_taken_without_waiting(self):
        holders = [self.connect(lanes=8) for _ in range(8)]
        for holder in holders:
            holder.execute("SET lock_timeout = '50ms'")
            holder.execute("BEGIN")
            self.insert(holder)
        taken = holders[0].execute(
            "SELECT count(DISTINCT objsubid) FROM pg_locks WHERE locktype = 'userlock' AND granted").fetchone()[0]
        self.assertEqual(taken, 8)
        ninth = self.connect(lanes=8)
        ninth.execute("SET lock_timeout = '50ms'")
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            self.insert(ninth)
        for holder in holders:
            holder.execute("COMMIT")
        self.insert(ninth)

    # ---- a partition that ends while somebody waits

    def end_partition(self, seconds):
        """Makes the partition under way end soon, and another begin. Returns when."""
        self.superuser.execute("SET timezone = 'UTC'")
        name, begin, until = self.superuser.execute("""
            SELECT d.partition_name, d.from_ts::text, d.until_ts::text
            FROM pg_inherits AS i, audits.describe_partition(i.inhrelid) AS d
            WHERE i.inhparent = 'audits.audit_log'::regclass AND clock_timestamp() BETWEEN d.from_ts AND d.until_ts
        """).fetchone()
        end = support.value(self.superuser, "SELECT (clock_timestamp() + %s * interval '1 second')::text", seconds)
        self.superuser.execute(f"""
            ALTER TABLE audits.audit_log DETACH PARTITION audits.{name};
            ALTER TABLE audits.audit_log ATTACH PARTITION audits.{name} FOR VALUES FROM ('{begin}') TO ('{end}');
            CREATE TABLE audits.{name}_x PARTITION OF audits.audit_log FOR VALUES FROM ('{end}') TO ('{until}')
        """)
        return name, end

    def is_over(self, end):
        return support.value(self.superuser, "SELECT clock_timestamp() >= %s", end)

    def test_the_partition_ends_during_a_wait(self):
        """Two ledgers: the one's lane has its last entry in the partition that ends, the other's goes on to the next."""
        statement = "INSERT INTO audits.audit_log (org_id, action) VALUES (%s, 'month.waiter') RETURNING ts < %s, tableoid::regclass::text, lane, seq"
        for attempt in range(5):
            ledgers = [self.new_tenant(), self.new_tenant()]
            holders, waiters = ([self.connect(lanes=1) for _ in ledgers] for _ in range(2))
            for connection, org_id in zip(holders + waiters, ledgers * 2):
                self.insert(connection, "month.warm", org_id)
            name, end = self.end_partition(1 + attempt)
            for holder, org_id in zip(holders, ledgers):
                holder.execute("BEGIN")
                self.insert(holder, "month.holder", org_id)
            with ThreadPoolExecutor(2) as pool:
                waiting = [
                    pool.submit(lambda waiter, org_id: waiter.execute(statement, (org_id, end)).fetchone(), waiter, org_id)
                    for waiter, org_id in zip(waiters, ledgers)]
                for waiter in waiters:
                    self.wait_until_waiting(waiter)
                in_time = not self.is_over(end)
                while not self.is_over(end):
                    time.sleep(0.02)
                self.insert(holders[1], "month.next", ledgers[1])
                for holder in holders:
                    holder.execute("COMMIT")
                results = [future.result(20) for future in waiting]
            if in_time:
                break
        self.assertTrue(in_time)
        for is_before, partition, lane, _ in results:
            self.assertTrue(is_before)
            self.assertEqual(partition, f"audits.{name}")
        self.assertEqual(results[0][2], 0, "right after the last entry")
        self.assertEqual(results[1][2:], (1, 1), "in a lane that has not gone on")
        # And on from there.
        for waiter, org_id in zip(waiters, ledgers):
            self.assertEqual(
                waiter.execute(statement, (org_id, end)).fetchone()[:3], (False, f"audits.{name}_x", 0))

    def test_rolled_back_savepoint_frees_its_lane(self):
        holder, other = self.connect(lanes=1), self.connect(lanes=1)
        other.execute("SET lock_timeout = '50ms'")
        holder.execute("BEGIN")
        holder.execute("SAVEPOINT s")
        first = self.insert(holder, "savepoint.lost")
        holder.execute("ROLLBACK TO SAVEPOINT s")
        self.assertEqual(self.insert(other, "savepoint.kept"), first)
        self.assertEqual(self.insert(holder, "savepoint.kept"), first + 1)
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            self.insert(other, "savepoint.refused")
        holder.execute("COMMIT")
        self.assertEqual(self.insert(other, "savepoint.kept"), first + 2)

    def test_a_snapshot_from_before_does_not_fork_the_lane(self):
        for isolation in support.ISOLATION_LEVELS:
            with self.subTest(isolation):
                old, other = self.connect(lanes=1), self.connect(lanes=1)
                old.execute(f"BEGIN ISOLATION LEVEL {isolation}")
                old.execute("SELECT count(*) FROM tenancy.organizations")
                last = [self.insert(other) for _ in range(3)][-1]
                self.assertEqual(self.insert(old), last + 1)
                old.execute("COMMIT")
                self.assertEqual(self.insert(other), last + 2)

    # ---- the first entry of a lane

    def test_two_first_entries_at_once(self):
        for isolation in support.ISOLATION_LEVELS:
            for end in ("COMMIT", "ROLLBACK"):
                with self.subTest(isolation=isolation, end=end):
                    org_id = self.new_tenant()
                    first, second = self.connect(lanes=1), self.connect(lanes=1)
                    for connection in (first, second):
                        connection.execute(f"BEGIN ISOLATION LEVEL {isolation}")
                        connection.execute("SELECT count(*) FROM audits.lanes WHERE false")
                    self.assertEqual(self.insert(first, org_id=org_id), 1)
                    with ThreadPoolExecutor(1) as pool:
                        waiting = pool.submit(self.insert, second, "genesis.second", org_id)
                        self.wait_until_waiting(second)
                        first.execute(end)
                        self.assertEqual(waiting.result(20), 2 if end == "COMMIT" else 1)
                    second.execute("COMMIT")
                    self.assertEqual(
                        support.value(self.superuser, "SELECT count(*) FROM audits.lanes WHERE org_id = %s", org_id), 1)

    def test_sixteen_first_entries_at_once(self):
        for lanes in (1, 4, 32):
            with self.subTest(lanes=lanes):
                org_id = self.new_tenant()
                connections = [self.connect(lanes=lanes) for _ in range(16)]
                barrier = threading.Barrier(16)

                def first(connection):
                    connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
                    barrier.wait(20)
                    self.insert(connection, org_id=org_id)
                    connection.execute("COMMIT")

                with ThreadPoolExecutor(16) as pool:
                    list(pool.map(first, connections))
                self.assertEqual(
                    support.value(self.superuser, "SELECT count(*) FROM audits.audit_log WHERE org_id = %s", org_id), 16)
                for connection in connections:
                    connection.close()

    def test_a_lane_whose_first_entry_was_rolled_back_is_registered_by_the_next(self):
        org_id = self.new_tenant()
        connection = self.connect(lanes=1)
        connection.execute("BEGIN")
        connection.execute("SAVEPOINT s")
        self.assertEqual(self.insert(connection, org_id=org_id), 1)
        connection.execute("ROLLBACK TO SAVEPOINT s")
        self.assertEqual(self.insert(connection, org_id=org_id), 1)
        connection.execute("ROLLBACK")
        self.assertEqual(self.insert(connection, org_id=org_id), 1)

    # ---- transactions that are prepared

    def test_prepared_transactions(self):
        for command, kept in (("COMMIT", 1), ("ROLLBACK", 0)):
            with self.subTest(command):
                connection = self.connect(lanes=1)
                before = self.insert(connection)
                connection.execute("BEGIN")
                self.insert(connection, "prepared.entry")
                connection.execute("PREPARE TRANSACTION 'ledger sessions'")
                connection.execute("SET lock_timeout = '50ms'")
                with self.assertRaises(psycopg.errors.LockNotAvailable):
                    self.insert(connection, "prepared.refused")
                others = self.connect(lanes=2)
                self.insert(others, "prepared.other")
                # Another session decides.
                self.superuser.execute(f"{command} PREPARED 'ledger sessions'")
                self.assertEqual(self.insert(connection), before + kept + 1)

    # ---- isolation

    def test_serializable_transactions_that_share_nothing_but_the_ledger(self):
        self.superuser.execute("CREATE TABLE public.mine (id int PRIMARY KEY, n int)")
        self.superuser.execute("INSERT INTO public.mine SELECT i, 0 FROM generate_series(1, 1000) AS i")
        self.superuser.execute("ANALYZE public.mine")
        for lanes in (1, 32):
            with self.subTest(lanes=lanes):
                one, other = self.connect(lanes=lanes), self.connect(lanes=lanes)
                for _ in range(20):
                    for connection in (one, other):
                        connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
                    one.execute("UPDATE public.mine SET n = n + 1 WHERE id = 1")
                    other.execute("UPDATE public.mine SET n = n + 1 WHERE id = 900")
                    self.insert(one)
                    if lanes == 1:
                        # The other waits for the lane, and goes on with it.
                        with ThreadPoolExecutor(1) as pool:
                            waiting = pool.submit(self.insert, other)
                            self.wait_until_waiting(other)
                            one.execute("COMMIT")
                            waiting.result(20)
                    else:
                        other.execute("SELECT audits.append('test', 'serializable', org_id => %s)", (self.org_id,))
                        one.execute("COMMIT")
                    other.execute("COMMIT")

    # ---- one session

    def test_twenty_thousand_rows_in_one_statement(self):
        org_id = self.new_tenant()
        self.superuser.execute(
            "INSERT INTO audits.audit_log (org_id, entity, action, payload)"
            " SELECT %s, 'bulk', 'bulk.insert', jsonb_build_object('i', i) FROM generate_series(1, 20000) AS i", (org_id,))
        self.assertEqual(
            self.superuser.execute(
                "SELECT count(*), count(DISTINCT lane), max(seq), bool_and((payload ->> 'i')::int = seq)"
                " FROM audits.audit_log WHERE org_id = %s", (org_id,)).fetchone(),
            (20000, 1, 20000, True))

    def test_three_hundred_savepoints_deep(self):
        org_id = self.new_tenant()
        connection = self.connect()
        connection.execute("BEGIN")
        for depth in range(300):
            connection.execute(f"SAVEPOINT s{depth}")
            self.assertEqual(self.insert(connection, org_id=org_id), depth + 1)
        connection.execute("ROLLBACK TO SAVEPOINT s200")
        self.assertEqual(self.insert(connection, org_id=org_id), 201)
        connection.execute("RELEASE SAVEPOINT s100")
        self.assertEqual(self.insert(connection, org_id=org_id), 202)
        connection.execute("ROLLBACK TO SAVEPOINT s50")
        self.assertEqual(self.insert(connection, org_id=org_id), 51)
        connection.execute("COMMIT")
        self.assertEqual(self.insert(connection, org_id=org_id), 52)

    def test_a_conflict_that_is_ignored(self):
        org_id = self.new_tenant()
        one, other = self.connect(), self.connect()
        event_id = support.uuid.uuid4()
        statement = """
            INSERT INTO audits.audit_log (org_id, action, event_id, ts) VALUES (%s, 'conflict', %s, %s)
            ON CONFLICT DO NOTHING
        """
        # A time of one's own is kept while it is fresh, so that the same entry in another lane is a conflict.
        ts = support.value(one, "SELECT clock_timestamp()")
        self.assertEqual(one.execute(statement, (org_id, event_id, ts)).rowcount, 1)
        other.execute("BEGIN")
        self.assertEqual(other.execute(statement, (org_id, event_id, ts)).rowcount, 0)
        self.assertEqual(self.insert(other, org_id=org_id), 1)
        other.execute("COMMIT")

    def test_rows_that_do_not_come_to_the_table(self):
        """Between the ledger's trigger and the table, a trigger of a user leaves some of them out."""
        self.superuser.execute("""
            CREATE FUNCTION public.skip() RETURNS trigger LANGUAGE plpgsql AS $function$
            BEGIN
                RETURN CASE WHEN new.entity IS DISTINCT FROM 'skip' THEN new END;
            END
            $function$""")
        self.superuser.execute("CREATE TRIGGER z_skip BEFORE INSERT ON audits.audit_log FOR EACH ROW EXECUTE FUNCTION public.skip()")
        self.addCleanup(self.superuser.execute, "DROP FUNCTION public.skip() CASCADE")
        statement = """
            INSERT INTO audits.audit_log (org_id, action, entity)
            SELECT %s, 'skip.' || i, CASE WHEN i %% 3 = 0 THEN 'skip' ELSE 'keep' END
            FROM generate_series(1, 10) AS i
        """
        for counts in ("on", "off"):
            with self.subTest(track_counts=counts):
                org_id = self.new_tenant()
                connection = self.connect()
                connection.execute(f"SET track_counts = {counts}")
                connection.execute("BEGIN")
                connection.execute(statement, (org_id,))
                connection.execute("SAVEPOINT s")
                connection.execute(statement, (org_id,))
                connection.execute("ROLLBACK TO SAVEPOINT s")
                connection.execute("INSERT INTO audits.audit_log (org_id, action, entity) VALUES (%s, 'skip.last', 'skip')", (org_id,))
                connection.execute("SAVEPOINT s")
                self.assertEqual(self.insert(connection, org_id=org_id), 8)
                connection.execute("ROLLBACK TO SAVEPOINT s")
                self.assertEqual(self.insert(connection, org_id=org_id), 8)
                connection.execute(statement, (org_id,))
                connection.execute("COMMIT")
                self.assertEqual(self.insert(connection, org_id=org_id), 16)

    def test_errors_that_are_caught(self):
        org_id = self.new_tenant()
        connection = self.connect()
        connection.execute(f"""
            DO $block$
            BEGIN
                FOR i IN 1..50 LOOP
                    BEGIN
                        PERFORM audits.append('caught', 'caught.lost', org_id => '{org_id}');
                        INSERT INTO audits.audit_log (org_id, action) VALUES ('{org_id}', 'caught.lost'), ('{org_id}', '');
                    EXCEPTION WHEN check_violation THEN
                        PERFORM audits.append('caught', 'caught.kept', org_id => '{org_id}');
                    END;
                END LOOP;
            END
            $block$""")
        self.assertEqual(
            connection.execute("SELECT action, count(*), max(seq) FROM audits.audit_log WHERE org_id = %s GROUP BY 1", (org_id,)).fetchall(),
            [("caught.kept", 50, 50)])

    def test_appends_inside_appends(self):
        org_id = self.new_tenant()
        connection = self.connect()
        # While the values of a row are computed, and by triggers of a user before and after the ledger's own.
        connection.execute("""
            CREATE FUNCTION public.append_inside() RETURNS trigger LANGUAGE plpgsql AS $function$
            BEGIN
                IF new.entity = 'outer' THEN
                    PERFORM audits.append('inner', tg_argv[0], org_id => new.org_id);
                END IF;
                RETURN new;
            END
            $function$""")
        for name, timing in (("a_first", "BEFORE"), ("z_last", "BEFORE"), ("z_after", "AFTER")):
            connection.execute(
                f"CREATE TRIGGER {name} {timing} INSERT ON audits.audit_log FOR EACH ROW EXECUTE FUNCTION public.append_inside('{name}')")
        self.addCleanup(connection.execute, "DROP FUNCTION public.append_inside() CASCADE")
        connection.execute(
            "INSERT INTO audits.audit_log (org_id, entity, action, payload)"
            " SELECT %(org_id)s, 'outer', 'outer.' || i, jsonb_build_object('id', audits.append('value', 'x', org_id => %(org_id)s))"
            " FROM generate_series(1, 20) AS i", {"org_id": org_id})
        self.assertEqual(
            connection.execute(
                "SELECT entity, count(*) FROM audits.audit_log WHERE org_id = %s GROUP BY 1 ORDER BY 1", (org_id,)).fetchall(),
            [("inner", 60), ("outer", 20), ("value", 20)])

    def test_under_session_replication_role_replica(self):
        org_id = self.new_tenant()
        connection = self.connect()
        connection.execute("SET session_replication_role = replica")
        self.assertEqual([self.insert(connection, org_id=org_id) for _ in range(3)], [1, 2, 3])
        # A partition that was made later has the trigger too.
        self.superuser.execute("SELECT codeverify.create_partitions('audits.audit_log', 'month', 5, 5)")
        self.assertEqual(
            self.superuser.execute("""
                SELECT DISTINCT t.tgenabled
                FROM pg_trigger AS t
                JOIN pg_partition_tree('audits.audit_log') AS p ON p.relid = t.tgrelid
                WHERE t.tgname = 'audit_log_chain_entry'
            """).fetchall(), [("A",)])

    def test_a_function_that_loads_the_library_first(self):
        """The first thing that a session does is an insert: the trigger loads the library in the middle of it."""
        for isolation in support.ISOLATION_LEVELS:
            with support.connect(DATABASE) as connection:
                connection.execute(f"SET default_transaction_isolation = '{isolation}'")
                self.insert(connection)


if __name__ == "__main__":
    unittest.main()
