//! A tally as bytes, for another process of the same server.

use super::runs::Run;
use super::{Sum, Tally};

impl Tally {
    /// For another process of the same server.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Tally::HEAD + self.runs.runs.len() * Tally::RUN);
        for word in [self.key.0, self.key.1, self.count, self.altered] {
            bytes.extend(word.to_le_bytes());
        }
        for edge in [self.first, self.last] {
            bytes.extend(edge.seq.to_le_bytes());
            bytes.extend(edge.ts.to_le_bytes());
            bytes.extend(edge.hash);
        }
        for word in [self.signatures, self.predecessors]
            .map(|sum| sum.0)
            .concat()
        {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend([u8::from(self.runs.falls), u8::from(self.runs.scattered)]);
        for run in &self.runs.runs {
            for word in [run.first_seq, run.last_seq, run.first_ts, run.last_ts] {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes
    }

    /// Bytes that come before the runs, and of each run.
    const HEAD: usize = 4 * 8 + 2 * (16 + 32) + 2 * 16 + 2;
    const RUN: usize = 4 * 8;

    /// What [`Tally::to_bytes`] made; None for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Tally> {
        let (mut head, runs) = bytes.split_at_checked(Tally::HEAD)?;
        let (runs, []) = runs.as_chunks::<{ Tally::RUN }>() else {
            return None;
        };
        let head = &mut head;
        let mut tally = Tally::new((word(head)?, word(head)?));
        tally.count = word(head)?;
        tally.altered = word(head)?;
        for edge in [&mut tally.first, &mut tally.last] {
            edge.seq = word(head)? as i64;
            edge.ts = word(head)? as i64;
            edge.hash = *head.split_off(..32)?.first_chunk()?;
        }
        tally.signatures = Sum([word(head)?, word(head)?]);
        tally.predecessors = Sum([word(head)?, word(head)?]);
        tally.runs.falls = *head.split_off_first()? != 0;
        tally.runs.scattered = *head.split_off_first()? != 0;
        for run in runs {
            let run = &mut run.as_slice();
            tally.runs.add(Run {
                first_seq: word(run)? as i64,
                last_seq: word(run)? as i64,
                first_ts: word(run)? as i64,
                last_ts: word(run)? as i64,
            });
        }
        Some(tally)
    }
}

/// Takes a word off the front of bytes.
fn word(bytes: &mut &[u8]) -> Option<u64> {
    let word = bytes.split_off(..8)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}
