SELECT tenancy.bind_authors('experiments_v1.experiments', 'created_by');
SELECT tenancy.bind_authors('experiments_v1.evaluations', 'evaluator_id');
SELECT tenancy.bind_authors('experiments_v1.promotions', 'approver_id');
SELECT tenancy.bind_authors('experiments_v1.blacklist', 'quarantined_by', 'reviewed_by');
