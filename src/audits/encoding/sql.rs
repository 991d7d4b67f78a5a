//! Functions of schema audits; their comments and grants are in sql/audits/encoding.sql.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::{parse_hash, unix_micros, Entry, Hash, Malformed};
use crate::codeverify::jsonb::JsonbArgument;
use crate::tenancy::sql::from_datum;

extension_sql_file!(
    "../../../sql/audits/encoding.sql",
    name = "audits_encoding",
    requires = [encode_entry]
);

/// `Ok`'s value, or the end of the function with PostgreSQL's own SQLSTATE for what is wrong.
pub fn or_raise<T>(result: Result<T, Malformed>) -> T {
    let malformed = match result {
        Ok(value) => return value,
        Err(malformed) => malformed,
    };
    let (code, hint) = match malformed {
        Malformed::Corrupt(_) => (
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            "Restore the value from a backup, and look for a failing disk and for changes made below SQL.",
        ),
        Malformed::TooLarge => (
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            "Keep the document elsewhere, and its hash in the payload.",
        ),
        Malformed::TooDeep => (
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            "Nest objects and arrays up to a thousand levels deep.",
        ),
    };
    raise(code, malformed.to_string(), hint)
}

fn raise(code: PgSqlErrorCode, message: String, hint: &str) -> ! {
    ErrorReport::new(code, message, "codeverify")
        .set_hint(hint)
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR report does not return")
}

#[pg_extern(schema = "audits", immutable, parallel_safe)]
#[allow(clippy::too_many_arguments)]
fn encode_entry(
    org_id: Option<pgrx::Uuid>,
    lane: Option<i32>,
    seq: Option<i64>,
    prev_hash: Option<&str>,
    id: Option<i64>,
    event_id: Option<pgrx::Uuid>,
    ts: Option<TimestampWithTimeZone>,
    entity: Option<&str>,
    action: Option<&str>,
    actor_id: Option<pgrx::Uuid>,
    resource_id: Option<pgrx::Uuid>,
    payload: Option<JsonbArgument>,
    ip_address: Option<&str>,
    user_agent: Option<&str>,
) -> Option<Vec<u8>> {
    let entry = Entry {
        org_id: org_id.map(from_datum),
        lane: lane?,
        seq: seq?,
        prev_hash: parse_or_raise(prev_hash?),
        id: id?,
        event_id: from_datum(event_id?),
        ts: unix_micros(ts?.into()),
        entity,
        action: action?,
        actor_id: actor_id.map(from_datum),
        resource_id: resource_id.map(from_datum),
        payload: payload.as_ref()?.container(),
        ip_address,
        user_agent,
    };
    Some(or_raise(entry.encode()))
}

fn parse_or_raise(digits: &str) -> Hash {
    parse_hash(digits.as_bytes()).unwrap_or_else(|| {
        raise(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "prev_hash is not a hash".into(),
            "Give 64 lower-case hexadecimal digits.",
        )
    })
}
