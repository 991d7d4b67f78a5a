#!/usr/bin/env python3
"""psycopg 3: a row of every table, each parameter sent with the type of the Python value."""

import unittest

import rows
import support

import psycopg
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.json import Jsonb
from psycopg.types.string import StrDumper


def adapted(value):
    return Jsonb(value) if isinstance(value, (dict, list)) else value


class EveryTable(support.WorldTest):
    def connect(self, **arguments):
        """Binds a str as text, not as a literal whose type the server guesses, and enumerations as enums."""
        connection = psycopg.connect(**arguments)
        self.addCleanup(connection.close)
        connection.adapters.register_dumper(str, StrDumper)
        for name, enumeration in rows.ENUMERATIONS.items():
            labels = [(member, member.value) for member in enumeration]
            register_enum(EnumInfo.fetch(connection, name), connection, enumeration, mapping=labels)
        connection.execute("SELECT tenancy.assume(%s, %s)", (self.world.a.org_id, self.world.a.owner_id))
        return connection

    def tables(self, connection):
        return {name: (insertable, readable) for name, insertable, readable in connection.execute(rows.TABLES_QUERY)}

    def insert(self, connection, table, row, readable):
        """Writes the row and compares what the server returns of it."""
        returning = [column for column in readable if column in row or column == "org_id"]
        statement = rows.insert_statement(table, row, returning, ["%s"] * len(row))
        cursor = connection.execute(statement, [adapted(value) for value in row.values()])
        self.assertEqual(cursor.rowcount, 1)
        if returning:
            expected = {**row, "org_id": self.world.a.org_id}
            written = dict(zip(returning, cursor.fetchone()))
            self.assertEqual(written, {column: expected[column] for column in returning})

    def test_superuser_writes_every_table(self):
        connection = self.connect()
        tables = self.tables(connection)
        for table, row in rows.rows(self.world.a):
            with self.subTest(table), connection.transaction():
                self.insert(connection, table, row, tables.pop(table)[1])
        self.assertEqual(tables, {}, "tables without a row in rows.py")

    def test_service_writes_what_it_may(self):
        connection = self.connect(user=self.world.service_login)
        tables = self.tables(connection)
        written = 0
        for table, row in rows.rows(self.world.a):
            insertable, readable = tables[table]
            with self.subTest(table):
                if not insertable:
                    with self.assertRaises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                        self.insert(connection, table, row, [])
                    continue
                with connection.transaction():
                    self.insert(connection, table, row, readable)
                written += 1
        self.assertGreater(written, len(tables) // 2)

    def test_binary_parameters_and_results(self):
        connection = self.connect()
        tables = self.tables(connection)
        for table, row in rows.rows(self.world.a):
            with self.subTest(table), connection.transaction():
                returning = [column for column in tables[table][1] if column in row]
                statement = rows.insert_statement(table, row, returning, ["%b"] * len(row))
                cursor = connection.cursor(binary=True)
                cursor.execute(statement, [adapted(value) for value in row.values()])
                self.assertEqual(dict(zip(returning, cursor.fetchone())), row)

    def test_typed_text_is_refused_by_an_enum_column_alone(self):
        connection = self.connect()
        with self.assertRaises(psycopg.errors.DatatypeMismatch), connection.transaction():
            connection.execute("INSERT INTO tenancy.organizations (name, plan) VALUES ('x', %s)", ("free",))
        with self.assertRaises(psycopg.errors.CheckViolation), connection.transaction():
            connection.execute(
                "INSERT INTO tenancy.org_memberships (user_id, role) VALUES (%s, %s)", (self.world.b.owner_id, "king"))

    def test_values_that_do_not_fit_name_the_constraint(self):
        connection = self.connect()
        for table, column, value in (
            ("analysis.analyses", "head_sha", "main"),
            ("analysis.findings", "confidence", 1.5),
            ("analysis.findings", "line_end", 1),
            ("analysis.scan_schedules", "cron_expression", "every day"),
            ("analysis.custom_rules", "rule_config", ["a", "list"]),
            ("integrations.webhooks", "url", "ftp://example.org"),
            ("production.artifacts", "s3_uri", "https://example.org"),
        ):
            with self.subTest(table=table, column=column), connection.transaction(force_rollback=True):
                with self.assertRaises(psycopg.errors.CheckViolation) as caught:
                    for each, row in rows.rows(self.world.a):
                        self.insert(connection, each, {**row, column: value} if each == table else row, [])
                self.assertEqual(f"{caught.exception.diag.schema_name}.{caught.exception.diag.table_name}", table)
                self.assertIn(column.removesuffix("_end"), caught.exception.diag.constraint_name)


if __name__ == "__main__":
    unittest.main()
