SELECT tenancy.bind_authors('quarantine.quarantine_records', 'quarantined_by', 'reviewed_by');
SELECT tenancy.bind_authors('quarantine.reevaluation_requests', 'requested_by', 'approved_by');
