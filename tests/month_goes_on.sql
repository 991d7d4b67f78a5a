-- Waits for the next month (UTC) where this one is over within a minute. For tests of what this month's partition holds and
-- whether the month is over; included by \ir before BEGIN, which is when now() stands still.
SELECT pg_sleep(extract(epoch FROM m.next_month - m.clock) + 0.1)
FROM (
    SELECT t.clock, date_trunc('month', t.clock) + interval '1 month' AS next_month
    FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC') AS t (clock)
) AS m
WHERE m.next_month - m.clock < interval '1 minute'
\g /dev/null
