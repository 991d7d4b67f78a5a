"""How long auth.login takes for a wrong password of a known user against an unknown address: the two should look alike.

It prints both distributions and how far they overlap: the chance that a log-in of a known user takes longer than one of an
unknown address. 0.5 is what a guess would do; what an attacker needs is a value near 0 or 1. There is no bound, since the
figure is one of the machine too.
"""

import random
import statistics

from lib import Comparison, deployed_database, psql

DATABASE = "bench_login_timing"
SERVICE = "bench_service"
USERS = 400
# Fewer than what makes an account wait.
TRIES = 3

KINDS = {
    "known user": "user{number}@example.org",
    "unknown address": "nobody{number}@example.org",
    "user without a password": "github{number}@example.org",
}


def prepare():
    deployed_database(DATABASE)
    psql(DATABASE, script=f"""
        DROP ROLE IF EXISTS {SERVICE};
        CREATE ROLE {SERVICE} LOGIN IN ROLE codeverify_service;
        ALTER DATABASE {DATABASE} SET codeverify.login_failures_per_ip_address = 1000000;
        SET ROLE codeverify_service;
        SELECT auth.register_user('first@example.org', 'correct horse') ->> 'status';
        RESET ROLE;
        INSERT INTO auth.users (email, password_hash, verified)
        SELECT format('user%s@example.org', n), u.password_hash, true
        FROM auth.users AS u, generate_series(1, {USERS}) AS n;
        INSERT INTO auth.users (email, verified)
        SELECT format('github%s@example.org', n), true FROM generate_series(1, {USERS}) AS n;
        VACUUM ANALYZE auth.users;
    """)


def measure(addresses):
    """Milliseconds of each log-in, one after the other in a session that has logged in before."""
    script = "SELECT auth.login('warm-up@example.org', 'wrong horse') \\g /dev/null\n\\timing on\n"
    script += "".join(f"SELECT auth.login('{address}', 'wrong horse') ->> 'status';\n" for address in addresses)
    answers, times = [], []
    for line in psql(DATABASE, user=SERVICE, script=script).splitlines():
        if line.startswith("Time: "):
            times.append(float(line.split()[1]))
        else:
            answers.append(line)
    if set(answers) != {"invalid_credentials"} or len(times) != len(addresses):
        raise RuntimeError(f"log-ins were answered {set(answers)}")
    return times


def distribution(times):
    tenths = statistics.quantiles(times, n=10)
    return f"p10 {tenths[0]:7.2f}  median {statistics.median(times):7.2f}  p90 {tenths[8]:7.2f} ms"


def chance_of_longer(ours, theirs):
    pairs = [(a > b) + (a == b) / 2 for a in ours for b in theirs]
    return sum(pairs) / len(pairs)


def compare_all(rounds):
    prepare()
    taken = {kind: [] for kind in KINDS}
    medians = {kind: [] for kind in KINDS}
    numbers = [number for number in range(1, USERS + 1) for _ in range(TRIES)]
    random.shuffle(numbers)
    share = max(10, min(60, len(numbers) // rounds))
    for turn in range(min(rounds, len(numbers) // share)):
        sample = [
            (kind, form.format(number=number))
            for kind, form in KINDS.items()
            for number in numbers[turn * share:(turn + 1) * share]]
        random.shuffle(sample)
        times = measure([address for _, address in sample])
        for kind in KINDS:
            of_kind = [time for (known, _), time in zip(sample, times) if known == kind]
            taken[kind] += of_kind
            medians[kind].append(statistics.median(of_kind))

    for kind, times in taken.items():
        print(f"    {kind:24}{distribution(times)}  ({len(times)} log-ins)")
    baseline = "unknown address"
    for kind in KINDS:
        if kind != baseline:
            chance = chance_of_longer(taken[kind], taken[baseline])
            print(f"    {kind} takes longer than {baseline}: {chance:.2f} of pairs")
            yield Comparison(f"log-in: {kind} against {baseline}", "ms", medians[kind], medians[baseline])
