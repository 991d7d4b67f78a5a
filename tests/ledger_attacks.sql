-- A small ledger, and what a superuser needs to attack it: after two_tenants.sql, as the superuser that pg_prove
-- connects as. tap.after(attack) says what verification finds.

SET LOCAL codeverify.ledger_lanes = 1;

CREATE FUNCTION tap.ledger(organization text)
RETURNS uuid
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT CASE organization WHEN 'platform' THEN NULL ELSE tap.id(organization) END
$function$;

CREATE FUNCTION tap.name(org_id uuid)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT CASE WHEN org_id IS NULL THEN 'platform' WHEN org_id = tap.id('a') THEN 'a' WHEN org_id = tap.id('b') THEN 'b' ELSE 'another' END
$function$;

CREATE FUNCTION tap.hash(a audits.audit_log)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT audits.hash_entry(
        a.org_id, a.lane, a.seq, a.prev_hash, a.id, a.event_id, a.ts, a.entity, a.action, a.actor_id, a.resource_id,
        a.payload, a.ip_address, a.user_agent)
$function$;

CREATE PROCEDURE tap.rechain(of_ledger text, from_seq bigint, of_lane int DEFAULT 0, how_many bigint DEFAULT 1000)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    entry audits.audit_log;
    last text;
BEGIN
    FOR entry IN
        SELECT *
        FROM audits.audit_log AS a
        WHERE a.org_id IS NOT DISTINCT FROM tap.ledger(of_ledger) AND a.lane = of_lane AND a.seq >= from_seq
        ORDER BY a.seq
        LIMIT how_many
    LOOP
        entry.prev_hash := coalesce(last, entry.prev_hash);
        entry.signature := tap.hash(entry);
        UPDATE audits.audit_log AS a
        SET prev_hash = entry.prev_hash, signature = entry.signature
        WHERE a.id = entry.id AND a.lane = entry.lane AND a.seq = entry.seq AND a.org_id IS NOT DISTINCT FROM entry.org_id;
        last := entry.signature;
    END LOOP;
END
$procedure$;
COMMENT ON PROCEDURE tap.rechain(text, bigint, int, bigint) IS 'Hashes the entries of a lane anew, from one on, so that they hang together again.';

CREATE PROCEDURE tap.add(to_ledger text, to_lane int, to_seq bigint, prev text, changes jsonb DEFAULT '{}')
LANGUAGE plpgsql
AS $procedure$
DECLARE
    entry audits.audit_log;
BEGIN
    entry := jsonb_populate_record(
        NULL::audits.audit_log,
        jsonb_build_object(
            'id', nextval('audits.audit_log_id_seq'), 'event_id', gen_random_uuid(), 'org_id', tap.ledger(to_ledger), 'entity', 'thing',
            'action', 'thing.added', 'payload', '{}'::jsonb, 'ts', clock_timestamp(), 'lane', to_lane, 'seq', to_seq,
            'prev_hash', prev) || changes);
    entry.signature := coalesce(entry.signature, tap.hash(entry));
    INSERT INTO audits.audit_log VALUES (entry.*);
END
$procedure$;
COMMENT ON PROCEDURE tap.add(text, int, bigint, text, jsonb) IS 'Adds an entry with the right hash.';

CREATE FUNCTION tap.signature(of_ledger text, of_seq bigint, of_lane int DEFAULT 0)
RETURNS text
LANGUAGE sql
AS $function$
    SELECT a.signature
    FROM audits.audit_log AS a
    WHERE a.org_id IS NOT DISTINCT FROM tap.ledger(of_ledger) AND a.lane = of_lane AND a.seq = of_seq
$function$;

CREATE FUNCTION tap.found()
RETURNS text[]
LANGUAGE sql
AS $function$
    SELECT coalesce(array_agg(concat_ws(' ', tap.name(f.org_id), f.lane, f.seq, f.verdict) ORDER BY f.org_id NULLS FIRST, f.lane, f.seq, f.verdict), '{}')
    FROM audits.verify_chain() AS f
$function$;
COMMENT ON FUNCTION tap.found() IS 'What verification finds, as in "a 0 5 altered".';

CREATE FUNCTION tap.after(attack text)
RETURNS text[]
LANGUAGE plpgsql
AS $function$
DECLARE
    found text[];
BEGIN
    EXECUTE attack;
    found := tap.found();
    RAISE EXCEPTION USING ERRCODE = 'TAP00';
EXCEPTION
    WHEN SQLSTATE 'TAP00' THEN
        RETURN found;
END
$function$;
COMMENT ON FUNCTION tap.after(text) IS 'What verification finds after an attack, which is undone.';

CREATE PROCEDURE tap.disarm()
LANGUAGE plpgsql
AS $procedure$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT c.oid
        FROM pg_class AS c
        WHERE c.relnamespace = 'audits'::regnamespace
          AND c.relkind IN ('r', 'p')
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', relation);
    END LOOP;
END
$procedure$;
COMMENT ON PROCEDURE tap.disarm() IS 'Disables all triggers of the ledger, as only a superuser can.';

-- Ten entries in the ledgers of the platform and of two organizations, three more in a second lane of a.
INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload, ip_address, user_agent)
SELECT tap.ledger(l.name), 'thing', 'thing.done',
       CASE WHEN l.name <> 'platform' THEN tap.id('owner of ' || l.name) END, tap.id('thing'),
       jsonb_build_object('n', n, 'cost', 1.0, 'nested', jsonb_build_object('of', l.name, 'list', '[]'::jsonb)), '192.0.2.1', 'curl'
FROM generate_series(1, 10) AS n
CROSS JOIN unnest(ARRAY['platform', 'a', 'b']) AS l (name);
CALL tap.add('a', 1, 1, repeat('0', 64));
CALL tap.add('a', 1, 2, tap.signature('a', 1, 1));
CALL tap.add('a', 1, 3, tap.signature('a', 2, 1));
