"""How many pages audits.inclusion_proof() reads in a tree of a million leaves.

The tree is stored as checkpoints store it; the hashes in it are made up. What a session reads once, of the catalogs, is not
counted: each proof is asked for twice, and the second time counts.
"""

import re

from lib import Comparison, deployed_database, psql

LEAVES = 1_000_000

# Pages that a proof may read.
LIMIT = 50

# The first, the last, both sides of the middle, and others.
PLACES = (0, 1, 123_456, 499_999, 524_287, 524_288, 777_777, 950_271, 999_935, 999_999)

TREE = f"""
    INSERT INTO audits.merkle_tiles (level, tile_index, hashes)
    SELECT l.level, t.index, string_agg(sha256(format('%s %s %s', l.level, t.index, h.place)::bytea), '' ORDER BY h.place)
    FROM generate_series(0, 3) AS l (level)
    CROSS JOIN LATERAL generate_series(0, (({LEAVES} >> (6 * l.level)) - 1) / 64) AS t (index)
    CROSS JOIN LATERAL generate_series(1, least(64, ({LEAVES} >> (6 * l.level)) - t.index * 64)) AS h (place)
    GROUP BY l.level, t.index;
    INSERT INTO audits.checkpoints (tree_size, root, origin, note, is_signed)
    VALUES ({LEAVES}, sha256(''), 'bench', 'none', false);
    VACUUM ANALYZE audits.merkle_tiles, audits.checkpoints;
"""


def pages(database, leaf):
    """Pages that one proof reads, found in shared buffers or not."""
    proof = f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) SELECT audits.inclusion_proof({leaf}, {LEAVES});"
    plan = psql(database, script=f"{proof}\n\\echo again\n{proof}").rpartition("again")[2]
    buffers = re.search(r"Buffers: shared (.*)", plan)[1]
    return sum(int(count) for count in re.findall(r"(?:hit|read)=(\d+)", buffers))


def compare_all(rounds):
    database = deployed_database("bench_inclusion_proof")
    psql(database, script=TREE)
    read = [pages(database, leaf) for leaf in PLACES]
    yield Comparison("inclusion proof, 1,000,000 leaves", "pages", read, [LIMIT] * len(read), at_most=1)
