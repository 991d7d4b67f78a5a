"""Import of a SARIF log with 20,000 results against COPY of the same rows into a table with the same indexes.

Ours is SELECT ... FROM analysis.import_sarif($1, $2) with the log's text as a parameter, as a driver sends it: sending,
parsing the JSON, reading the log, storing the findings and committing. For information, also with the log written into
the statement, as psql sends it, which the server must then parse as SQL too. The baseline is psql's \\copy of a file with
the finished rows, committed. Both tables are empty before each.
"""

import json
import tempfile
from copy import deepcopy
from pathlib import Path

from lib import ROOT, TENANT, compare, deployed_database, psql, set_context, timed_parameters, timed_statement

RESULTS = 20_000
REAL_LOG = ROOT / "tests/data/sarif/bandit-django-4.2.16.sarif"


def make_log():
    """The real log again and again, each time with its files in another folder."""
    log = json.loads(REAL_LOG.read_text())
    run = log["runs"][0]
    results = []
    for number in range(RESULTS):
        round_, index = divmod(number, len(run["results"]))
        result = deepcopy(run["results"][index])
        file = result["locations"][0]["physicalLocation"]["artifactLocation"]
        file["uri"] = f"part{round_}/{file['uri']}"
        results.append(result)
    run["results"] = results
    return json.dumps(log, indent=2)


def compare_all(rounds):
    database = deployed_database("bench_import_sarif")
    org_id = psql(database, "-c", "INSERT INTO tenancy.organizations (name) VALUES ('Bench') RETURNING id")
    repo_id = psql(database, "-c", f"""
        INSERT INTO scm.repositories (org_id, github_id, name, full_name)
        VALUES ('{org_id}', 1, 'django', 'bench/django') RETURNING id""")
    set_context(database, org_id)
    psql(database, "-c", "CREATE SCHEMA bench", "-c", "CREATE TABLE bench.findings (LIKE analysis.findings INCLUDING ALL)")

    with tempfile.TemporaryDirectory() as folder:
        log, rows = Path(folder) / "log.sarif", Path(folder) / "findings.copy"
        text = make_log()
        log.write_text(text)

        def empty_tables():
            psql(database, "-c", "TRUNCATE analysis.findings CASCADE", "-c", "TRUNCATE bench.findings", "-c", "CHECKPOINT")

        def import_log(call):
            empty_tables()
            start = f"SELECT analysis.start_analysis('{repo_id}', 1, '{'a' * 40}')"
            seconds, imported = call(psql(database, "-c", start, user=TENANT))
            if imported != str(RESULTS):
                raise RuntimeError(f"{imported} of {RESULTS} results were imported")
            return RESULTS / seconds

        def import_parameter():
            statement = "SELECT imported FROM analysis.import_sarif($1, $2)"
            return import_log(lambda analysis: timed_parameters(database, statement, analysis, text, user=TENANT))

        def import_literal():
            statement = "SELECT imported FROM analysis.import_sarif('{}', :'log');"
            read = f"\\set log `cat {log}`"
            return import_log(lambda analysis: timed_statement(database, statement.format(analysis), TENANT, read))

        def copy_rows():
            empty_tables()
            seconds, _ = timed_statement(database, f"\\copy bench.findings FROM {rows}")
            return RESULTS / seconds

        import_parameter()
        psql(database, "-c", f"\\copy analysis.findings TO {rows}")
        yield compare("import_sarif, log as a parameter", "rows/s", import_parameter, copy_rows, rounds, at_least=0.40)
        yield compare("import_sarif, log in the statement", "rows/s", import_literal, copy_rows, rounds)
