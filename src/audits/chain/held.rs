//! The lanes that the current transaction holds and the last entry of each, as savepoints come and go.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::audits::encoding::{Hash, GENESIS};

/// An organization's ledger; None is the platform's own.
pub type Ledger = Option<Uuid>;

/// The last entry of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: i64,
    pub signature: Hash,
    /// Microseconds since 1970-01-01 00:00 UTC.
    pub ts: i64,
}

impl Head {
    /// Before a lane's first entry.
    pub const NONE: Head = Head {
        seq: 0,
        signature: GENESIS,
        ts: i64::MIN,
    };
}

/// What tells whether a row has come to the table; the glue makes something of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    pub row: u64,
    pub partition: u32,
    /// How many rows the transaction had inserted into the partition before; None when nobody counts.
    pub inserted: Option<i64>,
}

/// A head, and the subtransaction that made it so.
#[derive(Debug)]
struct Version {
    subtransaction: u32,
    head: Head,
    landing: Option<Landing>,
}

/// The lanes held. PostgreSQL numbers subtransactions in the order in which they start, so that those
/// inside an aborted one have its number or a higher one.
#[derive(Debug, Default)]
pub struct HeldLanes {
    versions: BTreeMap<(Ledger, i32), Vec<Version>>,
    /// The lane that appends of this transaction go to.
    current: BTreeMap<Ledger, i32>,
}

impl HeldLanes {
    /// How many lanes are held.
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// The lane that appends to the ledger go to, if one has been chosen.
    pub fn current_lane(&self, ledger: Ledger) -> Option<i32> {
        self.current.get(&ledger).copied()
    }

    /// Makes a lane that is held the one that appends go to.
    pub fn choose(&mut self, ledger: Ledger, lane: i32) {
        self.current.insert(ledger, lane);
    }

    /// The last entry of a lane that is held.
    pub fn head(&self, ledger: Ledger, lane: i32) -> Option<Head> {
        self.last(ledger, lane).map(|version| version.head)
    }

    /// The row of that entry, if this transaction has made it.
    pub fn landing(&self, ledger: Ledger, lane: i32) -> Option<Landing> {
        self.last(ledger, lane).and_then(|version| version.landing)
    }

    fn last(&self, ledger: Ledger, lane: i32) -> Option<&Version> {
        self.versions.get(&(ledger, lane))?.last()
    }

    /// All lanes that are held, with the last entry of each.
    pub fn heads(&self) -> impl Iterator<Item = ((Ledger, i32), Head)> + '_ {
        self.versions
            .iter()
            .filter_map(|(place, versions)| Some((*place, versions.last()?.head)))
    }

    /// The lane is held, and this is its last entry, in the table or on the way there.
    pub fn set(
        &mut self,
        ledger: Ledger,
        lane: i32,
        head: Head,
        landing: Option<Landing>,
        subtransaction: u32,
    ) {
        let version = Version {
            subtransaction,
            head,
            landing,
        };
        let versions = self.versions.entry((ledger, lane)).or_default();
        match versions.last_mut() {
            Some(last) if last.subtransaction == subtransaction => *last = version,
            _ => versions.push(version),
        }
    }

    /// A subtransaction has become part of its parent.
    pub fn commit_subtransaction(&mut self, subtransaction: u32, parent: u32) {
        for versions in self.versions.values_mut() {
            let Some(last) = versions.last_mut() else {
                continue;
            };
            if last.subtransaction != subtransaction {
                continue;
            }
            last.subtransaction = parent;
            let below = versions.len().checked_sub(2);
            if below.is_some_and(|below| versions[below].subtransaction == parent) {
                versions.remove(versions.len() - 2);
            }
        }
    }

    /// A subtransaction has been rolled back: its entries are gone, and so are the locks that it took.
    pub fn abort_subtransaction(&mut self, subtransaction: u32) {
        self.versions.retain(|_, versions| {
            versions.retain(|version| version.subtransaction < subtransaction);
            !versions.is_empty()
        });
        let versions = &self.versions;
        self.current
            .retain(|ledger, lane| versions.contains_key(&(*ledger, *lane)));
    }

    /// The transaction is over.
    pub fn clear(&mut self) {
        self.versions = BTreeMap::new();
        self.current = BTreeMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEDGER: Ledger = None;

    fn head(seq: i64) -> Head {
        Head { seq, ..Head::NONE }
    }

    #[test]
    fn a_rollback_forgets_the_lanes_that_were_taken_since() {
        let mut held = HeldLanes::default();
        held.set(LEDGER, 3, head(7), None, 2);
        held.choose(LEDGER, 3);
        held.abort_subtransaction(2);
        assert_eq!(held.head(LEDGER, 3), None);
        assert_eq!(held.current_lane(LEDGER), None);
    }

    #[test]
    fn a_released_savepoint_keeps_its_entries_until_the_parent_is_rolled_back() {
        let mut held = HeldLanes::default();
        held.set(LEDGER, 3, head(7), None, 1);
        held.set(LEDGER, 3, head(8), None, 2);
        held.set(LEDGER, 3, head(9), None, 3);
        held.commit_subtransaction(3, 2);
        assert_eq!(held.head(LEDGER, 3), Some(head(9)));
        held.abort_subtransaction(2);
        assert_eq!(held.head(LEDGER, 3), Some(head(7)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append,
        Savepoint,
        Release,
        Rollback,
    }

    proptest! {
        /// Against a model that copies the whole state at every savepoint.
        #[test]
        fn heads_follow_savepoints(steps in prop::collection::vec(prop_oneof![
            4 => Just(Step::Append),
            2 => Just(Step::Savepoint),
            1 => Just(Step::Release),
            1 => Just(Step::Rollback),
        ], 0..200)) {
            let mut held = HeldLanes::default();
            let mut current: Option<i64> = None;
            let mut stack: Vec<(u32, Option<i64>)> = Vec::new();
            let mut next_subtransaction = 2;
            for step in steps {
                let subtransaction = stack.last().map_or(1, |(id, _)| *id);
                match step {
                    Step::Append => {
                        let seq = current.unwrap_or(100) + 1;
                        held.set(LEDGER, 0, head(seq), None, subtransaction);
                        current = Some(seq);
                    }
                    Step::Savepoint => {
                        stack.push((next_subtransaction, current));
                        next_subtransaction += 1;
                    }
                    Step::Release => {
                        if let Some((id, _)) = stack.pop() {
                            held.commit_subtransaction(id, stack.last().map_or(1, |(id, _)| *id));
                        }
                    }
                    Step::Rollback => {
                        if let Some((id, before)) = stack.pop() {
                            held.abort_subtransaction(id);
                            current = before;
                        }
                    }
                }
                prop_assert_eq!(held.head(LEDGER, 0).map(|head| head.seq), current);
            }
        }
    }
}
