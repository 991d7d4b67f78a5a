"""Planning of the dashboard's query, the newest 50 log lines of an organization between literal bounds of a day: with 120
partitions against 12."""

import re
import statistics

from lib import compare, deployed_database, psql

DATABASES = {"bench_planning_many": 120, "bench_planning_few": 12}
QUERIES = 50


def setup(database, partitions):
    deployed_database(database)
    # The bare table has 17 days; what is asked for is a set of just so many.
    psql(database, script=f"""
        DO $drop$
        DECLARE
            partition regclass;
        BEGIN
            FOR partition IN SELECT l.partition FROM codeverify.list_set_partitions('observability.logs') AS l WHERE NOT l.is_default LOOP
                EXECUTE format('DROP TABLE %s', partition);
            END LOOP;
        END
        $drop$;
        SELECT codeverify.create_partitions('observability.logs', 'day', {partitions - 2}, 1);
        INSERT INTO tenancy.organizations (id, name, login, github_id)
        VALUES ('00000000-0000-0000-0000-000000000001', 'Bench', 'bench', 1);
        INSERT INTO observability.logs (org_id, ts, message)
        SELECT '00000000-0000-0000-0000-000000000001', now() - interval '1 minute' * n, 'line ' || n
        FROM generate_series(1, 5000) AS n;
        ANALYZE observability.logs;
    """)


def plans_per_second(database):
    """As a session plans it again and again: the first plan, which fills its caches, does not count."""
    query = psql(database, "-c", """
        SELECT format(
            'EXPLAIN (SUMMARY) SELECT ts, level, message FROM observability.logs WHERE org_id = %L AND ts >= %L AND ts < %L ORDER BY ts DESC LIMIT 50;',
            '00000000-0000-0000-0000-000000000001', date_trunc('day', now(), 'UTC'), date_trunc('day', now(), 'UTC') + interval '1 day')
    """)
    output = psql(database, script=f"{query}\n" * (QUERIES + 1))
    times = [float(time) for time in re.findall(r"^Planning Time: ([0-9.]+) ms$", output, re.MULTILINE)][1:]
    return 1000 / statistics.median(times)


def compare_all(rounds):
    for database, partitions in DATABASES.items():
        setup(database, partitions)
    many, few = DATABASES
    yield compare(
        "plans of the dashboard's query, 120 partitions", "plans/s",
        lambda: plans_per_second(many), lambda: plans_per_second(few), rounds, at_least=0.5)
