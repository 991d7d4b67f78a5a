//! Functions of schema audits; their comments and grants are in sql/audits/guard.sql.

use pgrx::prelude::*;

extension_sql_file!("../../../sql/audits/guard.sql", name = "audits_guard");
