#!/usr/bin/env python3
"""SQLAlchemy 2.0: the tables of all schemas are reflected from the catalog, and a row goes through each of them."""

import asyncio
import unittest
import warnings

import rows
import support

from sqlalchemy import Enum, MetaData, create_engine, exc, func, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine


def reflected(engine):
    """Everything of every domain. What SQLAlchemy does not understand is an error, not a warning."""
    metadata = MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("error", exc.SAWarning)
        for domain in support.DOMAINS:
            metadata.reflect(engine, schema=domain, views=True)
    return metadata


class Reflection(support.WorldTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine = create_engine("postgresql+psycopg://")
        cls.addClassCleanup(cls.engine.dispose)
        cls.metadata = reflected(cls.engine)

    def test_every_table_and_column_is_there(self):
        with self.engine.connect() as connection:
            catalog = {
                name: set(columns) for name, _, columns in connection.execute(text(rows.TABLES_QUERY))}
        self.assertGreaterEqual(len(catalog), 60)
        for name, columns in catalog.items():
            with self.subTest(name):
                table = self.metadata.tables[name]
                self.assertEqual(set(table.columns.keys()), columns)
                self.assertTrue(table.primary_key.columns or name == "observability.alert_firings")
                self.assertTrue(table.comment)
                self.assertEqual([column.name for column in table.columns if not column.comment], [])

    def test_enum_columns_are_the_documented_six_types(self):
        types = {
            f"{column.type.schema}.{column.type.name}": list(column.type.enums)
            for table in self.metadata.tables.values() if not table.info.get("is_view")
            for column in table.columns if isinstance(column.type, Enum)}
        for name, enumeration in rows.ENUMERATIONS.items():
            with self.subTest(name):
                self.assertEqual(types[name], [member.value for member in enumeration])

    def test_foreign_keys_lead_to_reflected_tables(self):
        findings = self.metadata.tables["analysis.findings"]
        parents = {
            constraint.referred_table.fullname: [element.parent.name for element in constraint.elements]
            for constraint in findings.foreign_key_constraints}
        self.assertEqual(parents["analysis.analyses"], ["org_id", "analysis_id"])
        for table in self.metadata.tables.values():
            for constraint in table.foreign_key_constraints:
                self.assertIs(constraint.referred_table, self.metadata.tables[constraint.referred_table.fullname])

    def test_no_cycle_of_foreign_keys(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error", exc.SAWarning)
            order = [table.fullname for table in self.metadata.sorted_tables]
        self.assertLess(order.index("tenancy.organizations"), order.index("scm.repositories"))
        self.assertLess(order.index("scm.repositories"), order.index("analysis.findings"))

    def test_a_tenant_reflects_the_same(self):
        engine = create_engine("postgresql+psycopg://", connect_args={"user": self.world.tenant_login})
        self.addCleanup(engine.dispose)
        self.assertEqual(set(reflected(engine).tables), set(self.metadata.tables))

    def write_every_table(self, connection):
        """Inserts and reads back through the reflected tables, with bind types that SQLAlchemy derives from them."""
        connection.execute(select(func.tenancy.assume(self.world.a.org_id, self.world.a.owner_id)))
        for name, row in rows.rows(self.world.a):
            table = self.metadata.tables[name]
            with self.subTest(name), connection.begin_nested():
                key = connection.execute(insert(table).values(row)).inserted_primary_key
                self.assertTrue(all(value is not None for value in key))
                same = [column == value for column, value in zip(table.primary_key.columns, key)]
                written = connection.execute(select(table).where(*same)).mappings().one()
                self.assertEqual({column: written[column] for column in row}, row)
                if "org_id" in table.columns:
                    self.assertEqual(written["org_id"], self.world.a.org_id)
        connection.rollback()

    def test_row_of_every_table(self):
        with self.engine.connect() as connection:
            self.write_every_table(connection)

    def test_row_of_every_table_over_asyncpg(self):
        """There SQLAlchemy casts every parameter to a type: $1::VARCHAR, $2::JSONB."""
        async def write():
            engine = create_async_engine("postgresql+asyncpg://")
            async with engine.connect() as connection:
                await connection.run_sync(self.write_every_table)
            await engine.dispose()

        asyncio.run(write())

    def test_upsert(self):
        """ON CONFLICT on a unique key of a partitioned and of a plain table."""
        usage = self.metadata.tables["providers.usage_tracking"]
        quotas = self.metadata.tables["providers.user_quotas"]
        with self.engine.connect() as connection:
            connection.execute(text("SELECT tenancy.assume(:o)"), {"o": self.world.a.org_id})
            for table, key, column in (
                (usage, ["org_id", "user_id", "provider", "model", "date"], "requests_count"),
                (quotas, ["org_id", "user_id"], "daily_limit"),
            ):
                row = next(row for name, row in rows.rows(self.world.a) if name == table.fullname)
                statement = postgresql.insert(table).values(row)
                statement = statement.on_conflict_do_update(
                    index_elements=key, set_={column: table.columns[column] + statement.excluded[column]})
                with self.subTest(table.fullname):
                    connection.execute(statement)
                    connection.execute(statement)
                    total = connection.execute(
                        select(table.columns[column]).where(table.columns.org_id == self.world.a.org_id)).scalar_one()
                    self.assertEqual(total, 2 * row[column])
            connection.rollback()


if __name__ == "__main__":
    unittest.main()
