#!/usr/bin/env bash
# kill -9 of every server process in the middle of CREATE EXTENSION and of an import: nothing is half-done.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"
scratch_cluster

SLEEPING="SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

crash() {
    wait_for 60 postgres "$SLEEPING"
    "$ROOT/scripts/cluster" scratch kill9
    wait || true
    use_cluster scratch
}

step "in the middle of CREATE EXTENSION"
create_db cv_crash
psql_db cv_crash <<'SQL'
CREATE FUNCTION public.linger() RETURNS event_trigger LANGUAGE plpgsql AS '
BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS c WHERE c.object_identity = ''analysis.findings'') THEN
        PERFORM pg_sleep(600);
    END IF;
END';
CREATE EVENT TRIGGER linger ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.linger();
SQL
psql_db cv_crash -c 'CREATE EXTENSION codeverify' >"$WORK/killed" 2>&1 &
crash
grep -qE 'server closed the connection|terminating connection' "$WORK/killed" || fail "it was not cut off: $(cat "$WORK/killed")"
equal "$(psql_db cv_crash -c "SELECT string_agg(nspname, ', ') FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'public')")" "" "schemas after the crash"
equal "$(psql_db cv_crash -c "SELECT string_agg(extname, ', ') FROM pg_extension WHERE extname <> 'plpgsql'")" "" \
    "extensions after the crash"
equal "$(psql_db cv_crash -c "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'codeverify\_%'")" 0 "roles after the crash"

step "CREATE EXTENSION works after it"
psql_db cv_crash -c 'DROP EVENT TRIGGER linger' -c 'DROP FUNCTION public.linger()' -c 'CREATE EXTENSION codeverify'

step "in the middle of an import"
read -r org_id user_id _ analysis_id < <(seed cv_crash)
before=$(psql_db cv_crash -c "SELECT md5(a::text) FROM analysis.analyses AS a")
linger cv_crash analysis.findings 100
import_log cv_crash "$org_id" "$user_id" "$analysis_id" >"$WORK/killed" 2>&1 &
crash
equal "$(psql_db cv_crash -c 'SELECT count(*) FROM analysis.findings')" 0 "findings after the crash"
equal "$(psql_db cv_crash -c "SELECT md5(a::text) FROM analysis.analyses AS a")" "$before" "the analysis after the crash"

step "the import works after it"
unlinger cv_crash
import_log cv_crash "$org_id" "$user_id" "$analysis_id"
equal "$(psql_db cv_crash -c 'SELECT count(*) FROM analysis.findings')" 290 "findings"

step "a committed import survives a crash"
linger cv_crash scm.repositories 1
psql_db cv_crash -c "INSERT INTO scm.repositories (org_id, github_id, name, full_name) VALUES ('$org_id', 2, 'a', 'a/a')" \
    >"$WORK/killed" 2>&1 &
crash
equal "$(psql_db cv_crash -c 'SELECT count(*) FROM analysis.findings')" 290 "findings after one more crash"
equal "$(psql_db cv_crash -c 'SELECT count(*) FROM scm.repositories')" 1 "repositories after one more crash"
