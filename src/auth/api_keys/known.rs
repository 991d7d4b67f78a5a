//! What a session remembers of keys that authenticate again and again: what their scopes say. Whether a key is good is
//! never remembered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use uuid::Uuid;

use super::scopes::Scopes;
use crate::codeverify::jsonb::{content_of, from_content, from_text, text_of, Jsonb};

/// How many keys are remembered; a session that has seen more begins anew.
const MOST: usize = 256;

/// What follows from the stored scopes of a key.
pub struct Known {
    /// The scopes as they are stored, by which it is told whether they are the same still.
    content: Vec<u8>,
    pub scopes: Scopes,
    /// The answer to whoever authenticates with the key, as stored.
    answer: Option<Vec<u8>>,
}

thread_local! {
    static KNOWN: RefCell<HashMap<Uuid, Rc<Known>>> = RefCell::default();
}

impl Known {
    /// Of a key, its organization and the stored form of its scopes.
    pub fn of(id: Uuid, org_id: Uuid, content: &[u8]) -> Rc<Known> {
        let remembered = KNOWN.with_borrow(|known| known.get(&id).cloned());
        if let Some(known) = remembered.filter(|known| known.content == content) {
            return known;
        }
        // SAFETY: the copy is a jsonb of this memory context, where the text lives long enough to be read.
        let json = unsafe { text_of(from_content(content)) };
        let answer = answer("ok", Some((org_id, id)), json);
        let known = Rc::new(Known {
            content: content.to_vec(),
            scopes: Scopes::stored(json),
            // SAFETY: a jsonb of this memory context, which is copied.
            answer: answer.map(|answer| unsafe { content_of(answer.0) }.to_vec()),
        });
        KNOWN.with_borrow_mut(|all| {
            if all.len() >= MOST {
                all.clear();
            }
            all.insert(id, known.clone());
        });
        known
    }

    /// What authenticating with the key returns.
    pub fn answer(&self) -> Option<Jsonb> {
        self.answer
            .as_deref()
            .map(|answer| Jsonb(from_content(answer)))
    }
}

/// What authenticating without success returns.
pub fn refused(status: &str) -> Option<Jsonb> {
    answer(status, None, "[]")
}

/// Written as text, since the scopes are one already, and none of the rest needs escaping.
fn answer(status: &str, ids: Option<(Uuid, Uuid)>, scopes_json: &str) -> Option<Jsonb> {
    let ids = match ids {
        Some((org_id, api_key_id)) => {
            format!("\"org_id\": \"{org_id}\", \"api_key_id\": \"{api_key_id}\"")
        }
        None => "\"org_id\": null, \"api_key_id\": null".to_owned(),
    };
    from_text(&format!(
        "{{\"status\": \"{status}\", {ids}, \"scopes\": {scopes_json}}}"
    ))
    .map(Jsonb)
}
