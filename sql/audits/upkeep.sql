CREATE FUNCTION audits.list_due_upkeep()
RETURNS SETOF text
LANGUAGE plpgsql
VOLATILE
ROWS 2
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    clock constant timestamptz := codeverify.read_clock();
    is_signing boolean;
    checkpointed_at timestamptz;
    verified record;
BEGIN
    SELECT c.created_at
    INTO checkpointed_at
    FROM audits.checkpoints AS c
    ORDER BY c.tree_size DESC
    LIMIT 1;
    IF checkpointed_at IS NULL OR checkpointed_at < clock - interval '1 hour' THEN
        BEGIN
            is_signing := audits.verifier_key() IS NOT NULL;
        EXCEPTION WHEN SQLSTATE 'VC055' THEN
            -- The step tells what is wrong with the key file.
            is_signing := true;
        END;
        IF is_signing AND EXISTS (
            SELECT FROM (
                SELECT
                FROM audits.audit_log AS a
                WHERE a.ts > coalesce(checkpointed_at, '-infinity')
                ORDER BY a.ts
                LIMIT 1
            ) AS entry)
        THEN
            RETURN NEXT 'audits.checkpoints';
        END IF;
    END IF;

    -- The first verification reads everything, which may take hours: that is the operator's to begin. So is the next one
    -- after a fault was found.
    SELECT v.created_at, v.verdict
    INTO verified
    FROM audits.verifications AS v
    ORDER BY v.created_at DESC
    LIMIT 1;
    IF verified.verdict = 'intact' AND verified.created_at < clock - interval '1 day' THEN
        RETURN NEXT 'audits.verifications';
    END IF;
END
$function$;
COMMENT ON FUNCTION audits.list_due_upkeep() IS
    'What the ledger needs from maintenance: a checkpoint, when a key signs them, there are entries since the last one and that is older than an hour; a verification of what has come since the last one, when that is older than a day and found nothing.';

CREATE FUNCTION audits.do_upkeep(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
VOLATILE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    size_before bigint;
    size_after bigint;
    outcome jsonb;
BEGIN
    CASE target
    WHEN 'audits.checkpoints' THEN
        size_before := (SELECT max(c.tree_size) FROM audits.checkpoints AS c);
        PERFORM audits.checkpoint();
        size_after := (SELECT max(c.tree_size) FROM audits.checkpoints AS c);
        IF size_after IS DISTINCT FROM size_before THEN
            RETURN QUERY
            SELECT 'checkpointed', pg_catalog.format('%s entries, %s of them new', size_after, size_after - coalesce(size_before, 0)), false;
        END IF;
    WHEN 'audits.verifications' THEN
        outcome := audits.verify();
        RETURN QUERY
        SELECT 'verified', pg_catalog.format('%s, %s entries read', outcome ->> 'verdict', outcome ->> 'entries'), false;
    ELSE
        RETURN;
    END CASE;
END
$function$;
COMMENT ON FUNCTION audits.do_upkeep(text) IS
    'Makes the checkpoint or the verification that is due.';
