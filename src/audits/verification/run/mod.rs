//! Glue: a verification from beginning to end.

mod doubts;
mod ends;
mod lane;
mod new_entries;
mod partitions;
mod records;

use uuid::Uuid;

use crate::audits::archives::{self, stored};
use crate::audits::chain::held::{Head, Ledger};
use crate::audits::checkpoints::key_file::Keys;
use crate::audits::erasure;
use crate::audits::verification::checkpoints::verify_tree;
use crate::audits::verification::known::Known;
use crate::audits::verification::reader::{Reader, Record, Value};
use crate::audits::verification::row::COLUMNS;
use crate::audits::verification::tally::{Key, Tally};
use crate::audits::verification::verdict::{places, Finding, Report, Verdict};
use crate::audits::verification::walk::{self, Break, Doubts};
use crate::codeverify::progress::{Operation, Progress};

/// How many altered entries and broken links are looked into for where they come from; the others are told of as
/// they are.
const MOST_DOUBTS: usize = 256;

/// How much memory the contents of altered entries may take.
const MOST_SUSPECT_BYTES: usize = 8 << 20;

/// Which entries are verified.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// One organization's ledger; None for all ledgers, the platform's own included.
    pub organization: Option<Uuid>,
    /// From this time on, in microseconds since 1970.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// Only what has come since each lane was found intact, and since the tree was when it had this size.
    pub since_verified: Option<u64>,
}

impl Scope {
    /// Whether lanes are verified from one end to the other.
    fn is_whole(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Whether it is all that there is, so that the tree can be verified too.
    pub fn is_everything(&self) -> bool {
        self.is_whole() && self.organization.is_none()
    }
}

/// What has been verified.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub entries: u64,
    pub lanes: u64,
    /// Leaves of the Merkle tree; None when it was not verified.
    pub tree_size: Option<u64>,
}

/// A lane that is intact, and its last entry.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    pub ledger: Ledger,
    pub lane: i32,
    pub head: Head,
}

/// Verifies, reports what it finds, and hands over the lanes that are intact.
pub fn verify(
    scope: Scope,
    key: Key,
    keys: Option<&Keys>,
    report: &mut dyn Report,
    verified: &mut dyn FnMut(Verified),
) -> Outcome {
    Reader::open(|reader| {
        let mut run = Run {
            scope,
            key,
            reader,
            report,
            verified,
            doubts: Notebook::default(),
            outcome: Outcome::default(),
        };
        let mut progress = Progress::start(Operation::Verify, run.estimate());
        match scope.since_verified {
            Some(_) => run.walk_new_entries(&mut progress),
            None => {
                run.pass();
                run.check_partitions();
                run.read_archives();
            }
        }
        run.explain();
        if scope.is_everything() {
            let from = scope.since_verified.unwrap_or(0);
            let tree_size = verify_tree(run.reader, run.report, keys, from);
            run.outcome.tree_size = Some(tree_size);
            run.check_records();
        }
        run.outcome
    })
}

struct Run<'a> {
    scope: Scope,
    key: Key,
    reader: &'a mut Reader,
    report: &'a mut dyn Report,
    verified: &'a mut dyn FnMut(Verified),
    doubts: Notebook,
    outcome: Outcome,
}

/// Entries and links whose fault is told when the whole ledger has been seen.
#[derive(Default)]
struct Notebook {
    /// With whether they have been told of.
    altered: Vec<(Ledger, i32, walk::Entry, bool)>,
    broken: Vec<(Ledger, i32, Break)>,
}

/// Takes down what a walk along one lane doubts.
struct LaneNotes<'a> {
    ledger: Ledger,
    lane: i32,
    notebook: &'a mut Notebook,
}

impl Doubts for LaneNotes<'_> {
    fn altered(&mut self, entry: &walk::Entry, is_told: bool) {
        self.notebook
            .altered
            .push((self.ledger, self.lane, *entry, is_told));
    }

    fn broken(&mut self, between: Break) {
        self.notebook.broken.push((self.ledger, self.lane, between));
    }
}

/// An entry beyond those that are verified, and its link to them.
struct Beyond {
    head: Head,
    prev_hash: Option<[u8; 32]>,
}

impl Run<'_> {
    /// About how many entries there are.
    fn estimate(&mut self) -> usize {
        let sql = "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::int8 \
            FROM pg_catalog.pg_partition_tree('audits.audit_log') AS t \
            JOIN pg_catalog.pg_class AS c ON c.oid = t.relid \
            WHERE t.isleaf";
        let rows = self.reader.first(sql, &[], |row| row.int8(0)).flatten();
        rows.and_then(|rows| usize::try_from(rows).ok())
            .unwrap_or(0)
    }

    /// Verifies what has left for archives, and tells whose personal fields were erased.
    fn read_archives(&mut self) {
        let scope = match self.scope.organization {
            Some(organization) => stored::Scope::Ledger(Some(organization)),
            None => stored::Scope::All,
        };
        let span = stored::Span::since_1970(self.scope.since, self.scope.until);
        archives::verification::verify(scope, span, self.report);
        erasure::verification::tell_unreadable(scope, span, self.report);
    }

    /// Reads all entries once, and walks along the lanes that need it.
    fn pass(&mut self) {
        let organization = match self.scope.organization {
            Some(_) => "a.org_id = $1",
            None => "$1::uuid IS NULL",
        };
        let known_lanes = known_lanes(organization);
        let sql = format!(
            "SELECT coalesce(t.org_id, l.org_id), coalesce(t.lane, l.lane), t.tally, {LANE} \
             FROM ( \
                 SELECT a.org_id, a.lane, audits.tally({COLUMNS}, $4, $5) AS tally \
                 FROM audits.audit_log AS a \
                 WHERE {organization} \
                   AND ($2 IS NULL OR a.ts >= $2) \
                   AND ($3 IS NULL OR a.ts < $3) \
                 GROUP BY a.org_id, a.lane) AS t \
             FULL JOIN ({known_lanes}) AS l \
                 ON coalesce(l.org_id::text, '') = coalesce(t.org_id::text, '') AND l.lane = t.lane \
             ORDER BY 1 NULLS FIRST, 2"
        );
        let values = [
            Value::Uuid(self.scope.organization),
            Value::Time(self.scope.since),
            Value::Time(self.scope.until),
            Value::Int8(self.key.0 as i64),
            Value::Int8(self.key.1 as i64),
        ];
        let mut lanes = self.reader.spool(&sql, &values);
        while let Some((ledger, lane, tally, known)) = lanes.next(|row| {
            let tally = row.bytes(2).and_then(Tally::from_bytes);
            (
                row.uuid(0),
                row.int4(1).unwrap_or(0),
                tally,
                read_known(&row, 3),
            )
        }) {
            self.outcome.lanes += 1;
            self.outcome.entries += tally.as_ref().map_or(0, |tally| tally.count);
            self.tell_archived(ledger, lane, &known);
            self.verify_lane(ledger, lane, tally, &known);
        }
    }

    fn tell_archived(&mut self, ledger: Ledger, lane: i32, known: &Known) {
        let archived = known.archived;
        if archived.seq == 0 || self.scope.since.is_some_and(|since| since > archived.ts) {
            return;
        }
        self.report.tell(Finding {
            ledger,
            lane: Some(lane),
            seq: Some(archived.seq),
            id: None,
            ts: Some(archived.ts),
            verdict: Verdict::Pruned,
            detail: format!("{} have left for archives", places(1, archived.seq)),
        });
    }
}

/// The lanes that audits.lanes or the tree has.
fn known_lanes(condition: &str) -> String {
    format!(
        "SELECT n.org_id, n.lane, {LANE} \
         FROM ( \
             SELECT a.org_id, a.lane FROM audits.lanes AS a WHERE {condition} \
             UNION \
             SELECT a.org_id, a.lane FROM audits.checkpoint_lanes AS a WHERE {condition}) AS n \
         LEFT JOIN audits.lanes AS l \
             ON coalesce(l.org_id::text, '') = coalesce(n.org_id::text, '') AND l.lane = n.lane"
    )
}

/// What audits.lanes has, in the order in which [`read_known`] takes it.
const LANE: &str = "l.archived_seq, l.archived_signature, l.archived_ts, \
    l.checkpointed_seq, l.checkpointed_signature, l.checkpointed_ts, \
    l.verified_seq, l.verified_signature, l.verified_ts";

fn read_known(row: &Record, place: usize) -> Known {
    Known {
        archived: row.head(place).unwrap_or(Head::NONE),
        checkpointed: row.head(place + 3).filter(|head| head.seq > 0),
        verified: row.head(place + 6).filter(|head| head.seq > 0),
    }
}

fn read_beyond(row: Record) -> Option<Beyond> {
    Some(Beyond {
        head: row.head(0)?,
        prev_hash: row.hash(3),
    })
}
