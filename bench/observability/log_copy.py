"""COPY into observability.logs against COPY into a bare table and into one with the documented indexes kept live.

As installed, every partition has the primary key and the three documented btrees from the start. In the configuration for
high volume (docs/observability.md), the btrees wait until the partition closes. BENCH_LOG_ROWS says how many lines.
"""

import os
import tempfile
from pathlib import Path

from lib import compare, psql, timed_statement
from logs import BTREES, COLUMNS, WORDS, bare_table, configure_for_high_volume, database_with_tenant, lines

ROWS = int(os.environ.get("BENCH_LOG_ROWS", 300_000))


def compare_all(rounds):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lines.copy"
        for high_volume in (False, True):
            database, org_id = database_with_tenant("bench_log_copy")
            bare = bare_table(database, "bare")
            indexed = bare_table(database, "indexed", *BTREES, WORDS)
            psql(database, "-c", f"ALTER TABLE {indexed} ADD PRIMARY KEY (id, ts)")
            # Before now, and on one day.
            start = "date_trunc('day', now(), 'UTC')"
            with open(file, "w") as output:
                output.write(psql(
                    database, "-c", f"COPY ({lines(org_id, ROWS, start, '1 ms')}) TO STDOUT") + "\n")
            if high_volume:
                configure_for_high_volume(database)

            def copy(table):
                psql(database, "-c", f"TRUNCATE {table}", "-c", "CHECKPOINT")
                seconds, _ = timed_statement(database, f"\\copy {table} ({COLUMNS}) FROM '{file}'")
                return ROWS / seconds

            name = "for high volume" if high_volume else "as installed"
            yield compare(
                f"COPY of log lines, {name}, against a bare table", "lines/s",
                lambda: copy("observability.logs"), lambda: copy(bare), rounds,
                **({"at_least": 0.60} if high_volume else {}))
            yield compare(
                f"COPY of log lines, {name}, against all indexes live", "lines/s",
                lambda: copy("observability.logs"), lambda: copy(indexed), rounds,
                **({"at_least": 4.0} if high_volume else {}))
