#!/usr/bin/env python3
"""asyncpg: a SARIF log through the jsonb codec and as text, in and out, and the errors that a client sees."""

import asyncio
import json
import unittest

import support
from asyncpg_support import AsyncpgTest

import asyncpg

IMPORT = "SELECT * FROM analysis.import_sarif($1, $2::jsonb)"
IMPORT_TEXT = "SELECT * FROM analysis.import_sarif($1, $2)"


class Sarif(AsyncpgTest):
    async def asyncSetUp(self):
        self.connection = await self.connect_as_tenant()
        transaction = self.connection.transaction()
        await transaction.start()
        await self.authenticate(self.connection, self.world.a, "write")
        self.analysis_id = await self.connection.fetchval(
            "SELECT analysis.start_analysis($1, $2, $3, $4, $5, $6)",
            self.world.a.repo_id, 7, "c" * 40, "d" * 64, "Title", {"labels": ["ü"]})

    async def test_import_export_and_summary(self):
        log = support.bandit_log()
        report = await self.connection.fetchrow(IMPORT, self.analysis_id, log)
        self.assertEqual(tuple(report), (0, "Bandit", support.BANDIT_RESULTS, 0, 0, 0))
        exported = await self.connection.fetchval("SELECT analysis.export_sarif($1)", self.analysis_id)
        report = await self.connection.fetchrow(IMPORT, self.analysis_id, exported)
        self.assertEqual(tuple(report), (0, "Bandit", 0, support.BANDIT_RESULTS, 0, 0))
        summary = await self.connection.fetch(
            "SELECT * FROM analysis.finding_summary WHERE analysis_id = $1", self.analysis_id)
        self.assertEqual(sum(row["findings"] for row in summary), support.BANDIT_RESULTS)
        dashboard = await self.connection.fetchrow("SELECT * FROM analysis.repository_dashboard")
        self.assertEqual(dashboard["latest_analysis_id"], self.analysis_id)
        self.assertEqual(dashboard["latest_status"], "running")

    async def test_columns_of_the_report_have_the_documented_types(self):
        for text, type_of_log in ((IMPORT, "jsonb"), (IMPORT_TEXT, "text")):
            statement = await self.connection.prepare(text)
            self.assertEqual([parameter.name for parameter in statement.get_parameters()], ["uuid", type_of_log])
            self.assertEqual(
                [(column.name, column.type.name) for column in statement.get_attributes()],
                [("run_index", "int4"), ("tool", "text"), ("imported", "int4"), ("updated", "int4"),
                 ("suppressed", "int4"), ("skipped", "int4")])

    async def test_a_log_as_text_is_the_same_log(self):
        log = support.bandit_log()
        report = await self.connection.fetchrow(IMPORT_TEXT, self.analysis_id, json.dumps(log))
        self.assertEqual(tuple(report), (0, "Bandit", support.BANDIT_RESULTS, 0, 0, 0))
        report = await self.connection.fetchrow(IMPORT, self.analysis_id, log)
        self.assertEqual(tuple(report), (0, "Bandit", 0, support.BANDIT_RESULTS, 0, 0))

    async def test_a_fault_in_the_log(self):
        with self.assertRaises(asyncpg.PostgresError) as caught:
            async with self.connection.transaction():
                await self.connection.fetch(IMPORT, self.analysis_id, {"version": "2.1.0", "runs": [{"results": {}}]})
        self.assertEqual(caught.exception.sqlstate, "VC043")
        self.assertRegex(caught.exception.detail, r"^The fault is at \$\.runs\[0\]")
        self.assertTrue(caught.exception.hint)
        # The transaction goes on, with its context.
        report = await self.connection.fetchrow(IMPORT, self.analysis_id, support.bandit_log())
        self.assertEqual(report["imported"], support.BANDIT_RESULTS)

    async def test_progress_is_shown(self):
        """While an import waits for a lock, the server's own view says what it is importing into and how much."""
        other = await self.connect()
        # A transaction sees one snapshot of what the other sessions do.
        watcher = await self.connect()
        shown = """
            SELECT bytes_total > 100000 AND type = 'CALLBACK'
            FROM pg_stat_progress_copy
            WHERE relid = 'analysis.findings'::regclass"""
        async with other.transaction():
            await other.execute("LOCK TABLE analysis.findings IN SHARE MODE")
            task = asyncio.create_task(self.connection.fetchrow(IMPORT, self.analysis_id, support.bandit_log()))
            async with asyncio.timeout(30):
                while not await watcher.fetchval(shown):
                    await asyncio.sleep(0.02)
        self.assertEqual((await task)["imported"], support.BANDIT_RESULTS)
        self.assertIsNone(await watcher.fetchval(shown))

    async def test_cancelled_by_the_client(self):
        """A time-out of the driver sends a cancel request: nothing of the import stays, and the transaction goes on."""
        other = await self.connect()
        async with other.transaction():
            await other.execute("LOCK TABLE analysis.findings IN SHARE MODE")
            with self.assertRaises(asyncio.TimeoutError):
                async with self.connection.transaction():
                    await self.connection.fetch(IMPORT, self.analysis_id, support.bandit_log(), timeout=0.5)
        findings = "SELECT count(*) FROM analysis.findings WHERE analysis_id = $1"
        self.assertEqual(await self.connection.fetchval(findings, self.analysis_id), 0)
        report = await self.connection.fetchrow(IMPORT, self.analysis_id, support.bandit_log())
        self.assertEqual(report["imported"], support.BANDIT_RESULTS)


if __name__ == "__main__":
    unittest.main()
