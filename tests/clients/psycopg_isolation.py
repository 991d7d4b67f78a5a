#!/usr/bin/env python3
"""psycopg 3: a tenant's context lasts one transaction, whatever is kept from one to the next: statements, plans,
pipelines, pooled connections."""

import os
import unittest
from unittest import mock

import support

import psycopg
from psycopg_pool import ConnectionPool

AUTHENTICATE = "SELECT auth.authenticate_api_key(%s, %s) ->> 'status'"
REPOSITORIES = "SELECT id FROM scm.repositories"


class Isolation(support.WorldTest):
    def connect(self, **arguments):
        connection = psycopg.connect(user=self.world.tenant_login, **arguments)
        self.addCleanup(connection.close)
        return connection

    def authenticate(self, connection, tenant, scope="read"):
        status = connection.execute(AUTHENTICATE, (tenant.api_key, scope)).fetchone()[0]
        self.assertEqual(status, "ok")

    def repositories(self, connection, **arguments):
        return [row[0] for row in connection.execute(REPOSITORIES, **arguments)]

    def assert_no_context(self, connection):
        self.assertEqual(connection.execute("SELECT tenancy.current_org_id()").fetchone(), (None,))
        self.assertEqual(self.repositories(connection), [])

    def start_analyses(self):
        """An analysis with a finding for each tenant, and their ids."""
        finding_ids = []
        for tenant in (self.world.a, self.world.b):
            with self.connect() as connection:
                self.authenticate(connection, tenant, "write")
                analysis_id, = connection.execute(
                    "SELECT analysis.start_analysis(%s, 1, %s)", (tenant.repo_id, "a" * 40)).fetchone()
                finding_id, = connection.execute(
                    "INSERT INTO analysis.findings (analysis_id, category, severity, title, file_path)"
                    " VALUES (%s, 'security', 'low', %s, 'a.py') RETURNING id",
                    (analysis_id, tenant.name)).fetchone()
                finding_ids.append(finding_id)
        return finding_ids

    # ---- authentication

    def test_a_key_is_verified(self):
        connection = self.connect()
        for key, scope, status in (
            (self.world.a.api_key, "write", "ok"),
            (self.world.a.api_key, "admin", "insufficient_scope"),
            (self.world.a.api_key + "x", "read", "invalid"),
            ("", "read", "invalid"),
            (None, "read", "invalid"),
        ):
            with self.subTest(status=status, scope=scope), connection.transaction():
                self.assertIn(connection.execute(AUTHENTICATE, (key, scope)).fetchone()[0], {status})
                self.assertEqual(len(self.repositories(connection)), 1 if status == "ok" else 0)

    def test_the_answer_is_a_dict(self):
        connection = self.connect()
        answer, = connection.execute("SELECT auth.authenticate_api_key(%s)", (self.world.a.api_key,)).fetchone()
        self.assertEqual(
            answer,
            {"status": "ok", "org_id": str(self.world.a.org_id), "api_key_id": str(self.world.a.api_key_id),
             "scopes": ["read", "write"]})

    def test_a_second_identity_is_refused_until_the_transaction_ends(self):
        connection = self.connect()
        self.authenticate(connection, self.world.a)
        with self.assertRaises(psycopg.DatabaseError) as caught, connection.transaction():
            self.authenticate(connection, self.world.b)
        self.assertEqual(caught.exception.sqlstate, "VC010")
        self.assertTrue(caught.exception.diag.message_hint)
        self.assertEqual(self.repositories(connection), [self.world.a.repo_id])
        connection.rollback()
        self.authenticate(connection, self.world.b)
        self.assertEqual(self.repositories(connection), [self.world.b.repo_id])

    def test_any_kind_of_transaction_takes_a_context(self):
        for level in psycopg.IsolationLevel:
            for read_only in (False, True):
                with self.subTest(level=level.name, read_only=read_only):
                    connection = self.connect()
                    connection.isolation_level = level
                    connection.read_only = read_only
                    self.authenticate(connection, self.world.a)
                    self.assertEqual(self.repositories(connection), [self.world.a.repo_id])
                    connection.commit()
                    self.assert_no_context(connection)

    # ---- what a connection keeps

    def test_prepared_statement_serves_each_tenant_its_own(self):
        for plan in ("auto", "force_generic_plan", "force_custom_plan"):
            with self.subTest(plan=plan):
                connection = self.connect(options=f"-c plan_cache_mode={plan}", prepare_threshold=0)
                for tenant in (self.world.a, self.world.b) * 6:
                    with connection.transaction():
                        self.authenticate(connection, tenant)
                        self.assertEqual(self.repositories(connection, prepare=True), [tenant.repo_id])
                        other = self.world.b if tenant is self.world.a else self.world.a
                        found = connection.execute(
                            "SELECT id FROM scm.repositories WHERE id = %s", (other.repo_id,), prepare=True).fetchall()
                        self.assertEqual(found, [])
                    with connection.transaction():
                        self.assertEqual(self.repositories(connection, prepare=True), [])
                uses = connection.execute(
                    "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement = %s",
                    (REPOSITORIES,)).fetchall()
                self.assertEqual(uses, [(24,)], "one statement was prepared and used throughout")

    def test_server_side_cursor(self):
        connection = self.connect()
        for tenant in (self.world.a, self.world.b):
            with connection.transaction():
                self.authenticate(connection, tenant)
                with connection.cursor(name="repositories") as cursor:
                    cursor.execute(REPOSITORIES)
                    self.assertEqual(cursor.fetchall(), [(tenant.repo_id,)])

    def test_savepoints(self):
        connection = self.connect()
        with connection.transaction():
            with connection.transaction(force_rollback=True):
                self.authenticate(connection, self.world.a)
                self.assertEqual(self.repositories(connection), [self.world.a.repo_id])
            self.assert_no_context(connection)
            self.authenticate(connection, self.world.a)
            with self.assertRaises(psycopg.errors.DivisionByZero), connection.transaction():
                connection.execute("SELECT 1 / 0")
            self.assertEqual(self.repositories(connection), [self.world.a.repo_id])

    def test_pool_hands_out_no_context(self):
        with ConnectionPool(min_size=1, max_size=1, kwargs={"user": self.world.tenant_login}) as pool:
            backends = set()
            for tenant in (self.world.a, self.world.b, self.world.a):
                with pool.connection() as connection:
                    backends.add(connection.info.backend_pid)
                    self.assert_no_context(connection)
                    self.authenticate(connection, tenant)
                    self.assertEqual(self.repositories(connection), [tenant.repo_id])
                with self.assertRaises(psycopg.errors.DivisionByZero), pool.connection() as connection:
                    self.assert_no_context(connection)
                    self.authenticate(connection, tenant)
                    connection.execute("SELECT 1 / 0")
            self.assertEqual(len(backends), 1, "it was one connection all along")

    def test_autocommit_keeps_a_context_for_one_statement(self):
        connection = self.connect(autocommit=True)
        self.authenticate(connection, self.world.a)
        self.assert_no_context(connection)

    # ---- pipelines

    def test_pipeline_of_a_transaction_for_each_tenant(self):
        connection = self.connect(autocommit=True)
        cursors = []
        with connection.pipeline():
            for tenant in (self.world.a, self.world.b):
                with connection.transaction():
                    connection.execute(AUTHENTICATE, (tenant.api_key, "read"))
                    cursors.append(connection.execute(REPOSITORIES))
                cursors.append(connection.execute(REPOSITORIES))
        self.assertEqual(
            [cursor.fetchall() for cursor in cursors],
            [[(self.world.a.repo_id,)], [], [(self.world.b.repo_id,)], []])

    def test_pipeline_without_begin_lasts_until_it_is_synchronised(self):
        connection = self.connect(autocommit=True)
        with connection.pipeline() as pipeline:
            connection.execute(AUTHENTICATE, (self.world.a.api_key, "read"))
            inside = connection.execute(REPOSITORIES)
            pipeline.sync()
            outside = connection.execute(REPOSITORIES)
            pipeline.sync()
            connection.execute(AUTHENTICATE, (self.world.b.api_key, "read"))
            other = connection.execute(REPOSITORIES)
        self.assertEqual(inside.fetchall(), [(self.world.a.repo_id,)])
        self.assertEqual(outside.fetchall(), [])
        self.assertEqual(other.fetchall(), [(self.world.b.repo_id,)])

    def test_pipeline_that_fails_leaves_no_context(self):
        connection = self.connect(autocommit=True)
        with self.assertRaises(psycopg.errors.DivisionByZero), connection.pipeline():
            connection.execute(AUTHENTICATE, (self.world.a.api_key, "read"))
            connection.execute("SELECT 1 / 0")
        self.assert_no_context(connection)

    def test_executemany_writes_for_the_tenant(self):
        connection = self.connect()
        self.authenticate(connection, self.world.a, "write")
        analysis_id, = connection.execute(
            "SELECT analysis.start_analysis(%s, 2, %s)", (self.world.a.repo_id, "b" * 40)).fetchone()
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO analysis.findings (analysis_id, category, severity, title, file_path, line_start)"
                " VALUES (%s, %s, %s, %s, %s, %s) RETURNING org_id",
                [(analysis_id, "semantic", "low", f"Finding {line}", "a.py", line) for line in range(1, 101)],
                returning=True)
            owners = set()
            for result in cursor.results():
                owners.update(result.fetchone())
        self.assertEqual(owners, {self.world.a.org_id})

    # ---- COPY

    def test_copy_out_is_filtered(self):
        self.start_analyses()
        connection = self.connect()
        for tenant in (self.world.a, self.world.b):
            for binary in (False, True):
                for source in ("analysis.findings (org_id)", "(SELECT org_id FROM analysis.findings)"):
                    with self.subTest(source, binary=binary), connection.transaction():
                        self.authenticate(connection, tenant)
                        form = "BINARY" if binary else "TEXT"
                        with connection.cursor().copy(f"COPY {source} TO STDOUT (FORMAT {form})") as copy:
                            copy.set_types(["uuid"])
                            self.assertEqual({row for row in copy.rows()}, {(tenant.org_id,)})
        with connection.transaction(), connection.cursor().copy("COPY analysis.findings TO STDOUT") as copy:
            self.assertEqual(list(copy.rows()), [])

    def test_copy_in_is_refused(self):
        connection = self.connect()
        self.authenticate(connection, self.world.a, "write")
        with self.assertRaises(psycopg.errors.FeatureNotSupported), connection.transaction():
            with connection.cursor().copy("COPY analysis.findings (title) FROM STDIN") as copy:
                copy.write_row(("x",))

    # ---- settings from outside

    def test_context_cannot_be_set_by_the_client(self):
        connection = self.connect()
        connection.execute("SELECT codeverify.version()")
        org_id = str(self.world.b.org_id)
        for statement, parameters in (
            (f"SET codeverify.org_id = '{org_id}'", None),
            ("SELECT set_config('codeverify.org_id', %s, true)", (org_id,)),
            ("UPDATE pg_settings SET setting = %s WHERE name = 'codeverify.org_id'", (org_id,)),
            (f"ALTER ROLE CURRENT_USER SET codeverify.org_id = '{org_id}'", None),
        ):
            with self.subTest(statement):
                with self.assertRaises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(statement, parameters)
                self.assert_no_context(connection)

    def test_context_from_the_command_line_options_is_refused_when_the_library_loads(self):
        options = " ".join(
            f"-c codeverify.{setting}={value}" for setting, value in (
                ("org_id", self.world.b.org_id), ("user_id", self.world.b.owner_id), ("member_role", "owner")))
        with mock.patch.dict(os.environ, PGOPTIONS=options):
            try:
                connection = self.connect()
            except psycopg.OperationalError as error:
                # The library is preloaded: it refuses earlier.
                self.assertIn("permission denied to set parameter", str(error))
                return
        notices = []
        connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.sqlstate))
        self.assertEqual(self.repositories(connection), [])
        self.assert_no_context(connection)
        self.assertEqual(
            connection.execute("SELECT tenancy.current_user_id(), tenancy.\"current_role\"()").fetchone(), (None, None))
        self.assertEqual(connection.execute("SHOW codeverify.org_id").fetchone(), ("",))
        self.assertIn("42501", notices, "the client is told")
        connection.rollback()
        self.authenticate(connection, self.world.a)
        self.assertEqual(self.repositories(connection), [self.world.a.repo_id])


if __name__ == "__main__":
    unittest.main()
