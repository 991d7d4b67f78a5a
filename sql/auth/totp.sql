COMMENT ON FUNCTION auth.enroll_totp(uuid) IS
    'Gives a user a new seed for one-time passwords, to be put into an authenticator app, and returns a jsonb object with status (ok or already_enrolled), otpauth_uri (for a QR code) and secret (the same seed in Base32, to be typed). It is in force only after auth.confirm_totp; until then a further call replaces it. For the user in context, and for codeverify_service. Raises VC014 for another user and VC024 when the seed cannot be encrypted. Example: SELECT auth.enroll_totp(tenancy.current_user_id());';
GRANT EXECUTE ON FUNCTION auth.enroll_totp(uuid) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.confirm_totp(uuid, text) IS
    'Brings the second factor of a user into force, by a first code of the app, and returns a jsonb object with status (ok, invalid, locked with retry_at, not_enrolled or already_enrolled) and recovery_codes, an array of ten that is shown this once. A wrong code counts as an attempt to guess. For the user in context, and for codeverify_service. Raises VC014 for another user. Example: SELECT auth.confirm_totp(tenancy.current_user_id(), $1);';
GRANT EXECUTE ON FUNCTION auth.confirm_totp(uuid, text) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.disable_totp(uuid, text) IS
    'Takes the second factor of a user away, who proves to have it by a code of the app or a recovery code. Returns a jsonb object with status (ok, invalid, locked with retry_at, or not_enrolled). A wrong code counts as an attempt to guess. For the user in context, and for codeverify_service. Raises VC014 for another user. Example: SELECT auth.disable_totp(tenancy.current_user_id(), $1);';
GRANT EXECUTE ON FUNCTION auth.disable_totp(uuid, text) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.create_recovery_codes(uuid, text) IS
    'Makes ten new recovery codes for a user, who proves to have the second factor by a code of the app or a recovery code; all earlier ones are void. Returns a jsonb object with status (ok, invalid, locked with retry_at, or not_enrolled) and recovery_codes, which are shown this once. A wrong code counts as an attempt to guess. For the user in context, and for codeverify_service. Raises VC014 for another user. Example: SELECT auth.create_recovery_codes(tenancy.current_user_id(), $1);';
GRANT EXECUTE ON FUNCTION auth.create_recovery_codes(uuid, text) TO codeverify_service, codeverify_tenant;

COMMENT ON FUNCTION auth.reset_totp(uuid) IS
    'Takes the second factor of a user away without a code: for operators, when somebody has lost phone and recovery codes and was recognised by other means. The ledger tells it. Returns a jsonb object with status (ok or not_enrolled). For codeverify_service and codeverify_admin, while they act for no tenant; raises VC014 otherwise. Example: SELECT auth.reset_totp(''0f0e...'');';
GRANT EXECUTE ON FUNCTION auth.reset_totp(uuid) TO codeverify_service, codeverify_admin;
