//! Glue: the findings of an analysis as a SARIF log.

use pgrx::datum::DatumWithOid;
use pgrx::JsonB;
use serde_json::Value;
use uuid::Uuid;

use super::sarif::{self, Analysis, StoredFinding};
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select;
use crate::tenancy::context::require_permission;
use crate::tenancy::permission::Permission;
use crate::tenancy::sql::{from_datum, to_datum};

/// The log of an analysis of the organization in context.
pub fn export(analysis_id: pgrx::Uuid) -> Result<Value, Error> {
    let org_id = require_permission(Permission::Read)?;
    let (analysis, findings) = as_owner(|| {
        Some((
            find_analysis(org_id, analysis_id)?,
            find_findings(org_id, analysis_id),
        ))
    })
    .ok_or_else(|| Error::NoSuchAnalysis {
        analysis_id: from_datum(analysis_id).to_string(),
    })?;
    Ok(sarif::write_log(
        &analysis,
        &findings,
        &mut check_for_interrupts,
    ))
}

fn key(org_id: Uuid, analysis_id: pgrx::Uuid) -> [DatumWithOid<'static>; 2] {
    [to_datum(org_id).into(), analysis_id.into()]
}

fn find_analysis(org_id: Uuid, analysis_id: pgrx::Uuid) -> Option<Analysis> {
    select(
        "SELECT r.full_name, a.head_sha \
         FROM analysis.analyses AS a \
         JOIN scm.repositories AS r ON r.org_id = a.org_id AND r.id = a.repo_id \
         WHERE a.org_id = $1 AND a.id = $2",
        &key(org_id, analysis_id),
        |rows| {
            if rows.is_empty() {
                return Ok(None);
            }
            let row = rows.first();
            Ok(Some(Analysis {
                id: Some(from_datum(analysis_id).to_string()),
                repository: row.get(1)?,
                head_sha: row.get(2)?,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            }))
        },
    )
}

fn find_findings(org_id: Uuid, analysis_id: pgrx::Uuid) -> Vec<StoredFinding> {
    select(
        "SELECT category, severity, title, description, file_path, line_start, line_end, code_snippet, \
                fix_suggestion, fix_diff, confidence, verification_type, verification_proof, metadata, \
                dismissed, dismissed_reason, fingerprint, rule_id \
         FROM analysis.findings WHERE org_id = $1 AND analysis_id = $2 \
         ORDER BY file_path, line_start, fingerprint, id",
        &key(org_id, analysis_id),
        |rows| {
            rows.map(|row| {
                Ok(StoredFinding {
                    category: row.get(1)?.unwrap_or_default(),
                    severity: row.get(2)?.unwrap_or_default(),
                    title: row.get(3)?.unwrap_or_default(),
                    description: row.get(4)?,
                    file_path: row.get(5)?.unwrap_or_default(),
                    line_start: row.get(6)?,
                    line_end: row.get(7)?,
                    code_snippet: row.get(8)?,
                    fix_suggestion: row.get(9)?,
                    fix_diff: row.get(10)?,
                    confidence: row.get(11)?,
                    verification_type: row.get(12)?,
                    verification_proof: row.get(13)?,
                    metadata: row.get::<JsonB>(14)?.map_or(Value::Null, |metadata| metadata.0),
                    dismissed: row.get(15)?.unwrap_or_default(),
                    dismissed_reason: row.get(16)?,
                    fingerprint: row.get(17)?,
                    rule_id: row.get(18)?,
                })
            })
            .collect()
        },
    )
}
