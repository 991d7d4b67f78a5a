"""What chaining costs: INSERT into the ledger against INSERT into an equal table without triggers.

The baseline has the same columns, defaults, checks, indexes and partitions, and is given what the ledger fills in. Both
sides write as the owner, to one organization; the transactions are those of 32 clients that reuse prepared statements.
"""

from lib import OWNER, compare, deployed_database, pgbench, psql, timed_statement

CLIENTS = 32
SECONDS = 2
BULK_ROWS = 20_000

PLAIN_TABLE = """
    CREATE TABLE public.plain (LIKE audits.audit_log INCLUDING ALL) PARTITION BY RANGE (ts);
    SELECT format('CREATE TABLE public.%I PARTITION OF public.plain %s', 'plain_' || c.relname, pg_get_expr(c.relpartbound, c.oid))
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audits.audit_log'::regclass
    \\gexec
    ALTER TABLE public.plain OWNER TO codeverify_owner;
"""

# What each entry holds in both tables, and what the client gives in place of the ledger.
COLUMNS = "org_id, entity, action, actor_id, resource_id, payload, ip_address"
ENTRY = """:org_id, 'repository', 'repository.renamed', :user_id, :user_id, '{"from": "widgets", "to": "gadgets"}', '192.0.2.1'"""
SIGNATURE = "f" * 64


def make_ledger(name):
    """A database with one organization, whose ledger is empty, and its owner. Returns what the scripts name them."""
    database = deployed_database(name)
    user_id, org_id = psql(database, script="""
        SET codeverify.capture = off;
        INSERT INTO auth.users (username, email) VALUES ('owner', 'owner@example.org')
        RETURNING id \\gset
        SELECT :'id', tenancy.create_organization('Bench', owner_id => :'id');
    """).split("|")
    return database, {"org_id": org_id, "user_id": user_id}


def appends(wait=""):
    return transaction(f"INSERT INTO audits.audit_log ({COLUMNS}) VALUES ({ENTRY});", wait)


def inserts(wait=""):
    statement = f"INSERT INTO public.plain ({COLUMNS}, signature, prev_hash, lane, seq) VALUES ({ENTRY}, '{SIGNATURE}', '{SIGNATURE}', :client_id, :seq);"
    return "\\set seq :seq + 1\n" + transaction(statement, wait)


def transaction(statement, wait):
    return f"BEGIN;\n{statement}\n{wait}\nCOMMIT;\n" if wait else f"{statement}\n"


def in_bulk(table, ids, more_columns="", more_values=""):
    entry = ENTRY.replace(":org_id", f"'{ids['org_id']}'").replace(":user_id", f"'{ids['user_id']}'")
    return (
        f"INSERT INTO {table} ({COLUMNS}{more_columns}) SELECT {entry}{more_values} FROM generate_series(1, {BULK_ROWS}) AS i;")


def compare_all(rounds):
    database, ids = make_ledger("bench_append")
    psql(database, script=PLAIN_TABLE)
    variables = [*ids.items(), ("seq", 0)]

    def per_second(script):
        return pgbench(database, OWNER, script, CLIENTS, SECONDS, "prepared", variables)

    for name, wait, bound in (
            ("append, 32 clients", "", 0.80), ("append, 32 clients that wait 5 ms before COMMIT", "\\sleep 5 ms", 0.90)):
        yield compare(
            name, "entries/s", lambda: per_second(appends(wait)), lambda: per_second(inserts(wait)), rounds, at_least=bound)

    def rows_per_second(statement):
        seconds, _ = timed_statement(database, statement, user=OWNER)
        return BULK_ROWS / seconds

    ours = in_bulk("audits.audit_log", ids)
    baseline = in_bulk(
        "public.plain", ids, ", signature, prev_hash, lane, seq", f", '{SIGNATURE}', '{SIGNATURE}', 0, i")
    yield compare(
        f"append, INSERT ... SELECT of {BULK_ROWS:,} rows", "entries/s",
        lambda: rows_per_second(ours), lambda: rows_per_second(baseline), rounds, at_least=0.40)
