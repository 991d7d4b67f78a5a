//! Functions of schema audits; their comments and grants are in sql/audits/archives.sql.

use pgrx::prelude::*;

extension_sql_file!("../../../sql/audits/archives.sql", name = "audits_archives");
