#!/usr/bin/env python3
"""Invitations, keys and ownership under races: an exact number of users joins, nobody by the invitation of somebody who
may not invite any more, no key outlives the one that makes it, one owner hands over once; and a flood of keys that
belong to nobody takes neither memory nor much time."""

import secrets
import threading
import time
import unittest
import zlib
from pathlib import Path

import ledger_support as support
import psycopg

DATABASE = "cv_invitations"
USERS = 16
ROUNDS = support.size(5)
FLOOD = support.size(20_000)
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# What a session may be told when another was first, at an isolation level that does not wait and look again.
RETRY = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


def random_key():
    """A well-formed key that nobody has."""
    body = "cv_live_" + "".join(secrets.choice(BASE62) for _ in range(30))
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = BASE62[digit] + digits
    return body + digits


def at_once(*works):
    """Runs the works in threads that start together; what each returned or raised."""
    barrier = threading.Barrier(len(works))
    results = [None] * len(works)

    def run(place, work):
        with support.connect(DATABASE) as connection:
            barrier.wait()
            try:
                results[place] = work(connection)
            except psycopg.Error as error:
                results[place] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Races(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.admin = support.connect(DATABASE)
        cls.addClassCleanup(cls.admin.close)

    def value(self, statement, *parameters):
        return support.value(self.admin, statement, *parameters)

    def user(self):
        return self.value("INSERT INTO auth.users (username) VALUES ('someone') RETURNING id")

    def organization(self):
        """Its id and its owner's."""
        owner = self.user()
        return self.value("SELECT tenancy.create_organization('Org', owner_id => %s)", owner), owner

    def member(self, org_id, role):
        user_id = self.user()
        self.admin.execute(
            "INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (%s, %s, %s)", (org_id, user_id, role))
        return user_id

    def invite(self, org_id, inviter, max_uses):
        with self.admin.transaction():
            self.admin.execute("SELECT tenancy.assume(%s, %s)", (org_id, inviter))
            return self.value(
                "SELECT auth.create_invitation(%s, 'developer', max_uses => %s) ->> 'code'", org_id, max_uses)

    @staticmethod
    def accept(code, user_id, isolation="READ COMMITTED"):
        def work(connection):
            for _ in range(100):
                try:
                    with connection.transaction():
                        connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                        return support.value(
                            connection, "SELECT auth.accept_invitation(%s, %s) ->> 'status'", code, user_id)
                except psycopg.errors.SerializationFailure:
                    continue
            raise AssertionError("a hundred serialization failures")

        return work

    def test_as_many_join_as_are_invited(self):
        for isolation in support.ISOLATION_LEVELS:
            for _ in range(ROUNDS):
                with self.subTest(isolation):
                    org_id, owner = self.organization()
                    code = self.invite(org_id, owner, 5)
                    users = [self.user() for _ in range(USERS)]
                    statuses = at_once(*(self.accept(code, user, isolation) for user in users))
                    self.assertEqual(sorted(map(str, statuses)), ["ok"] * 5 + ["used_up"] * (USERS - 5))
                    self.assertEqual(self.value(
                        "SELECT array_agg(DISTINCT i.uses) || count(*)::int || (SELECT count(*)::int FROM auth.invitation_uses WHERE org_id = i.org_id)"
                        " FROM auth.invitations AS i JOIN tenancy.org_memberships AS m USING (org_id)"
                        " WHERE org_id = %s AND m.role = 'developer' GROUP BY i.org_id", org_id), [5, 5, 5])

    def test_one_user_counts_once(self):
        for _ in range(ROUNDS):
            org_id, owner = self.organization()
            code = self.invite(org_id, owner, 5)
            user_id = self.user()
            statuses = at_once(*(self.accept(code, user_id) for _ in range(8)))
            self.assertEqual(sorted(map(str, statuses)), ["already_member"] * 7 + ["ok"])
            self.assertEqual(self.value("SELECT uses FROM auth.invitations WHERE org_id = %s", org_id), 1)

    def test_an_inviter_who_loses_the_right_meanwhile(self):
        """Whoever joins has joined before the inviter was demoted or removed; nobody waits for ever."""
        outcomes = {"ok": 0, "revoked": 0}
        for number in range(4 * ROUNDS):
            org_id, _ = self.organization()
            inviter = self.member(org_id, "admin")
            code = self.invite(org_id, inviter, 100)
            users = [self.user() for _ in range(6)]

            def demote(connection):
                statement = (
                    "UPDATE tenancy.org_memberships SET role = 'viewer' WHERE user_id = %s" if number % 3 == 0
                    else "DELETE FROM tenancy.org_memberships WHERE user_id = %s" if number % 3 == 1
                    else "DELETE FROM auth.users WHERE id = %s")
                connection.execute(statement, (inviter,))

            *statuses, demoted = at_once(*(self.accept(code, user) for user in users), demote)
            self.assertIsNone(demoted)
            for status in statuses:
                self.assertIn(status, outcomes)
                outcomes[status] += 1
            late = at_once(self.accept(code, self.user()))
            self.assertEqual(late, ["revoked"])
        print(f"while the inviter lost the right: {outcomes}", flush=True)

    def test_no_key_outlives_the_one_that_makes_it(self):
        for isolation in support.ISOLATION_LEVELS:
            for _ in range(ROUNDS):
                org_id, owner = self.organization()
                with self.admin.transaction():
                    self.admin.execute("SELECT tenancy.assume(%s, %s)", (org_id, owner))
                    parent_id, parent = self.admin.execute(
                        "SELECT * FROM auth.create_api_key(%s, 'parent', '[\"admin\"]')", (org_id,)).fetchone()
                children = []

                def breed(connection):
                    for _ in range(10):
                        try:
                            with connection.transaction():
                                connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                                # Without an identity it would make a key of the service's.
                                if support.value(
                                        connection, "SELECT auth.authenticate_api_key(%s) ->> 'status'", parent) != "ok":
                                    return
                                made = support.value(
                                    connection, "SELECT api_key FROM auth.create_api_key(%s, 'child')", org_id)
                            children.append(made)
                        except psycopg.Error:
                            return

                def revoke(connection):
                    time.sleep(0.005)
                    for _ in range(100):
                        try:
                            with connection.transaction():
                                connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                                return support.value(connection, "SELECT auth.revoke_api_key(%s)", parent_id)
                        except RETRY:
                            continue

                _, _, _, revoked = at_once(breed, breed, breed, revoke)
                self.assertIs(revoked, True, isolation)
                for key in [parent, *children]:
                    self.assertEqual(
                        self.value("SELECT auth.authenticate_api_key(%s) ->> 'status'", key), "revoked", isolation)

    def test_who_is_deleted_while_they_make_a_key(self):
        """Neither waits for the other: the user is gone, and with them the key."""
        create = "SELECT api_key_id FROM auth.create_api_key(%(org)s, 'late')"
        works = {
            "a user": ("SELECT tenancy.assume(%(org)s, %(user)s)", create),
            "a user who rotates": ("SELECT tenancy.assume(%(org)s, %(user)s)", "SELECT auth.rotate_api_key(%(id)s) ->> 'status'"),
            "a key": ("SELECT auth.authenticate_api_key(%(key)s)", create),
            "a user who leaves": ("SELECT tenancy.assume(%(org)s, %(user)s)", "SELECT tenancy.leave_organization()")}
        for who, (identify, make) in works.items():
            with self.subTest(who):
                org_id, _ = self.organization()
                user_id = self.member(org_id, "admin")
                with self.admin.transaction():
                    self.admin.execute("SELECT tenancy.assume(%s, %s)", (org_id, user_id))
                    key_id, key = self.admin.execute(
                        "SELECT * FROM auth.create_api_key(%s, 'first', '[\"admin\"]')", (org_id,)).fetchone()
                # The first use in a minute stamps the key's row.
                self.value("SELECT auth.authenticate_api_key(%s)", key)
                names = {"org": org_id, "user": user_id, "id": key_id, "key": key}
                errors = {}

                def run(name, *statements):
                    with support.connect(DATABASE, application_name=name) as connection:
                        try:
                            with connection.transaction():
                                for statement in statements:
                                    connection.execute(statement, names)
                        except psycopg.Error as error:
                            errors[name] = error

                def start(name, *statements):
                    thread = threading.Thread(target=run, args=(name, *statements))
                    thread.start()
                    while not self.value(
                            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock')", name):
                        self.assertTrue(thread.is_alive(), errors)
                        time.sleep(0.01)
                    return thread

                deletes = lambda: start("deletes", "DELETE FROM auth.users WHERE id = %(user)s")
                makes = lambda: start("makes", identify, make)
                # The deletion has the user, and waits here for the organization; the other one waits for the user. Who
                # leaves, as the first, has the user, and waits for the organization.
                with support.connect(DATABASE) as holder, holder.transaction():
                    holder.execute("SELECT FROM tenancy.organizations WHERE id = %s FOR NO KEY UPDATE", (org_id,))
                    threads = [work() for work in ((makes, deletes) if who == "a user who leaves" else (deletes, makes))]
                for thread in threads:
                    thread.join()
                self.assertNotIn("deletes", errors)
                if who == "a user who leaves":
                    self.assertNotIn("makes", errors)
                else:
                    self.assertIn(getattr(errors.get("makes"), "sqlstate", None), ("VC012", "VC020"))
                self.assertEqual(self.value(
                    "SELECT count(*) FROM auth.api_keys WHERE org_id = %s AND revoked_at IS NULL", org_id), 0)

    def test_a_key_that_the_end_of_a_membership_did_not_see(self):
        org_id, owner = self.organization()
        user_id = self.member(org_id, "admin")

        def make():
            with self.admin.transaction():
                self.admin.execute("SELECT tenancy.assume(%s, %s)", (org_id, user_id))
                return self.value("SELECT api_key FROM auth.create_api_key(%s, 'key', '[\"read\"]')", org_id)

        def status(key):
            return self.value("SELECT auth.authenticate_api_key(%s) ->> 'status'", key)

        with support.connect(DATABASE) as manager, support.connect(DATABASE) as slow:
            # It began before all that follows.
            slow.execute("BEGIN")
            slow.execute("SELECT")
            with manager.transaction():
                manager.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                manager.execute("SELECT tenancy.assume(%s, %s)", (org_id, owner))
                manager.execute("SELECT FROM tenancy.organizations")
                key = make()
                self.assertEqual(status(key), "ok")
                self.assertIs(support.value(manager, "SELECT tenancy.remove_member(%s, %s)", org_id, user_id), True)
            self.assertEqual(status(key), "revoked")
            slow.execute(
                "INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (%s, %s, 'admin')", (org_id, user_id))
            slow.execute("COMMIT")
        self.assertEqual(status(key), "revoked", "it does not come back with the member")
        self.assertEqual(status(make()), "ok", "who makes others")

    def test_an_owner_hands_over_once(self):
        for isolation in support.ISOLATION_LEVELS:
            for _ in range(ROUNDS):
                org_id, owner = self.organization()
                heirs = [self.member(org_id, "member") for _ in range(4)]

                def transfer(heir):
                    def work(connection):
                        with connection.transaction():
                            connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                            connection.execute("SELECT tenancy.assume(%s, %s)", (org_id, owner))
                            connection.execute("SELECT tenancy.transfer_ownership(%s, %s)", (org_id, heir))

                    return work

                results = at_once(*map(transfer, heirs))
                self.assertEqual(results.count(None), 1, results)
                for result in results:
                    self.assertIn(getattr(result, "sqlstate", "00000"), ("00000", "VC014", "40001"))
                self.assertEqual(
                    self.value("SELECT array_agg(role ORDER BY role) FROM tenancy.org_memberships WHERE org_id = %s", org_id),
                    ["admin", "member", "member", "member", "owner"])

    def test_a_flood_of_keys_that_nobody_has(self):
        def resident(pid):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])

        with support.connect(DATABASE) as connection:
            pid = connection.info.backend_pid

            def flood(count):
                keys = [random_key() for _ in range(count)]
                started = time.monotonic()
                statuses = connection.execute(
                    "SELECT DISTINCT auth.authenticate_api_key(k) ->> 'status' FROM unnest(%s::text[]) AS k", (keys,)).fetchall()
                self.assertEqual(statuses, [("invalid",)])
                return (time.monotonic() - started) / count

            flood(FLOOD // 10)
            before = resident(pid)
            seconds = flood(FLOOD)
            grown = resident(pid) - before
            print(f"{FLOOD:,} unknown keys: {1e6 * seconds:.0f} us each, {grown} kB of memory", flush=True)
            self.assertLess(seconds, 0.002)
            # The list of keys itself is a part of it.
            self.assertLess(grown, 16 * 1024)


if __name__ == "__main__":
    unittest.main()
