-- Runs after all tables exist: one updated_at trigger wherever there is such a column.

DO $triggers$
DECLARE
    target record;
BEGIN
    FOR target IN
        SELECT c.oid::pg_catalog.regclass AS name, c.relname
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
        WHERE a.attname = 'updated_at'
          AND NOT a.attisdropped
          AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition
          AND r.rolname = 'codeverify_owner'
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER %I BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION codeverify.set_updated_at()',
            target.relname || '_set_updated_at', target.name);
        EXECUTE pg_catalog.format(
            'COMMENT ON TRIGGER %I ON %s IS %L',
            target.relname || '_set_updated_at', target.name, 'Keeps updated_at.');
    END LOOP;
END
$triggers$;

CREATE TRIGGER partition_sets_check
BEFORE INSERT OR UPDATE OF parent, action, compress_after, closed_indexes
ON codeverify.partition_sets
FOR EACH ROW EXECUTE FUNCTION codeverify.check_partition_set();
COMMENT ON TRIGGER partition_sets_check ON codeverify.partition_sets IS 'Whatever a set is told to do, it can be done.';

CREATE TRIGGER organizations_forget_metric_changes
AFTER DELETE ON tenancy.organizations
FOR EACH ROW
EXECUTE FUNCTION codeverify.forget_metric_changes();
COMMENT ON TRIGGER organizations_forget_metric_changes ON tenancy.organizations IS 'Stands for ON DELETE CASCADE of codeverify.metric_changes.';
