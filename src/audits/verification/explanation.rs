//! Where an entry that does not fit its hash has come from, if it was only moved.

use uuid::Uuid;

use super::walk::Entry as Walked;
use crate::audits::chain::held::Ledger;
use crate::audits::encoding::{Entry, Hash};

/// A place in the ledger.
pub type Place = (Ledger, i32, i64);

/// An entry that is not what its hash was made of, with all its content.
#[derive(Clone, Debug)]
pub struct Suspect {
    pub place: Place,
    pub id: i64,
    pub event_id: Uuid,
    pub ts: i64,
    pub entity: Option<String>,
    pub action: String,
    pub actor_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
    pub payload: Vec<u8>,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub prev_hash: Option<Hash>,
    pub signature: Option<Hash>,
}

impl Suspect {
    pub fn new(entry: &Entry, walked: &Walked) -> Suspect {
        Suspect {
            place: (entry.org_id, entry.lane, entry.seq),
            id: entry.id,
            event_id: entry.event_id,
            ts: entry.ts,
            entity: entry.entity.map(str::to_owned),
            action: entry.action.to_owned(),
            actor_id: entry.actor_id,
            resource_id: entry.resource_id,
            payload: entry.payload.to_vec(),
            ip_address: entry.ip_address.map(str::to_owned),
            user_agent: entry.user_agent.map(str::to_owned),
            prev_hash: walked.prev_hash,
            signature: walked.signature,
        }
    }

    /// About how much memory it takes.
    pub fn size(&self) -> usize {
        size_of::<Suspect>()
            + self.payload.len()
            + self.action.len()
            + [&self.entity, &self.ip_address, &self.user_agent]
                .into_iter()
                .flatten()
                .map(String::len)
                .sum::<usize>()
    }

    /// Whether its content, put at a place after an entry, has this hash.
    fn would_be(&self, place: Place, prev_hash: Option<Hash>, signature: Option<Hash>) -> bool {
        let (Some(prev_hash), Some(signature)) = (prev_hash, signature) else {
            return false;
        };
        let (org_id, lane, seq) = place;
        let entry = Entry {
            org_id,
            lane,
            seq,
            prev_hash,
            id: self.id,
            event_id: self.event_id,
            ts: self.ts,
            entity: self.entity.as_deref(),
            action: &self.action,
            actor_id: self.actor_id,
            resource_id: self.resource_id,
            payload: &self.payload,
            ip_address: self.ip_address.as_deref(),
            user_agent: self.user_agent.as_deref(),
        };
        entry.leaf_hash().is_ok_and(|hash| hash == signature)
    }

    /// The place that the entry was made for: that of another suspect, or its own in another lane.
    pub fn origin(&self, suspects: &[Suspect], lanes: &[(Ledger, i32)]) -> Option<Place> {
        // Either the place was changed and the hashes came along, or all but the place and the hashes.
        let of_others = suspects
            .iter()
            .filter(|other| other.place != self.place)
            .find(|other| {
                self.would_be(other.place, self.prev_hash, self.signature)
                    || self.would_be(other.place, other.prev_hash, other.signature)
            });
        let in_other_lanes = || {
            lanes
                .iter()
                .map(|(ledger, lane)| (*ledger, *lane, self.place.2))
                .filter(|place| *place != self.place)
                .find(|place| self.would_be(*place, self.prev_hash, self.signature))
        };
        of_others.map(|other| other.place).or_else(in_other_lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ledger = Some(Uuid::from_u128(1));
    const B: Ledger = Some(Uuid::from_u128(2));

    /// An intact entry: an empty object at the place.
    fn entry(place: Place, id: i64) -> Suspect {
        let mut suspect = Suspect {
            place,
            id,
            event_id: Uuid::from_u128(id as u128),
            ts: id * 1000,
            entity: Some("thing".into()),
            action: "thing.done".into(),
            actor_id: None,
            resource_id: B,
            payload: 0x2000_0000u32.to_ne_bytes().to_vec(),
            ip_address: None,
            user_agent: None,
            prev_hash: Some([id as u8; 32]),
            signature: None,
        };
        suspect.signature = Some(hash(&suspect));
        suspect
    }

    fn hash(suspect: &Suspect) -> Hash {
        let (org_id, lane, seq) = suspect.place;
        Entry {
            org_id,
            lane,
            seq,
            prev_hash: suspect.prev_hash.unwrap_or_default(),
            id: suspect.id,
            event_id: suspect.event_id,
            ts: suspect.ts,
            entity: suspect.entity.as_deref(),
            action: &suspect.action,
            actor_id: suspect.actor_id,
            resource_id: suspect.resource_id,
            payload: &suspect.payload,
            ip_address: suspect.ip_address.as_deref(),
            user_agent: suspect.user_agent.as_deref(),
        }
        .leaf_hash()
        .expect("an entry that can be encoded")
    }

    #[test]
    fn swapped_places_are_recognised() {
        let (mut one, mut other) = (entry((A, 0, 4), 4), entry((A, 0, 5), 5));
        std::mem::swap(&mut one.place, &mut other.place);
        let both = [one, other];
        assert_eq!(both[0].origin(&both, &[]), Some((A, 0, 4)));
        assert_eq!(both[1].origin(&both, &[]), Some((A, 0, 5)));
    }

    #[test]
    fn swapped_contents_are_recognised() {
        let (mut one, mut other) = (entry((A, 0, 4), 4), entry((A, 0, 5), 5));
        std::mem::swap(&mut one.place, &mut other.place);
        std::mem::swap(&mut one.prev_hash, &mut other.prev_hash);
        std::mem::swap(&mut one.signature, &mut other.signature);
        let both = [one, other];
        assert_eq!(both[0].origin(&both, &[]), Some((A, 0, 4)));
    }

    #[test]
    fn another_lane_or_organization_is_recognised() {
        let mut moved = entry((A, 0, 4), 4);
        moved.place = (B, 7, 4);
        assert_eq!(
            moved.origin(&[], &[(B, 7), (A, 3), (A, 0)]),
            Some((A, 0, 4))
        );
    }

    #[test]
    fn a_changed_entry_comes_from_nowhere() {
        let mut changed = entry((A, 0, 4), 4);
        changed.action = "thing.undone".into();
        let others = [changed.clone(), entry((A, 0, 5), 5)];
        assert_eq!(changed.origin(&others, &[(A, 0), (B, 0)]), None);
    }
}
