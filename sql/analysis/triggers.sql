CREATE TRIGGER analyses_enforce_transition
BEFORE UPDATE OF status ON analysis.analyses
FOR EACH ROW
WHEN (OLD.status <> NEW.status)
EXECUTE FUNCTION codeverify.enforce_transition(
    'analysis', 'pending>running', 'pending>failed', 'running>completed', 'running>failed');
