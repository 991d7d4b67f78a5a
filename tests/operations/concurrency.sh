#!/usr/bin/env bash
# CREATE EXTENSION in several databases at once on a server without the roles, imports of one log at once, owners who
# remove each other, an organization that goes while a log line comes.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"
scratch_cluster

ROLES=(codeverify_{service,admin,tenant,ingest,auditor,owner})

# together N COMMAND ...: the command N times at once, with its number as last argument; all must succeed.
together() {
    local n=$1 i failed=0
    local -a pids=()
    shift
    for ((i = 1; i <= n; i++)); do
        "$@" "$i" >"$WORK/together.$i" 2>&1 &
        pids+=($!)
    done
    for ((i = 1; i <= n; i++)); do
        wait "${pids[i - 1]}" || { failed=1 && echo "number $i of: $*" && cat "$WORK/together.$i"; }
    done
    ((failed == 0)) || fail "not all of $n at once succeeded: $*"
}

install_in() { psql_db "cv_race$1" -c 'CREATE EXTENSION codeverify'; }

step "CREATE EXTENSION in four databases at once, three times, each time without the roles"
for round in 1 2 3; do
    for i in 1 2 3 4; do create_db "cv_race$i"; done
    for role in "${ROLES[@]}"; do psql_db postgres -c "DROP ROLE IF EXISTS $role"; done
    together 4 install_in
    for i in 1 2 3 4; do
        equal "$(psql_db "cv_race$i" -c "SELECT to_regclass('analysis.findings') IS NOT NULL")" t "round $round, tables"
    done
done

step "two imports of one log at once, five times: nothing twice, no deadlock"
read -r org_id user_id repo_id analysis_id < <(seed cv_race1)
import_again() { import_log cv_race1 "$org_id" "$user_id" "$analysis_id"; }
for round in 1 2 3 4 5; do
    analysis_id=$(psql_db cv_race1 -v org_id="$org_id" -v user_id="$user_id" -v repo_id="$repo_id" -v pr="$round" <<'SQL'
BEGIN;
SELECT tenancy.assume(:'org_id', :'user_id')
\g /dev/null
SELECT analysis.start_analysis(:'repo_id', 100 + :pr, repeat('b', 40));
COMMIT;
SQL
    )
    together 2 import_again
    equal "$(psql_db cv_race1 -c "SELECT count(*) FROM analysis.findings WHERE analysis_id = '$analysis_id'")" 290 \
        "round $round, findings"
    grep -hE '^0\|' "$WORK"/together.[12] | sort >"$WORK/rows"
    equal "$(cut -d '|' -f 3,4 "$WORK/rows" | paste -sd ' ')" "0|290 290|0" "round $round, imported and updated"
done

# remove NUMBER: as one of two owners, in an own transaction, that of the other number.
remove() {
    psql_db cv_race1 -v VERBOSITY=verbose -v org_id="$org_id" -v me="${owners[$1 - 1]}" -v other="${owners[2 - $1]}" <<SQL 2>&1
BEGIN ISOLATION LEVEL $isolation;
SET LOCAL deadlock_timeout = '100ms';
SET LOCAL ROLE codeverify_service;
SELECT tenancy.assume(:'org_id', :'me')
\\g /dev/null
SELECT pg_sleep(0.05)
\\g /dev/null
SELECT tenancy.remove_member(:'org_id', :'other');
COMMIT;
SQL
}

step "two owners remove each other at once, at each isolation level, ten times: one stays, without a deadlock"
read -r first second < <(psql_db cv_race1 -c "
    WITH added AS (INSERT INTO auth.users (email) VALUES ('first@example.org'), ('second@example.org') RETURNING id)
    SELECT string_agg(id::text, ' ') FROM added")
owners=("$first" "$second")
for isolation in 'READ COMMITTED' 'REPEATABLE READ' SERIALIZABLE; do
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        org_id=$(psql_db cv_race1 -c "SELECT tenancy.create_organization('Pair', owner_id => '$first')")
        psql_db cv_race1 -c "INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES ('$org_id', '$second', 'owner')" >/dev/null
        remove 1 >"$WORK/remove.1" &
        remove 2 >"$WORK/remove.2" || true
        wait $! || true
        equal "$(psql_db cv_race1 -c "SELECT count(*) FROM tenancy.org_memberships WHERE org_id = '$org_id' AND role = 'owner'")" 1 \
            "owners at $isolation"
        if grep -q '40P01' "$WORK"/remove.[12]; then fail "a deadlock at $isolation: $(cat "$WORK"/remove.[12])"; fi
    done
done

step "an organization that is deleted while a log line is written leaves none behind"
org_id=$(psql_db cv_race1 -c "SELECT tenancy.create_organization('Short-lived')")
write_line() {
    psql_db cv_race1 -c BEGIN -c "INSERT INTO observability.logs (org_id, ts, level, message) VALUES ('$org_id', now(), 'info', 'x')" \
        -c 'SELECT pg_sleep(1)' -c COMMIT >/dev/null
}
write_line &
wait_for 10 cv_race1 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'cv_race1' AND query LIKE '%pg_sleep(1)%' AND pid <> pg_backend_pid())"
psql_db cv_race1 -c "DELETE FROM tenancy.organizations WHERE id = '$org_id'"
wait $!
equal "$(psql_db cv_race1 -c "SELECT count(*) FROM observability.logs WHERE org_id = '$org_id'")" 0 "orphaned log lines"
