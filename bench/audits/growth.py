"""Appends per second to a large ledger against one of ten thousand entries.

The entries there are inserted without the trigger, with hashes that are none: what an append finds and does is the same,
and they are there in minutes. BENCH_LEDGER_ENTRIES says how many; ten million take
some minutes more and some 10 GB. Memory holds the pages that appends touch, not the whole ledger.
"""

import importlib.util
import os
from pathlib import Path

from lib import OWNER, compare, pgbench, psql

SMALL = 10_000
LARGE = int(os.environ.get("BENCH_LEDGER_ENTRIES", "1000000"))
CLIENTS = 32
SECONDS = 3

specification = importlib.util.spec_from_file_location("bench_append", Path(__file__).with_name("append.py"))
append = importlib.util.module_from_spec(specification)
specification.loader.exec_module(append)


def fill(database, org_id, user_id, entries):
    """Entries of the last hours, in all lanes."""
    psql(database, script=f"""
        ALTER TABLE audits.audit_log DISABLE TRIGGER audit_log_chain_entry;
        INSERT INTO audits.audit_log
            (org_id, entity, action, actor_id, resource_id, payload, signature, prev_hash, ts, lane, seq)
        SELECT '{org_id}', 'repository', 'repository.renamed', '{user_id}', '{user_id}', '{{"from": "a", "to": "b"}}',
               repeat(md5(i::text), 2), repeat(md5((i - 32)::text), 2),
               now() - ({entries} - i) * interval '1 millisecond', i % 32, i / 32 + 1
        FROM generate_series(0, {entries} - 1) AS i;
        INSERT INTO audits.lanes (org_id, lane) SELECT '{org_id}', i FROM generate_series(0, 31) AS i;
        ALTER TABLE audits.audit_log ENABLE ALWAYS TRIGGER audit_log_chain_entry;
        VACUUM (FREEZE, ANALYZE) audits.audit_log;
        CHECKPOINT;
    """)


def compare_all(rounds):
    ledgers = {}
    for entries in (SMALL, LARGE):
        database, ids = append.make_ledger(f"bench_growth_{entries}")
        fill(database, ids["org_id"], ids["user_id"], entries)
        ledgers[entries] = database, list(ids.items())

    def per_second(entries):
        database, variables = ledgers[entries]
        return pgbench(database, OWNER, append.appends(), CLIENTS, SECONDS, "prepared", variables)

    yield compare(
        f"append to a ledger of {LARGE:,} entries, against {SMALL:,}", "entries/s",
        lambda: per_second(LARGE), lambda: per_second(SMALL), rounds, at_least=0.90)
