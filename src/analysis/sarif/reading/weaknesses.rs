//! Weaknesses a result belongs to: CWE and OWASP, by tags, properties and taxa.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::analysis::sarif::value::{member, put, texts, Object};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weaknesses {
    pub cwe: BTreeSet<u32>,
    pub owasp: BTreeSet<String>,
    /// Taxa of other taxonomies: the taxonomy's name, the taxon's id.
    pub other: BTreeSet<(String, String)>,
}

impl Weaknesses {
    pub fn is_empty(&self) -> bool {
        self.cwe.is_empty() && self.owasp.is_empty()
    }

    /// About the bytes of the names.
    pub fn size(&self) -> usize {
        let other = self.other.iter();
        let other: usize = other.map(|(name, id)| name.len() + id.len()).sum();
        8 * (self.cwe.len() + self.owasp.len()) + other
    }

    pub fn extend(&mut self, more: &Weaknesses) {
        self.cwe.extend(&more.cwe);
        self.owasp.extend(more.owasp.iter().cloned());
        self.other.extend(more.other.iter().cloned());
    }

    /// Tags such as `external/cwe/cwe-089`, `CWE-79: …`, `OWASP-A03:2021`.
    pub fn add_tag(&mut self, tag: &str) {
        self.cwe.extend(cwe_numbers(tag));
        if tag.to_ascii_lowercase().contains("owasp") {
            self.owasp.extend(owasp_entry(tag));
        }
    }

    /// The tags of a rule or a result, and its property `cwe`: one string or several.
    pub fn add_properties(&mut self, bag: &Object, tags: &[&str]) {
        tags.iter().for_each(|tag| self.add_tag(tag));
        if let Some(text) = member(bag, "cwe").and_then(Value::as_str) {
            self.cwe.extend(cwe_numbers(text));
        }
        self.cwe.extend(texts(bag.get("cwe")).flat_map(cwe_numbers));
    }

    /// A taxon of any taxonomy.
    pub fn add_taxon(&mut self, taxonomy: &str, id: &str) {
        let name = taxonomy.to_ascii_lowercase();
        let digits = id.bytes().all(|byte| byte.is_ascii_digit());
        if name.starts_with("cwe") || name.contains("weakness enumeration") {
            let numbers = match id.parse() {
                Ok(number) if digits => vec![number],
                _ => cwe_numbers(id),
            };
            self.cwe.extend(numbers);
        } else if name.contains("owasp") {
            self.owasp.extend(owasp_entry(id));
        } else {
            self.other.insert((taxonomy.to_owned(), id.to_owned()));
        }
    }

    pub fn cwe_names(&self) -> Vec<String> {
        let numbers = self.cwe.iter();
        numbers.map(|number| format!("CWE-{number}")).collect()
    }

    pub fn owasp_names(&self) -> Vec<&str> {
        self.owasp.iter().map(String::as_str).collect()
    }

    /// Other taxa as `[{"id": …, "taxonomy": …}]`.
    pub fn other_taxa(&self) -> Vec<Value> {
        let taxa = self.other.iter();
        taxa.map(|(taxonomy, id)| {
            let mut taxon = Object::new();
            put(&mut taxon, "id", id.as_str());
            put(&mut taxon, "taxonomy", taxonomy.as_str());
            Value::Object(taxon)
        })
        .collect()
    }
}

/// Every number behind `CWE`, with or without one of `-`, `_`, `:` and a space between.
fn cwe_numbers(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let mut numbers = Vec::new();
    for (at, window) in bytes.windows(3).enumerate() {
        let bounded = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        if !bounded || !window.eq_ignore_ascii_case(b"cwe") {
            continue;
        }
        let rest = &text[at + 3..];
        let rest = rest.strip_prefix(['-', '_', ':', ' ']).unwrap_or(rest);
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        numbers.extend(rest[..length].parse::<u32>());
    }
    numbers
}

/// An entry of one of the OWASP lists, as `A03:2021`; without a year if none is given.
fn owasp_entry(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let words = upper.split(|c: char| !c.is_ascii_alphanumeric());
    let mut entry = None;
    let mut year = None;
    for word in words {
        let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (prefix, digits) = word.split_at(letters);
        let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match prefix {
            "A" | "API" | "LLM" | "M" if numeric && digits.len() <= 2 && entry.is_none() => {
                let number: u8 = digits.parse().ok()?;
                entry = Some(match prefix {
                    "A" | "LLM" => format!("{prefix}{number:02}"),
                    _ => format!("{prefix}{number}"),
                });
            }
            "" if numeric && digits.len() == 4 && digits.starts_with("20") => year = Some(digits),
            _ => {}
        }
    }
    let entry = entry?;
    Some(match year {
        Some(year) => format!("{entry}:{year}"),
        None => entry,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let mut weaknesses = Weaknesses::default();
        for tag in [
            "external/cwe/cwe-089",
            "CWE-79: Improper Neutralization",
            "cwe352",
            "scwe-1",
            "cwe-",
            "cwe-99999999999",
            "OWASP-A03:2021 - Injection",
            "external/owasp/owasp-a1",
            "owasp-top-10-2017-a10",
            "OWASP API Security Top 10 API1:2023",
            "owasp",
            "é-CWE-20é",
            "A01:2021",
        ] {
            weaknesses.add_tag(tag);
        }
        assert_eq!(
            weaknesses.cwe_names(),
            ["CWE-20", "CWE-79", "CWE-89", "CWE-352"]
        );
        assert_eq!(
            weaknesses.owasp_names(),
            ["A01", "A03:2021", "A10:2017", "API1:2023"]
        );
    }
}
