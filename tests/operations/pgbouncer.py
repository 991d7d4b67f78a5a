#!/usr/bin/env python3
"""The real PgBouncer in transaction mode: two tenants, transaction by transaction, on one connection of the server. None
sees a row of the other, and one that does not authenticate sees none. And what a client can leave behind for the next:
what the server keeps from it, and what only the pool can."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import ledger_support as support

import psycopg

DATABASE = "cv_pgbouncer"
LOGIN = "cv_pool"
BOUND = "cv_pool_bound"
TRANSACTIONS = support.size(10_000)
AUTHENTICATE = {
    "key": "SELECT auth.authenticate_api_key(%s) ->> 'status'",
    "session": "SELECT auth.authenticate_session(%s) ->> 'status'",
}
SEEN = """
    SELECT pg_backend_pid(), tenancy.current_org_id(),
           (SELECT array_agg(DISTINCT s.org_id) FROM tenancy.services AS s), (SELECT count(*) FROM tenancy.services)
"""
ROWS = 3
CLIENTS = 6


def find_program():
    path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    return shutil.which("pgbouncer", path=path) or support.sys.exit("there is no pgbouncer: run scripts/setup")


class Pool:
    """A PgBouncer of its own, with one connection to the server."""

    def __init__(self, **settings):
        self.directory = Path(tempfile.mkdtemp(prefix="cv-pool-"))
        (self.directory / "users.txt").write_text("".join(f'"{login}" ""\n' for login in (LOGIN, BOUND)))
        self.port = 6432
        settings = {
            "listen_port": self.port,
            "unix_socket_dir": self.directory,
            "auth_type": "any",
            "auth_file": self.directory / "users.txt",
            "pool_mode": "transaction",
            "default_pool_size": 1,
            "max_client_conn": 50,
            "ignore_startup_parameters": "extra_float_digits,options",
            "logfile": self.directory / "log",
            "pidfile": self.directory / "pid",
        } | settings
        lines = ["[databases]"]
        lines += [
            f"{login} = host={os.environ['PGHOST']} port={os.environ['PGPORT']} dbname={DATABASE} user={login}"
            for login in (LOGIN, BOUND)]
        lines += ["[pgbouncer]", *(f"{name} = {value}" for name, value in settings.items())]
        (self.directory / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        command = [find_program(), str(self.directory / "pgbouncer.ini")]
        if os.geteuid() == 0:
            # It refuses to run as root; the server's socket is open to the server's own user.
            user = Path(os.environ["PGHOST"]).owner()
            subprocess.run(["chown", "-R", user, str(self.directory)], check=True)
            command = ["runuser", "-u", user, "--", *command]
        self.process = subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()

    def wait(self):
        deadline = time.monotonic() + 20
        while not (self.directory / f".s.PGSQL.{self.port}").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.directory / "log"
                raise support.Fault(f"pgbouncer does not start: {log.read_text() if log.exists() else ''}")
            time.sleep(0.02)

    def connect(self, login=LOGIN):
        # Its own prepared statements are none that another connection of the server knows.
        return psycopg.connect(
            host=str(self.directory), port=self.port, dbname=login, user=login, autocommit=True, prepare_threshold=None)

    def stop(self):
        # runuser hands the signal on.
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.directory)


class World:
    """Two tenants with rows and a key each, and the logins of the pool."""


def create_key(superuser, tenant):
    return support.value(superuser, "SELECT api_key FROM auth.create_api_key(%s, 'key', '[\"write\"]')", tenant.org_id)


def open_session(superuser, tenant):
    email, password = f"{tenant.org_id}@example.org", "correct horse battery staple"
    user = support.value(superuser, "SELECT auth.register_user(%s, %s)", email, password)
    superuser.execute("SELECT auth.verify_email(%s)", (user["verification_token"],))
    superuser.execute(
        "INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (%s, %s, 'developer')", (tenant.org_id, user["user_id"]))
    return support.value(superuser, "SELECT auth.login(%s, %s)", email, password)["session_token"]


def setUpModule():
    support.create_database(DATABASE)
    unittest.addModuleCleanup(support.drop_logins)
    unittest.addModuleCleanup(support.drop_database, DATABASE)
    World.tenants = support.create_tenants(DATABASE, 2)
    with support.connect(DATABASE) as superuser:
        superuser.execute(f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC")
        for login in (LOGIN, BOUND):
            support.drop_login(login)
            superuser.execute(f"CREATE ROLE {login} LOGIN IN ROLE codeverify_tenant")
            unittest.addModuleCleanup(support.drop_login, login)
        superuser.execute("SELECT tenancy.bind_role(%s, %s)", (BOUND, World.tenants[0].org_id))
        World.secrets = []
        for tenant in World.tenants:
            superuser.execute(
                "INSERT INTO tenancy.services (org_id, name) SELECT %s, 'service ' || n FROM generate_series(1, %s) AS n",
                (tenant.org_id, ROWS))
            World.secrets.append({"key": create_key(superuser, tenant), "session": open_session(superuser, tenant)})


class Fixture(unittest.TestCase, World):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.pool = Pool(**cls.settings)
        cls.addClassCleanup(cls.pool.stop)

    def connect(self, login=LOGIN):
        connection = self.pool.connect(login)
        self.addCleanup(connection.close)
        return connection

    def two_clients(self):
        one, other = self.connect(), self.connect()
        self.assertEqual(
            support.value(one, "SELECT pg_backend_pid()"), support.value(other, "SELECT pg_backend_pid()"),
            "they share a connection")
        return one, other

    def authenticate(self, connection, number, kind="key"):
        self.assertEqual(support.value(connection, AUTHENTICATE[kind], self.secrets[number][kind]), "ok")


class Tenants(Fixture):
    """As PgBouncer comes: in transaction mode it cleans nothing up between clients."""

    def test_ten_thousand_transactions(self):
        faults, processes, counts = [], set(), []
        turns = -(-TRANSACTIONS // CLIENTS)

        def client(number):
            which, kind = number % 3, ("key", "session")[number // 3 % 2]
            tenant = self.tenants[which] if which < 2 else None
            expected = (tenant.org_id, [tenant.org_id], ROWS) if tenant else (None, None, 0)
            count = 0
            try:
                with self.pool.connect() as connection:
                    for turn in range(turns):
                        with connection.transaction(force_rollback=turn % 5 == 0), connection.pipeline():
                            if tenant:
                                status = connection.execute(AUTHENTICATE[kind], (self.secrets[which][kind],))
                            seen = connection.execute(SEEN)
                        if tenant and status.fetchone() != ("ok",):
                            faults.append("a key was refused")
                        process, *found = seen.fetchone()
                        processes.add(process)
                        if tuple(found) != expected:
                            faults.append(f"{expected} was expected, {found} was found")
                        count += 1
            except Exception as error:
                faults.append(repr(error))
            counts.append(count)

        clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        self.assertEqual(faults, [])
        self.assertEqual(len(processes), 1, "all shared one connection")
        self.assertEqual(sum(counts), CLIENTS * turns)

    def test_a_failed_transaction_leaves_no_context(self):
        one, other = self.two_clients()
        for statement in ("SELECT 1/0", "ROLLBACK AND CHAIN", "SAVEPOINT s"):
            one.execute("BEGIN")
            self.authenticate(one, 0)
            try:
                one.execute(statement)
            except psycopg.Error:
                pass
            one.execute("ROLLBACK")
            self.assertEqual(other.execute(SEEN).fetchone()[1:], (None, None, 0), statement)

    def test_a_client_that_vanishes_leaves_no_context(self):
        one, other = self.connect(), self.connect()
        one.execute("BEGIN")
        self.authenticate(one, 0)
        one.close()
        self.assertEqual(other.execute(SEEN).fetchone()[1:], (None, None, 0))

    def test_a_bound_login_is_bound_in_the_pool_too(self):
        one, other = self.connect(BOUND), self.connect(BOUND)
        org_id = self.tenants[0].org_id
        for connection in (one, other):
            self.assertEqual(connection.execute(SEEN).fetchone()[1:], (org_id, [org_id], ROWS))
        one.execute("DISCARD ALL")
        self.assertEqual(other.execute(SEEN).fetchone()[1:], (org_id, [org_id], ROWS))
        self.assertEqual(self.connect().execute(SEEN).fetchone()[1:], (None, None, 0), "and no other login")

    # ---- what a client may leave behind, and the server keeps from the next

    def test_prepared_statements_show_the_rows_of_who_executes(self):
        one, other = self.two_clients()
        one.execute("BEGIN")
        self.authenticate(one, 0)
        one.execute("PREPARE mine AS SELECT array_agg(DISTINCT org_id) FROM tenancy.services")
        for _ in range(10):
            one.execute("EXECUTE mine")
        one.execute("COMMIT")
        self.assertEqual(other.execute("EXECUTE mine").fetchone(), (None,), "without a context it has no rows")
        other.execute("BEGIN")
        self.authenticate(other, 1)
        self.assertEqual(other.execute("EXECUTE mine").fetchone(), ([self.tenants[1].org_id],))
        other.execute("COMMIT")
        one.execute("DEALLOCATE mine")

    def test_settings_of_the_context_are_out_of_reach(self):
        one, other = self.two_clients()
        one.execute(SEEN)
        for name, value in (("org_id", self.tenants[0].org_id), ("member_role", "owner")):
            with self.assertRaises(psycopg.errors.InsufficientPrivilege):
                one.execute("SELECT set_config(%s, %s, false)", (f"codeverify.{name}", str(value)))
        self.assertEqual(other.execute(SEEN).fetchone()[1:], (None, None, 0))

    def test_discard_all_is_no_way_out_of_a_context(self):
        one, other = self.two_clients()
        one.execute("BEGIN")
        self.authenticate(one, 0)
        with self.assertRaises(psycopg.errors.ActiveSqlTransaction):
            one.execute("DISCARD ALL")
        one.execute("ROLLBACK")
        one.execute("DISCARD ALL")
        self.assertEqual(other.execute(SEEN).fetchone()[1:], (None, None, 0))

    def test_temporary_tables_are_not_made(self):
        one, _ = self.two_clients()
        one.execute("BEGIN")
        self.authenticate(one, 0)
        with self.assertRaises(psycopg.errors.InsufficientPrivilege):
            one.execute("CREATE TEMPORARY TABLE loot AS SELECT * FROM tenancy.services")
        one.execute("ROLLBACK")

    # ---- what only the pool can keep from the next: seen to be left behind here

    def leave_behind(self, connection):
        connection.execute("BEGIN")
        self.authenticate(connection, 0)
        connection.execute("DECLARE loot CURSOR WITH HOLD FOR SELECT org_id FROM tenancy.services")
        connection.execute("SELECT pg_advisory_lock(4711)")
        connection.execute("SELECT set_config('application.note', 'of a', false)")
        connection.execute("SET search_path = tenancy")
        connection.execute("PREPARE note AS SELECT 'of a'")
        connection.execute("LISTEN note")
        connection.execute("COMMIT")

    def left_behind(self, connection):
        return connection.execute("""
            SELECT (SELECT count(*) FROM pg_cursors WHERE name = 'loot'),
                   (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
                   nullif(current_setting('application.note', true), ''),
                   current_setting('search_path') = 'tenancy',
                   (SELECT count(*) FROM pg_prepared_statements WHERE name = 'note'),
                   (SELECT count(*) FROM pg_listening_channels())
        """).fetchone()

    def test_what_is_left_behind(self):
        one, other = self.two_clients()
        self.leave_behind(one)
        self.assertEqual(self.left_behind(other), (1, 1, "of a", True, 1, 1))
        self.assertEqual(
            other.execute("FETCH 1 FROM loot").fetchone(), (self.tenants[0].org_id,), "rows of one tenant for another")
        one.execute("DISCARD ALL")


class Cleaned(Tenants):
    """With server_reset_query_always, the pool cleans up after every transaction."""

    settings = {"server_reset_query": "DISCARD ALL", "server_reset_query_always": 1}

    def test_ten_thousand_transactions(self):
        """Once is enough."""

    def test_prepared_statements_show_the_rows_of_who_executes(self):
        one, other = self.two_clients()
        one.execute("PREPARE mine AS SELECT 1")
        with self.assertRaises(psycopg.errors.InvalidSqlStatementName):
            other.execute("EXECUTE mine")

    def test_what_is_left_behind(self):
        one, other = self.two_clients()
        self.leave_behind(one)
        self.assertEqual(self.left_behind(other), (0, 0, None, False, 0, 0))


if __name__ == "__main__":
    unittest.main()
