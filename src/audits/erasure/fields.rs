//! Finds personal and encrypted fields in the JSON text of a payload, and replaces them. All else stays as it
//! is written, to the digit.

use std::collections::BTreeMap;

use memchr::memmem;
use serde_json::value::RawValue;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::codeverify::errors::Error;

/// The key of a value that is to be encrypted.
pub const PERSONAL: &str = "$personal";
/// The key of a value that is encrypted.
pub const ENCRYPTED: &str = "$encrypted";
/// The key of a value whose key is gone.
pub const ERASED: &str = "$erased";

/// How deep in a payload a personal field may be.
const MAX_DEPTH: usize = 64;

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Whom a field concerns that is always personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Actor,
    Resource,
}

/// A field in the top level of a payload that is always personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub field: String,
    pub whose: Whose,
}

/// What is known of the entry.
#[derive(Clone, Copy)]
pub struct People {
    pub actor_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
}

/// An encrypted value as it stands in a payload.
#[derive(Debug, PartialEq, Eq)]
pub struct EncryptedField {
    pub ciphertext: String,
    pub subject: Uuid,
    pub commitment: String,
}

impl EncryptedField {
    /// The object that is stored.
    pub fn to_json(&self) -> String {
        format!(
            "{{\"{ENCRYPTED}\": \"{}\", \"subject\": \"{}\", \"commitment\": \"{}\"}}",
            self.ciphertext, self.subject, self.commitment
        )
    }

    /// None for an object that seal() never wrote.
    fn from_members(members: &Members) -> Option<EncryptedField> {
        if members.len() != 3 {
            return None;
        }
        let text = |key: &str| serde_json::from_str::<String>(members.get(key)?.get()).ok();
        Some(EncryptedField {
            ciphertext: text(ENCRYPTED)?,
            subject: Uuid::parse_str(&text("subject")?).ok()?,
            commitment: text("commitment")?,
        })
    }
}

/// What stands in the place of a value that cannot be had any more.
pub fn erased(subject: Uuid) -> String {
    format!("{{\"{ERASED}\": \"{subject}\"}}")
}

/// Whether the bytes of a payload, as text or as jsonb, have the key anywhere.
pub fn mentions(payload: &[u8], key: &str) -> bool {
    memmem::find(payload, key.as_bytes()).is_some()
}

/// The payload with every personal field replaced by what `encrypt` makes of its subject and JSON text; None when
/// it has none.
pub fn seal(
    payload: &str,
    rules: &[Rule],
    people: People,
    encrypt: &mut dyn FnMut(Uuid, &str) -> Result<String, Error>,
) -> Result<Option<Zeroizing<String>>, Error> {
    let whole = raw(payload)?;
    let sealed = replace(whole, PERSONAL, 0, &mut |members| {
        marked(members, people, encrypt)
    })?;
    let payload = sealed.as_ref().map_or(payload, |sealed| sealed.as_str());
    let Some(members) = (!rules.is_empty())
        .then(|| members(raw(payload).ok()?))
        .flatten()
    else {
        return Ok(sealed);
    };
    let mut changed = BTreeMap::new();
    for Rule { field, whose } in rules {
        let Some(value) = members.get(field).filter(|value| !is_encrypted(value)) else {
            continue;
        };
        let subject = match whose {
            Whose::Actor => people.actor_id,
            Whose::Resource => people.resource_id,
        };
        let subject = subject.ok_or_else(|| Error::PersonalField {
            problem: format!(
                "The field \"{field}\" concerns the {} of the entry, which has none.",
                match whose {
                    Whose::Actor => "actor",
                    Whose::Resource => "resource",
                }
            ),
        })?;
        changed.insert(
            field.clone(),
            Zeroizing::new(encrypt(subject, value.get())?),
        );
    }
    if changed.is_empty() {
        return Ok(sealed);
    }
    Ok(Some(write_members(&members, &changed)))
}

/// The payload with every encrypted field replaced where `decrypt` gives something for it; None when nothing was.
pub fn reveal(
    payload: &str,
    decrypt: &mut dyn FnMut(EncryptedField) -> Option<Zeroizing<String>>,
) -> Option<Zeroizing<String>> {
    replace(raw(payload).ok()?, ENCRYPTED, 0, &mut |members| {
        Ok(EncryptedField::from_members(members).and_then(&mut *decrypt))
    })
    .ok()
    .flatten()
}

/// The value of an object that is marked as personal, encrypted; None for any other object.
fn marked(
    members: &Members,
    people: People,
    encrypt: &mut dyn FnMut(Uuid, &str) -> Result<String, Error>,
) -> Result<Option<Zeroizing<String>>, Error> {
    let Some(value) = members.get(PERSONAL) else {
        return Ok(None);
    };
    let malformed = |problem: &str| Error::PersonalField {
        problem: problem.to_owned(),
    };
    if members
        .keys()
        .any(|key| key != PERSONAL && key != "subject")
    {
        return Err(malformed(
            "An object with $personal has no other key than subject.",
        ));
    }
    let subject = match members.get("subject") {
        None => people.actor_id.ok_or_else(|| {
            malformed("An object with $personal names no subject, and the entry has no actor.")
        })?,
        Some(named) => serde_json::from_str::<String>(named.get())
            .ok()
            .and_then(|named| Uuid::parse_str(&named).ok())
            .ok_or_else(|| malformed("The subject of an object with $personal is no uuid."))?,
    };
    encrypt(subject, value.get()).map(|json| Some(Zeroizing::new(json)))
}

type Replace<'a> = dyn FnMut(&Members) -> Result<Option<Zeroizing<String>>, Error> + 'a;

/// Replaces the objects with a key for which there is something else; what is in them is not looked at again.
fn replace(
    value: &RawValue,
    key: &str,
    depth: usize,
    with: &mut Replace,
) -> Result<Option<Zeroizing<String>>, Error> {
    if !mentions(value.get().as_bytes(), key) {
        return Ok(None);
    }
    if depth > MAX_DEPTH {
        return Err(Error::PersonalField {
            problem: format!("It is more than {MAX_DEPTH} levels deep."),
        });
    }
    if let Some(members) = members(value) {
        if members.contains_key(key) {
            if let Some(replacement) = with(&members)? {
                return Ok(Some(replacement));
            }
        }
        let mut changed = BTreeMap::new();
        for (name, member) in &members {
            if let Some(replacement) = replace(member, key, depth + 1, with)? {
                changed.insert(name.clone(), replacement);
            }
        }
        return Ok((!changed.is_empty()).then(|| write_members(&members, &changed)));
    }
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
        // A text that has the key in it.
        return Ok(None);
    };
    let mut is_changed = false;
    let mut text = Zeroizing::new(String::with_capacity(value.get().len() + 256));
    for (place, element) in elements.into_iter().enumerate() {
        text.push(if place == 0 { '[' } else { ',' });
        match replace(element, key, depth + 1, with)? {
            Some(replacement) => {
                is_changed = true;
                text.push_str(&replacement);
            }
            None => text.push_str(element.get()),
        }
    }
    text.push(']');
    Ok(is_changed.then_some(text))
}

fn raw(text: &str) -> Result<&RawValue, Error> {
    serde_json::from_str(text).map_err(|_| Error::PersonalField {
        problem: "The payload is no JSON.".to_owned(),
    })
}

/// The members of an object; None for any other value.
fn members(value: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(value.get()).ok()
}

fn is_encrypted(value: &RawValue) -> bool {
    let has_key =
        |members: Members| members.contains_key(ENCRYPTED) || members.contains_key(ERASED);
    members(value).is_some_and(has_key)
}

fn write_members(
    members: &Members,
    changed: &BTreeMap<String, Zeroizing<String>>,
) -> Zeroizing<String> {
    let size = members.values().map(|value| value.get().len() + 16).sum();
    let mut text = Zeroizing::new(String::with_capacity(size));
    for (place, (name, value)) in members.iter().enumerate() {
        text.push(if place == 0 { '{' } else { ',' });
        text.push_str(&serde_json::Value::from(name.as_str()).to_string());
        text.push(':');
        text.push_str(
            changed
                .get(name)
                .map_or(value.get(), |changed| changed.as_str()),
        );
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTOR: Uuid = Uuid::from_u128(1);
    const RESOURCE: Uuid = Uuid::from_u128(2);
    const PEOPLE: People = People {
        actor_id: Some(ACTOR),
        resource_id: Some(RESOURCE),
    };

    /// Seals with a text that tells what was sealed.
    fn sealed(payload: &str, rules: &[Rule], people: People) -> Result<Option<String>, Error> {
        let mut encrypt =
            |subject: Uuid, json: &str| Ok(format!("[\"sealed\", {}, {json}]", subject.as_u128()));
        Ok(seal(payload, rules, people, &mut encrypt)?.map(|text| text.to_string()))
    }

    fn rule(field: &str, whose: Whose) -> Rule {
        Rule {
            field: field.to_owned(),
            whose,
        }
    }

    #[test]
    fn what_is_not_marked_stays() {
        for payload in [
            "{}",
            "{\"a\": [1.00, {\"b\": null}]}",
            "{\"a\": \"$personal\"}",
            "{\"a\": [\"$personal\"]}",
        ] {
            assert_eq!(sealed(payload, &[], PEOPLE), Ok(None), "{payload}");
            assert_eq!(
                sealed(payload, &[rule("z", Whose::Actor)], PEOPLE),
                Ok(None),
                "{payload}"
            );
        }
    }

    #[test]
    fn marked_values_are_sealed_wherever_they_are() {
        let subject = Uuid::from_u128(7);
        let payload = format!(
            "{{\"n\": 1.00, \"list\": [true, {{\"$personal\": {{\"x\": 1e400}}, \"subject\": \"{subject}\"}}], \
             \"deep\": {{\"er\": {{\"$personal\": \"Ann\"}}}}}}"
        );
        assert_eq!(
            sealed(&payload, &[], PEOPLE),
            Ok(Some(
                "{\"deep\":{\"er\":[\"sealed\", 1, \"Ann\"]},\"list\":[true,[\"sealed\", 7, {\"x\": 1e400}]],\"n\":1.00}"
                    .to_owned()
            ))
        );
        assert_eq!(
            sealed("{\"$personal\": null}", &[], PEOPLE),
            Ok(Some("[\"sealed\", 1, null]".to_owned()))
        );
    }

    #[test]
    fn rules_seal_fields_of_the_top_level() {
        let rules = [rule("email", Whose::Resource), rule("phone", Whose::Actor)];
        assert_eq!(
            sealed("{\"email\": \"a@b\", \"in\": {\"email\": 1}, \"phone\": 2}", &rules, PEOPLE),
            Ok(Some(
                "{\"email\":[\"sealed\", 2, \"a@b\"],\"in\":{\"email\": 1},\"phone\":[\"sealed\", 1, 2]}".to_owned()
            ))
        );
    }

    #[test]
    fn a_mark_goes_before_a_rule() {
        let mut count = 0;
        let mut encrypt = |subject: Uuid, _: &str| {
            count += 1;
            Ok(EncryptedField {
                ciphertext: "x".to_owned(),
                subject,
                commitment: "y".to_owned(),
            }
            .to_json())
        };
        let rules = [rule("email", Whose::Resource)];
        let sealed = seal(
            "{\"email\": {\"$personal\": 1}}",
            &rules,
            PEOPLE,
            &mut encrypt,
        );
        let sealed = sealed.expect("to seal").expect("a payload");
        assert!(sealed.contains(&ACTOR.to_string()));
        assert_eq!(count, 1);
    }

    #[test]
    fn what_cannot_be_sealed_is_refused() {
        let nobody = People {
            actor_id: None,
            resource_id: None,
        };
        let deep = format!("{}{{\"$personal\": 1}}{}", "[".repeat(70), "]".repeat(70));
        for (payload, rules) in [
            ("{\"a\": {\"$personal\": 1}}", vec![]),
            ("{\"a\": {\"$personal\": 1, \"subject\": \"x\"}}", vec![]),
            ("{\"a\": {\"$personal\": 1, \"subject\": null}}", vec![]),
            ("{\"a\": {\"$personal\": 1, \"other\": 1}}", vec![]),
            ("{\"a\": 1}", vec![rule("a", Whose::Actor)]),
            ("{\"a\": 1}", vec![rule("a", Whose::Resource)]),
            (deep.as_str(), vec![]),
        ] {
            let refused = sealed(payload, &rules, nobody);
            assert!(
                matches!(refused, Err(Error::PersonalField { .. })),
                "{payload}"
            );
        }
    }

    #[test]
    fn errors_do_not_tell_the_value() {
        let payload = "{\"a\": {\"$personal\": \"SECRET\", \"other\": 1}}";
        let error = sealed(payload, &[], PEOPLE).expect_err("refused");
        assert!(
            !format!("{error:?} {error} {:?} {}", error.detail(), error.hint()).contains("SECRET")
        );
    }

    #[test]
    fn encrypted_fields_are_found_and_replaced() {
        let field = EncryptedField {
            ciphertext: "QUJD".to_owned(),
            subject: ACTOR,
            commitment: "00".to_owned(),
        };
        let payload = format!("{{\"n\": 1.0, \"a\": [{}]}}", field.to_json());
        let mut decrypt = |found: EncryptedField| {
            assert_eq!(found, field);
            Some(Zeroizing::new("\"Ann\"".to_owned()))
        };
        let revealed = reveal(&payload, &mut decrypt).expect("a payload");
        assert_eq!(revealed.as_str(), "{\"a\":[\"Ann\"],\"n\":1.0}");
        assert!(reveal(&payload, &mut |_| None).is_none());
    }

    #[test]
    fn what_only_looks_encrypted_is_left_alone() {
        for payload in [
            "{\"$encrypted\": 1}",
            "{\"$encrypted\": \"x\", \"subject\": \"x\", \"commitment\": \"x\"}",
            "{\"$encrypted\": \"x\", \"subject\": \"00000000-0000-0000-0000-000000000001\", \"commitment\": 1}",
            "{\"a\": \"$encrypted\"}",
        ] {
            let mut decrypt = |_| -> Option<Zeroizing<String>> { panic!("nothing to decrypt") };
            assert!(reveal(payload, &mut decrypt).is_none(), "{payload}");
        }
    }
}
