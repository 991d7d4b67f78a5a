"""What capture costs: an UPDATE of 1,000 rows of a tracked table against the same with the usual audit trigger.

The usual one is a row-level trigger in PL/pgSQL that writes a line with the old and the new row for each row. It neither
chains, nor redacts, nor leaves out what has not changed. The tables are equal: the columns of scm.repositories, with room for
updates in the pages. Each session has updated other rows before.
"""

import statistics

from lib import compare, deployed_database, psql, timed_statement

ROWS = 1_000
STATEMENTS = 5

TABLES = """
    CREATE TABLE public.tracked (
        LIKE scm.repositories INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
        number int,
        PRIMARY KEY (id)
    ) WITH (fillfactor = 50);
    INSERT INTO public.tracked (org_id, github_id, name, full_name, settings, number)
    SELECT '00000000-0000-0000-0000-000000000001', n + 1, 'repository-' || n, 'organization/repository-' || n,
           '{"checks": ["types", "tests"], "threshold": 80}', n
    FROM generate_series(0, 9999) AS n;
    CREATE INDEX tracked_number_idx ON public.tracked (number);

    CREATE TABLE public.plain (LIKE public.tracked INCLUDING ALL) WITH (fillfactor = 50);
    INSERT INTO public.plain SELECT * FROM public.tracked;
    CREATE TABLE public.changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        table_name text NOT NULL,
        action text NOT NULL,
        changed_by text NOT NULL DEFAULT session_user,
        changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        old_row jsonb,
        new_row jsonb);
    CREATE FUNCTION public.log_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.changes (table_name, action, old_row, new_row)
        VALUES (TG_TABLE_NAME, TG_OP, to_jsonb(OLD), to_jsonb(NEW));
        RETURN NULL;
    END $$;
    CREATE TRIGGER log_change AFTER UPDATE ON public.plain FOR EACH ROW EXECUTE FUNCTION public.log_change();
    SELECT audits.track('public.tracked');
    VACUUM ANALYZE;
    CHECKPOINT;
"""


def compare_all(rounds):
    database = deployed_database("bench_tracked_update")
    psql(database, script=TABLES)

    def rows_per_second(table):
        def update(first):
            return f"""
                UPDATE public.{table}
                SET enabled = NOT enabled, default_branch = CASE default_branch WHEN 'main' THEN 'trunk' ELSE 'main' END, updated_at = now()
                WHERE number BETWEEN {first} AND {first + ROWS - 1};
            """

        seconds = [
            timed_statement(database, update(first), before=update(0))[0]
            for first in range(ROWS, ROWS * (STATEMENTS + 1), ROWS)
        ]
        return ROWS / statistics.median(seconds)

    yield compare(
        f"tracked UPDATE of {ROWS:,} rows", "rows/s",
        lambda: rows_per_second("tracked"), lambda: rows_per_second("plain"), rounds, at_least=3)
