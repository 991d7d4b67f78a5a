//! Lines of a segment, and which are wanted.

use pgrx::direct_function_call_as_datum;
use pgrx::pg_sys::{self, Datum};
use uuid::Uuid;

use super::super::block::Block;
use super::super::terms::Terms;
use super::super::words::Filter;
use super::tokens::tsvector_of;
use crate::codeverify::jsonb;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::segment::Column;

/// Which lines are asked for.
pub(super) struct Wanted {
    pub(super) org_id: Uuid,
    pub(super) since: i64,
    pub(super) until: i64,
    pub(super) service: Option<Uuid>,
    pub(super) environment: Option<Uuid>,
    pub(super) level: Option<String>,
    pub(super) query: Option<(Datum, Option<Terms>)>,
    pub(super) meta: Option<Datum>,
    pub(super) before: Option<(i64, i64)>,
}

impl Wanted {
    pub(super) fn may_be_in(&self, words: Option<&[u8]>) -> bool {
        let (Some((_, Some(terms))), Some(words)) = (&self.query, words) else {
            return true;
        };
        // A damaged filter says nothing; verify_packed() tells of it.
        Filter::read(words)
            .is_none_or(|filter| terms.may_match(&|word| filter.may_have(word.as_bytes())))
    }

    /// Whether a line is wanted, so far as that can be told without its message and meta_json.
    pub(super) fn has(&self, lines: &Lines, row: usize) -> bool {
        let Some((ts, id)) = lines.place(row) else {
            return false;
        };
        ts >= self.since
            && ts < self.until
            && self.before.is_none_or(|before| (ts, id) < before)
            && is_equal(self.service, lines.service, row)
            && is_equal(self.environment, lines.environment, row)
            && self.level.as_ref().is_none_or(|level| {
                lines
                    .level
                    .get(row)
                    .is_some_and(|of| of.as_ref() == Some(level))
            })
    }

    /// Whether its message and meta_json are as wanted.
    pub(super) fn matches(&self, lines: &Lines, row: usize) -> bool {
        if self.query.is_none() && self.meta.is_none() {
            return true;
        }
        in_scratch_memory(|| {
            // SAFETY: each function gets the two values that it takes.
            unsafe {
                let is_true = |function, left, right| {
                    direct_function_call_as_datum(function, &[left, Some(right)])
                        .is_some_and(|answer| answer.value() != 0)
                };
                let message = lines.message.get(row).and_then(Option::as_deref);
                let meta = lines.meta.get(row).and_then(Option::as_deref);
                self.query.as_ref().is_none_or(|(query, _)| {
                    let tsvector = message.and_then(tsvector_of);
                    tsvector.is_some() && is_true(pg_sys::ts_match_vq, tsvector, *query)
                }) && self.meta.is_none_or(|wanted| {
                    let meta = meta.and_then(jsonb::from_text);
                    meta.is_some() && is_true(pg_sys::jsonb_contains, meta, wanted)
                })
            }
        })
    }
}

fn is_equal(wanted: Option<Uuid>, values: &[Option<Uuid>], row: usize) -> bool {
    wanted.is_none() || values.get(row).is_some_and(|value| *value == wanted)
}

/// The columns of a segment of log lines.
pub(super) struct Lines<'a> {
    pub(super) id: &'a [Option<i64>],
    pub(super) service: &'a [Option<Uuid>],
    pub(super) environment: &'a [Option<Uuid>],
    pub(super) ts: &'a [Option<i64>],
    pub(super) level: &'a [Option<String>],
    pub(super) message: &'a [Option<String>],
    pub(super) meta: &'a [Option<String>],
}

impl<'a> Lines<'a> {
    pub(super) fn of(block: &'a Block) -> Option<Lines<'a>> {
        let integers = |name| match block.column(name) {
            Some(Column::Int64(values) | Column::Timestamp(values)) => Some(values.as_slice()),
            _ => None,
        };
        let ids = |name| match block.column(name) {
            Some(Column::Uuid(values)) => Some(values.as_slice()),
            _ => None,
        };
        let texts = |name| match block.column(name) {
            Some(Column::Text(values)) => Some(values.as_slice()),
            _ => None,
        };
        Some(Lines {
            id: integers("id")?,
            service: ids("service_id")?,
            environment: ids("environment_id")?,
            ts: integers("ts")?,
            level: texts("level")?,
            message: texts("message")?,
            meta: texts("meta_json")?,
        })
    }

    /// By what lines are in order.
    pub(super) fn place(&self, row: usize) -> Option<(i64, i64)> {
        Some(((*self.ts.get(row)?)?, (*self.id.get(row)?)?))
    }
}
