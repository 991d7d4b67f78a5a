//! How grave a result is, what it is about, and how sure its tool is.

use serde_json::Value;

use super::weaknesses::Weaknesses;
use crate::analysis::sarif::finding::VERIFICATION_TYPES;
use crate::analysis::sarif::standard::words::{PRECISION, SECURITY_SEVERITY, VERIFICATION_TYPE};
use crate::analysis::sarif::value::{member, Object};

/// Tools whose every finding is about security, though their rules may not say so.
const SECURITY_TOOLS: [&str; 26] = [
    "bandit",
    "bearer",
    "brakeman",
    "checkov",
    "dependency-check",
    "devskim",
    "find security bugs",
    "flawfinder",
    "gitleaks",
    "gosec",
    "grype",
    "horusec",
    "kics",
    "mobsf",
    "mobsfscan",
    "njsscan",
    "nodejsscan",
    "osv-scanner",
    "security code scan",
    "semgrep security",
    "snyk",
    "snykcode",
    "terrascan",
    "tfsec",
    "trivy",
    "trufflehog",
];

/// What a result and its rule say, gathered for the decisions below.
#[derive(Debug)]
pub struct Traits<'a> {
    pub tool: &'a str,
    pub properties: Option<&'a Object>,
    pub rule_properties: Option<&'a Object>,
    pub tags: &'a [&'a str],
    pub weaknesses: &'a Weaknesses,
}

impl<'a> Traits<'a> {
    /// The property bags of the result and its rule.
    fn bags(&self) -> impl Iterator<Item = &'a Object> {
        [self.properties, self.rule_properties]
            .into_iter()
            .flatten()
    }

    fn security_severity(&self) -> Option<f64> {
        self.bags().find_map(security_severity)
    }

    pub fn severity(&self, level: &str) -> &'static str {
        match (self.security_severity(), level) {
            (Some(score), _) if score >= 9.0 => "critical",
            (Some(score), _) if score >= 7.0 => "high",
            (Some(score), _) if score >= 4.0 => "medium",
            (Some(_), _) => "low",
            (None, "error") => "high",
            (None, "warning") => "medium",
            (None, _) => "low",
        }
    }

    pub fn category(&self) -> &'static str {
        if self.security_severity().is_some()
            || !self.weaknesses.is_empty()
            || self.tagged(&["security"])
            || is_security_tool(self.tool)
        {
            "security"
        } else if self.tagged(&["verification"]) || self.tagged(&FORMAL) {
            "verification"
        } else {
            "semantic"
        }
    }

    pub fn verification_type(&self) -> &'static str {
        for bag in self.bags() {
            for key in VERIFICATION_TYPE {
                let said = member(bag, key).and_then(Value::as_str);
                let known = VERIFICATION_TYPES
                    .iter()
                    .find(|known| Some(**known) == said);
                if let Some(known) = known {
                    return known;
                }
            }
        }
        match () {
            _ if self.tagged(&FORMAL) => "formal",
            _ if self.tagged(&AI) => "ai",
            _ => "pattern",
        }
    }

    /// From 0 to 1: the rank, else the confidence of the tool in a word, else the precision of
    /// the rule.
    pub fn confidence(&self, rank: Option<f64>) -> Option<f64> {
        let word = |bag: Option<&Object>, key: &str| {
            let word = member(bag?, key)?.as_str()?;
            let found = CONFIDENCES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(word))?;
            Some(found.1)
        };
        rank.map(|rank| rank / 100.0)
            .or_else(|| word(self.properties, "issue_confidence"))
            .or_else(|| word(self.properties, "confidence"))
            .or_else(|| word(self.properties, PRECISION))
            .or_else(|| word(self.rule_properties, PRECISION))
    }

    /// Whether a tag, or a part of it between slashes, is one of these words.
    fn tagged(&self, words: &[&str]) -> bool {
        let is_word = |part: &str| words.iter().any(|word| word.eq_ignore_ascii_case(part));
        self.tags
            .iter()
            .any(|tag| is_word(tag) || tag.split('/').any(is_word))
    }
}

const FORMAL: [&str; 6] = [
    "formal",
    "formal-methods",
    "formal-verification",
    "formal verification",
    "proof",
    "proofs",
];
const AI: [&str; 5] = ["ai", "ai-generated", "llm", "machine-learning", "ml"];
const CONFIDENCES: [(&str, f64); 5] = [
    ("very-high", 0.95),
    ("high", 0.9),
    ("medium", 0.6),
    ("moderate", 0.6),
    ("low", 0.3),
];

fn is_security_tool(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECURITY_TOOLS.iter().any(|tool| {
        name.strip_prefix(tool)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })
}

/// The property `security-severity`: a number, or a string that holds one. What is neither says
/// nothing, as the property is a convention outside of the standard.
fn security_severity(bag: &Object) -> Option<f64> {
    let score = match member(bag, SECURITY_SEVERITY)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    score.is_finite().then_some(score)
}
