//! Findings as a log.

use std::collections::HashMap;

use serde_json::{json, Value};

use super::fingerprint;
use super::overrides;
use super::read::{read_log, Run, VERSION};
use super::result::Draft;
use super::value::{put, put_some, Object};
use super::written_run::RunDraft;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Findings between two calls of `interrupt`.
const PACE: usize = 256;

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

/// A row of `analysis.findings`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoredFinding {
    pub category: String,
    pub severity: String,
    pub title: String,
    pub description: Option<String>,
    pub file_path: String,
    pub line_start: Option<i32>,
    pub line_end: Option<i32>,
    pub code_snippet: Option<String>,
    pub fix_suggestion: Option<String>,
    pub fix_diff: Option<String>,
    pub confidence: Option<f64>,
    pub verification_type: Option<String>,
    pub verification_proof: Option<String>,
    pub metadata: Value,
    pub dismissed: bool,
    pub dismissed_reason: Option<String>,
    /// Without one, the log gets the fingerprint that reading it would give.
    pub fingerprint: Option<String>,
}

/// Writes a log that reads as the same findings again: it is read back once, and columns that
/// its results cannot express are put into their property bags.
pub fn write_log(
    analysis: &Analysis,
    findings: &[StoredFinding],
    interrupt: &mut dyn FnMut(),
) -> Value {
    let nothing = StoredFinding::default();
    let mut runs: Vec<RunDraft> = Vec::new();
    let mut by_tool: HashMap<String, usize> = HashMap::new();
    for (position, finding) in findings.iter().enumerate() {
        if position % PACE == PACE - 1 {
            interrupt();
        }
        let draft = Draft::of(finding, &analysis.version);
        let run = *by_tool.entry(draft.tool_key()).or_insert_with(|| {
            runs.push(RunDraft::new(&draft));
            runs.len() - 1
        });
        runs[run].add(draft, position);
    }
    if runs.is_empty() {
        // The schema wants a tool even where nothing was found.
        runs.push(RunDraft::new(&Draft::of(&nothing, &analysis.version)));
    }
    let facts = facts(analysis);
    let mut sources = Vec::with_capacity(runs.len());
    let mut written = Vec::with_capacity(runs.len());
    for run in runs {
        let (run, positions) = run.finish(&facts, interrupt);
        written.push(Value::Object(run));
        sources.push(positions);
    }
    let mut log = json!({"$schema": SCHEMA, "version": VERSION, "runs": written});
    let read = read_log(&log, interrupt).unwrap_or_default();
    if let Some(Value::Array(runs)) = log.get_mut("runs") {
        for (number, (run, positions)) in runs.iter_mut().zip(&sources).enumerate() {
            let Some(Value::Array(results)) = run.get_mut("results") else {
                continue;
            };
            for (place, (result, position)) in results.iter_mut().zip(positions).enumerate() {
                let (Value::Object(result), Some(finding)) = (result, findings.get(*position))
                else {
                    continue;
                };
                complete(result, finding, read.get(number), place, positions.len());
            }
        }
    }
    log
}

/// Adds to a result what makes it read as its finding: its fingerprint and differing columns.
fn complete(
    result: &mut Object,
    finding: &StoredFinding,
    read: Option<&Run>,
    place: usize,
    expected: usize,
) {
    let read = read
        .filter(|run| run.results.len() == expected)
        .and_then(|run| run.results.get(place));
    let columns = match read {
        Some(read) => overrides::difference(finding, read),
        None => overrides::all(finding),
    };
    if !columns.is_empty() {
        insert_into(result, "properties", overrides::KEY, columns);
    }
    let stored = finding.fingerprint.as_deref().and_then(fingerprint::stored);
    if let Some(own) = stored.or_else(|| read.map(|read| read.fingerprint.clone())) {
        insert_into(result, "fingerprints", fingerprint::KEY, own);
    }
}

fn insert_into(object: &mut Object, member: &str, key: &str, value: impl Into<Value>) {
    let inner = object
        .entry(member)
        .or_insert_with(|| Value::Object(Object::new()));
    if let Value::Object(inner) = inner {
        inner.insert(key.to_owned(), value.into());
    }
}

/// Members that every run of the log has.
fn facts(analysis: &Analysis) -> Object {
    let mut facts = Object::new();
    if let Some(id) = &analysis.id {
        put(
            &mut facts,
            "automationDetails",
            json!({"id": format!("codeverify/{id}")}),
        );
    }
    if let Some(repository) = &analysis.repository {
        let mut details = Object::new();
        let path = super::uri::from_path(repository);
        put(
            &mut details,
            "repositoryUri",
            format!("https://github.com/{path}"),
        );
        put_some(&mut details, "revisionId", analysis.head_sha.as_deref());
        put(
            &mut facts,
            "versionControlProvenance",
            vec![Value::Object(details)],
        );
    }
    facts
}
