//! Entries of the ledger as a segment holds them.
//!
//! signatures are beside the segment, not in it: they stay when the rows are pruned. prev_hash is the
//! signature of the entry before, so it is stored only where that is in another segment.

use uuid::Uuid;

use crate::audits::encoding::{Entry, Hash};
use crate::codeverify::segment::{self, Column, Error, Segment};

/// Most entries of a segment, as audits.archive_segments has it.
pub const MAX_ENTRIES: usize = 1_000;

/// An entry that has left the table, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedEntry {
    pub org_id: Option<Uuid>,
    pub lane: i32,
    pub seq: i64,
    pub prev_hash: Hash,
    /// As it was stored; [`ArchivedEntry::as_entry`] gives what to compute it from.
    pub signature: Hash,
    pub id: i64,
    pub event_id: Uuid,
    /// Microseconds since 1970-01-01 00:00 UTC.
    pub ts: i64,
    pub entity: Option<String>,
    pub action: String,
    pub actor_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
    /// The jsonb as text, which gives the same jsonb when it is read again.
    pub payload: String,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
}

impl ArchivedEntry {
    /// What the hash covers; `payload` is the jsonb that the text stands for.
    pub fn as_entry<'a>(&'a self, payload: &'a [u8]) -> Entry<'a> {
        Entry {
            org_id: self.org_id,
            lane: self.lane,
            seq: self.seq,
            prev_hash: self.prev_hash,
            id: self.id,
            event_id: self.event_id,
            ts: self.ts,
            entity: self.entity.as_deref(),
            action: &self.action,
            actor_id: self.actor_id,
            resource_id: self.resource_id,
            payload,
            ip_address: self.ip_address.as_deref(),
            user_agent: self.user_agent.as_deref(),
        }
    }

    /// Bytes of its variable parts, roughly what it adds to a segment before compression.
    pub fn size(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.payload.len()
            + self.action.len()
            + optional(&self.entity)
            + optional(&self.ip_address)
            + optional(&self.user_agent)
            + 100
    }
}

/// Entries of one lane that follow each other in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub lane: i32,
    pub first_seq: i64,
    pub last_seq: i64,
}

impl Run {
    /// How many entries it has; at least 0, whatever the numbers are.
    pub fn entries(&self) -> usize {
        let entries = self
            .last_seq
            .saturating_sub(self.first_seq)
            .saturating_add(1);
        usize::try_from(entries).unwrap_or(0)
    }
}

/// The lanes of entries that are in order and without gaps within each lane.
pub fn runs(entries: &[ArchivedEntry]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for entry in entries {
        match runs.last_mut() {
            Some(run) if run.lane == entry.lane => run.last_seq = entry.seq,
            _ => runs.push(Run {
                lane: entry.lane,
                first_seq: entry.seq,
                last_seq: entry.seq,
            }),
        }
    }
    runs
}

/// Packs the entries without their signatures.
pub fn pack(entries: &[ArchivedEntry]) -> Result<Vec<u8>, Error> {
    segment::pack(&[
        Column::Uuid(column(entries, |entry| entry.org_id)),
        Column::Int64(column(entries, |entry| Some(i64::from(entry.lane)))),
        Column::Int64(column(entries, |entry| Some(entry.seq))),
        Column::Bytes(prev_hashes(entries)),
        Column::Int64(column(entries, |entry| Some(entry.id))),
        Column::Uuid(column(entries, |entry| Some(entry.event_id))),
        Column::Timestamp(column(entries, |entry| Some(entry.ts))),
        Column::Text(column(entries, |entry| entry.entity.clone())),
        Column::Text(column(entries, |entry| Some(entry.action.clone()))),
        Column::Uuid(column(entries, |entry| entry.actor_id)),
        Column::Uuid(column(entries, |entry| entry.resource_id)),
        Column::Text(column(entries, |entry| Some(entry.payload.clone()))),
        Column::Text(column(entries, |entry| entry.ip_address.clone())),
        Column::Text(column(entries, |entry| entry.user_agent.clone())),
    ])
}

fn column<T>(
    entries: &[ArchivedEntry],
    value: impl Fn(&ArchivedEntry) -> Option<T>,
) -> Vec<Option<T>> {
    entries.iter().map(value).collect()
}

fn prev_hashes(entries: &[ArchivedEntry]) -> Vec<Option<Vec<u8>>> {
    let mut before: Option<&ArchivedEntry> = None;
    entries
        .iter()
        .map(|entry| {
            let follows = before
                .replace(entry)
                .is_some_and(|last| last.lane == entry.lane && last.signature == entry.prev_hash);
            (!follows).then(|| entry.prev_hash.to_vec())
        })
        .collect()
}

/// Unpacks entries, which get back the signatures that are kept beside the segment.
pub fn unpack(content: &[u8], signatures: &[Hash]) -> Result<Vec<ArchivedEntry>, Error> {
    let Segment { columns, .. } = segment::unpack(content)?;
    let columns: [Column; 14] = columns.try_into().map_err(|_| Error::Malformed)?;
    let [Column::Uuid(org_id), Column::Int64(lane), Column::Int64(seq), Column::Bytes(prev_hash), Column::Int64(id), Column::Uuid(event_id), Column::Timestamp(ts), Column::Text(entity), Column::Text(action), Column::Uuid(actor_id), Column::Uuid(resource_id), Column::Text(payload), Column::Text(ip_address), Column::Text(user_agent)] =
        columns
    else {
        return Err(Error::Malformed);
    };
    if signatures.len() != lane.len() {
        return Err(Error::Malformed);
    }
    // Columns of one segment are equally long, so each iterator has a value for every row.
    let mut org_id = org_id.into_iter();
    let mut seq = seq.into_iter();
    let mut prev_hash = prev_hash.into_iter();
    let mut id = id.into_iter();
    let mut event_id = event_id.into_iter();
    let mut ts = ts.into_iter();
    let mut entity = entity.into_iter();
    let mut action = action.into_iter();
    let mut actor_id = actor_id.into_iter();
    let mut resource_id = resource_id.into_iter();
    let mut payload = payload.into_iter();
    let mut ip_address = ip_address.into_iter();
    let mut user_agent = user_agent.into_iter();
    let mut before: Option<(i32, Hash)> = None;
    lane.into_iter()
        .zip(signatures)
        .map(|(lane, signature)| {
            let lane = lane
                .and_then(|lane| i32::try_from(lane).ok())
                .ok_or(Error::Malformed)?;
            let prev_hash = match (prev_hash.next().flatten(), before) {
                (Some(hash), _) => Hash::try_from(hash).map_err(|_| Error::Malformed)?,
                (None, Some((last_lane, hash))) if last_lane == lane => hash,
                (None, _) => return Err(Error::Malformed),
            };
            before = Some((lane, *signature));
            Ok(ArchivedEntry {
                org_id: org_id.next().flatten(),
                lane,
                seq: required(seq.next())?,
                prev_hash,
                signature: *signature,
                id: required(id.next())?,
                event_id: required(event_id.next())?,
                ts: required(ts.next())?,
                entity: entity.next().flatten(),
                action: required(action.next())?,
                actor_id: actor_id.next().flatten(),
                resource_id: resource_id.next().flatten(),
                payload: required(payload.next())?,
                ip_address: ip_address.next().flatten(),
                user_agent: user_agent.next().flatten(),
            })
        })
        .collect()
}

fn required<T>(value: Option<Option<T>>) -> Result<T, Error> {
    value.flatten().ok_or(Error::Malformed)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn entry(lane: i32, seq: i64) -> ArchivedEntry {
        ArchivedEntry {
            org_id: Some(Uuid::from_u128(7)),
            lane,
            seq,
            prev_hash: [u8::try_from(seq - 1).unwrap_or(0); 32],
            signature: [u8::try_from(seq).unwrap_or(0); 32],
            id: seq * 10,
            event_id: Uuid::from_u128(1 << 90),
            ts: 1_700_000_000_000_000 + seq,
            entity: None,
            action: "project.renamed".to_owned(),
            actor_id: None,
            resource_id: Some(Uuid::from_u128(9)),
            payload: "{\"number\": 1.00}".to_owned(),
            ip_address: Some("2001:db8::1".to_owned()),
            user_agent: Some(String::new()),
        }
    }

    fn signatures(entries: &[ArchivedEntry]) -> Vec<Hash> {
        entries.iter().map(|entry| entry.signature).collect()
    }

    proptest! {
        #[test]
        fn entries_come_back(
            lengths in proptest::collection::vec(1_i64..20, 1..6),
            links in any::<bool>(),
            text in proptest::option::of(".{0,10}"),
            id in any::<u128>(),
        ) {
            let mut entries = Vec::new();
            for (lane, length) in lengths.iter().enumerate() {
                for seq in 1..=*length {
                    let mut made = entry(lane as i32, seq);
                    made.entity = text.clone();
                    made.actor_id = text.as_ref().map(|_| Uuid::from_u128(id));
                    if !links {
                        made.prev_hash = [99; 32];
                    }
                    entries.push(made);
                }
            }
            let content = pack(&entries).expect("to pack");
            prop_assert_eq!(unpack(&content, &signatures(&entries)).expect("to unpack"), entries);
        }
    }

    #[test]
    fn lanes_are_told_apart() {
        let entries = [entry(0, 5), entry(0, 6), entry(3, 1), entry(4, 9)];
        let expected = [(0, 5, 6), (3, 1, 1), (4, 9, 9)].map(|(lane, first_seq, last_seq)| Run {
            lane,
            first_seq,
            last_seq,
        });
        assert_eq!(runs(&entries), expected);
        assert_eq!(expected.map(|run| run.entries()), [2, 1, 1]);
    }

    #[test]
    fn signatures_of_another_number_are_refused() {
        let entries = [entry(0, 1), entry(0, 2)];
        let content = pack(&entries).expect("to pack");
        assert_eq!(
            unpack(&content, &signatures(&entries[..1])),
            Err(Error::Malformed)
        );
    }

    #[test]
    fn a_segment_of_something_else_is_refused() {
        let other = segment::pack(&[Column::Int64(vec![Some(1)])]).expect("to pack");
        assert_eq!(unpack(&other, &[[0; 32]]), Err(Error::Malformed));
    }
}
