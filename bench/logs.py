"""Log lines for benchmarks: a tenant with services, the tables to compare with, and the configuration for high volume."""

from lib import deployed_database, psql, set_context

COLUMNS = "org_id, service_id, environment_id, ts, level, message, meta_json"

# The expressions that codeverify.list_partition_sets() has, and the documented btrees.
WORDS = "USING gin (to_tsvector('simple'::regconfig, \"left\"(message, 100000)))"
BTREES = (
    "(org_id, service_id, environment_id, ts DESC)",
    "(org_id, ts DESC)",
    "(org_id, level, ts DESC)",
)


def database_with_tenant(name):
    """A database, and the organization that bench_tenant acts for."""
    database = deployed_database(name)
    org_id = psql(database, "-c", "INSERT INTO tenancy.organizations (name) VALUES ('Bench') RETURNING id")
    psql(database, script=f"""
        INSERT INTO tenancy.services (org_id, name) SELECT '{org_id}', 'service ' || n FROM generate_series(1, 20) AS n;
        INSERT INTO tenancy.environments (org_id, name) VALUES ('{org_id}', 'production'), ('{org_id}', 'staging');
    """)
    set_context(database, org_id)
    return database, org_id


def bare_table(database, name, *indexes):
    """A plain table with the columns of observability.logs."""
    psql(database, script=f"""
        SET client_min_messages = error;
        CREATE SCHEMA IF NOT EXISTS bench;
        CREATE TABLE bench.{name} (LIKE observability.logs INCLUDING DEFAULTS);
        {"".join(f"CREATE INDEX ON bench.{name} {definition};" for definition in indexes)}
    """)
    return f"bench.{name}"


def configure_for_high_volume(database):
    """As docs/observability.md has it: the btrees wait until a partition closes, and a BRIN index serves until then."""
    psql(database, script="""
        DROP INDEX observability.logs_scope_ts_idx, observability.logs_org_ts_idx, observability.logs_level_idx;
        CREATE INDEX logs_ts_brin_idx ON observability.logs USING brin (ts);
    """)


def lines(org_id, count, start, step):
    """A query for so many lines from a time on."""
    return f"""
        SELECT
            '{org_id}'::uuid AS org_id,
            s.ids[1 + n % 20] AS service_id,
            e.ids[1 + n % 2] AS environment_id,
            {start} + n * interval '{step}' AS ts,
            (ARRAY['info', 'info', 'info', 'info', 'warn', 'error', 'debug', 'debug'])[1 + n % 8] AS level,
            format(
                'GET /api/v1/items/%s answered %s in %s ms%s',
                md5(n::text), 200 + n % 5, n % 997, CASE WHEN n % 10000 = 0 THEN ' after a timeout' END) AS message,
            jsonb_build_object('request_id', md5((n * 7)::text), 'status', 200 + n % 5) AS meta_json
        FROM generate_series(1, {count}) AS n
        CROSS JOIN (SELECT array_agg(id) AS ids FROM tenancy.services WHERE org_id = '{org_id}') AS s
        CROSS JOIN (SELECT array_agg(id) AS ids FROM tenancy.environments WHERE org_id = '{org_id}') AS e
    """
