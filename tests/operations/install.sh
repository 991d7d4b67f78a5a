#!/usr/bin/env bash
# CREATE EXTENSION, what it refuses and how, uninstall() and DROP EXTENSION.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"

DOMAINS="'codeverify', 'tenancy', 'auth', 'scm', 'analysis', 'integrations', 'attestations', 'telemetry',
         'observability', 'projects', 'experiments_v1', 'production', 'quarantine', 'providers', 'audits'"

count_schemas() { psql_db "$1" -c "SELECT count(*) FROM pg_namespace WHERE nspname IN ($DOMAINS)"; }

count_tables() {
    psql_db "$1" -c "SELECT count(*) FROM pg_tables WHERE schemaname IN ($DOMAINS)"
}

nothing_there() {
    equal "$(psql_db "$1" -c "SELECT count(*) FROM pg_extension WHERE extname = 'codeverify'")" 0 "extensions after $2"
    equal "$(count_tables "$1")" 0 "tables after $2"
}

create_db cv_install
psql_db cv_install -c 'CREATE EXTENSION codeverify'

step "version() is the extension's version"
equal "$(psql_db cv_install -c 'SELECT codeverify.version()')" \
    "$(psql_db cv_install -c "SELECT extversion FROM pg_extension WHERE extname = 'codeverify'")" "version"

step "deploy() adopts what is there"
equal "$(psql_db cv_install -c 'SELECT codeverify.deploy()')" adopted "a second deploy()"

step "only functions and event triggers are members of the extension"
equal "$(psql_db cv_install -c "
    SELECT string_agg(pg_describe_object(classid, objid, objsubid), ', ')
    FROM pg_depend
    WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'codeverify')
      AND deptype = 'e' AND classid NOT IN ('pg_proc'::regclass, 'pg_event_trigger'::regclass)")" "" "members that are data"

step "DROP EXTENSION refuses while there is data"
tables=$(count_tables cv_install)
expect_error cv_install 2BP01 'depend' -c 'DROP EXTENSION codeverify'
equal "$(count_tables cv_install)" "$tables" "tables after DROP EXTENSION was refused"

step "uninstall() wants the database's name, and spares what depends on the tables"
expect_error cv_install VC002 "uninstall\('cv_install'\)" -c "SELECT codeverify.uninstall('yes')"
psql_db cv_install -c 'SELECT codeverify.uninstall(NULL)' >/dev/null
equal "$(count_tables cv_install)" "$tables" "tables after uninstall(NULL)"
psql_db cv_install -c 'CREATE VIEW public.mine AS SELECT id FROM analysis.findings'
expect_error cv_install 2BP01 'public\.mine|view mine' -c "SELECT codeverify.uninstall('cv_install')"
equal "$(count_tables cv_install)" "$tables" "tables after uninstall() was refused"
psql_db cv_install -c 'DROP VIEW public.mine'

step "uninstall() and DROP EXTENSION leave nothing; installing again works"
psql_db cv_install -c "SELECT codeverify.uninstall('cv_install')" -c 'DROP EXTENSION codeverify' >/dev/null
nothing_there cv_install "uninstall"
equal "$(count_schemas cv_install)" 0 "schemas after uninstall"
psql_db cv_install -c 'CREATE EXTENSION codeverify'
equal "$(count_tables cv_install)" "$tables" "tables of the second installation"

step "a schema of that name, or some of them: refused, and named"
create_db cv_conflict
psql_db cv_conflict -c 'CREATE SCHEMA audits' -c 'CREATE TABLE audits.mine (id int)'
expect_error cv_conflict VC001 'exist already: audits' -c 'CREATE EXTENSION codeverify'
psql_db cv_conflict -c 'CREATE SCHEMA analysis'
expect_error cv_conflict VC001 'exist already: analysis, audits' -c 'CREATE EXTENSION codeverify'
equal "$(count_schemas cv_conflict)" 2 "schemas after the refusal"
psql_db cv_conflict -c 'DROP SCHEMA analysis' -c 'DROP SCHEMA audits CASCADE' -c 'CREATE EXTENSION codeverify'
equal "$(count_tables cv_conflict)" "$tables" "tables after the conflict is gone"

step "all schemas but only some tables: deploy() refuses and names them"
create_db cv_partly
psql_db cv_partly -c 'SET codeverify.deploy = off' -c 'CREATE EXTENSION codeverify' \
    -c 'CREATE TABLE analysis.findings (id int)'
expect_error cv_partly VC003 'analysis\.findings' -c 'SELECT codeverify.deploy()'
equal "$(count_tables cv_partly)" 1 "tables after deploy() refused"

step "codeverify.deploy = off makes no tables; deploy() later makes the same as CREATE EXTENSION"
create_db cv_later
psql_db cv_later -c 'SET codeverify.deploy = off' -c 'CREATE EXTENSION codeverify'
equal "$(count_tables cv_later)" 0 "tables with codeverify.deploy = off"
equal "$(psql_db cv_later -c 'SELECT codeverify.deploy()')" deployed "deploy() later"
for database in cv_install cv_later; do
    pg_dump --schema-only -d "$database" | sed -E '/^\\(un)?restrict /d' >"$WORK/$database.sql"
done
diff "$WORK/cv_install.sql" "$WORK/cv_later.sql" >"$WORK/diff" || fail "they differ: $(head -n 40 "$WORK/diff")"

step "codeverify.deploy takes no other value"
expect_error cv_later 22023 'codeverify.deploy' -c "LOAD 'codeverify'" -c "SET codeverify.deploy = 'perhaps'"

step "nothing is made on a Citus worker"
create_db cv_worker
psql_db cv_worker -c 'SET allow_system_table_mods = on' \
    -c 'CREATE TABLE pg_catalog.pg_dist_local_group (groupid int)' \
    -c 'INSERT INTO pg_catalog.pg_dist_local_group VALUES (1)' \
    -c 'CREATE EXTENSION codeverify'
equal "$(count_tables cv_worker)" 0 "tables on a worker"
equal "$(psql_db cv_worker -c 'SELECT codeverify.deploy()')" worker "deploy() on a worker"

step "schemas that are in other hands are not adopted"
psql_db postgres -c 'DROP ROLE IF EXISTS cv_stranger' -c 'CREATE ROLE cv_stranger LOGIN'
on_exit psql_db postgres -c 'DROP ROLE IF EXISTS cv_stranger'
create_db cv_stranger
psql_db cv_stranger -c 'GRANT CREATE ON DATABASE cv_stranger TO cv_stranger'
for schema in codeverify tenancy auth scm analysis integrations attestations telemetry observability projects \
    experiments_v1 production quarantine providers audits; do
    PGUSER=cv_stranger psql_db cv_stranger -c "CREATE SCHEMA $schema"
done
expect_error cv_stranger VC001 'not its own: analysis, attestations' -c 'CREATE EXTENSION codeverify'

step "a stranger's functions are not called by the script"
create_db cv_shadow
psql_db cv_shadow -c 'GRANT CREATE ON DATABASE cv_shadow TO cv_stranger'
PGUSER=cv_stranger psql_db cv_shadow -c 'CREATE SCHEMA postgres' \
    -c "CREATE FUNCTION postgres.format(text, text, text) RETURNS text LANGUAGE plpgsql AS
        \$\$ BEGIN RAISE EXCEPTION 'called as %', current_user; END \$\$" \
    -c "CREATE FUNCTION postgres.array_to_string(name[], text) RETURNS text LANGUAGE plpgsql AS
        \$\$ BEGIN RAISE EXCEPTION 'called as %', current_user; END \$\$"
psql_db cv_shadow -c 'CREATE EXTENSION codeverify'
equal "$(count_tables cv_shadow)" "$tables" "tables in spite of a stranger's functions"
drop_db cv_stranger
drop_db cv_shadow

step "settings and privileges of the database change nothing of what is deployed"
create_db cv_odd
psql_db cv_odd -c 'GRANT CREATE ON DATABASE cv_odd TO cv_stranger' \
    -c 'ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO cv_stranger' \
    -c 'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO cv_stranger' \
    -c 'ALTER DATABASE cv_odd SET standard_conforming_strings = off' \
    -c 'ALTER DATABASE cv_odd SET escape_string_warning = off' \
    -c "ALTER DATABASE cv_odd SET search_path = ''" \
    -c "ALTER DATABASE cv_odd SET timezone = 'Asia/Kathmandu'"
psql_db cv_odd -c 'CREATE EXTENSION codeverify'
constraints="SELECT md5(string_agg(pg_get_constraintdef(oid), ',' ORDER BY conrelid::regclass::text, conname))
             FROM pg_constraint WHERE contype = 'c' AND connamespace IN (SELECT oid FROM pg_namespace WHERE nspowner = 'codeverify_owner'::regrole)"
equal "$(PGOPTIONS='-c standard_conforming_strings=on -c search_path=public -c timezone=UTC' psql_db cv_odd -c "$constraints")" \
    "$(PGOPTIONS='-c search_path=public -c timezone=UTC' psql_db cv_install -c "$constraints")" "CHECK constraints"
equal "$(psql_db cv_odd -c "SELECT count(*) FROM pg_proc AS p, aclexplode(p.proacl) AS a
    WHERE a.grantee = 'cv_stranger'::regrole AND p.pronamespace::regnamespace::text = 'tenancy'")" 0 "functions of a stranger's"
psql_db cv_odd -c "SELECT codeverify.create_partitions('observability.logs', 'day', 3, 20)" >/dev/null
equal "$(psql_db cv_odd -c "SELECT count(*) FROM tenancy.coverage
    WHERE NOT (row_security AND forced AND restrictive_policy AND leading_index) OR direct_partition_grants")" 0 "gaps in the coverage"
policies=$(psql_db cv_odd -c 'SELECT count(*) FROM pg_policy')
psql_db cv_odd -c 'DROP SCHEMA public CASCADE'
equal "$(psql_db cv_odd -c 'SELECT count(*) FROM pg_policy')" "$policies" "policies without schema public"

step "after uninstall() and deploy() a dump is whole again; a deployment without its policies is not adopted"
psql_db cv_odd -c 'CREATE SCHEMA mine AUTHORIZATION codeverify_owner' -c "SELECT codeverify.uninstall('cv_odd')" \
    -c 'SELECT codeverify.deploy()' >/dev/null
equal "$(psql_db cv_odd -c "SELECT count(*) FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND deptype = 'e'")" 0 \
    "schemas that are members"
psql_db cv_odd -c 'DROP EXTENSION codeverify CASCADE' -c 'CREATE EXTENSION codeverify'
expect_error cv_odd VC003 'analysis\.findings' -c 'SELECT codeverify.deploy()'
drop_db cv_odd

step "a database that is not UTF8 is refused"
psql_db postgres -c 'DROP DATABASE IF EXISTS cv_latin'
on_exit drop_db cv_latin
createdb --maintenance-db=postgres --encoding=LATIN1 --locale=C --template=template0 cv_latin
expect_error cv_latin VC005 'UTF8, not LATIN1' -c 'CREATE EXTENSION codeverify'

step "a plain role, even as the database's owner, gets a clear error"
psql_db postgres -c 'DROP ROLE IF EXISTS cv_plain'
on_exit psql_db postgres -c 'DROP ROLE IF EXISTS cv_plain'
create_db cv_plain
psql_db postgres -c 'CREATE ROLE cv_plain LOGIN' -c 'ALTER DATABASE cv_plain OWNER TO cv_plain'
PGUSER=cv_plain expect_error cv_plain 42501 'Must be superuser to create this extension' -c 'CREATE EXTENSION codeverify'
nothing_there cv_plain "the refusal"
