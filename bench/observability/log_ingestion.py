"""observability.ingest_logs() with 1,000 lines a call against INSERT of as many rows into a bare table, one client each."""

from lib import TENANT, compare, pgbench, psql
from logs import COLUMNS, bare_table, configure_for_high_volume, database_with_tenant, lines

LINES = 1_000
SECONDS = 2
TURNS = 2


def compare_all(rounds):
    for high_volume in (False, True):
        database, org_id = database_with_tenant("bench_log_ingestion")
        bare = bare_table(database, "bare")
        if high_volume:
            configure_for_high_volume(database)
        batch = lines(org_id, LINES, "date_trunc('second', now())", "1 ms")
        arrays = psql(database, "-c", f"""
            SELECT format(
                'SELECT observability.ingest_logs(%L::uuid[], %L::uuid[], %L::timestamptz[], %L::text[], %L::text[], %L::jsonb[]);',
                array_agg(service_id), array_agg(environment_id), array_agg(ts), array_agg(level), array_agg(message),
                array_agg(meta_json))
            FROM ({batch}) AS l""")
        entries = psql(database, "-c", f"""
            SELECT format('SELECT observability.ingest_logs(%L::jsonb);', jsonb_agg(jsonb_build_object(
                'service_id', service_id, 'environment_id', environment_id, 'ts', ts, 'level', level, 'message', message,
                'meta', meta_json)))
            FROM ({batch}) AS l""")
        insert = psql(database, "-c", f"""
            SELECT format(
                'INSERT INTO {bare} ({COLUMNS}) VALUES %s;',
                string_agg(
                    format('(%L,%L,%L,%L,%L,%L,%L)', org_id, service_id, environment_id, ts, level, message, meta_json), ','))
            FROM ({batch}) AS l""")

        def write(user, statement):
            psql(database, "-c", "TRUNCATE observability.logs", "-c", f"TRUNCATE {bare}", "-c", "CHECKPOINT")
            return LINES * pgbench(database, user, statement, 1, SECONDS, "simple")

        name = "for high volume" if high_volume else "as installed"
        for form, statement, bound in (("arrays", arrays, {"at_least": 0.50}), ("JSON", entries, {})):
            yield compare(
                f"ingest_logs, {form} of 1,000, {name}", "lines/s",
                lambda: write(TENANT, statement), lambda: write("postgres", insert), TURNS * rounds, **bound)
