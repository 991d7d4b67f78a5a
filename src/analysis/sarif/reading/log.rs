//! A log as runs of findings.

use serde_json::Value;

use super::finding;
use super::guard;
use super::references::Budget;
use super::result::ResolvedResult;
use super::run::RunContext;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::finding::Finding;
use crate::analysis::sarif::fingerprint::Fingerprints;
use crate::analysis::sarif::pace::{self, Pace};
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::words::VERSION;
use crate::analysis::sarif::value::{
    array, as_object, each_object, member, mismatch, object, Object,
};

/// Bytes that references within a log may add to it.
const LARGEST_EXPANSION: usize = 512 << 20;

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
    check_version(log, &path)?;
    if !log.contains_key("runs") {
        return Err(path.key("runs").error("is missing"));
    }
    let mut reader = Reader {
        fingerprints: Fingerprints::default(),
        budget: Budget::new(expansion),
        pace: Pace::new(pace::RESULTS, interrupt),
    };
    let mut runs = Vec::new();
    each_object(log, "runs", &path, |run, path| {
        runs.push(reader.run(run, path)?);
        Ok(())
    })?;
    Ok(runs)
}

fn check_version(log: &Object, path: &Path) -> Result<(), SarifError> {
    let path = path.key("version");
    match member(log, "version") {
        Some(Value::String(version)) if version == VERSION => Ok(()),
        Some(Value::String(version)) => {
            let version: String = version.chars().take(20).collect();
            Err(path.error(format!("must be {VERSION:?}, not {version:?}")))
        }
        Some(other) => Err(mismatch(other, "a string", &path)),
        None => Err(path.error("is missing")),
    }
}

struct Reader<'i> {
    /// One for the log: the same result in two of its runs gives two findings.
    fingerprints: Fingerprints,
    budget: Budget,
    pace: Pace<'i>,
}

impl Reader<'_> {
    fn run(&mut self, run: &Object, path: &Path) -> Result<Run, SarifError> {
        if let Some(files) = object(run, "externalPropertyFileReferences", path)? {
            let path = path.key("externalPropertyFileReferences");
            if !array(files, "results", &path)?.is_empty() {
                let problem = "results in other files cannot be read: put them into the log";
                return Err(path.key("results").error(problem));
            }
        }
        let count = array(run, "results", path)?.len();
        let context = RunContext::read(run, path)?;
        let mut read = Run {
            tool: context.tool.name().to_owned(),
            tool_version: context.tool.version.map(str::to_owned),
            skipped: 0,
            results: Vec::with_capacity(count),
        };
        each_object(run, "results", path, |result, path| {
            self.pace.step();
            match ResolvedResult::read(result, &context, &self.budget, path)? {
                Some(result) => {
                    let finding = finding::of(result, &mut self.fingerprints, path)?;
                    read.results.push(finding);
                }
                None => read.skipped += 1,
            }
            Ok(())
        })?;
        Ok(read)
    }
}
