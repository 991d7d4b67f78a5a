"""Tenants with analyses, for benchmarks of what keeps them apart."""

from lib import ROOT, psql

SELECT = "SELECT id, repo_id, pr_number, pr_title, head_sha, status, created_at FROM analysis.analyses"


def fill(database, organizations, analyses):
    psql(
        database, "-v", f"organizations={organizations}", "-v", f"analyses={analyses}",
        "-f", str(ROOT / "bench" / "tenancy" / "tenants.sql"))


def org_of_rank(database, rank):
    """The organization that has the most analyses but rank others."""
    return psql(database, "-c", f"""
        SELECT org_id FROM analysis.analyses GROUP BY org_id ORDER BY count(*) DESC, org_id OFFSET {rank} LIMIT 1
    """)


def newest_20(org_clause):
    return f"{SELECT} WHERE {org_clause} true ORDER BY created_at DESC LIMIT 20;\n"
