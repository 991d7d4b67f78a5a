//! What the tables know of a key, as of now.

use uuid::Uuid;

use super::minute::start_of;
use crate::codeverify::latest::select_latest;
use crate::codeverify::owner::as_owner;
use crate::codeverify::time;
use crate::tenancy::sql::{from_datum, to_datum};

/// A key that exists.
#[derive(Clone, Copy)]
pub struct Stored {
    pub org_id: Uuid,
    /// Uses in the minute that was asked about.
    pub count: u32,
}

/// Reads what is committed by now, also in a transaction that is to see an earlier state: a count that was flushed
/// since must not begin anew.
pub fn load(api_key_id: Uuid, minute: u32) -> Option<Stored> {
    as_owner(|| {
        select_latest(
            "SELECT k.org_id, b.count \
             FROM auth.api_keys AS k \
             LEFT JOIN auth.api_key_rate_buckets AS b ON b.api_key_id = k.id AND b.window_start = $2 \
             WHERE k.id = $1",
            &[
                to_datum(api_key_id).into(),
                time::to_datum(time::from_stored(start_of(minute))),
            ],
            |rows| {
                let row = rows.first()?;
                let count: i32 = row.get(2).unwrap_or(0);
                Some(Stored {
                    org_id: row.get(1).map(from_datum)?,
                    count: u32::try_from(count).unwrap_or(0),
                })
            },
        )
    })
}
