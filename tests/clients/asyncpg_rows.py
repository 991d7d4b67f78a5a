#!/usr/bin/env python3
"""asyncpg: a row of every table over the binary protocol, where each parameter has the type of its column."""

import unittest

import rows
import support
from asyncpg_support import AsyncpgTest

import asyncpg


class EveryTable(AsyncpgTest):
    async def begin(self, **arguments):
        """A connection with an open transaction that acts for the owner of tenant a."""
        connection = await self.connect(**arguments)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT tenancy.assume($1, $2)", self.world.a.org_id, self.world.a.owner_id)
        catalog = await connection.fetch(rows.TABLES_QUERY)
        tables = {name: (insertable, readable) for name, insertable, readable in catalog}
        return connection, tables

    async def insert(self, connection, table, row, readable, placeholders=None):
        """Writes the row and compares what the server returns of it."""
        returning = [column for column in readable if column in row or column == "org_id"]
        placeholders = placeholders or [f"${number}" for number in range(1, len(row) + 1)]
        statement = rows.insert_statement(table, row, returning, placeholders)
        if not returning:
            self.assertEqual(await connection.execute(statement, *row.values()), "INSERT 0 1")
            return
        expected = {**row, "org_id": self.world.a.org_id}
        written = await connection.fetchrow(statement, *row.values())
        self.assertEqual(dict(written), {column: expected[column] for column in returning})

    async def test_superuser_writes_every_table(self):
        connection, tables = await self.begin()
        for table, row in rows.rows(self.world.a):
            with self.subTest(table):
                async with connection.transaction():
                    await self.insert(connection, table, row, tables.pop(table)[1])
        self.assertEqual(tables, {}, "tables without a row in rows.py")

    async def test_service_writes_what_it_may(self):
        connection, tables = await self.begin(user=self.world.service_login)
        for table, row in rows.rows(self.world.a):
            insertable, readable = tables[table]
            with self.subTest(table):
                if insertable:
                    async with connection.transaction():
                        await self.insert(connection, table, row, readable)
                else:
                    with self.assertRaises(asyncpg.InsufficientPrivilegeError):
                        async with connection.transaction():
                            await self.insert(connection, table, row, [])

    async def insert_with_casts(self, kind):
        connection, tables = await self.begin()
        for table, row in rows.rows(self.world.a):
            placeholders = [
                f"${number}::{kind}" if type(value) is str else f"${number}"
                for number, value in enumerate(row.values(), 1)]
            with self.subTest(table):
                async with connection.transaction():
                    await self.insert(connection, table, row, tables[table][1], placeholders)

    # As drivers do that send every string with a type: all but the enum columns must take it.

    async def test_text_columns_take_parameters_of_type_text(self):
        await self.insert_with_casts("text")

    async def test_text_columns_take_parameters_of_type_varchar(self):
        await self.insert_with_casts("varchar")

    async def test_enum_columns(self):
        connection, _ = await self.begin()
        statement = "INSERT INTO observability.incidents (severity) VALUES ($1) RETURNING severity"
        self.assertEqual(await connection.fetchval(statement, "sev1"), "sev1")
        with self.assertRaises(asyncpg.InvalidTextRepresentationError):
            async with connection.transaction():
                await connection.fetchval(statement, "sev5")
        with self.assertRaises(asyncpg.DatatypeMismatchError):
            async with connection.transaction():
                await connection.fetchval(statement.replace("$1", "$1::text"), "sev1")
        cast = statement.replace("$1", "$1::text::observability.incident_severity")
        self.assertEqual(await connection.fetchval(cast, "sev1"), "sev1")

    async def test_enum_views(self):
        """Text columns whose document asks for an enum type show as one in a view."""
        connection, _ = await self.begin()
        await connection.execute("INSERT INTO observability.incidents (fingerprint) VALUES ('f')")
        await connection.execute(
            "INSERT INTO scm.installations (github_installation_id, account_type) VALUES ($1, $2)",
            support.new_github_id(), "Organization")
        for view, column, kind, value in (
            ("tenancy.organization_members", "role", "member_role", "owner"),
            ("observability.incident_progress", "status", "incident_status", "investigating"),
            ("scm.github_installations", "account_type", "github_account_type", "organization"),
        ):
            with self.subTest(view):
                statement = await connection.prepare(f"SELECT {column} FROM {view} WHERE org_id = $1 AND {column} = $2")
                self.assertEqual(statement.get_parameters()[1].name, kind)
                self.assertEqual(await statement.fetchval(self.world.a.org_id, value), value)

    async def test_copy_records_to_table(self):
        """The binary COPY of asyncpg, which a superuser may use."""
        connection, _ = await self.begin()
        for table in ("telemetry.code_events", "observability.alert_rules", "audits.audit_log"):
            row = next(row for each, row in rows.rows(self.world.a) if each == table)
            row = {column: value for column, value in row.items() if column != "id"}
            schema, _, name = table.partition(".")
            with self.subTest(table):
                self.assertEqual(
                    await connection.copy_records_to_table(
                        name, schema_name=schema, columns=list(row), records=[tuple(row.values())]),
                    "COPY 1")


if __name__ == "__main__":
    unittest.main()
