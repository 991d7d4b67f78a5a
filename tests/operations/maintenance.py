#!/usr/bin/env python3
"""codeverify.maintain() in processes of its own: two at once, a step that fails, a caller that is cancelled or gone, a
worker that is killed, a server that is stopped in the middle of a step, no process to be had; and the background worker
that runs it every so often."""

import os
import signal
import threading
import time
import unittest

import ledger_support as support

import psycopg

DATABASE = "cv_maintenance"
TEMPLATE = "cv_maintenance_template"
OWNER = "cv_maintenance_owner"
WORKER = "SELECT pid, query FROM pg_stat_activity WHERE backend_type = 'codeverify maintenance' AND datname = current_database()"

# A delete takes as long as public.pace says (and no longer, when that changes), or fails where it says so; and it is noted
# who deletes, at the commit.
PACE = """
    CREATE TABLE public.pace (seconds float8, fails_at bigint);
    INSERT INTO public.pace VALUES (0, NULL);
    CREATE TABLE public.seen (username text);
    GRANT SELECT ON public.pace TO public;
    GRANT INSERT ON public.seen TO public;
    CREATE FUNCTION public.slow_down() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        since timestamptz := clock_timestamp();
        pace public.pace;
    BEGIN
        LOOP
            SELECT * INTO pace FROM public.pace;
            EXIT WHEN pace.seconds <= extract(epoch FROM clock_timestamp() - since);
            PERFORM pg_sleep(least(0.05, pace.seconds));
        END LOOP;
        IF to_jsonb(OLD) ->> 'email' = pace.fails_at || '@example.org' THEN
            RAISE 'not this row';
        END IF;
        RETURN OLD;
    END $$;
    CREATE FUNCTION public.note_role() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.seen VALUES (current_user);
        RETURN NULL;
    END $$;
    CREATE TRIGGER slow_down BEFORE DELETE ON auth.email_verifications FOR EACH ROW EXECUTE FUNCTION public.slow_down();
    CREATE TRIGGER slow_down BEFORE DELETE ON tenancy.deleted_organizations FOR EACH ROW EXECUTE FUNCTION public.slow_down();
    CREATE CONSTRAINT TRIGGER note_role AFTER DELETE ON auth.email_verifications
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.note_role();
    INSERT INTO auth.users (username, email) VALUES ('maintained', 'maintained@example.org');
"""

# As the database's owner may set it for everybody: another's operators, and what would stop a run or change its meaning.
SETTINGS = f"""
    SET ROLE {OWNER};
    CREATE SCHEMA evil;
    GRANT USAGE ON SCHEMA evil TO public;
    CREATE TABLE evil.ran (username text);
    GRANT INSERT ON evil.ran TO public;
    CREATE FUNCTION evil.text_eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO evil.ran VALUES (current_user);
        RETURN $1 OPERATOR(pg_catalog.=) $2;
    END $$;
    CREATE OPERATOR evil.= (FUNCTION = evil.text_eq, LEFTARG = text, RIGHTARG = text);
    ALTER DATABASE {DATABASE} SET search_path = evil, pg_catalog;
    ALTER DATABASE {DATABASE} SET exit_on_error = on;
    ALTER DATABASE {DATABASE} SET default_transaction_read_only = on;
    ALTER DATABASE {DATABASE} SET default_transaction_isolation = 'serializable';
    ALTER DATABASE {DATABASE} SET quote_all_identifiers = on;
    ALTER DATABASE {DATABASE} SET transform_null_equals = on;
    ALTER DATABASE {DATABASE} SET statement_timeout = '1ms';
    ALTER DATABASE {DATABASE} SET role = {OWNER};
    RESET ROLE;
"""


def eventually(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.03)


class OnAServer(unittest.TestCase):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster(f"maintenance_{cls.__name__.lower()}")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create("restart_after_crash=on", *cls.settings)
        support.create_database(TEMPLATE)
        with support.connect(TEMPLATE) as connection:
            # What a new database is due for. From here on time stands still for whoever calls, so that nothing else is.
            cls.clock = support.value(connection, "SELECT set_config('codeverify.clock', now()::text, false)")
            connection.execute("SELECT codeverify.maintain()")
            connection.execute(PACE)

    def setUp(self):
        support.drop_database(DATABASE)
        with support.connect("postgres") as other:
            other.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
        self.admin = self.connect()

    def connect(self):
        connection = support.connect(
            DATABASE, options="-c role=none -c default_transaction_read_only=off -c statement_timeout=0 -c search_path=pg_catalog")
        self.addCleanup(connection.close)
        connection.execute("SELECT set_config('codeverify.clock', %s, false)", (self.clock,))
        return connection

    def value(self, statement, *parameters):
        return support.value(self.admin, statement, *parameters)

    def expire(self, count, first=1):
        """Makes rows that are past their time; one that is not is there too."""
        self.admin.execute(
            "INSERT INTO auth.email_verifications (user_id, email, token_hash, created_at, expires_at) "
            "SELECT u.id, n || '@example.org', encode(sha256(n::text::bytea), 'hex'), now() - interval '30 days', "
            "CASE n WHEN 0 THEN now() ELSE now() - interval '20 days' + n * interval '1 second' END "
            "FROM auth.users AS u, generate_series(%s::int, %s::int) AS n WHERE u.username = 'maintained' "
            "UNION ALL SELECT u.id, '0@example.org', encode(sha256('0'), 'hex'), now() - interval '1 day', now() "
            "FROM auth.users AS u WHERE u.username = 'maintained' "
            "ON CONFLICT DO NOTHING", (first, first + count - 1))

    def left(self):
        return self.value("SELECT count(*) FROM auth.email_verifications")

    def pace(self, seconds=0.0, fails_at=None):
        self.admin.execute("UPDATE public.pace SET seconds = %s, fails_at = %s", (seconds, fails_at))

    def maintain(self, only=None, connection=None):
        """The rows, without how long they took."""
        return [row[:4] for row in (connection or self.admin).execute("SELECT * FROM codeverify.maintain(%s)", (only,)).fetchall()]

    def in_background(self, connection, only=None):
        """A thread that calls it, and what comes of it."""
        outcome = {}

        def call():
            try:
                outcome["rows"] = self.maintain(only, connection)
            except psycopg.Error as error:
                outcome["error"] = error

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        return thread, outcome

    def await_step(self, step="codeverify: clean_up of auth.email_verifications"):
        """The pid of the worker, once it is at a step."""
        eventually(lambda: any(query == step for _, query in self.admin.execute(WORKER)), f"a worker is at {step}")
        return self.admin.execute(WORKER).fetchone()[0]

    def await_end(self):
        eventually(lambda: not self.admin.execute(WORKER).fetchall(), "the worker is gone")

    def reconnect(self):
        """After a crash or a stop, when all sessions have ended."""
        def is_gone():
            try:
                self.admin.execute("SELECT 1")
            except psycopg.Error:
                return True
            return False

        eventually(is_gone, "the session has ended")

        def is_up():
            try:
                self.admin = self.connect()
            except psycopg.OperationalError:
                return False
            return True

        eventually(is_up, "the server is back")

    def log(self):
        user, data = self.cluster.owner_and_data()
        return "".join(path.read_text(errors="replace") for path in log_files(data))


def log_files(data):
    folder = support.Path(data)
    return sorted(path for place in (folder, folder.parent, folder / "log") if place.is_dir()
                  for path in place.iterdir() if path.is_file() and path.name.endswith("log"))


class Called(OnAServer):
    settings = ("max_worker_processes=8",)

    def test_two_at_once(self):
        self.expire(1)
        self.pace(60)
        thread, outcome = self.in_background(self.connect())
        self.await_step()
        eventually(
            lambda: self.admin.execute("SELECT operation, relation::text FROM codeverify.progress").fetchall()
            == [("maintain", "codeverify.maintenance_tasks")], "its progress is shown")
        self.assertEqual([row[:3] for row in self.maintain()], [("maintain", "", "skipped")])
        self.assertTrue(thread.is_alive(), "the second does not wait")
        self.pace()
        thread.join(30)
        self.assertEqual([row[:3] for row in outcome["rows"]], [("clean_up", "auth.email_verifications", "deleted")])
        self.assertEqual(self.maintain(), [])

    def test_what_was_done_before_a_failure_stays(self):
        self.expire(1500)
        self.pace(0, 1200)
        self.admin.execute(
            "INSERT INTO auth.session_revocations (session_id, reason, revoked_at) "
            "VALUES (gen_random_uuid(), 'logout', now() - interval '8 days')")
        session = self.connect()
        session.execute("BEGIN")
        rows = self.maintain(connection=session)
        session.execute("ROLLBACK")
        self.assertEqual([row[1:3] for row in rows], [
            ("auth.session_revocations", "deleted"), ("auth.email_verifications", "deleted"),
            ("auth.email_verifications", "failed")])
        self.assertEqual(self.left(), 501)
        self.assertEqual(
            self.admin.execute(
                "SELECT last_error, runs, failures FROM codeverify.maintenance_tasks WHERE target = 'auth.email_verifications'").fetchone(),
            ("not this row", 2, 1))
        for _ in range(3):
            self.maintain()
        self.assertEqual(self.log().count("failed: not this row"), 1, "the log has one line of it")
        self.pace()
        self.maintain()
        self.assertEqual(self.left(), 1)
        self.assertEqual(self.value("SELECT count(*) FROM codeverify.maintenance_tasks WHERE last_error IS NOT NULL"), 0)

    def test_rows_are_as_many_as_there_are(self):
        self.admin.execute("INSERT INTO tenancy.deleted_organizations (id) SELECT gen_random_uuid() FROM generate_series(1, 300)")
        self.assertEqual(len(self.maintain("organizations")), 300)

    def test_steps_are_the_owners_to_the_end(self):
        self.expire(1)
        self.maintain()
        self.assertEqual(self.admin.execute("SELECT DISTINCT username FROM public.seen").fetchall(), [("codeverify_owner",)])

    def test_settings_of_a_database_change_nothing(self):
        self.admin.execute(f"DROP ROLE IF EXISTS {OWNER}")
        self.admin.execute(f"CREATE ROLE {OWNER}")
        self.admin.execute(f"ALTER DATABASE {DATABASE} OWNER TO {OWNER}")
        self.admin.execute(SETTINGS)
        self.expire(1500)
        self.assertEqual([row[2] for row in self.maintain()], ["deleted"] * 2)
        self.assertEqual(self.value("SELECT count(*) FROM evil.ran"), 0)

    def test_the_worker_has_the_callers_clock(self):
        self.expire(1)
        session = self.connect()
        session.execute("SET codeverify.clock = '2000-01-01 00:00:00+00'")
        self.assertEqual(self.maintain("clean_up", session), [])
        session.execute("SET codeverify.clock = '2199-01-01 00:00:00+00'")
        self.maintain("clean_up", session)
        self.assertEqual(self.left(), 0)

    def test_a_caller_that_is_cancelled_stops_the_worker(self):
        for end in ("pg_cancel_backend", "pg_terminate_backend"):
            with self.subTest(end):
                self.pace()
                self.expire(1)
                self.pace(60)
                session = self.connect()
                caller = session.info.backend_pid
                thread, outcome = self.in_background(session)
                self.await_step()
                self.admin.execute(f"SELECT {end}(%s)", (caller,))
                thread.join(30)
                self.assertIn(outcome["error"].sqlstate, ("57014", "57P01"))
                self.await_end()
                self.assertEqual(self.left(), 2, "the step left nothing behind")
        self.pace()
        self.assertEqual([row[2] for row in self.maintain("clean_up")], ["deleted"])

    def test_a_worker_that_is_cancelled_is_told_of(self):
        self.expire(1)
        self.pace(60)
        thread, outcome = self.in_background(self.connect())
        self.admin.execute("SELECT pg_cancel_backend(%s)", (self.await_step(),))
        thread.join(30)
        self.assertEqual(outcome["error"].sqlstate, "VC096")

    def test_a_worker_that_is_killed(self):
        self.expire(3000)
        self.pace(0.002)
        thread, _ = self.in_background(self.connect())
        worker = self.await_step()
        eventually(lambda: self.left() <= 2001, "a step is committed")
        os.kill(worker, signal.SIGKILL)
        thread.join(30)
        self.reconnect()
        left = self.left()
        self.assertIn(left, (1, 1001, 2001), "steps are whole")
        self.pace()
        self.maintain()
        self.assertEqual(self.left(), 1, "what is not past its time is there, and nothing else")

    def test_a_server_that_is_stopped_in_a_long_step(self):
        self.expire(1)
        self.pace(60)
        self.in_background(self.connect())
        self.await_step()
        since = time.monotonic()
        self.cluster._call("stop")
        self.assertLess(time.monotonic() - since, 30)
        self.cluster.start("restart_after_crash=on", *self.settings)
        self.reconnect()
        self.assertEqual(self.left(), 2)

    def test_nothing_is_due_in_no_time(self):
        self.maintain()
        session = self.connect()
        times = []
        for _ in range(20):
            since = time.monotonic()
            self.assertEqual(self.maintain(connection=session), [])
            times.append(time.monotonic() - since)
        print(f"nothing due: {sorted(times)[10] * 1000:.1f} ms, the first {times[0] * 1000:.1f} ms")


class Crowded(OnAServer):
    """The launcher of logical replication has the only process."""

    settings = ("max_worker_processes=1",)

    def test_without_a_worker_it_is_done_here(self):
        self.expire(1)
        self.admin.execute("BEGIN")
        self.assertEqual([row[:3] for row in self.maintain()], [
            ("maintain", "", "degraded"), ("clean_up", "auth.email_verifications", "deleted")])
        self.assertEqual([row[:3] for row in self.maintain(connection=self.connect())], [("maintain", "", "skipped")])
        self.admin.execute("ROLLBACK")
        self.assertEqual(self.left(), 2, "and all is rolled back with the caller")


class Launched(OnAServer):
    settings = ("shared_preload_libraries=codeverify", "max_worker_processes=8")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with support.connect("postgres") as connection:
            connection.execute(f"ALTER SYSTEM SET codeverify.maintenance_databases = '{DATABASE}, \"postgres\", nowhere'")
        cls.set_interval("1s")

    @staticmethod
    def set_interval(interval):
        with support.connect("postgres") as connection:
            connection.execute(f"ALTER SYSTEM SET codeverify.maintenance_interval = '{interval}'")
            connection.execute("SELECT pg_reload_conf()")

    def runs(self):
        return self.value("SELECT coalesce(max(runs), 0) FROM codeverify.maintenance_tasks WHERE task = 'maintain'")

    def test_it_runs_again_and_again_as_the_owner(self):
        self.expire(2500)
        eventually(lambda: self.left() == 1, "what is past its time is gone")
        self.assertEqual(self.admin.execute("SELECT DISTINCT username FROM public.seen").fetchall(), [("codeverify_owner",)])
        self.expire(1, 3000)
        eventually(lambda: self.left() == 1, "and again")
        told = '"postgres" has no tables of codeverify to maintain'
        eventually(lambda: told in self.log(), "a database without any is told of")
        before, runs = self.log(), self.runs()
        eventually(lambda: self.runs() >= runs + 3, "it goes on")
        self.assertEqual(self.log().count(told), before.count(told), "once")
        self.assertLessEqual(
            self.log().count('database "nowhere" does not exist') - before.count('database "nowhere" does not exist'), 1,
            "failures put the next attempt off")

    def test_new_settings_count_at_once(self):
        self.set_interval("0")
        self.addCleanup(self.set_interval, "1s")
        eventually(lambda: self.value("SHOW codeverify.maintenance_interval") == "0", "the setting is there")
        # One that the launcher started before it read the setting may still come.
        counts = []

        def none_came():
            time.sleep(1.5)
            counts.append(self.runs())
            return len(counts) > 1 and counts[-1] == counts[-2]

        eventually(none_came, "no more runs")
        self.await_end()

    def test_a_crash_in_the_middle_of_a_step(self):
        self.pace(30)
        self.expire(1)
        os.kill(self.await_step(), signal.SIGKILL)
        self.reconnect()
        self.pace()
        eventually(lambda: self.left() == 1, "it is done after the restart")

    def test_the_server_stops_at_once(self):
        self.pace(60)
        self.expire(1)
        self.await_step()
        since = time.monotonic()
        self.cluster._call("stop")
        self.assertLess(time.monotonic() - since, 30)
        self.cluster.start("restart_after_crash=on", *self.settings)
        self.reconnect()
        self.assertEqual(self.left(), 2)
        self.pace()

    def test_a_database_can_be_dropped(self):
        self.pace(0.2)
        self.admin.execute("INSERT INTO tenancy.deleted_organizations (id) SELECT gen_random_uuid() FROM generate_series(1, 200)")
        eventually(lambda: any("organizations of" in query for _, query in self.admin.execute(WORKER)), "it is at work")
        self.admin.close()
        # An error, where it waited for five seconds in vain.
        with support.connect("postgres") as other:
            other.execute(f"DROP DATABASE {DATABASE}")


if __name__ == "__main__":
    support.run_at_once(__file__, Called, Crowded, Launched)
