#!/usr/bin/env python3
"""Random queries of a tenant: sqlsmith, as a login that is a codeverify_tenant and bound to organization a, on a server
of its own with rows of a and b in every table. What the server answers goes through a relay that looks for what only b
has. No value of b may pass, no server process may crash, and no function of the library may panic.

SQLSMITH_SECONDS is how long (30), SQLSMITH_SEED what they begin with: the same each time, so that a change is what makes
this fail, and not chance."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ledger_support import ROOT, Cluster, connect, psql, value
from wire_relay import Relay

SECONDS = float(os.environ.get("SQLSMITH_SECONDS", "30"))
DATABASE = "sqlsmith"
LOGIN = "smith"
# In every text of b that takes it; its hexadecimal form is how bytea shows it.
MARK = "bbbbbbbb"
SETTINGS = (
    "shared_preload_libraries=codeverify",
    "log_min_messages=fatal",
    "temp_file_limit=64MB",
    "work_mem=1MB",
    "max_parallel_workers_per_gather=1",
    "autovacuum=off",
)

# Texts of b, and what an index or a CHECK lets be changed of them. What refuses is left as it is.
MARK_TEXTS = f"""
DO $mark$
DECLARE
    target record;
BEGIN
    FOR target IN
        SELECT c.oid::regclass AS relation, a.attname AS name, o.attname AS org
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner AND r.rolname = 'codeverify_owner'
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        JOIN pg_attribute AS o
          ON o.attrelid = c.oid AND o.attname = CASE WHEN c.oid = 'tenancy.organizations'::regclass THEN 'id' ELSE 'org_id' END
        WHERE c.relkind IN ('r', 'p')
          AND NOT c.relispartition
          AND a.atttypid = 'text'::regtype
          -- The ledger is final.
          AND c.relnamespace <> 'audits'::regnamespace
    LOOP
        BEGIN
            EXECUTE format(
                'UPDATE %1$s SET %2$I = ''{MARK} '' || coalesce(%2$I, '''') WHERE %3$I = tap.id(''b'')',
                target.relation, target.name, target.org);
        EXCEPTION
            WHEN integrity_constraint_violation OR raise_exception OR data_exception OR restrict_violation THEN
                NULL;
        END;
    END LOOP;
END
$mark$;
UPDATE auth.users SET username = '{MARK} ' || username, email = '{MARK}.' || email WHERE email LIKE '%@b.test';
"""

# UUIDs and texts of an organization, but no texts that are short enough to be there by chance.
VALUES_OF = """
CREATE FUNCTION tap.values_of(org uuid) RETURNS SETOF text LANGUAGE plpgsql AS $function$
DECLARE
    target record;
BEGIN
    FOR target IN
        SELECT c.oid::regclass AS relation, a.attname AS name, o.attname AS org
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner AND r.rolname = 'codeverify_owner'
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_attribute AS o
          ON o.attrelid = c.oid AND o.attname = CASE WHEN c.oid = 'tenancy.organizations'::regclass THEN 'id' ELSE 'org_id' END
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.atttypid IN ('text'::regtype, 'uuid'::regtype)
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT %1$I::text FROM %2$s WHERE %3$I = $1 AND length(%1$I::text) >= 10',
            target.name, target.relation, target.org)
        USING org;
    END LOOP;
END
$function$;
"""


def fill():
    """Two organizations with rows in every table, and the tenant's login. Returns what each has alone."""
    done = psql(
        DATABASE, "-c", "BEGIN", "-f", str(ROOT / "tests" / "two_tenants.sql"), "-f", str(ROOT / "tests" / "tenant_rows.sql"),
        "-c", "SET LOCAL session_replication_role = replica", "-c", MARK_TEXTS, "-c", "COMMIT", "-c", "ANALYZE")
    if done.returncode != 0:
        sys.exit(done.stderr)
    with connect(DATABASE) as connection:
        connection.execute(VALUES_OF)
        of_a, of_b = (
            {text for (text,) in connection.execute("SELECT tap.values_of(tap.id(%s))", (name,))} for name in ("a", "b"))
        ids = {name: value(connection, "SELECT tap.id(%s)::text", name) for name in ("a", "owner of a")}
        connection.execute(f"""
            CREATE ROLE {LOGIN} LOGIN IN ROLE codeverify_tenant;
            ALTER ROLE {LOGIN} SET codeverify.org_id = '{ids["a"]}';
            ALTER ROLE {LOGIN} SET codeverify.user_id = '{ids["owner of a"]}';
            ALTER ROLE {LOGIN} SET codeverify.member_role = 'owner';
            DROP SCHEMA tap CASCADE;
            CREATE SCHEMA careless;
            GRANT USAGE ON SCHEMA careless TO PUBLIC;
        """)
    return of_a - of_b, of_b - of_a


def main():
    if shutil.which("sqlsmith") is None:
        sys.exit("no sqlsmith: run scripts/setup")
    cluster = Cluster("sqlsmith")
    cluster.create(*SETTINGS)
    try:
        with connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        with connect(DATABASE) as connection:
            connection.execute("CREATE EXTENSION codeverify")
        of_a, of_b = fill()
        print(f"- {len(of_b)} values of b are looked for, and {MARK} in its texts")
        marks = of_b | {MARK, MARK.encode().hex()}
        with tempfile.TemporaryDirectory() as directory, Relay(directory, marks, proofs=of_a) as relay:
            control(relay)
            run(relay, cluster)
    finally:
        cluster.destroy()


def control(relay):
    """The relay finds what a careless view shows, in rows and in messages, and lets pass what is a's."""
    with connect(DATABASE) as connection:
        connection.execute("""
            CREATE VIEW careless.leak AS SELECT name, org_id::text FROM tenancy.environments;
            GRANT SELECT ON careless.leak TO codeverify_tenant;
        """)
    for statement, leaks in (
            ("SELECT name FROM careless.leak", True),
            ("SELECT org_id FROM careless.leak", True),
            ("SELECT convert_to(name, 'UTF8') FROM careless.leak", True),
            ("SELECT name::int FROM careless.leak WHERE name LIKE 'b%'", True),
            ("SELECT name FROM tenancy.environments", False),
            ("SELECT name::int FROM tenancy.environments", False)):
        relay.forget()
        psql(DATABASE, "-c", statement, PGHOST=relay.directory, PGUSER=LOGIN)
        if bool(relay.leaks) != leaks:
            sys.exit(f"the relay {'does not find' if leaks else 'finds'} a value of b in the answer to: {statement}")
    with connect(DATABASE, user=LOGIN) as connection:
        found = value(connection, "SELECT count(*) FROM analysis.findings")
        if not found:
            sys.exit("the login is not in a's context")
    with connect(DATABASE) as connection:
        connection.execute("DROP SCHEMA careless CASCADE")
    relay.forget()
    print("- the relay finds what a careless view leaks")


def run(relay, cluster):
    _, data = cluster.owner_and_data()
    postmaster = Path(data, "postmaster.pid").read_text().split()[0]
    target = f"host={relay.directory} port={os.environ['PGPORT']} dbname={DATABASE} user={LOGIN}"
    seed = os.environ.get("SQLSMITH_SEED", "20261121")
    print(f"- SQLSMITH_SEED={seed}, {SECONDS:.0f} s")
    # One of them knows the tables and functions of the catalog too.
    smiths = [
        subprocess.Popen(
            ["sqlsmith", f"--target={target}", f"--seed={seed}", *options], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for options in ([], ["--exclude-catalog"])]
    time.sleep(SECONDS)
    faults = [f"sqlsmith ended with {smith.returncode}" for smith in smiths if smith.poll() is not None]
    for smith in smiths:
        smith.terminate()
        smith.wait()

    log = Path(data, "server.log").read_text(errors="replace")
    faults += re.findall(r"^.*(?:PANIC|SEGV|terminated by signal|TRAP:|stack smashing|panicked at).*$", log, re.MULTILINE)
    with connect(DATABASE) as connection:
        if Path(data, "postmaster.pid").read_text().split()[0] != postmaster:
            faults.append("the server started again")
        if value(connection, "SELECT count(*) FROM tenancy.organizations") != 2:
            faults.append("the organizations are not what they were")
    faults += [f"b's {leak.mark!r} in the answer to: {leak.statement}" for leak in relay.leaks]
    faults += [f"{message}, from: {statement}" for message, statement in relay.panics.items()]
    states = Counter(relay.states).most_common(5)
    print(f"- {relay.statements} statements, {relay.rows} rows, {relay.proved} of them a's, errors {states}")
    if relay.statements < SECONDS or relay.proved == 0:
        faults.append("too little was tried to prove anything")
    if faults:
        keep = Path(tempfile.mkdtemp(prefix="sqlsmith-"), "server.log")
        keep.write_text(log)
        sys.exit("\n".join([*(f"FAILED: {fault}" for fault in faults), f"the server's log is in {keep}"]))


main()
