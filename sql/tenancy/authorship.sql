-- Columns that say who did something: nobody writes another's name there.

CREATE FUNCTION tenancy.check_authors()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    author_column text;
    author uuid;
    before jsonb := CASE TG_OP WHEN 'UPDATE' THEN pg_catalog.to_jsonb(OLD) ELSE '{}' END;
    after jsonb := pg_catalog.to_jsonb(NEW);
BEGIN
    -- Without a context it is the operator, a restore or a foreign key's own action.
    IF tenancy.current_org_id() IS NULL THEN
        RETURN NEW;
    END IF;
    FOREACH author_column IN ARRAY TG_ARGV
    LOOP
        author := (after ->> author_column)::uuid;
        IF author IS DISTINCT FROM tenancy.current_user_id()
            AND author IS NOT NULL
            AND after -> author_column IS DISTINCT FROM before -> author_column
        THEN
            RAISE EXCEPTION 'column "%" names another user than the one in context', author_column
                USING ERRCODE = 'VC018',
                      HINT = 'Leave the column out, or act as that user.';
        END IF;
    END LOOP;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION tenancy.check_authors() IS
    'Trigger function: the columns named as arguments say who did something; inside a context they may be set to the user in context or NULL only. Raises VC018.';

CREATE FUNCTION tenancy.bind_authors(target regclass, VARIADIC author_columns text[])
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
        SELECT v.command, pg_catalog.string_agg(pg_catalog.format(v.condition, u.name, u.name), ' OR ') AS condition
        FROM (VALUES
            ('INSERT', 'NEW.%I IS NOT NULL'),
            ('UPDATE', 'NEW.%I IS DISTINCT FROM OLD.%I')
        ) AS v (command, condition)
        CROSS JOIN pg_catalog.unnest(author_columns) AS u (name)
        GROUP BY v.command
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER %I BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION tenancy.check_authors(%s)',
            tenancy.name_after(relation_name, 'check_authors_' || pg_catalog.lower(event.command)),
            event.command,
            target,
            event.condition,
            (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(u.name), ', ') FROM pg_catalog.unnest(author_columns) AS u (name)));
    END LOOP;
END
$function$;
COMMENT ON FUNCTION tenancy.bind_authors(regclass, text[]) IS
    'Puts tenancy.check_authors on a table for the columns named. Example: SELECT tenancy.bind_authors(''public.tickets'', ''opened_by'', ''closed_by'');';
GRANT EXECUTE ON FUNCTION tenancy.bind_authors(regclass, text[]) TO codeverify_admin;

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
