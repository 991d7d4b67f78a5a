#!/usr/bin/env python3
"""Retention: it deletes what is past it and nothing else, whatever clock, zone, period and interval there are; it waits
for nobody long, and lets nobody wait; a crash in its middle loses nothing and doubles nothing."""

import calendar
import datetime
import random
import threading
import time
import unittest
from dataclasses import dataclass

import ledger_support as support

import psycopg

DATABASE = "cv_retention"
SEED = 20260131
TRIALS = support.size(40)

UTC = datetime.timezone.utc
MICROSECOND = datetime.timedelta(microseconds=1)
ZONES = (
    "UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Kiritimati",
    "America/St_Johns", "Africa/Casablanca")
# Midnights around which clocks change, months end, years end, February has another length.
DAYS = (
    "2024-02-29", "2024-03-01", "2024-03-10", "2024-03-31", "2024-10-27", "2024-11-03", "2025-01-01", "2025-01-31",
    "2025-02-28", "2025-03-01", "2025-03-30", "2025-03-31", "2025-12-31", "2026-01-01", "2026-07-15")


@dataclass(frozen=True)
class Interval:
    """As PostgreSQL adds one: months, with the day cut to the month's last, then days, then the rest."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    def __str__(self):
        return f"{self.months} months {self.days} days {self.seconds} seconds"

    def after(self, moment):
        month = moment.year * 12 + moment.month - 1 + self.months
        year, month = divmod(month, 12)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        moment = moment.replace(year=year, month=month + 1, day=day)
        return moment + datetime.timedelta(days=self.days, seconds=self.seconds)


RETENTIONS = (
    Interval(seconds=1), Interval(seconds=3600), Interval(days=1), Interval(seconds=86400), Interval(days=7),
    Interval(days=30), Interval(days=90), Interval(months=1), Interval(months=1, days=1), Interval(months=2, days=-3),
    Interval(months=1, seconds=3599), Interval(months=12), Interval(months=13, days=5), Interval(months=24),
    Interval(days=29, seconds=-1))


def beginning(period, moment):
    """Of the period that a moment is in."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        return day - datetime.timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def end(period, moment):
    first = beginning(period, moment)
    if period == "month":
        return Interval(months=1).after(first)
    return first + datetime.timedelta(days=7 if period == "week" else 1)


def make_set(connection, name, key_type, period, retention, action, bounds):
    connection.execute(f"CREATE TABLE {name} (id bigserial, at {key_type} NOT NULL) PARTITION BY RANGE (at)")
    connection.execute(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT")
    for lower, upper in bounds:
        connection.execute(
            f"CREATE TABLE {name}_{lower:%Y_%m_%d} PARTITION OF {name}"
            f" FOR VALUES FROM ('{lower:%Y-%m-%d}{'' if key_type == 'date' else ' 00:00:00+00'}')"
            f" TO ('{upper:%Y-%m-%d}{'' if key_type == 'date' else ' 00:00:00+00'}')")
    connection.execute(
        "INSERT INTO codeverify.partition_sets (parent, period, premake, retention, action)"
        f" VALUES ('{name}', %s, 1, %s, %s)", (period, retention and str(retention), action))


def retire(connection, name):
    """Takes steps until there is nothing more to do; what was done."""
    done = []
    while True:
        rows = connection.execute("SELECT action, detail FROM codeverify.retire_rows(%s)", (name,)).fetchall()
        if not rows:
            return done
        done += rows


class Property(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_database, DATABASE)

    def test_only_what_is_past_retention_leaves(self):
        print(f"seed {SEED}, {TRIALS} trials", flush=True)
        left = stayed = 0
        with support.connect(DATABASE) as connection:
            for number in range(TRIALS):
                with self.subTest(trial=number):
                    gone, kept = self.trial(connection, random.Random(f"{SEED} {number}"))
                    left += gone
                    stayed += kept
        print(f"{left} rows left, {stayed} stayed", flush=True)
        self.assertGreater(left, TRIALS)
        self.assertGreater(stayed, TRIALS)

    def trial(self, connection, chance):
        period = chance.choice(("day", "week", "month"))
        retention = chance.choice(RETENTIONS)
        key_type = chance.choice(("timestamptz", "timestamptz", "date"))
        action = chance.choice(("drop", "drop", "detach", "archive"))
        first = beginning(period, datetime.datetime.fromisoformat(chance.choice(DAYS)).replace(tzinfo=UTC))
        edges = [first]
        for _ in range(chance.randint(4, 9)):
            edges.append(end(period, edges[-1]))
        # The very moment in which a period is past retention, the microsecond before, or some other time.
        clock = retention.after(chance.choice(edges))
        clock += chance.choice((0, 0, -1, 1)) * MICROSECOND
        if chance.random() < 0.3:
            clock += datetime.timedelta(seconds=chance.uniform(-3e6, 3e6))
        partitions = [bounds for bounds in zip(edges, edges[1:]) if chance.random() < 0.7]
        moments = set()
        for edge in edges:
            moments |= {edge, edge - MICROSECOND, edge + MICROSECOND}
            moments.add(edge + datetime.timedelta(seconds=chance.uniform(-4e6, 4e6)))
        if key_type == "date":
            moments = {moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in moments}

        def is_past(moment):
            return retention.after(end(period, moment)) <= clock

        def has_partition(moment):
            return any(lower <= moment < upper for lower, upper in partitions)

        what = (f"{period} {retention} {key_type} {action} at {clock}, partitions from "
                f"{[f'{lower:%Y-%m-%d}' for lower, _ in partitions]}")
        connection.execute("BEGIN")
        try:
            connection.execute("SET LOCAL TimeZone = 'UTC'")
            connection.execute(f"SET LOCAL codeverify.clock = '{clock.isoformat()}'")
            connection.execute("SET LOCAL ROLE codeverify_owner")
            make_set(connection, "observability.kept", key_type, period, retention, action, partitions)
            for moment in moments:
                connection.execute(
                    "INSERT INTO observability.kept (at) VALUES (%s)",
                    (moment.date() if key_type == "date" else moment,))
            for upper in edges[1:] if action != "archive" else []:
                connection.execute(
                    "INSERT INTO codeverify.packed_segments (org_id, relation, period_start, period_end, min_ts, max_ts,"
                    " row_count, columns, content)"
                    " VALUES (NULL, 'observability.kept', %s, %s, %s, %s, 1, '[]', '')",
                    (beginning(period, upper - MICROSECOND), upper, upper - MICROSECOND, upper - MICROSECOND))
            connection.execute(f"SET LOCAL TimeZone = '{chance.choice(ZONES)}'")
            connection.execute(f"SET LOCAL DateStyle = '{chance.choice(('ISO', 'SQL, DMY', 'German', 'Postgres, MDY'))}'")
            done = retire(connection, "observability.kept")
            connection.execute("SET LOCAL TimeZone = 'UTC'")
            connection.execute("SET LOCAL DateStyle = 'ISO'")
            there = {self.moment(at) for at, in connection.execute("SELECT at FROM observability.kept")}
            packed = {at for at, in connection.execute(
                "SELECT period_end FROM codeverify.packed_segments WHERE relation::text = 'observability.kept'")}
            detached = {
                self.moment(at)
                for name, in connection.execute(
                    "SELECT c.relname FROM pg_class AS c WHERE c.relname ~ '^kept_[0-9_]+$' AND NOT c.relispartition"
                    " AND c.relkind = 'r'").fetchall()
                for at, in connection.execute(f"SELECT at FROM observability.{name}")}
            archived = sorted(
                self.moment(datetime.datetime.fromisoformat(at)) for at, in connection.execute(
                    "SELECT value ->> 'at' FROM codeverify.read_all_packed('observability.kept') AS value")
            ) if action == "archive" else []
        finally:
            connection.execute("ROLLBACK")
        if action == "drop":
            self.assertEqual(there, {moment for moment in moments if not is_past(moment)}, f"{what}: {done}")
            self.assertEqual(
                packed, {upper for upper in edges[1:] if retention.after(upper) > clock}, f"packed, {what}: {done}")
            self.assertEqual(detached, set(), what)
        else:
            leave = {moment for moment in moments if is_past(moment) and has_partition(moment)}
            self.assertEqual(there, moments - leave, f"{what}: {done}")
            if action == "detach":
                self.assertEqual(detached, leave, f"{what}: {done}")
                self.assertEqual(packed, set(edges[1:]), what)
            else:
                # Each once.
                self.assertEqual(archived, sorted(leave), f"{what}: {done}")
                self.assertEqual(detached, set(), what)
        ends = [detail.rpartition(" until ")[2] for act, detail in done if act in ("dropped", "detached", "archived")]
        self.assertEqual(ends, sorted(ends), "the oldest leaves first")
        return len(moments) - len(there), len(there)

    @staticmethod
    def moment(at):
        if isinstance(at, datetime.datetime):
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        return datetime.datetime(at.year, at.month, at.day, tzinfo=UTC)


class Locks(unittest.TestCase):
    """A transaction that stays open, while maintenance wants a partition and others go on."""

    DATABASE = "cv_retention_locks"

    @classmethod
    def setUpClass(cls):
        support.create_database(cls.DATABASE)
        cls.addClassCleanup(support.drop_database, cls.DATABASE)

    def setUp(self):
        self.connection = support.connect(self.DATABASE)
        self.addCleanup(self.connection.close)
        first = datetime.datetime(2026, 1, 1, tzinfo=UTC)
        days = [first + datetime.timedelta(days=number) for number in range(4)]
        self.connection.execute("DROP TABLE IF EXISTS observability.kept")
        self.connection.execute("DELETE FROM codeverify.partition_sets")
        self.connection.execute("SET ROLE codeverify_owner")
        make_set(self.connection, "observability.kept", "timestamptz", "day", Interval(days=1), "drop",
                 list(zip(days, days[1:])))
        self.connection.execute("RESET ROLE")
        self.connection.execute("INSERT INTO observability.kept (at) SELECT unnest(%s::timestamptz[])", (days[:3],))
        self.connection.execute("SET codeverify.clock = '2026-01-03 00:00:00+00'")
        self.connection.execute("SET ROLE codeverify_owner")

    def step(self, function="retire_rows"):
        return self.connection.execute(f"SELECT action FROM codeverify.{function}('observability.kept')").fetchall()

    def while_others_go_on(self, work):
        """Does it while another session writes and reads; the longest that one of its turns took, as a part of the whole."""
        stop, slowest = threading.Event(), []

        def others():
            with support.connect(self.DATABASE) as connection:
                while not stop.is_set():
                    started = time.monotonic()
                    connection.execute("INSERT INTO observability.kept (at) VALUES ('2026-01-03 12:00:00+00')")
                    connection.execute("SELECT count(*) FROM observability.kept")
                    slowest.append(time.monotonic() - started)
                    time.sleep(0.01)

        thread = threading.Thread(target=others)
        thread.start()
        started = time.monotonic()
        try:
            work()
        finally:
            seconds = time.monotonic() - started
            stop.set()
            thread.join()
        return max(slowest) / seconds

    def test_an_open_writer_keeps_a_partition_and_nobody_waits_long(self):
        for kind, statement in (
                ("writer", "INSERT INTO observability.kept (at) VALUES ('2026-01-01 12:00:00+00')"),
                ("reader", "SELECT count(*) FROM observability.kept")):
            with self.subTest(kind), support.connect(self.DATABASE) as other:
                other.execute("BEGIN")
                other.execute(statement)

                def refused():
                    with self.assertRaises(psycopg.errors.LockNotAvailable):
                        self.step()

                # It waits for the lock five times, and a turn for one of these.
                self.assertLess(self.while_others_go_on(refused), 0.5)
                self.assertEqual(support.value(self.connection, "SELECT count(*) FROM observability.kept_2026_01_01"), 1)
                # It was not touched meanwhile.
                other.execute("INSERT INTO observability.kept (at) VALUES ('2026-01-01 13:00:00+00')")
                other.execute("ROLLBACK")
        self.assertEqual(self.step(), [("dropped",)])
        self.assertEqual(self.step(), [])

    def test_it_goes_on_as_soon_as_the_writer_ends(self):
        with support.connect(self.DATABASE) as other:
            other.execute("BEGIN")
            other.execute("INSERT INTO observability.kept (at) VALUES ('2026-01-01 12:00:00+00')")
            timer = threading.Timer(0.7, lambda: other.execute("COMMIT"))
            timer.start()
            self.assertEqual(self.step(), [("dropped",)])
            timer.join()

    def test_a_writer_keeps_a_closed_partition_from_its_index(self):
        self.connection.execute(
            "UPDATE codeverify.partition_sets SET closed_indexes = '{(id)}', retention = NULL")
        self.connection.execute("RESET ROLE")
        self.connection.execute("SET codeverify.clock = '2026-01-03 01:00:00+00'")
        self.connection.execute("SET ROLE codeverify_owner")
        with support.connect(self.DATABASE) as other:
            other.execute("BEGIN")
            other.execute("INSERT INTO observability.kept (at) VALUES ('2026-01-01 12:00:00+00')")
            # The next partition is built meanwhile.
            self.assertEqual(self.step("close_partitions"), [("indexed",)])
            with self.assertRaises(psycopg.errors.LockNotAvailable):
                self.step("close_partitions")
            other.execute("COMMIT")
        self.assertEqual(self.step("close_partitions"), [("indexed",)])
        self.assertEqual(self.step("close_partitions"), [])

    def test_not_with_an_old_snapshot(self):
        self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        with self.assertRaises(psycopg.DatabaseError) as raised:
            self.step()
        self.assertEqual(raised.exception.sqlstate, "VC091")
        self.connection.execute("ROLLBACK")


class Crash(unittest.TestCase):
    DATABASE = "cv_retention_crash"
    ENTRIES = support.size(2000)

    @classmethod
    def setUpClass(cls):
        cls.cluster = support.Cluster("retention")
        cls.addClassCleanup(cls.cluster.destroy)
        cls.cluster.create()
        support.create_database(cls.DATABASE)
        with support.connect(cls.DATABASE) as connection:
            cls.make_rows(connection)

    @classmethod
    def make_rows(cls, connection):
        support.let_the_month_go_on()
        connection.execute("SET codeverify.capture = off")
        org_id = support.value(connection, "INSERT INTO tenancy.organizations (name) VALUES ('A') RETURNING id")
        connection.execute(
            "INSERT INTO observability.logs (org_id, ts, message)"
            " SELECT %s, date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - '1 hour'::interval, 'line ' || n"
            " FROM generate_series(1, %s) AS n", (org_id, cls.ENTRIES))
        connection.execute(
            "INSERT INTO audits.audit_log (org_id, action, payload)"
            " SELECT CASE WHEN n %% 2 = 0 THEN %s::uuid END, 'tried', jsonb_build_object('n', n)"
            " FROM generate_series(1, %s) AS n", (org_id, cls.ENTRIES))
        # The month of the ledger ends now; what comes next goes to another partition.
        connection.execute("""
            DO $$
            DECLARE
                month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
                name text := to_char(month, '"audit_log_"YYYY_MM');
                cut timestamptz := clock_timestamp();
            BEGIN
                EXECUTE format('ALTER TABLE audits.audit_log DETACH PARTITION audits.%I', name);
                EXECUTE format('ALTER TABLE audits.%I RENAME TO audit_log_closed', name);
                EXECUTE format(
                    'ALTER TABLE audits.audit_log ATTACH PARTITION audits.audit_log_closed FOR VALUES FROM (%L) TO (%L)',
                    month AT TIME ZONE 'UTC', cut);
                EXECUTE format(
                    'CREATE TABLE audits.%I PARTITION OF audits.audit_log FOR VALUES FROM (%L) TO (%L)',
                    name, cut, (month + interval '1 month') AT TIME ZONE 'UTC');
            END
            $$""")
        connection.execute(
            "INSERT INTO codeverify.partition_sets (parent, period, premake, retention, action)"
            " VALUES ('observability.logs', 'day', 14, '1 second', 'drop'),"
            " ('audits.audit_log', 'month', 3, '1 microsecond', 'archive')")

    def connect(self):
        connection = support.connect(self.DATABASE)
        connection.execute("SET ROLE codeverify_owner")
        return connection

    def crash_in_the_middle(self, target):
        """The step is done and not committed when the server is killed."""
        connection = self.connect()
        connection.execute("BEGIN")
        self.assertTrue(connection.execute("SELECT * FROM codeverify.retire_rows(%s)", (target,)).fetchall())
        self.cluster.kill9()
        with self.assertRaises(psycopg.OperationalError):
            connection.execute("COMMIT")
        self.cluster.start()

    def crash_at_some_time(self, target, seconds):
        def work():
            try:
                with self.connect() as connection:
                    retire(connection, target)
            except psycopg.OperationalError:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(seconds)
        self.cluster.kill9()
        thread.join()
        self.cluster.start()

    def test_drop(self):
        with self.connect() as connection:
            lines = support.value(connection, "SELECT count(*) FROM observability.logs")
            partitions = support.value(connection, "SELECT count(*) FROM codeverify.list_set_partitions('observability.logs')")
        self.crash_in_the_middle("observability.logs")
        with self.connect() as connection:
            self.assertEqual(support.value(connection, "SELECT count(*) FROM observability.logs"), lines)
            self.assertEqual(
                support.value(connection, "SELECT count(*) FROM codeverify.list_set_partitions('observability.logs')"), partitions)
            self.assertIsNone(support.value(
                connection, "SELECT retired_until FROM codeverify.partition_sets WHERE parent = 'observability.logs'::regclass"))
            # Another one, if a day has ended since.
            self.assertEqual({action for action, _ in retire(connection, "observability.logs")}, {"dropped"})
            self.assertEqual(support.value(connection, "SELECT count(*) FROM observability.logs"), 0)

    def test_archive(self):
        self.crash_in_the_middle("audits.audit_log")
        self.examine()
        for seconds in (0.05, 0.3):
            self.crash_at_some_time("audits.audit_log", seconds)
            self.examine()
        with self.connect() as connection:
            retire(connection, "audits.audit_log")
            self.assertEqual(retire(connection, "audits.audit_log"), [])
            self.assertEqual(support.value(
                connection, "SELECT count(*) FROM audits.list_archives() WHERE partition_name = 'audit_log_closed'"), 1)
            self.assertEqual(support.value(connection, "SELECT count(*) FROM audits.audit_log WHERE action = 'tried'"), 0)
        self.examine()

    def examine(self):
        """Every entry is in the table or in an archive, once; and all verifies."""
        with support.connect(self.DATABASE) as connection:
            self.assertEqual(
                connection.execute(
                    "SELECT count(*), count(DISTINCT payload ->> 'n') FROM audits.entries WHERE action = 'tried'").fetchone(),
                (self.ENTRIES, self.ENTRIES))
            self.assertEqual(connection.execute("SELECT * FROM audits.verify_archives()").fetchall(), [])
            # It tells of what has left for archives, which are intact.
            self.assertEqual(
                connection.execute("SELECT * FROM audits.verify_chain() WHERE verdict <> 'pruned'").fetchall(), [])
            self.assertEqual(support.value(connection, "SELECT audits.verify(false) ->> 'verdict'"), "intact")


if __name__ == "__main__":
    support.run_at_once(__file__, Property, Locks, Crash)
