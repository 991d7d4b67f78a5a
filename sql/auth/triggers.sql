SELECT tenancy.bind_authors('auth.invitations', 'created_by');

CREATE TRIGGER users_forget_verification
BEFORE UPDATE ON auth.users
FOR EACH ROW
WHEN (lower(NEW.email) IS DISTINCT FROM lower(OLD.email))
EXECUTE FUNCTION auth.forget_verification();
COMMENT ON TRIGGER users_forget_verification ON auth.users IS 'A changed address is to be verified anew.';
