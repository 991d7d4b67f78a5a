-- Every foreign key has an index that finds the children of one parent: its first columns are columns of the key,
-- all of them but, at most, org_id. Otherwise deleting a parent reads the whole child table.
BEGIN;
SELECT plan(3);

CREATE TEMP VIEW foreign_key AS
SELECT k.oid, k.conname, k.conrelid::regclass AS target,
       (SELECT array_agg(a.attname ORDER BY a.attname)
        FROM pg_attribute AS a
        WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)) AS columns
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_roles AS r ON r.oid = c.relowner
WHERE k.contype = 'f'
  AND r.rolname = 'codeverify_owner';

CREATE TEMP VIEW full_index AS
SELECT i.indrelid::regclass AS target,
       (SELECT array_agg(a.attname ORDER BY p.place)
        FROM unnest(i.indkey) WITH ORDINALITY AS p (attnum, place)
        LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = p.attnum
        WHERE p.place <= i.indnkeyatts) AS columns
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_am AS m ON m.oid = c.relam
WHERE i.indisvalid
  AND m.amname = 'btree'
  -- A row that references nothing need not be found.
  AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$');

CREATE FUNCTION pg_temp.serves(index_columns name[], key_columns name[])
RETURNS boolean
LANGUAGE sql
AS $function$
    SELECT bool_or(index_columns[:n] <@ key_columns AND index_columns[:n] @> wanted.columns)
    FROM generate_series(1, cardinality(index_columns)) AS n
    CROSS JOIN (SELECT CASE key_columns WHEN '{org_id}' THEN key_columns ELSE array_remove(key_columns, 'org_id') END) AS wanted (columns)
$function$;

SELECT ok(pg_temp.serves('{org_id,repo_id,created_at}', '{org_id,repo_id}'), 'an index on more columns serves');
SELECT ok(NOT pg_temp.serves('{org_id,created_at,repo_id}', '{org_id,repo_id}'), 'one with another column between does not');

SELECT is_empty(
    $$
        SELECT f.target, f.conname
        FROM foreign_key AS f
        WHERE NOT EXISTS (SELECT FROM full_index AS i WHERE i.target = f.target AND pg_temp.serves(i.columns, f.columns))
    $$,
    'every foreign key has an index that serves it');

SELECT * FROM finish();
ROLLBACK;
