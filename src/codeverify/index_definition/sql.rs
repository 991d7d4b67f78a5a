//! Functions of schema codeverify; their comments and grants are in sql/codeverify/partition_closing.sql.

use pgrx::prelude::*;

use super::parse::parse;
use super::Definition;
use crate::codeverify::deploy::DOMAINS;
use crate::codeverify::subtransaction::{attempt, Failure};

extension_sql_file!(
    "../../../sql/codeverify/partition_closing.sql",
    name = "codeverify_partition_closing",
    requires = [find_index_fault, label_index]
);

/// The definition, or what the parser says against it.
fn read(definition: &str) -> Result<Definition, String> {
    let mut found = Definition::default();
    // An error must leave nothing behind, whatever the parser did.
    attempt(|| found = parse(definition)).map_err(|failure| match failure {
        Failure::Failed(message) => message,
        Failure::Busy => "it could not be read".to_owned(),
    })?;
    found.fault(&DOMAINS).map_or(Ok(found), Err)
}

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn find_index_fault(definition: &str) -> Option<String> {
    read(definition).err()
}

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn label_index(definition: &str) -> Option<String> {
    read(definition).ok().map(|found| found.label())
}
