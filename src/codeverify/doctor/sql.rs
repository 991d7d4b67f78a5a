//! Functions that codeverify.doctor() asks; their comments are in sql/codeverify/doctor.sql.

use std::ffi::CStr;
use std::path::Path;

use pgrx::prelude::*;

use super::key_file::{find_fault, KeyFile, ENCRYPTION, SIGNING};
use super::preload;
use crate::audits;
use crate::codeverify::settings;

extension_sql_file!(
    "../../../sql/codeverify/doctor.sql",
    name = "codeverify_doctor",
    requires = [
        find_key_fault,
        find_encryption_fault,
        is_preloaded,
        "audits_guard",
        "tenancy_role_bindings"
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
