//! Encrypts the personal fields of an entry before it is hashed: the hash covers what is stored, and stays right
//! when the key is gone.

use std::collections::HashSet;

use pgrx::pg_sys::Datum;
use uuid::Uuid;

use super::cipher::{self, Place};
pub use super::fields::People;
use super::fields::{self, EncryptedField, ENCRYPTED, PERSONAL};
use super::keys::{key_for, may_create};
use super::rules::with_rules;
use crate::audits::authority::{is_acting, Deed};
use crate::codeverify::errors::Error;
use crate::codeverify::jsonb::{from_text, text_of, JsonbArgument};
use crate::codeverify::raise::or_raise;

/// Most people whom the personal fields of one entry concern.
const MOST_SUBJECTS: usize = 100;

/// The people of an entry.
#[derive(Default)]
struct Subjects(HashSet<Uuid>);

impl Subjects {
    fn add(&mut self, subject: Uuid) -> Result<(), Error> {
        // Capture has a limit of its own, for a transaction.
        if is_acting(Deed::Capture) {
            return Ok(());
        }
        self.0.insert(subject);
        if self.0.len() > MOST_SUBJECTS {
            return Err(Error::PersonalField {
                problem: format!(
                    "The personal fields of an entry concern at most {MOST_SUBJECTS} people."
                ),
            });
        }
        Ok(())
    }
}

/// What decides whom a personal field concerns, and what it is bound to.
pub struct Entry<'a> {
    pub org_id: Option<Uuid>,
    pub event_id: Uuid,
    pub entity: Option<&'a str>,
    pub actor_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
}

/// Whether a payload, as the server stores it, can have personal fields. That is all that most entries are asked.
pub fn may_be_personal(payload: &[u8], entity: Option<&str>) -> bool {
    fields::mentions(payload, PERSONAL)
        || entity.is_some_and(|entity| with_rules(entity, |rules| !rules.is_empty()))
}

/// Whether a payload, as the server stores it, can have fields that are encrypted already.
pub fn may_be_encrypted(payload: &[u8]) -> bool {
    fields::mentions(payload, ENCRYPTED)
}

/// VC061 for a payload that brings a field as if it had been encrypted for this very entry: whoever reads the ledger later
/// would take its key for a wrong one. Copies of other entries' fields may be kept, and stay closed.
pub fn refuse_forged(payload: Datum, entry: &Entry) {
    // SAFETY: the payload of a row that is being inserted, and the text is used while it is.
    let text = unsafe { text_of(payload) };
    let mut is_forged = false;
    fields::reveal(text, &mut |field| {
        let place = cipher::open(&field.ciphertext).map(|opened| opened.place);
        is_forged |= place
            .is_some_and(|place| (place.org_id, place.event_id) == (entry.org_id, entry.event_id));
        None
    });
    if is_forged {
        or_raise(Err(Error::PersonalField {
            problem: "A field says that it was encrypted for this entry.".to_owned(),
        }))
    }
}

/// The jsonb to store instead of a payload; None when that has no personal fields. Raises VC061 when one cannot be
/// encrypted.
pub fn seal(payload: Datum, entry: &Entry) -> Option<Datum> {
    // SAFETY: the payload of a row that is being inserted, and the text is used while it is.
    let text = unsafe { text_of(payload) };
    let people = People {
        actor_id: entry.actor_id,
        resource_id: entry.resource_id,
    };
    let rules = with_rules(entry.entity.unwrap_or_default(), <[fields::Rule]>::to_vec);
    let mut subjects = Subjects::default();
    let sealed = or_raise(fields::seal(text, &rules, people, &mut |subject, json| {
        subjects.add(subject)?;
        encrypt(entry, subject, json)
    }))?;
    let stored = from_text(&sealed);
    if stored.is_none() {
        or_raise(Err(Error::PersonalField {
            problem: "The payload with its encrypted fields is too large.".to_owned(),
        }))
    }
    stored
}

/// Whether the personal fields of a payload can be encrypted. For callers that insert by a query of their own, from
/// which an error would come out with another SQLSTATE.
pub fn check(payload: &JsonbArgument, entity: Option<&str>, people: People) -> Result<(), Error> {
    if !may_be_personal(payload.container(), entity) {
        return Ok(());
    }
    let rules = with_rules(entity.unwrap_or_default(), <[fields::Rule]>::to_vec);
    let mut subjects = Subjects::default();
    let mut pending = HashSet::new();
    fields::seal(payload.text(), &rules, people, &mut |subject, _| {
        subjects.add(subject)?;
        may_create(subject, &mut pending)?;
        Ok("null".to_owned())
    })
    .map(|_| ())
}

fn encrypt(entry: &Entry, subject: Uuid, json: &str) -> Result<String, Error> {
    let Some(known) = key_for(subject)? else {
        return Ok(fields::erased(subject));
    };
    let place = Place {
        org_id: entry.org_id,
        event_id: entry.event_id,
        key_id: known.id,
    };
    let sealed = cipher::seal(&known.key, place, subject, json, getrandom::fill)
        .map_err(|_| Error::NoRandomness)?
        .ok_or_else(|| Error::PersonalField {
            problem: "A personal field is too large.".to_owned(),
        })?;
    Ok(EncryptedField {
        ciphertext: sealed.ciphertext,
        subject,
        commitment: sealed.commitment,
    }
    .to_json())
}
