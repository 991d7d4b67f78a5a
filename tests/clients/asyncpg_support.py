"""What the tests of asyncpg share."""

import json

import support

import asyncpg


async def set_codecs(connection):
    """jsonb as Python's dicts and lists, in both directions."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


class AsyncpgTest(support.AsyncWorldTest):
    async def connect(self, **arguments):
        connection = await asyncpg.connect(**arguments)
        self.addAsyncCleanup(connection.close)
        await set_codecs(connection)
        return connection

    async def connect_as_tenant(self, **arguments):
        return await self.connect(user=self.world.tenant_login, **arguments)

    async def authenticate(self, connection, tenant, scope="read"):
        answer = await connection.fetchval("SELECT auth.authenticate_api_key($1, $2)", tenant.api_key, scope)
        self.assertEqual(answer["status"], "ok")
        self.assertEqual(answer["org_id"], str(tenant.org_id))
