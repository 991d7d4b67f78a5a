//! Each archive as a whole: its numbers and its root, by its segments, by audits.archives and by the ledger.

use std::collections::HashSet;

use uuid::Uuid;

use super::Verifier;
use crate::audits::archives::datum::Row;
use crate::audits::archives::stored::read_segment;
use crate::audits::checkpoints::tree::Edge;
use crate::audits::verification::verdict::{Finding, Verdict};
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select_as_seen;
use crate::tenancy::sql::to_datum;

/// What the table audits.archives says of one of them.
pub(super) struct Archive {
    pub(super) id: Uuid,
    partition: String,
    entries: i64,
    segments: i64,
    root: Vec<u8>,
    pub(super) is_pruned: bool,
}

impl Verifier<'_> {
    /// Compares each archive with what the ledger recorded of it.
    pub(super) fn archives(&mut self) {
        let whole = |verdict, detail| Finding {
            ledger: None,
            lane: None,
            seq: None,
            id: None,
            ts: None,
            verdict,
            detail,
        };
        for archive in self.archives {
            let Archive { id, partition, .. } = archive;
            let contents = Contents::of(*id);
            if (contents.segments, contents.entries) != (archive.segments, archive.entries) {
                self.report.tell(whole(Verdict::Missing, format!(
                    "archive {id} of {partition} should have {} entries in {} segments and has {} in {}",
                    archive.entries, archive.segments, contents.entries, contents.segments
                )));
            }
            let root = hex::encode(contents.root.root());
            if archive.root != contents.root.root() {
                self.report.tell(whole(
                    Verdict::Altered,
                    format!("the signatures of archive {id} of {partition} do not give its root"),
                ));
            }
            match self.records.roots.get(id) {
                None => self.report.tell(whole(Verdict::Missing, format!(
                    "the ledger has no entry about archive {id} of {partition}"
                ))),
                Some(recorded) if *recorded != root => self.report.tell(whole(Verdict::Altered, format!(
                    "the ledger has another root of archive {id} of {partition} than its signatures give"
                ))),
                Some(_) => {}
            }
        }
        let known: HashSet<Uuid> = self.archives.iter().map(|archive| archive.id).collect();
        for id in self.records.roots.keys().filter(|id| !known.contains(id)) {
            self.report.tell(whole(
                Verdict::Missing,
                format!("archive {id}, which the ledger tells of, is gone"),
            ));
        }
    }
}

/// What an archive's segments add up to.
#[derive(Default)]
struct Contents {
    entries: i64,
    segments: i64,
    root: Edge,
}

impl Contents {
    fn of(archive: Uuid) -> Contents {
        let segments: Vec<Uuid> = as_owner(|| {
            select_as_seen(
                "SELECT s.id FROM audits.archive_segments AS s WHERE s.archive_id = $1 ORDER BY s.place",
                &[to_datum(archive).into()],
                |mut rows| {
                    let mut ids = Vec::with_capacity(rows.len());
                    while rows.next().is_some() {
                        ids.extend(Row(&rows).uuid(1)?);
                    }
                    Ok(ids)
                },
            )
        });
        let mut contents = Contents::default();
        for segment in segments
            .into_iter()
            .filter_map(|id| read_segment(id, false))
        {
            check_for_interrupts();
            contents.segments += 1;
            contents.entries += segment.signatures.len() as i64;
            for signature in segment.signatures {
                contents.root.push(signature);
            }
        }
        contents
    }
}

pub(super) fn find_archives() -> Vec<Archive> {
    as_owner(|| {
        select_as_seen(
            "SELECT a.id, a.partition_name, a.entries, a.segments::bigint, a.root, (a.pruned_at IS NOT NULL)::int \
             FROM audits.archives AS a \
             ORDER BY a.until_ts, a.id",
            &[],
            |mut rows| {
                let mut archives = Vec::with_capacity(rows.len());
                while rows.next().is_some() {
                    let row = Row(&rows);
                    if let Some(id) = row.uuid(1)? {
                        archives.push(Archive {
                            id,
                            partition: row.text(2)?.unwrap_or_default(),
                            entries: row.int8(3)?.unwrap_or_default(),
                            segments: row.int8(4)?.unwrap_or_default(),
                            root: row.bytes(5)?.unwrap_or_default(),
                            is_pruned: row.int4(6)? == Some(1),
                        });
                    }
                }
                Ok(archives)
            },
        )
    })
}
