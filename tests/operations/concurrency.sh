#!/usr/bin/env bash
# CREATE EXTENSION in several databases at once on a server without the roles, and imports of one log at once.
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
