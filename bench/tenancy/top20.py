"""The newest 20 rows of a tenant out of a million rows of 1,000 tenants: under row security against the same query as the
owner with the organization written out, for a tenant with much, one with little and one in between."""

from lib import OWNER, TENANT, compare, deployed_database, pgbench, set_context
from tenants import fill, newest_20, org_of_rank

CLIENTS = 8
ORGANIZATIONS = 1_000
ANALYSES = 1_000_000

# Many short turns, so that what else the machine does meets both sides alike.
SECONDS = 1
TURNS = 3


def compare_all(rounds):
    database = deployed_database("bench_top20")
    fill(database, ORGANIZATIONS, ANALYSES)

    def queries_per_second(user, script):
        return pgbench(database, user, script, CLIENTS, SECONDS, "prepared")

    for name, rank in (("largest", 0), ("median", ORGANIZATIONS // 2), ("smallest", ORGANIZATIONS - 1)):
        org_id = org_of_rank(database, rank)
        set_context(database, org_id)
        ours = newest_20("")
        baseline = newest_20(f"org_id = '{org_id}' AND")
        yield compare(
            f"newest 20 of a million rows, the {name} of 1,000 tenants",
            "queries/s",
            lambda: queries_per_second(TENANT, ours),
            lambda: queries_per_second(OWNER, baseline),
            TURNS * rounds,
            at_least=0.90,
        )
