CREATE TRIGGER projects_check_members
BEFORE INSERT OR UPDATE OF owner_id ON projects.projects
FOR EACH ROW
EXECUTE FUNCTION tenancy.check_members('owner_id');
COMMENT ON TRIGGER projects_check_members ON projects.projects IS 'The owner is a member of the organization.';

SELECT tenancy.bind_authors('projects.versions', 'promoted_by', 'promoted_at');
SELECT tenancy.bind_authors('projects.version_history', 'changed_by');
