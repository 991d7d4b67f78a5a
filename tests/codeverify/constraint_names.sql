-- Constraints are named <table>_<columns>_<kind>, so that an error says which column was meant.
BEGIN;
SELECT plan(4);

CREATE TEMP VIEW deployed_constraint AS
SELECT k.contype, k.conname, c.relname, k.conrelid::regclass AS target,
       (SELECT string_agg(a.attname, '_' ORDER BY p.place)
        FROM unnest(k.conkey) WITH ORDINALITY AS p (attnum, place)
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = p.attnum) AS columns
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_roles AS r ON r.oid = c.relowner
WHERE r.rolname = 'codeverify_owner'
  AND NOT c.relispartition;

SELECT is_empty(
    $$SELECT target, conname FROM deployed_constraint WHERE contype = 'p' AND conname <> relname || '_pkey'$$,
    'primary keys are named <table>_pkey');
-- A name of more than 63 bytes would be cut, so those are shortened by hand; one name is documented.
SELECT is_empty(
    $$
        SELECT target, conname, columns
        FROM deployed_constraint
        WHERE contype = 'u'
          AND conname <> relname || '_' || columns || '_key'
          AND octet_length(relname || '_' || columns || '_key') <= 63
          AND conname <> 'uq_webhook_delivery_provider_id'
    $$,
    'unique constraints are named <table>_<columns>_key');
SELECT is_empty(
    $$
        SELECT target, conname, columns
        FROM deployed_constraint
        WHERE contype = 'f'
          AND conname <> relname || '_' || columns || '_fkey'
          AND octet_length(relname || '_' || columns || '_fkey') <= 63
    $$,
    'foreign keys are named <table>_<columns>_fkey');
SELECT is_empty(
    $$
        SELECT target, conname
        FROM deployed_constraint
        WHERE contype = 'c'
          AND NOT (starts_with(conname, relname || '_') AND conname LIKE '%\_check')
    $$,
    'checks are named <table>_<column or subject>_check');

SELECT * FROM finish();
ROLLBACK;
