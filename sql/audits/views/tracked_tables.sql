CREATE VIEW audits.tracked_tables
WITH (security_invoker = true)
AS
SELECT n.nspname AS schema_name,
       c.relname AS table_name,
       t.key_columns,
       t.redacted_columns,
       t.ignored_columns,
       g.is_recording
FROM (
    SELECT g.tgrelid,
           (array_agg(g.tgargs ORDER BY g.tgname))[1] AS arguments,
           count(*) = 4 AND bool_and(g.tgenabled IN ('O', 'A')) AS is_recording
    FROM pg_catalog.pg_trigger AS g
    WHERE g.tgfoid = 'audits.record_changes()'::regprocedure
    GROUP BY g.tgrelid
) AS g
JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(k.column_name ORDER BY k.column_name) FILTER (WHERE k.is_key) AS key_columns,
           array_agg(k.column_name ORDER BY k.column_name) FILTER (WHERE k.treatment = 'redact') AS redacted_columns,
           array_agg(k.column_name ORDER BY k.column_name) FILTER (WHERE k.treatment = 'ignore') AS ignored_columns
    FROM audits.column_treatments(g.tgrelid, g.arguments) AS k
) AS t
WHERE NOT c.relispartition;

COMMENT ON VIEW audits.tracked_tables IS 'The tables whose changes capture records, and what it does with their columns. Made by audits.track().';
COMMENT ON COLUMN audits.tracked_tables.schema_name IS 'Schema of the table.';
COMMENT ON COLUMN audits.tracked_tables.table_name IS 'Name of the table.';
COMMENT ON COLUMN audits.tracked_tables.key_columns IS 'Columns that name a row in entries; NULL where there is no key and the whole row does.';
COMMENT ON COLUMN audits.tracked_tables.redacted_columns IS 'Columns of which a keyed digest is recorded; NULL for none.';
COMMENT ON COLUMN audits.tracked_tables.ignored_columns IS 'Columns that are not recorded, and whose change alone is none; NULL for none.';
COMMENT ON COLUMN audits.tracked_tables.is_recording IS 'Whether all four triggers are there and enabled. The setting codeverify.capture turns recording off for a session.';

GRANT SELECT ON audits.tracked_tables TO codeverify_admin, codeverify_auditor;
