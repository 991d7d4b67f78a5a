"""How much room packed log lines take against heap and indexes, and how fast they are searched.

The lines are those of a service that verifies code, of three organizations, one of which has most of them: requests with
their status and time, queries, analyses, deliveries that are tried again, caches, exceptions with a stack. What does not
compress is in them as it is in real ones: each line has a span id of 16 hexadecimal digits and the trace id of 32 that about
five lines share, most messages a UUID or a commit hash, all of them random, and numbers that are spread as response times
are. meta_json has six to nine keys. BENCH_PACKED_LINES sets how many lines there are.
"""

import json
import os
import random
import time
import uuid

from lib import Comparison, deployed_database, psql, timed_statement

LINES = int(os.environ.get("BENCH_PACKED_LINES", "1000000"))

# Heap and the indexes that a closed partition has, against what is packed.
LEAST_RATIO = 8

DAY = 86_400_000_000
WORDS = "payment timeout upstream refused connection pool cache eviction token expired signature invalid branch merged".split()

ORGANIZATIONS = [str(uuid.UUID(int=number)) for number in (1, 2, 3)]
TENANTS = f"""
    INSERT INTO tenancy.organizations (id, name, login, github_id)
    SELECT o.id::uuid, 'bench ' || o.id, 'bench-' || o.number, 9000000000 + o.number
    FROM unnest(ARRAY{ORGANIZATIONS}) WITH ORDINALITY AS o (id, number);
    INSERT INTO tenancy.services (org_id, name)
    SELECT o.id, 'service ' || n FROM tenancy.organizations AS o, generate_series(1, 12) AS n;
    INSERT INTO tenancy.environments (org_id, name)
    SELECT o.id, n FROM tenancy.organizations AS o, unnest(ARRAY['production', 'staging', 'test']) AS n;
    CREATE TABLE observability.logs_2024_01_01 PARTITION OF observability.logs
    FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-01-02 00:00:00+00');
    ALTER TABLE observability.logs_2024_01_01 OWNER TO codeverify_owner;
"""
SIZES = """
    SELECT pg_total_relation_size('observability.logs_2024_01_01'),
           pg_total_relation_size('observability.logs_2024_01_01') - coalesce((
               SELECT sum(pg_relation_size(i.indexrelid))
               FROM pg_index AS i
               JOIN pg_class AS c ON c.oid = i.indexrelid
               JOIN pg_am AS m ON m.oid = c.relam
               WHERE i.indrelid = 'observability.logs_2024_01_01'::regclass AND m.amname = 'gin'), 0),
           pg_total_relation_size('codeverify.packed_segments');
"""


class Lines:
    """Makes log lines, the same ones each time."""

    def __init__(self):
        self.random = random.Random(5)
        self.hosts = [f"api-{self.random.getrandbits(36):09x}-{number:02d}" for number in range(12)]
        self.users = [self.uuid() for _ in range(400)]
        self.repositories = [
            f"{owner}/{name}" for owner in ("acme", "globex", "initech")
            for name in ("api", "web", "worker", "infra", "mobile", "billing")]
        self.traces = []

    def uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128)))

    def digits(self, count):
        return f"{self.random.getrandbits(4 * count):0{count}x}"

    def words(self, count):
        return " ".join(self.random.choice(WORDS) for _ in range(count))

    def trace(self):
        if len(self.traces) < 8 or self.random.random() < 0.2:
            self.traces.append((self.digits(32), self.random.choice(self.users), self.random.choice(self.hosts)))
            del self.traces[:-20]
        return self.random.choice(self.traces)

    def message(self):
        """Level, message, and what is particular in meta_json."""
        pick = self.random
        kind = pick.random()
        if kind < 0.45:
            took = round(pick.lognormvariate(3, 1), 2)
            status = pick.choices((200, 201, 204, 304, 400, 401, 404, 500), (60, 8, 5, 10, 4, 3, 8, 2))[0]
            level = "error" if status >= 500 else "warn" if status >= 400 else "info"
            path = pick.choice(("repositories", "analyses", "findings", "users"))
            return level, f"{pick.choice(('GET', 'GET', 'GET', 'POST', 'PATCH'))} /api/v1/{path}/{self.uuid()} {status} in {took}ms", {
                "status": status, "duration_ms": took, "bytes": pick.randrange(200, 90000)}
        if kind < 0.60:
            return "info", (
                f"analysis {self.uuid()} of {pick.choice(self.repositories)}@{self.digits(40)} started with "
                f"{pick.randrange(1, 40)} rules"), {}
        if kind < 0.75:
            took = round(pick.lognormvariate(2, 1), 3)
            return "debug", (
                f"query took {took} ms: SELECT * FROM findings WHERE org_id = $1 AND status = $2 ORDER BY created_at DESC "
                f"LIMIT {pick.choice((20, 50, 100))}"), {"rows": pick.randrange(0, 100)}
        if kind < 0.85:
            return "warn", (
                f"retrying delivery {self.uuid()} to hook {pick.randrange(1, 500)} in {2 ** pick.randrange(1, 8)}s "
                f"(attempt {pick.randrange(1, 6)} of 5): {self.words(2)}"), {}
        if kind < 0.97:
            return "debug", (
                f"cache {pick.choice(('hit', 'hit', 'miss'))} for key trust:{self.digits(16)} on shard {pick.randrange(16)}"), {}
        frames = "".join(
            f"\n    at app.{pick.choice(WORDS)}.{pick.choice(WORDS)}({pick.choice(WORDS)}.py:{pick.randrange(10, 900)})"
            for _ in range(pick.randrange(4, 12)))
        return "error", f"unhandled exception in {pick.choice(('AnalysisWorker', 'WebhookSender'))}: {self.words(2)}{frames}", {}

    def make(self, count, services, environments):
        """Rows in the order of time, as text of COPY."""
        at = 0
        for number in range(count):
            at += self.random.expovariate(1) * DAY / count * 0.95
            organization = self.random.choices(ORGANIZATIONS, (80, 15, 5))[0]
            trace, user, host = self.trace()
            level, message, particular = self.message()
            meta = {"trace_id": trace, "span_id": self.digits(16), "host": host, "user_id": user, "thread": number % 64, **particular}
            seconds, microseconds = divmod(min(int(at), DAY - 1), 1_000_000)
            moment = f"2024-01-01 {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{microseconds:06d}+00"
            values = (
                organization, self.random.choice(services[organization]), self.random.choice(environments[organization]), moment,
                level, message, json.dumps(meta))
            yield "\t".join(value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n") for value in values)


def ids_of(database, table):
    """Ids of a table by organization."""
    ids = {organization: [] for organization in ORGANIZATIONS}
    for line in psql(database, "-c", f"SELECT org_id, id FROM {table} ORDER BY org_id, name").splitlines():
        organization, value = line.split("|")
        ids[organization].append(value)
    return ids


def fill(database):
    """Seconds that COPY takes."""
    psql(database, script=TENANTS)
    services, environments = ids_of(database, "tenancy.services"), ids_of(database, "tenancy.environments")
    rows = "\n".join(Lines().make(LINES, services, environments))
    started = time.monotonic()
    psql(database, script=(
        "COPY observability.logs (org_id, service_id, environment_id, ts, level, message, meta_json) FROM STDIN;\n" + rows + "\n\\.\n"))
    copied = time.monotonic() - started
    while psql(database, "-c", "SELECT more FROM codeverify.close_partitions('observability.logs')") == "t":
        pass
    psql(database, "-c", "VACUUM ANALYZE observability.logs_2024_01_01")
    return copied


def seconds_of(database, statement):
    return timed_statement(database, statement)[0]


def compare_all(rounds):
    database = deployed_database("bench_packing")
    copied = fill(database)
    whole, without_search, before = map(int, psql(database, script=SIZES).split("|"))
    # A word that one line has, and one that many have.
    rare = psql(database, "-c", f"""
        SELECT substring(message FROM 'hook (\\d+) in') || ' ' || substring(message FROM '[0-9a-f]{{8}}-[0-9a-f]{{4}}')
        FROM observability.logs_2024_01_01
        WHERE org_id = '{ORGANIZATIONS[0]}' AND message LIKE 'retrying%'
        ORDER BY ts LIMIT 1""")
    live = """
        SELECT id FROM observability.logs
        WHERE org_id = '{organization}' AND ts >= '2024-01-01' AND ts < '2024-01-02'
          AND to_tsvector('simple', message) @@ websearch_to_tsquery('simple', '{words}')
        ORDER BY ts DESC, id DESC LIMIT 100"""
    packed = """
        SELECT id FROM codeverify.scan_packed_logs(
            '{organization}', '2024-01-01', '2024-01-02', websearch_to_tsquery('simple', '{words}'),
            NULL, NULL, NULL, NULL, 100, NULL, NULL)"""
    searches = {"one line": rare, "a common word": "expired"}
    live_seconds = {}
    found = {}
    for name, words in searches.items():
        statement = live.format(organization=ORGANIZATIONS[0], words=words) + ";"
        found[name] = psql(database, script=statement)
        live_seconds[name] = [seconds_of(database, statement) for _ in range(rounds)]

    seconds = seconds_of(
        database, "SELECT codeverify.pack_partition('observability.logs', 'observability.logs_2024_01_01');")
    after = int(psql(database, script=SIZES).split("|")[2])
    size = max(1, after - before)
    yield Comparison(
        f"heap and indexes of {LINES:,} log lines against packed", "bytes a line", [whole / LINES], [size / LINES],
        at_least=LEAST_RATIO)
    yield Comparison(
        "the same without full-text and jsonb indexes", "bytes a line", [without_search / LINES], [size / LINES],
        at_least=LEAST_RATIO)
    yield Comparison("packing, verification included, against COPY", "lines/s", [LINES / seconds], [LINES / copied])
    for name, words in searches.items():
        statement = packed.format(organization=ORGANIZATIONS[0], words=words) + ";"
        if psql(database, script=statement) != found[name]:
            raise RuntimeError(f"searching {words} in packed lines finds others")
        packed_seconds = [seconds_of(database, statement) for _ in range(rounds)]
        yield Comparison(f"newest 100 with {name}, packed against live", "s", packed_seconds, live_seconds[name])
