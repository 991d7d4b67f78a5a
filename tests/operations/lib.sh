# shellcheck shell=bash
# Helpers of the tests in tests/operations and tests/clients. Source it after `set -euo pipefail`.
# The server comes from PGHOST, PGPORT and PGUSER; a test that is run by hand starts the cluster "test" itself.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
PATH=$("${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}" --bindir):$PATH
SARIF=$ROOT/tests/data/sarif/bandit-django-4.2.16.sarif
export PGOPTIONS=${PGOPTIONS:--c client_min_messages=warning}
WORK=$(mktemp -d)
CLEANUP=()

# on_exit COMMAND ...: what was asked for last is done first, on the server of now.
on_exit() { CLEANUP=("PGHOST=${PGHOST@Q} PGPORT=${PGPORT@Q} ${*@Q}" "${CLEANUP[@]}"); }
clean_up() {
    local command
    for command in "${CLEANUP[@]}"; do eval "$command" || true; done
    rm -rf "$WORK"
}
trap clean_up EXIT

step() { printf '%s\n' "- $*"; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# equal ACTUAL EXPECTED WHAT
equal() { [[ $1 == "$2" ]] || fail "$3: expected \"$2\", got \"$1\""; }

use_cluster() {
    "$ROOT/scripts/cluster" "$1" start "${@:2}"
    eval "$("$ROOT/scripts/cluster" "$1" env)"
}

# A server of the test's own, for what would disturb others: crashes, roles, restores.
scratch_cluster() {
    "$ROOT/scripts/cluster" scratch destroy
    use_cluster scratch -c fsync=off
    on_exit "$ROOT/scripts/cluster" scratch destroy
}

# psql_db DATABASE [ARGUMENT ...]: values alone, an error ends it.
psql_db() {
    local database=$1
    shift
    psql -XAtq -v ON_ERROR_STOP=1 -d "$database" "$@"
}

drop_db() { psql_db postgres -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)"; }

create_db() {
    drop_db "$1"
    psql_db postgres -c "CREATE DATABASE $1 TEMPLATE template0"
    on_exit drop_db "$1"
}

create_deployed_db() {
    create_db "$1"
    psql_db "$1" -c 'CREATE EXTENSION codeverify'
}

# expect_error DATABASE SQLSTATE PATTERN [PSQL ARGUMENT ...]: the SQL fails so, and says so.
expect_error() {
    local database=$1 sqlstate=$2 pattern=$3 said
    shift 3
    if said=$(psql_db "$database" -v VERBOSITY=verbose "$@" 2>&1); then
        fail "expected error $sqlstate ($pattern), but it succeeded: $*"
    fi
    [[ $said == *"ERROR:  $sqlstate:"* ]] || fail "expected SQLSTATE $sqlstate, got: $said"
    grep -qE -- "$pattern" <<<"$said" || fail "expected \"$pattern\" in: $said"
}

# wait_for SECONDS DATABASE SQL: until the SQL returns true.
wait_for() {
    local deadline=$((SECONDS + $1))
    until [[ $(psql_db "$2" -c "$3" 2>/dev/null) == t ]]; do
        ((SECONDS < deadline)) || fail "still not true after $1 s: $3"
        sleep 0.1
    done
}

# seed DATABASE: an organization with a repository and a running analysis, whose ids it prints.
seed() {
    psql_db "$1" <<'SQL'
INSERT INTO auth.users (github_id, username, email)
VALUES (1, 'owner', 'owner@example.org')
RETURNING id AS user_id
\gset
SELECT tenancy.create_organization('Django', 'django', 1, :'user_id') AS org_id
\gset
INSERT INTO scm.repositories (org_id, github_id, name, full_name)
VALUES (:'org_id', 1, 'django', 'django/django')
RETURNING id AS repo_id
\gset
BEGIN;
SELECT tenancy.assume(:'org_id', :'user_id')
\g /dev/null
SELECT analysis.start_analysis(:'repo_id', 1, repeat('a', 40)) AS analysis_id
\gset
COMMIT;
\echo :org_id :user_id :repo_id :analysis_id
SQL
}

# import_log DATABASE ORG_ID USER_ID ANALYSIS_ID [SQL that runs first]: one import of the real log, as one transaction.
import_log() {
    psql_db "$1" -v org_id="$2" -v user_id="$3" -v analysis_id="$4" <<SQL
${5:-}
\\set sarif \`cat "\$SARIF_FILE"\`
BEGIN;
SELECT tenancy.assume(:'org_id', :'user_id')
\\g /dev/null
SELECT * FROM analysis.import_sarif(:'analysis_id', :'sarif');
COMMIT;
SQL
}

# linger DATABASE TABLE ROW: the insertion of that row into the table takes ten minutes.
linger() {
    psql_db "$1" <<SQL
CREATE SEQUENCE public.lingering;
CREATE FUNCTION public.linger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS '
BEGIN
    IF nextval(''public.lingering'') = $3 THEN
        PERFORM pg_sleep(600);
    END IF;
    RETURN NEW;
END';
CREATE TRIGGER linger BEFORE INSERT ON $2 FOR EACH ROW EXECUTE FUNCTION public.linger();
SQL
}

unlinger() {
    psql_db "$1" -c 'DROP FUNCTION public.linger() CASCADE' -c 'DROP SEQUENCE public.lingering'
}

export SARIF_FILE=$SARIF
[[ -n ${PGHOST:-} ]] || use_cluster test
