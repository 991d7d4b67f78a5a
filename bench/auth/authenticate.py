"""What an API key costs: a transaction that authenticates and reads a row against one that reads the row.

The baseline reads as the owner with the organization written out. Both send one statement after another and reuse
prepared statements, as a server behind a pool does.
"""

from lib import OWNER, TENANT, compare, deployed_database, pgbench, psql

CLIENTS = 8

# Many short turns, so that what else the machine does meets both sides alike.
SECONDS = 1
TURNS = 3

READ = "SELECT id, name, full_name, default_branch, settings FROM scm.repositories WHERE id = :repo_id"


def make_tenant(database):
    """An organization with a key of its owner's, among many others; what the scripts name them."""
    names = ("org_id", "repo_id", "api_key")
    values = psql(database, script="""
        SET codeverify.capture = off;
        INSERT INTO tenancy.organizations (name) SELECT 'Organization ' || n FROM generate_series(1, 1000) AS n;
        INSERT INTO auth.users (username) SELECT 'user-' || n FROM generate_series(1, 1000) AS n;
        INSERT INTO tenancy.org_memberships (org_id, user_id, role)
        SELECT o.id, u.id, 'owner'
        FROM (SELECT id, row_number() OVER () AS n FROM tenancy.organizations) AS o
        JOIN (SELECT id, row_number() OVER () AS n FROM auth.users) AS u USING (n);
        INSERT INTO scm.repositories (org_id, github_id, name, full_name)
        SELECT m.org_id, 10 * row_number() OVER () + n, 'repository-' || n, m.org_id || '/repository-' || n
        FROM tenancy.org_memberships AS m
        CROSS JOIN generate_series(1, 5) AS n;
        INSERT INTO auth.api_keys (org_id, name, key_hash, created_by)
        SELECT m.org_id, 'key-' || n, encode(sha256(convert_to(m.org_id::text || n, 'UTF8')), 'hex'), m.user_id
        FROM tenancy.org_memberships AS m
        CROSS JOIN generate_series(1, 100) AS n;
        VACUUM (ANALYZE) tenancy.organizations, tenancy.org_memberships, scm.repositories, auth.api_keys;

        SELECT m.org_id, m.user_id, r.id AS repo_id
        FROM tenancy.org_memberships AS m
        JOIN scm.repositories AS r USING (org_id)
        LIMIT 1 \\gset
        BEGIN;
        SELECT tenancy.assume(:'org_id', :'user_id') \\g /dev/null
        SELECT :'org_id', :'repo_id', api_key
        FROM auth.create_api_key(:'org_id', 'bench', '["read", "write"]');
        COMMIT;
    """)
    return list(zip(names, values.split("|")))


def compare_all(rounds):
    database = deployed_database("bench_authenticate")
    variables = make_tenant(database)
    read = f"{READ};\n"
    literal = f"{READ} AND org_id = :org_id;\n"
    authenticate = "SELECT auth.authenticate_api_key(:api_key, 'read');\n"

    def per_second(user, script):
        return pgbench(database, user, f"BEGIN;\n{script}COMMIT;\n", CLIENTS, SECONDS, "prepared", variables)

    yield compare(
        "authenticate by key and read a row",
        "transactions/s",
        lambda: per_second(TENANT, authenticate + read),
        lambda: per_second(OWNER, literal),
        TURNS * rounds,
        at_least=0.60,
    )
