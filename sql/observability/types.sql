CREATE TYPE observability.incident_severity AS ENUM (
    'sev1',
    'sev2',
    'sev3',
    'sev4'
);

COMMENT ON TYPE observability.incident_severity IS 'How bad an incident is, from sev1, the worst, to sev4.';

CREATE TYPE observability.incident_status AS ENUM (
    'investigating',
    'identified',
    'resolved'
);

COMMENT ON TYPE observability.incident_status IS 'States of an incident for clients that speak in enums; observability.incidents.status is text and also takes open.';
