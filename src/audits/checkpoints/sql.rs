//! Functions of schema audits; their comments and grants are in sql/audits/checkpoints.sql.

use pgrx::prelude::*;

extension_sql_file!(
    "../../../sql/audits/checkpoints.sql",
    name = "audits_checkpoints"
);
