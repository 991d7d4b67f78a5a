#!/usr/bin/env python3
"""auth.check_rate_limit() with sessions at once, rollbacks, restarts, crashes, little memory and several databases, on a
server that preloads the library and on one that does not."""

import collections
import functools
import re
import subprocess
import threading
import time
import unittest
import uuid

import ledger_support as support
from ledger_replication import Standby

DATABASE = "cv_rate_limits"
OTHER = "cv_rate_limits_other"
PRELOAD = "shared_preload_libraries=codeverify"
FLUSH = "codeverify.flush_interval=300ms"
SESSIONS = 16
UNLIMITED = 1_000_000


def make_keys(database, count):
    """An organization with that many keys."""
    with support.connect(database) as connection:
        org_id = support.value(
            connection,
            "INSERT INTO tenancy.organizations (name, login, github_id) VALUES ('x', %s, %s) RETURNING id",
            uuid.uuid4().hex[:30], uuid.uuid4().int % 10**15)
        rows = connection.execute(
            "INSERT INTO auth.api_keys (org_id, name, key_hash) "
            "SELECT %s, 'key', encode(sha256(gen_random_uuid()::text::bytea), 'hex') "
            "FROM generate_series(1, %s) RETURNING id", (org_id, count))
        return [row[0] for row in rows]


def make_key(database=DATABASE):
    return make_keys(database, 1)[0]


def check(connection, key, most, cost=1):
    """allowed and remaining."""
    return connection.execute(
        "SELECT allowed, remaining FROM auth.check_rate_limit(%s, %s, %s)", (key, most, cost)).fetchone()


def stored(connection, key):
    return support.value(
        connection, "SELECT coalesce(sum(count), 0)::int FROM auth.api_key_rate_buckets WHERE api_key_id = %s", key)


def within_a_minute(seconds):
    """Waits, if need be, until the minute has that long to go."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left + 0.05)


def again_in_another_minute(test):
    """A test that fails while a minute ends tells nothing, since counting began anew: it is made again."""
    @functools.wraps(test)
    def run(self):
        for _ in range(3):
            minute = time.time() // 60
            try:
                return test(self)
            except (AssertionError, support.psycopg.Error) as error:
                if time.time() // 60 == minute:
                    raise
                print(f"once more, since a minute has ended: {error}", flush=True)
        return test(self)

    return run


class ByTheMinute(unittest.TestCase):
    def __init_subclass__(cls):
        for name, test in list(vars(cls).items()):
            if name.startswith("test_"):
                setattr(cls, name, again_in_another_minute(test))


def eventually(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def writers(connection):
    return support.value(
        connection, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'codeverify writer'")


def in_threads(count, work):
    results = [None] * count

    def run(number):
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def use_up(key, most, sessions):
    """Sessions at once that use a key until it is refused, half of them in transactions that are rolled back: how many
    uses were allowed."""
    def session(number):
        allowed = 0
        with support.connect(DATABASE) as connection:
            connection.execute(f"SET default_transaction_isolation = '{support.ISOLATION_LEVELS[number % 3]}'")
            if number % 2:
                connection.execute("BEGIN")
                connection.execute("CREATE TEMPORARY TABLE written ()")
            while check(connection, key, most)[0]:
                allowed += 1
            if number % 2:
                connection.execute("ROLLBACK")
        return allowed

    return sum(in_threads(sessions, session))


def delete_a_key(test):
    """One that another session uses again and again."""
    key = make_key()
    within_a_minute(3)
    with support.connect(DATABASE) as client, support.connect(DATABASE) as other:
        test.assertEqual(check(client, key, 100), (True, 99))
        other.execute("BEGIN")
        other.execute("DELETE FROM auth.api_keys WHERE id = %s", (key,))
        test.assertEqual(check(client, key, 100), (True, 98), "not yet")
        other.execute("ROLLBACK")
        test.assertEqual(check(client, key, 100), (True, 97), "nothing is lost")
        other.execute("DELETE FROM auth.api_keys WHERE id = %s", (key,))
        test.assertEqual([check(client, key, 100) for _ in range(2)], [(False, 0)] * 2, "at once")


class Preloaded(ByTheMinute):
    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster("preloaded")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create(PRELOAD, FLUSH)
        support.create_database(DATABASE)

    def restart(self, *settings):
        self.cluster._call("stop")
        self.cluster.start(PRELOAD, *(settings or (FLUSH,)))

    def test_sessions_at_once_get_exactly_the_limit(self):
        key = make_key()
        within_a_minute(4)
        self.assertEqual(use_up(key, 5000, SESSIONS), 5000)
        with support.connect(DATABASE) as connection:
            self.assertEqual(check(connection, key, 5000), (False, 0))
            self.assertEqual(check(connection, key, 5003, 4), (False, 3), "too much takes nothing")
            self.assertEqual(check(connection, key, 5003, 3), (True, 0))
            eventually(lambda: stored(connection, key) == 5003, "flushed")

    def test_a_key_that_is_deleted_is_refused_at_once(self):
        delete_a_key(self)

    def test_savepoints_keep_counts(self):
        key = make_key()
        within_a_minute(1)
        with support.connect(DATABASE) as connection:
            connection.execute("BEGIN; SAVEPOINT s")
            check(connection, key, 10)
            connection.execute("ROLLBACK TO s")
            check(connection, key, 10)
            with self.assertRaises(Exception):
                connection.execute("SELECT 1 / (remaining - 7) FROM auth.check_rate_limit(%s, 10)", (key,))
            connection.execute("ROLLBACK")
            self.assertEqual(check(connection, key, 10), (True, 6))

    def test_restarts_lose_nothing(self):
        key = make_key()
        within_a_minute(4)
        with support.connect(DATABASE) as connection:
            for _ in range(7):
                check(connection, key, 100)
        self.restart()
        with support.connect(DATABASE) as connection:
            self.assertEqual(check(connection, key, 100), (True, 92))
        # At once after the first use since the start, so that there may be no writer yet.
        for use in range(3):
            self.restart()
            with support.connect(DATABASE) as connection:
                self.assertEqual(check(connection, key, 100), (True, 91 - use))

    def test_sessions_that_a_shutdown_ends_lose_nothing(self):
        key = make_key()
        within_a_minute(4)
        allowed = collections.Counter()

        def session(number):
            try:
                with support.connect(DATABASE) as connection:
                    while True:
                        allowed[number] += check(connection, key, UNLIMITED)[0]
            except support.psycopg.OperationalError:
                pass

        threads = [threading.Thread(target=session, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        self.restart()
        for thread in threads:
            thread.join()
        with support.connect(DATABASE) as connection:
            counted = stored(connection, key)
        # An answer may have been on its way when its session was ended.
        self.assertGreaterEqual(counted, sum(allowed.values()))
        self.assertLessEqual(counted, sum(allowed.values()) + 4)

    def test_a_crash_loses_what_was_not_flushed(self):
        key = make_key()
        within_a_minute(4)
        with support.connect(DATABASE) as connection:
            for _ in range(5):
                check(connection, key, 100)
            eventually(lambda: stored(connection, key) == 5, "flushed")
            for _ in range(3):
                check(connection, key, 100)
        self.cluster.kill9()
        self.cluster.start(PRELOAD, FLUSH)
        with support.connect(DATABASE) as connection:
            allowed, remaining = check(connection, key, 100)
            self.assertTrue(allowed)
            self.assertIn(remaining, range(91, 95))
            eventually(lambda: stored(connection, key) == 100 - remaining, "flushed after the crash")

    def test_one_crashed_session_leaves_shared_memory_in_order(self):
        key = make_key()
        within_a_minute(4)
        with support.connect(DATABASE) as connection:
            check(connection, key, 100)
            eventually(lambda: stored(connection, key) == 1, "flushed")
            owner, _ = self.cluster.owner_and_data()
            subprocess.run(["kill", "-9", str(connection.info.backend_pid)], check=True)

        def is_up():
            try:
                with support.connect(DATABASE) as connection:
                    return check(connection, key, 100)[0]
            except support.psycopg.OperationalError:
                return False

        eventually(is_up, "recovered")
        with support.connect(DATABASE) as connection:
            self.assertEqual(check(connection, key, 100), (True, 97))
            eventually(lambda: stored(connection, key) == 3, "flushed")

    def test_keys_that_make_room_for_others_keep_their_counts(self):
        self.restart("codeverify.rate_limit_keys=128", "codeverify.flush_interval=100ms")
        self.addCleanup(self.restart)
        keys = make_keys(DATABASE, 400)
        within_a_minute(6)
        with support.connect(DATABASE) as connection:
            for use in range(3):
                for key in keys:
                    self.assertEqual(check(connection, key, 2), (use < 2, max(0, 1 - use)), f"use {use}")
            eventually(
                lambda: {stored(connection, key) for key in keys} == {2}, "every key is flushed")

    def test_when_memory_is_full_of_changes_tables_count(self):
        self.restart("codeverify.rate_limit_keys=128", "codeverify.flush_interval=60s", "max_worker_processes=6")
        self.addCleanup(self.restart)
        keys = make_keys(DATABASE, 200)
        within_a_minute(6)
        with support.connect(DATABASE) as connection:
            check(connection, make_key(), 1)
            time.sleep(1)  # the first flush, after which none comes
            for use in range(3):
                for key in keys:
                    self.assertEqual(check(connection, key, 2), (use < 2, max(0, 1 - use)), f"use {use}")
            leased = support.value(
                connection, "SELECT count(*) FROM auth.api_key_rate_buckets WHERE api_key_id = ANY (%s)", keys)
            self.assertIn(leased, range(72, 200))

    def test_databases_are_dropped_and_copied_soon_after_use(self):
        support.create_database(OTHER)
        key = make_key(OTHER)
        with support.connect(OTHER) as connection:
            check(connection, key, 10)
        with support.connect("postgres") as connection:
            # Either would be refused if a writer stayed for five seconds.
            connection.execute(f"CREATE DATABASE {OTHER}_copy TEMPLATE {OTHER}")
            with support.connect(OTHER) as other:
                check(other, key, 10)
            connection.execute(f"DROP DATABASE {OTHER}")
            support.drop_database(f"{OTHER}_copy")
            # The launcher goes on.
            with support.connect(DATABASE) as mine:
                key = make_key()
                check(mine, key, 10)
                eventually(lambda: stored(mine, key) > 0, "flushed")

    def test_databases_count_apart(self):
        support.create_database(OTHER)
        self.addCleanup(support.drop_database, OTHER)
        key = make_key()
        within_a_minute(2)
        with support.connect(DATABASE) as here, support.connect(OTHER) as there:
            self.assertEqual(check(there, key, 10), (False, 0), "a key of another database")
            row = here.execute("SELECT org_id, key_hash FROM auth.api_keys WHERE id = %s", (key,)).fetchone()
            there.execute("INSERT INTO tenancy.organizations (id, name, login, github_id) VALUES (%s, 'x', 'x', 1)", row[:1])
            there.execute(
                "INSERT INTO auth.api_keys (id, org_id, name, key_hash) VALUES (%s, %s, 'key', %s)", (key, *row))
            for use in range(3):
                self.assertEqual(check(here, key, 10, 2), (True, 8 - 2 * use))
                self.assertEqual(check(there, key, 10), (True, 9 - use))
            eventually(lambda: (stored(here, key), stored(there, key)) == (6, 3), "both are flushed")
            eventually(lambda: writers(here) == 0, "writers end")

    def test_what_has_gone_is_forgotten(self):
        support.create_database(OTHER)
        self.addCleanup(support.drop_database, OTHER)
        key = make_key(OTHER)
        with support.connect(OTHER) as connection:
            self.drop_extension(connection, key)
            eventually(lambda: writers(connection) == 0, "the writer ends")
        with support.connect(OTHER) as connection:
            connection.execute("CREATE EXTENSION codeverify")
            key = make_key(OTHER)
            within_a_minute(1)
            self.assertEqual(check(connection, key, 10), (True, 9))
            eventually(lambda: stored(connection, key) == 1, "flushed")

    def drop_extension(self, connection, key):
        """In the midst of a flush, which is waited for with no lock that the writer might need."""
        with support.connect(OTHER) as gate, support.connect(OTHER) as remover:
            gate.execute("SELECT pg_advisory_lock(1)")
            connection.execute(
                "CREATE FUNCTION public.linger() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
                "WHILE NOT pg_try_advisory_xact_lock_shared(1) LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN NULL; END$$")
            connection.execute(
                "CREATE TRIGGER linger AFTER INSERT ON auth.api_key_rate_buckets EXECUTE FUNCTION public.linger()")
            check(connection, key, 10)
            eventually(lambda: support.value(
                connection, "SELECT EXISTS (SELECT FROM pg_stat_activity "
                "WHERE datname = %s AND backend_type = 'codeverify writer' AND wait_event = 'PgSleep')", OTHER), "it flushes")
            # Nobody else comes to stand in line, with all that writes behind him.
            with support.connect(OTHER, options="-c role=codeverify_tenant -c lock_timeout=1s") as anybody:
                with self.assertRaises(support.psycopg.errors.InsufficientPrivilege):
                    anybody.execute("DROP EXTENSION codeverify")
            errors = []

            def remove():
                try:
                    remover.execute(f"SELECT codeverify.uninstall('{OTHER}'); DROP EXTENSION codeverify")
                except support.psycopg.Error as error:
                    errors.append(error)

            removal = threading.Thread(target=remove)
            removal.start()
            pid = remover.info.backend_pid
            eventually(lambda: support.value(connection, "SELECT cardinality(pg_blocking_pids(%s)) > 0", pid), "it waits")
            held = support.value(
                connection, "SELECT count(*) FROM pg_locks "
                "WHERE pid = %s AND locktype = 'relation' AND mode = 'AccessExclusiveLock' AND granted", pid)
            gate.execute("SELECT pg_advisory_unlock(1)")
            removal.join()
            self.assertEqual((held, errors), (0, []))

    def test_errors_lose_nothing(self):
        key = make_key()
        within_a_minute(5)
        with support.connect(DATABASE) as connection:
            connection.execute(
                "CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RAISE 'not now'; END$$")
            connection.execute(
                "CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON auth.api_key_rate_buckets EXECUTE FUNCTION public.refuse()")
            for _ in range(3):
                check(connection, key, 10)
            eventually(lambda: re.match("warning: .* failed [0-9]+ times in a row", self.diagnose(connection)), "doctor() tells")
            self.assertEqual(stored(connection, key), 0)
            self.assertEqual(check(connection, key, 10), (True, 6))
            connection.execute("DROP FUNCTION public.refuse CASCADE")
            eventually(lambda: stored(connection, key) == 4, "flushed")
            eventually(lambda: self.diagnose(connection).startswith("ok: "), "healthy")
            self.assertRegex(self.diagnose(connection), "last written to tables at 20[0-9-]+ [0-9:]+")

    def diagnose(self, connection):
        return support.value(
            connection, "SELECT status || ': ' || detail FROM codeverify.doctor() WHERE check_name = 'preload'")

    def test_a_locked_key_keeps_nobody_waiting(self):
        other, *keys = make_keys(DATABASE, 6)
        within_a_minute(4)
        with support.connect(DATABASE) as holder, support.connect(DATABASE) as connection:
            holder.execute("BEGIN")
            holder.execute("SELECT FROM auth.api_keys WHERE id = ANY (%s) FOR UPDATE", (keys,))
            seconds = []
            for key in keys:
                began = time.monotonic()
                check(connection, key, 10)
                seconds.append(time.monotonic() - began)
            # The others may have met a busy machine.
            self.assertLess(min(seconds), 0.3)
            check(connection, other, 10)
            eventually(lambda: stored(connection, other) == 1, "the other is flushed")
            self.assertEqual({stored(connection, key) for key in keys}, {0})
            holder.execute("ROLLBACK")
            eventually(lambda: {stored(connection, key) for key in keys} == {1}, "flushed once it is free")

    def test_without_processes_for_writers(self):
        self.restart(FLUSH, "max_worker_processes=2", "max_logical_replication_workers=0")
        self.addCleanup(self.restart)
        key = make_key()
        within_a_minute(4)
        blocker = support.connect(DATABASE)
        with support.connect(DATABASE) as connection:
            connection.execute("SET max_parallel_workers_per_gather = 0")
            for _ in range(4):
                self.assertTrue(check(connection, key, 10)[0])
            eventually(lambda: stored(connection, key) == 4, "flushed")
        blocker.close()
        self.restart("codeverify.flush_interval=300ms", "max_worker_processes=1", "max_logical_replication_workers=0")
        with support.connect(DATABASE) as connection:
            within_a_minute(3)
            key = make_key()
            for _ in range(4):
                self.assertTrue(check(connection, key, 10)[0])
            time.sleep(1.5)
            self.assertEqual(stored(connection, key), 0)
        self.restart()
        with support.connect(DATABASE) as connection:
            self.assertEqual(stored(connection, key), 4, "the launcher has written it")

    def test_uses_of_keys_are_told_of_once_a_minute(self):
        org_id = support.create_tenants(DATABASE, 1)[0].org_id
        with support.connect(DATABASE) as connection:
            self.addCleanup(support.drop_logins)
            key, text = connection.execute(
                "SELECT * FROM auth.create_api_key(%s, 'used', '[\"read\"]')", (org_id,)).fetchone()
            late, late_text = connection.execute(
                "SELECT * FROM auth.create_api_key(%s, 'late', '[\"read\"]')", (org_id,)).fetchone()
            connection.execute(
                "UPDATE auth.api_keys SET created_at = now() - interval '2 days', expires_at = now() - interval '1 day' "
                "WHERE id = %s", (late,))

            def authenticate(text, scope=None):
                connection.execute("BEGIN")
                answer = support.value(connection, "SELECT auth.authenticate_api_key(%s, %s)", text, scope)
                connection.execute("ROLLBACK")
                return answer["status"]

            def told():
                return connection.execute(
                    "SELECT action, details ->> 'reason', sum((details ->> 'count')::int)::int, count(*) "
                    "FROM auth.audit_logs WHERE org_id = %s AND action IN ('api_key.authenticated', 'api_key.refused') "
                    "GROUP BY 1, 2 ORDER BY 1, 2", (org_id,)).fetchall()

            def uses(number):
                for _ in range(number):
                    self.assertEqual(authenticate(text), "ok")
                    self.assertEqual(authenticate(text, "admin"), "insufficient_scope")
                    self.assertEqual(authenticate(late_text), "expired")

            uses(1)
            # A key's refusal may come a moment after its use was told of.
            eventually(lambda: len(told()) >= 2, "the first is told of at once")
            self.assertTrue(support.value(
                connection, "SELECT last_used_at > now() - interval '1 minute' FROM auth.api_keys WHERE id = %s", key))
            uses(4)
            time.sleep(1)
            self.assertEqual({row[3] for row in told()}, {1}, "others are not")
            # Though none of it has been told, nothing keeps a writer in the database.
            eventually(lambda: writers(connection) == 0, "the writer ends")
        self.restart()
        with support.connect(DATABASE) as connection:
            rows = told()
            self.assertEqual([row[:3] for row in rows], [
                ("api_key.authenticated", None, 5),
                ("api_key.refused", "expired", 5),
                ("api_key.refused", "insufficient_scope", 5)], "but when the server goes down")
            entries = support.value(
                connection, "SELECT count(*) FROM audits.audit_log WHERE org_id = %s AND action ~ '^api_key.(auth|ref)'", org_id)
            self.assertEqual(entries, sum(row[3] for row in rows), "and in the ledger too")
            self.assertLessEqual(entries, 6)

    def test_uses_of_keys_in_all_databases_outlive_a_restart(self):
        """The launcher can tell of those in one of them as it ends, and leaves the others to the next."""
        support.create_database(OTHER)
        self.addCleanup(support.drop_database, OTHER)
        keys = {}
        for database in (DATABASE, OTHER):
            with support.connect(database) as connection:
                org_id = support.value(
                    connection, "INSERT INTO tenancy.organizations (name, login, github_id) VALUES ('x', %s, %s) RETURNING id",
                    uuid.uuid4().hex[:30], uuid.uuid4().int % 10**15)
                keys[database] = connection.execute(
                    "SELECT * FROM auth.create_api_key(%s, 'used', '[\"read\"]')", (org_id,)).fetchone()

        def told(database):
            with support.connect(database) as connection:
                return support.value(
                    connection, "SELECT coalesce(sum((details ->> 'count')::int), 0)::int FROM auth.audit_logs "
                    "WHERE action = 'api_key.authenticated' AND resource = %s", str(keys[database][0]))

        def use(database, number):
            with support.connect(database) as connection:
                for _ in range(number):
                    connection.execute("BEGIN")
                    self.assertEqual(support.value(
                        connection, "SELECT auth.authenticate_api_key(%s) ->> 'status'", keys[database][1]), "ok")
                    connection.execute("ROLLBACK")

        for database in keys:
            use(database, 1)
        for database in keys:
            eventually(lambda: told(database) == 1, f"the first in {database} is told of at once")
        for database in keys:
            use(database, 4)
        with support.connect("postgres") as connection:
            eventually(lambda: writers(connection) == 0, "nobody waits to tell of the others")
        for _ in range(2):
            self.restart()
            for database in keys:
                eventually(lambda: told(database) == 5, f"those in {database} are told of once, after the start at the latest")

    def test_old_counts_are_removed(self):
        key = make_key()
        with support.connect(DATABASE) as connection:
            connection.execute(
                "INSERT INTO auth.api_key_rate_buckets (api_key_id, window_start, count, org_id) "
                "SELECT k.id, date_trunc('minute', now() - interval '25 hours') - n * interval '1 minute', 1, k.org_id "
                "FROM auth.api_keys AS k, generate_series(1, 50) AS n WHERE k.id = %s", (key,))
            check(connection, key, 10)
            eventually(lambda: stored(connection, key) == 1, "removed")

    def test_keys_that_are_not_there(self):
        with support.connect(DATABASE) as connection:
            for _ in range(500):
                self.assertEqual(check(connection, uuid.uuid4(), 10), (False, 0))
            key = make_key()
            connection.execute("BEGIN")
            connection.execute("DELETE FROM auth.api_keys WHERE id = %s", (key,))
            self.assertEqual(check(connection, key, 10), (False, 0))
            connection.execute("ROLLBACK")
            self.assertTrue(check(connection, key, 10)[0])

    def test_a_key_of_the_same_transaction(self):
        with support.connect(DATABASE) as connection:
            within_a_minute(1)
            connection.execute("BEGIN")
            key = support.value(
                connection,
                "INSERT INTO auth.api_keys (org_id, name, key_hash) SELECT org_id, 'new', encode(sha256(%s), 'hex') "
                "FROM auth.api_keys LIMIT 1 RETURNING id", uuid.uuid4().bytes)
            self.assertEqual(check(connection, key, 10), (True, 9))
            time.sleep(1)
            self.assertEqual(check(connection, key, 10), (True, 8))
            connection.execute("COMMIT")
            self.assertEqual(check(connection, key, 10), (True, 7))
            eventually(lambda: stored(connection, key) == 3, "flushed")


class NotPreloaded(ByTheMinute):
    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster("not_preloaded")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create("max_worker_processes=16")
        support.create_database(DATABASE)

    def test_sessions_at_once_get_no_more_than_the_limit(self):
        key = make_key()
        within_a_minute(4)
        allowed = use_up(key, 1000, 6)
        self.assertLessEqual(allowed, 1000)
        # Each leaves at most what it was about to use.
        self.assertGreater(allowed, 1000 - 6 * 50)
        with support.connect(DATABASE) as connection:
            self.assertEqual(stored(connection, key), 1000)

    def test_rollbacks_keep_counts(self):
        key = make_key()
        within_a_minute(2)
        with support.connect(DATABASE) as connection:
            connection.execute("BEGIN")
            self.assertEqual(check(connection, key, 3), (True, 2))
            connection.execute("ROLLBACK")
            self.assertEqual(check(connection, key, 3, 3), (False, 2))
            self.assertEqual(check(connection, key, 3, 2), (True, 0))
        with support.connect(DATABASE) as connection:
            self.assertEqual(check(connection, key, 3), (False, 0))

    def test_a_key_that_is_deleted_is_refused_at_once(self):
        delete_a_key(self)

    def test_an_open_transaction_keeps_nobody_waiting(self):
        key = make_key()
        within_a_minute(2)
        with support.connect(DATABASE) as holder, support.connect(DATABASE) as connection:
            holder.execute("BEGIN")
            check(holder, key, 10)
            began = time.monotonic()
            self.assertEqual(check(connection, key, 10), (True, 8))
            self.assertLess(time.monotonic() - began, 5)

    def test_without_processes_a_session_counts_by_itself(self):
        self.cluster._call("stop")
        self.cluster.start("max_worker_processes=0")
        self.addCleanup(self.cluster.start)
        self.addCleanup(self.cluster._call, "stop")
        key = make_key()
        within_a_minute(4)
        with support.connect(DATABASE) as connection:
            self.assertEqual([check(connection, key, 3) for _ in range(4)], [(True, 2), (True, 1), (True, 0), (False, 0)])


class OnAStandby(unittest.TestCase):
    def set_up(self, *settings):
        """A standby of a primary on which a key was used three times."""
        primary = support.Cluster("primary")
        self.addCleanup(primary.destroy)
        primary.create(FLUSH)
        with support.connect("postgres") as connection:
            for setting in settings:
                connection.execute(f"ALTER SYSTEM SET {setting}")
        primary._call("stop")
        primary.start(FLUSH)
        support.create_database(DATABASE)
        key = make_key()
        standby = Standby(primary)
        self.addCleanup(standby.stop)
        standby.start()
        within_a_minute(15)
        with support.connect(DATABASE) as connection:
            for _ in range(3):
                check(connection, key, 10)
            eventually(lambda: stored(connection, key) == 3, "flushed")
        eventually(lambda: self.stored_there(standby, key) == 3, "replicated")
        return standby, key

    def stored_there(self, standby, key):
        with support.connect(DATABASE, port=standby.port) as connection:
            return stored(connection, key)

    def test_preloaded(self):
        standby, key = self.set_up("shared_preload_libraries = codeverify")
        with support.connect(DATABASE, port=standby.port) as connection:
            self.assertEqual(check(connection, key, 10), (True, 6), "on top of what the primary has written")
        with support.connect(DATABASE, port=standby.port) as connection:
            self.assertEqual(check(connection, key, 10), (True, 5), "all its sessions together")
            self.assertRegex(
                support.value(connection, "SELECT status || detail FROM codeverify.doctor() WHERE check_name = 'preload'"), "^ok")
        self.assertEqual(self.stored_there(standby, key), 3, "and writes nothing")
        standby.promote()
        with support.connect(DATABASE, port=standby.port) as connection:
            eventually(lambda: not support.value(connection, "SELECT pg_is_in_recovery()"), "promoted")
            self.assertEqual(check(connection, key, 10), (True, 4))
            eventually(lambda: stored(connection, key) == 6, "until it is promoted")

    def test_not_preloaded(self):
        standby, key = self.set_up()
        for _ in range(2):
            with support.connect(DATABASE, port=standby.port) as connection:
                self.assertEqual(check(connection, key, 4), (True, 0), "each session by itself")
                self.assertEqual(check(connection, key, 4), (False, 0))


if __name__ == "__main__":
    support.run_at_once(__file__, Preloaded, NotPreloaded, OnAStandby)
