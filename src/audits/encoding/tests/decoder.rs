//! Reads the encoding back, knowing only docs/ledger_format.md: what comes out again was not lost.

use std::collections::BTreeMap;

use super::value::Value;
use super::Owned;

/// A field as it was read.
#[derive(Debug, PartialEq)]
pub enum Field {
    Null,
    Bytes(Vec<u8>),
    Int64(i64),
    Text(String),
    Jsonb(Value),
}

#[derive(Debug, PartialEq)]
pub struct Decoded(Vec<Field>);

impl From<&Owned> for Decoded {
    fn from(entry: &Owned) -> Self {
        let uuid = |value: u128| Field::Bytes(value.to_be_bytes().to_vec());
        let nullable = |value: Option<u128>| value.map_or(Field::Null, uuid);
        let text = |value: &Option<String>| value.clone().map_or(Field::Null, Field::Text);
        Decoded(vec![
            nullable(entry.org_id),
            Field::Int64(entry.lane.into()),
            Field::Int64(entry.seq),
            Field::Bytes(entry.prev_hash.to_vec()),
            Field::Int64(entry.id),
            uuid(entry.event_id),
            Field::Int64(entry.ts),
            text(&entry.entity),
            Field::Text(entry.action.clone()),
            nullable(entry.actor_id),
            nullable(entry.resource_id),
            Field::Jsonb(entry.payload.clone()),
            text(&entry.ip_address),
            text(&entry.user_agent),
        ])
    }
}

/// None for bytes that are not an encoding.
pub fn decode(bytes: &[u8]) -> Option<Decoded> {
    let mut rest = bytes.strip_prefix(b"codeverify.audit.entry\x01")?;
    let mut fields = Vec::new();
    for (ordinal, kind) in (1..).zip([1, 2, 2, 5, 2, 1, 3, 4, 4, 1, 1, 6, 4, 4]) {
        let head = take(&mut rest, 3)?;
        if head[..2] != [ordinal, kind] {
            return None;
        }
        fields.push(match head[2] {
            0 => {
                let length = length(&mut rest)?;
                field(kind, take(&mut rest, length)?)?
            }
            1 => Field::Null,
            _ => return None,
        });
    }
    rest.is_empty().then_some(Decoded(fields))
}

fn field(kind: u8, bytes: &[u8]) -> Option<Field> {
    match kind {
        1 => (bytes.len() == 16).then(|| Field::Bytes(bytes.to_vec())),
        2 | 3 => Some(Field::Int64(i64::from_be_bytes(bytes.try_into().ok()?))),
        4 => String::from_utf8(bytes.to_vec()).ok().map(Field::Text),
        5 => (bytes.len() == 32).then(|| Field::Bytes(bytes.to_vec())),
        _ => decode_value(bytes).map(Field::Jsonb),
    }
}

pub fn decode_value(mut bytes: &[u8]) -> Option<Value> {
    let value = value(&mut bytes)?;
    bytes.is_empty().then_some(value)
}

fn value(rest: &mut &[u8]) -> Option<Value> {
    Some(match take(rest, 1)?[0] {
        0 => Value::Null,
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::Number(text(rest)?),
        4 => Value::String(text(rest)?),
        5 => {
            let count = length(rest)?;
            Value::Array((0..count).map(|_| value(rest)).collect::<Option<_>>()?)
        }
        6 => {
            let mut pairs = BTreeMap::new();
            for _ in 0..length(rest)? {
                let key = text(rest)?;
                // Ascending: else one object would have several encodings.
                if pairs.last_key_value().is_some_and(|(last, _)| *last >= key) {
                    return None;
                }
                pairs.insert(key, value(rest)?);
            }
            Value::Object(pairs)
        }
        _ => return None,
    })
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let length = length(rest)?;
    String::from_utf8(take(rest, length)?.to_vec()).ok()
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let bytes = take(rest, 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes) as usize)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}
