"""What capture costs: an UPDATE of 1,000 rows of a tracked table against the same with the usual audit trigger.

The usual one is a row-level trigger in PL/pgSQL that writes a line with the old and the new row for each row. It neither
chains, nor redacts, nor leaves out what has not changed. The tables are equal; each session has updated a row before.
"""

import statistics

from lib import compare, deployed_database, psql, timed_statement

ROWS = 1_000
STATEMENTS = 3

TABLES = """
    CREATE TABLE public.tracked (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        org_id uuid NOT NULL,
        number int NOT NULL,
        title text NOT NULL,
        body text NOT NULL,
        status text NOT NULL DEFAULT 'open',
        priority int NOT NULL DEFAULT 3,
        labels jsonb NOT NULL DEFAULT '["bug", "triage"]',
        due timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now());
    ALTER TABLE public.tracked ENABLE ROW LEVEL SECURITY;
    CREATE INDEX ON public.tracked (number);
    INSERT INTO public.tracked (org_id, number, title, body)
    SELECT o.id, n, 'Ticket number ' || n, repeat('What happened, and what should have. ', 5)
    FROM generate_series(0, 9999) AS n
    CROSS JOIN tenancy.organizations AS o;
"""

BASELINE = """
    CREATE TABLE public.plain (LIKE public.tracked INCLUDING ALL);
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
    VACUUM ANALYZE;
    CHECKPOINT;
"""


def compare_all(rounds):
    database = deployed_database("bench_tracked_update")
    psql(database, script=f"""
        INSERT INTO auth.users (username, email) VALUES ('owner', 'owner@example.org') RETURNING id \\gset
        SELECT tenancy.create_organization('Bench', owner_id => :'id');
        {TABLES}
        {BASELINE}
        SELECT audits.track('public.tracked');
    """)

    def rows_per_second(table):
        update = f"UPDATE public.{table} SET status = CASE status WHEN 'open' THEN 'closed' ELSE 'open' END, priority = priority % 5 + 1, updated_at = now() WHERE number"
        seconds = [
            timed_statement(database, f"{update} BETWEEN {first} AND {first + ROWS - 1};", before=f"{update} = 0;")[0]
            for first in range(ROWS, ROWS * (STATEMENTS + 1), ROWS)
        ]
        return ROWS / statistics.median(seconds)

    yield compare(
        f"tracked UPDATE of {ROWS:,} rows", "rows/s",
        lambda: rows_per_second("tracked"), lambda: rows_per_second("plain"), rounds, at_least=3)
