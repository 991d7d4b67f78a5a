-- Personal fields and their erasure.

CREATE FUNCTION audits.forget_personal_fields()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'codeverify_forget_personal_fields';
COMMENT ON FUNCTION audits.forget_personal_fields() IS
    'Trigger function: tells every session that audits.personal_fields has changed.';

CREATE FUNCTION audits.mark_personal(entity text, field text, subject text DEFAULT 'actor')
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    INSERT INTO audits.personal_fields AS p (entity, field, subject)
    VALUES (mark_personal.entity, mark_personal.field, mark_personal.subject)
    ON CONFLICT ON CONSTRAINT personal_fields_entity_field_key
    DO UPDATE SET subject = excluded.subject;

    INSERT INTO audits.audit_log (org_id, entity, action, actor_id, payload)
    VALUES (
        NULL,
        'audits.personal_fields',
        'field.marked',
        tenancy.current_user_id(),
        pg_catalog.jsonb_build_object(
            'entity', mark_personal.entity,
            'field', mark_personal.field,
            'subject', mark_personal.subject,
            'by', session_user));
END
$function$;
COMMENT ON FUNCTION audits.mark_personal(text, text, text) IS
    'Makes a key in the top level of payloads personal in every new entry about an entity, for codeverify_admin: its value is encrypted under the key of the person it concerns, the entry''s actor or its resource. What is in the ledger already stays. An entry that has the field and not the person is refused with VC061. Example: SELECT audits.mark_personal(''user'', ''email'', ''resource'');';
GRANT EXECUTE ON FUNCTION audits.mark_personal(text, text, text) TO codeverify_admin;

CREATE FUNCTION audits.unmark_personal(entity text, field text)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    DELETE FROM audits.personal_fields AS p
    WHERE p.entity = unmark_personal.entity
      AND p.field = unmark_personal.field;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    INSERT INTO audits.audit_log (org_id, entity, action, actor_id, payload)
    VALUES (
        NULL,
        'audits.personal_fields',
        'field.unmarked',
        tenancy.current_user_id(),
        pg_catalog.jsonb_build_object(
            'entity', unmark_personal.entity,
            'field', unmark_personal.field,
            'by', session_user));
    RETURN true;
END
$function$;
COMMENT ON FUNCTION audits.unmark_personal(text, text) IS
    'Takes back audits.mark_personal() for new entries, for codeverify_admin; false when the field was not marked. Example: SELECT audits.unmark_personal(''user'', ''email'');';
GRANT EXECUTE ON FUNCTION audits.unmark_personal(text, text) TO codeverify_admin;

CREATE FUNCTION audits.list_personal_fields()
RETURNS TABLE (entity text, field text, subject text, marked_at timestamptz)
LANGUAGE sql
STABLE
SECURITY DEFINER
ROWS 50
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT p.entity, p.field, p.subject, p.created_at
    FROM audits.personal_fields AS p
    ORDER BY p.entity, p.field
$function$;
COMMENT ON FUNCTION audits.list_personal_fields() IS
    'The payload fields that are personal by audits.mark_personal(), for codeverify_admin and codeverify_auditor.';
GRANT EXECUTE ON FUNCTION audits.list_personal_fields() TO codeverify_admin, codeverify_auditor;

COMMENT ON FUNCTION audits.erase_subject(uuid) IS
    'Erases a person from the ledger, for codeverify_admin: destroys every key under which personal fields that concern them are encrypted, in live and archived entries of all organizations, so that nobody can read those any more. The chains stay as they are and verify. New personal fields of the person are replaced by {"$erased": "<subject>"} and not stored. It is recorded in the platform''s own ledger. Returns an object with subject and keys, the number of keys that there were. Runs at READ COMMITTED. Dead rows of audits.subject_keys hold the key until they are vacuumed, and backups until they are deleted. Example: SELECT audits.erase_subject(''5a5b...'');';
GRANT EXECUTE ON FUNCTION audits.erase_subject(uuid) TO codeverify_admin;

COMMENT ON FUNCTION audits.readmit_subject(uuid) IS
    'Lets personal fields of an erased person be stored again, under a new key, for codeverify_admin: a customer who comes back. What was erased stays so. False when the person is not erased. Example: SELECT audits.readmit_subject(''5a5b...'');';
GRANT EXECUTE ON FUNCTION audits.readmit_subject(uuid) TO codeverify_admin;

COMMENT ON FUNCTION audits.reveal(jsonb) IS
    'A payload with its personal fields decrypted: those of the organization in context; for codeverify_admin and codeverify_auditor those of all. A field whose key was erased becomes {"$erased": "<subject>"}; one of another organization, or one that was made up, stays as it is. Example: SELECT action, audits.reveal(payload) FROM audits.entries;';
GRANT EXECUTE ON FUNCTION audits.reveal(jsonb) TO codeverify_admin, codeverify_auditor, codeverify_tenant;

CREATE FUNCTION audits.find_subject(subject_id uuid)
RETURNS TABLE (org_id uuid, id bigint, ts timestamptz, lane int, seq bigint, is_archived boolean)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT e.org_id, e.id, e.ts, e.lane, e.seq, e.is_archived
    FROM audits.entries AS e
    WHERE pg_catalog.strpos(e.payload::text, '"subject": "' || subject_id::text || '"') > 0
      AND pg_catalog.strpos(e.payload::text, '"$encrypted"') > 0
$function$;
COMMENT ON FUNCTION audits.find_subject(uuid) IS
    'The entries of all ledgers, archived ones included, that have encrypted fields of a person, erased or not, for codeverify_admin and codeverify_auditor. It reads the whole ledger. Example: SELECT count(*) FROM audits.find_subject(''5a5b...'');';
GRANT EXECUTE ON FUNCTION audits.find_subject(uuid) TO codeverify_admin, codeverify_auditor;
