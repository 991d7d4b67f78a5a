CREATE TABLE codeverify.maintenance_tasks (
    task            text        NOT NULL,
    target          text        NOT NULL,
    last_run_at     timestamptz NOT NULL,
    last_success_at timestamptz,
    last_action     text,
    last_detail     text,
    last_elapsed    interval    NOT NULL DEFAULT '0',
    last_error      text,
    last_error_at   timestamptz,
    runs            bigint      NOT NULL DEFAULT 1,
    failures        bigint      NOT NULL DEFAULT 0,
    CONSTRAINT maintenance_tasks_pkey PRIMARY KEY (task, target),
    CONSTRAINT maintenance_tasks_runs_check CHECK (runs >= 0),
    CONSTRAINT maintenance_tasks_failures_check CHECK (failures BETWEEN 0 AND runs)
);

COMMENT ON TABLE codeverify.maintenance_tasks IS 'What codeverify.maintain() did last, one row for each task and target that ever had something to do.';
COMMENT ON COLUMN codeverify.maintenance_tasks.task IS 'Name of the task, as codeverify.maintain(only) takes it; maintain for the run as a whole.';
COMMENT ON COLUMN codeverify.maintenance_tasks.target IS 'What it was done to: a table, an organization; empty for the run as a whole.';
COMMENT ON COLUMN codeverify.maintenance_tasks.last_run_at IS 'When it was last tried.';
COMMENT ON COLUMN codeverify.maintenance_tasks.last_success_at IS 'When it last went well.';
COMMENT ON COLUMN codeverify.maintenance_tasks.last_action IS 'What was done then, in a word.';
COMMENT ON COLUMN codeverify.maintenance_tasks.last_detail IS 'What was done then, in words.';
COMMENT ON COLUMN codeverify.maintenance_tasks.last_elapsed IS 'How long it took.';
COMMENT ON COLUMN codeverify.maintenance_tasks.last_error IS 'Message of the last failure; NULL once it has gone well again.';
COMMENT ON COLUMN codeverify.maintenance_tasks.last_error_at IS 'When that was.';
COMMENT ON COLUMN codeverify.maintenance_tasks.runs IS 'How often it was tried.';
COMMENT ON COLUMN codeverify.maintenance_tasks.failures IS 'How often it failed.';
