"""audits.verify_chain() of a million entries against a query that reads the same rows and does nothing with them.

Ours walks no lane: the ledger is intact. The baseline prints every payload as text and counts, which no verification can do
with less. Both in one process; for information, also with the workers that PostgreSQL gives. The memory that a verification
takes is the process's high-water mark above what it was after the baseline.
"""

import os
import subprocess

from lib import Comparison, compare, deployed_database, psql, timed_statement

ENTRIES = int(os.environ.get("BENCH_ENTRIES", 1_000_000))
ORGANIZATIONS = 4
LANES = 8
BASELINE = "SELECT sum(length(payload::text)), count(*) FROM audits.audit_log;"
VERIFY = "SELECT count(*) FROM audits.verify_chain();"
ALONE = "SET max_parallel_workers_per_gather = 0;"
MOST_MEMORY = 64 * 1024


def fill(database):
    """Entries of several organizations, through the ledger's own trigger, one transaction for each lane."""
    psql(database, script=f"""
        INSERT INTO tenancy.organizations (name) SELECT 'Bench ' || n FROM generate_series(1, {ORGANIZATIONS}) AS n;
        INSERT INTO auth.users (username, email) VALUES ('bench', 'bench@example.org');
    """)
    each = ENTRIES // LANES
    for _ in range(LANES):
        # A session starts at a lane of its own; so that they are many, each connection takes the next.
        subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-U", "postgres"],
            input=f"""
                INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload, ip_address, user_agent)
                SELECT o.id, 'repository', 'repository.scanned', u.id, gen_random_uuid(),
                       jsonb_build_object(
                           'number', n, 'branch', 'main', 'commit', md5(n::text), 'duration', n % 1000 / 10.0,
                           'labels', jsonb_build_array('nightly', 'full'), 'result', jsonb_build_object('passed', n % 3 = 0, 'findings', n % 17)),
                       '192.0.2.' || n % 256, 'codeverify-cli/1.0'
                FROM generate_series(1, {each}) AS n
                JOIN (SELECT id, row_number() OVER () AS place FROM tenancy.organizations) AS o ON o.place = 1 + n % {ORGANIZATIONS}
                CROSS JOIN auth.users AS u;
            """, text=True, check=True)
    psql(database, "-c", "VACUUM ANALYZE audits.audit_log", "-c", "CHECKPOINT")


def high_water_marks(database):
    """The process's high-water mark in kB after the baseline, and after a verification."""
    mark = "SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'VmHWM:\\s+(\\d+)');"
    # Shared buffers count for whoever touches them; both read all rows, so they are in both marks.
    output = psql(database, script=f"{ALONE}\n{BASELINE}\n{mark}\n{VERIFY}\n{mark}\n")
    marks = [int(line) for line in output.splitlines() if line.isdigit()]
    return marks[0], marks[-1]


def compare_all(rounds):
    database = deployed_database("bench_verify_chain")
    fill(database)

    def rate(statement, before):
        seconds, answer = timed_statement(database, statement, before=before)
        if statement == VERIFY and answer != "0":
            raise RuntimeError("the ledger is not intact")
        return ENTRIES / seconds

    yield compare(
        "verify_chain, one process", "entries/s", lambda: rate(VERIFY, ALONE), lambda: rate(BASELINE, ALONE), rounds, at_least=0.33)
    yield compare("verify_chain, with workers", "entries/s", lambda: rate(VERIFY, ""), lambda: rate(BASELINE, ""), rounds)
    before, after = high_water_marks(database)
    yield Comparison("verify_chain, memory above the baseline's", "kB", [after - before], [MOST_MEMORY], at_most=1.0)
