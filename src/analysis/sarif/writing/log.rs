//! Findings as a log.

use std::collections::HashMap;

use serde_json::{json, Value};

use super::result::Draft;
use super::run::RunDraft;
use super::tool;
use crate::analysis::sarif::columns;
use crate::analysis::sarif::finding::{Finding, StoredFinding};
use crate::analysis::sarif::fingerprint;
use crate::analysis::sarif::pace::{self, Pace};
use crate::analysis::sarif::reading::log::read_log;
use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::standard::words::{SCHEMA, VERSION};
use crate::analysis::sarif::value::{put, put_some, Object};

/// What a log says about the analysis its findings are of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    pub id: Option<String>,
    /// Owner and name of a repository on GitHub, such as `django/django`.
    pub repository: Option<String>,
    pub head_sha: Option<String>,
    /// Version of the tool named for findings that no other tool reported: this one.
    pub version: String,
}

/// Writes a log that reads as the same findings again: it is read back once, and columns that
/// its results cannot express are put into their property bags.
pub fn write_log(
    analysis: &Analysis,
    findings: &[StoredFinding],
    interrupt: &mut dyn FnMut(),
) -> Value {
    let mut pace = Pace::new(pace::RESULTS, interrupt);
    let facts = facts(analysis);
    let (runs, findings): (Vec<Value>, Vec<Vec<&StoredFinding>>) =
        drafts(analysis, findings, &mut pace)
            .into_iter()
            .map(|run| run.finish(&facts, &mut pace))
            .unzip();
    let mut log = json!({"$schema": SCHEMA, "version": VERSION, "runs": runs});
    let read = read_log(&log, interrupt).unwrap_or_default();
    for (number, (run, findings)) in items(&mut log, "runs").zip(findings).enumerate() {
        let read = read
            .get(number)
            .map(|run| &run.results)
            .filter(|results| results.len() == findings.len());
        for (place, (result, finding)) in items(run, "results").zip(findings).enumerate() {
            complete(result, finding, read.and_then(|results| results.get(place)));
        }
    }
    log
}

/// A run for each tool.
fn drafts<'f>(
    analysis: &Analysis,
    findings: &'f [StoredFinding],
    pace: &mut Pace,
) -> Vec<RunDraft<'f>> {
    let mut runs: Vec<RunDraft> = Vec::new();
    let mut by_tool: HashMap<String, usize> = HashMap::new();
    for finding in findings {
        pace.step();
        let (draft, driver) = Draft::of(finding, &analysis.version);
        let key = Value::Object(driver.clone()).to_string();
        let run = *by_tool.entry(key).or_insert_with(|| {
            runs.push(RunDraft::new(driver));
            runs.len() - 1
        });
        runs[run].add(draft);
    }
    if runs.is_empty() {
        // The schema wants a tool even where nothing was found.
        runs.push(RunDraft::new(tool::driver(None, &analysis.version)));
    }
    runs
}

/// Members that every run of the log has.
fn facts(analysis: &Analysis) -> Object {
    let mut facts = Object::new();
    if let Some(id) = &analysis.id {
        let details = json!({"id": format!("codeverify/{id}")});
        put(&mut facts, "automationDetails", details);
    }
    if let Some(repository) = &analysis.repository {
        let mut details = Object::new();
        let uri = format!("https://github.com/{}", uri::from_path(repository));
        put(&mut details, "repositoryUri", uri);
        put_some(&mut details, "revisionId", analysis.head_sha.as_deref());
        put(&mut facts, "versionControlProvenance", json!([details]));
    }
    facts
}

fn items<'v>(object: &'v mut Value, key: &str) -> impl Iterator<Item = &'v mut Value> {
    let items = object.get_mut(key).and_then(Value::as_array_mut);
    items.into_iter().flatten()
}

/// Adds to a result what makes it read as its finding: its fingerprint and differing columns.
fn complete(result: &mut Value, finding: &StoredFinding, read: Option<&Finding>) {
    let columns = match read {
        Some(read) => columns::difference(finding, read),
        None => columns::all(finding),
    };
    if !columns.is_empty() {
        insert(result, "properties", columns::KEY, columns);
    }
    let stored = finding.fingerprint.as_deref().and_then(fingerprint::stored);
    if let Some(own) = stored.or_else(|| read.map(|read| read.fingerprint.clone())) {
        insert(result, "fingerprints", fingerprint::KEY, own);
    }
}

/// Inserts into a member of a result that is an object or absent.
fn insert(result: &mut Value, member: &str, key: &str, value: impl Into<Value>) {
    let Value::Object(result) = result else {
        return;
    };
    let inner = result
        .entry(member)
        .or_insert_with(|| Value::Object(Object::new()));
    if let Value::Object(inner) = inner {
        inner.insert(key.to_owned(), value.into());
    }
}
