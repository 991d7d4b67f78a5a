//! Level and rank, as a result, a rule and an invocation may each give them.

use serde_json::Value;

use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::words::LEVELS;
use crate::analysis::sarif::value::{bounded, member, word, Object};

/// A `reportingConfiguration`, as far as it matters to results.
#[derive(Debug, Clone, Copy, Default)]
pub struct Configuration {
    pub level: Option<&'static str>,
    pub rank: Option<f64>,
}

impl Configuration {
    pub fn read(object: &Object, path: &Path) -> Result<Self, SarifError> {
        Ok(Configuration {
            level: word(object, "level", &LEVELS, path)?,
            rank: rank(object, path)?,
        })
    }

    /// What is left open here is taken from another.
    pub fn or(self, other: Self) -> Self {
        Configuration {
            level: self.level.or(other.level),
            rank: self.rank.or(other.rank),
        }
    }
}

/// A rank; -1, which the standard defines as "not set", is none.
fn rank(object: &Object, path: &Path) -> Result<Option<f64>, SarifError> {
    if member(object, "rank").and_then(Value::as_f64) == Some(-1.0) {
        return Ok(None);
    }
    bounded(object, "rank", (0.0, 100.0), path)
}
