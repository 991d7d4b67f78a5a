-- Incidents: what moves them, and their timeline.

CREATE FUNCTION observability.keep_incident_times()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NEW.status = 'resolved' THEN
        -- Not before it began, where that was dated ahead.
        NEW.resolved_at := coalesce(NEW.resolved_at, greatest(pg_catalog.now(), NEW.created_at));
    ELSIF TG_OP = 'UPDATE' AND OLD.status = 'resolved' THEN
        -- What goes on again waits for somebody to take it on again; the timeline keeps what was.
        NEW.resolved_at := NULL;
        NEW.acknowledged_at := NULL;
        NEW.acknowledged_by := NULL;
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION observability.keep_incident_times() IS
    'Trigger function: sets resolved_at of an incident that is resolved, and forgets it, and who acknowledged it, when it is reopened.';

CREATE FUNCTION observability.record_incident_event()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- In the order of which says most of what an update was about.
    links constant text[] := ARRAY['repo_id', 'service_id', 'environment_id'];
    facts constant text[] := ARRAY['status', 'severity', 'title', 'fingerprint', 'rule_id', 'created_at', 'resolved_at', 'occurrences', 'acknowledged_at'];
    after_it jsonb := pg_catalog.to_jsonb(NEW) - 'metadata';
    before_it jsonb;
    changes jsonb;
    event_kind text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO observability.incident_events (org_id, incident_id, kind, details)
        SELECT NEW.org_id,
               NEW.id,
               'opened',
               pg_catalog.jsonb_object_agg(c.name, after_it -> c.name)
        FROM pg_catalog.unnest(links || ARRAY['status', 'severity', 'title', 'fingerprint', 'rule_id']) AS c (name)
        WHERE pg_catalog.jsonb_typeof(after_it -> c.name) <> 'null';
        RETURN NULL;
    END IF;

    before_it := pg_catalog.to_jsonb(OLD) - 'metadata';
    SELECT coalesce(
        pg_catalog.jsonb_object_agg(
            c.name, pg_catalog.jsonb_build_object('from', before_it -> c.name, 'to', after_it -> c.name)),
        '{}')
    INTO changes
    FROM pg_catalog.unnest(links || facts) AS c (name)
    WHERE before_it -> c.name IS DISTINCT FROM after_it -> c.name;
    IF OLD.metadata <> NEW.metadata THEN
        changes := changes || '{"metadata": {}}';
    END IF;

    event_kind := CASE
        WHEN NEW.status = 'resolved' AND OLD.status <> 'resolved' THEN 'resolved'
        WHEN OLD.status = 'resolved' AND NEW.status <> 'resolved' THEN 'reopened'
        WHEN OLD.acknowledged_at IS NULL AND NEW.acknowledged_at IS NOT NULL THEN 'acknowledged'
        WHEN OLD.status <> NEW.status AND NEW.status IN ('investigating', 'identified') THEN NEW.status
        WHEN changes ?| links THEN 'linked'
        WHEN changes - 'occurrences' <> '{}' THEN 'changed'
        WHEN NEW.occurrences > OLD.occurrences THEN 'seen'
        WHEN changes <> '{}' THEN 'changed'
    END;
    IF event_kind IS NOT NULL THEN
        INSERT INTO observability.incident_events (org_id, incident_id, kind, details)
        VALUES (NEW.org_id, NEW.id, event_kind, changes);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION observability.record_incident_event() IS
    'Trigger function: writes what happened to an incident to its timeline, whoever did it and however: one event for each row inserted or changed.';

CREATE FUNCTION observability.open_incident(
    fingerprint text DEFAULT NULL,
    severity text DEFAULT 'sev3',
    title text DEFAULT NULL,
    service_id uuid DEFAULT NULL,
    environment_id uuid DEFAULT NULL,
    repo_id uuid DEFAULT NULL,
    metadata jsonb DEFAULT '{}')
RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
DECLARE
    tenant uuid := tenancy.require_permission('write');
    opened_id uuid;
BEGIN
    INSERT INTO observability.incidents AS i
        (org_id, fingerprint, severity, title, service_id, environment_id, repo_id, metadata)
    VALUES (
        tenant,
        open_incident.fingerprint,
        open_incident.severity::observability.incident_severity,
        open_incident.title,
        open_incident.service_id,
        open_incident.environment_id,
        open_incident.repo_id,
        open_incident.metadata)
    ON CONFLICT (org_id, fingerprint) WHERE status <> 'resolved'
    DO UPDATE SET
        occurrences = i.occurrences + 1,
        last_seen_at = greatest(i.last_seen_at, excluded.last_seen_at)
    RETURNING i.id INTO opened_id;
    RETURN opened_id;
END
$function$;
COMMENT ON FUNCTION observability.open_incident(text, text, text, uuid, uuid, uuid, jsonb) IS
    'Opens an incident of the organization in context and returns its id. Where one with the fingerprint goes on, that one is counted up and its id returned; without a fingerprint each is its own. Takes the permission write. Raises VC011 without a context, VC014 without the permission, foreign_key_violation for a service, environment or repository that the organization does not have. Example: SELECT observability.open_incident(''queue-unreachable'', ''sev2'', ''The queue is unreachable'');';
GRANT EXECUTE ON FUNCTION observability.open_incident(text, text, text, uuid, uuid, uuid, jsonb)
TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.lock_incident(tenant uuid, incident_id uuid, refused text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    current_status text;
BEGIN
    SELECT i.status
    INTO current_status
    FROM observability.incidents AS i
    WHERE i.org_id = tenant
      AND i.id = lock_incident.incident_id
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incident % does not exist', lock_incident.incident_id
            USING ERRCODE = 'VC111',
                  HINT = 'Check the id and the organization in context.';
    END IF;
    IF current_status = ANY (refused) THEN
        RAISE EXCEPTION 'incident % is % already', lock_incident.incident_id, current_status
            USING ERRCODE = 'VC041',
                  HINT = CASE current_status
                      WHEN 'resolved' THEN 'Reopen it with observability.reopen_incident(...) if it goes on.'
                      ELSE 'Its timeline tells who moved it: observability.incident_timeline(...).'
                  END;
    END IF;
END
$function$;
COMMENT ON FUNCTION observability.lock_incident(uuid, uuid, text[]) IS
    'What the functions that change an incident begin with: locks it, so that nobody else does at the same time. Raises VC111 when the organization has no such incident, VC041 when its status is one of those that are refused.';
GRANT EXECUTE ON FUNCTION observability.lock_incident(uuid, uuid, text[]) TO codeverify_service, codeverify_tenant;

-- With its owner's rights, since nobody else adds to a timeline.
CREATE FUNCTION observability.note_incident(incident_id uuid, note text)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('write');
BEGIN
    PERFORM observability.lock_incident(tenant, note_incident.incident_id);
    INSERT INTO observability.incident_events (org_id, incident_id, kind, note)
    VALUES (tenant, note_incident.incident_id, 'noted', note_incident.note);
END
$function$;
COMMENT ON FUNCTION observability.note_incident(uuid, text) IS
    'Adds a note, 1 to 10000 characters, to the timeline of an incident of the organization in context, resolved or not. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC111 for an unknown incident. Example: SELECT observability.note_incident(''7d3e...'', ''failing over to the other region'');';
GRANT EXECUTE ON FUNCTION observability.note_incident(uuid, text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.move_incident(incident_id uuid, to_status text, refused text[], note text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('write');
    other_id uuid;
BEGIN
    PERFORM observability.lock_incident(tenant, move_incident.incident_id, refused);

    UPDATE observability.incidents AS i
    SET status = to_status
    WHERE i.org_id = tenant
      AND i.id = move_incident.incident_id;
    IF move_incident.note IS NOT NULL THEN
        PERFORM observability.note_incident(move_incident.incident_id, move_incident.note);
    END IF;
EXCEPTION
    WHEN unique_violation THEN
        SELECT o.id
        INTO other_id
        FROM observability.incidents AS i
        JOIN observability.incidents AS o ON o.org_id = i.org_id AND o.fingerprint = i.fingerprint
        WHERE i.org_id = tenant
          AND i.id = move_incident.incident_id
          AND o.id <> i.id
          AND o.status <> 'resolved';
        RAISE EXCEPTION 'incident % cannot go on beside another with its fingerprint', move_incident.incident_id
            USING ERRCODE = 'VC112',
                  DETAIL = coalesce(
                      pg_catalog.format('Incident %s is about the same.', other_id),
                      'An incident about the same has just been opened.'),
                  HINT = 'Go on with that one, or resolve it first.';
END
$function$;
COMMENT ON FUNCTION observability.move_incident(uuid, text, text[], text) IS
    'What identify_incident, resolve_incident and reopen_incident share: moves an incident to another status, from all but those that are refused, and adds the note, if there is one, to its timeline.';
GRANT EXECUTE ON FUNCTION observability.move_incident(uuid, text, text[], text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.acknowledge_incident(incident_id uuid, note text DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('write');
    is_first boolean;
BEGIN
    PERFORM observability.lock_incident(tenant, acknowledge_incident.incident_id, '{resolved}');
    UPDATE observability.incidents AS i
    SET acknowledged_at = pg_catalog.now(),
        acknowledged_by = tenancy.current_user_id(),
        status = CASE i.status WHEN 'open' THEN 'investigating' ELSE i.status END
    WHERE i.org_id = tenant
      AND i.id = acknowledge_incident.incident_id
      AND i.acknowledged_at IS NULL;
    is_first := FOUND;
    IF acknowledge_incident.note IS NOT NULL THEN
        PERFORM observability.note_incident(acknowledge_incident.incident_id, acknowledge_incident.note);
    END IF;
    RETURN is_first;
END
$function$;
COMMENT ON FUNCTION observability.acknowledge_incident(uuid, text) IS
    'Takes an incident on: keeps who did and when, moves one that is open to investigating, and adds the note to its timeline. False, and nothing but the note is kept, when somebody had taken it on before. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC041 for a resolved incident, VC111 for an unknown one. Example: SELECT observability.acknowledge_incident(''7d3e...'', ''looking into it'');';
GRANT EXECUTE ON FUNCTION observability.acknowledge_incident(uuid, text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.identify_incident(incident_id uuid, note text DEFAULT NULL)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT observability.move_incident(incident_id, 'identified', '{identified,resolved}', note)
$function$;
COMMENT ON FUNCTION observability.identify_incident(uuid, text) IS
    'Moves an incident to identified: its cause is known. The note is added to its timeline. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC041 when it is identified or resolved already, VC111 for an unknown incident.';
GRANT EXECUTE ON FUNCTION observability.identify_incident(uuid, text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.resolve_incident(incident_id uuid, note text DEFAULT NULL)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT observability.move_incident(incident_id, 'resolved', '{resolved}', note)
$function$;
COMMENT ON FUNCTION observability.resolve_incident(uuid, text) IS
    'Resolves an incident and adds the note to its timeline. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC041 when it is resolved already, VC111 for an unknown incident. Example: SELECT observability.resolve_incident(''7d3e...'', ''rolled back'');';
GRANT EXECUTE ON FUNCTION observability.resolve_incident(uuid, text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.reopen_incident(incident_id uuid, note text DEFAULT NULL)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT observability.move_incident(incident_id, 'open', '{open,investigating,identified}', note)
$function$;
COMMENT ON FUNCTION observability.reopen_incident(uuid, text) IS
    'Opens a resolved incident again, to be acknowledged anew, and adds the note to its timeline. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC041 when it is not resolved, VC111 for an unknown incident, VC112 when another with its fingerprint goes on. Example: SELECT observability.reopen_incident(''7d3e...'', ''it is back'');';
GRANT EXECUTE ON FUNCTION observability.reopen_incident(uuid, text) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.link_incident(incident_id uuid, repo_id uuid)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('write');
BEGIN
    PERFORM observability.lock_incident(tenant, link_incident.incident_id);
    IF link_incident.repo_id IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM scm.repositories AS r
        WHERE r.org_id = tenant
          AND r.id = link_incident.repo_id)
    THEN
        RAISE EXCEPTION 'repository % does not exist', link_incident.repo_id
            USING ERRCODE = 'VC030',
                  HINT = 'Check the id and the organization in context.';
    END IF;

    UPDATE observability.incidents AS i
    SET repo_id = link_incident.repo_id
    WHERE i.org_id = tenant
      AND i.id = link_incident.incident_id;
END
$function$;
COMMENT ON FUNCTION observability.link_incident(uuid, uuid) IS
    'Says which repository is at fault for an incident; NULL takes it back. Takes the permission write. Raises VC011 without a context, VC014 without the permission, VC030 for an unknown repository, VC111 for an unknown incident. Example: SELECT observability.link_incident(''7d3e...'', ''8c1d...'');';
GRANT EXECUTE ON FUNCTION observability.link_incident(uuid, uuid) TO codeverify_service, codeverify_tenant;

CREATE FUNCTION observability.incident_timeline(incident_id uuid)
RETURNS TABLE (occurred_at timestamptz, kind text, actor_id uuid, note text, details jsonb)
LANGUAGE plpgsql
STABLE
ROWS 20
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tenant uuid := tenancy.require_permission('read');
BEGIN
    RETURN QUERY
        SELECT e.occurred_at, e.kind, e.actor_id, e.note, e.details
        FROM observability.incident_events AS e
        WHERE e.org_id = tenant
          AND e.incident_id = incident_timeline.incident_id
        ORDER BY e.id;
    -- An incident that was restored without its timeline has none.
    IF NOT FOUND AND NOT EXISTS (
        SELECT
        FROM observability.incidents AS i
        WHERE i.org_id = tenant
          AND i.id = incident_timeline.incident_id)
    THEN
        RAISE EXCEPTION 'incident % does not exist', incident_timeline.incident_id
            USING ERRCODE = 'VC111',
                  HINT = 'Check the id and the organization in context.';
    END IF;
END
$function$;
COMMENT ON FUNCTION observability.incident_timeline(uuid) IS
    'What happened to an incident of the organization in context, in order: when, what (opened, seen, acknowledged, investigating, identified, resolved, reopened, linked, changed, noted), who, what was said, and what changed. Takes the permission read. Raises VC011 without a context, VC111 for an unknown incident. Example: SELECT * FROM observability.incident_timeline(''7d3e...'');';
GRANT EXECUTE ON FUNCTION observability.incident_timeline(uuid) TO codeverify_service, codeverify_tenant;
