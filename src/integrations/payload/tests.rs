use super::*;
use proptest::prelude::*;
use serde_json::json;

macro_rules! example {
    ($name:literal) => {
        include_bytes!(concat!(
            "../../../tests/data/github_webhooks/",
            $name,
            ".json"
        ))
    };
}

const INSTALLATION: &[u8] = example!("installation.created");
const PULL_REQUEST: &[u8] = example!("pull_request.opened");
const PUSH: &[u8] = example!("push");
const WORKFLOW_RUN: &[u8] = example!("workflow_run.completed");

const EVENTS: [&str; 10] = [
    "ping",
    "installation",
    "installation_repositories",
    "push",
    "pull_request",
    "pull_request_review",
    "workflow_run",
    "deployment_status",
    "repository",
    "star",
];

fn facts(event: &str, body: &[u8]) -> Value {
    Value::Object(read(event, body).expect("facts"))
}

fn changed(body: &[u8], pointer: &str, value: Value) -> Vec<u8> {
    let mut payload: Value = serde_json::from_slice(body).expect("JSON");
    *payload.pointer_mut(pointer).expect("a member") = value;
    payload.to_string().into_bytes()
}

#[test]
fn an_installation() {
    let facts = facts("installation", INSTALLATION);
    assert_eq!(facts["action"], "created");
    let installation = &facts["installation"];
    assert_eq!(installation["id"], 957387);
    assert_eq!(installation["account"], "Codertocat");
    assert_eq!(installation["account_type"], "User");
    assert_eq!(installation["suspended_at"], Value::Null);
    assert_eq!(installation["permissions"]["metadata"], "read");
    assert_eq!(
        facts["repositories"],
        json!([{
            "id": 186853002, "name": "Hello-World", "full_name": "Codertocat/Hello-World", "private": false,
        }])
    );
}

#[test]
fn a_pull_request() {
    let facts = facts("pull_request", PULL_REQUEST);
    assert_eq!(facts["installation"], json!({ "id": 1 }));
    assert_eq!(facts["repository"]["default_branch"], "master");
    assert_eq!(
        facts["pull_request"],
        json!({
            "number": 2,
            "title": "Update the README with new information.",
            "draft": false,
            "merged": false,
            "author": "Codertocat",
            "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
            "head": "changes",
            "base_sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
            "base": "master",
            "created_at": "2019-05-15T15:20:33Z",
            "merged_at": null,
            "merge_sha": null,
        })
    );
}

#[test]
fn a_push() {
    let deletion = facts("push", PUSH);
    assert_eq!(deletion["deleted"], true);
    assert_eq!(deletion["commits"], json!([]));
    assert!(deletion.get("installation").is_none());
    let commits = json!([{
        "id": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
        "message": "One\n\nTwo",
        "timestamp": "2019-05-15T17:20:33+02:00",
        "author": { "name": "Co", "email": "co@example.org", "username": "Codertocat" },
        "added": ["a", "b"],
        "modified": ["c"],
    }]);
    let push = facts("push", &changed(PUSH, "/commits", commits));
    assert_eq!(
        push["commits"],
        json!([{
            "sha": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
            "distinct": true,
            "at": "2019-05-15T17:20:33+02:00",
            "message": "One",
            "author": "Codertocat",
            "added": 2,
            "removed": 0,
            "modified": 1,
        }])
    );
}

#[test]
fn a_workflow_run() {
    let facts = facts("workflow_run", WORKFLOW_RUN);
    assert_eq!(facts["repository"]["id"], 300029405);
    assert_eq!(
        facts["workflow_run"],
        json!({
            "workflow": "test",
            "conclusion": "success",
            "branch": "master",
            "head_sha": "3484a3fb816e0859fd6e1cea078d76385ff50625",
            "run_id": 289782451,
            "run_number": 163,
            "attempt": 1,
            "trigger": "repository_dispatch",
            "url": "https://github.com/octo-org/octo-repo/actions/runs/289782451",
            "finished_at": "2020-10-05T16:33:49Z",
        })
    );
}

#[test]
fn other_events_tell_whom_they_concern() {
    assert_eq!(
        facts("issues", PULL_REQUEST)["installation"],
        json!({ "id": 1 })
    );
    assert_eq!(facts("issues", b"{}"), json!({}));
    let odd = br#"{"action": 7, "installation": "x", "repository": [1]}"#;
    assert_eq!(facts("issues", odd), json!({}));
}

#[test]
fn origins() {
    let of = |installation, repository, organization| Origin {
        installation,
        repository,
        organization,
    };
    assert_eq!(origin(PULL_REQUEST), of(Some(1), Some(186853002), None));
    assert_eq!(origin(INSTALLATION), of(Some(957387), None, None));
    assert_eq!(
        origin(WORKFLOW_RUN),
        of(None, Some(300029405), Some(41548062))
    );
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"{}",
        br#"{"installation": {"id": -1}}"#,
        br#"{"installation": {"id": 1.5}}"#,
        br#"{"installation": 1}"#,
        br#"{"installation": {"id": 1}, "installation": {"id": 2}}"#,
    ] {
        assert_eq!(origin(body), Origin::default(), "{body:?}");
    }
}

#[test]
fn what_is_no_payload() {
    for body in [
        &b""[..],
        b"{",
        b"null",
        b"7",
        b"[]",
        b"[null, null, null]",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"{\"a\": \"\xff\"}",
        br#"{"action": "x", "action": "y"}"#,
        br#"{"repository": null, "repository": null}"#,
    ] {
        for event in EVENTS {
            assert!(read(event, body).is_err(), "{event} {body:?}");
        }
    }
    for event in EVENTS {
        let needs_nothing = matches!(event, "ping" | "star");
        assert_eq!(read(event, b"{}").is_ok(), needs_nothing, "{event}");
    }
    for (pointer, value) in [
        ("/pull_request/number", json!(0)),
        ("/pull_request/number", json!(1_u64 << 40)),
        ("/pull_request/number", json!("2")),
        ("/pull_request/head/sha", json!("HEAD")),
        ("/pull_request/head/sha", json!("A".repeat(40))),
        ("/pull_request/base/sha", Value::Null),
        ("/repository/id", json!(-1)),
        ("/repository/id", json!(u64::MAX)),
        ("/repository/name", json!("")),
        ("/repository/name", json!("a\0b")),
        ("/repository/full_name", json!("x".repeat(513))),
        ("/repository/default_branch", json!("")),
        ("/repository", Value::Null),
        ("/installation/id", json!(0)),
        ("/pull_request", json!([])),
    ] {
        let body = changed(PULL_REQUEST, pointer, value);
        assert!(read("pull_request", &body).is_err(), "{pointer}");
    }
}

#[test]
fn texts_are_cut_to_what_can_be_stored() {
    let title = json!("\0é".repeat(2000));
    let body = changed(PULL_REQUEST, "/pull_request/title", title);
    assert_eq!(
        facts("pull_request", &body)["pull_request"]["title"],
        "é".repeat(1000)
    );
    for (pointer, value) in [
        ("/pull_request/created_at", json!("yesterday")),
        ("/pull_request/created_at", json!("infinity")),
    ] {
        let body = changed(PULL_REQUEST, pointer, value);
        let facts = facts("pull_request", &body);
        assert_eq!(facts["pull_request"]["created_at"], Value::Null);
    }
}

/// Whether PostgreSQL takes it as a jsonb: no text has U+0000, and no value is deep.
fn can_be_stored(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(can_be_stored),
        Value::Object(members) => members
            .iter()
            .all(|(name, value)| !name.contains('\0') && can_be_stored(value)),
        _ => true,
    }
}

/// Any JSON in the place of any part of a real payload.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("a\0b")),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Pointers to all parts of a value.
fn pointers(value: &Value, here: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                pointers(item, format!("{here}/{place}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                pointers(member, format!("{here}/{name}"), found);
            }
        }
        _ => {}
    }
    found.push(here);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300), event in 0..EVENTS.len()) {
        let _ = (read(EVENTS[event], &body), origin(&body));
    }

    #[test]
    fn a_payload_with_anything_in_any_place_is_read_or_refused(
        (event, body) in prop::sample::select(vec![
            ("installation", INSTALLATION), ("pull_request", PULL_REQUEST), ("push", PUSH), ("workflow_run", WORKFLOW_RUN),
        ]),
        place in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let mut found = Vec::new();
        pointers(&serde_json::from_slice(body).expect("JSON"), String::new(), &mut found);
        let body = changed(body, &found[place.index(found.len())], value);
        if let Ok(facts) = read(event, &body) {
            prop_assert!(can_be_stored(&Value::Object(facts)));
        }
        let _ = origin(&body);
    }

    #[test]
    fn a_payload_that_was_cut_off_is_refused(length in 0..PUSH.len() - 2) {
        prop_assert!(read("push", &PUSH[..length]).is_err());
    }
}
