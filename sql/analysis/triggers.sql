CREATE TRIGGER analyses_enforce_transition
BEFORE UPDATE OF status ON analysis.analyses
FOR EACH ROW
WHEN (OLD.status <> NEW.status)
EXECUTE FUNCTION codeverify.enforce_transition(
    'analysis', 'pending>running', 'pending>failed', 'running>completed', 'running>failed');
COMMENT ON TRIGGER analyses_enforce_transition ON analysis.analyses IS 'Keeps the status on legal paths.';

CREATE TRIGGER findings_fill_fingerprint
BEFORE INSERT ON analysis.findings
FOR EACH ROW
WHEN (NEW.fingerprint IS NULL)
EXECUTE FUNCTION analysis.fill_fingerprint();
COMMENT ON TRIGGER findings_fill_fingerprint ON analysis.findings IS 'Gives a finding without a fingerprint one made of its id.';

SELECT tenancy.bind_authors('analysis.analyses', 'triggered_by', 'repo_id', 'pr_number', 'head_sha');
SELECT tenancy.bind_authors('analysis.findings', 'dismissed_by', 'dismissed', 'dismissed_reason', 'dismissed_at');
SELECT tenancy.bind_authors('analysis.custom_rules', 'created_by');
SELECT tenancy.bind_authors('analysis.scan_schedules', 'created_by');
