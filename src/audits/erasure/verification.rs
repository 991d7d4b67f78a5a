//! Tells of entries whose personal fields have been erased: the chain is intact, and yet not all of it can be read.

use super::keys::ErasedKeys;
use crate::audits::archives::cursor::Cursor;
use crate::audits::archives::stored::{Scope, Span};
use crate::audits::verification::verdict::{Finding, Report, Verdict};
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::as_owner;
use crate::tenancy::sql::to_datum;

/// Rows that are read at a time: few, as the payload of each may be large.
const FETCHED: i64 = 10;

/// Reports the entries of a scope and span that have erased fields and are still in the table; those in
/// archives are told of by `archives::verification`. Where nobody was erased this reads no entry.
pub fn tell_erased(scope: Scope, span: Span, report: &mut dyn Report) {
    let erased = ErasedKeys::load();
    if erased.is_empty() {
        return;
    }
    let (all, ledger) = match scope {
        Scope::All => (true, None),
        Scope::Ledger(org_id) => (false, org_id),
    };
    let cursor = as_owner(|| {
        Cursor::open(
            "SELECT e.org_id, e.lane, e.seq, e.id, e.ts, e.payload::text \
             FROM audits.audit_log AS e \
             WHERE ($1 OR e.org_id = $2 OR $2 IS NULL AND e.org_id IS NULL) \
               AND ($3 IS NULL OR e.ts >= $3) \
               AND ($4 IS NULL OR e.ts < $4) \
               AND strpos(e.payload::text, '\"$encrypted\"') > 0",
            &[
                all.into(),
                ledger.map(to_datum).into(),
                timestamptz(span.from),
                timestamptz(span.until),
            ],
        )
    });
    loop {
        check_for_interrupts();
        let mut is_over = true;
        let found = as_owner(|| {
            cursor.fetch(FETCHED, |row| {
                is_over = false;
                let payload = row.text(6)?.unwrap_or_default();
                let subjects = erased.subjects_in(&payload);
                let finding = Finding {
                    ledger: row.uuid(1)?,
                    lane: row.int4(2)?,
                    seq: row.int8(3)?,
                    id: row.int8(4)?,
                    ts: row.time(5)?,
                    verdict: Verdict::Erased,
                    detail: String::new(),
                };
                Ok((finding, subjects))
            })
        });
        for (finding, subjects) in found {
            for subject in subjects {
                report.tell(Finding {
                    detail: format!("the personal fields of {subject} have been erased"),
                    ..finding.clone()
                });
            }
        }
        if is_over {
            break;
        }
    }
    cursor.close();
}

/// A time in PostgreSQL's microseconds, or NULL, as the parameter of a query.
fn timestamptz<'a>(micros: Option<i64>) -> pgrx::datum::DatumWithOid<'a> {
    use pgrx::datum::DatumWithOid;
    use pgrx::pg_sys::{Datum, TIMESTAMPTZOID};
    micros.map_or(DatumWithOid::null_oid(TIMESTAMPTZOID), |micros| {
        // SAFETY: a timestamptz is those microseconds.
        unsafe { DatumWithOid::new(Datum::from(micros), TIMESTAMPTZOID) }
    })
}
