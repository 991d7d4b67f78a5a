//! Functions that codeverify.doctor() asks; their comments are in sql/codeverify/doctor.sql.

use std::ffi::CStr;
use std::path::Path;

use pgrx::prelude::*;

use super::key_file::{examine, Fault};
use super::preload;
use crate::audits::settings;

extension_sql_file!(
    "../../../sql/codeverify/doctor.sql",
    name = "codeverify_doctor",
    requires = [find_key_fault, is_preloaded, "audits_guard"]
);

/// In words, never with the name of the file, which is for superusers.
#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn find_key_fault() -> Option<&'static str> {
    let path = settings::key_file();
    // SAFETY: the server sets it when it starts and never changes it.
    let data_directory = unsafe { CStr::from_ptr(pg_sys::DataDir) }.to_string_lossy();
    examine(path.as_deref().map(Path::new), Path::new(&*data_directory))
        .err()
        .map(Fault::describe)
}

#[pg_extern(schema = "codeverify", stable, parallel_safe)]
fn is_preloaded() -> bool {
    preload::is_preloaded()
}
