#!/usr/bin/env python3
"""Logins that tenancy.bind_role() has bound: whom a session acts for from its first statement on, whether the library is
loaded then or was before, and that nothing its client does makes it act for another."""

import unittest

import ledger_support as support

import psycopg

DATABASE = "cv_bound_roles"
LOGIN = "cv_bound_login"
OTHER = "cv_bound_other"
WHO = "SELECT tenancy.current_org_id(), tenancy.current_user_id(), tenancy.\"current_role\"()"
NOBODY = (None, None, None)
SEEN = "SELECT array_agg(DISTINCT org_id) FROM tenancy.org_memberships"


class Lazily(unittest.TestCase):
    """The library is loaded by the first statement that needs it, inside whatever that is."""

    is_preloaded = False

    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_logins)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.superuser = support.connect(DATABASE)
        cls.addClassCleanup(cls.superuser.close)
        cls.ours, cls.theirs = support.create_tenants(DATABASE, 2)
        for login in (LOGIN, OTHER):
            support.drop_login(login)
            cls.superuser.execute(f"CREATE ROLE {login} LOGIN IN ROLE codeverify_tenant")
            cls.addClassCleanup(support.drop_login, login)
        if cls.is_preloaded:
            cls.superuser.execute(f"ALTER DATABASE {DATABASE} SET session_preload_libraries = codeverify")

    def setUp(self):
        self.bind(LOGIN, self.ours.org_id, "owner", self.ours.owner_id)
        self.identity = (self.ours.org_id, self.ours.owner_id, "owner")

    def bind(self, login, *identity):
        marks = ", ".join(["%s"] * (1 + len(identity)))
        self.superuser.execute(f"SELECT tenancy.bind_role({marks})", (login, *identity))

    def connect(self, login=LOGIN, database=DATABASE, **arguments):
        connection = support.connect(database, user=login, **arguments)
        self.addCleanup(connection.close)
        return connection

    def who(self, connection):
        return connection.execute(WHO).fetchone()

    def seen(self, connection):
        return support.value(connection, SEEN)

    def assertBound(self, connection):
        self.assertEqual(self.who(connection), self.identity)
        self.assertEqual(self.seen(connection), [self.ours.org_id])

    def assertNobody(self, connection):
        self.assertEqual(self.who(connection), NOBODY)
        self.assertIsNone(self.seen(connection))

    # ---- whom it acts for

    def test_rows_and_functions_from_the_first_statement_on(self):
        self.assertEqual(self.seen(self.connect()), [self.ours.org_id])
        self.assertBound(self.connect())

    def test_a_definer_function_may_be_the_first(self):
        connection = self.connect()
        self.assertEqual(connection.execute("SELECT role FROM tenancy.list_members()").fetchall(), [("owner",)])
        self.assertBound(connection)

    def test_a_binding_without_a_user(self):
        self.bind(LOGIN, self.ours.org_id)
        connection = self.connect()
        self.assertEqual(self.who(connection), (self.ours.org_id, None, "developer"))
        with self.assertRaises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO tenancy.services (name) VALUES ('x')")

    def test_rows_are_written_for_it(self):
        connection = self.connect()
        row = connection.execute("INSERT INTO tenancy.services (name) VALUES ('x') RETURNING org_id").fetchone()
        self.assertEqual(row, (self.ours.org_id,))
        with self.assertRaises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO tenancy.services (org_id, name) VALUES (%s, 'x')", (self.theirs.org_id,))
        connection.execute("DELETE FROM tenancy.services")

    def test_parallel_workers_act_for_it_too(self):
        connection = self.connect()
        # The name that it has from 16 on, or the one before.
        connection.execute(
            "SELECT set_config(name, 'on', false) FROM pg_settings "
            "WHERE name IN ('debug_parallel_query', 'force_parallel_mode')")
        connection.execute("SET parallel_leader_participation = off")
        plan = connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {SEEN}").fetchone()[0]
        self.assertIn("'Workers Launched': 1", str(plan))
        self.assertBound(connection)

    def test_it_is_bound_in_one_database(self):
        elsewhere = self.connect(database="postgres")
        self.assertIsNone(support.value(elsewhere, "SELECT nullif(current_setting('codeverify.bound_identity', true), '')"))

    def test_it_ends_with_unbind_role(self):
        connection = self.connect()
        self.assertBound(connection)
        self.assertTrue(support.value(self.superuser, "SELECT tenancy.unbind_role(%s)", LOGIN))
        self.assertBound(connection)
        self.assertNobody(self.connect())

    # ---- what ends, ends

    def test_a_member_who_leaves(self):
        user_id = support.value(self.superuser, "INSERT INTO auth.users (username) VALUES ('passing') RETURNING id")
        self.set_role(user_id, "admin")
        self.bind(LOGIN, self.ours.org_id, "admin", user_id)
        connection = self.connect()
        connection.execute(f"PREPARE seen AS {SEEN}")
        self.assertEqual(connection.execute("EXECUTE seen").fetchone(), ([self.ours.org_id],))
        self.assertEqual(self.who(connection), (self.ours.org_id, user_id, "admin"))
        self.set_role(user_id, "viewer")
        self.assertEqual(self.who(connection), (self.ours.org_id, user_id, "viewer"), "a lesser role")
        self.set_role(user_id, "owner")
        self.assertEqual(self.who(connection), (self.ours.org_id, user_id, "admin"), "no more than it is bound to")
        self.superuser.execute("DELETE FROM tenancy.org_memberships WHERE user_id = %s", (user_id,))
        self.assertEqual(connection.execute("EXECUTE seen").fetchone(), (None,))
        self.assertNobody(connection)
        self.assertIn("the user is no member", str(self.bindings_that_point_nowhere()))

    def test_an_organization_that_is_deleted(self):
        org_id = support.value(self.superuser, "SELECT tenancy.create_organization('Passing')")
        self.bind(LOGIN, org_id)
        connection = self.connect()
        self.assertNotEqual(support.value(connection, "SELECT count(*) FROM audits.audit_log"), 0)
        self.superuser.execute("DELETE FROM tenancy.organizations WHERE id = %s", (org_id,))
        self.assertNobody(connection)
        self.assertEqual(support.value(connection, "SELECT count(*) FROM audits.audit_log"), 0, "not even its ledger")
        self.assertIn("the organization is gone", str(self.bindings_that_point_nowhere()))

    def set_role(self, user_id, role):
        self.superuser.execute(
            """
                INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (%s, %s, %s)
                ON CONFLICT (org_id, user_id) DO UPDATE SET role = excluded.role
            """, (self.ours.org_id, user_id, role))

    def bindings_that_point_nowhere(self):
        return self.superuser.execute(
            "SELECT status, detail FROM codeverify.doctor() WHERE check_name = 'role_bindings'").fetchone()

    # ---- what a client may try

    def test_reset_and_discard_return_to_it(self):
        connection = self.connect()
        for statement in ("RESET ALL", "DISCARD ALL", "RESET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION DEFAULT"):
            connection.execute(statement)
            self.assertBound(connection)
            connection = self.connect()
            self.assertBound(connection)
            connection.execute(statement)
            self.assertBound(connection)

    def test_settings_of_the_connection(self):
        theirs = f"{self.theirs.org_id}/owner"
        for options, expected in (
                (f"-c codeverify.bound_identity={theirs}", NOBODY),
                ("-c codeverify.bound_identity=", NOBODY),
                (f"-c codeverify.org_id={self.theirs.org_id}", self.identity),
                (f"-c codeverify.org_id={self.theirs.org_id} -c codeverify.member_role=owner", self.identity),
                ("-c codeverify.user_id=", self.identity),
                ("-c codeverify.member_role=viewer", self.identity)):
            with self.subTest(options=options):
                try:
                    connection = self.connect(options=options)
                except psycopg.OperationalError as error:
                    self.assertTrue(self.is_preloaded or support.value(self.superuser, "SELECT codeverify.is_preloaded()"))
                    self.assertIn("permission denied", str(error))
                    continue
                self.assertEqual(self.who(connection), expected)
                self.assertEqual(self.seen(connection), expected[0] and [expected[0]])

    def test_settings_before_the_library_is_loaded(self):
        for name, value in (
                ("bound_identity", f"{self.theirs.org_id}/owner"), ("bound_identity", ""), ("org_id", self.theirs.org_id),
                ("member_role", "viewer"), ("user_id", self.theirs.owner_id)):
            for is_local in (False, True):
                with self.subTest(name=name, value=value, is_local=is_local):
                    connection = self.connect()
                    connection.execute("BEGIN")
                    connection.execute("SAVEPOINT before")
                    try:
                        connection.execute("SELECT set_config(%s, %s, %s)", (f"codeverify.{name}", str(value), is_local))
                    except psycopg.errors.InsufficientPrivilege:
                        connection.execute("ROLLBACK TO before")
                    self.assertBound(connection)
                    connection.execute("ROLLBACK TO before")
                    self.assertBound(connection)
                    connection.execute("COMMIT")
                    self.assertBound(connection)

    def test_settings_of_its_own_role(self):
        theirs = f"{self.theirs.org_id}/owner"
        here = f"IN DATABASE {DATABASE}"
        for clause in (
                f"SET codeverify.bound_identity = '{theirs}'", f"SET codeverify.org_id = '{self.theirs.org_id}'",
                f"{here} SET codeverify.bound_identity = '{theirs}'", f"{here} SET codeverify.org_id = '{self.theirs.org_id}'",
                f"{here} RESET codeverify.bound_identity"):
            with self.subTest(clause=clause), self.assertRaises(psycopg.errors.InsufficientPrivilege):
                self.connect().execute(f"ALTER ROLE {LOGIN} {clause}")
        for clause in ("RESET ALL", f"{here} RESET ALL"):
            self.connect().execute(f"ALTER ROLE {LOGIN} {clause}")
        self.assertBound(self.connect())

    def test_a_setting_in_another_place_binds_nobody(self):
        """As a superuser might put it there by mistake."""
        theirs = f"{self.theirs.org_id}/owner"
        for place in (f"ROLE {OTHER}", f"DATABASE {DATABASE}"):
            with self.subTest(place=place):
                with support.connect(DATABASE) as careless:
                    careless.execute(f"ALTER {place} SET codeverify.bound_identity = '{theirs}'")
                self.addCleanup(self.superuser.execute, f"ALTER {place} RESET codeverify.bound_identity")
                self.assertNobody(self.connect(OTHER))
                self.superuser.execute(f"ALTER {place} RESET codeverify.bound_identity")

    def test_set_role_takes_nobody_elses(self):
        self.bind(OTHER, self.theirs.org_id)
        self.superuser.execute(f"GRANT {OTHER} TO {LOGIN}")
        self.addCleanup(self.superuser.execute, f"REVOKE {OTHER} FROM {LOGIN}")
        connection = self.connect()
        connection.execute(f"SET ROLE {OTHER}")
        self.assertBound(connection)
        connection.execute("DISCARD ALL")
        self.assertBound(connection)

    def test_it_takes_on_no_other_identity(self):
        keys = {
            tenant.org_id: support.value(self.superuser, "SELECT api_key FROM auth.create_api_key(%s, 'key', '[\"write\"]')", tenant.org_id)
            for tenant in (self.ours, self.theirs)}
        authenticate = "SELECT auth.authenticate_api_key(%s) ->> 'status'"
        for org_id in keys:
            connection = self.connect()
            with self.assertRaises(psycopg.Error) as refused:
                connection.execute(authenticate, (keys[org_id],))
            self.assertEqual(refused.exception.sqlstate, "VC010")
            self.assertBound(connection)

    def test_a_careless_function_of_a_superuser_sets_nothing(self):
        """GUC_NOT_WHILE_SEC_REST is a property of the settings: their placeholders, before the library is loaded, lack it."""
        with support.connect(DATABASE) as careless:
            careless.execute("""
                CREATE OR REPLACE FUNCTION public.set_anything(name text, value text, is_local boolean)
                RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT set_config(name, value, is_local)'""")
        for login, expected in ((LOGIN, self.identity), (OTHER, NOBODY)):
            for is_local in (False, True):
                with self.subTest(login=login, is_local=is_local):
                    connection = self.connect(login)
                    connection.execute("BEGIN")
                    for name, value in (
                            ("org_id", self.theirs.org_id), ("user_id", self.theirs.owner_id), ("member_role", "owner"),
                            ("bound_identity", f"{self.theirs.org_id}/owner")):
                        connection.execute("SAVEPOINT before")
                        try:
                            connection.execute("SELECT public.set_anything(%s, %s, %s)", (f"codeverify.{name}", str(value), is_local))
                        except psycopg.Error as error:
                            self.assertIn(error.sqlstate, ("42501", "22023"))
                            connection.execute("ROLLBACK TO before")
                    self.assertEqual(self.who(connection), expected)
                    connection.execute("COMMIT")
                    self.assertEqual(self.who(connection), expected)


class Preloaded(Lazily):
    """The library is loaded when the session begins."""

    is_preloaded = True


if __name__ == "__main__":
    unittest.main()
