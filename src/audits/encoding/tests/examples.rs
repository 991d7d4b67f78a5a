//! The worked examples of docs/ledger_format.md are what the library says.

use super::value::{array, number, object, string, Value};
use super::{plain, Owned};

const PAGE: &str = include_str!("../../../../docs/ledger_format.md");
const EVENT: u128 = 0x01a1_fd7a_9c00_7000_8000_0000_0000_0000;
const NAME: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0000;
/// 2026-11-21 08:00:00 UTC.
const TIME: i64 = 1_795_248_000_000_000;

fn entries() -> [Owned; 3] {
    let first = Owned {
        id: 1,
        event_id: EVENT + 1,
        ts: TIME,
        action: "ledger.opened".into(),
        ..plain()
    };
    let nested = Owned {
        org_id: Some(NAME + 0xa),
        lane: 4,
        id: 2,
        event_id: EVENT + 2,
        ts: TIME + 250_000,
        entity: Some("project".into()),
        action: "project.renamed".into(),
        actor_id: Some(NAME + 0xb),
        resource_id: Some(NAME + 0xc),
        payload: object([
            (
                "b",
                array([number("1.00"), number("-20"), object([]), array([])]),
            ),
            ("to", string("Größe")),
            (
                "aa",
                object([
                    ("x", Value::Null),
                    (
                        "y",
                        array([Value::Bool(true), Value::Bool(false), string("")]),
                    ),
                ]),
            ),
        ]),
        ip_address: Some("2001:db8::1".into()),
        user_agent: Some(String::new()),
        ..plain()
    };
    let second = Owned {
        seq: 2,
        prev_hash: hash(&first),
        id: 3,
        event_id: EVENT + 3,
        ts: TIME + 1,
        action: "ledger.closed".into(),
        payload: object([("count", number("9007199254740993"))]),
        ..plain()
    };
    [first, nested, second]
}

fn hash(entry: &Owned) -> [u8; 32] {
    entry
        .with_entry(|entry| entry.leaf_hash())
        .expect("a small entry")
}

#[test]
fn the_page_has_the_bytes_and_the_hash_of_each() {
    let (_, examples) = PAGE.split_once("## Worked examples").expect("the section");
    let mut sections = examples.split("\n### ").skip(1);
    for entry in entries() {
        let section = sections.next().expect("an example");
        let mut blocks = section.split("```text\n").skip(1);
        let mut block = || blocks.next()?.split("```").next();
        let bytes: String = block()
            .expect("a listing")
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(bytes, hex::encode(entry.encode()), "{entry:?}");
        assert_eq!(
            block().map(str::trim),
            Some(hex::encode(hash(&entry)).as_str())
        );
        let size = format!("These are {} bytes.", entry.encode().len());
        assert!(section.contains(&size), "{size}");
    }
}
