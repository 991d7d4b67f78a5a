//! What has been noted of keys and not been told of, over a restart of the server.
//!
//! It is told once a minute, and no writer waits for that. When the server goes down no process is started any more, and
//! the launcher can connect to one database only: what belongs to the others it leaves in a file, which the next launcher
//! takes up and deletes. These are counts of what has happened, so that it does no harm when they are told late.

use std::fs;
use std::io;
use std::path::Path;

use super::uses::{Noted, USES};
use crate::codeverify::shared_memory::databases;

/// In the server's data directory, beside the statistics that it keeps itself.
const FILE: &str = "pg_stat/codeverify_uses.json";

/// More than a server can have noted in memory that is as large as it may be.
const MOST_BYTES: u64 = 4 << 30;

/// Leaves in the file what is noted of the databases that are wanted. From then on it is there only, since it may be the
/// launcher alone that ends.
pub fn keep(is_wanted: impl Fn(u32) -> bool) -> io::Result<()> {
    let wanted = databases::known()
        .map(databases::Database::oid)
        .filter(|database| is_wanted(*database));
    USES.hand_over(wanted, |noted| {
        // A file that is there is whole.
        let unfinished = format!("{FILE}.tmp");
        fs::write(&unfinished, serde_json::to_vec(noted)?)?;
        fs::rename(&unfinished, FILE)
    })
}

/// Takes up what is in the file; what there is no room for is lost. It is deleted before: told twice would be worse.
pub fn take_up() -> io::Result<()> {
    let path = Path::new(FILE);
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let content = if length <= MOST_BYTES {
        fs::read(path)
    } else {
        Ok(Vec::new())
    };
    fs::remove_file(path)?;
    for noted in serde_json::from_slice::<Vec<Noted>>(&content?)? {
        USES.note_again(&noted);
    }
    Ok(())
}
