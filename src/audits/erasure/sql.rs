//! Functions of schema audits; their comments and grants are in sql/audits/erasure.sql.

use pgrx::prelude::*;

extension_sql_file!("../../../sql/audits/erasure.sql", name = "audits_erasure");
