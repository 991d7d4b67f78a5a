//! Columns of a finding that its result cannot express, kept in the result's property bag so
//! that an exported log gives the same findings when it is imported.

use serde_json::Value;

use super::error::SarifError;
use super::finding::{Finding, StoredFinding, CATEGORIES, SEVERITIES, VERIFICATION_TYPES};
use super::fingerprint;
use super::path::Path;
use super::value::{as_integer, as_object, as_string, bounded, mismatch, word, Object};

/// The property that holds them.
pub const KEY: &str = fingerprint::KEY;

/// Sets the columns that the property names; a null empties one.
pub fn apply(finding: &mut Finding, columns: &Object, path: &Path) -> Result<(), SarifError> {
    for (key, value) in columns {
        let path_of = path.key(key);
        let text = || match value {
            Value::Null => Ok(None),
            value => as_string(value, &path_of).map(|text| Some(text.to_owned())),
        };
        let required = || as_string(value, &path_of).map(str::to_owned);
        let line = || match value {
            Value::Null => Ok(None),
            value => match as_integer(value, &path_of)? {
                line if line < 1 => Err(path_of.error(format!("{line} is no line number"))),
                line => Ok(Some(line)),
            },
        };
        let known = |words: &[&'static str]| {
            word(columns, key, words, path)?.ok_or_else(|| mismatch(value, "a string", &path_of))
        };
        match key.as_str() {
            "rule_id" => finding.rule_id = text()?,
            "category" => finding.category = known(&CATEGORIES)?,
            "severity" => finding.severity = known(&SEVERITIES)?,
            "title" => finding.title = required()?,
            "description" => finding.description = text()?,
            "file_path" => finding.file_path = required()?,
            "line_start" => finding.line_start = line()?,
            "line_end" => finding.line_end = line()?,
            "code_snippet" => finding.code_snippet = text()?,
            "fix_suggestion" => finding.fix_suggestion = text()?,
            "fix_diff" => finding.fix_diff = text()?,
            "confidence" => finding.confidence = bounded(columns, key, (0.0, 1.0), path)?,
            "verification_type" => {
                finding.verification_type = word(columns, key, &VERIFICATION_TYPES, path)?
            }
            "verification_proof" => finding.verification_proof = text()?,
            "metadata" => {
                finding.metadata = Value::Object(as_object(value, &path_of)?.clone());
            }
            "dismissed" => {
                finding.dismissed = value
                    .as_bool()
                    .ok_or_else(|| mismatch(value, "a boolean", &path_of))?
            }
            "dismissed_reason" => finding.dismissed_reason = text()?,
            _ => {}
        }
    }
    if let (Some(start), Some(end)) = (finding.line_start, finding.line_end) {
        if end < start {
            let problem = format!("{end} is less than line_start, {start}");
            return Err(path.key("line_end").error(problem));
        }
    }
    Ok(())
}

/// The columns in which a finding, as read from the log without this property, differs.
pub fn difference(stored: &StoredFinding, read: &Finding) -> Object {
    let mut columns = Object::new();
    let mut set = |key: &str, differs: bool, value: Value| {
        if differs {
            columns.insert(key.to_owned(), value);
        }
    };
    macro_rules! compare {
        ($($column:ident),*) => {$(
            set(
                stringify!($column),
                stored.$column != read.$column,
                Value::from(stored.$column.clone()),
            );
        )*};
    }
    compare!(
        rule_id,
        title,
        description,
        file_path,
        line_start,
        line_end,
        code_snippet,
        fix_suggestion,
        fix_diff,
        confidence,
        verification_proof,
        metadata,
        dismissed,
        dismissed_reason
    );
    let category = stored.category.as_str();
    set("category", category != read.category, category.into());
    let severity = stored.severity.as_str();
    set("severity", severity != read.severity, severity.into());
    let verification_type = stored.verification_type.as_deref();
    set(
        "verification_type",
        verification_type != read.verification_type,
        verification_type.into(),
    );
    columns
}

/// Every column, for a finding whose result could not be read back.
pub fn all(stored: &StoredFinding) -> Object {
    let nothing = Finding {
        title: format!("{}.", stored.title),
        file_path: format!("{}.", stored.file_path),
        category: "",
        severity: "",
        dismissed: !stored.dismissed,
        ..Finding::default()
    };
    difference(stored, &nothing)
}
