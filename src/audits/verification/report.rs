//! Glue: where findings go.

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::IntoDatum;

use super::verdict::{Finding, Report, Verdict};
use crate::audits::encoding::unix_micros;
use crate::tenancy::sql::to_datum;

/// Columns of audits.verify_chain().
const WIDTH: usize = 7;

/// The result of audits.verify_chain(), which PostgreSQL keeps on disk when it is large.
pub struct ResultRows {
    result: *mut pg_sys::ReturnSetInfo,
}

impl ResultRows {
    /// # Safety
    /// `call` is the call of a set-returning function with the columns of audits.verify_chain(), and outlives the
    /// value.
    pub unsafe fn new(call: FunctionCallInfo) -> ResultRows {
        // SAFETY: as promised by the caller. It raises an error where a set is not expected.
        unsafe {
            pg_sys::InitMaterializedSRF(call, 0);
            ResultRows {
                result: (*call).resultinfo.cast(),
            }
        }
    }
}

impl Report for ResultRows {
    fn tell(&mut self, finding: Finding) {
        let values: [Option<Datum>; WIDTH] = [
            finding.ledger.and_then(|id| to_datum(id).into_datum()),
            finding.lane.map(Datum::from),
            finding.seq.map(Datum::from),
            finding.id.map(Datum::from),
            finding
                .ts
                .map(|ts| Datum::from(ts.wrapping_sub(unix_micros(0)))),
            finding.verdict.name().into_datum(),
            finding.detail.into_datum(),
        ];
        let mut nulls = values.map(|value| value.is_none());
        let mut values = values.map(|value| value.unwrap_or(Datum::null()));
        // SAFETY: store and descriptor were made for this call; the row is copied.
        unsafe {
            pg_sys::tuplestore_putvalues(
                (*self.result).setResult,
                (*self.result).setDesc,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }
}

/// How many findings of each kind there are, and the first that is illegal.
#[derive(Default)]
pub struct Counts {
    counts: [u64; Verdict::ALL.len()],
    pub first: Option<Finding>,
}

impl Counts {
    pub fn is_intact(&self) -> bool {
        self.first.is_none()
    }

    /// Each verdict that there is, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Verdict, u64)> + '_ {
        Verdict::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
    }
}

impl Report for Counts {
    fn tell(&mut self, finding: Finding) {
        self.counts[finding.verdict as usize] += 1;
        if self.first.is_none() && !finding.verdict.is_legal() {
            self.first = Some(finding);
        }
    }
}
