#!/usr/bin/env python3
"""kill -9 in the middle of every step of maintenance: what the step did is undone as a whole, and the next run leaves the
database as one that was never stopped does.

Each step is stopped where it waits for a lock that the test holds: a trigger of the test asks for it where the step has done
a part of its work, and once more where it has done all and is about to commit."""

import os
import signal
import time
import unittest
from collections import Counter
from dataclasses import dataclass

import ledger_support as support

import psycopg

DATABASE = "cv_maintenance_crash"
COPY = f"{DATABASE}_copy"
DONE = "codeverify.maintenance_tasks"
# In UTC, and long past: nothing here depends on when the test runs.
START = "2026-03-10 12:00:00+00"

GATES = """
    CREATE TABLE public.gate (place text, condition text);
    GRANT SELECT ON public.gate TO public;
    -- As its owner, whose rights the step may not have; and no lock_timeout of the step ends the wait.
    CREATE FUNCTION public.pass(at text, entry jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = 0 AS $$
    DECLARE
        condition text := (SELECT g.condition FROM public.gate AS g WHERE g.place = at);
        is_met boolean;
    BEGIN
        IF condition IS NOT NULL THEN
            EXECUTE format('SELECT %s FROM (SELECT $1) AS t (entry)', condition) INTO is_met USING entry;
            IF is_met THEN
                PERFORM pg_advisory_xact_lock_shared(1);
            END IF;
        END IF;
    END $$;
    CREATE FUNCTION public.pass_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM public.pass(TG_ARGV[0], to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END));
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END $$;
    CREATE FUNCTION public.pass_command() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM public.pass(TG_TAG || CASE TG_EVENT WHEN 'ddl_command_end' THEN ' is done' ELSE '' END, NULL);
    END $$;
    CREATE EVENT TRIGGER pass_start ON ddl_command_start EXECUTE FUNCTION public.pass_command();
    CREATE EVENT TRIGGER pass_end ON ddl_command_end EXECUTE FUNCTION public.pass_command();
"""
WATCHED = {
    "INSERT": ("codeverify.packed_segments", "telemetry.repo_metrics", "providers.usage_metrics", "observability.incidents"),
    "DELETE": ("observability.logs", "auth.email_verifications"),
    "INSERT OR UPDATE": (DONE,),
}

# Everything that a step can change: tables and their partitions, indexes with their comments, and rows, but for what is
# made anew each time, such as random ids and the time of day; of the ledger, what its entries are about.
STATE = r"""
    CREATE FUNCTION public.state() RETURNS SETOF text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
    DECLARE
        described text;
        relation regclass;
    BEGIN
        FOR described, relation IN
            SELECT concat_ws(' ', c.oid::regclass, c.relkind, c.relowner::regrole, pg_get_expr(c.relpartbound, c.oid),
                             c.relrowsecurity, c.relispopulated, obj_description(c.oid, 'pg_class'), c.relacl),
                   CASE WHEN c.relkind IN ('r', 'm') THEN c.oid END
            FROM pg_class AS c
            WHERE c.relkind IN ('r', 'p', 'm')
              AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema|public)'
        LOOP
            RETURN NEXT described;
            IF relation IS NOT NULL AND relation::text !~ '^audits\.|^codeverify\.maintenance_tasks$' THEN
                RETURN QUERY EXECUTE format(
                    $query$
                        SELECT concat(%L, ': ', to_jsonb(r) - '{id,created_at,updated_at,noted_at,packed_at,elapsed,content,words,occurred_at,incident_id,details}'::text[])
                        FROM %s AS r
                    $query$, relation, relation);
            END IF;
        END LOOP;
        RETURN QUERY
            SELECT concat_ws(' ', 'entry:', a.entity, a.action, a.payload ->> 'count')
            FROM audits.audit_log AS a;
        RETURN QUERY
            SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, obj_description(i.indexrelid, 'pg_class'))
            FROM pg_index AS i
            JOIN pg_class AS c ON c.oid = i.indrelid
            WHERE c.relnamespace::regnamespace::text !~ '^pg_';
        RETURN QUERY
            SELECT concat('packed, ', s.parent, ': ', r)
            FROM codeverify.partition_sets AS s
            CROSS JOIN LATERAL codeverify.read_all_packed(s.parent) AS r;
    END $$;
"""

TENANT = """
    INSERT INTO auth.users (username, email) VALUES ('one', 'one@example.org');
    SELECT tenancy.create_organization('One', owner_id => u.id) FROM auth.users AS u;
    INSERT INTO scm.repositories (org_id, github_id, name, full_name)
    SELECT o.id, 1, 'a', 'a/a' FROM tenancy.organizations AS o;
    CREATE ROLE cv_crash_app;
    GRANT cv_crash_app TO codeverify_owner;
    CREATE SCHEMA app AUTHORIZATION cv_crash_app;
    CREATE TABLE app.readings (at timestamptz NOT NULL, value int);
    CREATE INDEX readings_at_idx ON app.readings (at);
    ALTER TABLE app.readings OWNER TO cv_crash_app;
    SELECT codeverify.partition_table('app.readings', 'at', 'day');
"""


def logs(first, last, ts, level="info"):
    return f"""
        INSERT INTO observability.logs (org_id, ts, level, message)
        SELECT o.id, timestamptz '{ts}' + n * interval '1 s', '{level}', 'line ' || n
        FROM tenancy.organizations AS o, generate_series({first}, {last}) AS n"""


@dataclass(frozen=True)
class Step:
    name: str
    # What maintain() is asked for, and when.
    task: str
    clock: str
    # What is there before it.
    given: str
    # Where a part of the work is done, and what holds then.
    place: str
    condition: str = "true"


# One after the other in one database, each from what the last has left. It is the first step of a run that is stopped.
STEPS = (
    Step("a partition is made", "partitions", "2026-03-11 12:00:00+00",
         "SELECT",
         "ALTER TABLE is done", "to_regclass('app.readings_2026_03_25') IS NOT NULL"),
    Step("DEFAULT is drained", "observability.logs", "2026-03-12 12:00:00+00",
         logs(1, 50, "2026-03-26 12:00:00+00"),
         # Moved, and not yet attached.
         "ALTER TABLE",
         "to_regclass('observability.logs_2026_03_26') IS NOT NULL AND NOT EXISTS (SELECT FROM ONLY observability.logs_default)"),
    Step("closed partitions get their indexes", "indexes", "2026-03-13 12:00:00+00",
         logs(51, 100, "2026-03-12 12:00:00+00"),
         "COMMENT is done"),
    Step("a partition is detached", "retention", "2026-03-13 12:00:00+00",
         "INSERT INTO app.readings VALUES ('2026-03-10 12:00:00+00', 1);"
         "SELECT codeverify.configure_partitions('app.readings', retention => '1 day', action => 'detach')",
         "ALTER TABLE is done"),
    Step("a table of somebody's is archived", "retention", "2026-03-14 12:00:00+00",
         "INSERT INTO app.readings SELECT timestamptz '2026-03-12 12:00:00+00' + n * interval '1 s', n FROM generate_series(1, 50) AS n;"
         "SELECT codeverify.configure_partitions('app.readings', action => 'archive')",
         "codeverify.packed_segments"),
    Step("a partition without rows leaves for the archive", "retention", "2026-03-15 12:00:00+00",
         "SELECT",
         "DROP TABLE is done"),
    Step("logs are archived", "retention", "2026-03-15 12:00:00+00",
         logs(101, 150, "2026-03-10 12:00:00+00") + ";"
         "SELECT codeverify.configure_partitions('app.readings', reset => '{retention}');"
         "SELECT codeverify.configure_partitions('observability.logs', retention => '2 days', action => 'archive')",
         "codeverify.packed_segments"),
    Step("logs are dropped, packed ones too", "retention", "2026-03-16 12:00:00+00",
         logs(151, 200, "2026-03-13 12:00:00+00") + ";"
         "SELECT codeverify.configure_partitions('observability.logs', action => 'drop')",
         "DROP TABLE is done"),
    Step("logs are packed", "compression", "2026-03-16 12:00:00+00",
         logs(201, 250, "2026-03-14 12:00:00+00") + ";"
         "SELECT codeverify.configure_partitions('observability.logs', compress_after => '1 day', reset => '{retention}')",
         "codeverify.packed_segments"),
    Step("usage is counted", "usage", "2026-03-16 12:00:00+00",
         """INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date, requests_count, tokens_input)
            SELECT o.id, u.id, 'openai', 'm', date '2026-03-01' + n, n, 10 * n
            FROM tenancy.organizations AS o, auth.users AS u, generate_series(0, 13) AS n""",
         "providers.usage_metrics", "t.entry ->> 'period' = 'week'"),
    Step("attribution is counted", "metrics", "2026-03-16 12:00:00+00",
         """INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier, created_at)
            SELECT r.org_id, r.id, repeat('a', 40), n::text, 0.5, 'T3_core', timestamptz '2026-03-01 00:00:00+00' + n * interval '7 hours'
            FROM scm.repositories AS r, generate_series(1, 40) AS n""",
         "telemetry.repo_metrics", "t.entry ->> 'period' = 'week'"),
    Step("alerts are evaluated", "alerts", "2026-03-16 12:00:00+00",
         logs(1, 20, "2026-03-16 11:59:00+00", "error") + ";"
         """INSERT INTO observability.alert_rules (org_id, type, params_json)
            SELECT o.id, 'error_count', '{"threshold": 1}' FROM tenancy.organizations AS o, generate_series(1, 2)""",
         # That of the second rule.
         "observability.incidents", "EXISTS (SELECT FROM observability.incidents)"),
    Step("expired rows are deleted", "clean_up", "2026-03-16 12:00:00+00",
         """INSERT INTO auth.email_verifications (user_id, email, token_hash, created_at, expires_at)
            SELECT u.id, n || '@example.org', encode(sha256(n::text::bytea), 'hex'), timestamptz '2026-01-01 00:00:00+00',
                   timestamptz '2026-01-02 00:00:00+00'
            FROM auth.users AS u, generate_series(1, 10) AS n""",
         "auth.email_verifications", "t.entry ->> 'email' = '5@example.org'"),
    Step("reports are filled", "reports", "2026-03-16 12:00:00+00",
         "SELECT",
         "REFRESH MATERIALIZED VIEW is done"),
    Step("reports are refreshed beside readers", "reports", "2026-03-16 14:00:00+00",
         "UPDATE observability.incidents SET status = 'resolved', resolved_at = created_at",
         "REFRESH MATERIALIZED VIEW is done"),
    Step("a deleted organization's rows are deleted", "organizations", "2026-03-16 14:00:00+00",
         logs(1000, 7000, "2026-03-16 00:00:00+00") + "; DELETE FROM tenancy.organizations",
         "observability.logs", "t.entry ->> 'message' = 'line 6900'"),
)


class Crash(unittest.TestCase):
    maxDiff = 5000

    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster("maintenance_crash")
        cls.addClassCleanup(cls.cluster.destroy)
        # What a process has written survives its end without fsync.
        cls.cluster.create("restart_after_crash=on", "autovacuum=off", "max_worker_processes=8", "fsync=off")
        support.create_database(DATABASE)
        with support.connect(DATABASE) as connection:
            connection.execute(f"SET codeverify.clock = '{START}'")
            connection.execute(GATES)
            connection.execute(STATE)
            connection.execute(TENANT)
            # What a new database is due for; reports are for later.
            for task in ("partitions", "indexes", "metrics", "usage", "clean_up", "organizations"):
                connection.execute("SELECT codeverify.maintain(%s)", (task,))
            for event, tables in WATCHED.items():
                for table in tables:
                    connection.execute(
                        f"CREATE TRIGGER pass BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION public.pass_row('{table}')")

    def connect(self, clock, database=DATABASE):
        connection = support.connect(database)
        self.addCleanup(connection.close)
        connection.execute(f"SET codeverify.clock = '{clock}'")
        return connection

    def reconnect(self, clock):
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.connect(clock)
            except psycopg.OperationalError:
                self.assertLess(time.monotonic(), deadline, "the server is back")
                time.sleep(0.02)

    @staticmethod
    def state(connection):
        return Counter(line for line, in connection.execute("SELECT public.state()"))

    @staticmethod
    def maintain(connection, task):
        """Runs until there is nothing left to do, and returns what was done. What has been packed goes when nobody can see
        it any more, as whoever called the run that packed it could."""
        done = []
        while rows := connection.execute(
                "SELECT concat_ws(' ', m.task, m.target, m.action) FROM codeverify.maintain(%s) AS m", (task,)).fetchall():
            done += [row for row, in rows if not row.endswith(" waiting")]
        return done

    def without_a_stop(self, step):
        """What is done in a copy of the database, and how it leaves that."""
        with support.connect("postgres") as connection:
            # Not through the log, which the server would read again after the crash.
            connection.execute(f"CREATE DATABASE {COPY} TEMPLATE {DATABASE} STRATEGY file_copy")
        with self.connect(step.clock, COPY) as connection:
            rows, state = self.maintain(connection, step.task), self.state(connection)
        support.drop_database(COPY)
        return rows, state

    def crash(self, connection, step, place, condition):
        """Kills the process that takes the step, while it waits at a place. The server ends all sessions."""
        connection.execute("DELETE FROM public.gate")
        connection.execute("INSERT INTO public.gate VALUES (%s, %s)", (place, condition))
        connection.execute("SELECT pg_advisory_lock(1)")
        caller = self.connect(step.clock)
        caller.pgconn.send_query(f"SELECT codeverify.maintain('{step.task}')".encode())
        deadline = time.monotonic() + 30
        while not (waiting := connection.execute(
                "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone()):
            caller.pgconn.consume_input()
            self.assertTrue(caller.pgconn.is_busy(), f"maintain() came to its end and not to {place}")
            self.assertLess(time.monotonic(), deadline, f"a step waits at {place}")
            time.sleep(0.01)
        os.kill(waiting[0], signal.SIGKILL)
        # The server ends the others before it comes back.
        while connection.pgconn.status == psycopg.pq.ConnStatus.OK:
            self.assertLess(time.monotonic(), deadline, "the server has noticed")
            try:
                connection.execute("SELECT 1")
            except psycopg.OperationalError:
                pass
        caller.close()
        connection = self.reconnect(step.clock)
        connection.execute("DELETE FROM public.gate")
        return connection

    def equal(self, actual, expected, what):
        more, less = ([*rest.elements()] for rest in (actual - expected, expected - actual))
        self.assertEqual((more, less), ([], []), what)

    def test_steps(self):
        for step in STEPS:
            print(step.name, flush=True)
            with self.connect(step.clock) as connection:
                connection.execute(step.given)
                before = self.state(connection)
            rows, after = self.without_a_stop(step)
            connection = self.connect(step.clock)
            self.assertNotEqual(rows, [], "there is something to do")
            self.assertNotIn(" failed", "".join(rows))
            for place, condition in ((step.place, step.condition), (DONE, "true")):
                connection = self.crash(connection, step, place, condition)
                self.equal(self.state(connection), before, "nothing is half done")
            self.assertEqual(self.maintain(connection, step.task), rows)
            self.equal(self.state(connection), after, "the same as without a stop")
            connection.close()
        self.assertEqual(support.faults_of(DATABASE), [])


if __name__ == "__main__":
    unittest.main()
