#!/usr/bin/env python3
"""asyncpg: log lines go in as arrays in binary and are searched and counted."""

import unittest
from datetime import datetime, timedelta, timezone

import support
from asyncpg_support import AsyncpgTest

import asyncpg

NOW = datetime.now(timezone.utc).replace(microsecond=123456)
ARRAYS = "SELECT observability.ingest_logs($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::jsonb[])"


class Logs(AsyncpgTest):
    async def asyncSetUp(self):
        self.connection = await self.connect_as_tenant()
        await self.connection.transaction().start()
        await self.authenticate(self.connection, self.world.a, "write")

    async def test_arrays_in_and_lines_out(self):
        number = 500
        landed = await self.connection.fetchval(
            ARRAYS, [None] * number, None, [NOW - timedelta(seconds=n) for n in range(number)], ["warn", "info"] * (number // 2),
            [f"line {n} of größe" for n in range(number)], [{"n": n} for n in range(number)])
        self.assertEqual(landed, number)
        lines = await self.connection.fetch("SELECT * FROM observability.search_logs($1, max_rows => $2)", '"größe"', 1000)
        self.assertEqual([line["meta_json"]["n"] for line in lines], list(range(number)))
        self.assertEqual((lines[1]["ts"], lines[1]["level"]), (NOW - timedelta(seconds=1), "info"))
        lines = await self.connection.fetch("SELECT * FROM observability.search_logs(meta => $1)", {"n": 77})
        self.assertEqual([line["message"] for line in lines], ["line 77 of größe"])
        volume = await self.connection.fetch(
            "SELECT * FROM observability.log_volume($1, $2, $3)",
            NOW - timedelta(hours=2), NOW + timedelta(seconds=1), timedelta(minutes=5))
        self.assertEqual(sum(bucket["lines"] for bucket in volume if bucket["level"]), number)

    async def test_json_and_what_is_refused(self):
        entries = [{"message": "x"}, {"message": 1}, "x"]
        self.assertEqual(await self.connection.fetchval("SELECT observability.ingest_logs($1::jsonb)", entries), 1)
        with self.assertRaises(asyncpg.PostgresError) as caught:
            async with self.connection.transaction():
                await self.connection.fetchval("SELECT observability.ingest_logs($1::jsonb)", entries[0])
        self.assertEqual(caught.exception.sqlstate, "VC100")
        with self.assertRaises(asyncpg.PostgresError) as caught:
            async with self.connection.transaction():
                await self.connection.fetch("SELECT * FROM observability.search_logs(level => $1)", "warning")
        self.assertEqual((caught.exception.sqlstate, bool(caught.exception.hint)), ("VC102", True))


if __name__ == "__main__":
    unittest.main()
