SELECT tenancy.bind_authors('auth.invitations', 'created_by');

CREATE TRIGGER org_memberships_end
AFTER DELETE ON tenancy.org_memberships
FOR EACH ROW
EXECUTE FUNCTION auth.end_membership();
COMMENT ON TRIGGER org_memberships_end ON tenancy.org_memberships IS 'Revokes the API keys and invitations of a member who leaves.';

CREATE TRIGGER users_end
BEFORE DELETE ON auth.users
FOR EACH ROW
EXECUTE FUNCTION auth.end_user();
COMMENT ON TRIGGER users_end ON auth.users IS 'Revokes the API keys and invitations of a user who is deleted.';
CREATE TRIGGER users_forget_verification
BEFORE UPDATE ON auth.users
FOR EACH ROW
WHEN (lower(NEW.email) IS DISTINCT FROM lower(OLD.email))
EXECUTE FUNCTION auth.forget_verification();
COMMENT ON TRIGGER users_forget_verification ON auth.users IS 'A changed address is to be verified anew.';

CREATE TRIGGER api_keys_end
AFTER DELETE ON auth.api_keys
REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT
EXECUTE FUNCTION auth.end_keys();
COMMENT ON TRIGGER api_keys_end ON auth.api_keys IS 'Has uses of deleted API keys refused at once.';
