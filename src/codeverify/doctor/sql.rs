//! Functions that codeverify.doctor() asks; their comments are in sql/codeverify/checks/.

use std::ffi::CStr;
use std::path::Path;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use super::key_file::{find_fault, KeyFile, ENCRYPTION, SIGNING};
use super::preload;
use crate::audits;
use crate::codeverify::encryption::keys;
use crate::codeverify::settings;
use crate::codeverify::shared_memory::databases;

extension_sql_file!(
    "../../../sql/codeverify/checks/server.sql",
    name = "codeverify_checks_server",
    requires = [is_preloaded, find_writer_fault, last_written_at]
);
extension_sql_file!(
    "../../../sql/codeverify/checks/ledger.sql",
    name = "codeverify_checks_ledger",
    requires = [find_key_fault, "audits_guard"]
);
extension_sql_file!(
    "../../../sql/codeverify/checks/isolation.sql",
    name = "codeverify_checks_isolation",
    requires = ["tenancy_isolation"]
);
extension_sql_file!(
    "../../../sql/codeverify/checks/roles.sql",
    name = "codeverify_checks_roles",
    requires = ["tenancy_role_bindings"]
);
extension_sql_file!(
    "../../../sql/codeverify/checks/secrets.sql",
    name = "codeverify_checks_secrets",
    requires = [find_encryption_fault, list_encryption_keys]
);
extension_sql_file!(
    "../../../sql/codeverify/checks/upkeep.sql",
    name = "codeverify_checks_upkeep",
    requires = ["codeverify_clock", "codeverify_partition_sets"]
);
extension_sql_file!(
    "../../../sql/codeverify/doctor.sql",
    name = "codeverify_doctor",
    requires = [
        "codeverify_checks_server",
        "codeverify_checks_ledger",
        "codeverify_checks_isolation",
        "codeverify_checks_roles",
        "codeverify_checks_secrets",
        "codeverify_checks_upkeep"
    ]
);

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn find_key_fault() -> Option<String> {
    fault(&SIGNING, audits::settings::key_file())
}

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn find_encryption_fault() -> Option<String> {
    fault(&ENCRYPTION, settings::encryption_key_file())
}

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn list_encryption_keys() -> SetOfIterator<'static, String> {
    let keys = settings::encryption_key_file().and_then(|path| keys::read(Path::new(&path)).ok());
    let ids: Vec<String> = keys
        .iter()
        .flat_map(|keys| keys.ids())
        .map(str::to_owned)
        .collect();
    SetOfIterator::new(ids)
}

fn fault(file: &KeyFile, path: Option<String>) -> Option<String> {
    // SAFETY: the server sets it when it starts and never changes it.
    let data_directory = unsafe { CStr::from_ptr(pg_sys::DataDir) }.to_string_lossy();
    find_fault(
        file,
        path.as_deref().map(Path::new),
        Path::new(&*data_directory),
    )
}

#[pg_extern(schema = "codeverify", stable, parallel_safe)]
fn is_preloaded() -> bool {
    preload::is_preloaded()
}

#[pg_extern(schema = "codeverify", volatile, parallel_safe)]
fn find_writer_fault() -> Option<String> {
    // A standby writes nothing.
    if !preload::is_preloaded() || !databases::is_writable() {
        return None;
    }
    if !databases::has_launcher() {
        return Some("the process that starts writers is not running".into());
    }
    let entry = databases::find(my_database())?;
    match entry.failures() {
        0 => {
            let now = now();
            let overdue = (now - entry.due_at(now)?) / 1_000_000;
            (overdue > OVERDUE)
                .then(|| format!("writing behind has been due for {overdue} seconds"))
        }
        failures => Some(format!(
            "writing behind has failed {failures} times in a row; the server's log says why"
        )),
    }
}

#[pg_extern(schema = "codeverify", volatile, parallel_safe)]
fn last_written_at() -> Option<TimestampWithTimeZone> {
    let at = databases::find(my_database())?.flushed_at()?;
    TimestampWithTimeZone::try_from(at).ok()
}

/// Seconds that a writer may be late before that is worth telling.
const OVERDUE: i64 = 10;

fn my_database() -> u32 {
    // SAFETY: a number that the session got when it connected.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}

fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}
