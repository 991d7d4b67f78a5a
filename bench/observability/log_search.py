"""observability.search_logs() by a word on a closed day against the same query written by hand, as the owner.

The day has a million lines (BENCH_LOG_ROWS), and the indexes that maintenance builds when a partition closes.
"""

import os

from lib import TENANT, compare, pgbench, psql
from logs import database_with_tenant, lines

ROWS = int(os.environ.get("BENCH_LOG_ROWS", 1_000_000))
SECONDS = 1
TURNS = 3


def compare_all(rounds):
    database, org_id = database_with_tenant("bench_log_search")
    since, until = psql(database, "-F", " ", "-c", """
        SELECT to_char(d - interval '1 day', 'YYYY-MM-DD"T00:00Z"'), to_char(d, 'YYYY-MM-DD"T00:00Z"')
        FROM date_trunc('day', now() AT TIME ZONE 'UTC') AS d""").split()
    step = f"{86_400_000_000 // (ROWS + 1)} microseconds"
    psql(database, script=f"""
        INSERT INTO observability.logs (org_id, service_id, environment_id, ts, level, message, meta_json)
        {lines(org_id, ROWS, f"'{since}'::timestamptz", step)};
        SELECT codeverify.build_closed_index(s.parent, p.partition, d.definition)
        FROM codeverify.list_partition_sets() AS s
        CROSS JOIN codeverify.list_set_partitions(s.parent) AS p
        CROSS JOIN unnest(s.closed_indexes) AS d (definition)
        WHERE s.parent = 'observability.logs'::regclass
          AND p.lower_bound = '{since}';
        VACUUM ANALYZE observability.logs;
    """)

    def ours(word):
        return f"SELECT * FROM observability.search_logs('{word}', since => '{since}', until => '{until}');\n"

    def by_hand(word):
        # Materialized, or the planner reads the newest lines one by one, hoping to find 100 with the word soon.
        return f"""
            WITH found AS MATERIALIZED (
                SELECT id, ts, level, service_id, environment_id, message, meta_json FROM observability.logs
                WHERE org_id = '{org_id}' AND ts >= '{since}' AND ts < '{until}'
                AND to_tsvector('simple', "left"(message, 100000)) @@ websearch_to_tsquery('simple', '{word}'))
            SELECT * FROM found ORDER BY ts DESC, id DESC LIMIT 100;
        """.replace("\n", " ")

    for name, word, bound in (
        ("a word of a line in 10,000", "timeout", {"at_least": 0.90}),
        ("a word of one line", "c4ca4238a0b923820dcc509a6f75849b", {}),
        ("a word of every line", "answered", {}),
    ):
        yield compare(
            f"search_logs on a closed day, {name}", "searches/s",
            lambda: pgbench(database, TENANT, ours(word), 1, SECONDS, "simple"),
            lambda: pgbench(database, "postgres", by_hand(word), 1, SECONDS, "simple"),
            TURNS * rounds, **bound)
