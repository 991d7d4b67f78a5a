//! Functions of schema audits; their comments and grants are in sql/audits/capture.sql.

use pgrx::prelude::*;

extension_sql_file!("../../../sql/audits/capture.sql", name = "audits_capture");
