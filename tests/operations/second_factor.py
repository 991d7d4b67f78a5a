#!/usr/bin/env python3
"""Many sessions at once with one code, one recovery code, one reset token, or with two tokens of one user: one of them
gets through. What was rolled back counts for nothing. And keys are changed while people log in."""

import base64
import hashlib
import hmac
import os
import struct
import threading
import time
import unittest

import ledger_support as support

DATABASE = "cv_second_factor"
SESSIONS = 8
PASSWORD = "correct horse battery"
STEP = 30


def code(secret):
    """The code of a seed in Base32, as an authenticator app shows it now (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // STEP)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    place = digest[-1] & 15
    number = int.from_bytes(digest[place:place + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def at_once(statements):
    """Runs each statement, with its parameters, in a session of its own, all at the same moment. Returns the answers."""
    barrier = threading.Barrier(len(statements))
    answers = [None] * len(statements)

    def run(number, statement, parameters):
        try:
            with support.connect(DATABASE) as connection:
                connection.execute("SET ROLE codeverify_tenant")
                connection.execute("SELECT codeverify.version()")
                barrier.wait()
                answers[number] = support.value(connection, statement, *parameters)
        except Exception as failure:
            answers[number] = failure
            barrier.abort()

    threads = [
        threading.Thread(target=run, args=(number, statement, parameters))
        for number, (statement, parameters) in enumerate(statements)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def statuses(answers):
    return sorted(answer["status"] for answer in answers)


class SecondFactor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.create_database(DATABASE)
        cls.addClassCleanup(support.drop_database, DATABASE)
        cls.key_file = f"/tmp/codeverify_second_factor_{os.getpid()}"
        cls.lines = [cls.superuser("SELECT codeverify.create_encryption_key()") for _ in range(2)]
        cls.write_keys(cls.lines[:1])
        cls.addClassCleanup(cls.run_on_server, f"cat > /dev/null; rm -f {cls.key_file}")
        with support.connect(DATABASE) as connection:
            connection.execute(f"ALTER DATABASE {DATABASE} SET codeverify.encryption_key_file = '{cls.key_file}'")
        cls.number = 0

    @classmethod
    def superuser(cls, statement, *parameters):
        """Also in the place of the back end: outside of a context, a superuser is all that it is."""
        with support.connect(DATABASE) as connection:
            return support.value(connection, statement, *parameters)

    @classmethod
    def run_on_server(cls, program, lines=()):
        """As the server's own user, whom key files must belong to."""
        with support.connect("postgres") as connection:
            connection.execute(
                support.sql.SQL("COPY (SELECT unnest({}::text[])) TO PROGRAM {}").format(list(lines), program))

    @classmethod
    def write_keys(cls, lines):
        cls.run_on_server(f"umask 077; cat > {cls.key_file}.new && mv {cls.key_file}.new {cls.key_file}", lines)

    def user(self):
        """A user with a password and a second factor: address, id, seed, recovery codes."""
        type(self).number += 1
        address = f"user{self.number}@example.test"
        user_id = self.superuser("SELECT auth.register_user(%s, %s)", address, PASSWORD)["user_id"]
        self.superuser("UPDATE auth.users SET verified = true WHERE id = %s RETURNING true", user_id)
        secret = self.superuser("SELECT auth.enroll_totp(%s)", user_id)["secret"]
        # A code is accepted in its own step and the next, so that no test needs to know how much of the step is left.
        confirmed = self.superuser("SELECT auth.confirm_totp(%s, %s)", user_id, code(secret))
        self.assertEqual(confirmed["status"], "ok")
        self.superuser("UPDATE auth.users SET second_factor_step = NULL WHERE id = %s RETURNING true", user_id)
        return address, user_id, secret, confirmed["recovery_codes"]

    def login(self, address, text, password=PASSWORD):
        return ("SELECT auth.login(%s, %s, %s)", (address, password, text))

    def assert_one_got_in(self, answers):
        """Attempts at once count as guesses, so that the last ones may find the account locked."""
        self.assertEqual([status for status in statuses(answers) if status not in ("totp_invalid", "locked")], ["ok"])

    def test_a_wrong_code_locks_nobody_out(self):
        """Whoever has the password and guesses keeps a transaction open, and the user comes."""
        address, _, secret, _ = self.user()
        with support.connect(DATABASE) as guesser, support.connect(DATABASE) as user:
            for connection in guesser, user:
                connection.execute("SET ROLE codeverify_tenant")
            guesser.execute("BEGIN")
            statement, parameters = self.login(address, "000000")
            self.assertEqual(support.value(guesser, statement, *parameters)["status"], "totp_invalid")
            user.execute("SET lock_timeout = '15s'")
            statement, parameters = self.login(address, code(secret))
            self.assertEqual(support.value(user, statement, *parameters)["status"], "ok")

    def test_one_code_by_all_at_once(self):
        address, _, secret, _ = self.user()
        answers = at_once([self.login(address, code(secret))] * SESSIONS)
        self.assert_one_got_in(answers)

    def test_one_recovery_code_by_all_at_once(self):
        address, user_id, _, codes = self.user()
        answers = at_once([self.login(address, codes[0])] * SESSIONS)
        self.assert_one_got_in(answers)
        left = self.superuser("SELECT count(*) FROM auth.recovery_codes WHERE user_id = %s AND used_at IS NULL", user_id)
        self.assertEqual(left, len(codes) - 1, "others are good still")

    def test_one_confirmation_by_all_at_once(self):
        """Ten recovery codes are shown to one, and are those that are stored."""
        type(self).number += 1
        address = f"user{self.number}@example.test"
        user_id = self.superuser("SELECT auth.register_user(%s, %s)", address, PASSWORD)["user_id"]
        secret = self.superuser("SELECT auth.enroll_totp(%s)", user_id)["secret"]
        text = code(secret)
        barrier = threading.Barrier(SESSIONS)
        answers = []

        def confirm():
            with support.connect(DATABASE) as connection:
                connection.execute("SELECT codeverify.version()")
                barrier.wait()
                answers.append(support.value(connection, "SELECT auth.confirm_totp(%s, %s)", user_id, text))

        threads = [threading.Thread(target=confirm) for _ in range(SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [answer for answer in answers if answer["status"] == "ok"]
        self.assertEqual((len(answers), len(winners)), (SESSIONS, 1))
        stored = self.superuser("SELECT array_agg(r.code_hash ORDER BY r.code_hash) FROM auth.recovery_codes AS r WHERE r.user_id = %s", user_id)
        shown = sorted(hashlib.sha256(text.replace("-", "").encode()).hexdigest() for text in winners[0]["recovery_codes"])
        self.assertEqual(stored, shown)

    def test_a_code_that_was_rolled_back_was_not_used(self):
        address, _, secret, _ = self.user()
        statement, parameters = self.login(address, code(secret))
        with support.connect(DATABASE) as connection:
            connection.execute("SET ROLE codeverify_tenant")
            connection.execute("BEGIN")
            self.assertEqual(support.value(connection, statement, *parameters)["status"], "ok")
            connection.execute("ROLLBACK")
            self.assertEqual(support.value(connection, statement, *parameters)["status"], "ok")
            self.assertEqual(support.value(connection, statement, *parameters)["status"], "totp_invalid")

    def test_one_reset_token_by_all_at_once(self):
        address, user_id, secret, _ = self.user()
        token = self.superuser("SELECT auth.request_password_reset(%s)", address)["token"]
        answers = at_once([
            ("SELECT auth.reset_password(%s, %s)", (token, f"a password of session {number}")) for number in range(SESSIONS)])
        self.assertEqual(statuses(answers), ["ok"] + ["used"] * (SESSIONS - 1))
        winner = next(number for number, answer in enumerate(answers) if answer["status"] == "ok")
        for number in range(SESSIONS):
            statement, parameters = self.login(address, None, f"a password of session {number}")
            status = self.superuser(statement, *parameters)["status"]
            if status != "locked":
                self.assertEqual(status, "totp_required" if number == winner else "invalid_credentials", number)
        self.assertEqual(
            self.superuser("SELECT count(*) FROM audits.audit_log WHERE action = 'password.reset' AND actor_id = %s", user_id), 1)

    def test_several_tokens_of_one_user_at_once(self):
        address, _, _, _ = self.user()
        tokens = [self.superuser("SELECT auth.request_password_reset(%s)", address)["token"] for _ in range(3)]
        answers = at_once([("SELECT auth.reset_password(%s, %s)", (token, PASSWORD)) for token in tokens])
        self.assertEqual(statuses(answers), ["ok", "used", "used"], "without a deadlock")

    def test_keys_are_changed_in_parts(self):
        """Each part is committed; of one that is interrupted nothing is, and another call goes on."""
        people = [self.user() for _ in range(3)]
        self.write_keys(self.lines[::-1])
        self.addCleanup(self.write_keys, self.lines[:1])
        self.addCleanup(self.superuser, "SELECT codeverify.reencrypt()")
        self.addCleanup(self.write_keys, self.lines)
        newest = self.lines[1].partition(":")[0]
        left = f"SELECT count(*) FROM auth.users WHERE totp_secret NOT LIKE 'cv1:{newest}:%'"
        before = self.superuser(left)
        self.assertGreaterEqual(before, len(people))
        part = "SELECT reached FROM codeverify.reencrypt_some(1, %s)"
        with support.connect(DATABASE) as connection:
            reached = support.value(connection, part, None)
            self.assertEqual(support.value(connection, left), before - 1)
        killed = support.connect(DATABASE)
        self.addCleanup(killed.close)
        killed.execute("BEGIN")
        lost = support.value(killed, part, reached)
        # It is gone when this returns.
        self.superuser("SELECT pg_terminate_backend(%s, 20000)", killed.info.backend_pid)
        self.assertNotIn(lost, (None, reached))
        self.assertEqual(self.superuser(left), before - 1)
        with support.connect(DATABASE) as connection:
            self.assertEqual(support.fails(connection, part, "auth.users.email"), "VC150")
            connection.execute("""
                DO $$
                DECLARE
                    reached text;
                BEGIN
                    LOOP
                        SELECT r.reached INTO reached FROM codeverify.reencrypt_some(1, reached) AS r;
                        COMMIT;
                        EXIT WHEN reached IS NULL;
                    END LOOP;
                END
                $$
            """)
            self.assertEqual(support.value(connection, left), 0)
        self.write_keys(self.lines[1:])
        for address, _, secret, _ in people:
            self.assertEqual(statuses(at_once([self.login(address, code(secret))])), ["ok"])

    def test_keys_are_changed_while_people_log_in(self):
        people = [self.user() for _ in range(3)]
        failures = []
        over = threading.Event()

        def keep_changing():
            order = list(self.lines)
            try:
                while not over.is_set():
                    order.reverse()
                    self.write_keys(order)
                    self.superuser("SELECT codeverify.reencrypt()")
            except Exception as failure:
                failures.append(failure)

        changer = threading.Thread(target=keep_changing)
        changer.start()
        try:
            for _ in range(2):
                for address, user_id, secret, _ in people:
                    self.superuser("UPDATE auth.users SET second_factor_step = NULL WHERE id = %s RETURNING true", user_id)
                    answers = at_once([self.login(address, code(secret))] * 2)
                    self.assertEqual(statuses(answers), ["ok", "totp_invalid"])
        finally:
            over.set()
            changer.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
