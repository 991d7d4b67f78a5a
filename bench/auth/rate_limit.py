"""What auth.check_rate_limit() costs where the library is preloaded: against SELECT 1, and against counting in a table."""

import time
from contextlib import contextmanager
import subprocess

from lib import OWNER, TENANT, Comparison, compare, deployed_database, pgbench, psql, set_context

CLIENTS = 16
SECONDS = 2

# How long a session keeps its snapshot, so that no row's older versions can be removed.
HOLD = 30

CHECK = "SELECT allowed FROM auth.check_rate_limit(:id, 2000000000);"
NOTHING = "SELECT 1;"
UPSERT = """
    INSERT INTO bench_buckets AS b (api_key_id, window_start, count)
    VALUES (:id, date_trunc('minute', now()), 1)
    ON CONFLICT (api_key_id, window_start) DO UPDATE SET count = b.count + 1
    RETURNING count <= 2000000000;
"""


def make_key(database):
    """An organization's key, for which bench_tenant asks."""
    org_id = psql(database, "-c", """
        INSERT INTO tenancy.organizations (name, login, github_id) VALUES ('Bench', 'bench', 1) RETURNING id
    """)
    set_context(database, org_id)
    return psql(database, "-c", f"""
        INSERT INTO auth.api_keys (org_id, name, key_hash)
        VALUES ('{org_id}', 'bench', encode(sha256('bench'), 'hex'))
        RETURNING id
    """)


def make_buckets(database):
    psql(database, script=f"""
        CREATE TABLE public.bench_buckets (
            api_key_id uuid,
            window_start timestamptz,
            count int NOT NULL,
            PRIMARY KEY (api_key_id, window_start)
        );
        GRANT SELECT, INSERT, UPDATE ON public.bench_buckets TO {OWNER};
    """)


@contextmanager
def held_snapshot(database):
    """Another session's open transaction, which has read something and written something else."""
    session = subprocess.Popen(
        ["psql", "-Xq", "-d", database, "-U", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    session.stdin.write(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE public.bench_held (); SELECT count(*) FROM auth.api_keys;\n")
    session.stdin.flush()
    time.sleep(0.5)
    try:
        yield
    finally:
        session.stdin.write("ROLLBACK;\n")
        session.stdin.close()
        session.wait()


def compare_all(rounds):
    database = deployed_database("cv_bench_rate_limit")
    key = make_key(database)
    make_buckets(database)

    def per_second(user, script, seconds=SECONDS):
        variables = [("id", key)] if ":id" in script else ()
        return pgbench(database, user, script, CLIENTS, seconds, "prepared", variables)

    def check():
        return per_second(TENANT, CHECK)

    yield compare(
        "rate limit of one key, 16 clients, against SELECT 1", "calls/s",
        check, lambda: per_second(TENANT, NOTHING), rounds, at_least=0.5)
    yield compare(
        "rate limit of one key, 16 clients, against an upsert", "calls/s",
        check, lambda: per_second(OWNER, UPSERT), rounds, at_least=15)

    # One snapshot is held throughout; what comes before and after is the other side.
    before = [check() for _ in range(rounds // 2)]
    with held_snapshot(database):
        held = [per_second(TENANT, CHECK, max(1, HOLD // rounds)) for _ in range(rounds)]
    after = [check() for _ in range(rounds - rounds // 2)]
    yield Comparison(
        "rate limit while a snapshot is held, against without", "calls/s", held, before + after, at_least=0.9)
