-- codeverify.is_cron_expression(): what scan schedules take.
BEGIN;
SELECT * FROM no_plan();

SELECT is(codeverify.is_cron_expression(e), true, format('"%s" is one', e))
FROM unnest(ARRAY[
    '* * * * *', '0 3 * * *', '*/15 * * * *', '0 0 1 1 *', '0 9-17 * * 1-5', '0,30 * * * *', '0 0 * * 0', '0 0 * * 7',
    '0 0 * * MON', '0 0 1 JAN *', '@daily', '@hourly', '@weekly', '@monthly', '@yearly', '0 0 29 2 *', '  0   3 * * *  '
]) AS e;
SELECT is(codeverify.is_cron_expression(e), false, format('"%s" is none', replace(e, E'\n', '\n')))
FROM unnest(ARRAY[
    '', ' ', '*', '* * * *', '* * * * * *', '* * * * * * *', '60 * * * *', '* 24 * * *', '* * 32 * *', '* * 0 * *', '* * * 13 *',
    '* * * * 8', '-1 * * * *', '*/0 * * * *', '5-1 * * * *', 'a b c d e', '@never', '@', '0 0 * * FOO', '; DROP TABLE x', repeat('9', 1000),
    '1.5 * * * *', '0 0 * * *; 0'
]) AS e;
SELECT is(codeverify.is_cron_expression(NULL), NULL, 'NULL is neither');
SELECT is(provolatile, 'i', 'a CHECK may call it') FROM pg_proc WHERE oid = 'codeverify.is_cron_expression(text)'::regprocedure;

SELECT * FROM finish();
ROLLBACK;
