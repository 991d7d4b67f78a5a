-- Columns that say who did something: nobody writes another's name there.

CREATE FUNCTION tenancy.check_authors()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    author uuid := (pg_catalog.to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
BEGIN
    -- Without a context it is the operator, a restore or a foreign key's own action.
    IF tenancy.current_org_id() IS NOT NULL
        AND author IS NOT NULL
        AND author IS DISTINCT FROM tenancy.current_user_id()
    THEN
        RAISE EXCEPTION 'column "%" names another user than the one in context', TG_ARGV[0]
            USING ERRCODE = 'VC018',
                  DETAIL = 'What that user did, said or decided is not another''s to write or to change.',
                  HINT = 'Act as that user, or set the column to NULL or the user in context.';
    END IF;
    RETURN NEW;
END
$function$;
GRANT EXECUTE ON FUNCTION tenancy.check_authors() TO codeverify_admin;
COMMENT ON FUNCTION tenancy.check_authors() IS
    'Trigger function, made by tenancy.bind_authors: the column named as argument says who did something; inside a context it is NULL or the user in context whenever it, or a column that says what was done, is written. Raises VC018.';

CREATE FUNCTION tenancy.bind_authors(target regclass, author_column text, VARIADIC deed_columns text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- @plpgsql_check_options: security_warnings = off
    -- Conditions and arguments are quoted where they are put together.
    relation_name name;
    event record;
BEGIN
    SELECT c.relname INTO STRICT relation_name FROM pg_catalog.pg_class AS c WHERE c.oid = target;

    -- The conditions keep the function out of the way of rows that name nobody, as imports write them.
    FOR event IN
        SELECT 'INSERT' AS command,
               pg_catalog.format('NEW.%I IS NOT NULL', author_column) AS condition
        UNION ALL
        SELECT 'UPDATE',
               pg_catalog.string_agg(pg_catalog.format('NEW.%I IS DISTINCT FROM OLD.%I', u.name, u.name), ' OR ')
        FROM pg_catalog.unnest(author_column || deed_columns) AS u (name)
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER %I BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION tenancy.check_authors(%L)',
            tenancy.name_after(relation_name, pg_catalog.concat_ws('_', 'check', author_column, pg_catalog.lower(event.command))),
            event.command,
            target,
            event.condition,
            author_column);
        EXECUTE pg_catalog.format(
            'COMMENT ON TRIGGER %I ON %s IS %L',
            tenancy.name_after(relation_name, pg_catalog.concat_ws('_', 'check', author_column, pg_catalog.lower(event.command))),
            target,
            pg_catalog.format('Nobody signs %s with another''s name.', author_column));
    END LOOP;
END
$function$;
COMMENT ON FUNCTION tenancy.bind_authors(regclass, text, text[]) IS
    'Puts tenancy.check_authors on a table for the column that says who did something and the columns that say what: whoever changes one of them signs with their own name or none. Example: SELECT tenancy.bind_authors(''public.tickets'', ''closed_by'', ''closed_at'', ''verdict'');';
GRANT EXECUTE ON FUNCTION tenancy.bind_authors(regclass, text, text[]) TO codeverify_admin;

CREATE FUNCTION tenancy.check_members()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.current_org_id();
    member_column text;
    member uuid;
BEGIN
    IF tenant IS NULL THEN
        RETURN NEW;
    END IF;
    FOREACH member_column IN ARRAY TG_ARGV
    LOOP
        member := (pg_catalog.to_jsonb(NEW) ->> member_column)::uuid;
        IF member IS NOT NULL AND NOT EXISTS (
            SELECT
            FROM tenancy.org_memberships AS m
            WHERE m.org_id = tenant
              AND m.user_id = member)
        THEN
            RAISE EXCEPTION 'column "%" names a user who is not a member of organization %', member_column, tenant
                USING ERRCODE = 'VC012',
                      HINT = 'Add the user with tenancy.add_member(org_id, user_id, role).';
        END IF;
    END LOOP;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION tenancy.check_members() IS
    'Trigger function: the columns named as arguments take only members of the organization in context; otherwise a tenant could tie another tenant''s user to its rows. Raises VC012.';
