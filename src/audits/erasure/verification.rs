//! Tells of entries whose personal fields cannot be read: erased ones, which is legal, and those whose key was taken away
//! or exchanged behind the ledger's back. The chain is intact with all of them.

use uuid::Uuid;

use super::cipher::{self, Place};
use super::fields::{mentions, reveal, EncryptedField, ENCRYPTED};
use super::keys::{find_by_id, Found};
use crate::audits::archives::cursor::Cursor;
use crate::audits::archives::datum::Row;
use crate::audits::archives::stored::{Scope, Span};
use crate::audits::verification::verdict::{Finding, Report, Verdict};
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select;
use crate::tenancy::sql::to_datum;

/// Holds encrypted fields to the keys that there are.
pub struct KeyCheck {
    /// When the oldest key was made, in microseconds since 1970. What is older was left out by a dump, which is legal.
    oldest: i64,
}

/// An entry, as far as its encrypted fields are bound to it.
#[derive(Clone, Copy)]
pub struct Bound {
    pub org_id: Option<Uuid>,
    pub event_id: Uuid,
    pub ts: i64,
}

impl KeyCheck {
    /// None where there is no key at all: nobody has personal fields, or a dump has left the keys out.
    pub fn load() -> Option<KeyCheck> {
        let oldest = as_owner(|| {
            select(
                "SELECT min(k.created_at) FROM audits.subject_keys AS k",
                &[],
                |mut rows| {
                    rows.next();
                    Row(&rows).time(1)
                },
            )
        });
        oldest.map(|oldest| KeyCheck { oldest })
    }

    /// Whether something from that time may have lost its key to a dump.
    pub fn is_left_out(&self, ts: i64) -> bool {
        ts < self.oldest
    }

    /// What is to be said of an entry's payload, given as text. Usually that takes a search for a few bytes.
    pub fn verdicts(&self, entry: Bound, payload: &str) -> Vec<(Verdict, String)> {
        let mut verdicts = Vec::new();
        if mentions(payload.as_bytes(), ENCRYPTED) {
            reveal(payload, &mut |field| {
                let verdict = self.verdict(entry, &field);
                if let Some(verdict) = verdict.filter(|verdict| !verdicts.contains(verdict)) {
                    verdicts.push(verdict);
                }
                None
            });
        }
        verdicts
    }

    fn verdict(&self, entry: Bound, field: &EncryptedField) -> Option<(Verdict, String)> {
        let opened = cipher::open(&field.ciphertext)?;
        let subject = field.subject;
        let Place {
            org_id, event_id, ..
        } = opened.place;
        // A copy of another entry's field opens nowhere, and says nothing of the key.
        let is_copy = (org_id, event_id) != (entry.org_id, entry.event_id);
        match find_by_id(opened.place.key_id, subject) {
            Found::Erased => Some((
                Verdict::Erased,
                format!("the personal fields of {subject} have been erased"),
            )),
            _ if is_copy => None,
            Found::Key(known) => {
                let value = opened.decrypt(&known.key, subject, &field.commitment);
                value.is_none().then(|| {
                    (
                        Verdict::Altered,
                        format!("the key of the personal fields of {subject} is not the one that they were encrypted under"),
                    )
                })
            }
            Found::Nothing if self.is_left_out(entry.ts) => Some((
                Verdict::Erased,
                format!(
                    "the key of the personal fields of {subject} is older than all that there are"
                ),
            )),
            Found::Nothing => Some((
                Verdict::Missing,
                format!("the key of the personal fields of {subject} is gone, and was not erased"),
            )),
        }
    }
}

/// Rows that are read at a time: few, as the payload of each may be large.
const FETCHED: i64 = 10;

/// Reports the entries of a scope and span whose encrypted fields cannot be read and that are still in the table; those
/// in archives are told of by `archives::verification`. Where there are no keys this reads no entry.
pub fn tell_unreadable(scope: Scope, span: Span, report: &mut dyn Report) {
    let Some(keys) = KeyCheck::load() else {
        return;
    };
    let (all, ledger) = match scope {
        Scope::All => (true, None),
        Scope::Ledger(org_id) => (false, org_id),
    };
    let cursor = as_owner(|| {
        Cursor::open(
            "SELECT e.org_id, e.lane, e.seq, e.id, e.ts, e.payload::text, e.event_id \
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
                let finding = Finding {
                    ledger: row.uuid(1)?,
                    lane: row.int4(2)?,
                    seq: row.int8(3)?,
                    id: row.int8(4)?,
                    ts: row.time(5)?,
                    verdict: Verdict::Erased,
                    detail: String::new(),
                };
                let bound = Bound {
                    org_id: finding.ledger,
                    event_id: row.uuid(7)?.unwrap_or_default(),
                    ts: finding.ts.unwrap_or_default(),
                };
                let payload = row.text(6)?.unwrap_or_default();
                Ok((finding, bound, payload))
            })
        });
        for (finding, bound, payload) in found {
            for (verdict, detail) in as_owner(|| keys.verdicts(bound, &payload)) {
                report.tell(Finding {
                    verdict,
                    detail,
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
