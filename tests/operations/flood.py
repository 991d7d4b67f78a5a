#!/usr/bin/env python3
"""A flood of keys and tokens that are nobody's: random ones of the right form, and everything that is none. Each is
refused, in a time that does not grow; the backend's memory stays flat, and the ledger does not fill up.

FLOOD_SIZE is how many (10000)."""

import os
import random
import sys
import time
from pathlib import Path

# First: it puts the drivers in reach.
from ledger_support import check, connect, create_database, drop_database, drop_login, value, well_formed

import psycopg

DATABASE = "cv_flood"
LOGIN = "flooder"
SIZE = int(os.environ.get("FLOOD_SIZE", "10000"))
# What takes a secret of somebody who is not yet known: the mark of its tokens, and the call.
DOORS = {
    "auth.authenticate_api_key": ("cv_live_", "(%s)"),
    "auth.authenticate_session": ("cv_session_", "(%s)"),
    "auth.refresh_session": ("cv_refresh_", "(%s)"),
    "auth.logout": ("cv_session_", "(%s)"),
    "auth.verify_email": ("cv_verify_", "(%s)"),
    "auth.reset_password": ("cv_reset_", "(%s, 'correct horse battery staple')"),
    "tenancy.authenticate_web_token": ("eyJhbGciOiJIUzI1NiJ9.", "(%s)"),
}


def malformed(mark, randomness):
    """Nearly right, or nothing like it."""
    kind = randomness.randrange(8)
    good = well_formed(mark, randomness)
    if kind == 0:
        return good[:-1] + ("0" if good[-1] != "0" else "1")
    if kind == 1:
        return good[:randomness.randrange(len(good))]
    if kind == 2:
        return good + randomness.choice([" ", "\n", "=", "\u200b", good])
    if kind == 3:
        return "".join(chr(randomness.choice([randomness.randrange(1, 0xD800), randomness.randrange(0xE000, 0x110000)])) for _ in range(44))
    if kind == 4:
        return mark + "\u0660" * 36
    if kind == 5:
        return ".".join(randomness.randbytes(randomness.randrange(40)).hex() for _ in range(randomness.randrange(6)))
    if kind == 6:
        return "' OR true --" * randomness.randrange(1, 100)
    return randomness.choice(["", " ", mark, mark.upper() + "0" * 36, "null", "{}", "x" * 100_000])


def resident(pid):
    """Of the backend's memory what is its own, in KiB: without the buffers that it has touched."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0])


def flood(connection, superuser, door, mark, call, randomness):
    statement = f"SELECT {door}{call}"
    count = SIZE // len(DOORS)
    ledger = "SELECT count(*) FROM audits.audit_log"
    before, entries = None, value(superuser, ledger)
    seconds = []
    for number in range(count):
        # Half of it in transactions that are rolled back.
        if number % 100 == 0:
            connection.execute("BEGIN")
        text = (malformed if number % 4 == 3 else well_formed)(mark, randomness)
        started = time.perf_counter()
        try:
            answer = value(connection, statement, text)
            status = answer if isinstance(answer, (bool, type(None))) else answer.get("status", "ok")
            if status is True or status == "ok":
                sys.exit(f"FAILED: {door} lets {text!r} in")
        except psycopg.Error as error:
            sys.exit(f"FAILED: {door} fails on {text!r}: {error.sqlstate} {error}")
        seconds.append(time.perf_counter() - started)
        if number % 100 == 49:
            connection.execute("ROLLBACK")
        # What a backend learns once, caches and plans, it has learned by then.
        if number == count // 5:
            before = resident(connection.info.backend_pid)
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.execute("ROLLBACK")
    growth = resident(connection.info.backend_pid) - before
    told = value(superuser, ledger) - entries
    tenth = len(seconds) // 10
    first, last = (sorted(part)[tenth // 2] for part in (seconds[tenth:2 * tenth], seconds[-tenth:]))
    print(f"- {door}: {count} in {sum(seconds):.1f} s, median {first * 1e6:.0f} µs at first and {last * 1e6:.0f} µs at last, "
          f"{growth} KiB more, {told} entries in the ledger")
    if growth > 2048:
        sys.exit(f"FAILED: {door} leaves {growth} KiB behind")
    if told > 20:
        sys.exit(f"FAILED: {door} writes {told} entries to the ledger")
    # Generous: others use the machine too.
    if last > 5 * first + 0.001:
        sys.exit(f"FAILED: {door} gets slower")


def main():
    seed = os.environ.get("FLOOD_SEED", str(time.time_ns()))
    print(f"- FLOOD_SEED={seed}")
    randomness = random.Random(seed)
    create_database(DATABASE)
    try:
        with connect(DATABASE) as superuser:
            superuser.execute(f"DROP ROLE IF EXISTS {LOGIN}")
            superuser.execute(f"CREATE ROLE {LOGIN} LOGIN IN ROLE codeverify_tenant")
            with connect(DATABASE, user=LOGIN) as connection:
                for door, (mark, call) in DOORS.items():
                    flood(connection, superuser, door, mark, call, randomness)
            check(
                value(superuser, "SELECT count(*) FROM auth.login_attempts") <= 20, "no table of attempts fills up")
    finally:
        drop_database(DATABASE)
        drop_login(LOGIN)


main()
