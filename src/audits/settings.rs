//! Settings of the ledger.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::codeverify::settings::text;

/// Most lanes that an organization's ledger may have; a CHECK of the tables says so too.
pub const MAX_LANES: i32 = 32;

static LANES: GucSetting<i32> = GucSetting::<i32>::new(MAX_LANES);
static CAPTURE: GucSetting<bool> = GucSetting::<bool>::new(true);
static KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static ORIGIN: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// How many lanes new entries of an organization are spread over.
pub fn lanes() -> i32 {
    LANES.get()
}

/// Whether changes to tracked tables are recorded.
pub fn captures() -> bool {
    CAPTURE.get()
}

/// The file that holds the private key of checkpoints.
pub fn key_file() -> Option<String> {
    text(&KEY_FILE)
}

/// The name of this ledger in its checkpoints.
pub fn origin() -> Option<String> {
    text(&ORIGIN)
}

/// Registers the settings with the server.
pub fn define() {
    GucRegistry::define_int_guc(
        c"codeverify.ledger_lanes",
        c"Lanes of an organization's ledger that transactions can write to at the same time.",
        c"Each is a hash chain of its own. When all are taken, an append waits for one.",
        &LANES,
        1,
        MAX_LANES,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"codeverify.capture",
        c"Whether changes to tracked tables are recorded in the ledger.",
        c"See audits.track().",
        &CAPTURE,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"codeverify.ledger_key_file",
        c"File that holds the private key with which checkpoints of the ledger are signed.",
        c"One line, as audits.create_signing_key() makes it. Keep it off the data volume. Empty means unsigned checkpoints.",
        &KEY_FILE,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"codeverify.ledger_origin",
        c"Name of this ledger in its checkpoints, such as example.org/audit.",
        c"The origin line of C2SP tlog-checkpoint. Empty means codeverify/ and the name of the database.",
        &ORIGIN,
        GucContext::Suset,
        GucFlags::default(),
    );
}
