#!/usr/bin/env python3
"""One server connection that a pool hands from tenant to tenant: nothing of the first is left for the second. Every
transaction authenticates with a key of its organization, as a login that is a codeverify_tenant.

Vectors 19 (what sessions keep), 24 (prepared statements, plans in PL/pgSQL, parallel workers), 29 (locks and
notifications), 32 (contexts that outlive their transaction, cursors) of docs/security.md."""

import os
import sys

# First: it puts the drivers in reach.
from ledger_support import check, connect, create_database, drop_database, drop_login, fails, value

DATABASE = "cv_pooled_sessions"
LOGIN = "pooled"
TENANTS = ("a", "b")


class Pool:
    """One connection, as each tenant in turn."""

    def __init__(self, keys):
        self.keys = keys
        self.connection = connect(DATABASE, user=LOGIN)
        # The server prepares at the first execution and keeps it.
        self.connection.prepare_threshold = 0

    def begin(self, tenant=None):
        self.connection.execute("BEGIN")
        if tenant is not None:
            status = value(self.connection, "SELECT auth.authenticate_api_key(%s) ->> 'status'", self.keys[tenant])
            assert status == "ok", status

    def end(self, how="COMMIT"):
        self.connection.execute(how)

    def within(self, tenant, statement, *parameters):
        self.begin(tenant)
        try:
            return value(self.connection, statement, *parameters)
        finally:
            self.end()


def fill():
    """Organizations, a key for each, and functions and big tables of the tenants' login."""
    keys = {}
    with connect(DATABASE) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {LOGIN}")
        connection.execute(f"CREATE ROLE {LOGIN} LOGIN IN ROLE codeverify_tenant")
        for name in TENANTS:
            owner = value(
                connection, "INSERT INTO auth.users (username, email) VALUES (%s, %s) RETURNING id", f"owner of {name}",
                f"owner@{name}.test")
            org = value(connection, "SELECT tenancy.create_organization(%s, owner_id => %s)", f"Organization {name}", owner)
            connection.execute("BEGIN")
            connection.execute("SELECT tenancy.assume(%s, %s)", (org, owner))
            keys[name] = connection.execute(
                "SELECT api_key FROM auth.create_api_key(%s, 'pooled', '[\"admin\"]')", (org,)).fetchone()[0]
            connection.execute(
                "INSERT INTO tenancy.environments (name) SELECT 'environment of ' || %s || ' ' || n FROM generate_series(1, 500) AS n",
                (name,))
            connection.execute("COMMIT")
        connection.execute(f"CREATE SCHEMA attacker AUTHORIZATION {LOGIN}")
        connection.execute("CREATE SCHEMA careless; GRANT USAGE ON SCHEMA careless TO PUBLIC")
    return keys


NAMES = "SELECT string_agg(DISTINCT left(e.name, 16), ',') FROM tenancy.environments AS e"


def keep_plans(pool):
    """24: plans are kept over transactions, by PREPARE, by the protocol, and by PL/pgSQL."""
    pool.connection.execute(f"""
        CREATE FUNCTION attacker.names() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN ({NAMES.replace("'", "''")}); END';
        CREATE FUNCTION attacker.current_org_id() RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS
            'BEGIN RETURN tenancy.current_org_id(); END';
        PREPARE names AS {NAMES};
        PREPARE frozen AS SELECT attacker.current_org_id() = tenancy.current_org_id();
    """, prepare=False)
    for mode in ("auto", "force_generic_plan", "force_custom_plan"):
        pool.connection.execute(f"SET plan_cache_mode = {mode}")
        # Six times each, after which the server has made up its mind.
        for turn in range(12):
            tenant = TENANTS[turn // 6]
            for statement in (NAMES, "EXECUTE names", "SELECT attacker.names()"):
                seen = pool.within(tenant, statement)
                if seen != f"environment of {tenant}":
                    sys.exit(f"FAILED: {tenant} sees {seen} by {statement} with {mode}")
    check(True, "24: PREPARE, the protocol's statements and PL/pgSQL keep plans, and no tenant")
    pool.connection.execute("SET plan_cache_mode = force_generic_plan")
    check(
        pool.within("a", "EXECUTE frozen") and not pool.within("b", "EXECUTE frozen"),
        "24: an IMMUTABLE accessor would be kept, as the careless variant shows")
    pool.connection.execute("RESET plan_cache_mode")

    for setting in (
            "parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0",
            "min_parallel_index_scan_size = 0"):
        pool.connection.execute(f"SET {setting}")
    # The name that it has from 16 on, or the one before.
    pool.connection.execute(
        "SELECT set_config(name, 'on', false) FROM pg_settings "
        "WHERE name IN ('debug_parallel_query', 'force_parallel_mode')")
    pool.begin("a")
    plan = "\n".join(line for (line,) in pool.connection.execute(f"EXPLAIN (ANALYZE) {NAMES}"))
    pool.end()
    check("Workers Launched: " in plan and "Workers Launched: 0" not in plan, "24: workers take part")
    for tenant in TENANTS * 3:
        if pool.within(tenant, NAMES) != f"environment of {tenant}":
            sys.exit(f"FAILED: workers do not act for {tenant}")
    check(pool.within(None, NAMES) is None, "24: workers act for whom the transaction acts, or for nobody")
    pool.connection.execute("RESET ALL")


def end_transactions(pool):
    """32: however a transaction ends, so does its context; and the next may act for another."""
    for how in ("COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "PREPARE TRANSACTION 'pooled'"):
        pool.begin("a")
        if how == "PREPARE TRANSACTION 'pooled'":
            pool.connection.execute("INSERT INTO tenancy.environments (name) VALUES ('prepared')")
        pool.end(how)
        seen = value(pool.connection, NAMES)
        if seen is not None:
            sys.exit(f"FAILED: after {how} there is {seen}")
        if how.endswith("CHAIN"):
            status = value(pool.connection, "SELECT auth.authenticate_api_key(%s) ->> 'status'", pool.keys["b"])
            if status != "ok" or value(pool.connection, NAMES) != "environment of b":
                sys.exit(f"FAILED: after {how} the next tenant is not itself")
            pool.end("ROLLBACK")
    check(True, "32: nothing is left of a context after COMMIT, ROLLBACK, their chains and PREPARE TRANSACTION")
    pool.begin("b")
    check(
        fails(pool.connection, "COMMIT PREPARED 'pooled'") == "25001", "32: a prepared transaction is not for another's transaction")
    pool.end("ROLLBACK")
    pool.connection.execute("COMMIT PREPARED 'pooled'")
    check(
        pool.within("a", "SELECT count(*) FROM tenancy.environments WHERE name = 'prepared'") == 1,
        "32: what was prepared is whose it was")

    pool.begin("a")
    assert fails(pool.connection, "SELECT 1 / 0") == "22012"
    check(fails(pool.connection, NAMES) == "25P02", "32: a transaction that failed answers nothing")
    pool.end("ROLLBACK")
    check(value(pool.connection, NAMES) is None, "32: nor does its context stay")
    # Outside a transaction block the context lasts for the statement.
    check(
        value(pool.connection, "SELECT auth.authenticate_api_key(%s) ->> 'status'", pool.keys["a"]) == "ok"
        and value(pool.connection, NAMES) is None,
        "32: authenticating without BEGIN leaves nothing")
    for statement in ("DISCARD ALL", "RESET ALL", "SET SESSION AUTHORIZATION DEFAULT", "SET ROLE NONE"):
        pool.connection.execute(statement)
        assert value(pool.connection, NAMES) is None
    pool.connection.prepare_threshold = None
    check(pool.within("b", NAMES) == "environment of b", "32: after DISCARD ALL the next tenant is itself")
    for statement in (f"SET SESSION AUTHORIZATION {os.environ['PGUSER']}", "SET SESSION AUTHORIZATION codeverify_owner", "SET ROLE codeverify_owner"):
        check(fails(pool.connection, statement) == "42501", f"21: {statement.rpartition(' ')[0]} is refused")


def leave_things(pool):
    """19: what a session keeps is the tenants' own doing; what of it is dangerous can be forbidden."""
    pool.begin("a")
    pool.connection.execute("DECLARE held CURSOR WITH HOLD FOR SELECT name FROM tenancy.environments")
    pool.connection.execute("DECLARE plain CURSOR FOR SELECT name FROM tenancy.environments")
    pool.connection.execute("CREATE TEMP TABLE kept AS SELECT name FROM tenancy.environments")
    pool.connection.execute("SET my.note = 'of a'")
    pool.end()
    pool.begin("b")
    check(
        "of a" in value(pool.connection, "FETCH held") and "of a" in value(pool.connection, "SELECT min(name) FROM kept"),
        "19: cursors WITH HOLD and temporary tables are seen by the next, whatever the schema")
    check(fails(pool.connection, "FETCH plain") == "34000", "19: a plain cursor ends with its transaction")
    pool.end("ROLLBACK")
    pool.connection.execute("DISCARD ALL")
    check(
        fails(pool.connection, "SELECT * FROM kept") == "42P01" and fails(pool.connection, "FETCH held") == "34000",
        "19: DISCARD ALL between clients removes them")
    with connect(DATABASE) as connection:
        connection.execute(f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC")
    check(fails(pool.connection, "CREATE TEMP TABLE kept (name text)") == "42501", "19: hardened: no temporary tables")


def lock_and_notify(pool, keys):
    """29 and 8: what one tenant can hold does not keep the others out."""
    with connect(DATABASE, user=LOGIN) as other, connect(DATABASE, user=LOGIN) as listener:
        other.execute("BEGIN")
        other.execute("SELECT auth.authenticate_api_key(%s)", (keys["b"],))
        other.execute("SELECT count(pg_advisory_lock(n)), count(pg_advisory_lock(n, m)) FROM generate_series(0, 63) AS n, generate_series(0, 31) AS m")
        pool.begin("a")
        pool.connection.execute("SET LOCAL lock_timeout = '15s'")
        check(
            fails(pool.connection, "SELECT audits.append('analysis', 'tap.locked')") is None,
            "29: no advisory lock keeps another tenant from its ledger")
        pool.end()
        check(
            value(pool.connection, "SELECT pg_try_advisory_lock(1)") is False, "29: advisory locks are everybody's, as the careless use shows")

        listener.execute("LISTEN results")
        pool.begin("a")
        pool.connection.execute("NOTIFY results, 'secret of a'")
        pool.end()
        heard = [notice.payload for notice in listener.notifies(timeout=30, stop_after=1)]
        check(heard == ["secret of a"], "29: a notification is heard by every tenant of the database")
        other.execute("ROLLBACK")

        # All that a tenant may lock where the library does not watch, at once.
        with connect(DATABASE) as connection:
            connection.execute(f"ALTER ROLE {LOGIN} SET codeverify.refuse_table_locks = off")
        other.close()
        other = connect(DATABASE, user=LOGIN)
        other.execute("BEGIN")
        other.execute("SET LOCAL lock_timeout = '1s'")
        locked = []
        for (relation,) in other.execute(
                "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner"
                " WHERE r.rolname = 'codeverify_owner' AND c.relkind IN ('r', 'p') ORDER BY 1").fetchall():
            other.execute("SAVEPOINT one")
            if fails(other, f"LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE") is None:
                locked.append(relation)
            else:
                other.execute("ROLLBACK TO SAVEPOINT one")
        print(f"- a tenant may lock {len(locked)} tables: {' '.join(locked)}")
        pool.connection.execute("SET statement_timeout = '15s'")
        pool.begin("a")
        check(
            fails(pool.connection, "SELECT audits.append('analysis', 'tap.locked')") is None,
            "8: with all of them locked another tenant comes in with its key and writes to its ledger")
        pool.end()
        other.execute("ROLLBACK")
        pool.connection.execute("RESET statement_timeout")
        other.close()
        with connect(DATABASE) as connection:
            connection.execute(f"ALTER ROLE {LOGIN} RESET codeverify.refuse_table_locks")
        with connect(DATABASE, user=LOGIN) as other:
            other.execute("SELECT codeverify.version()")
            other.execute("BEGIN")
            check(fails(other, "LOCK TABLE analysis.findings") == "VC151", "8: where it watches, none")


def main():
    create_database(DATABASE)
    try:
        keys = fill()
        pool = Pool(keys)
        keep_plans(pool)
        end_transactions(pool)
        lock_and_notify(pool, keys)
        leave_things(pool)
        pool.connection.close()
    finally:
        drop_database(DATABASE)
        drop_login(LOGIN)


main()
