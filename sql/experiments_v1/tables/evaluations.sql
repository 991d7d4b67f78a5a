CREATE TABLE experiments_v1.evaluations (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    experiment_id   uuid        NOT NULL,
    metrics         jsonb       NOT NULL DEFAULT '{}',
    ai_verdict      text,
    ai_confidence   numeric,
    human_override  text,
    override_reason text,
    evaluated_by    text        NOT NULL DEFAULT 'ai',
    evaluator_id    uuid,
    evaluated_at    timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    org_id          uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT evaluations_pkey PRIMARY KEY (id),
    CONSTRAINT evaluations_org_id_experiment_id_fkey FOREIGN KEY (org_id, experiment_id)
        REFERENCES experiments_v1.experiments (org_id, id) ON DELETE CASCADE,
    CONSTRAINT evaluations_evaluator_id_fkey FOREIGN KEY (evaluator_id)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT evaluations_metrics_check CHECK (jsonb_typeof(metrics) = 'object'),
    CONSTRAINT evaluations_ai_verdict_check CHECK (ai_verdict IN ('pass', 'fail', 'manual_review')),
    CONSTRAINT evaluations_ai_confidence_check CHECK (ai_confidence BETWEEN 0 AND 1),
    CONSTRAINT evaluations_human_override_check CHECK (length(human_override) BETWEEN 1 AND 255),
    CONSTRAINT evaluations_evaluated_by_check CHECK (evaluated_by IN ('ai', 'human'))
);

CREATE INDEX evaluations_org_id_evaluated_at_idx ON experiments_v1.evaluations (org_id, evaluated_at DESC);
CREATE INDEX evaluations_experiment_id_idx ON experiments_v1.evaluations (experiment_id);
CREATE INDEX evaluations_ai_verdict_idx ON experiments_v1.evaluations (ai_verdict);
CREATE INDEX evaluations_evaluated_at_idx ON experiments_v1.evaluations (evaluated_at);
CREATE INDEX evaluations_evaluator_id_idx
    ON experiments_v1.evaluations (evaluator_id)
    WHERE evaluator_id IS NOT NULL;

COMMENT ON TABLE experiments_v1.evaluations IS 'Verdicts on experiments, by a model or a person.';
COMMENT ON COLUMN experiments_v1.evaluations.id IS 'Primary key.';
COMMENT ON COLUMN experiments_v1.evaluations.experiment_id IS 'Experiment that was evaluated.';
COMMENT ON COLUMN experiments_v1.evaluations.metrics IS 'What was measured, a JSON object.';
COMMENT ON COLUMN experiments_v1.evaluations.ai_verdict IS 'Verdict of the model: pass, fail or manual_review; NULL when it gave none.';
COMMENT ON COLUMN experiments_v1.evaluations.ai_confidence IS 'How sure the model is, 0 to 1.';
COMMENT ON COLUMN experiments_v1.evaluations.human_override IS 'Verdict of a person that replaces the model''s, 1 to 255 characters.';
COMMENT ON COLUMN experiments_v1.evaluations.override_reason IS 'Why the verdict was replaced.';
COMMENT ON COLUMN experiments_v1.evaluations.evaluated_by IS 'Who evaluated: ai or human.';
COMMENT ON COLUMN experiments_v1.evaluations.evaluator_id IS 'User who evaluated; NULL when none did or the user was deleted.';
COMMENT ON COLUMN experiments_v1.evaluations.evaluated_at IS 'When it was evaluated.';
COMMENT ON COLUMN experiments_v1.evaluations.created_at IS 'When the row was created.';
COMMENT ON COLUMN experiments_v1.evaluations.org_id IS 'Organization that owns the experiment.';
