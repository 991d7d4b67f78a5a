SELECT tenancy.force_row_security(t.target::regclass)
FROM (VALUES
    ('codeverify.partition_sets'),
    ('codeverify.maintenance_tasks'),
    ('codeverify.report_refreshes'),
    ('codeverify.clean_up_settings')
) AS t (target);

-- Operators read; functions write.
CREATE POLICY partition_sets_read ON codeverify.partition_sets
    FOR SELECT
    TO codeverify_admin, codeverify_service, codeverify_auditor
    USING (true);
COMMENT ON POLICY partition_sets_read ON codeverify.partition_sets IS 'Operators see how tables are partitioned.';
CREATE POLICY maintenance_tasks_read ON codeverify.maintenance_tasks
    FOR SELECT
    TO codeverify_admin, codeverify_service, codeverify_auditor
    USING (true);
COMMENT ON POLICY maintenance_tasks_read ON codeverify.maintenance_tasks IS 'Operators see what maintenance did.';
CREATE POLICY clean_up_settings_read ON codeverify.clean_up_settings
    FOR SELECT
    TO codeverify_admin, codeverify_service, codeverify_auditor
    USING (true);
COMMENT ON POLICY clean_up_settings_read ON codeverify.clean_up_settings IS 'Operators see how long what has expired is kept.';
GRANT SELECT ON codeverify.partition_sets, codeverify.maintenance_tasks, codeverify.clean_up_settings
TO codeverify_admin, codeverify_service, codeverify_auditor;

-- Read through functions only, which unpack.
SELECT tenancy.isolate('codeverify.packed_segments');

-- For functions only.
SELECT tenancy.isolate('codeverify.metric_refreshes');
SELECT tenancy.isolate('codeverify.metric_changes');

CREATE POLICY report_refreshes_read ON codeverify.report_refreshes
    FOR SELECT
    TO codeverify_admin, codeverify_service, codeverify_auditor
    USING (true);
COMMENT ON POLICY report_refreshes_read ON codeverify.report_refreshes IS 'Operators see when reports were refreshed.';
GRANT SELECT ON codeverify.report_refreshes TO codeverify_admin, codeverify_service, codeverify_auditor;
