CREATE TRIGGER analyses_enforce_transition
BEFORE UPDATE OF status ON analysis.analyses
FOR EACH ROW
WHEN (OLD.status <> NEW.status)
EXECUTE FUNCTION codeverify.enforce_transition(
    'analysis', 'pending>running', 'pending>failed', 'running>completed', 'running>failed');

CREATE TRIGGER findings_fill_fingerprint
BEFORE INSERT ON analysis.findings
FOR EACH ROW
WHEN (NEW.fingerprint IS NULL)
EXECUTE FUNCTION analysis.fill_fingerprint();

SELECT tenancy.bind_authors('analysis.analyses', 'triggered_by', 'repo_id', 'pr_number', 'head_sha');
SELECT tenancy.bind_authors('analysis.findings', 'dismissed_by', 'dismissed', 'dismissed_reason', 'dismissed_at');
SELECT tenancy.bind_authors('analysis.custom_rules', 'created_by');
SELECT tenancy.bind_authors('analysis.scan_schedules', 'created_by');
