-- Not only the schemas of codeverify: a table of yours that refers to one of them is what makes a DELETE there slow.
CREATE VIEW codeverify.missing_foreign_key_indexes
WITH (security_invoker = true)
AS
SELECT k.conrelid::regclass AS relation,
       k.conname AS constraint_name,
       k.confrelid::regclass AS refers_to,
       (
           SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.place)
           FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
           JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
       ) AS columns
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS p ON p.oid = k.confrelid
JOIN pg_catalog.pg_roles AS r ON r.oid = p.relowner
WHERE k.contype = 'f'
  AND k.conparentid = 0
  AND r.rolname = 'codeverify_owner'
  AND NOT EXISTS (
      SELECT
      FROM pg_catalog.pg_index AS i
      JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
      WHERE i.indrelid = k.conrelid
        AND i.indisvalid
        AND m.amname = 'btree'
        -- A row that refers to nothing need not be found.
        AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
        -- Its columns, before the first that the key does not have, are all of the key's; org_id alone tells too little.
        AND NOT EXISTS (
            SELECT
            FROM unnest(k.conkey) AS w (attnum)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = w.attnum
            WHERE (a.attname <> 'org_id' OR cardinality(k.conkey) = 1)
              AND NOT EXISTS (
                  SELECT
                  FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS p (attnum, place)
                  WHERE p.attnum = w.attnum
                    AND p.place <= i.indnkeyatts
                    AND NOT EXISTS (
                        SELECT
                        FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS b (attnum, place)
                        WHERE b.place < p.place
                          AND NOT b.attnum = ANY (k.conkey)))));

COMMENT ON VIEW codeverify.missing_foreign_key_indexes IS 'Foreign keys that refer to tables of codeverify, yours included, without an index that serves them: deleting a parent scans the whole table.';
COMMENT ON COLUMN codeverify.missing_foreign_key_indexes.relation IS 'The table that refers.';
COMMENT ON COLUMN codeverify.missing_foreign_key_indexes.constraint_name IS 'The foreign key.';
COMMENT ON COLUMN codeverify.missing_foreign_key_indexes.refers_to IS 'The table of codeverify that it refers to.';
COMMENT ON COLUMN codeverify.missing_foreign_key_indexes.columns IS 'Its columns, as an index would name them.';

GRANT SELECT ON codeverify.missing_foreign_key_indexes TO codeverify_admin, codeverify_auditor;
