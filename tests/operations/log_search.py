#!/usr/bin/env python3
"""A session that has searched log lines with an old snapshot finds what came after it as soon as that is over."""

import unittest

import ledger_support as support

DATABASE = "cv_log_search"
PARTITION = """
    CREATE TABLE observability.logs_2024_01_01 (LIKE observability.logs INCLUDING ALL);
    ALTER TABLE observability.logs_2024_01_01 OWNER TO codeverify_owner;
    ALTER TABLE observability.logs ATTACH PARTITION observability.logs_2024_01_01
    FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-01-02 00:00:00+00');
    INSERT INTO tenancy.organizations (id, name) VALUES (md5('0')::uuid, 'organization');
    INSERT INTO observability.logs (org_id, ts, level, message)
    VALUES (md5('0')::uuid, '2024-01-01 12:00:00+00', 'info', 'a line');
"""
FOUND = """
    SELECT count(*)
    FROM observability.find_logs(md5('0')::uuid, NULL, NULL, NULL, NULL, '2024-01-01', '2024-01-02', NULL, 100, NULL, 100000)
"""


class OldSnapshots(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_database, DATABASE)

    def test_what_it_saw_is_forgotten(self):
        with support.connect(DATABASE) as reader, support.connect(DATABASE) as writer:
            reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT pg_current_snapshot()")
            writer.execute(PARTITION)
            self.assertEqual(support.value(reader, FOUND), 0, "the line is later than the snapshot")
            reader.execute("COMMIT")
            self.assertEqual(support.value(reader, FOUND), 1)


if __name__ == "__main__":
    unittest.main()
