#!/usr/bin/env bash
# tools/verify_ledger.py agrees with the ledger about every entry, and says what was done to a copy of it.
set -euo pipefail
# shellcheck source=tests/operations/lib.sh
source "$(dirname "$0")/lib.sh"
[[ -n ${PGHOST:-} ]] || use_cluster test
export PGTZ=UTC

DB=cv_external_verifier
create_deployed_db "$DB"

# verify EXIT_STATUS [ARGUMENT ...]: what the tool prints, after it ended as it should.
verify() {
    local expected=$1 status=0
    shift
    "$ROOT/tools/verify_ledger.py" "$@" >"$WORK/said" 2>&1 || status=$?
    [[ $status == "$expected" ]] || fail "exit status $status instead of $expected: $(head -c 2000 "$WORK/said")"
    cat "$WORK/said"
}

# copy TABLE [COLUMNS]: a CSV of it in the order that the tool wants.
copy() {
    psql_db "$DB" -c "COPY (SELECT ${2:-*} FROM $1 ORDER BY org_id, lane, seq) TO STDOUT (FORMAT csv, HEADER)"
}

step "a ledger of three lanes in two organizations and the platform's own"
psql_db "$DB" <<'SQL' >/dev/null
SELECT tenancy.create_organization(name, lower(name)) FROM unnest(ARRAY['A', 'B']) AS name;
CREATE FUNCTION pg_temp.fill(ledger uuid)
RETURNS bigint
LANGUAGE sql
AS $function$
    SELECT count(audits.append(
               CASE i % 3 WHEN 0 THEN 'entity' WHEN 1 THEN 'a|"b", c' END, 'action ' || i, v.payload, org_id => ledger,
               resource_id => CASE i % 2 WHEN 0 THEN gen_random_uuid() END, ip_address => CASE i % 4 WHEN 0 THEN '::1' END,
               user_agent => CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN E'two\r\nlines\n' WHEN 2 THEN 'Größe 😀 \.' END
           ))
    FROM generate_series(1, 30) AS i
    CROSS JOIN (
        SELECT jsonb_build_object('value', value::jsonb) AS payload
        FROM unnest(ARRAY[
            '1', '1.0', '1.00', '-0', '1e-20', '1e300', '9007199254740993', '123456789012345678901234567890.000100', 'null',
            'true', 'false', '""', '"a\"b\\c\n\u0001,"', '"\ud83d\ude00"', '[]', '{}', '[[], {}, [[]], [{}]]',
            '{"b": 1, "aa": 2, "\u00fc": 3, "Z": 4, "": 5, "\ud83d\ude00": 6, "\uffff": 7}'
        ]) AS value
    ) AS v
$function$;
SELECT pg_temp.fill(NULL);
SELECT pg_temp.fill(id) FROM tenancy.organizations;
SELECT audits.append('deep', 'deep', jsonb_build_object('in', (repeat('[', 999) || repeat(']', 999))::jsonb));
SELECT audits.append('long', 'long', jsonb_build_object('in', repeat(E'0123456789\n', 100000)));
SQL
# A transaction keeps its lane, so others at the same time take more.
for _ in 1 2 3; do
    psql_db "$DB" -c "SELECT audits.append('e', 'a', org_id => id), pg_sleep(2) FROM tenancy.organizations" >/dev/null &
done
wait
copy audits.audit_log >"$WORK/ledger.csv"
counts=$(psql_db "$DB" -c "SELECT format('intact: %s entries in %s lanes', count(*), count(DISTINCT (org_id, lane))) FROM audits.audit_log")
verify 0 "$WORK/ledger.csv" >"$WORK/first"
equal "$(tail -1 "$WORK/first")" "$counts" "the tool's summary"
[[ $(grep -c '^head ' "$WORK/first") -ge 5 ]] || fail "no more than one lane was used"
diff <(psql_db "$DB" -c "
    SELECT DISTINCT ON (org_id, lane)
           format('head       org %s lane %s seq %s: %s', coalesce(org_id::text, 'none'), lane, seq, signature)
    FROM audits.audit_log
    ORDER BY org_id, lane, seq DESC") <(grep '^head ' "$WORK/first") || fail "the lanes end elsewhere"

step "from standard input, in another time zone, with the columns in another order"
verify 0 <"$WORK/ledger.csv" >/dev/null
PGTZ=Asia/Kathmandu copy audits.audit_log 'user_agent, 1 AS other, signature, prev_hash, ts, lane, seq, payload, id, event_id, org_id,
    entity, action, actor_id, resource_id, ip_address' >"$WORK/other.csv"
equal "$(verify 0 "$WORK/other.csv")" "$(cat "$WORK/first")" "the same of another copy"

step "in little memory"
psql_db "$DB" -c "SELECT count(audits.append('e', 'many', jsonb_build_object('i', i))) FROM generate_series(1, 20000) AS i" >/dev/null
copy audits.audit_log >"$WORK/many.csv"
(ulimit -v 100000 && verify 0 "$WORK/many.csv" >/dev/null)

# tampered VERDICT PATTERN WHAT SQL: what is said of a copy of the ledger, table t, after the SQL has changed it. Table x is
# entry 7 of a long lane, and view lane that lane.
tampered() {
    local verdict=$1 pattern=$2 what=$3 sql=$4 lines
    step "$verdict: $what"
    psql_db "$DB" >/dev/null <<SQL
SET client_min_messages = error;
DROP TABLE IF EXISTS t, x CASCADE;
CREATE TABLE t AS SELECT * FROM audits.audit_log WHERE action <> 'many';
CREATE TABLE x AS SELECT t.* FROM t JOIN (SELECT * FROM t WHERE org_id IS NOT NULL AND seq = 100 LIMIT 1) AS o USING (org_id, lane) WHERE t.seq = 7;
CREATE VIEW lane AS SELECT t.id, t.seq FROM t JOIN x USING (org_id, lane);
$sql;
SQL
    copy t >"$WORK/tampered.csv"
    lines=$(verify 1 "$WORK/tampered.csv" | grep -v '^head ')
    grep -Eq "^$verdict +org [-0-9a-f]{36} lane [0-9]+ seq $pattern" <<<"$lines" || fail "$what: the tool said: $lines"
}
HASHED="audits.hash_entry(t.org_id, t.lane, t.seq, t.prev_hash, t.id, t.event_id, t.ts, t.entity, t.action, t.actor_id,
    t.resource_id, t.payload, t.ip_address, t.user_agent)"

for change in "id = t.id + 1000000" "event_id = gen_random_uuid()" "entity = 'other'" "action = ''" "actor_id = gen_random_uuid()" \
    "resource_id = gen_random_uuid()" "payload = '{\"value\": 1.01}'" "ip_address = '::2'" "user_agent = 'other'" \
    "signature = repeat('0', 64)" "prev_hash = repeat('a', 64)" "prev_hash = upper(t.prev_hash)" "ts = t.ts - interval '1 microsecond'"; do
    tampered altered "7 " "$change" "UPDATE t SET $change FROM x WHERE t.id = x.id"
done
tampered altered "[0-9]+ " "NULL becomes the empty text" "UPDATE t SET user_agent = '' FROM lane
    WHERE lane.id = t.id AND user_agent IS NULL"
tampered altered "[0-9]+ " "1.00 becomes 1.0" "UPDATE t SET payload = '{\"value\": 1.0}' FROM lane
    WHERE lane.id = t.id AND payload::text = '{\"value\": 1.00}'"
tampered altered "8 .*does not continue" "an entry is changed and hashed anew" \
    "UPDATE t SET action = 'other' FROM x WHERE t.id = x.id;
     UPDATE t SET signature = $HASHED FROM x WHERE t.id = x.id"
tampered altered "7 " "two entries change places" \
    "UPDATE t SET seq = 15 - t.seq FROM lane WHERE lane.id = t.id AND t.seq IN (7, 8)"
tampered missing "7 to 7:" "an entry is gone" "DELETE FROM t USING x WHERE t.id = x.id"
tampered missing "1 to 7:" "the first entries are gone" "DELETE FROM t USING lane WHERE lane.id = t.id AND t.seq <= 7"
verify 0 --partial "$WORK/tampered.csv" >/dev/null
tampered forked "7 " "an entry has a twin" \
    "UPDATE x SET action = 'other', id = 0;
     UPDATE x AS t SET signature = $HASHED;
     INSERT INTO t SELECT * FROM x"
tampered reordered "7 " "the clock went back, and the lane was hashed anew" \
    "UPDATE t SET ts = t.ts - interval '1 hour' FROM x WHERE t.id = x.id;
     DO \$\$
     DECLARE
         entry record;
         last text := repeat('0', 64);
     BEGIN
         FOR entry IN SELECT * FROM lane ORDER BY seq LOOP
             UPDATE t SET prev_hash = last WHERE t.id = entry.id;
             UPDATE t SET signature = $HASHED WHERE t.id = entry.id RETURNING signature INTO last;
         END LOOP;
     END
     \$\$"

step "what it cannot read"
verify 2 "$WORK/nowhere.csv" >/dev/null
verify 2 /dev/null >/dev/null
psql_db "$DB" -c "COPY (SELECT * FROM audits.audit_log ORDER BY org_id, lane, seq DESC) TO STDOUT (FORMAT csv, HEADER)" >"$WORK/bad.csv"
grep -q 'ORDER BY' <<<"$(verify 2 "$WORK/bad.csv")" || fail "it does not say which order it wants"
psql_db "$DB" -c "COPY (SELECT * FROM audits.audit_log ORDER BY seq, lane, org_id) TO STDOUT (FORMAT csv, HEADER)" >"$WORK/bad.csv"
grep -q 'ORDER BY' <<<"$(verify 2 "$WORK/bad.csv")" || fail "it does not say which order it wants"
tail -n +2 "$WORK/ledger.csv" >"$WORK/bad.csv"
grep -q 'HEADER' <<<"$(verify 2 "$WORK/bad.csv")" || fail "it does not ask for a header"
PGDATESTYLE=German copy audits.audit_log >"$WORK/bad.csv"
grep -q 'datestyle' <<<"$(verify 2 "$WORK/bad.csv")" || fail "it does not ask for ISO dates"
psql_db "$DB" -c "SET client_encoding = 'LATIN9'" \
    -c "COPY (SELECT *, chr(8364) AS euro FROM audits.audit_log WHERE action = 'deep') TO STDOUT (FORMAT csv, HEADER)" >"$WORK/bad.csv"
grep -q 'UTF8' <<<"$(verify 2 "$WORK/bad.csv")" || fail "it does not ask for UTF-8"
psql_db "$DB" -c "COPY (SELECT * FROM audits.audit_log ORDER BY org_id, lane, seq) TO STDOUT (HEADER)" >"$WORK/bad.csv"
verify 2 "$WORK/bad.csv" >/dev/null
head -c 20000 "$WORK/ledger.csv" | sed '$s/"$//' >"$WORK/bad.csv"
verify 2 "$WORK/bad.csv" >/dev/null
