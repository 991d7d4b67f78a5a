//! Functions of schema audits; their comments and grants are in sql/audits/verification.sql.

use pgrx::prelude::*;

extension_sql_file!(
    "../../../sql/audits/verification.sql",
    name = "audits_verification"
);
