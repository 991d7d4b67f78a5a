SELECT tenancy.bind_authors('experiments_v1.experiments', 'created_by');
SELECT tenancy.bind_authors('experiments_v1.evaluations', 'evaluator_id', 'evaluated_by', 'human_override', 'override_reason', 'evaluated_at');
SELECT tenancy.bind_authors('experiments_v1.promotions', 'approver_id');
SELECT tenancy.bind_authors('experiments_v1.blacklist', 'quarantined_by', 'config_hash', 'reason', 'evidence', 'quarantined_at');
SELECT tenancy.bind_authors('experiments_v1.blacklist', 'reviewed_by', 'review_status', 'reviewed_at');
