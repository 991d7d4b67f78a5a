"""What the tests of asyncpg share."""

import json

import support

import asyncpg


# Binary jsonb is a byte that says version 1, then text.
JSONB_VERSION = b"\x01"


async def set_codecs(connection):
    """jsonb as Python's dicts and lists; in binary, as COPY needs it."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: JSONB_VERSION + json.dumps(value).encode(),
        decoder=lambda data: json.loads(data.removeprefix(JSONB_VERSION)))


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
