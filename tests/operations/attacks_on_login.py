#!/usr/bin/env python3
"""Attacks on logging in that take transactions of their own (33 of docs/security.md): guesses whose trace is to be undone,
and tokens that are shown again. Once with the counters in shared memory and once with those in tables."""

import base64
import hmac
import json
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# First: it puts the drivers in reach.
from ledger_support import Cluster, check, connect, fails, value

import psycopg

DATABASE = "attacks_on_login"
LOGIN = "login_attacker"
PASSWORD = "correct horse battery"
GUESSES = 7


def attacker(**arguments):
    return connect(DATABASE, user=LOGIN, **arguments)


def status(answer):
    return answer["status"] if isinstance(answer, dict) else answer


class Victims:
    """Users with a verified address and a membership, made as they are needed."""

    def __init__(self, superuser):
        self.superuser = superuser
        self.count = 0
        owner = value(superuser, "INSERT INTO auth.users (username, email) VALUES ('owner', 'owner@example.org') RETURNING id")
        self.org = value(superuser, "SELECT tenancy.create_organization('Organization', owner_id => %s)", owner)

    def make(self):
        self.count += 1
        email = f"victim-{self.count}@example.org"
        with connect(DATABASE, user="login_service") as service:
            answer = value(service, "SELECT auth.register_user(%s, %s)", email, PASSWORD)
            assert answer["status"] == "ok", answer
            verified = value(service, "SELECT auth.verify_email(%s)", answer["verification_token"])
            assert verified["status"] == "ok", verified
        self.superuser.execute(
            "INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (%s, %s, 'member')",
            (self.org, answer["user_id"]))
        return email

    def failures(self, name, at_least):
        """What is counted of an account, or of a second factor, once the writer of shared memory has had time to show it."""
        query = """
            SELECT coalesce(sum(a.failures), 0)::int
            FROM auth.login_attempts AS a
            WHERE a.subject_hash = encode(sha256('account'::bytea || '\\x00'::bytea || %s::bytea), 'hex')
        """
        deadline = time.monotonic() + 60
        while (count := value(self.superuser, query, name)) < at_least and time.monotonic() < deadline:
            time.sleep(0.05)
        return count


LOG_IN = "SELECT auth.login(%s, %s)"


# Each guesses once, does what it can to leave no trace, and returns the answer if it has seen one.

def plainly(connection, email, guess):
    return value(connection, LOG_IN, email, guess)


def roll_back(connection, email, guess):
    connection.execute("BEGIN")
    answer = value(connection, LOG_IN, email, guess)
    connection.execute("ROLLBACK")
    return answer


def roll_back_to(connection, email, guess):
    connection.execute("BEGIN")
    connection.execute("SAVEPOINT guess")
    answer = value(connection, LOG_IN, email, guess)
    connection.execute("ROLLBACK TO SAVEPOINT guess")
    connection.execute("COMMIT")
    return answer


def cast(connection, email, guess):
    """The error of a cast carries the answer out, and rolls back."""
    try:
        connection.execute("SELECT (auth.login(%s, %s) ->> 'status')::int", (email, guess))
    except psycopg.errors.InvalidTextRepresentation as error:
        return error.diag.message_primary.split('"')[1]


def block(connection, email, guess):
    return value(connection, "SELECT attacker.guess(%s, %s)", email, guess)


def read_only(connection, email, guess):
    connection.execute("BEGIN READ ONLY")
    try:
        return value(connection, LOG_IN, email, guess)
    except psycopg.errors.ReadOnlySqlTransaction:
        return None
    finally:
        connection.execute("ROLLBACK")


def old_snapshot(level):
    """All guesses with one snapshot, in which nothing has failed yet."""
    def guess_in(connection, email, guess):
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            connection.execute(f"BEGIN ISOLATION LEVEL {level}")
            connection.execute("SELECT 1")
        try:
            return value(connection, LOG_IN, email, guess)
        except psycopg.errors.SerializationFailure:
            connection.execute("ROLLBACK")
            return None
    guess_in.__name__ = level.lower().replace(" ", "_")
    return guess_in


def spell(connection, email, guess):
    name, _, domain = email.partition("@")
    full_width = "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in email)
    # All of them are one address.
    spelt = [email.upper(), f"  {email}", f"{email}\t", f"{name.title()}@{domain}", full_width, f"{name}@{domain.upper()}", email]
    return value(connection, LOG_IN, spelt[int(guess.split()[-1]) % len(spelt)], guess)


def be_cancelled(connection, email, guess):
    """A statement that ends itself once the password is being looked at."""
    connection.execute("SET statement_timeout = '5ms'")
    try:
        return value(connection, LOG_IN, email, guess)
    except psycopg.errors.QueryCanceled:
        return None
    finally:
        connection.execute("RESET statement_timeout")


def in_one_statement(connection, email, guess):
    answers = connection.execute(
        "SELECT auth.login(%s, %s || n) ->> 'status' FROM generate_series(1, 10) AS n", (email, guess)).fetchall()
    return [answer for (answer,) in answers]


def guess_without_a_trace(victims):
    made = []
    for dodge in (
            plainly, roll_back, roll_back_to, cast, block, read_only, old_snapshot("REPEATABLE READ"),
            old_snapshot("SERIALIZABLE"), spell, be_cancelled, in_one_statement):
        email = victims.make()
        heard = 0
        locked = False
        with attacker() as connection:
            for number in range(GUESSES):
                answer = dodge(connection, email, f"guess number {number}")
                for one in answer if isinstance(answer, list) else [answer]:
                    heard += status(one) == "invalid_credentials"
                    locked = locked or status(one) == "locked"
        made.append((dodge, email, heard, locked))
    for dodge, email, heard, locked in made:
        # However slow the machine is: what was answered is counted, and what is counted delays.
        failures = victims.failures(email, heard)
        if failures < heard:
            sys.exit(f"FAILED: {heard} guesses by {dodge.__name__} were answered and {failures} are counted")
        print(f"- {dodge.__name__}: {heard} answers, {failures} counted{', locked' if locked else ''}")


def guess_at_once(victims):
    """64 guesses at once, the right password among them: five are heard."""
    email = victims.make()

    def guess(number):
        with attacker() as connection:
            barrier.wait()
            return status(value(connection, LOG_IN, email, PASSWORD if number == 40 else f"guess number {number}"))

    parties = 32
    barrier = threading.Barrier(parties)
    with ThreadPoolExecutor(parties) as pool:
        answers = list(pool.map(guess, range(parties)))
        barrier.reset()
        answers += list(pool.map(guess, range(parties, 2 * parties)))
    heard = sum(answer != "locked" for answer in answers)
    check(heard <= 12, f"of 64 guesses at once {heard} are heard")


def log_in(email):
    with attacker() as connection:
        answer = value(connection, LOG_IN, email, PASSWORD)
        assert answer["status"] == "ok", answer
        return answer


def refresh(connection, token):
    return value(connection, "SELECT auth.refresh_session(%s)", token)


def show_old_tokens(victims):
    """An old refresh token ends its session, whatever the thief does to have not shown it."""
    def in_a_transaction(*ending):
        def show(connection, token):
            connection.execute("BEGIN")
            answer = refresh(connection, token)
            for statement in ending:
                connection.execute(statement)
            return answer["status"]
        return show

    def by_a_cast(connection, token):
        try:
            connection.execute("SELECT (auth.refresh_session(%s) ->> 'status')::int", (token,))
        except psycopg.errors.InvalidTextRepresentation as error:
            return error.diag.message_primary.split('"')[1]

    def read_only_transaction(connection, token):
        connection.execute("BEGIN READ ONLY")
        try:
            return refresh(connection, token)["status"]
        except psycopg.errors.ReadOnlySqlTransaction:
            return "reused"
        finally:
            connection.execute("ROLLBACK")

    email = victims.make()
    for name, show in (
            ("plainly", lambda connection, token: refresh(connection, token)["status"]),
            ("ROLLBACK", in_a_transaction("ROLLBACK")),
            ("a cast", by_a_cast),
            ("BEGIN READ ONLY", read_only_transaction)):
        first = log_in(email)
        with attacker() as connection:
            second = refresh(connection, first["refresh_token"])
            third = refresh(connection, second["refresh_token"])
            assert third["status"] == "ok", third
            said = show(connection, first["refresh_token"])
            if said != "reused":
                sys.exit(f"FAILED: an old refresh token by {name}: {said}")
        with attacker() as connection:
            after = {
                "refresh": refresh(connection, third["refresh_token"])["status"],
                "session": value(connection, "SELECT auth.authenticate_session(%s)", third["session_token"])["status"]}
        check(after == {"refresh": "revoked", "session": "revoked"}, f"an old refresh token, shown by {name}, ends the session: {after}")


def confuse_tokens(victims):
    """A token of one kind opens no door of another."""
    answer = log_in(victims.make())
    tokens = {"session": answer["session_token"], "refresh": answer["refresh_token"]}
    doors = {
        "session": "SELECT auth.authenticate_session(%s) ->> 'status'",
        "refresh": "SELECT auth.refresh_session(%s) ->> 'status'",
        "key": "SELECT auth.authenticate_api_key(%s) ->> 'status'",
        "mail": "SELECT auth.verify_email(%s) ->> 'status'",
    }
    with attacker() as connection:
        for kind, token in tokens.items():
            for door, statement in doors.items():
                if door != kind and value(connection, statement, token) != "invalid":
                    sys.exit(f"FAILED: a {kind} token opens {door}")
                for changed in (token.swapcase(), token + " ", token[:-1], token.replace("cv_", "CV_")):
                    if value(connection, statement, changed) != "invalid":
                        sys.exit(f"FAILED: a {kind} token that was changed opens {door}")
    print("- tokens of one kind open no door of another, and none that was changed opens any")


def one_time_password(secret):
    """What an authenticator app shows now (RFC 6238)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1")
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place:place + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def launder_guesses(victims):
    """Who has a session and the password, and not the second factor, guesses at that and makes up for it with what only
    takes the password."""
    email = victims.make()
    user_id = value(victims.superuser, "SELECT id FROM auth.users WHERE email = %s", email)
    session = log_in(email)["session_token"]
    secret = value(victims.superuser, "SELECT auth.enroll_totp(%s)", user_id)["secret"]
    confirmed = value(victims.superuser, "SELECT auth.confirm_totp(%s, %s)", user_id, one_time_password(secret))
    assert confirmed["status"] == "ok", confirmed

    heard = 0
    passwords = [PASSWORD, f"{PASSWORD} again"]
    with attacker() as connection:
        for turn in range(4):
            connection.execute("BEGIN")
            assert value(connection, "SELECT auth.authenticate_session(%s, %s)", session, victims.org)["status"] == "ok"
            for guess in range(3):
                answer = value(connection, "SELECT auth.disable_totp(%s, %s)", user_id, f"{turn}0000{guess}")
                heard += answer["status"] == "invalid"
            changed = value(
                connection, "SELECT auth.change_password(%s, %s, %s)", user_id, passwords[turn % 2], passwords[1 - turn % 2])
            connection.execute("COMMIT")
            if changed["status"] == "locked":
                break
            value(connection, LOG_IN, email, passwords[1 - turn % 2])
    check(
        victims.failures(f"second factor of {user_id}", heard) >= heard > 0,
        f"guesses at the second factor are not made up for by what takes the password alone: {heard} are heard, and counted")


def undo_resets(victims):
    """Who reads the user's mail has a reset token, which is not used up by a transaction that is rolled back."""
    email = victims.make()
    user_id = value(victims.superuser, "SELECT id FROM auth.users WHERE email = %s", email)
    secret = value(victims.superuser, "SELECT auth.enroll_totp(%s)", user_id)["secret"]
    confirmed = value(victims.superuser, "SELECT auth.confirm_totp(%s, %s)", user_id, one_time_password(secret))
    assert confirmed["status"] == "ok", confirmed
    with connect(DATABASE, user="login_service") as service:
        token = value(service, "SELECT auth.request_password_reset(%s)", email)["token"]

    heard = 0
    with attacker() as connection:
        for turn in range(4):
            connection.execute("BEGIN")
            done = value(connection, "SELECT auth.reset_password(%s, %s)", token, PASSWORD)
            assert done["status"] == "ok", done
            for guess in range(3):
                answer = value(connection, "SELECT auth.login(%s, %s, %s)", email, PASSWORD, f"{turn}1111{guess}")
                heard += answer["status"] == "totp_invalid"
            connection.execute("ROLLBACK")
    check(
        victims.failures(f"second factor of {user_id}", heard) >= heard > 0,
        f"nor by resetting the password again and again: {heard} are heard, and counted")


def web_token(user_id, org_id, secret):
    """A token of an issuer that shares its secret (RFC 7515, HS256)."""
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"iss": "https://login.test", "sub": str(user_id), "org_id": str(org_id), "exp": int(time.time()) + 600}
    body = b".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return b".".join((body, encode(hmac.digest(secret.encode(), body, "sha256")))).decode()


def come_back(victims):
    """35: a member who was removed has a transaction open that began before, and so has the service that acts for them."""
    email = victims.make()
    user_id = value(victims.superuser, "SELECT id FROM auth.users WHERE email = %s", email)
    secret = "a secret that is shared with an issuer"
    value(victims.superuser, "SELECT auth.add_jwt_key('https://login.test', 'HS256', %s)", secret)
    session = log_in(email)
    victims.superuser.execute("UPDATE tenancy.org_memberships SET role = 'admin' WHERE user_id = %s", (user_id,))
    with attacker() as connection:
        connection.execute("BEGIN")
        value(connection, "SELECT auth.authenticate_session(%s, %s)", session["session_token"], victims.org)
        key = value(connection, "SELECT api_key FROM auth.create_api_key(%s, 'mine', '[\"admin\"]')", victims.org)
        connection.execute("COMMIT")
    doors = {
        "a session": ("SELECT auth.authenticate_session(%s, %s)", (session["session_token"], victims.org)),
        "an API key": ("SELECT auth.authenticate_api_key(%s)", (key,)),
        "a web token": ("SELECT tenancy.authenticate_web_token(%s)", (web_token(user_id, victims.org, secret),)),
    }
    with attacker() as connection:
        for name, (statement, parameters) in doors.items():
            answer = value(connection, statement, *parameters)
            if answer["status"] != "ok":
                sys.exit(f"FAILED: {name} is not good while the user is a member: {answer}")
    for level in "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE":
        connections = {name: attacker() for name in doors}
        connections["the service"] = connect(DATABASE, user="login_service")
        for connection in connections.values():
            connection.execute(f"BEGIN ISOLATION LEVEL {level}")
            connection.execute("SELECT count(*) FROM tenancy.org_memberships")
        victims.superuser.execute("DELETE FROM tenancy.org_memberships WHERE user_id = %s", (user_id,))
        for name, (statement, parameters) in doors.items():
            answer = value(connections[name], statement, *parameters)
            if answer["status"] == "ok":
                sys.exit(f"FAILED: {name} of a member who was removed opens an old transaction, {level}")
        if fails(connections["the service"], "SELECT tenancy.assume(%s, %s)", victims.org, user_id) != "VC012":
            sys.exit(f"FAILED: the service acts for a member who was removed, {level}")
        for connection in connections.values():
            connection.close()
        victims.superuser.execute(
            "INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES (%s, %s, 'admin')", (victims.org, user_id))
    print("- a member who was removed comes back by no session, key, web token or service, in no transaction that was open")


def attack(kind):
    print(f"-- {kind}")
    with connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    with connect(DATABASE) as superuser:
        superuser.execute("CREATE EXTENSION codeverify")
        superuser.execute(f"CREATE ROLE {LOGIN} LOGIN IN ROLE codeverify_tenant")
        superuser.execute("CREATE ROLE login_service LOGIN IN ROLE codeverify_service")
        superuser.execute(f"CREATE SCHEMA attacker AUTHORIZATION {LOGIN}")
        with attacker() as connection:
            connection.execute("""
                CREATE FUNCTION attacker.guess(email text, guess text) RETURNS text LANGUAGE plpgsql AS $function$
                DECLARE
                    answer text;
                BEGIN
                    BEGIN
                        answer := auth.login(email, guess) ->> 'status';
                        RAISE EXCEPTION 'undo';
                    EXCEPTION
                        WHEN raise_exception THEN
                            RETURN answer;
                    END;
                END
                $function$
            """)
        key_file = f"{value(superuser, 'SHOW data_directory')}/encryption.key"
        superuser.execute(
            f"COPY (SELECT codeverify.create_encryption_key()) TO PROGRAM 'umask 077; cat > {key_file}'")
        superuser.execute(f"ALTER DATABASE {DATABASE} SET codeverify.encryption_key_file = '{key_file}'")
    with connect(DATABASE) as superuser:
        victims = Victims(superuser)
        launder_guesses(victims)
        undo_resets(victims)
        come_back(victims)
        guess_without_a_trace(victims)
        guess_at_once(victims)
        show_old_tokens(victims)
        confuse_tokens(victims)


def main():
    cluster = Cluster()
    try:
        cluster.create("max_worker_processes=16")
        attack("the counters are in tables")
        cluster.create("max_worker_processes=16", "shared_preload_libraries=codeverify", "codeverify.flush_interval=200ms")
        attack("the counters are in shared memory")
    finally:
        cluster.destroy()


main()
