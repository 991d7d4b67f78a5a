//! The description of a rule.

use serde_json::Value;

use super::configuration::Configuration;
use super::message;
use super::taxonomies::Taxonomies;
use super::weaknesses::Weaknesses;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::standard::words::RULE_PROPERTIES;
use crate::analysis::sarif::value::{member, object, put, put_some, string, strings, Object};

#[derive(Debug)]
pub struct Rule<'v> {
    pub id: &'v str,
    pub guid: Option<&'v str>,
    /// What the rule is about, in a line fit for a title; none if it only repeats the id or name.
    pub headline: Option<String>,
    pub name: Option<&'v str>,
    pub configuration: Configuration,
    pub properties: Option<&'v Object>,
    pub tags: Vec<&'v str>,
    pub weaknesses: Weaknesses,
    pub messages: Option<&'v Object>,
    /// What is kept of the rule with each of its findings, without the id.
    pub facts: Object,
    /// About the bytes that each finding of the rule has a copy of.
    pub size: usize,
}

impl<'v> Rule<'v> {
    pub fn read(
        rule: &'v Object,
        taxonomies: &Taxonomies,
        path: &Path,
    ) -> Result<Self, SarifError> {
        let id = string(rule, "id", path)?.ok_or_else(|| path.key("id").error("is missing"))?;
        let name = string(rule, "name", path)?;
        let configuration = match object(rule, "defaultConfiguration", path)? {
            Some(default) => Configuration::read(default, &path.key("defaultConfiguration"))?,
            None => Configuration::default(),
        };
        let properties = object(rule, "properties", path)?;
        let mut tags = Vec::new();
        let mut weaknesses = Weaknesses::default();
        if let Some(properties) = properties {
            tags = strings(properties, "tags", &path.key("properties"))?;
            weaknesses.add_properties(properties, &tags);
        }
        taxonomies.relate(rule, &mut weaknesses, path)?;
        let summary = summary(rule, path)?;
        let headline = summary
            .as_deref()
            .and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty()))
            .filter(|line| *line != id && Some(*line) != name)
            .map(str::to_owned);

        let mut facts = Object::new();
        put_some(&mut facts, "name", name);
        put_some(&mut facts, "shortDescription", summary);
        put_some(
            &mut facts,
            "helpUri",
            uri::absolute(string(rule, "helpUri", path)?),
        );
        let mut kept = Object::new();
        for key in RULE_PROPERTIES {
            put_some(
                &mut kept,
                key,
                properties.and_then(|p| member(p, key)).cloned(),
            );
        }
        put(&mut facts, "properties", kept);
        let size = id.len()
            + headline.as_deref().map_or(0, str::len)
            + tags.iter().map(|tag| tag.len()).sum::<usize>()
            + weaknesses.size()
            + Value::Object(facts.clone()).to_string().len();
        Ok(Rule {
            id,
            guid: string(rule, "guid", path)?,
            headline,
            name,
            configuration,
            properties,
            tags,
            weaknesses,
            messages: message::table(rule, "messageStrings", path)?,
            facts,
            size,
        })
    }
}

/// The short description of a rule, else the first sentence of the full one.
fn summary(rule: &Object, path: &Path) -> Result<Option<String>, SarifError> {
    let text = |key: &str| -> Result<Option<&str>, SarifError> {
        match object(rule, key, path)? {
            Some(description) => string(description, "text", &path.key(key)),
            None => Ok(None),
        }
    };
    let blank = |text: &&str| !text.trim().is_empty();
    Ok(match text("shortDescription")?.filter(blank) {
        Some(short) => Some(short.to_owned()),
        None => text("fullDescription")?.and_then(message::headline),
    })
}
