"""Retention of a day of log lines against DELETE and VACUUM of the same lines in a table that is not partitioned.

Both tables have the columns of observability.logs, the indexes of a day that is closed, as it is long before it leaves:
the four that are documented and the primary key; and a quarter as many lines that stay. Rows per second, so that the ratio
says how many times as fast. Each round fills the tables from the same source, before their indexes are built, which takes
a fraction of the time. BENCH_RETENTION_ROWS says how many lines leave.
"""

import os

from lib import compare, deployed_database, psql, timed_statement
from logs import WORDS

ROWS = int(os.environ.get("BENCH_RETENTION_ROWS", "1000000"))
DATABASE = "bench_retention"
OLD, OLD_END, NEW, NEW_END = "2026-01-10", "2026-01-12", "2026-01-20", "2026-01-25"
LINES = """
    INSERT INTO {table} (org_id, ts, level, message, meta_json)
    SELECT o.id, '{day} 00:00+00'::timestamptz + i * interval '80 ms', (ARRAY['info', 'warn', 'error'])[i % 3 + 1],
           'request ' || i || ' took ' || i % 977 || ' ms', jsonb_build_object('request', i, 'path', '/v1/items/' || i % 5000)
    FROM generate_series(0, {rows} - 1) AS i
    CROSS JOIN (SELECT id FROM tenancy.organizations LIMIT 1) AS o;
"""


def run(script):
    psql(DATABASE, script="SET client_min_messages = error;\nSET maintenance_work_mem = '256MB';\n" + script)


def count(table):
    return int(psql(DATABASE, "-c", f"SELECT count(*) FROM {table}"))


def index_definitions(source, target):
    """Of a partitioned table, for an ordinary one."""
    return psql(DATABASE, "-c", f"""
        SELECT replace(regexp_replace(pg_get_indexdef(i.indexrelid), 'INDEX \\S+ ON', 'INDEX ON'), 'ON ONLY {source} ', 'ON {target} ') || ';'
        FROM pg_index AS i
        WHERE i.indrelid = '{source}'::regclass
    """)


def attach(partition, source, since, until):
    """Fills a partition; ATTACH builds its indexes."""
    run(f"""
        CREATE TABLE observability.{partition} (LIKE observability.logs INCLUDING ALL EXCLUDING INDEXES);
        ALTER TABLE observability.{partition} OWNER TO codeverify_owner;
        INSERT INTO observability.{partition} TABLE {source};
        ALTER TABLE observability.logs ATTACH PARTITION observability.{partition}
            FOR VALUES FROM ('{since} 00:00:00+00') TO ('{until} 00:00:00+00');
        CREATE INDEX ON observability.{partition} {WORDS};
        VACUUM observability.{partition};
        CHECKPOINT;
    """)


def setup():
    deployed_database(DATABASE)
    run(f"""
        INSERT INTO tenancy.organizations (name) VALUES ('Bench');
        CREATE UNLOGGED TABLE public.old_lines (LIKE observability.logs INCLUDING DEFAULTS INCLUDING GENERATED);
        CREATE UNLOGGED TABLE public.new_lines (LIKE observability.logs INCLUDING DEFAULTS INCLUDING GENERATED);
        {LINES.format(table="public.old_lines", day=OLD, rows=ROWS)}
        {LINES.format(table="public.new_lines", day=NEW, rows=ROWS // 4)}
        INSERT INTO codeverify.partition_sets (parent, period, premake, retention, action)
        VALUES ('observability.logs', 'day', 14, '5 days', 'drop');
    """)
    attach("logs_2026_01_20", "public.new_lines", NEW, NEW_END)


def by_retention():
    run("UPDATE codeverify.partition_sets SET retired_until = NULL;")
    attach("logs_2026_01_10", "public.old_lines", OLD, OLD_END)
    seconds, done = timed_statement(
        DATABASE, "SELECT action, detail FROM codeverify.maintain('retention');",
        before=f"SET codeverify.clock = '{NEW} 00:00:00+00';")
    if count("observability.logs") != ROWS // 4:
        raise RuntimeError(f"retention did something else: {done}")
    return ROWS / seconds


def by_delete():
    run(f"""
        DROP TABLE IF EXISTS public.lines;
        CREATE TABLE public.lines (LIKE observability.logs INCLUDING ALL EXCLUDING INDEXES);
        INSERT INTO public.lines TABLE public.old_lines;
        INSERT INTO public.lines TABLE public.new_lines;
        {index_definitions("observability.logs", "public.lines")}
        CREATE INDEX ON public.lines {WORDS};
        VACUUM public.lines;
        CHECKPOINT;
    """)
    seconds = sum(
        timed_statement(DATABASE, statement)[0]
        for statement in (f"DELETE FROM public.lines WHERE ts < '{NEW} 00:00+00';", "VACUUM public.lines;"))
    if count("public.lines") != ROWS // 4:
        raise RuntimeError("DELETE deleted something else")
    return ROWS / seconds


def compare_all(rounds):
    setup()
    yield compare(
        f"retention of {ROWS:,} log lines against DELETE and VACUUM", "rows/s", by_retention, by_delete, rounds,
        at_least=10)
