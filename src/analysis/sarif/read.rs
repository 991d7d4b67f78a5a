//! A log as findings.

use serde_json::Value;

use super::error::SarifError;
use super::finding::{Finding, Parts, Unidentified};
use super::fingerprint::{self, Fingerprints, Identity};
use super::guard;
use super::location::{self, Place};
use super::message::{self, Message};
use super::overrides;
use super::path::Path;
use super::run::{Budget, ResultLinks, RunContext};
use super::severity::{self, KINDS, LEVELS};
use super::shape;
use super::tidy::tidy;
use super::value::{
    array, as_object, as_string, member, mismatch, object, required_object, word, Object,
};

/// The version of SARIF that is read and written.
pub const VERSION: &str = "2.1.0";

/// Bytes that references within a log may add to it.
const LARGEST_EXPANSION: usize = 512 << 20;

/// Results between two calls of `interrupt`.
const PACE: usize = 256;

/// One run of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// `tool.driver.name`.
    pub tool: String,
    pub tool_version: Option<String>,
    /// Results that are no findings: passed, not applicable, or absent since the baseline.
    pub skipped: usize,
    pub results: Vec<Finding>,
}

/// Reads a log. `interrupt` is called now and then, so that the host can cancel.
pub fn read_log(log: &Value, interrupt: &mut dyn FnMut()) -> Result<Vec<Run>, SarifError> {
    read_within(LARGEST_EXPANSION, log, interrupt)
}

pub fn read_within(
    expansion: usize,
    log: &Value,
    interrupt: &mut dyn FnMut(),
) -> Result<Vec<Run>, SarifError> {
    guard::check(log, interrupt)?;
    let path = Path::Root;
    let log = as_object(log, &path)?;
    match member(log, "version") {
        Some(Value::String(version)) if version == VERSION => {}
        Some(Value::String(version)) => {
            let version: String = version.chars().take(20).collect();
            let problem = format!("must be {VERSION:?}, not {version:?}");
            return Err(path.key("version").error(problem));
        }
        Some(other) => return Err(mismatch(other, "a string", &path.key("version"))),
        None => return Err(path.key("version").error("is missing")),
    }
    if !log.contains_key("runs") {
        return Err(path.key("runs").error("is missing"));
    }
    let mut reader = Reader {
        fingerprints: Fingerprints::default(),
        budget: Budget::new(expansion),
        interrupt,
        read: 0,
    };
    let runs_path = path.key("runs");
    let runs = array(log, "runs", &path)?.iter().enumerate();
    runs.map(|(position, run)| reader.run(run, &runs_path.index(position)))
        .collect()
}

struct Reader<'i> {
    /// One for the log: the same result in two of its runs gives two findings.
    fingerprints: Fingerprints,
    budget: Budget,
    interrupt: &'i mut dyn FnMut(),
    read: usize,
}

impl Reader<'_> {
    fn run(&mut self, run: &Value, path: &Path) -> Result<Run, SarifError> {
        let run = as_object(run, path)?;
        if let Some(files) = object(run, "externalPropertyFileReferences", path)? {
            let path = path.key("externalPropertyFileReferences");
            if !array(files, "results", &path)?.is_empty() {
                let problem = "results in other files cannot be read: put them into the log";
                return Err(path.key("results").error(problem));
            }
        }
        let results = array(run, "results", path)?;
        let context = RunContext::read(run, path)?;
        let mut read = Run {
            tool: context.tool.name().to_owned(),
            tool_version: context.tool.version.map(str::to_owned),
            skipped: 0,
            results: Vec::with_capacity(results.len()),
        };
        let results_path = path.key("results");
        for (position, result) in results.iter().enumerate() {
            self.read += 1;
            if self.read.is_multiple_of(PACE) {
                (self.interrupt)();
            }
            let path = results_path.index(position);
            let result = as_object(result, &path)?;
            match self.result(result, &context, &path)? {
                Some(finding) => read.results.push(finding),
                None => read.skipped += 1,
            }
        }
        Ok(read)
    }

    fn result(
        &mut self,
        result: &Object,
        run: &RunContext,
        path: &Path,
    ) -> Result<Option<Finding>, SarifError> {
        let kind = word(result, "kind", &KINDS, path)?.unwrap_or("fail");
        let baseline = word(result, "baselineState", &BASELINE_STATES, path)?;
        let found = run.tool.rule_of(result, path)?;
        if matches!(kind, "pass" | "notApplicable") || baseline == Some("absent") {
            return Ok(None);
        }
        let rule = found.key.map(|key| run.tool.rule(key));
        let links = ResultLinks {
            run,
            messages: [
                rule.and_then(|rule| rule.messages),
                run.tool.components[found.component].messages,
            ],
            budget: &self.budget,
        };
        let message = self.message(result, &links, path)?;
        let place = place(result, &links, path)?;
        let (level_set, rank_set) = run.overrides.of(result, found.key, path)?;
        let level = word(result, "level", &LEVELS, path)?;
        let level = severity::level(level, kind, level_set, rule);
        let rank = severity::rank(result, path)?
            .or(rank_set)
            .or(rule.and_then(|rule| rule.rank));
        let parts = Parts {
            kind,
            level,
            rank,
            baseline,
            found: &found,
            rule,
            message: &message,
            links: &links,
        };
        let mut finding = parts.finding(result, place, path)?;
        identify(&mut self.fingerprints, &mut finding, result, &parts, path)?;
        Ok(Some(finding.columns))
    }

    fn message(
        &self,
        result: &Object,
        links: &ResultLinks,
        path: &Path,
    ) -> Result<Message, SarifError> {
        let raw = required_object(result, "message", path)?;
        let path = path.key("message");
        let message = message::read(raw, &links.messages, &path)?;
        if member(raw, "text").is_none() || member(raw, "arguments").is_some() {
            let markdown = message.markdown.as_deref().map_or(0, str::len);
            self.budget.spend(message.text.len() + markdown, &path)?;
        }
        Ok(message)
    }
}

/// Fingerprints the finding, and sets the columns that its result carries for it.
fn identify(
    fingerprints: &mut Fingerprints,
    draft: &mut Unidentified,
    result: &Object,
    parts: &Parts,
    path: &Path,
) -> Result<(), SarifError> {
    let finding = &mut draft.columns;
    let full = pairs(result, "fingerprints", path)?;
    let partial = pairs(result, "partialFingerprints", path)?;
    let own = full.iter().find(|(name, _)| *name == fingerprint::KEY);
    finding.fingerprint = match own.and_then(|(_, value)| fingerprint::stored(value)) {
        Some(stored) => fingerprints.distinct(stored),
        None => {
            let identity = if !full.is_empty() {
                Identity::Full(full)
            } else if !partial.is_empty() {
                Identity::Partial(partial, &finding.file_path)
            } else {
                Identity::Content(&finding.file_path, draft.region, &parts.message.text)
            };
            let tool = parts.links.run.tool.name();
            fingerprints.of(&fingerprint::encode(tool, parts.found.id, &identity))
        }
    };
    let Some(properties) = object(result, "properties", path)? else {
        return Ok(());
    };
    let path = path.key("properties");
    match object(properties, overrides::KEY, &path)? {
        Some(columns) => overrides::apply(finding, columns, &path.key(overrides::KEY)),
        None => Ok(()),
    }
}

const BASELINE_STATES: [&str; 4] = ["new", "unchanged", "updated", "absent"];

fn place(result: &Object, links: &ResultLinks, path: &Path) -> Result<Place, SarifError> {
    let Some(locations) = member(result, "locations") else {
        return location::split(Vec::new(), |_| None, path);
    };
    let path = path.key("locations");
    let tidied = match tidy(locations, &shape::LOCATIONS, links, &path)? {
        Some(Value::Array(locations)) => locations,
        _ => Vec::new(),
    };
    let place = location::split(tidied, |id| links.run.bases.base_uri(id), &path)?;
    if let Some(base) = place.remainder.get("baseUri").and_then(Value::as_str) {
        links.budget.spend(base.len(), &path)?;
    }
    Ok(place)
}

/// The entries of an object of strings, sorted by name.
fn pairs<'v>(
    result: &'v Object,
    key: &str,
    path: &Path,
) -> Result<Vec<(&'v str, &'v str)>, SarifError> {
    let path_of = path.key(key);
    let mut pairs = Vec::new();
    for (name, value) in object(result, key, path)?.into_iter().flatten() {
        if !value.is_null() {
            pairs.push((name.as_str(), as_string(value, &path_of.key(name))?));
        }
    }
    pairs.sort_unstable();
    Ok(pairs)
}
