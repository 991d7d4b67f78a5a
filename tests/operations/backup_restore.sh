#!/usr/bin/env bash
# Dump and restore: custom format and plain, into a new database, another server and a fresh deploy; as a superuser
# and as a member of codeverify_owner; with partitions made at run time and a user's own column, index and policy.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"

# A dump as text, without the random tokens that psql's restricted mode puts in.
dump() { pg_dump "${@:2}" -d "$1" | sed -E '/^\\(un)?restrict /d'; }

same() {
    diff "$1" "$2" >"$WORK/diff" || fail "$3: the dumps differ: $(head -n 60 "$WORK/diff")"
}

# Every row and sequence of a database, as sorted lines: which partition holds a row makes no difference.
rows() {
    dump "$1" --data-only --load-via-partition-root --inserts 2>/dev/null | grep -vE '^(--|$)' | sort >"$WORK/$1.rows"
    [[ -s $WORK/$1.rows ]] || fail "there are no rows in $1"
}

make_partitions() {
    psql_db "$1" -c "SELECT codeverify.create_partitions('audits.audit_log', 'month', 30, 5)" \
        -c "SELECT codeverify.create_partitions('observability.logs', 'day', 3, 20)" >/dev/null
}

step "a database with findings, rows of any date, partitions made at run time and a user's own additions"
create_deployed_db cv_source
read -r org_id user_id _ analysis_id < <(seed cv_source)
import_log cv_source "$org_id" "$user_id" "$analysis_id" >/dev/null
make_partitions cv_source
psql_db cv_source -v org_id="$org_id" <<'SQL'
INSERT INTO observability.logs (org_id, ts, message)
SELECT :'org_id', now() + d * interval '1 day', 'day ' || d
FROM generate_series(-400, 400, 5) AS d;
INSERT INTO audits.audit_log (org_id, action)
SELECT :'org_id', 'day ' || d
FROM generate_series(-400, 400, 5) AS d;
ALTER TABLE analysis.findings ADD COLUMN ticket text DEFAULT 'none';
UPDATE analysis.findings SET ticket = 'SEC-' || line_start;
CREATE INDEX findings_ticket_idx ON analysis.findings (ticket);
CREATE POLICY mine ON analysis.findings AS RESTRICTIVE FOR SELECT TO codeverify_auditor USING (ticket IS NOT NULL);
CREATE TABLE public.notes (finding_id uuid REFERENCES analysis.findings (id), note text);
INSERT INTO public.notes SELECT id, title FROM analysis.findings LIMIT 5;
SQL
# A set of a user's own, whose partitions maintenance makes out of what was in the table. codeverify_admin is a role that
# every server with codeverify has.
psql_db cv_source -c 'GRANT codeverify_admin TO codeverify_owner' -c 'GRANT CREATE ON SCHEMA public TO codeverify_admin'
on_exit psql_db postgres -c 'REVOKE codeverify_admin FROM codeverify_owner'
psql_db cv_source <<'SQL'
CREATE TABLE public.measurements (at timestamptz NOT NULL, celsius numeric);
ALTER TABLE public.measurements OWNER TO codeverify_admin;
INSERT INTO public.measurements SELECT now() + d * interval '10 days', d FROM generate_series(-20, 5) AS d;
SELECT codeverify.partition_table('public.measurements', 'at', 'month');
SELECT FROM codeverify.maintain('public.measurements');
SQL
equal "$(psql_db cv_source -c 'SELECT count(*) FROM ONLY public.measurements_default')" 0 "rows without a partition"
dump cv_source >"$WORK/source.sql"

step "custom format: pg_restore --exit-on-error into a new database, and the dumps are equal"
pg_dump -Fc -f "$WORK/source.dump" -d cv_source
create_db cv_custom
pg_restore --exit-on-error -d cv_custom "$WORK/source.dump"
dump cv_custom >"$WORK/custom.sql"
same "$WORK/source.sql" "$WORK/custom.sql" "custom format"

step "in parallel"
create_db cv_parallel
pg_restore --exit-on-error --jobs 2 -d cv_parallel "$WORK/source.dump"
dump cv_parallel >"$WORK/parallel.sql"
same "$WORK/source.sql" "$WORK/parallel.sql" "in parallel"

step "plain: psql with ON_ERROR_STOP into a new database, and the dumps are equal"
create_db cv_text
psql_db cv_text -f "$WORK/source.sql" >/dev/null
dump cv_text >"$WORK/text.sql"
same "$WORK/source.sql" "$WORK/text.sql" "plain"

step "the copy works: it imports, isolates, and deploy() adopts it"
equal "$(psql_db cv_custom -c 'SELECT codeverify.deploy()')" adopted "deploy() in the copy"
import_log cv_custom "$org_id" "$user_id" "$analysis_id" >"$WORK/again"
equal "$(psql_db cv_custom -c 'SELECT count(*) FROM analysis.findings')" 290 "findings after importing into the copy"
equal "$(psql_db cv_custom -c 'SET ROLE codeverify_tenant' -c 'SELECT count(*) FROM analysis.findings')" 0 \
    "findings without a context"

# pg_restore --disable-triggers would name every partition of the source; the session's role needs no names.
step "data alone, through the partitions' roots, into a fresh deploy with other partitions: the same rows"
psql_db cv_source -c 'DROP TABLE public.notes, public.measurements' -c "
    SELECT FROM codeverify.partition_sets AS s CROSS JOIN codeverify.partition_next(s.parent::text) WHERE s.parent::text ~ '^[0-9]'"
equal "$(psql_db cv_source -c "SELECT count(*) FROM codeverify.partition_sets WHERE parent::text ~ '^[0-9]'")" 0 "sets without a table"
psql_db cv_source -c 'ALTER TABLE analysis.findings DROP COLUMN ticket CASCADE'
pg_dump --data-only --load-via-partition-root -Fc -f "$WORK/data.dump" -d cv_source 2>"$WORK/warnings"
create_deployed_db cv_fresh
PGOPTIONS='-c session_replication_role=replica' pg_restore --exit-on-error -d cv_fresh "$WORK/data.dump"
rows cv_source
rows cv_fresh
same "$WORK/cv_source.rows" "$WORK/cv_fresh.rows" "data alone"

step "with --disable-triggers, where the partitions were made first"
create_deployed_db cv_prepared
# Those of the source: maintenance has made some for rows of any date, too.
psql_db cv_source -c "SELECT format('SELECT FROM codeverify.make_partition(%L, %L, %L);', s.parent, s.period, p.lower_bound)
    FROM codeverify.list_partition_sets() AS s
    CROSS JOIN LATERAL codeverify.list_set_partitions(s.parent) AS p
    WHERE NOT p.is_default" >"$WORK/partitions.sql"
psql_db cv_prepared -f "$WORK/partitions.sql" >/dev/null
pg_restore --exit-on-error --disable-triggers -d cv_prepared "$WORK/data.dump"
rows cv_prepared
same "$WORK/cv_source.rows" "$WORK/cv_prepared.rows" "with --disable-triggers"

step "a login that is no superuser but a member of codeverify_owner dumps all of it"
psql_db postgres -c 'DROP ROLE IF EXISTS cv_backup' -c 'CREATE ROLE cv_backup LOGIN IN ROLE codeverify_owner'
on_exit psql_db postgres -c 'DROP ROLE IF EXISTS cv_backup'
dump cv_source >"$WORK/superuser.sql"
PGUSER=cv_backup dump cv_source --role=codeverify_owner >"$WORK/member.sql"
same "$WORK/superuser.sql" "$WORK/member.sql" "as a member of codeverify_owner"

step "a server without the roles: the ones that docs/operations.md names come first, then the dump"
scratch_cluster
create_db cv_moved
sed -n '/^CREATE ROLE codeverify_/p; /^GRANT codeverify_/p' "$ROOT/docs/operations.md" >"$WORK/roles.sql"
[[ -s $WORK/roles.sql ]] || fail "docs/operations.md has no CREATE ROLE statements"
psql_db postgres -f "$WORK/roles.sql"
pg_restore --exit-on-error -d cv_moved "$WORK/source.dump"
dump cv_moved >"$WORK/moved.sql"
same "$WORK/source.sql" "$WORK/moved.sql" "another server"
