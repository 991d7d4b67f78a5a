//! Functions of schema codeverify; their comments and grants are in sql/codeverify/partition_closing.sql.

use std::ffi::CStr;

use pgrx::prelude::*;

use super::parse::parse;
use super::Definition;
use crate::audits::authority::{acting, Deed};
use crate::codeverify::deploy::DOMAINS;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{run_script, update_one};
use crate::codeverify::raise::or_raise;
use crate::codeverify::subtransaction::{attempt, Failure};

extension_sql_file!(
    "../../../sql/codeverify/partition_closing.sql",
    name = "codeverify_partition_closing",
    requires = [
        label_index,
        build_index,
        "codeverify_clock",
        "codeverify_partition_sets"
    ]
);

/// The definition, unless the parser says something against it, or it is not what a set may have.
fn read(definition: &str) -> Result<Definition, Error> {
    let mut found = Definition::default();
    // An error must leave nothing behind, whatever the parser did.
    let problem = match attempt(|| found = parse(definition)) {
        Ok(()) => found.fault(&DOMAINS),
        Err(Failure::Failed(message)) => Some(message),
        Err(Failure::Busy) => Some("it could not be read".to_owned()),
    };
    problem.map_or(Ok(found), |problem| {
        Err(Error::InvalidIndexDefinition {
            definition: definition.to_owned(),
            problem,
        })
    })
}

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn label_index(definition: &str) -> String {
    or_raise(read(definition)).label()
}

/// The ledger's guard lets nobody else pass. What is built names nothing but the server's own functions and ours.
#[pg_extern(
    sql = "CREATE FUNCTION audits.build_index(partition regclass, index_name name, definition text) RETURNS void \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn build_index(partition: pg_sys::Oid, index_name: &CStr, definition: &str) {
    or_raise(read(definition));
    as_owner(|| {
        let command = update_one::<String>(
            "SELECT format('CREATE INDEX %I ON %s ', $2::text, d.oid::regclass) \
             FROM pg_class AS d \
             JOIN pg_inherits AS i ON i.inhrelid = d.oid \
             WHERE d.oid = $1 AND i.inhparent = to_regclass('audits.audit_log')",
            &[
                partition.into(),
                index_name.to_string_lossy().into_owned().into(),
            ],
        );
        if let Some(command) = command {
            acting(Deed::Maintenance, || {
                run_script(&(command + definition));
            });
        }
    });
}
