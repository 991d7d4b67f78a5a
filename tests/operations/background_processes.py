#!/usr/bin/env python3
"""What background processes run, and as whom, in a database whose owner wishes otherwise; and what they do with the ledger
of one organization that somebody holds, with a batch that fails, and with a database that is moved."""

import secrets
import subprocess
import time
import unittest

import ledger_support as support

DATABASE = "cv_background"
TEMPLATE = "cv_background_template"
OWNER = "cv_background_owner"
# As a session is that the database's settings do not reach.
SAFE = "-c search_path=pg_catalog"

# Operators and functions that the database's owner would like to have run: they say as whom they were.
EVIL = """
    SET ROLE cv_background_owner;
    CREATE SCHEMA evil;
    GRANT USAGE ON SCHEMA evil TO public;
    CREATE TABLE evil.ran (name text, username text);
    GRANT INSERT ON evil.ran TO public;
    CREATE FUNCTION evil.name_eq(name, name) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO evil.ran VALUES ('=', current_user);
        RETURN $1 OPERATOR(pg_catalog.=) $2;
    END $$;
    CREATE OPERATOR evil.= (FUNCTION = evil.name_eq, LEFTARG = name, RIGHTARG = name);
    CREATE FUNCTION evil.text_eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO evil.ran VALUES ('=', current_user);
        RETURN $1 OPERATOR(pg_catalog.=) $2;
    END $$;
    CREATE OPERATOR evil.= (FUNCTION = evil.text_eq, LEFTARG = text, RIGHTARG = text);
    CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO evil.ran VALUES ('lower', current_user);
        RETURN pg_catalog.lower($1);
    END $$;
    ALTER DATABASE cv_background SET search_path = evil, pg_catalog;
    RESET ROLE;
"""

# What else the database's owner can set for it.
SETTINGS = """
    SET ROLE cv_background_owner;
    ALTER DATABASE cv_background SET exit_on_error = on;
    ALTER DATABASE cv_background SET default_transaction_read_only = on;
    ALTER DATABASE cv_background SET default_transaction_isolation = 'serializable';
    ALTER DATABASE cv_background SET transform_null_equals = on;
    ALTER DATABASE cv_background SET role = cv_background_owner;
    RESET ROLE;
"""

# A trigger that waits for the commit, and says as whom it runs.
DEFERRED = """
    CREATE TABLE public.committed (username text);
    GRANT INSERT ON public.committed TO public;
    CREATE FUNCTION public.note_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.committed VALUES (current_user);
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER note_commit AFTER INSERT ON auth.login_attempts
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.note_commit();
"""


def eventually(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class OnAServer(unittest.TestCase):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster(f"background_{cls.__name__.lower()}")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create(*cls.settings)
        support.create_database(TEMPLATE)

    def setUp(self):
        support.drop_database(DATABASE)
        with support.connect("postgres") as other:
            other.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
        self.admin = self.connect()

    def connect(self):
        # SET ROLE NONE, since a database may say otherwise.
        connection = support.connect(DATABASE, options=f"{SAFE} -c role=none -c default_transaction_read_only=off")
        self.addCleanup(connection.close)
        return connection

    def value(self, statement, *parameters):
        return support.value(self.admin, statement, *parameters)


class Attacks:
    """What holds on either kind of server."""

    def setUp(self):
        super().setUp()
        self.admin.execute(f"DROP ROLE IF EXISTS {OWNER}")
        self.admin.execute(f"CREATE ROLE {OWNER}")
        self.admin.execute(f"ALTER DATABASE {DATABASE} OWNER TO {OWNER}")
        self.admin.execute(DEFERRED)

    def test_the_owner_of_a_database_runs_nothing_as_another(self):
        self.admin.execute(EVIL)
        self.fail_to_log_in()
        self.assertEqual(self.admin.execute("SELECT DISTINCT name, username FROM evil.ran").fetchall(), [])

    def test_what_waits_for_the_commit_is_run_by_the_owner(self):
        self.fail_to_log_in()
        self.assertEqual(
            self.admin.execute("SELECT DISTINCT username FROM public.committed").fetchall(), [("codeverify_owner",)])

    def test_settings_of_a_database_stop_nothing(self):
        self.admin.execute(SETTINGS)
        self.fail_to_log_in()

    def fail_to_log_in(self):
        """Fails, and sees that this is written."""
        session = self.connect()
        session.execute("BEGIN; SET LOCAL ROLE codeverify_service")
        answer = support.value(session, "SELECT auth.login('nobody@example.org', 'not the password')")
        session.execute("ROLLBACK")
        self.assertEqual(answer["status"], "invalid_credentials")
        eventually(lambda: self.value("SELECT count(*) FROM public.committed") > 0, "the failure is counted")
        eventually(
            lambda: self.value("SELECT count(*) FROM auth.audit_logs WHERE action = 'login.failed'") > 0,
            "the failure is told")


class NotPreloaded(Attacks, OnAServer):
    pass


class AttacksOnAWriter(Attacks, OnAServer):
    settings = ("shared_preload_libraries=codeverify", "codeverify.flush_interval=100ms")


class Preloaded(OnAServer):
    settings = ("shared_preload_libraries=codeverify", "codeverify.ledger_lanes=1")

    def setUp(self):
        super().setUp()
        self.set_flush_interval("100ms")

    def set_flush_interval(self, time):
        self.admin.execute(f"ALTER SYSTEM SET codeverify.flush_interval = '{time}'")
        self.admin.execute("SELECT pg_reload_conf()")

    def tenants(self, count):
        self.addCleanup(support.drop_logins)
        return support.create_tenants(DATABASE, count)

    def make_session(self, tenant):
        text = support.well_formed("cv_session_", secrets.SystemRandom())
        self.admin.execute(
            "INSERT INTO auth.sessions (user_id, login_org_id, session_token_hash, expires_at) "
            "VALUES (%s, %s, encode(sha256(%s::text::bytea), 'hex'), now() + interval '1 day')",
            (tenant.owner_id, tenant.org_id, text))
        return text

    def refuse_session(self, text, times):
        """Each time is an outcome in the ledger of the organization that the session began in."""
        for _ in range(times):
            self.assertEqual(
                self.value("SELECT auth.authenticate_session(%s, gen_random_uuid()) ->> 'status'", text), "no_membership")

    def make_key(self, tenant):
        return self.admin.execute(
            "SELECT * FROM auth.create_api_key(%s, 'k', '[\"read\"]')", (tenant.org_id,)).fetchone()

    def use_key(self, text, times=1, scope=None):
        for _ in range(times):
            self.admin.execute("BEGIN")
            self.value("SELECT auth.authenticate_api_key(%s, %s)", text, scope)
            self.admin.execute("ROLLBACK")

    def told(self, tenant, action):
        """How many entries, and of how many events."""
        return self.admin.execute(
            "SELECT count(*), coalesce(sum(coalesce((details ->> 'count')::int, 1)), 0) FROM auth.audit_logs "
            "WHERE org_id = %s AND action = %s", (tenant.org_id, action)).fetchone()

    def hold(self, tenant):
        """A session that keeps the only lane of the organization's ledger."""
        session = self.connect()
        session.execute("BEGIN")
        session.execute("SELECT audits.append('test', 'test.held', '{}', org_id => %s)", (tenant.org_id,))
        return session

    def test_an_organization_whose_ledger_is_held_stops_no_other(self):
        held, free = self.tenants(2)
        keys = [self.make_key(tenant)[1] for tenant in (held, free)]
        # More of the one than a batch takes; ten of each are told within a minute.
        refused = [self.make_session(held) for _ in range(14)]
        other = self.make_session(free)
        session = self.hold(held)
        for text in refused:
            self.refuse_session(text, 10)
        self.refuse_session(other, 3)
        for text in keys:
            self.use_key(text)
        eventually(lambda: self.told(free, "session.failed") == (3, 3), "the other's outcomes are told")
        eventually(lambda: self.told(free, "api_key.authenticated") == (1, 1), "and the uses of its keys")
        self.assertEqual(self.told(held, "session.failed"), (0, 0))
        session.execute("COMMIT")
        eventually(lambda: self.told(held, "session.failed") == (140, 140), "and those that waited")
        eventually(lambda: self.told(held, "api_key.authenticated") == (1, 1), "and its keys")
        self.assertEqual(self.told(free, "session.failed"), (3, 3), "none twice")
        self.assertEqual(support.faults_of(DATABASE), [])

    def test_what_would_be_lost_goes_to_the_platforms_ledger(self):
        held, _ = self.tenants(2)
        text = self.make_key(held)[1]
        refused = self.make_session(held)
        session = self.hold(held)
        session.execute("PREPARE TRANSACTION 'held'")
        self.refuse_session(refused, 2)
        self.use_key(text, 3)
        self.admin.close()
        self.cluster._call("stop")
        self.cluster.start(*self.settings)
        self.admin = self.connect()
        rows = self.admin.execute(
            "SELECT action, count(*), sum(coalesce((details ->> 'count')::int, 1))::int FROM auth.audit_logs "
            "WHERE org_id IS NULL AND details ->> 'org_id' = %s AND details ->> 'ledger' = 'busy' "
            "GROUP BY 1 ORDER BY 1", (str(held.org_id),)).fetchall()
        self.admin.execute("ROLLBACK PREPARED 'held'")
        self.assertEqual(rows, [("api_key.authenticated", 1, 3), ("session.failed", 2, 2)])

    def test_a_batch_that_is_repeated_tells_nothing_twice(self):
        tenant, = self.tenants(1)
        self.admin.execute("""
            CREATE TABLE public.fault (is_on boolean);
            GRANT SELECT ON public.fault TO public;
            INSERT INTO public.fault VALUES (true);
            CREATE SEQUENCE public.failed;
            GRANT USAGE ON SEQUENCE public.failed TO public;
            CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF (SELECT is_on FROM public.fault) THEN
                    PERFORM nextval('public.failed');
                    RAISE 'not yet';
                END IF;
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON auth.audit_logs
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.action = 'api_key.authenticated')
                EXECUTE FUNCTION public.fail()""")
        text = self.make_key(tenant)[1]
        self.use_key(text, 1)
        self.use_key(text, 1, "admin")
        eventually(lambda: self.value("SELECT is_called AND last_value > 1 FROM public.failed"), "it fails twice")
        self.admin.execute("UPDATE public.fault SET is_on = false")
        eventually(lambda: self.told(tenant, "api_key.authenticated")[1] > 0, "it is told")
        time.sleep(0.5)
        self.assertEqual(self.told(tenant, "api_key.authenticated")[1], 1)
        self.assertEqual(self.told(tenant, "api_key.refused")[1], 1)

    def test_a_database_that_is_moved_loses_nothing(self):
        tenant, = self.tenants(1)
        key = self.make_key(tenant)[0]
        user, _ = self.cluster.owner_and_data()
        place = subprocess.run(
            ["runuser", "-u", user, "--", "mktemp", "-d"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.addCleanup(subprocess.run, ["rm", "-rf", place], check=True)
        self.set_flush_interval("4s")
        check = "SELECT allowed FROM auth.check_rate_limit(%s, 100)"
        stored = "SELECT coalesce(sum(count), 0) FROM auth.api_key_rate_buckets WHERE api_key_id = %s"
        time.sleep(0.3)
        self.assertTrue(self.value(check, key))
        eventually(lambda: self.value(stored, key) == 1, "the first use is written at once")
        self.assertTrue(self.value(check, key))
        self.admin.close()
        with support.connect("postgres") as other:
            other.execute(f"CREATE TABLESPACE elsewhere LOCATION '{place}'")
            other.execute(f"ALTER DATABASE {DATABASE} SET TABLESPACE elsewhere")
        time.sleep(4)
        self.admin = self.connect()
        eventually(lambda: self.value(stored, key) == 2, "the second is written where the database is now")
        self.admin.close()
        with support.connect("postgres") as other:
            other.execute(f"ALTER DATABASE {DATABASE} SET TABLESPACE pg_default")
            other.execute("DROP TABLESPACE elsewhere")


if __name__ == "__main__":
    support.run_at_once(__file__, Preloaded, AttacksOnAWriter, NotPreloaded)
