"""CREATE EXTENSION in an empty database against the same SQL run by psql, one transaction each.

The baseline is the installed script without its last block, and then, instead of what that block does, plain SQL for
the owners of the functions and the files that codeverify.deploy() runs. Both times are those of a whole psql call.
"""

import re
import tempfile
import time
from pathlib import Path

from lib import ROOT, compare, empty_database, psql

FUNCTION_OWNERS = """
DO $owners$
DECLARE
    signature regprocedure;
BEGIN
    FOR signature IN
        SELECT p.oid
        FROM pg_catalog.pg_proc AS p
        JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        JOIN pg_catalog.pg_roles AS r ON r.oid = n.nspowner
        WHERE r.rolname = 'codeverify_owner'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO codeverify_owner', signature);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    END LOOP;
END
$owners$;
-- They let nobody but the extension make what is the ledger's.
DO $guards$
DECLARE
    guard name;
BEGIN
    FOR guard IN SELECT t.evtname FROM pg_catalog.pg_event_trigger AS t LOOP
        EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', guard);
    END LOOP;
END
$guards$;
SET ROLE codeverify_owner;
SET search_path = pg_catalog, pg_temp;
"""

COUNT_OBJECTS = """
    SELECT classid::regclass, count(*)
    FROM pg_catalog.pg_shdepend
    WHERE refclassid = 'pg_authid'::regclass
      AND refobjid = 'codeverify_owner'::regrole
      AND deptype = 'o'
      AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    GROUP BY classid
    UNION ALL
    SELECT 'pg_policy'::regclass, count(*) FROM pg_catalog.pg_policy
    UNION ALL
    SELECT 'pg_constraint'::regclass, count(*) FROM pg_catalog.pg_constraint
    UNION ALL
    SELECT 'pg_description'::regclass, count(*) FROM pg_catalog.pg_description WHERE classoid <> 'pg_extension'::regclass
    ORDER BY 1
"""


def only(pattern, text):
    """The one match of the pattern."""
    found = re.findall(pattern, text, re.DOTALL)
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} matches of {pattern}: the benchmark must follow what it measures")
    return found[0]


def installed_script():
    """The functions as the installed script makes them."""
    control = Path(psql("postgres", "-c", "SELECT setting FROM pg_config WHERE name = 'SHAREDIR'"), "extension")
    version = only(r"default_version = '([^']+)'", (control / "codeverify.control").read_text())
    script = (control / f"codeverify--{version}.sql").read_text()
    finalize = only(r"DO \$finalize\$.*?\$finalize\$;", script)
    # As in CREATE EXTENSION: the bodies of functions name tables that come later.
    script = "SET check_function_bodies = off;\n" + script
    return script.replace(finalize, FUNCTION_OWNERS).replace("MODULE_PATHNAME", "$libdir/codeverify")


def deployed_files():
    source = (ROOT / "src/codeverify/deploy.rs").read_text()
    listed = only(r"DEPLOYED: &\[SqlFile\] = sql_files!\[(.*?)\];", source)
    return [str(ROOT / "sql" / path) for path in re.findall(r'"([^"]+)"', listed)]


def compare_all(rounds):
    with tempfile.TemporaryDirectory() as folder:
        functions = Path(folder) / "functions.sql"
        functions.write_text(installed_script())
        as_files = ["-1"] + [argument for file in (functions, *deployed_files()) for argument in ("-f", str(file))]

        def seconds(database, *arguments):
            empty_database(database)
            started = time.monotonic()
            psql(database, *arguments)
            return time.monotonic() - started

        def create_extension():
            return seconds("bench_extension", "-c", "CREATE EXTENSION codeverify")

        def run_files():
            return seconds("bench_files", *as_files)

        yield compare("CREATE EXTENSION against psql", "s", create_extension, run_files, rounds, at_most=1.50)
        ours, theirs = psql("bench_extension", "-c", COUNT_OBJECTS), psql("bench_files", "-c", COUNT_OBJECTS)
        if ours != theirs:
            raise RuntimeError(f"the two databases differ:\n{ours}\n--\n{theirs}")
