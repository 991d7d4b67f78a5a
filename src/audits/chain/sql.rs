//! Functions of schema audits; their comments and grants are in sql/audits/append.sql.

use pgrx::prelude::*;

extension_sql_file!("../../../sql/audits/append.sql", name = "audits_append");
