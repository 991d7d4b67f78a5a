#!/usr/bin/env python3
"""psycopg 3: a SARIF log goes in and comes out, faults reach the client as SQLSTATE, DETAIL and HINT."""

import unittest

import support

import psycopg
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types.json import Json, Jsonb

IMPORT = "SELECT * FROM analysis.import_sarif(%s, %s)"


class Sarif(support.WorldTest):
    def setUp(self):
        self.log = support.bandit_log()
        self.connection = psycopg.connect(user=self.world.tenant_login, row_factory=dict_row)
        self.addCleanup(self.connection.close)

    def authenticate(self, tenant):
        self.connection.execute("SELECT auth.authenticate_api_key(%s, 'write')", (tenant.api_key,))

    def start(self, tenant):
        """A new analysis, in a new transaction that acts for the tenant."""
        self.connection.rollback()
        self.authenticate(tenant)
        return self.value(
            "SELECT analysis.start_analysis(%s, 7, %s, metadata => %s)", tenant.repo_id, "c" * 40, Jsonb({}))

    def value(self, statement, *parameters):
        row, = self.connection.execute(statement, parameters)
        value, = row.values()
        return value

    def findings(self, analysis_id):
        return self.connection.execute(
            "SELECT category, severity, title, description, file_path, line_start, line_end, fingerprint, rule_id,"
            " dismissed FROM analysis.findings WHERE analysis_id = %s ORDER BY fingerprint", (analysis_id,)).fetchall()

    def import_fails(self, log, sqlstate, tenant=None):
        """The error of an import that fails, after which the analysis is empty."""
        analysis_id = self.start(tenant or self.world.a)
        with self.assertRaises(psycopg.DatabaseError) as caught, self.connection.transaction():
            self.connection.execute(IMPORT, (analysis_id, log))
        self.assertEqual(caught.exception.sqlstate, sqlstate)
        self.assertEqual(self.findings(analysis_id), [])
        return caught.exception.diag

    def test_import_and_import_again(self):
        analysis_id = self.start(self.world.a)
        nothing = {"imported": 0, "updated": 0, "suppressed": 0, "skipped": 0, "run_index": 0, "tool": "Bandit"}
        self.assertEqual(
            self.connection.execute(IMPORT, (analysis_id, Jsonb(self.log))).fetchall(),
            [{**nothing, "imported": support.BANDIT_RESULTS}])
        self.connection.commit()
        self.authenticate(self.world.a)
        self.assertEqual(
            self.connection.execute(IMPORT, (analysis_id, Jsonb(self.log))).fetchall(),
            [{**nothing, "updated": support.BANDIT_RESULTS}])
        self.assertEqual(len(self.findings(analysis_id)), support.BANDIT_RESULTS)

    def test_forms_of_the_parameter(self):
        text = support.BANDIT_LOG.read_text()
        for name, parameter, statement in (
            ("Jsonb", Jsonb(self.log), IMPORT),
            ("binary Jsonb", Jsonb(self.log), IMPORT.replace("%s)", "%b)")),
            ("untyped text", text, IMPORT),
            ("Json with a cast", Json(self.log), IMPORT.replace("%s)", "%s::jsonb)")),
        ):
            with self.subTest(name):
                row, = self.connection.execute(statement, (self.start(self.world.a), parameter))
                self.assertEqual(row["imported"], support.BANDIT_RESULTS)

    def test_export_and_import_gives_the_same_findings(self):
        first = self.start(self.world.a)
        self.connection.execute(IMPORT, (first, Jsonb(self.log)))
        exported = self.value("SELECT analysis.export_sarif(%s)", first)
        self.assertEqual(exported["version"], "2.1.0")
        self.assertEqual(sum(len(run["results"]) for run in exported["runs"]), support.BANDIT_RESULTS)
        second = self.value("SELECT analysis.start_analysis(%s, 8, %s)", self.world.a.repo_id, "d" * 40)
        self.connection.execute(IMPORT, (second, Jsonb(exported)))
        self.assertEqual(self.findings(second), self.findings(first))

    def test_views(self):
        analysis_id = self.start(self.world.a)
        self.connection.execute(IMPORT, (analysis_id, Jsonb(self.log)))
        cursor = self.connection.cursor(row_factory=namedtuple_row)
        summary = cursor.execute(
            "SELECT * FROM analysis.finding_summary WHERE analysis_id = %s", (analysis_id,)).fetchall()
        self.assertEqual({row.org_id for row in summary}, {self.world.a.org_id})
        self.assertEqual(sum(row.findings for row in summary), support.BANDIT_RESULTS)
        dashboard, = cursor.execute("SELECT * FROM analysis.repository_dashboard").fetchall()
        self.assertEqual((dashboard.repo_id, dashboard.latest_analysis_id), (self.world.a.repo_id, analysis_id))
        opened = dashboard.open_critical + dashboard.open_high + dashboard.open_medium + dashboard.open_low
        self.assertEqual(opened, support.BANDIT_RESULTS)

        finding, = cursor.execute("SELECT id FROM analysis.findings WHERE analysis_id = %s LIMIT 1", (analysis_id,))
        cursor.execute("SELECT analysis.dismiss_finding(%s, %s)", (finding.id, "a false alarm"))
        counts, = cursor.execute(
            "SELECT sum(open_findings)::int AS opened, sum(dismissed_findings)::int AS dismissed"
            " FROM analysis.finding_summary WHERE analysis_id = %s", (analysis_id,))
        self.assertEqual(counts, (support.BANDIT_RESULTS - 1, 1))
        cursor.execute("SELECT analysis.complete_analysis(%s)", (analysis_id,))
        dashboard, = cursor.execute("SELECT * FROM analysis.repository_dashboard").fetchall()
        self.assertEqual((dashboard.latest_status, dashboard.latest_duration.days), ("completed", 0))
        self.connection.commit()

        self.authenticate(self.world.b)
        self.assertEqual(cursor.execute("SELECT * FROM analysis.finding_summary").fetchall(), [])
        dashboard, = cursor.execute("SELECT * FROM analysis.repository_dashboard").fetchall()
        self.assertEqual(dashboard.repo_id, self.world.b.repo_id)

    def test_a_fault_in_the_log(self):
        result = {"message": {"text": "x"}, "ruleId": "r", "ruleIndex": 3}
        run = {"tool": {"driver": {"name": "t", "rules": [{"id": "r"}]}}, "results": [result]}
        for log, path in (
            ([], "$"),
            ({"version": "2.0.0", "runs": []}, "$.version"),
            ({"version": "2.1.0", "runs": {}}, "$.runs"),
            ({"version": "2.1.0", "runs": [{**run, "results": {}}]}, "$.runs[0].results"),
            ({"version": "2.1.0", "runs": [run]}, "$.runs[0].results[0].ruleIndex"),
        ):
            with self.subTest(path):
                diagnostic = self.import_fails(Jsonb(log), "VC043")
                self.assertEqual(diagnostic.severity_nonlocalized, "ERROR")
                self.assertTrue(diagnostic.message_primary.startswith("invalid SARIF log: "))
                self.assertEqual(diagnostic.message_detail, f"The fault is at {path}.")
                self.assertTrue(diagnostic.message_hint)

    def test_text_that_is_no_json(self):
        nul = '{"version": "2.1.0", "runs": [], "x": "\\u0000"}'
        self.assertEqual(self.import_fails("{", "VC043").message_detail, "The fault is at $.")
        self.assertEqual(self.import_fails(nul, "VC043").message_detail, "The fault is at $.x.")

    def test_an_analysis_that_is_not_there(self):
        others = self.start(self.world.b)
        self.connection.commit()
        for analysis_id in (others, self.world.a.repo_id):
            self.connection.rollback()
            self.authenticate(self.world.a)
            with self.assertRaises(psycopg.DatabaseError) as caught:
                self.connection.execute(IMPORT, (analysis_id, Jsonb(self.log)))
            self.assertEqual(caught.exception.sqlstate, "VC040")
            self.assertEqual(caught.exception.diag.message_detail, None)

    def test_without_a_context(self):
        for statement in ("SELECT analysis.start_analysis(%s, 1, repeat('a', 40))", "SELECT analysis.export_sarif(%s)"):
            self.connection.rollback()
            with self.assertRaises(psycopg.DatabaseError) as caught:
                self.connection.execute(statement, (self.world.a.repo_id,))
            self.assertEqual(caught.exception.sqlstate, "VC011")
            self.assertIn("auth.authenticate_api_key", caught.exception.diag.message_hint)


if __name__ == "__main__":
    unittest.main()
