#!/usr/bin/env bash
# A long verification: others see how far it is, it can be cancelled and timed out, workers help, its memory stays small.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"

ENTRIES=120000
create_deployed_db cv_verify
psql_db cv_verify -c "
    INSERT INTO audits.audit_log (entity, action, payload)
    SELECT 'thing', 'thing.done', jsonb_build_object('n', n, 'text', repeat('x', 200)) FROM generate_series(1, $ENTRIES) AS n"
psql_db cv_verify -c 'VACUUM ANALYZE audits.audit_log'

step "seen from outside, then cancelled"
psql_db cv_verify -c 'SELECT count(*) FROM audits.verify_chain(), generate_series(1, 1)' -c 'SELECT * FROM audits.verify_chain()' \
    -c 'SELECT * FROM audits.verify_chain()' -c 'SELECT * FROM audits.verify_chain()' >"$WORK/verified" 2>&1 &
verifier=$!
wait_for 60 cv_verify "SELECT EXISTS (
    SELECT FROM codeverify.progress
    WHERE operation = 'verify' AND relation = 'audits.audit_log'::regclass AND done > 0 AND done <= total AND total >= $ENTRIES
      AND role IS NOT NULL AND elapsed > interval '0')"
equal "$(psql_db cv_verify -c 'SELECT count(*) FROM codeverify.progress')" 1 "operations under way"
psql_db cv_verify -c 'SELECT pg_cancel_backend(pid) FROM codeverify.progress' >/dev/null
if wait "$verifier"; then
    fail "the verification was not cancelled: $(cat "$WORK/verified")"
fi
grep -q 'canceling statement due to user request' "$WORK/verified" || fail "$(cat "$WORK/verified")"
equal "$(psql_db cv_verify -c 'SELECT count(*) FROM codeverify.progress')" 0 "operations under way after that"

step "timed out"
expect_error cv_verify 57014 'statement timeout' -c "SET statement_timeout = '50ms'" -c 'SELECT audits.verify(false)'
equal "$(psql_db cv_verify -c 'SELECT count(*) FROM audits.verifications')" 0 "verifications that were stored"
equal "$(psql_db cv_verify -c 'SELECT sum(verified_seq) FROM audits.lanes')" 0 "how far lanes are verified"

step "with workers"
psql_db cv_verify <<'SQL' >"$WORK/plan" 2>&1
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on;
SET auto_explain.log_timing = off;
SET client_min_messages = log;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT audits.verify(false) ->> 'verdict';
SQL
grep -q '^intact$' "$WORK/plan" || fail "$(cat "$WORK/plan")"
grep -q 'Workers Launched: [12]' "$WORK/plan" || fail "no worker took part: $(cat "$WORK/plan")"
grep -q 'Partial HashAggregate' "$WORK/plan" || fail "the pass is not one: $(cat "$WORK/plan")"

step "while others append"
psql_db cv_verify -c "
    SELECT count(audits.append('thing', 'thing.done')) FROM generate_series(1, 3000)" >/dev/null &
appender=$!
equal "$(psql_db cv_verify -c 'SELECT count(*) FROM audits.verify_chain()')" 0 "findings"
wait "$appender"
equal "$(psql_db cv_verify -c "SELECT audits.verify() ->> 'verdict'")" intact "the verdict in the end"

step "at REPEATABLE READ and SERIALIZABLE, after entries of its own"
for level in 'REPEATABLE READ' SERIALIZABLE; do
    equal "$(psql_db cv_verify <<SQL
BEGIN ISOLATION LEVEL $level;
SELECT audits.append('thing', 'thing.done') > 0;
SELECT count(*) FROM audits.verify_chain();
COMMIT;
SQL
)" $'t\n0' "findings at $level"
done

step "all of it wrong, in little memory"
psql_db cv_verify <<'SQL'
DO $triggers$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN SELECT t.relid FROM pg_partition_tree('audits.audit_log') AS t LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', relation);
    END LOOP;
END
$triggers$;
UPDATE audits.audit_log SET action = 'thing.undone';
SQL
# The peak, without the pages of the server's shared memory and of the library that the backend has come to use.
peak="SELECT substring(s.status FROM 'VmHWM:\s+(\d+)')::int
    - substring(s.status FROM 'RssFile:\s+(\d+)')::int - substring(s.status FROM 'RssShmem:\s+(\d+)')::int
FROM pg_read_file('/proc/' || pg_backend_pid() || '/status') AS s (status);"
before_and_after=$(psql_db cv_verify <<SQL
SELECT sum(length(payload::text)) > 0 FROM audits.audit_log;
$peak
SELECT count(*) FROM audits.verify_chain() WHERE verdict = 'altered';
$peak
SQL
)
mapfile -t lines <<<"$before_and_after"
((lines[2] >= ENTRIES)) || fail "expected a finding for each of $ENTRIES entries, got ${lines[2]}"
((lines[3] - lines[1] <= 65536)) || fail "it took $((lines[3] - lines[1])) kB more"
echo "  $((lines[3] - lines[1])) kB"
