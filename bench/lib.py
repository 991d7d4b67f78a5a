"""What the benchmarks share: talking to the server, measuring two sides in turns, judging their ratio."""

import ctypes
import ctypes.util
import re
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The logins that benchmarks act as. bench_tenant acts for the organization that set_context() names.
TENANT = "bench_tenant"
OWNER = "bench_owner"


def psql(database, *arguments, user="postgres", script=None):
    """Runs psql with the arguments, or with a script as its input, and returns what it prints."""
    command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-U", user, *arguments]
    return subprocess.run(command, input=script, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def timed_statement(database, statement, user="postgres", before=""):
    """Seconds that psql waits for one statement, its commit included, and what the statement returns."""
    output = psql(database, user=user, script=f"{before}\n\\timing on\n{statement}\n")
    result, _, timing = output.rpartition("Time: ")
    return float(timing.split()[0]) / 1000, result.strip()


def timed_parameters(database, statement, *parameters, user="postgres"):
    """As timed_statement, but with the parameters $1, $2, ... sent beside the statement, as drivers do and psql 15 cannot."""
    libpq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
    for name in ("PQconnectdb", "PQexecParams"):
        getattr(libpq, name).restype = ctypes.c_void_p
    for name in ("PQerrorMessage", "PQgetvalue"):
        getattr(libpq, name).restype = ctypes.c_char_p
    connection = ctypes.c_void_p(libpq.PQconnectdb(f"dbname={database} user={user}".encode()))
    values = (ctypes.c_char_p * len(parameters))(*(parameter.encode() for parameter in parameters))
    try:
        started = time.monotonic()
        result = libpq.PQexecParams(connection, statement.encode(), len(values), None, values, None, None, 0)
        seconds = time.monotonic() - started
        value = libpq.PQgetvalue(ctypes.c_void_p(result), 0, 0)
        if value is None:
            raise RuntimeError(libpq.PQerrorMessage(connection).decode())
        return seconds, value.decode()
    finally:
        libpq.PQfinish(connection)


def empty_database(name):
    psql("postgres", "-c", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", "-c", f"CREATE DATABASE {name}")
    psql(name, "-c", "SELECT 1")  # the first connection to a database fills its caches
    return name


def deployed_database(name):
    """A database with the extension and the logins."""
    empty_database(name)
    psql(name, "-c", "CREATE EXTENSION codeverify")
    psql(name, script=f"""
        DROP ROLE IF EXISTS {TENANT}, {OWNER};
        CREATE ROLE {TENANT} LOGIN IN ROLE codeverify_tenant;
        CREATE ROLE {OWNER} LOGIN BYPASSRLS IN ROLE codeverify_owner;
    """)
    return name


def set_context(database, org_id, member_role="member"):
    """From now on, sessions of bench_tenant start in the context of the organization."""
    psql(database, script=f"""
        ALTER ROLE {TENANT} IN DATABASE {database} SET codeverify.org_id = '{org_id}';
        ALTER ROLE {TENANT} IN DATABASE {database} SET codeverify.member_role = '{member_role}';
    """)


@dataclass
class Comparison:
    """Ours and the baseline, measured in turns."""

    name: str
    unit: str
    ours: list
    baseline: list
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratios(self):
        return [ours / baseline for ours, baseline in zip(self.ours, self.baseline)]

    @property
    def verdict(self):
        ratio = statistics.median(self.ratios)
        if self.at_least is not None and ratio < self.at_least:
            return "below"
        if self.at_most is not None and ratio > self.at_most:
            return "above"
        return "-" if self.at_least is None and self.at_most is None else "ok"

    @property
    def missed(self):
        return self.verdict in ("below", "above")

    def row(self):
        ratios = self.ratios
        if self.at_least is not None:
            bound = f">= {self.at_least:.2f}"
        elif self.at_most is not None:
            bound = f"<= {self.at_most:.2f}"
        else:
            bound = "-"
        return (
            self.name,
            f"{quantity(statistics.median(self.ours))} {self.unit}",
            f"{quantity(statistics.median(self.baseline))} {self.unit}",
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})",
            bound,
            self.verdict,
        )


def quantity(number):
    return f"{number:,.0f}" if number >= 100 else f"{number:.2f}"


def compare(name, unit, ours, baseline, rounds, **bound):
    """Calls the two in turns, first one then the other ahead, after one round that does not count."""
    taken = {ours: [], baseline: []}
    for number in range(rounds + 1):
        for side in (ours, baseline) if number % 2 else (baseline, ours):
            measured = side()
            if number > 0:
                taken[side].append(measured)
    return Comparison(name, unit, taken[ours], taken[baseline], **bound)


def pgbench(database, user, script, clients, seconds, mode, variables=()):
    """Transactions per second, without the time to connect."""
    command = ["pgbench", "-n", "-U", user, "-c", str(clients), "-j", "2", "-T", str(seconds), "-M", mode, "-f", "-"]
    for variable, value in variables:
        command += ["-D", f"{variable}={value}"]
    done = subprocess.run([*command, database], input=script, capture_output=True, text=True)
    if done.returncode or "aborted" in done.stderr:
        raise RuntimeError(f"pgbench failed as {user}: {done.stderr}")
    return float(re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)[1])
