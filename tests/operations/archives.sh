#!/usr/bin/env bash
# Archiving while others append, a reader who stays, a dump with archives, and keys of personal fields that are needed
# and erased at the same time.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"
[[ -n ${PGHOST:-} ]] || use_cluster test
create_deployed_db cv_archives
create_db cv_archives_copy

SUBJECT=11111111-1111-1111-1111-111111111111
run() { psql_db cv_archives -c "$1"; }

# One month ends now; what comes next goes to another partition.
psql_db postgres -f "$ROOT/tests/month_goes_on.sql"
run "
    SET codeverify.capture = off;
    INSERT INTO tenancy.organizations (id, name) VALUES ('$SUBJECT', 'A');
    INSERT INTO audits.audit_log (org_id, action, payload)
    SELECT CASE WHEN n % 2 = 0 THEN '$SUBJECT'::uuid END, 'early', jsonb_build_object('n', n)
    FROM generate_series(1, 3000) AS n"
run "
    DO \$\$
    DECLARE
        month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
        name text := to_char(month, '\"audit_log_\"YYYY_MM');
        cut timestamptz := clock_timestamp();
    BEGIN
        EXECUTE format('ALTER TABLE audits.audit_log DETACH PARTITION audits.%I', name);
        EXECUTE format('ALTER TABLE audits.%I RENAME TO audit_log_closed', name);
        EXECUTE format('ALTER TABLE audits.audit_log ATTACH PARTITION audits.audit_log_closed FOR VALUES FROM (%L) TO (%L)',
            month AT TIME ZONE 'UTC', cut);
        EXECUTE format('CREATE TABLE audits.%I PARTITION OF audits.audit_log FOR VALUES FROM (%L) TO (%L)',
            name, cut, (month + interval '1 month') AT TIME ZONE 'UTC');
    END
    \$\$"

step "a reader who stays open: archiving gives up, and has changed nothing"
reader() { run "BEGIN; SELECT count(*) FROM audits.audit_log; SELECT pg_sleep(600)"; }
reader >/dev/null 2>&1 &
for _ in {1..100}; do
    [[ $(run "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND wait_event = 'PgSleep'") == 1 ]] && break
    sleep 0.1
done
refusal=$(run "SET lock_timeout = '50ms'; SELECT audits.archive_partition('audits.audit_log_closed')" 2>&1 || true)
[[ $refusal == *"could not obtain the lock"* ]] || fail "archiving under a reader: $refusal"
equal "$(run 'SELECT count(*) FROM audits.archives')" 0 "archives"
equal "$(run "SELECT count(*) FROM audits.audit_log WHERE action = 'early'")" 3000 "entries"
run "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'" >/dev/null
wait || true

step "appends at every isolation level while the month is archived: none fails, none is lost"
append() {
    local i
    for ((i = 0; i < 100; i++)); do
        echo "BEGIN ISOLATION LEVEL $1;"
        echo "SELECT count(*) FROM tenancy.organizations;"
        echo "INSERT INTO audits.audit_log (org_id, action) VALUES ('$SUBJECT', 'late'), (NULL, 'late');"
        echo "COMMIT;"
    done | psql_db cv_archives >/dev/null
}
pids=()
for level in 'READ COMMITTED' 'REPEATABLE READ' 'SERIALIZABLE' 'READ COMMITTED'; do
    append "$level" &
    pids+=($!)
done
run "SELECT audits.archive_partition('audits.audit_log_closed') ->> 'entries'" >"$WORK/archived"
for pid in "${pids[@]}"; do wait "$pid" || fail "an append failed"; done
equal "$(cat "$WORK/archived")" 3000 "archived entries"
equal "$(run "SELECT is_archived, count(*) FROM audits.entries WHERE action IN ('early', 'late') GROUP BY 1 ORDER BY 1" | paste -sd ' ')" \
    "f|800 t|3000" "entries"
equal "$(run "SELECT audits.verify(false) ->> 'verdict'")" intact "verdict"

step "archives are in a dump"
pg_dump -Fc -d cv_archives -f "$WORK/dump"
pg_restore --exit-on-error -d cv_archives_copy "$WORK/dump"
equal "$(psql_db cv_archives_copy -c 'SELECT count(*) FROM audits.read_archive(NULL, NULL)')" 3000 "restored entries"
equal "$(psql_db cv_archives_copy -c 'SELECT count(*) FROM audits.verify_archives()')" 0 "faults"

step "two transactions that need a person's first key at once: neither waits, neither fails"
# seal NUMBER SECONDS: an entry with a personal field, in a transaction that stays open.
seal() {
    psql_db cv_archives <<SQL
BEGIN ISOLATION LEVEL SERIALIZABLE;
SET LOCAL lock_timeout = '2s';
INSERT INTO audits.audit_log (org_id, action, payload)
VALUES ('$SUBJECT', 'sealed $1', '{"name": {"\$personal": "Ann $1", "subject": "$SUBJECT"}}');
SELECT pg_sleep($2);
COMMIT;
SQL
}
seal 1 1 >/dev/null &
first=$!
seal 2 1 >/dev/null &
second=$!
wait "$first" || fail "the first"
wait "$second" || fail "the second"
equal "$(run "SELECT audits.reveal(payload) ->> 'name' FROM audits.audit_log WHERE action LIKE 'sealed%' ORDER BY action" | paste -sd ' ')" \
    "Ann 1 Ann 2" "revealed"

step "an erasure waits for a key that is being made, and erases it too"
other=22222222-2222-2222-2222-222222222222
psql_db cv_archives >/dev/null <<SQL &
BEGIN;
INSERT INTO audits.audit_log (org_id, action, payload)
VALUES ('$SUBJECT', 'open', '{"name": {"\$personal": "Bob", "subject": "$other"}}');
SELECT pg_sleep(2);
COMMIT;
SQL
maker=$!
for _ in {1..100}; do
    [[ $(run "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(2)%' AND wait_event = 'PgSleep'") == 1 ]] && break
    sleep 0.05
done
equal "$(run "SELECT audits.erase_subject('$other') ->> 'keys'")" 1 "keys erased"
wait "$maker" || fail "the entry"
equal "$(run "SELECT audits.reveal(payload) -> 'name' ->> '\$erased' FROM audits.audit_log WHERE action = 'open'")" "$other" "revealed"
equal "$(run "SELECT count(*) FROM audits.subject_keys WHERE subject_id = '$other' AND key IS NOT NULL")" 0 "keys"
equal "$(run "SELECT audits.verify(false) ->> 'verdict'")" intact "verdict"
