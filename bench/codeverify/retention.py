"""Retention of a day of log lines against DELETE and VACUUM of the same lines in a table that is not partitioned.

Both tables have the columns and indexes of observability.logs, and a quarter as many lines that stay. Rows per second,
so that the ratio says how many times as fast. BENCH_RETENTION_ROWS says how many lines leave.
"""

import os

from lib import compare, deployed_database, psql, timed_statement

ROWS = int(os.environ.get("BENCH_RETENTION_ROWS", "1000000"))
DATABASE = "bench_retention"
LINES = """
    SELECT o.id, '{day} 00:00+00'::timestamptz + i * interval '80 ms', (ARRAY['info', 'warn', 'error'])[i % 3 + 1],
           'request ' || i || ' took ' || i % 977 || ' ms', jsonb_build_object('request', i, 'path', '/v1/items/' || i % 5000)
    FROM generate_series(0, {rows} - 1) AS i
    CROSS JOIN (SELECT id FROM tenancy.organizations LIMIT 1) AS o
"""
OLD, NEW = "2026-01-10", "2026-01-20"


def make_tables():
    psql(DATABASE, script=f"""
        SET codeverify.capture = off;
        INSERT INTO tenancy.organizations (name) VALUES ('Bench');
        CREATE TABLE public.lines (LIKE observability.logs INCLUDING ALL);
        CREATE TABLE observability.logs_2026_01_20 PARTITION OF observability.logs
            FOR VALUES FROM ('{NEW} 00:00:00+00') TO ('2026-01-25 00:00:00+00');
        ALTER TABLE observability.logs_2026_01_20 OWNER TO codeverify_owner;
        INSERT INTO observability.logs (org_id, ts, level, message, meta_json) {LINES.format(day=NEW, rows=ROWS // 4)};
        INSERT INTO public.lines (org_id, ts, level, message, meta_json) {LINES.format(day=NEW, rows=ROWS // 4)};
        INSERT INTO codeverify.partition_sets (parent, period, premake, retention, action)
        VALUES ('observability.logs', 'day', 14, '5 days', 'drop');
    """)


def count(table):
    return int(psql(DATABASE, "-c", f"SELECT count(*) FROM {table}"))


def by_retention():
    psql(DATABASE, script=f"""
        UPDATE codeverify.partition_sets SET retired_until = NULL;
        CREATE TABLE observability.logs_2026_01_10 PARTITION OF observability.logs
            FOR VALUES FROM ('{OLD} 00:00:00+00') TO ('2026-01-12 00:00:00+00');
        ALTER TABLE observability.logs_2026_01_10 OWNER TO codeverify_owner;
        INSERT INTO observability.logs (org_id, ts, level, message, meta_json) {LINES.format(day=OLD, rows=ROWS)};
        CHECKPOINT;
    """)
    seconds, done = timed_statement(
        DATABASE, "SELECT action, detail FROM codeverify.maintain('retention');",
        before="SET codeverify.clock = '2026-01-20 00:00:00+00';")
    if count("observability.logs") != ROWS // 4:
        raise RuntimeError(f"retention did something else: {done}")
    return ROWS / seconds


def by_delete():
    psql(DATABASE, script=f"""
        INSERT INTO public.lines (org_id, ts, level, message, meta_json) {LINES.format(day=OLD, rows=ROWS)};
        CHECKPOINT;
    """)
    seconds = sum(
        timed_statement(DATABASE, statement)[0]
        for statement in (f"DELETE FROM public.lines WHERE ts < '{NEW} 00:00+00';", "VACUUM public.lines;"))
    if count("public.lines") != ROWS // 4:
        raise RuntimeError("DELETE deleted something else")
    return ROWS / seconds


def compare_all(rounds):
    deployed_database(DATABASE)
    make_tables()
    yield compare(
        f"retention of {ROWS:,} log lines against DELETE and VACUUM", "rows/s", by_retention, by_delete, rounds,
        at_least=10)
