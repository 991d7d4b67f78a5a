CREATE FUNCTION tenancy.delete_organization_rows(relation regclass, organization uuid, most bigint)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    part regclass;
    batch bigint;
    deleted bigint := 0;
BEGIN
    -- Partition by partition, where a row has an address by which it is deleted; as an array, which is made once.
    FOR part IN
        SELECT t.relid
        FROM pg_catalog.pg_partition_tree(relation) AS t
        WHERE t.isleaf
    LOOP
        EXECUTE pg_catalog.format(
            'DELETE FROM %1$s
            WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM %1$s AS r WHERE r.org_id = $1 LIMIT $2 FOR UPDATE))',
            part)
        USING organization, most - deleted;
        GET DIAGNOSTICS batch = ROW_COUNT;
        deleted := deleted + batch;
        EXIT WHEN deleted >= most;
    END LOOP;
    RETURN deleted;
END
$function$;
COMMENT ON FUNCTION tenancy.delete_organization_rows(regclass, uuid, bigint) IS
    'Deletes rows of an organization from a table, as many as said at most, and returns how many.';

CREATE FUNCTION tenancy.leave_organization_rows(relation regclass, organization uuid)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    most constant bigint := 5000;
BEGIN
    IF tenancy.delete_organization_rows(relation, organization, most) >= most THEN
        INSERT INTO tenancy.deleted_organizations (id)
        VALUES (organization)
        ON CONFLICT (id) DO NOTHING;
    END IF;
END
$function$;
COMMENT ON FUNCTION tenancy.leave_organization_rows(regclass, uuid) IS
    'Deletes the rows of an organization that is being deleted, up to 5,000 of them, and notes it in tenancy.deleted_organizations when there may be more.';

CREATE FUNCTION tenancy.finish_deletion(target text)
RETURNS TABLE (action text, detail text, more boolean)
LANGUAGE plpgsql
VOLATILE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    organization constant uuid := target::uuid;
    relation text;
    deleted bigint;
BEGIN
    PERFORM 1
    FROM tenancy.deleted_organizations AS d
    WHERE d.id = organization
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- Restored from a backup meanwhile: the rows are its own again. The lock keeps it from being so a moment later.
    PERFORM 1 FROM tenancy.organizations AS o WHERE o.id = organization FOR KEY SHARE;
    IF NOT FOUND THEN
        FOREACH relation IN ARRAY ARRAY['observability.logs', 'telemetry.code_events'] LOOP
            deleted := tenancy.delete_organization_rows(relation::regclass, organization, 5000);
            IF deleted > 0 THEN
                RETURN QUERY SELECT 'deleted', pg_catalog.format('%s rows of %s', deleted, relation), true;
                RETURN;
            END IF;
        END LOOP;
    END IF;
    DELETE FROM tenancy.deleted_organizations AS d
    WHERE d.id = organization;
    RETURN QUERY SELECT 'finished', 'nothing is left of it', false;
END
$function$;
COMMENT ON FUNCTION tenancy.finish_deletion(text) IS
    'Deletes up to 5,000 of the rows that an organization has left behind, and its note when there are no more.';
