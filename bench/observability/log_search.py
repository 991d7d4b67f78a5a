"""observability.search_logs() by a word on a closed day against the same query written by hand, as the owner.

The day has a million lines (BENCH_LOG_ROWS), and the indexes that maintenance builds when a partition closes. Both sides are one
statement with all values in its text, sent, parsed and planned each time, and return the same lines in the same order.

By hand there are two ways to write it, and who writes has to know which words are frequent: by the index, all that match and
the newest 100 of them; or from the newest line on until there are 100. For each word the better one is the baseline: the
former takes seconds for a word of every line, the latter for a word of few.
"""

import os

from lib import TENANT, compare, pgbench, psql
from logs import database_with_tenant, lines

ROWS = int(os.environ.get("BENCH_LOG_ROWS", 1_000_000))
SECONDS = 1
TURNS = 3


def answer(database, user, statement):
    return psql(database, user=user, script=statement)


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

    def search(word):
        query = f"'{word}', " if word else ""
        return f"SELECT * FROM observability.search_logs({query}since => '{since}', until => '{until}');\n"

    columns = "id, ts, level, service_id, environment_id, message, meta_json"
    of_the_day = f"org_id = '{org_id}' AND ts >= '{since}' AND ts < '{until}'"

    def matches(word):
        return f"""to_tsvector('simple', "left"(message, 100000)) @@ websearch_to_tsquery('simple', '{word}')"""

    def by_index(word):
        # Materialized, or the planner reads the newest lines one by one, hoping to find 100 with the word soon.
        return (
            f"WITH found AS MATERIALIZED (SELECT {columns} FROM observability.logs WHERE {of_the_day} AND {matches(word)}) "
            "SELECT * FROM found ORDER BY ts DESC, id DESC LIMIT 100;\n")

    def newest_first(word):
        # Not by the index, which the planner may prefer on a small day.
        return (
            f"SELECT {columns} FROM (SELECT {columns} FROM observability.logs WHERE {of_the_day} "
            f"ORDER BY ts DESC, id DESC OFFSET 0) AS l WHERE {matches(word)} LIMIT 100;\n")

    def newest(_):
        return f"SELECT {columns} FROM observability.logs WHERE {of_the_day} ORDER BY ts DESC, id DESC LIMIT 100;\n"

    for name, word, by_hand, bound in (
        ("a word of a line in 10,000", "timeout", by_index, {"at_least": 0.90}),
        ("a word of one line", "c4ca4238a0b923820dcc509a6f75849b", by_index, {}),
        ("a word of every line", "answered", newest_first, {}),
        ("no word", None, newest, {}),
    ):
        ours, baseline = search(word), by_hand(word)
        if answer(database, TENANT, ours) != answer(database, "postgres", baseline):
            raise RuntimeError(f"search_logs does not return what the query by hand does: {name}")
        yield compare(
            f"search_logs on a closed day, {name}", "searches/s",
            lambda: pgbench(database, TENANT, ours, 1, SECONDS, "simple"),
            lambda: pgbench(database, "postgres", baseline, 1, SECONDS, "simple"),
            TURNS * rounds, **bound)
