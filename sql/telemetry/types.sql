CREATE TYPE telemetry.event_type AS ENUM (
    'commit',
    'pr_opened',
    'pr_reviewed',
    'pr_merged',
    'deploy',
    'incident'
);

COMMENT ON TYPE telemetry.event_type IS 'What happened to the code of a repository: commit, pr_opened, pr_reviewed, pr_merged, deploy or incident.';

CREATE TYPE telemetry.detection_method AS ENUM (
    'heuristic',
    'ml_model',
    'manual_override'
);

COMMENT ON TYPE telemetry.detection_method IS 'How the origin of code was found: heuristic, ml_model or manual_override, a person''s correction.';

CREATE TYPE telemetry.risk_tier AS ENUM (
    'T1_boilerplate',
    'T2_glue',
    'T3_core',
    'T4_novel'
);

COMMENT ON TYPE telemetry.risk_tier IS 'How risky code is by what it does, from T1_boilerplate over T2_glue and T3_core to T4_novel.';

CREATE TYPE telemetry.time_period AS ENUM (
    'day',
    'week',
    'month'
);

COMMENT ON TYPE telemetry.time_period IS 'Length of the time that a metric sums up: day, week or month.';
