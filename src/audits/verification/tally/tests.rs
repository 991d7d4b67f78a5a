use super::runs::{MOST_RUNS, RUNS};
use super::*;
use proptest::prelude::*;

const KEY: Key = (7, 11);

fn hash(seq: i64) -> Hash {
    let mut hash = GENESIS;
    hash[..8].copy_from_slice(&seq.to_be_bytes());
    hash
}

fn entry(seq: i64) -> Seen {
    Seen {
        seq,
        ts: seq * 10,
        prev_hash: hash(seq - 1),
        signature: hash(seq),
        is_intact: true,
    }
}

fn tally(entries: impl IntoIterator<Item = Seen>) -> Tally {
    let mut tally = Tally::new(KEY);
    for entry in entries {
        tally.add(&entry);
    }
    tally
}

#[test]
fn a_chain_is_one() {
    let tally = tally((1..=9).map(entry));
    assert!(tally.is_chain());
    assert_eq!(tally.times(), Times::Rise);
    assert_eq!((tally.first.seq, tally.last.seq), (1, 9));
    assert_eq!((tally.first.hash, tally.last.hash), (hash(0), hash(9)));
}

#[test]
fn gaps_forks_and_altered_entries_are_none() {
    assert!(!tally((1..=9).filter(|seq| *seq != 4).map(entry)).is_chain());
    assert!(!tally((1..=9).chain([4]).map(entry)).is_chain());
    assert!(!tally((1..=9).filter(|seq| *seq != 4).chain([5]).map(entry)).is_chain());
    let altered = |seq| Seen {
        is_intact: seq != 4,
        ..entry(seq)
    };
    assert!(!tally((1..=9).map(altered)).is_chain());
}

#[test]
fn a_link_to_something_else_is_none() {
    let unlinked = |seq| Seen {
        prev_hash: hash(if seq == 4 { 100 } else { seq - 1 }),
        ..entry(seq)
    };
    assert!(!tally((1..=9).map(unlinked)).is_chain());
}

#[test]
fn a_clock_that_goes_back_is_seen() {
    let falling = |seq| Seen {
        ts: if seq == 4 { 30 } else { seq * 10 },
        ..entry(seq)
    };
    let tally = tally((1..=9).map(falling));
    assert!(tally.is_chain());
    assert_eq!(tally.times(), Times::Fall);
}

#[test]
fn extreme_places_do_not_overflow() {
    let mut last = entry(1);
    last.seq = i64::MAX;
    assert!(!tally([entry(1), last, last]).is_chain());
    last.seq = i64::MIN;
    assert!(!tally([entry(1), last, last]).is_chain());
}

#[test]
fn too_many_pieces_are_not_compared() {
    let mut scattered = tally((1..=100).rev().step_by(2).map(entry));
    assert_eq!(scattered.times(), Times::Rise);
    let in_use = RUNS.replace(MOST_RUNS);
    scattered.add(&entry(1001));
    RUNS.set(in_use - 50);
    assert_eq!(scattered.times(), Times::Unknown);
    assert_eq!(
        Tally::from_bytes(&scattered.to_bytes()).map(|tally| tally.times()),
        Some(Times::Unknown)
    );
}

#[test]
fn runs_are_counted_while_they_are_held() {
    let before = RUNS.get();
    let held = tally([1, 3, 5, 7].map(entry));
    assert_eq!(RUNS.get(), before + 4);
    drop(held);
    assert_eq!(RUNS.get(), before);
    let joined = tally([1, 3, 2].map(entry));
    assert_eq!(RUNS.get(), before + 1);
    drop(joined);
}

#[test]
fn bytes_round_trip() {
    let tally = tally([1, 2, 3, 7, 9].map(entry));
    assert_eq!(Tally::from_bytes(&tally.to_bytes()), Some(tally));
    assert_eq!(Tally::from_bytes(&[]), None);
}

proptest! {
    /// In whatever order and by however many processes they are seen.
    #[test]
    fn order_and_sharing_do_not_matter(
        order in Just((1..=60i64).collect::<Vec<_>>()).prop_shuffle(),
        workers in prop::collection::vec(0usize..3, 60),
    ) {
        let mut shares = std::array::from_fn::<_, 3, _>(|_| Tally::new(KEY));
        for (seq, worker) in order.iter().zip(workers) {
            shares[worker].add(&entry(*seq));
        }
        let mut whole = Tally::new(KEY);
        for share in &shares {
            whole.join(share);
        }
        prop_assert!(whole.is_chain());
        prop_assert_eq!(whole.times(), Times::Rise);
        let straight = tally((1..=60).map(entry));
        prop_assert_eq!(whole.signatures(), straight.signatures());
        prop_assert_eq!((whole.first, whole.last), (straight.first, straight.last));
    }

    /// A change to one entry's place or hashes is never a chain.
    #[test]
    fn one_wrong_entry_is_found(seq in 1..=30i64, field in 0..3, value in 0..1000i64) {
        let change = |mut entry: Seen| {
            if entry.seq == seq {
                match field {
                    0 => entry.seq = value,
                    1 => entry.prev_hash = hash(value),
                    _ => entry.signature = hash(value),
                }
            }
            entry
        };
        let same = match field {
            0 | 2 => value == seq,
            _ => value == seq - 1,
        };
        // At the ends there is nothing within the lane to compare with.
        let is_end = (field == 1 && seq == 1) || (field == 2 && seq == 30);
        prop_assume!(!same);
        prop_assume!(!is_end);
        prop_assert!(!tally((1..=30).map(entry).map(change)).is_chain());
    }

    /// Where few pieces are out of order, times are compared exactly.
    #[test]
    fn a_fall_is_found_in_any_rotation(start in 0..30usize, seq in 2..=30i64) {
        let mut entries: Vec<Seen> = (1..=30).map(entry).collect();
        entries[seq as usize - 1].ts = (seq - 1) * 10;
        entries.rotate_left(start);
        prop_assert_eq!(tally(entries).times(), Times::Fall);
    }
}
