#!/usr/bin/env python3
"""asyncpg: its cache of prepared statements, its pool, cursors and COPY, each across tenants."""

import asyncio
import unittest

from asyncpg_support import AsyncpgTest, set_codecs

import asyncpg

REPOSITORIES = "SELECT id FROM scm.repositories"


class Isolation(AsyncpgTest):
    async def repositories(self, connection):
        return [row["id"] for row in await connection.fetch(REPOSITORIES)]

    async def assert_no_context(self, connection):
        self.assertIsNone(await connection.fetchval("SELECT tenancy.current_org_id()"))
        self.assertEqual(await self.repositories(connection), [])

    async def test_statement_cache_serves_each_tenant_its_own(self):
        for plan in ("auto", "force_generic_plan"):
            with self.subTest(plan=plan):
                connection = await self.connect_as_tenant(server_settings={"plan_cache_mode": plan})
                for tenant in (self.world.a, self.world.b) * 6:
                    async with connection.transaction():
                        await self.authenticate(connection, tenant)
                        self.assertEqual(await self.repositories(connection), [tenant.repo_id])
                    await self.assert_no_context(connection)
                prepared = await connection.fetchval(
                    "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1", REPOSITORIES)
                self.assertEqual(prepared, 1, "the statement was cached and used throughout")

    async def test_explicit_statement_outlives_its_tenant(self):
        connection = await self.connect_as_tenant()
        async with connection.transaction():
            await self.authenticate(connection, self.world.a)
            statement = await connection.prepare("SELECT full_name FROM scm.repositories WHERE id = $1")
            self.assertTrue(await statement.fetchval(self.world.a.repo_id))
        self.assertIsNone(await statement.fetchval(self.world.a.repo_id))
        async with connection.transaction():
            await self.authenticate(connection, self.world.b)
            self.assertIsNone(await statement.fetchval(self.world.a.repo_id))
            self.assertTrue(await statement.fetchval(self.world.b.repo_id))

    async def test_pool_hands_out_no_context(self):
        async def work(pool, tenant):
            async with pool.acquire() as connection:
                await self.assert_no_context(connection)
                async with connection.transaction():
                    await self.authenticate(connection, tenant)
                    self.assertEqual(await self.repositories(connection), [tenant.repo_id])
                await self.assert_no_context(connection)
                return await connection.fetchval("SELECT pg_backend_pid()")

        async with asyncpg.create_pool(min_size=2, max_size=2, user=self.world.tenant_login, init=set_codecs) as pool:
            backends = await asyncio.gather(*(work(pool, tenant) for tenant in (self.world.a, self.world.b) * 10))
        self.assertLessEqual(len(set(backends)), 2)

    async def test_failed_transaction_leaves_no_context(self):
        connection = await self.connect_as_tenant()
        with self.assertRaises(asyncpg.DivisionByZeroError):
            async with connection.transaction():
                await self.authenticate(connection, self.world.a)
                await connection.fetch("SELECT 1 / 0")
        await self.assert_no_context(connection)

    async def test_a_second_identity_is_refused(self):
        connection = await self.connect_as_tenant()
        async with connection.transaction():
            await self.authenticate(connection, self.world.a)
            with self.assertRaises(asyncpg.PostgresError) as caught:
                async with connection.transaction():
                    await self.authenticate(connection, self.world.b)
            self.assertEqual(caught.exception.sqlstate, "VC010")
            self.assertEqual(await self.repositories(connection), [self.world.a.repo_id])

    async def test_cursor(self):
        connection = await self.connect_as_tenant()
        for tenant in (self.world.a, self.world.b):
            async with connection.transaction():
                await self.authenticate(connection, tenant)
                self.assertEqual([row["id"] async for row in connection.cursor(REPOSITORIES)], [tenant.repo_id])

    async def test_simple_protocol(self):
        """Several statements in one message are one transaction: the context ends with them."""
        connection = await self.connect_as_tenant()
        authenticate = f"SELECT auth.authenticate_api_key('{self.world.a.api_key}')"
        self.assertEqual(await connection.execute(f"{authenticate}; {REPOSITORIES}"), "SELECT 1")
        self.assertEqual(await connection.execute(REPOSITORIES), "SELECT 0")

    async def test_copy(self):
        connection = await self.connect_as_tenant()
        for tenant in (self.world.a, self.world.b):
            copied = bytearray()

            async def receive(data):
                copied.extend(data)

            async with connection.transaction():
                await self.authenticate(connection, tenant, "write")
                await connection.copy_from_table("repositories", schema_name="scm", columns=["id"], output=receive)
                self.assertEqual(copied.decode().split(), [str(tenant.repo_id)])
                with self.assertRaises(asyncpg.FeatureNotSupportedError):
                    async with connection.transaction():
                        await connection.copy_records_to_table(
                            "findings", schema_name="analysis", columns=["title"], records=[("x",)])

    async def test_context_from_startup_parameters_is_refused_when_the_library_loads(self):
        settings = {"codeverify.org_id": str(self.world.b.org_id), "codeverify.member_role": "owner"}
        try:
            connection = await self.connect_as_tenant(server_settings=settings)
        except asyncpg.InsufficientPrivilegeError:
            return  # The library is preloaded: it refuses earlier.
        await self.assert_no_context(connection)
        self.assertIsNone(await connection.fetchval('SELECT tenancy."current_role"()'))
        async with connection.transaction():
            await self.authenticate(connection, self.world.a)
            self.assertEqual(await self.repositories(connection), [self.world.a.repo_id])


if __name__ == "__main__":
    unittest.main()
