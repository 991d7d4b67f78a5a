//! Builds jsonb and numeric values as PostgreSQL stores them; see jsonb_util.c and numeric.c there.

use super::value::Value;

const OFFSET_STRIDE: usize = 32;
const IS_SCALAR: u32 = 0x1000_0000;
const IS_OBJECT: u32 = 0x2000_0000;
const IS_ARRAY: u32 = 0x4000_0000;
const HAS_OFFSET: u32 = 0x8000_0000;

/// The root container of a value, without the varlena header.
pub fn container(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    match value {
        Value::Array(_) | Value::Object(_) => {
            put(&mut bytes, value);
        }
        scalar => put_children(
            &mut bytes,
            IS_ARRAY | IS_SCALAR | 1,
            &[Child::Value(scalar)],
        ),
    }
    bytes
}

enum Child<'a> {
    Key(&'a str),
    Value(&'a Value),
}

/// Appends a value's data and returns its type.
fn put(bytes: &mut Vec<u8>, value: &Value) -> u32 {
    match value {
        Value::Null => 0x4000_0000,
        Value::Bool(true) => 0x3000_0000,
        Value::Bool(false) => 0x2000_0000,
        Value::String(text) => {
            bytes.extend_from_slice(text.as_bytes());
            0
        }
        Value::Number(text) => {
            pad(bytes);
            bytes.extend_from_slice(&numeric(text));
            0x1000_0000
        }
        Value::Array(elements) => {
            pad(bytes);
            let children: Vec<_> = elements.iter().map(Child::Value).collect();
            put_children(bytes, IS_ARRAY | elements.len() as u32, &children);
            0x5000_0000
        }
        Value::Object(pairs) => {
            pad(bytes);
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            let keys = pairs.iter().map(|(key, _)| Child::Key(key));
            let values = pairs.iter().map(|(_, value)| Child::Value(value));
            let children: Vec<_> = keys.chain(values).collect();
            put_children(bytes, IS_OBJECT | pairs.len() as u32, &children);
            0x5000_0000
        }
    }
}

fn put_children(bytes: &mut Vec<u8>, header: u32, children: &[Child]) {
    bytes.extend_from_slice(&header.to_ne_bytes());
    let words = bytes.len();
    bytes.resize(words + 4 * children.len(), 0);
    let data = bytes.len();
    for (index, child) in children.iter().enumerate() {
        let start = bytes.len();
        let kind = match child {
            Child::Key(key) => {
                bytes.extend_from_slice(key.as_bytes());
                0
            }
            Child::Value(value) => put(bytes, value),
        };
        let place = if index % OFFSET_STRIDE == 0 {
            HAS_OFFSET | (bytes.len() - data) as u32
        } else {
            (bytes.len() - start) as u32
        };
        let word = words + 4 * index;
        bytes[word..word + 4].copy_from_slice(&(kind | place).to_ne_bytes());
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A numeric with its varlena header of four bytes.
pub fn numeric(text: &str) -> Vec<u8> {
    let unsigned = text.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let scale = fraction.len() as u16;
    let zeros = |text: &str| "0".repeat(text.len().next_multiple_of(4) - text.len());
    let mut weight = whole.len().div_ceil(4) as i32 - 1;
    let decimals = [&zeros(whole), whole, fraction, &zeros(fraction)].concat();
    let mut digits: Vec<u16> = decimals
        .as_bytes()
        .chunks(4)
        .map(|four| {
            four.iter()
                .fold(0, |digit, place| digit * 10 + u16::from(place - b'0'))
        })
        .collect();
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..zeros);
    weight -= zeros as i32;
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let negative = text.starts_with('-') && !digits.is_empty();
    if digits.is_empty() {
        weight = 0;
    }
    let mut words = Vec::new();
    if scale <= 63 && (-64..=63).contains(&weight) {
        let sign = if negative { 0x2000 } else { 0 };
        words.push(0x8000 | sign | (scale << 7) | (weight as u16 & 0x7F));
    } else {
        words.push(if negative { 0x4000 } else { 0 } | scale);
        words.push(weight as u16);
    }
    words.extend(digits);
    let length = 4 + 2 * words.len() as u32;
    let header = if cfg!(target_endian = "little") {
        length << 2
    } else {
        length
    };
    let mut bytes = header.to_ne_bytes().to_vec();
    bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    bytes
}
