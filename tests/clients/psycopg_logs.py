#!/usr/bin/env python3
"""psycopg 3: log lines go in as JSON, as arrays and by COPY, and come out page by page; a search that stops says how to go on."""

import secrets
import unittest
from datetime import datetime, timedelta, timezone

import support

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

NOW = datetime.now(timezone.utc).replace(microsecond=123456)
ARRAYS = "SELECT observability.ingest_logs(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::jsonb[])"


class Logs(support.WorldTest):
    def setUp(self):
        self.login = f"clients_ingest_{secrets.token_hex(4)}"
        with support.superuser() as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE codeverify_ingest").format(sql.Identifier(self.login)))
        self.addCleanup(self.drop_login)
        self.collector = psycopg.connect(user=self.login)
        self.addCleanup(self.collector.close)
        self.reader = psycopg.connect(user=self.world.tenant_login)
        self.addCleanup(self.reader.close)
        self.service_id = self.superuser_value(
            "INSERT INTO tenancy.services (org_id, name) VALUES (%s, %s) RETURNING id", self.world.a.org_id, self.login)
        self.authenticate(self.collector)

    def drop_login(self):
        with support.superuser() as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(self.login)))

    def superuser_value(self, statement, *parameters):
        with support.superuser() as connection:
            return connection.execute(statement, parameters).fetchone()[0]

    def authenticate(self, connection):
        answer, = connection.execute("SELECT auth.authenticate_api_key(%s)", (self.world.a.api_key,)).fetchone()
        self.assertEqual(answer["status"], "ok")

    def search(self, *arguments, **named):
        self.reader.rollback()
        self.authenticate(self.reader)
        named = {"service_id": self.service_id, **named}
        statement = "SELECT * FROM observability.search_logs({})".format(
            ", ".join(["%s"] * len(arguments) + [f"{name} => %s" for name in named]))
        return self.reader.execute(statement, (*arguments, *named.values())).fetchall()

    def test_json(self):
        landed, = self.collector.execute("SELECT observability.ingest_logs(%s)", (Jsonb([
            {"service_id": str(self.service_id), "ts": NOW.isoformat(), "level": "error", "message": "Naïve 🦀", "meta": {"n": 1e-9}},
            {"service_id": str(self.service_id), "level": "loud", "message": "x"},
        ]),)).fetchone()
        self.assertEqual(landed, 1)
        self.collector.commit()
        (_, ts, level, service_id, environment_id, message, meta), = self.search("🦀 or naïve")
        self.assertEqual(
            (ts, level, service_id, environment_id, message, meta),
            (NOW, "error", self.service_id, None, "Naïve 🦀", {"n": 1e-9}))
        self.assertEqual(self.superuser_value(
            "SELECT reason FROM observability.rejected_logs WHERE org_id = %s AND entry LIKE '%%loud%%'", self.world.a.org_id),
            "invalid_level")

    def test_arrays(self):
        landed, = self.collector.execute(ARRAYS, (
            [self.service_id, self.service_id], [None, None], [NOW, None], ["warn", None], ["first", "second"],
            [Jsonb({"a": 1}), None])).fetchone()
        self.assertEqual(landed, 2)
        with self.assertRaises(psycopg.DatabaseError) as caught:
            self.collector.execute(ARRAYS, ([], None, None, None, ["x"], None))
        self.assertEqual(caught.exception.sqlstate, "VC101")

    def test_copy(self):
        with self.collector.cursor().copy(
                "COPY observability.log_intake (service_id, ts, level, message, meta_json) FROM STDIN") as copy:
            for number in range(100):
                copy.write_row((self.service_id, NOW, "debug", f"copied {number}", Jsonb({"number": number})))
        self.collector.commit()
        # All have the same time: pages part them by id.
        found, before = [], None
        while page := self.search("copied", before_id=before, max_rows=30):
            found += page
            before = page[-1][0]
        self.assertEqual([line[6]["number"] for line in found], list(reversed(range(100))))
        with self.assertRaises(psycopg.errors.FeatureNotSupported):
            self.collector.execute("COPY observability.logs (message) FROM STDIN")

    def test_a_search_that_stops_says_how_to_go_on(self):
        with support.superuser() as connection:
            connection.execute(
                "INSERT INTO observability.logs (org_id, service_id, ts, message)"
                " SELECT %s, %s, %s, CASE n WHEN 1 THEN 'needle' ELSE 'hay' END FROM generate_series(1, 250) AS n",
                (self.world.a.org_id, self.service_id, NOW - timedelta(minutes=1)))
            warnings = []
            # What a notice says is gone after the handler.
            connection.add_notice_handler(lambda notice: warnings.append(
                (notice.sqlstate, notice.severity_nonlocalized, notice.message_hint)))
            before, rounds = None, 0
            while rounds < 5:
                rounds += 1
                warnings.clear()
                found = connection.execute(
                    "SELECT message FROM observability.find_logs("
                    "%s, 'needle', %s, NULL, NULL, NULL, NULL, NULL, 10, %s, 100)",
                    (self.world.a.org_id, self.service_id, before)).fetchall()
                if not warnings:
                    break
                (sqlstate, severity, hint), = warnings
                self.assertEqual((sqlstate, severity), ("VC103", "WARNING"))
                self.assertEqual(found, [])
                before = int(hint.split("before_id => ")[1].split(",")[0])
            self.assertEqual((found, rounds), ([("needle",)], 3))


if __name__ == "__main__":
    unittest.main()
