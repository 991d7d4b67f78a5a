-- A view and not a row: it is dumped with the tables it speaks of, and data alone can be restored beside it.
CREATE VIEW codeverify.deployment WITH (security_invoker = true) AS
SELECT '0.1.0'::text AS version;
COMMENT ON VIEW codeverify.deployment IS
    'The version of codeverify that made the tables of this database; codeverify.version() is that of the library.';
COMMENT ON COLUMN codeverify.deployment.version IS 'Such as 0.1.0.';
GRANT SELECT ON codeverify.deployment TO codeverify_admin, codeverify_service, codeverify_auditor;
