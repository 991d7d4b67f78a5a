"""What row security costs: a tenant's queries against the owner's with the organization written out."""

from lib import OWNER, TENANT, compare, deployed_database, pgbench, psql, set_context
from tenants import SELECT, fill, newest_20, org_of_rank

CLIENTS = 8
LOOKUPS = 20

# Many short turns, so that what else the machine does meets both sides alike.
SECONDS = 1
TURNS = 3

ORGANIZATIONS = 200
ANALYSES = 200_000


def compare_all(rounds):
    database = deployed_database("bench_row_security")
    fill(database, ORGANIZATIONS, ANALYSES)
    org_id = org_of_rank(database, ORGANIZATIONS // 2)
    set_context(database, org_id)
    ids = psql(
        database, "-c", f"SELECT id FROM analysis.analyses WHERE org_id = '{org_id}' ORDER BY md5(id::text) LIMIT {LOOKUPS}"
    ).split()

    def by_primary_key(mode, org_clause):
        # pgbench puts a variable's text into a simple query as it is.
        keys = [f":id{n}" if mode == "prepared" else f"'{key}'" for n, key in enumerate(ids)]
        return "".join(f"{SELECT} WHERE {org_clause} id = {key};\n" for key in keys)

    def top_20(mode, org_clause):
        return newest_20(org_clause)

    def queries_per_second(user, mode, script):
        variables = [(f"id{n}", key) for n, key in enumerate(ids)] if ":id" in script else ()
        return script.count(";") * pgbench(database, user, script, CLIENTS, SECONDS, mode, variables)

    # Planned anew each time, row security costs planning too. No bound is set on that.
    for mode, turns, bound in (("prepared", TURNS * rounds, {"at_least": 0.90}), ("simple", rounds, {})):
        for name, query in (("by primary key", by_primary_key), ("top 20 by index", top_20)):
            ours = query(mode, "")
            baseline = query(mode, f"org_id = '{org_id}' AND")
            yield compare(
                f"row security, {name}, {mode}",
                "queries/s",
                lambda: queries_per_second(TENANT, mode, ours),
                lambda: queries_per_second(OWNER, mode, baseline),
                turns,
                **bound,
            )
