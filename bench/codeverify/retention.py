"""Retention of a day of log lines against DELETE and VACUUM of the same lines in a table that is not partitioned.

Both tables have the columns and indexes of observability.logs, and a quarter as many lines that stay. Rows per second,
so that the ratio says how many times as fast. They are filled once: each round is measured in a copy of the database,
which is faster than a million lines into the indexes of a table. BENCH_RETENTION_ROWS says how many lines leave.
"""

import os

from lib import compare, deployed_database, psql, timed_statement

ROWS = int(os.environ.get("BENCH_RETENTION_ROWS", "1000000"))
PARTITIONED, PLAIN, COPY = "bench_retention_partitioned", "bench_retention_plain", "bench_retention"
LINES = """
    INSERT INTO {table} (org_id, ts, level, message, meta_json)
    SELECT o.id, '{day} 00:00+00'::timestamptz + i * interval '80 ms', (ARRAY['info', 'warn', 'error'])[i % 3 + 1],
           'request ' || i || ' took ' || i % 977 || ' ms', jsonb_build_object('request', i, 'path', '/v1/items/' || i % 5000)
    FROM generate_series(0, {rows} - 1) AS i
    CROSS JOIN (SELECT id FROM tenancy.organizations LIMIT 1) AS o;
"""
OLD, OLD_END, NEW, NEW_END = "2026-01-10", "2026-01-12", "2026-01-20", "2026-01-25"


def partition(name, rows, since, until):
    """Its indexes are built by ATTACH, when it is full."""
    return f"""
        CREATE TABLE observability.{name} (LIKE observability.logs INCLUDING ALL EXCLUDING INDEXES);
        ALTER TABLE observability.{name} OWNER TO codeverify_owner;
        {LINES.format(table=f"observability.{name}", day=since, rows=rows)}
        ALTER TABLE observability.logs ATTACH PARTITION observability.{name}
            FOR VALUES FROM ('{since} 00:00:00+00') TO ('{until} 00:00:00+00');
    """


def make_databases():
    deployed_database(PARTITIONED)
    psql(PARTITIONED, "-c", "INSERT INTO tenancy.organizations (name) VALUES ('Bench')")
    copy(PARTITIONED, PLAIN)
    psql(PARTITIONED, script=f"""
        SET client_min_messages = error;
        {partition("logs_2026_01_10", ROWS, OLD, OLD_END)}
        {partition("logs_2026_01_20", ROWS // 4, NEW, NEW_END)}
        INSERT INTO codeverify.partition_sets (parent, period, premake, retention, action)
        VALUES ('observability.logs', 'day', 14, '5 days', 'drop');
        VACUUM ANALYZE observability.logs;
    """)
    indexes = psql(PLAIN, "-c", """
        SELECT pg_get_indexdef(i.indexrelid) || ';' FROM pg_index AS i WHERE i.indrelid = 'observability.logs'::regclass
    """).replace(" ON ONLY observability.logs ", " ON public.lines ")
    psql(PLAIN, script=f"""
        SET client_min_messages = error;
        CREATE TABLE public.lines (LIKE observability.logs INCLUDING ALL EXCLUDING INDEXES);
        {LINES.format(table="public.lines", day=OLD, rows=ROWS)}
        {LINES.format(table="public.lines", day=NEW, rows=ROWS // 4)}
        {indexes}
        VACUUM ANALYZE public.lines;
    """)


def copy(template, database):
    psql("postgres", "-c", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)",
         "-c", f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY FILE_COPY")
    psql(database, "-c", "SELECT 1")  # the first connection to a database fills its caches


def count(table):
    return int(psql(COPY, "-c", f"SELECT count(*) FROM {table}"))


def by_retention():
    copy(PARTITIONED, COPY)
    seconds, done = timed_statement(
        COPY, "SELECT action, detail FROM codeverify.maintain('retention');",
        before=f"SET codeverify.clock = '{NEW} 00:00:00+00';")
    if count("observability.logs") != ROWS // 4:
        raise RuntimeError(f"retention did something else: {done}")
    return ROWS / seconds


def by_delete():
    copy(PLAIN, COPY)
    seconds = sum(
        timed_statement(COPY, statement)[0]
        for statement in (f"DELETE FROM public.lines WHERE ts < '{NEW} 00:00+00';", "VACUUM public.lines;"))
    if count("public.lines") != ROWS // 4:
        raise RuntimeError("DELETE deleted something else")
    return ROWS / seconds


def compare_all(rounds):
    make_databases()
    yield compare(
        f"retention of {ROWS:,} log lines against DELETE and VACUUM", "rows/s", by_retention, by_delete, rounds,
        at_least=10)
    for database in (COPY, PARTITIONED, PLAIN):
        psql("postgres", "-c", f"DROP DATABASE {database}")
