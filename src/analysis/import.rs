//! Glue: stores what a SARIF log says as findings of an analysis.

use serde_json::{json, Value};
use uuid::Uuid;

use super::sarif::{self, Finding, Run};
use crate::audits::chain::record::record;
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::as_owner;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::query::update_one;
use crate::codeverify::settings::sarif_max_bytes;
use crate::tenancy::context::require_permission;
use crate::tenancy::permission::Permission;
use crate::tenancy::sql::{from_datum, to_datum};

/// Findings that one statement stores; between statements the import can be cancelled.
const BATCH: usize = 2_000;

/// What became of one run of a log.
pub struct Outcome {
    pub tool: String,
    pub imported: usize,
    pub updated: usize,
    pub suppressed: usize,
    pub skipped: usize,
}

impl Outcome {
    fn to_json(&self) -> Value {
        json!({
            "tool": self.tool,
            "imported": self.imported,
            "updated": self.updated,
            "suppressed": self.suppressed,
            "skipped": self.skipped,
        })
    }
}

/// The error for a log that is NULL.
pub fn null_log() -> Error {
    invalid("$", "it is NULL")
}

fn invalid(path: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::InvalidSarif {
        path: path.into(),
        problem: problem.into(),
    }
}

/// How much memory reading a log may take, against the largest text of one.
const MEMORY_FACTOR: usize = 8;

/// Imports a log of `bytes` bytes, the text of which `text` gives, into a running analysis of the
/// organization in context.
pub fn import<'a>(
    analysis_id: Option<pgrx::Uuid>,
    bytes: usize,
    text: impl FnOnce() -> &'a str,
) -> Result<Vec<Outcome>, Error> {
    let org_id = require_permission(Permission::Write)?;
    let analysis_id = analysis_id.ok_or_else(|| Error::NoSuchAnalysis {
        analysis_id: "NULL".to_owned(),
    })?;
    check_size(bytes)?;
    as_owner(|| lock_running_analysis(org_id, analysis_id))?;
    let mut progress = Progress::start(Operation::Import, bytes);
    let runs = read(text())?;
    let outcomes: Vec<Outcome> = as_owner(|| {
        runs.into_iter()
            .map(|run| store_run(org_id, analysis_id, run, &mut progress))
            .collect()
    });
    record(
        "analysis",
        "sarif.imported",
        Some(from_datum(analysis_id)),
        json!({ "runs": outcomes.iter().map(Outcome::to_json).collect::<Vec<_>>() }),
    );
    Ok(outcomes)
}

fn check_size(bytes: usize) -> Result<(), Error> {
    let limit = sarif_max_bytes();
    if bytes > limit {
        return Err(Error::SarifTooLarge { bytes, limit });
    }
    Ok(())
}

/// Reads a log, unless its text is larger than its size promised or would become too much memory: an
/// allocation that fails ends the whole server.
fn read(text: &str) -> Result<Vec<Run>, Error> {
    check_size(text.len())?;
    let memory = sarif::estimate(text);
    let limit = MEMORY_FACTOR * sarif_max_bytes();
    if memory > limit {
        return Err(Error::SarifTakesTooMuch { memory, limit });
    }
    let log: Value = serde_json::from_str(text)
        .map_err(|fault| invalid("$", format!("it cannot be read: {fault}")))?;
    sarif::read_log(&log, &mut check_for_interrupts)
        .map_err(|fault| invalid(fault.path, fault.problem))
}

/// Locks the analysis until the transaction ends, so that two imports of one log follow each other
/// and the second finds what the first has stored.
fn lock_running_analysis(org_id: Uuid, analysis_id: pgrx::Uuid) -> Result<(), Error> {
    let status = update_one::<String>(
        "SELECT status FROM analysis.analyses WHERE org_id = $1 AND id = $2 FOR NO KEY UPDATE",
        &[to_datum(org_id).into(), analysis_id.into()],
    );
    let analysis_id = from_datum(analysis_id).to_string();
    match status.as_deref() {
        Some("running") => Ok(()),
        Some(status) => Err(Error::AnalysisNotRunning {
            analysis_id,
            status: status.to_owned(),
        }),
        None => Err(Error::NoSuchAnalysis { analysis_id }),
    }
}

fn store_run(org_id: Uuid, analysis_id: pgrx::Uuid, run: Run, progress: &mut Progress) -> Outcome {
    let sent = run.results.len();
    let suppressed = run
        .results
        .iter()
        .filter(|finding| finding.dismissed)
        .count();
    let imported = run
        .results
        .chunks(BATCH)
        .map(|batch| {
            let new = store_findings(org_id, analysis_id, batch);
            progress.advance(batch.len());
            new
        })
        .sum();
    Outcome {
        tool: run.tool,
        imported,
        updated: sent - imported,
        suppressed,
        skipped: run.skipped,
    }
}

/// Stores a batch and returns how many of its findings are new. What a person said of a finding,
/// dismissed or reopened, outlives what the log says of it.
fn store_findings(org_id: Uuid, analysis_id: pgrx::Uuid, batch: &[Finding]) -> usize {
    check_for_interrupts();
    let metadata: Vec<String> = batch
        .iter()
        .map(|finding| serde_json::to_string(&finding.metadata).unwrap_or_default())
        .collect();
    let text = |column: fn(&Finding) -> Option<&str>| batch.iter().map(column).collect::<Vec<_>>();
    let number = |column: fn(&Finding) -> Option<i32>| batch.iter().map(column).collect::<Vec<_>>();
    let new = update_one::<i64>(
        "WITH stored AS ( \
             INSERT INTO analysis.findings AS f \
                 (org_id, analysis_id, category, severity, title, description, file_path, line_start, line_end, \
                  code_snippet, fix_suggestion, fix_diff, confidence, verification_type, metadata, dismissed, \
                  dismissed_reason, fingerprint, rule_id, verification_proof) \
             SELECT $1, $2, n.category, n.severity, n.title, n.description, n.file_path, n.line_start, n.line_end, \
                  n.code_snippet, n.fix_suggestion, n.fix_diff, n.confidence, n.verification_type, \
                  n.metadata::pg_catalog.jsonb, n.dismissed, n.dismissed_reason, n.fingerprint, n.rule_id, \
                  n.verification_proof \
             FROM ROWS FROM ( \
                 pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[]), pg_catalog.unnest($5::text[]), \
                 pg_catalog.unnest($6::text[]), pg_catalog.unnest($7::text[]), pg_catalog.unnest($8::int[]), \
                 pg_catalog.unnest($9::int[]), pg_catalog.unnest($10::text[]), pg_catalog.unnest($11::text[]), \
                 pg_catalog.unnest($12::text[]), pg_catalog.unnest($13::float8[]), pg_catalog.unnest($14::text[]), \
                 pg_catalog.unnest($15::text[]), pg_catalog.unnest($16::bool[]), pg_catalog.unnest($17::text[]), \
                 pg_catalog.unnest($18::text[]), pg_catalog.unnest($19::text[]), pg_catalog.unnest($20::text[])) \
                 AS n (category, severity, title, description, file_path, line_start, line_end, code_snippet, \
                       fix_suggestion, fix_diff, confidence, verification_type, metadata, dismissed, \
                       dismissed_reason, fingerprint, rule_id, verification_proof) \
             ON CONFLICT ON CONSTRAINT findings_org_id_analysis_id_fingerprint_key DO UPDATE SET \
                 category = excluded.category, severity = excluded.severity, title = excluded.title, \
                 description = excluded.description, file_path = excluded.file_path, \
                 line_start = excluded.line_start, line_end = excluded.line_end, \
                 code_snippet = excluded.code_snippet, fix_suggestion = excluded.fix_suggestion, \
                 fix_diff = excluded.fix_diff, confidence = excluded.confidence, \
                 verification_type = excluded.verification_type, metadata = excluded.metadata, \
                 rule_id = excluded.rule_id, \
                 verification_proof = coalesce(excluded.verification_proof, f.verification_proof), \
                 dismissed = CASE WHEN analysis.is_judged_by_a_person(f.metadata, f.dismissed, f.dismissed_by, f.dismissed_at) \
                                  THEN f.dismissed ELSE excluded.dismissed END, \
                 dismissed_reason = CASE WHEN analysis.is_judged_by_a_person(f.metadata, f.dismissed, f.dismissed_by, f.dismissed_at) \
                                         THEN f.dismissed_reason ELSE excluded.dismissed_reason END \
             RETURNING f.xmax = 0 AS is_new) \
         SELECT pg_catalog.count(*) FROM stored WHERE is_new",
        &[
            to_datum(org_id).into(),
            analysis_id.into(),
            text(|finding| Some(finding.category)).into(),
            text(|finding| Some(finding.severity)).into(),
            text(|finding| Some(&finding.title)).into(),
            text(|finding| finding.description.as_deref()).into(),
            text(|finding| Some(&finding.file_path)).into(),
            number(|finding| finding.line_start).into(),
            number(|finding| finding.line_end).into(),
            text(|finding| finding.code_snippet.as_deref()).into(),
            text(|finding| finding.fix_suggestion.as_deref()).into(),
            text(|finding| finding.fix_diff.as_deref()).into(),
            batch.iter().map(|finding| finding.confidence).collect::<Vec<_>>().into(),
            text(|finding| finding.verification_type).into(),
            metadata.into(),
            batch.iter().map(|finding| finding.dismissed).collect::<Vec<_>>().into(),
            text(|finding| finding.dismissed_reason.as_deref()).into(),
            text(|finding| Some(&finding.fingerprint)).into(),
            text(|finding| finding.rule_id.as_deref()).into(),
            text(|finding| finding.verification_proof.as_deref()).into(),
        ],
    );
    new.and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0)
}
