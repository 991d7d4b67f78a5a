-- The month that is under way ends now; what comes next goes to a partition of its own.
CREATE PROCEDURE tap.close_month()
LANGUAGE plpgsql
AS $procedure$
DECLARE
    month date := date_trunc('month', now() AT TIME ZONE 'UTC');
    old_name text := to_char(month, '"audit_log_"YYYY_MM');
    cut timestamptz := clock_timestamp();
BEGIN
    EXECUTE format('ALTER TABLE audits.audit_log DETACH PARTITION audits.%I', old_name);
    EXECUTE format('ALTER TABLE audits.%I RENAME TO audit_log_closed', old_name);
    EXECUTE format(
        'ALTER TABLE audits.audit_log ATTACH PARTITION audits.audit_log_closed FOR VALUES FROM (%L) TO (%L)',
        month::timestamp AT TIME ZONE 'UTC', cut);
    EXECUTE format(
        'CREATE TABLE audits.%I PARTITION OF audits.audit_log FOR VALUES FROM (%L) TO (%L)',
        old_name, cut, (month + interval '1 month') AT TIME ZONE 'UTC');
END
$procedure$;
