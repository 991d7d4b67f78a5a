CREATE FUNCTION codeverify.lock_metrics(relation text, tenant uuid, waits boolean)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- First, as it is whoever deletes it locks first. One that is gone has nothing to refresh.
    PERFORM FROM tenancy.organizations AS o WHERE o.id = tenant FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN true;
    END IF;

    -- ON CONFLICT would wait for whoever has the row.
    IF NOT EXISTS (
        SELECT
        FROM codeverify.metric_refreshes AS r
        WHERE r.org_id = tenant
          AND r.relation = lock_metrics.relation)
    THEN
        INSERT INTO codeverify.metric_refreshes (relation, org_id)
        VALUES (lock_metrics.relation, tenant)
        ON CONFLICT ON CONSTRAINT metric_refreshes_pkey DO NOTHING;
    END IF;
    IF NOT waits THEN
        PERFORM FROM codeverify.metric_refreshes AS r
        WHERE r.org_id = tenant
          AND r.relation = lock_metrics.relation
        FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    UPDATE codeverify.metric_refreshes AS r
    SET refreshed_at = codeverify.read_clock()
    WHERE r.org_id = tenant
      AND r.relation = lock_metrics.relation;
    RETURN true;
END
$function$;
COMMENT ON FUNCTION codeverify.lock_metrics(text, uuid, boolean) IS
    'Keeps others from refreshing an organization''s metrics in a table until the transaction ends. Without waits it returns false when somebody else is at it.';
