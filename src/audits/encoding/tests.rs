//! The encoding against a second reading of it, and jsonb containers built as PostgreSQL builds them.

mod container;
mod decoder;
mod examples;
mod value;

use proptest::prelude::*;
use uuid::Uuid;

use super::jsonb::Walker;
use super::jsonb::DEEPEST;
use super::numeric::Numeric;
use super::writer::{Malformed, Writer};
use super::{parse_hash, unix_micros, Entry, GENESIS};
use container::container;
use decoder::{decode, Decoded};
use value::{any_value, array, number, object, string, Value};

fn walk(container: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut writer = Writer::default();
    Walker::default().walk(container, &mut writer)?;
    Ok(writer.bytes().to_vec())
}

fn write(value: &Value) -> Vec<u8> {
    let mut writer = Writer::default();
    value.write(&mut writer).expect("a small value");
    writer.bytes().to_vec()
}

/// The encoding of a value, which is the same from the tree and from the container.
fn encode(value: &Value) -> Vec<u8> {
    let written = write(value);
    assert_eq!(walk(&container(value)).as_ref(), Ok(&written), "{value:?}");
    written
}

fn numeric_text(value: &str) -> String {
    let bytes = container::numeric(value);
    let number = Numeric::parse(&bytes).expect("a number");
    let mut text = Vec::new();
    number.print(&mut text);
    assert!(text.len() <= number.longest(), "{value}");
    String::from_utf8(text).expect("digits")
}

#[derive(Clone, Debug, PartialEq)]
struct Owned {
    org_id: Option<u128>,
    lane: i32,
    seq: i64,
    prev_hash: [u8; 32],
    id: i64,
    event_id: u128,
    ts: i64,
    entity: Option<String>,
    action: String,
    actor_id: Option<u128>,
    resource_id: Option<u128>,
    payload: Value,
    ip_address: Option<String>,
    user_agent: Option<String>,
}

impl Owned {
    fn with_entry<T>(&self, read: impl FnOnce(&Entry) -> T) -> T {
        read(&Entry {
            org_id: self.org_id.map(Uuid::from_u128),
            lane: self.lane,
            seq: self.seq,
            prev_hash: self.prev_hash,
            id: self.id,
            event_id: Uuid::from_u128(self.event_id),
            ts: self.ts,
            entity: self.entity.as_deref(),
            action: &self.action,
            actor_id: self.actor_id.map(Uuid::from_u128),
            resource_id: self.resource_id.map(Uuid::from_u128),
            payload: &container(&self.payload),
            ip_address: self.ip_address.as_deref(),
            user_agent: self.user_agent.as_deref(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        self.with_entry(|entry| entry.encode())
            .expect("a small entry")
    }
}

fn plain() -> Owned {
    Owned {
        org_id: None,
        lane: 0,
        seq: 1,
        prev_hash: GENESIS,
        id: 1,
        event_id: 0,
        ts: 0,
        entity: None,
        action: "a".into(),
        actor_id: None,
        resource_id: None,
        payload: object([]),
        ip_address: None,
        user_agent: None,
    }
}

prop_compose! {
    fn any_entry()(
        ids in any::<(Option<u128>, u128, Option<u128>, Option<u128>)>(),
        numbers in any::<(i32, i64, i64, i64, [u8; 32])>(),
        texts in any::<(Option<String>, String, Option<String>, Option<String>)>(),
        payload in any_value(),
    ) -> Owned {
        Owned {
            org_id: ids.0,
            lane: numbers.0,
            seq: numbers.1,
            prev_hash: numbers.4,
            id: numbers.2,
            event_id: ids.1,
            ts: numbers.3,
            entity: texts.0,
            action: texts.1,
            actor_id: ids.2,
            resource_id: ids.3,
            payload,
            ip_address: texts.2,
            user_agent: texts.3,
        }
    }
}

proptest! {
    /// What can be decoded has one origin: no two entries share an encoding.
    #[test]
    fn the_encoding_of_an_entry_is_injective(entry in any_entry()) {
        prop_assert_eq!(decode(&entry.encode()), Some(Decoded::from(&entry)));
    }

    #[test]
    fn the_container_says_the_same_as_the_tree(value in any_value()) {
        prop_assert_eq!(decoder::decode_value(&encode(&value)), Some(value));
    }

    #[test]
    fn every_number_prints_as_it_was_written(
        text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?",
    ) {
        let zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
        let expected = if zero { text.trim_start_matches('-') } else { &text };
        prop_assert_eq!(numeric_text(&text), expected);
    }

    /// Damage gives an error or another value, never a panic.
    #[test]
    fn damage_is_survived(
        value in any_value(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = container(&value);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        let _ = walk(&bytes);
        let _ = walk(&bytes[..cut.index(bytes.len() + 1)]);
    }

    #[test]
    fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = walk(&bytes);
        let _ = Numeric::parse(&bytes);
    }
}

#[test]
fn pairs_that_naive_encodings_confuse_differ() {
    let payload = |value: Value| Owned {
        payload: value,
        ..plain()
    };
    let texts = |entity: Option<&str>, action: &str| Owned {
        entity: entity.map(Into::into),
        action: action.into(),
        ..plain()
    };
    let pairs = [
        (texts(Some("a"), "b|c"), texts(Some("a|b"), "c")),
        (texts(None, "a"), texts(Some(""), "a")),
        (texts(Some("a"), ""), texts(Some(""), "a")),
        (
            Owned {
                ip_address: Some("x".into()),
                ..plain()
            },
            Owned {
                user_agent: Some("x".into()),
                ..plain()
            },
        ),
        (
            Owned {
                actor_id: Some(7),
                ..plain()
            },
            Owned {
                resource_id: Some(7),
                ..plain()
            },
        ),
        (
            Owned {
                id: 5,
                seq: 6,
                ..plain()
            },
            Owned {
                id: 6,
                seq: 5,
                ..plain()
            },
        ),
        (Owned { ts: -1, ..plain() }, Owned { ts: 1, ..plain() }),
        (
            payload(number("9007199254740993")),
            payload(number("9007199254740992")),
        ),
        (payload(number("1.0")), payload(number("1.00"))),
        (payload(number("1")), payload(string("1"))),
        (payload(Value::Null), payload(string("null"))),
        (payload(Value::Bool(false)), payload(Value::Null)),
        (
            payload(object([("a", string("b")), ("c", string("d"))])),
            payload(object([("a", string("b\",\"c\":\"d"))])),
        ),
        (
            payload(object([("a", number("1")), ("a ", number("2"))])),
            payload(object([("a", number("2")), ("a ", number("1"))])),
        ),
        // The same letters to a reader, composed and decomposed.
        (
            payload(object([("\u{e9}", Value::Null)])),
            payload(object([("e\u{301}", Value::Null)])),
        ),
        (payload(object([("", Value::Null)])), payload(object([]))),
        (
            payload(array([string("a"), string("b")])),
            payload(array([string("ab")])),
        ),
    ];
    for (one, other) in &pairs {
        assert_ne!(one.encode(), other.encode(), "{one:?} {other:?}");
    }
}

#[test]
fn nested_empties_differ() {
    let values = [
        Value::Null,
        string(""),
        array([]),
        object([]),
        array([array([])]),
        array([object([])]),
        array([array([]), array([])]),
        array([array([array([])])]),
        array([Value::Null]),
        array([string("")]),
        object([("", object([]))]),
        object([("", array([]))]),
        object([("", Value::Null)]),
        object([("", string(""))]),
        array([object([]), array([])]),
        array([array([]), object([])]),
    ];
    let encodings: std::collections::BTreeSet<_> = values.iter().map(encode).collect();
    assert_eq!(encodings.len(), values.len());
}

#[test]
fn keys_are_in_the_order_of_their_bytes() {
    let value = object([
        ("b", number("1")),
        ("aa", number("2")),
        ("\u{fc}", Value::Null),
    ]);
    let expected: Vec<u8> = [
        &[6, 0, 0, 0, 3][..],
        &[0, 0, 0, 2, b'a', b'a', 3, 0, 0, 0, 1, b'2'],
        &[0, 0, 0, 1, b'b', 3, 0, 0, 0, 1, b'1'],
        &[0, 0, 0, 2, 0xc3, 0xbc, 0],
    ]
    .concat();
    assert_eq!(encode(&value), expected);
}

#[test]
fn an_entry_of_nulls_byte_by_byte() {
    let expected: Vec<u8> = [
        &b"codeverify.audit.entry\x01"[..],
        b"\x01\x01\x01",
        b"\x02\x02\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x03\x02\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01",
        b"\x04\x05\x00\x00\x00\x00\x20",
        &[0; 32],
        b"\x05\x02\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01",
        b"\x06\x01\x00\x00\x00\x00\x10",
        &[0; 16],
        b"\x07\x03\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x08\x04\x01",
        b"\x09\x04\x00\x00\x00\x00\x01a",
        b"\x0a\x01\x01",
        b"\x0b\x01\x01",
        b"\x0c\x06\x00\x00\x00\x00\x05\x06\x00\x00\x00\x00",
        b"\x0d\x04\x01",
        b"\x0e\x04\x01",
    ]
    .concat();
    assert_eq!(plain().encode(), expected);
}

#[test]
fn the_hash_is_that_of_a_leaf() {
    use sha2::{Digest, Sha256};
    let leaf = [vec![0], plain().encode()].concat();
    let expected: [u8; 32] = Sha256::digest(leaf).into();
    assert_eq!(plain().with_entry(|entry| entry.leaf_hash()), Ok(expected));
}

#[test]
fn containers_beyond_the_stride_of_offsets() {
    for count in [31, 32, 33, 64, 65, 1000] {
        let element = |at: usize| match at % 4 {
            0 => number(&at.to_string()),
            1 => string(&"x".repeat(at % 7)),
            2 => array([number("1.5"), Value::Bool(true)]),
            _ => object([("k", number("2"))]),
        };
        encode(&Value::Array((0..count).map(element).collect()));
        let pairs = (0..count).map(|at| (format!("{:x}", at * at), element(at)));
        encode(&Value::Object(pairs.collect()));
    }
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(object([]), |value, level| {
        if level % 2 == 0 {
            array([value])
        } else {
            object([("key", value)])
        }
    })
}

#[test]
fn nesting_has_a_limit() {
    assert!(walk(&container(&nested(DEEPEST))).is_ok());
    assert_eq!(
        walk(&container(&nested(DEEPEST + 1))),
        Err(Malformed::TooDeep)
    );
}

#[test]
fn nesting_needs_no_stack() {
    let value = nested(DEEPEST);
    // Built and dropped on a large stack: it is the tree that recurses, not the walk.
    let built = std::thread::Builder::new()
        .stack_size(256 << 20)
        .spawn(move || (container(&value), write(&value)))
        .expect("a thread")
        .join()
        .expect("a container");
    let small = std::thread::Builder::new().stack_size(128 << 10);
    let walked = small.spawn(move || walk(&built.0) == Ok(built.1));
    assert!(walked.expect("a thread").join().expect("no overflow"));
}

#[test]
fn numbers_of_every_form() {
    let cases = [
        "0",
        "0.0",
        "0.00",
        "1",
        "-1",
        "10",
        "9999",
        "10000",
        "10001",
        "100000000",
        "1.10",
        "1.00",
        "-0.5",
        "0.5",
        "0.05",
        "0.0005",
        "0.00005",
        "0.000001",
        "0.00000000000000000001",
        "123456789012345678901234567890.000100",
        "9007199254740993",
        "-12345.6789",
    ];
    for text in cases {
        assert_eq!(numeric_text(text), text);
    }
    assert_eq!(numeric_text("-0"), "0");
    assert_eq!(numeric_text("-0.00"), "0.00");
    let large = format!("1{}", "0".repeat(131_071));
    assert_eq!(numeric_text(&large), large);
    let fine = format!("0.{}1", "0".repeat(16_382));
    assert_eq!(numeric_text(&fine), fine);
}

#[test]
fn special_numbers_and_headers() {
    let special = |head: u16| {
        let bytes = [&[2 * 3 + 1][..], &head.to_ne_bytes()].concat();
        match Numeric::parse(&bytes) {
            Ok(Numeric::Special(text)) => Some(text),
            _ => None,
        }
    };
    assert_eq!(special(0xC000), Some("NaN"));
    assert_eq!(special(0xD000), Some("Infinity"));
    assert_eq!(special(0xF000), Some("-Infinity"));
    assert_eq!(special(0xE000), None);
    // The same number with a header of one byte, and one that leads elsewhere.
    let four = container::numeric("-12345.678");
    let mut one = vec![(((four.len() - 3) << 1) | 1) as u8];
    one.extend_from_slice(&four[4..]);
    let mut text = Vec::new();
    Numeric::parse(&one).expect("a number").print(&mut text);
    assert_eq!(text, b"-12345.678");
    assert!(Numeric::parse(&[0x01, 0x12, 0, 0]).is_err());
    assert!(Numeric::parse(&[0x02, 0, 0, 0, 0, 0]).is_err());
    assert!(Numeric::parse(&four[..four.len() - 1]).is_err());
}

#[test]
fn digits_that_are_never_stored_are_damage() {
    let stored = container::numeric("123450000.5");
    let first = 6..8;
    for digit in [0u16, 10_000, u16::MAX] {
        let mut bytes = stored.clone();
        bytes[first.clone()].copy_from_slice(&digit.to_ne_bytes());
        assert!(Numeric::parse(&bytes).is_err(), "{digit}");
    }
    let zero = container::numeric("0");
    for head in [0xA000u16, 0x8001] {
        let mut bytes = zero.clone();
        bytes[4..6].copy_from_slice(&head.to_ne_bytes());
        assert!(Numeric::parse(&bytes).is_err(), "{head:x}");
    }
}

#[test]
fn enormous_numbers_do_not_fill_the_memory() {
    // Each takes 12 bytes in an array, and is printed with 131,000 digits.
    let number = container::numeric(&format!("1{}", "0".repeat(130_999)));
    assert_eq!(number.len(), 10);
    let count = 3_000u32;
    let words = (0..count).map(|at| 0x1000_0000 | if at == 0 { 10 } else { 12u32 });
    let data = (0..count).flat_map(|_| [&number[..], &[0, 0]].concat());
    let container: Vec<u8> = std::iter::once(0x4000_0000 | count)
        .chain(words)
        .flat_map(u32::to_ne_bytes)
        .chain(data)
        .collect();
    assert_eq!(walk(&container), Err(Malformed::TooLarge));
}

#[test]
fn keys_out_of_order_or_twice_are_damage() {
    let ordered = container(&object([("a", Value::Null), ("b", Value::Null)]));
    let end = ordered.len();
    for keys in [b"ba", b"aa"] {
        let mut bytes = ordered.clone();
        bytes[end - 2..].copy_from_slice(keys);
        assert!(matches!(walk(&bytes), Err(Malformed::Corrupt(_))));
    }
}

#[test]
fn hashes_have_one_spelling() {
    let digits = "0123456789abcdef".repeat(4);
    assert!(parse_hash(digits.as_bytes()).is_some());
    assert_eq!(parse_hash("00".repeat(32).as_bytes()), Some(GENESIS));
    assert_eq!(parse_hash(digits.to_uppercase().as_bytes()), None);
    assert_eq!(parse_hash(&digits.as_bytes()[1..]), None);
    assert_eq!(parse_hash(b""), None);
}

#[test]
fn times_keep_apart_at_the_ends_of_the_calendar() {
    assert_eq!(unix_micros(0), 946_684_800_000_000);
    let times = [
        i64::MIN,
        -211_813_488_000_000_000,
        0,
        9_223_371_331_199_999_999,
        i64::MAX,
    ];
    let all: std::collections::BTreeSet<_> = times.map(unix_micros).into();
    assert_eq!(all.len(), times.len());
}
