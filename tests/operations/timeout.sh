#!/usr/bin/env bash
# An import that statement_timeout cancels leaves nothing, wherever it is when that happens.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"

create_deployed_db cv_timeout
read -r org_id user_id _ analysis_id < <(seed cv_timeout)
before=$(psql_db cv_timeout -c "SELECT md5(a::text) FROM analysis.analyses AS a")

untouched() {
    equal "$(psql_db cv_timeout -c 'SELECT count(*) FROM analysis.findings')" 0 "findings after $1"
    equal "$(psql_db cv_timeout -c "SELECT md5(a::text) FROM analysis.analyses AS a")" "$before" "the analysis after $1"
}

step "cancelled between two rows"
linger cv_timeout analysis.findings 100
if import_log cv_timeout "$org_id" "$user_id" "$analysis_id" 'SET statement_timeout = 500;' >"$WORK/said" 2>&1; then
    fail "the import was not cancelled"
fi
grep -q 'canceling statement due to statement timeout' "$WORK/said" || fail "expected a timeout, got: $(cat "$WORK/said")"
untouched "a cancelled import"
unlinger cv_timeout

# While it still parses the statement, the server calls the cause a user request: both are SQLSTATE 57014.
step "cancelled after 1, 2, 4, ... ms, until it is let through"
for ((limit = 1; limit <= 16384; limit *= 2)); do
    if import_log cv_timeout "$org_id" "$user_id" "$analysis_id" "SET statement_timeout = $limit;" >"$WORK/said" 2>&1; then
        break
    fi
    grep -q 'canceling statement due to' "$WORK/said" || fail "after $limit ms: $(cat "$WORK/said")"
    untouched "$limit ms"
done
echo "  let through with $limit ms"
equal "$(psql_db cv_timeout -c 'SELECT count(*) FROM analysis.findings')" 290 "findings"
