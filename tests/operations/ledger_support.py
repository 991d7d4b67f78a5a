"""What the tests of the ledger share: a database with tenants, traffic with everything that a client may do, and
checks. Import it first: it puts the drivers of tests/clients in reach."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

import virtual_environment

virtual_environment.enter()

import os
import random
import re
import string
import subprocess
import tempfile
import threading
import time
import unittest
import uuid
import zlib
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

if not {"PGHOST", "PGPORT", "PGUSER"} <= os.environ.keys():
    sys.exit('no server named by PGHOST, PGPORT and PGUSER: run "scripts/test operations"')

PG_CONFIG = os.environ.get("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config")
BINDIR = subprocess.run([PG_CONFIG, "--bindir"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
os.environ["PATH"] = f"{BINDIR}:{os.environ['PATH']}"

ISOLATION_LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
ZEROS = "0" * 64


def size(default):
    """A number of repetitions; LEDGER_TEST_SCALE=10 makes the tests ten times as long."""
    return max(1, round(default * float(os.environ.get("LEDGER_TEST_SCALE", "1"))))


def connect(database, **arguments):
    """A connection that leaves transactions to the caller's own BEGIN and COMMIT."""
    return psycopg.connect(dbname=database, autocommit=True, **arguments)


def psql(database, *arguments, **environment):
    """Runs psql, which stops at the first error, and returns what it did."""
    return subprocess.run(
        ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", database, *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True)


def value(connection, statement, *parameters):
    return connection.execute(statement, parameters or None).fetchone()[0]


def create_database(name):
    """An empty database with the extension."""
    drop_database(name)
    with connect("postgres") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    with connect(name) as connection:
        connection.execute("CREATE EXTENSION codeverify")
    return name


def drop_database(name):
    with connect("postgres") as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def let_the_month_go_on():
    """For what is closed in the middle of its month (UTC): where that is over at once, waits for the next."""
    psql("postgres", "-f", str(ROOT / "tests" / "month_goes_on.sql")).check_returncode()


BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def well_formed(mark, randomness):
    """A token that nobody has, of the right form: only a look-up tells."""
    body = mark + "".join(randomness.choices(BASE62, k=30))
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = BASE62[digit] + digits
    return body + digits


def check(is_so, what):
    """For scripts that go from one thing to the next: ends them when something is not so."""
    if not is_so:
        sys.exit(f"FAILED: {what}")
    print(f"- {what}")


def fails(connection, statement, *parameters):
    """The SQLSTATE of a statement's error."""
    try:
        connection.execute(statement, parameters or None)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def run_at_once(file, *kinds):
    """Runs the test cases of a file, which have a server each, in a process each: most of their time is waiting. With
    arguments, runs what they name."""
    if len(sys.argv) > 1:
        unittest.main(module="__main__", verbosity=2)
    runs = []
    for kind in kinds:
        output = tempfile.TemporaryFile("w+")
        runs.append((subprocess.Popen([sys.executable, file, kind.__name__], stdout=output, stderr=output), output))
    codes = [run.wait() for run, _ in runs]
    for _, output in runs:
        output.seek(0)
        print(output.read())
    sys.exit(any(codes))


class Cluster:
    """A server of scripts/cluster, for what would disturb others."""

    def __init__(self, name="scratch"):
        self.name = name
        self.outside = {key: os.environ.get(key) for key in ("PGHOST", "PGPORT", "PGUSER", "PGPASSFILE")}

    def _call(self, command, *options):
        return subprocess.run(
            [ROOT / "scripts" / "cluster", self.name, command, *options], check=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True).stdout

    def start(self, *settings):
        """From now on, connections go there."""
        self._call("start", *(option for setting in settings for option in ("-c", setting)))
        for line in self._call("env").splitlines():
            key, _, text = line.removeprefix("export ").partition("=")
            os.environ[key] = text

    def create(self, *settings):
        self._call("destroy")
        self.start(*settings)

    def kill9(self):
        self._call("kill9")

    def owner_and_data(self):
        """The OS user that it runs as, and its data directory."""
        status = self._call("status")
        return re.search(r" as (\S+), data in (.*)$", status, re.MULTILINE).groups()

    def destroy(self):
        self._call("destroy")
        for key, text in self.outside.items():
            if text is not None:
                os.environ[key] = text


@dataclass(frozen=True)
class Tenant:
    org_id: uuid.UUID
    owner_id: uuid.UUID


# The platform's own ledger, among the tenants.
PLATFORM = Tenant(None, None)
SERVICE = "ledger_service"


def create_tenants(database, count):
    """Tenants with an owner each, and the login of a service."""
    with connect(database) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {SERVICE}")
        connection.execute(f"CREATE ROLE {SERVICE} LOGIN IN ROLE codeverify_service")
        tenants = []
        for number in range(count):
            owner_id = value(
                connection, "INSERT INTO auth.users (username, email) VALUES (%s, %s) RETURNING id",
                f"owner {number}", f"owner-{number}@example.org")
            org_id = value(
                connection, "SELECT tenancy.create_organization(%s, owner_id => %s)", f"Organization {number}", owner_id)
            tenants.append(Tenant(org_id, owner_id))
        return tenants


def drop_login(name):
    with connect("postgres") as connection:
        connection.execute(f"DROP ROLE IF EXISTS {name}")


def drop_logins():
    drop_login(SERVICE)


class Fault(Exception):
    """What a client must not meet."""


@dataclass
class Worker:
    """One connection and what it knows of its entries: each has a number, which is in its payload."""

    number: int
    database: str
    tenants: list
    isolation: str
    entries: int
    seed: int
    # With few lanes, transactions take the ledgers in one order: two that wait for each other's would be a deadlock.
    in_order: bool = False
    # How long transactions stay prepared, in seconds at most; 0 for none that are.
    prepares: float = 0
    acknowledged: set = field(default_factory=set)
    # Sent with a COMMIT or PREPARE that nobody answered: by its gid, or "".
    unanswered: dict = field(default_factory=dict)
    # The transaction that is prepared for certain, and not yet decided.
    pending: str | None = None
    last: int = 0
    done: int = 0
    failure: BaseException | None = None

    def run(self):
        """Appends until as many entries are committed as asked for, or the server is gone."""
        self.random = random.Random(f"{self.seed} {self.number}")
        try:
            self.as_service = self.number % 2 == 1
            with connect(self.database, user=SERVICE if self.as_service else os.environ["PGUSER"]) as self.connection:
                while self.done < self.entries:
                    self._transaction()
        except BaseException as error:
            self.failure = error

    # ---- transactions

    def _transaction(self):
        self.ledgers = self._ledgers()
        self.place = 0
        written = []
        if self.random.random() < 0.15 and not self.as_service:
            # A statement that is a transaction of its own, at the isolation level that it has then.
            self.connection.execute(f"SET default_transaction_isolation = '{self.isolation}'")
            self.unanswered["alone"] = written
            self._step(written)
            del self.unanswered["alone"]
            self._acknowledge(written)
            return
        self.connection.execute(f"BEGIN ISOLATION LEVEL {self.isolation}")
        if self.as_service and self.ledgers[0].org_id is not None:
            tenant = self.ledgers[0]
            self.connection.execute("SELECT tenancy.assume(%s, %s)", (tenant.org_id, tenant.owner_id))
        self._block(written, 0)
        if self.random.random() < 0.1:
            self.connection.execute("ROLLBACK")
        elif self.prepares and self.random.random() < 0.1:
            self._two_phases(written)
        else:
            self._answered("", written, "COMMIT")
            self._acknowledge(written)

    def _answered(self, gid, written, command):
        self.unanswered[gid] = written
        self.connection.execute(command)
        del self.unanswered[gid]

    def _two_phases(self, written):
        gid = f"worker {self.number} {self.last}"
        self.unanswered[gid] = written
        self.connection.execute(f"PREPARE TRANSACTION '{gid}'")
        self.pending = gid
        # Others go on meanwhile.
        time.sleep(self.random.uniform(0, self.prepares))
        commits = self.random.random() < 0.7
        self.pending = None
        self.connection.execute(f"{'COMMIT' if commits else 'ROLLBACK'} PREPARED '{gid}'")
        del self.unanswered[gid]
        if commits:
            self._acknowledge(written)

    def _acknowledge(self, written):
        self.acknowledged.update(written)
        self.done += len(written)

    def _ledgers(self):
        """Which ledgers the transaction writes to: mostly one. Inside a context there is one only."""
        count = 1 if self.as_service or self.random.random() < 0.7 else self.random.randint(2, len(self.tenants))
        chosen = self.random.sample(self.tenants, count)
        return sorted(chosen, key=self.tenants.index) if self.in_order else chosen

    def _ledger(self):
        if self.in_order:
            if self.place + 1 < len(self.ledgers) and self.random.random() < 0.4:
                self.place += 1
            return self.ledgers[self.place]
        return self.random.choice(self.ledgers)

    def _block(self, written, depth):
        for _ in range(self.random.randint(1, 4)):
            chance = self.random.random()
            if chance < 0.2 and depth < 5:
                self._savepoint(written, depth)
            elif chance < 0.27:
                self._sleep()
            elif chance < 0.32:
                self._caught(written)
            else:
                self._step(written)

    def _savepoint(self, written, depth):
        self.connection.execute(f"SAVEPOINT s{depth}")
        inside = []
        self._block(inside, depth + 1)
        chance = self.random.random()
        if chance < 0.45:
            self.connection.execute(f"ROLLBACK TO SAVEPOINT s{depth}")
            inside = []
            if chance < 0.2:
                # The savepoint is still there after it.
                self._block(inside, depth + 1)
        if chance < 0.8:
            self.connection.execute(f"RELEASE SAVEPOINT s{depth}")
        written += inside

    def _sleep(self):
        time.sleep(self.random.uniform(0, 0.004))

    # ---- appends

    def _payload(self, written):
        self.last += 1
        written.append((self.number, self.last))
        return {"worker": self.number, "entry": self.last}

    def _caught(self, written):
        """An entry that is made and rolled back with the error behind it, in a PL/pgSQL block; and one that is refused."""
        tenant = self._ledger()
        payload = self._payload([])
        bad = self.random.choice(["1 / 0", "audits.append('x', '', org_id => {org_id})", "audits.append('x', NULL, org_id => {org_id})"])
        self.connection.execute(sql.SQL("""
            DO $block$
            BEGIN
                PERFORM audits.append('block', 'block.lost', {payload}, org_id => {org_id});
                PERFORM {bad};
            EXCEPTION WHEN division_by_zero OR check_violation OR not_null_violation THEN
                PERFORM audits.append('block', 'block.kept', {kept}, org_id => {org_id});
            END
            $block$""").format(
            payload=sql.Literal(Jsonb(payload)), bad=sql.SQL(bad).format(org_id=sql.Literal(tenant.org_id)), kept=sql.Literal(Jsonb(self._payload(written))),
            org_id=sql.Literal(tenant.org_id)))

    def _step(self, written):
        kinds = [self._append, self._append, self._insert]
        if not self.as_service:
            kinds += [self._insert_values, self._insert_select, self._copy]
        elif self.ledgers[0].org_id is not None:
            kinds += [self._insert_values]
        else:
            # Row security keeps a service without a context from INSERT.
            kinds = [self._append]
        self.random.choice(kinds)(written)

    def _append(self, written):
        tenant = self._ledger()
        self.connection.execute(
            "SELECT audits.append('test', 'test.append', %s, actor_id => %s, org_id => %s)",
            (Jsonb(self._payload(written)), tenant.owner_id, tenant.org_id))

    def _insert(self, written):
        tenant = self._ledger()
        self.connection.execute(
            "INSERT INTO audits.audit_log (org_id, action, payload) VALUES (%s, 'test.insert', %s)",
            (tenant.org_id, Jsonb(self._payload(written))))

    def _insert_values(self, written):
        rows = [(self._ledger(), self._payload(written)) for _ in range(self.random.randint(2, 5))]
        self.connection.execute(
            "INSERT INTO audits.audit_log (org_id, entity, action, payload) VALUES "
            + ", ".join(["(%s, 'test', 'test.values', %s)"] * len(rows)),
            [parameter for tenant, payload in rows for parameter in (tenant.org_id, Jsonb(payload))])

    def _insert_select(self, written):
        tenant = self._ledger()
        payloads = [self._payload(written) for _ in range(self.random.randint(1, 10))]
        self.connection.execute(
            "INSERT INTO audits.audit_log (org_id, action, payload) SELECT %s, 'test.select', p FROM jsonb_array_elements(%s) AS p",
            (tenant.org_id, Jsonb(payloads)))

    def _copy(self, written):
        with self.connection.cursor().copy("COPY audits.audit_log (org_id, action, payload) FROM STDIN") as copy:
            for _ in range(self.random.randint(1, 5)):
                copy.write_row((self._ledger().org_id, "test.copy", Jsonb(self._payload(written))))


def append_some(database, tenants, sessions=8, entries=25, first=0, **arguments):
    """A little of everything, so that there are lanes and gaps in the ids. Returns the workers."""
    workers = [
        Worker(first + number, database, tenants, ISOLATION_LEVELS[number % 3], entries, time.time_ns(), **arguments)
        for number in range(sessions)]
    run_traffic(workers)
    for worker in workers:
        if worker.failure is not None:
            raise Fault(f"worker {worker.number}, seed {worker.seed}: {worker.failure!r}") from worker.failure
    return workers


def run_traffic(workers, meanwhile=None):
    """Runs the workers at once, and in this thread what is to happen meanwhile."""
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    if meanwhile is not None:
        meanwhile()
    for thread in threads:
        thread.join(600)
        if thread.is_alive():
            raise Fault("a session hangs")


# ---- checks

BREAKS = f"""
    WITH entries AS (
        SELECT org_id, lane, seq, prev_hash, signature, ts,
               lag(signature, 1, '{ZEROS}') OVER lane_order AS last_signature,
               lag(seq, 1, 0::bigint) OVER lane_order AS last_seq,
               lag(ts) OVER lane_order AS last_ts
        FROM audits.audit_log
        WINDOW lane_order AS (PARTITION BY org_id, lane ORDER BY seq)
    )
    SELECT org_id::text, lane, seq, prev_hash = last_signature AS linked, seq - last_seq AS step, ts > last_ts AS is_later
    FROM entries
    WHERE prev_hash <> last_signature
       OR seq <> last_seq + 1
       OR ts <= last_ts
       OR ts > clock_timestamp()
    ORDER BY org_id, lane, seq
    LIMIT 5
"""

UNKNOWN_LANES = """
    SELECT DISTINCT a.org_id::text, a.lane
    FROM audits.audit_log AS a
    WHERE NOT EXISTS (SELECT FROM audits.lanes AS l WHERE l.org_id IS NOT DISTINCT FROM a.org_id AND l.lane = a.lane)
"""

TWICE = """
    SELECT id, event_id, count(*)
    FROM audits.audit_log
    GROUP BY GROUPING SETS (id, event_id)
    HAVING count(*) > 1
    LIMIT 5
"""


def has_verify_chain(connection):
    return value(connection, "SELECT to_regprocedure('audits.verify_chain(uuid, timestamptz, timestamptz)') IS NOT NULL")


def faults_of(database, without_lanes=False, outside=True):
    """What is wrong with the ledger, by the windows of SQL, by the database's own verifier, and by the one outside."""
    found = []
    queries = [("breaks", BREAKS), ("twice", TWICE)]
    if not without_lanes:
        queries.append(("lanes that audits.lanes lacks", UNKNOWN_LANES))
    with connect(database) as connection:
        for what, query in queries:
            rows = connection.execute(query).fetchall()
            if rows:
                found.append(f"{what}: {rows}")
        if has_verify_chain(connection):
            rows = connection.execute("SELECT * FROM audits.verify_chain() LIMIT 5").fetchall()
            if rows:
                found.append(f"audits.verify_chain(): {rows}")
    return found + (faults_outside(database) if outside else [])


def faults_outside(database):
    """What tools/verify_ledger.py finds in a COPY of the ledger."""
    verifier = ROOT / "tools" / "verify_ledger.py"
    if not verifier.exists():
        return []
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        with connect(database) as connection, connection.cursor().copy(
                "COPY (SELECT * FROM audits.audit_log ORDER BY org_id, lane, seq) TO STDOUT (FORMAT csv, HEADER)") as copy:
            for data in copy:
                file.write(data)
        file.flush()
        done = subprocess.run([sys.executable, verifier, file.name], capture_output=True, text=True)
        return [] if done.returncode == 0 else [f"{verifier.name}: {done.stdout[:2000]} {done.stderr[:2000]}"]


def stored_entries(database):
    """The entries of workers, as they number them."""
    with connect(database) as connection:
        return connection.execute("""
            SELECT (payload ->> 'worker')::int, (payload ->> 'entry')::int
            FROM audits.audit_log
            WHERE payload ? 'worker'
        """).fetchall()


def faults_of_traffic(database, workers):
    """Entries that were acknowledged and are not there, or the other way round."""
    stored = stored_entries(database)
    acknowledged = set().union(*(worker.acknowledged for worker in workers))
    unanswered = {entry for worker in workers for written in worker.unanswered.values() for entry in written}
    found = []
    if len(stored) != len(set(stored)):
        found.append("an entry is stored twice")
    if lost := acknowledged - set(stored):
        found.append(f"{len(lost)} acknowledged entries are lost: {sorted(lost)[:5]}")
    if more := set(stored) - acknowledged - unanswered:
        found.append(f"{len(more)} entries that were never acknowledged: {sorted(more)[:5]}")
    return found
