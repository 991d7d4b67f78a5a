//! Looks for what was changed in the archives: every entry is unpacked and hashed again, every lane followed
//! from segment to segment to where audits.lanes says it ends, every archive compared with its record in
//! the ledger.

mod ends;
mod records;
mod segments;
mod whole;

use std::collections::BTreeMap;

use uuid::Uuid;

use self::records::Records;
use self::whole::Archive;
use super::entry::{ArchivedEntry, Run};
use super::stored::{find_segments, Scope, Span};
use crate::audits::encoding::{Hash, GENESIS};
use crate::audits::erasure::verification::KeyCheck;
use crate::audits::verification::verdict::{Finding, Report, Verdict};
use crate::codeverify::interrupts::check_for_interrupts;

/// Where a lane has got to.
#[derive(Clone, Copy)]
struct LaneState {
    seq: i64,
    signature: Hash,
    /// None after entries whose rows were not read.
    ts: Option<i64>,
}

impl LaneState {
    const START: LaneState = LaneState {
        seq: 0,
        signature: GENESIS,
        ts: None,
    };
}

/// Verifies the archived entries of a scope, and hands what is wrong to `report`. Rows outside of the span
/// are not unpacked, but the chain through them is followed by their signatures.
pub fn verify(scope: Scope, span: Span, report: &mut dyn Report) {
    let archives = whole::find_archives();
    let records = Records::find(&archives);
    let keys = KeyCheck::load();
    let mut verifier = Verifier {
        span,
        keys: keys.as_ref(),
        archives: &archives,
        records: &records,
        report,
        ledger: None,
        lanes: BTreeMap::new(),
        pruned: BTreeMap::new(),
    };
    for place in find_segments(scope) {
        check_for_interrupts();
        verifier.segment(place);
    }
    verifier.finish_ledger();
    verifier.vanished_ledgers(scope);
    if scope == Scope::All {
        verifier.archives();
    }
}

struct Verifier<'a> {
    span: Span,
    keys: Option<&'a KeyCheck>,
    archives: &'a [Archive],
    records: &'a Records,
    report: &'a mut dyn Report,
    /// The ledger that is being gone through, once there is one.
    ledger: Option<Option<Uuid>>,
    lanes: BTreeMap<i32, LaneState>,
    /// By archive and lane, what was pruned of the ledger.
    pruned: BTreeMap<(Uuid, i32), Run>,
}

impl Verifier<'_> {
    fn find(&mut self, lane: i32, seq: i64, verdict: Verdict, detail: String) {
        let org_id = self.ledger.flatten();
        self.report.tell(Finding {
            ledger: org_id,
            lane: Some(lane),
            seq: Some(seq),
            id: None,
            ts: None,
            verdict,
            detail,
        });
    }

    fn find_entry(&mut self, entry: &ArchivedEntry, verdict: Verdict, detail: &str) {
        if !self.span.contains(super::postgres_micros(entry.ts)) {
            return;
        }
        let org_id = self.ledger.flatten();
        self.report.tell(Finding {
            ledger: org_id,
            lane: Some(entry.lane),
            seq: Some(entry.seq),
            id: Some(entry.id),
            ts: Some(entry.ts),
            verdict,
            detail: detail.to_owned(),
        });
    }
}
