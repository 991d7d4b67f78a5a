#!/usr/bin/env python3
"""What a server shows beside its tables, on one that is set up to show a lot: secrets in pg_stat_activity,
pg_stat_statements and the log (28 and 36 of docs/security.md), and rows in logical decoding (20). Each is seen to leak
when it is used carelessly."""

import sys
import time
from pathlib import Path

# First: it puts the drivers in reach.
from ledger_support import Cluster, check, connect, fails, value

DATABASE = "secrets"
LOGIN = "secrets_tenant"
# Of the form of a key; the checksum is of no matter here.
SECRETS = {what: f"cv_live_{what.capitalize():z<36}" for what in ("literal", "parameter", "refused", "failing")}
SETTINGS = (
    "shared_preload_libraries=pg_stat_statements,codeverify",
    "wal_level=logical",
    "log_statement=none",
    "log_min_duration_statement=0",
)


def set_up():
    with connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    with connect(DATABASE) as connection:
        connection.execute("CREATE EXTENSION codeverify")
        connection.execute("CREATE EXTENSION pg_stat_statements")
        connection.execute(f"CREATE ROLE {LOGIN} LOGIN IN ROLE codeverify_tenant")
        connection.execute("CREATE ROLE other_tenant LOGIN IN ROLE codeverify_tenant")


def look_at_activity():
    """28: the text of a statement is shown to the sessions of the same login, its parameters are not."""
    seen = "SELECT string_agg(query, ' ') FROM pg_stat_activity WHERE pid = %s"
    with connect(DATABASE, user=LOGIN) as one, connect(DATABASE, user=LOGIN) as other, connect(DATABASE, user="other_tenant") as stranger:
        pid = one.info.backend_pid
        one.execute(f"SELECT auth.authenticate_api_key('{SECRETS['literal']}')")
        check(SECRETS["literal"] in value(other, seen, pid), "28: a literal is seen by other sessions of the login")
        check(SECRETS["literal"] not in (value(stranger, seen, pid) or ""), "28: though not by other logins")
        one.execute("SELECT auth.authenticate_api_key(%s)", (SECRETS["parameter"],))
        check(
            "authenticate_api_key" in value(other, seen, pid) and SECRETS["parameter"] not in value(other, seen, pid),
            "28: a bind parameter is not seen")

        # COPY is not normalised, and shows its literals for as long as the statement is remembered.
        with one.cursor().copy(f"COPY (SELECT auth.authenticate_api_key('{SECRETS['literal']}')) TO STDOUT") as copy:
            list(copy)
        statements = "SELECT string_agg(query, ' ') FROM pg_stat_statements"
        check(SECRETS["literal"] in value(other, statements), "28: pg_stat_statements keeps a literal of COPY for the login")
        check(SECRETS["literal"] not in value(stranger, statements), "28: though not for other logins")
        check(SECRETS["parameter"] not in value(other, statements), "28: and no bind parameter")
        with connect(DATABASE) as superuser:
            check(SECRETS["parameter"] not in value(superuser, statements), "28: for nobody")


def read_log(data):
    """36: parameters are logged unless that is forbidden, which doctor() asks for."""
    log = Path(data, "server.log")

    def logged(what, *settings):
        with connect("postgres") as connection:
            for setting in settings:
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
        with connect(DATABASE, user=LOGIN) as connection:
            # A signal tells this session, which reads the file before its next command.
            for setting in settings:
                name, _, expected = setting.split()
                deadline = time.monotonic() + 30
                while value(connection, "SELECT setting FROM pg_settings WHERE name = %s", name) != expected:
                    if time.monotonic() > deadline:
                        sys.exit(f"FAILED: the server does not read {setting}")
                    time.sleep(0.02)
            start = log.stat().st_size
            connection.execute("SELECT auth.authenticate_api_key(%s)", (SECRETS[what],))
            fails(connection, "SELECT auth.authenticate_api_key(%s), 1 / (length(%s) - length(%s))", SECRETS[what], "x", "x")
        with connect(DATABASE) as connection:
            status = value(connection, "SELECT status FROM codeverify.doctor() WHERE check_name = 'log_parameters'")
        with log.open() as file:
            file.seek(start)
            return SECRETS[what] in file.read(), status

    check(logged("parameter", "log_parameter_max_length = -1") == (True, "warning"), "36: as a server is made, its log has the parameters, and doctor() warns")
    check(logged("refused", "log_parameter_max_length = 0") == (False, "ok"), "36: hardened it has none, and doctor() is content")
    check(
        logged("failing", "log_parameter_max_length_on_error = 100") == (True, "warning"),
        "36: parameters of what fails are another setting, which doctor() knows")
    with connect("postgres") as connection:
        connection.execute("ALTER SYSTEM RESET ALL")


def fail_with_literals(data):
    """36: what fails with a secret in its text has the text in the log, except where a function that is given the secret
    fails."""
    log = Path(data, "server.log")
    with connect(DATABASE) as connection:
        connection.execute("SET log_min_duration_statement = -1")
        connection.execute(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not now'; END$$")
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON auth.users EXECUTE FUNCTION public.refuse()")

        def logged(statement):
            start = log.stat().st_size
            check(fails(connection, statement) is not None, f"36: {statement.split('(')[0]} fails")
            with log.open() as file:
                file.seek(start)
                return file.read()

        text = logged("SELECT auth.register_user('x@example.org', 'literal password', 'x')")
        check("not now" in text and "literal password" not in text, "36: an error of the server's is logged without the statement")
        text = logged("SELECT auth.import_password_hash(gen_random_uuid(), 'literal password')")
        check("no hash of a password" in text and "literal password" not in text, "36: and so is one of ours")
        text = logged("DO $$BEGIN PERFORM auth.register_user('x@example.org', 'literal password', 'x'); END$$")
        check("not now" in text and "literal password" not in text, "36: and without the context, which would quote it")
        text = logged("SELECT auth.register_user('x@example.org', 'literal password', 1)")
        check("literal password" in text, "36: a call that does not come about is logged with its literals")
        text = logged("SELECT 1 / 0")
        check("SELECT 1 / 0" in text, "36: and so is any other statement that fails")
        connection.execute("DROP FUNCTION public.refuse CASCADE")


def decode():
    """20: decoding knows no row security."""
    with connect(DATABASE) as connection:
        org = value(connection, "INSERT INTO tenancy.organizations (name) VALUES ('b') RETURNING id")
        connection.execute("SELECT pg_create_logical_replication_slot('spy', 'test_decoding')")
        connection.execute("INSERT INTO tenancy.environments (org_id, name) VALUES (%s, 'secret of b')", (org,))
    with connect(DATABASE, user=LOGIN) as connection:
        changes = "SELECT string_agg(data, ' ') FROM pg_logical_slot_peek_changes('spy', NULL, NULL)"
        check(fails(connection, changes) == "42501", "20: a tenant decodes nothing")
        check(
            fails(connection, "SELECT pg_drop_replication_slot('spy')") == "42501", "20: nor does it drop a slot")
        with connect(DATABASE) as superuser:
            superuser.execute(f"ALTER ROLE {LOGIN} REPLICATION")
            check("secret of b" in value(connection, changes), "20: with REPLICATION it would read everybody's rows")
            detail = value(superuser, "SELECT detail FROM codeverify.doctor() WHERE check_name = 'tenant_attributes'")
            check(LOGIN in detail, "20: and doctor() tells")
            superuser.execute("SELECT pg_drop_replication_slot('spy')")


def main():
    cluster = Cluster()
    cluster.create(*SETTINGS)
    try:
        set_up()
        look_at_activity()
        read_log(cluster.owner_and_data()[1])
        fail_with_literals(cluster.owner_and_data()[1])
        decode()
    finally:
        cluster.destroy()


main()
