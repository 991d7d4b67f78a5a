-- Rows are made when a report is first refreshed or configured: data alone can be restored into a fresh deployment.
CREATE TABLE codeverify.report_refreshes (
    report           regclass    NOT NULL,
    refresh_interval interval    DEFAULT '1 hour',
    refreshed_at     timestamptz,
    elapsed          interval,
    CONSTRAINT report_refreshes_pkey PRIMARY KEY (report),
    CONSTRAINT report_refreshes_refresh_interval_check CHECK (refresh_interval > '0')
);

COMMENT ON TABLE codeverify.report_refreshes IS 'When the stored reports were last refreshed; codeverify.configure_report() sets how often.';
COMMENT ON COLUMN codeverify.report_refreshes.report IS 'The materialized view.';
COMMENT ON COLUMN codeverify.report_refreshes.refresh_interval IS 'How old it may become before codeverify.maintain() refreshes it; NULL for never.';
COMMENT ON COLUMN codeverify.report_refreshes.refreshed_at IS 'When what it shows was read; NULL before the first time.';
COMMENT ON COLUMN codeverify.report_refreshes.elapsed IS 'How long that took.';
