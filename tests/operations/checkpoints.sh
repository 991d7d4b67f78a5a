#!/usr/bin/env bash
# Checkpoints while others append, at every isolation level, one after another, cancelled and rolled back: every note
# that was committed stays true.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"

create_deployed_db cv_checkpoints
psql_db cv_checkpoints <<'SQL'
CREATE TABLE public.notes (id bigserial PRIMARY KEY, note text);
CREATE PROCEDURE public.append(entries int)
LANGUAGE plpgsql
AS $$
BEGIN
    FOR n IN 1 .. entries LOOP
        PERFORM audits.append('thing', 'thing.done', jsonb_build_object('n', n));
        IF random() < 0.2 THEN
            ROLLBACK;
        ELSE
            COMMIT;
        END IF;
    END LOOP;
END
$$;
SQL

# Notes that do not verify, or of which one does not continue another.
BROKEN="
    WITH note AS (
        SELECT id, note, split_part(note, E'\n', 2)::bigint AS size, decode(split_part(note, E'\n', 3), 'base64') AS root
        FROM public.notes)
    SELECT (SELECT count(*) FROM note WHERE audits.verify_against(note) ->> 'status' <> 'consistent')
         + (SELECT count(*) FROM (SELECT *, lag(size) OVER w AS old_size, lag(root) OVER w AS old_root FROM note WINDOW w AS (ORDER BY size, id)) AS n
            WHERE old_size IS NOT NULL
              AND NOT audits.verify_consistency(old_size, size, old_root, root, audits.consistency_proof(old_size, size)))"

step "the first one, of an empty tree, beside another"
# The other one is made while this transaction has its snapshot.
said=$(psql -XAtq -d cv_checkpoints -v VERBOSITY=sqlstate 2>&1 <<'SQL' || true
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM audits.checkpoints;
\! psql -XAtq -d cv_checkpoints -c 'INSERT INTO public.notes (note) SELECT audits.checkpoint()'
SELECT audits.checkpoint();
ROLLBACK;
SQL
)
equal "$said" $'0\nERROR:  40001' "the older one gives way"

step "while others append"
writers=()
for writer in 1 2 3; do
    psql_db cv_checkpoints -c 'CALL public.append(500)' >"$WORK/writer$writer" 2>&1 &
    writers+=("$!")
done
makers=()
for level in 'read committed' 'repeatable read' 'serializable'; do
    # At the two stricter levels it may come after somebody else's: that one gives way and harms nothing.
    for _ in $(seq 15); do
        psql -XAtq -d cv_checkpoints -v VERBOSITY=sqlstate -c "SET default_transaction_isolation = '$level'" \
            -c 'INSERT INTO public.notes (note) SELECT audits.checkpoint()' || true
    done >"$WORK/$level" 2>&1 &
    makers+=("$!")
done
wait "${writers[@]}" || fail "$(cat "$WORK"/writer*)"
wait "${makers[@]}"
if grep -hv '40001' "$WORK"/*committed "$WORK"/*read "$WORK"/serializable; then
    fail "a checkpoint failed for another reason than somebody else's"
fi
equal "$(grep -c . "$WORK/read committed" || true)" 0 "failures at READ COMMITTED"
psql_db cv_checkpoints -c 'INSERT INTO public.notes (note) SELECT audits.checkpoint()'
equal "$(psql_db cv_checkpoints -c 'SELECT max(tree_size) = (SELECT count(*) FROM audits.audit_log) FROM audits.checkpoints')" t "every entry is in the tree"
equal "$(psql_db cv_checkpoints -c "$BROKEN")" 0 "notes that do not hold"

step "with an older snapshot than somebody else's"
coproc session { psql -XAtq -d cv_checkpoints -v VERBOSITY=sqlstate 2>&1; }
session_pid=$!
printf '%s\n' 'BEGIN ISOLATION LEVEL REPEATABLE READ;' "SELECT 'begun' FROM audits.checkpoints LIMIT 1;" >&"${session[1]}"
read -r answer <&"${session[0]}"
equal "$answer" begun "a transaction takes its snapshot"
psql_db cv_checkpoints -c 'CALL public.append(10)' -c 'INSERT INTO public.notes (note) SELECT audits.checkpoint()'
printf '%s\n' 'SELECT audits.checkpoint();' 'ROLLBACK;' '\q' >&"${session[1]}"
read -r answer <&"${session[0]}"
equal "$answer" "ERROR:  40001" "its checkpoint"
wait "$session_pid" || true

step "cancelled"
psql_db cv_checkpoints -c "INSERT INTO audits.audit_log (action) SELECT 'many' FROM generate_series(1, 30000)"
before=$(psql_db cv_checkpoints -c 'SELECT count(*) FROM audits.merkle_tiles')
expect_error cv_checkpoints 57014 'statement timeout' -c "SET statement_timeout = '20ms'" -c 'SELECT audits.checkpoint()'
equal "$(psql_db cv_checkpoints -c 'SELECT count(*) FROM audits.merkle_tiles')" "$before" "tiles after that"
psql_db cv_checkpoints -c 'INSERT INTO public.notes (note) SELECT audits.checkpoint()'
equal "$(psql_db cv_checkpoints -c "$BROKEN")" 0 "notes that do not hold"
