SELECT tenancy.bind_authors('quarantine.quarantine_records', 'quarantined_by', 'config_hash', 'config', 'reason', 'evidence', 'quarantined_at');
SELECT tenancy.bind_authors('quarantine.quarantine_records', 'reviewed_by', 'review_status', 'reviewed_at', 'review_notes');
SELECT tenancy.bind_authors('quarantine.reevaluation_requests', 'requested_by', 'reason');
SELECT tenancy.bind_authors('quarantine.reevaluation_requests', 'approved_by', 'approved_at');
