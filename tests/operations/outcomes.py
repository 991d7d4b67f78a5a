#!/usr/bin/env python3
"""Failed log-ins are counted and told whatever becomes of the transaction they happen in, with sessions at once, across
restarts and crashes, on a server that preloads the library and on one that does not."""

import itertools
import os
import pathlib
import random
import signal
import threading
import time
import unittest
import uuid

import ledger_support as support
import psycopg

DATABASE = "cv_outcomes"
PRELOAD = "shared_preload_libraries=codeverify"
FLUSH = "codeverify.flush_interval=300ms"
# As a server has them out of the box.
WORKERS = "max_worker_processes=8"
PASSWORD = "correct horse battery"
WRONG = "a wrong password that no log may hold"
DAY = 24 * 60 * 60


def eventually(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds} s: {what}")
        time.sleep(0.05)


class Outcomes:
    """What holds on either kind of server."""

    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster(f"outcomes_{cls.__name__.lower()}")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create(*cls.settings)
        support.create_database(DATABASE)
        cls.numbers = itertools.count()

    def setUp(self):
        self.superuser = self.connect(role=None)

    def connect(self, role="codeverify_service"):
        connection = support.connect(DATABASE)
        self.addCleanup(connection.close)
        if role:
            connection.execute(f"SET ROLE {role}")
        return connection

    def new_user(self):
        """A verified user's address and id."""
        email = f"user-{next(self.numbers)}-{uuid.uuid4().hex[:8]}@example.org"
        with support.connect(DATABASE) as connection:
            connection.execute("SET ROLE codeverify_service")
            answer = support.value(connection, "SELECT auth.register_user(%s, %s)", email, PASSWORD)
            verified = support.value(connection, "SELECT auth.verify_email(%s)", answer["verification_token"])
        self.assertEqual((answer["status"], verified["status"]), ("ok", "ok"))
        return email, answer["user_id"]

    def login(self, connection, email, password=WRONG, **more):
        return support.value(
            connection, "SELECT auth.login(%s, %s, ip_address => %s)", email, password, more.get("ip_address"))

    def status(self, *arguments, **more):
        return self.login(*arguments, **more)["status"]

    def failures(self, email):
        """Of an account: how many there were in a row, and for how many seconds it is locked. As stored."""
        row = self.superuser.execute(
            """
            SELECT failures, coalesce(extract(epoch FROM locked_until - clock_timestamp()), 0)::float8
            FROM auth.login_attempts
            WHERE subject_hash = encode(sha256('account'::bytea || '\\x00'::bytea || convert_to(%s, 'UTF8')), 'hex')
            """, (email,)).fetchone()
        return row or (0, 0)

    def told(self, user_id, reason):
        """How often, in auth.audit_logs and in the ledger."""
        return self.superuser.execute(
            """
            SELECT (SELECT count(*) FROM auth.audit_logs
                    WHERE user_id = %(user)s AND action = 'login.failed' AND status = 'failure' AND details ->> 'reason' = %(reason)s),
                   (SELECT count(*) FROM audits.audit_log
                    WHERE actor_id = %(user)s AND action = 'login.failed' AND payload ->> 'reason' = %(reason)s)
            """, {"user": user_id, "reason": reason}).fetchone()

    def shown(self, user_id):
        """In the user's own row."""
        return self.superuser.execute(
            "SELECT failed_login_attempts, locked_until > now() FROM auth.users WHERE id = %s", (user_id,)).fetchone()

    def set_failures(self, email, failures):
        """As if there had been so many, long ago."""
        self.superuser.execute(
            """
            INSERT INTO auth.login_attempts (subject_hash, kind, failures, last_failed_at)
            VALUES (encode(sha256('account'::bytea || '\\x00'::bytea || convert_to(%s, 'UTF8')), 'hex'), 'account', %s,
                    now() - interval '1 day')
            """, (email, failures))

    def test_who_is_locked_out_does_not_fill_the_ledger(self):
        email, _ = self.new_user()
        self.set_failures(email, 12)
        connection = self.connect()
        self.assertEqual(self.status(connection, email), "invalid_credentials")
        answers = support.value(
            connection, "SELECT array_agg(DISTINCT auth.login(%s, %s) ->> 'status') FROM generate_series(1, 50)", email, WRONG)
        self.assertEqual(answers, ["locked"])
        told = """
            SELECT count(*)
            FROM audits.audit_log
            WHERE action = 'login.failed' AND payload ->> 'reason' = 'locked' AND payload ->> 'email_sha256' = encode(sha256(%s::bytea), 'hex')"""
        eventually(lambda: support.value(self.superuser, told, email) == 10, "the first ten of the minute are told")

    def restart(self, how="stop"):
        self.superuser.close()
        self.cluster._call(how)
        self.cluster.start(*self.settings)
        self.superuser = self.connect(role=None)

    def log(self):
        _, data = self.cluster.owner_and_data()
        return pathlib.Path(data, "server.log").read_text()

    # ---- what a rollback takes away, and what not

    def test_a_counter_in_the_transaction_is_dodged(self):
        self.superuser.execute("CREATE TABLE public.naive (failures int)")
        self.superuser.execute("INSERT INTO public.naive VALUES (0)")
        for _ in range(10):
            self.superuser.execute("BEGIN")
            self.superuser.execute("UPDATE public.naive SET failures = failures + 1")
            self.superuser.execute("ROLLBACK")
        self.assertEqual(support.value(self.superuser, "SELECT failures FROM public.naive"), 0)

    def roll_back(self, connection, email):
        connection.execute("BEGIN")
        self.assertEqual(self.status(connection, email), "invalid_credentials")
        connection.execute("ROLLBACK")

    def roll_back_to_savepoint(self, connection, email):
        connection.execute("BEGIN")
        connection.execute("SAVEPOINT s")
        self.assertEqual(self.status(connection, email), "invalid_credentials")
        connection.execute("ROLLBACK TO SAVEPOINT s")
        connection.execute("COMMIT")

    def catch(self, connection, email):
        connection.execute(f"""
            DO $block$
            BEGIN
                PERFORM auth.login('{email}', '{WRONG}');
                RAISE 'away with it';
            EXCEPTION WHEN raise_exception THEN
            END
            $block$""")

    def cast(self, connection, email):
        with self.assertRaises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("SELECT (auth.login(%s, %s) ->> 'status')::int", (email, WRONG))

    def be_cancelled(self, connection, email):
        """As by statement_timeout, once the attempt is over and the statement is not."""
        def cancel():
            with support.connect(DATABASE) as other:
                eventually(
                    lambda: support.value(
                        other, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep' "
                        "UNION ALL SELECT false LIMIT 1", connection.info.backend_pid), "the statement sleeps")

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with self.assertRaises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT auth.login(%s, %s), pg_sleep(60)", (email, WRONG))
        canceller.join()

    def read_only(self, connection, email):
        connection.execute("BEGIN READ ONLY")
        self.assertEqual(self.status(connection, email), "invalid_credentials")
        connection.execute("COMMIT")

    def serializable(self, connection, email):
        connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        self.assertEqual(self.status(connection, email), "invalid_credentials")
        connection.execute("ROLLBACK")

    def test_failures_survive(self):
        ways = [self.roll_back, self.roll_back_to_savepoint, self.catch, self.cast, self.be_cancelled, self.read_only, self.serializable]
        connection = self.connect()
        users = {way: self.new_user() for way in ways}
        for way in ways:
            way(connection, users[way][0])
        for way, (email, user_id) in users.items():
            with self.subTest(way.__name__):
                eventually(lambda: self.failures(email)[0] == 1, "it is counted")
                eventually(lambda: self.told(user_id, "wrong_password") == (1, 1), "it is told once in each place")

    def test_the_entry_says_when_it_was(self):
        email, user_id = self.new_user()
        before = support.value(self.superuser, "SELECT clock_timestamp()")
        self.roll_back(self.connect(), email)
        after = support.value(self.superuser, "SELECT clock_timestamp()")
        eventually(lambda: self.told(user_id, "wrong_password") == (1, 1), "it is told")
        at, created_at = self.superuser.execute(
            """
            SELECT (a.payload ->> 'at')::timestamptz, l.created_at
            FROM audits.audit_log AS a
            JOIN auth.audit_logs AS l ON l.user_id = a.actor_id AND l.action = a.action
            WHERE a.actor_id = %s AND a.action = 'login.failed'
            """, (user_id,)).fetchone()
        self.assertTrue(before <= at <= after)
        self.assertEqual(at, created_at)

    def test_above_read_committed_one_logs_in(self):
        for level in support.ISOLATION_LEVELS:
            email, _ = self.new_user()
            connection = self.connect()
            connection.execute(f"BEGIN ISOLATION LEVEL {level}")
            connection.execute("SELECT count(*) FROM pg_class")
            self.assertEqual(self.status(connection, email), "invalid_credentials", level)
            self.assertEqual(self.status(connection, email, PASSWORD), "ok", level)
            connection.execute("COMMIT")
            eventually(lambda: self.failures(email)[0] == 0, f"{level}: a success forgets")

    def test_an_old_snapshot_is_no_way_around(self):
        email, _ = self.new_user()
        connection = self.connect()
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM pg_class")
        self.set_failures(email, 20)
        self.assertEqual(self.status(connection, email), "invalid_credentials")
        self.assertEqual(self.status(connection, email), "locked")
        connection.execute("ROLLBACK")

    # ---- many at once

    def test_sixty_four_guesses_at_once(self):
        email, user_id = self.new_user()
        connections = [self.connect() for _ in range(64)]
        answers = []
        barrier = threading.Barrier(len(connections))

        def guess(connection):
            barrier.wait()
            connection.execute("BEGIN")
            answers.append(self.status(connection, email))
            connection.execute("ROLLBACK")

        threads = [threading.Thread(target=guess, args=(connection,)) for connection in connections]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        seconds = time.monotonic() - begun
        heard = answers.count("invalid_credentials")
        # Five, and one more after each delay that has passed since: 1, 2, 4 seconds and so on.
        allowed = 5 + sum(1 for number in range(1, 10) if 2 ** number - 1 <= seconds)
        print(f"{type(self).__name__}: {heard} of 64 guesses heard in {seconds:.1f} s", flush=True)
        self.assertEqual(len(answers), 64)
        self.assertEqual(set(answers), {"invalid_credentials", "locked"})
        self.assertLessEqual(heard, allowed)
        # A worker that its caller has given up on may have counted all the same.
        eventually(lambda: heard <= self.failures(email)[0] <= heard + 5, "as many are counted as were heard")
        # Of so many at once some may not find a process: the server's log has what their rollback takes away.
        logged = sum(user_id in line and "wrong_password" in line for line in self.log().splitlines())
        eventually(lambda: self.told(user_id, "wrong_password") == (heard - logged, heard - logged), "and told")

    def test_twenty_sessions_at_once_are_all_counted(self):
        users = [self.new_user() for _ in range(20)]
        connections = [self.connect() for _ in users]
        answers = []
        threads = [
            threading.Thread(target=lambda connection=connection, user=user: answers.append(self.status(connection, user[0])))
            for connection, user in zip(connections, users)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(answers, ["invalid_credentials"] * 20)
        for email, user_id in users:
            eventually(lambda: self.failures(email)[0] == 1, "each is counted")
            eventually(lambda: self.told(user_id, "wrong_password") == (1, 1), "and told")

    # ---- locks

    def test_an_address_locks_more_than_one_account(self):
        connection = self.connect()
        networks = {"192.0.2.7": "192.0.2.8", "2001:db8:1:1::1": "2001:db8:1:2::1"}
        for number, (address, other) in enumerate(networks.items()):
            answers = [
                self.status(connection, f"nobody-{number}-{turn}@example.org", ip_address=address) for turn in range(20)]
            self.assertEqual(answers, ["invalid_credentials"] * 20)
            # On a busy machine the first second may be over, but not each of those that follow, which double.
            answers = [
                self.status(connection, f"nobody-{number}-{turn}@example.org", ip_address=address.replace("::1", "::2"))
                for turn in range(20, 26)]
            self.assertIn("locked", answers)
            self.assertEqual(
                self.status(connection, f"nobody-{number}-20@example.org", ip_address=other), "invalid_credentials")

    def test_the_user_s_row_shows_it(self):
        email, user_id = self.new_user()
        connection = self.connect()
        for _ in range(3):
            self.status(connection, email)
        eventually(lambda: self.shown(user_id) == (3, None), "three failures are shown")
        self.assertEqual(self.status(connection, email, PASSWORD), "ok")
        eventually(lambda: self.shown(user_id) == (0, None), "none after a success")
        captured = support.value(
            self.superuser,
            "SELECT count(*) FROM audits.audit_log WHERE action = 'row.updated' AND resource_id = %s "
            "AND payload::text LIKE '%%locked_until%%'", user_id)
        self.assertEqual(captured, 0, "which is no change that the ledger tells of")

    def test_a_hundred_in_a_row(self):
        email, user_id = self.new_user()
        self.set_failures(email, 99)
        connection = self.connect()
        self.assertEqual(self.login(connection, email)["status"], "invalid_credentials")
        answer = self.login(connection, email, PASSWORD)
        self.assertEqual((answer["status"], answer["retry_at"]), ("locked", None))
        eventually(lambda: self.shown(user_id) == (100, True), "the row says so")
        self.assertGreater(self.failures(email)[1], 100 * 365 * DAY)

        unlocked = support.value(connection, "SELECT auth.unlock_user(%s)", user_id)
        self.assertEqual(unlocked["status"], "ok")
        self.assertEqual(self.status(connection, email, PASSWORD), "ok")
        eventually(lambda: self.shown(user_id) == (0, None), "nor is the row locked any more")

    def test_a_lock_survives_a_restart(self):
        email, _ = self.new_user()
        self.set_failures(email, 12)
        self.assertEqual(self.status(self.connect(), email), "invalid_credentials")
        self.restart()
        self.assertEqual(self.status(self.connect(), email, PASSWORD), "locked")
        self.assertEqual(self.failures(email)[0], 13)
        self.assertGreater(self.failures(email)[1], 200)

    def test_what_is_stored_survives_a_crash(self):
        email, _ = self.new_user()
        self.set_failures(email, 12)
        self.assertEqual(self.status(self.connect(), email), "invalid_credentials")
        eventually(lambda: self.failures(email)[0] == 13, "it is stored")
        self.restart("kill9")
        self.assertEqual(self.status(self.connect(), email, PASSWORD), "locked")

    # ---- entries about what is gone, or was never there

    def test_a_user_that_is_rolled_back_is_no_actor(self):
        connection = self.connect()
        connection.execute("BEGIN")
        email = f"unborn-{uuid.uuid4().hex}@example.org"
        user_id = support.value(connection, "SELECT auth.register_user(%s, %s)", email, PASSWORD)["user_id"]
        self.assertEqual(self.status(connection, email), "invalid_credentials")
        connection.execute("ROLLBACK")
        eventually(
            lambda: self.superuser.execute(
                """
                SELECT (SELECT count(*) FROM audits.audit_log
                        WHERE actor_id IS NULL AND action = 'login.failed' AND payload ->> 'user_id' = %(user)s),
                       (SELECT count(*) FROM auth.audit_logs
                        WHERE user_id IS NULL AND action = 'login.failed' AND details ->> 'user_id' = %(user)s)
                """, {"user": user_id}).fetchone() == (1, 1), "it is told without an actor")

    def test_tokens_that_belong_to_nobody_are_counted(self):
        connection = self.connect()
        told = """
            SELECT count(*)::int, coalesce(sum((details ->> 'count')::int), 0)::int
            FROM auth.audit_logs
            WHERE details ->> 'token' = 'email_verification' AND created_at > %s
        """
        begun = support.value(self.superuser, "SELECT clock_timestamp()")
        token = support.value(
            connection, "SELECT auth.register_user(%s, %s)", f"{uuid.uuid4().hex}@example.org", PASSWORD)["verification_token"]
        self.superuser.execute("DELETE FROM auth.email_verifications")
        connection.execute("BEGIN")
        for _ in range(50):
            self.assertEqual(support.value(connection, "SELECT auth.verify_email(%s)", token)["status"], "invalid")
        connection.execute("ROLLBACK")
        eventually(lambda: self.superuser.execute(told, (begun,)).fetchone()[0] > 0, "something is told")
        entries, count = self.superuser.execute(told, (begun,)).fetchone()
        self.assertEqual(entries, 1)
        self.assertTrue(1 <= count <= 50)

    # ---- at last

    def test_zz_the_ledger_is_whole_and_no_log_has_a_secret(self):
        self.assertEqual(support.faults_of(DATABASE), [])
        log = self.log()
        for secret in (PASSWORD, WRONG, "PANIC", "SEGV", "signal 11", "signal 6"):
            self.assertNotIn(secret, log)
        entries = support.value(
            self.superuser,
            "SELECT count(*) FROM audits.audit_log WHERE payload::text LIKE ANY (ARRAY[%s, %s])",
            f"%{PASSWORD}%", f"%{WRONG}%")
        self.assertEqual(entries, 0)


class Preloaded(Outcomes, unittest.TestCase):
    settings = (PRELOAD, FLUSH, WORKERS)

    def test_nobody_waits_for_a_row(self):
        email, user_id = self.new_user()
        self.superuser.execute("BEGIN")
        self.superuser.execute("SELECT FROM auth.users WHERE id = %s FOR UPDATE", (user_id,))
        connection = self.connect()
        connection.execute("SET statement_timeout = '20s'")
        self.assertEqual(self.status(connection, email), "invalid_credentials")
        eventually(lambda: self.failures(email)[0] == 1, "it is counted though the user's row is locked")
        self.superuser.execute("ROLLBACK")
        eventually(lambda: self.shown(user_id) == (1, None), "and shown when it is not any more")

    def test_what_is_in_memory_is_lost_in_a_crash_and_nothing_else(self):
        email, user_id = self.new_user()
        connection = self.connect()
        self.status(connection, email)
        eventually(lambda: self.told(user_id, "wrong_password") == (1, 1), "it is told")
        self.restart("kill9")
        self.assertEqual(self.status(self.connect(), email, PASSWORD), "ok")

    def test_a_full_queue_loses_what_comes_and_says_how_much(self):
        _, user_id = self.new_user()
        # Each is told by itself: they are about different tokens.
        tokens = [support.well_formed("cv_reset_", random) for _ in range(1500)]
        self.superuser.execute("""
            INSERT INTO auth.password_resets (user_id, email, token_hash, expires_at, used)
            SELECT u.id, u.email, encode(sha256(t.token::bytea), 'hex'), now() + interval '1 hour', true
            FROM auth.users AS u
            CROSS JOIN unnest(%s::text[]) AS t (token)
            WHERE u.id = %s""", (tokens, user_id))
        connection = self.connect()
        told = "SELECT count(*) FROM auth.audit_logs WHERE action = 'password.reset_failed' AND details ->> 'reason' = 'used'"
        dropped = "SELECT coalesce(sum((details ->> 'count')::int), 0) FROM auth.audit_logs WHERE action = 'outcomes.dropped'"
        self.superuser.execute("BEGIN")
        # The writer waits for this, the sessions do not.
        self.superuser.execute("LOCK TABLE auth.audit_logs IN EXCLUSIVE MODE")
        answers = support.value(
            connection,
            "SELECT array_agg(DISTINCT auth.reset_password(t.token, %s) ->> 'status') FROM unnest(%s::text[]) AS t (token)",
            PASSWORD, tokens)
        self.assertEqual(answers, ["used"])
        self.superuser.execute("COMMIT")
        eventually(
            lambda: support.value(self.superuser, told) + support.value(self.superuser, dropped) == 1500,
            "each is told, or counted as dropped", 90)
        lost = support.value(self.superuser, dropped)
        print(f"{lost} of 1500 outcomes found the queue full", flush=True)
        self.assertGreater(lost, 0)
        self.assertEqual(self.log().count("the queue of outcomes is full"), lost)


class NotPreloaded(Outcomes, unittest.TestCase):
    settings = (WORKERS,)

    def test_a_lock_of_the_caller_does_not_hang_it(self):
        email, _ = self.new_user()
        self.set_failures(email, 1)
        connection = self.connect(role=None)
        connection.execute("BEGIN")
        connection.execute("UPDATE auth.login_attempts SET failures = failures")
        self.assertEqual(self.status(connection, email, PASSWORD), "locked")
        connection.execute("ROLLBACK")
        self.assertEqual(self.status(connection, email, PASSWORD), "ok")
        self.assertIn("canceling statement due to lock timeout", self.log())

    def test_who_cannot_be_counted_does_not_log_in(self):
        email, _ = self.new_user()
        # What is asked for last is done first.
        self.addCleanup(self.restart)
        self.addCleanup(setattr, NotPreloaded, "settings", (WORKERS,))
        NotPreloaded.settings = ("max_worker_processes=1",)
        # The server starts one that takes the only place.
        self.restart()
        connection = self.connect()
        connection.execute("BEGIN")
        answer = self.login(connection, email, PASSWORD)
        self.assertEqual(answer["status"], "locked")
        self.assertIsNotNone(answer["retry_at"])
        connection.execute("COMMIT")
        locked = support.value(
            self.superuser, "SELECT count(*) FROM auth.audit_logs WHERE action = 'login.failed' AND details ->> 'reason' = 'locked'")
        self.assertGreater(locked, 0, "it is told in the caller's transaction")
        log = self.log()
        self.assertIn("codeverify could not record an outcome apart from its transaction", log)
        self.assertIn("no background worker was free", log)

    def start_login(self, connection, *arguments):
        """In a thread; returns it, and a list that gets the status or the error."""
        results = []

        def work():
            try:
                results.append(self.status(connection, *arguments))
            except psycopg.Error as error:
                results.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        return thread, results

    def test_a_caller_that_is_cancelled_leaves_the_job_to_its_worker(self):
        email, _ = self.new_user()
        self.set_failures(email, 0)
        connection, holder = self.connect(), self.connect(role=None)
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'codeverify transaction' AND wait_event_type = 'Lock'"
        timeouts = lambda: self.log().count("canceling statement due to lock timeout")
        for _ in range(4):
            before, failures = timeouts(), self.failures(email)[0]
            # The worker has the job, and waits here.
            with holder.transaction():
                holder.execute("UPDATE auth.login_attempts SET failures = failures")
                thread, results = self.start_login(connection, email)
                eventually(lambda: timeouts() > before or support.value(self.superuser, waiting) == 1, "a worker waits")
                self.superuser.execute("SELECT pg_cancel_backend(%s)", (connection.info.backend_pid,))
                thread.join()
            # On a busy machine it may have waited for longer than it may.
            eventually(
                lambda: self.failures(email)[0] == failures + 1 or timeouts() > before, f"attempt {failures + 1} is counted")
            if timeouts() == before:
                self.assertIsInstance(results[0], psycopg.errors.QueryCanceled)
        self.assertGreater(self.failures(email)[0], 0)
        self.assertEqual(self.status(connection, email, PASSWORD), "ok")

    def stop_postmaster(self):
        """No process starts until this is undone; those that run go on."""
        _, data = self.cluster.owner_and_data()
        pid = int(pathlib.Path(data, "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        return lambda: os.kill(pid, signal.SIGCONT)

    def test_a_worker_that_starts_late(self):
        email, _ = self.new_user()
        connection = self.connect()
        go_on = self.stop_postmaster()
        thread, results = self.start_login(connection, email, PASSWORD)
        time.sleep(3)
        self.superuser.execute("SELECT pg_cancel_backend(%s)", (connection.info.backend_pid,))
        thread.join(0.5)
        self.assertEqual(results, [], "a statement that is cancelled waits until its attempt is counted")
        go_on()
        thread.join()
        self.assertIsInstance(results[0], psycopg.errors.QueryCanceled)
        eventually(lambda: self.failures(email)[0] == 1, "the attempt is counted")

        go_on = self.stop_postmaster()
        thread, results = self.start_login(connection, email, PASSWORD)
        time.sleep(3)
        go_on()
        thread.join()
        self.assertEqual(results, ["ok"], "it is not refused for that")

    def test_a_session_that_is_to_end_waits_for_no_worker(self):
        email, _ = self.new_user()
        connection = self.connect()
        go_on = self.stop_postmaster()
        thread, results = self.start_login(connection, email, PASSWORD)
        eventually(
            lambda: support.value(
                self.superuser, "SELECT wait_event = 'Extension' FROM pg_stat_activity WHERE pid = %s", connection.info.backend_pid),
            "it waits")
        self.superuser.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        # Until the server goes on there is none.
        thread.join(30)
        go_on()
        self.assertIsInstance(results[0], psycopg.errors.AdminShutdown)


if __name__ == "__main__":
    support.run_at_once(__file__, Preloaded, NotPreloaded)
