//! The description of a rule.

use serde_json::Value;

use super::error::SarifError;
use super::message;
use super::path::Path;
use super::severity::{self, LEVELS};
use super::taxonomy::Taxonomies;
use super::tidy;
use super::uri;
use super::value::{member, object, put, put_some, string, word, Object};
use super::weakness::Weaknesses;

#[derive(Debug)]
pub struct Rule<'v> {
    pub id: &'v str,
    pub guid: Option<&'v str>,
    /// What the rule is about, in a line fit for a title; none if it only repeats the id or name.
    pub headline: Option<String>,
    pub name: Option<&'v str>,
    pub level: Option<&'static str>,
    pub rank: Option<f64>,
    pub properties: Option<&'v Object>,
    pub security_severity: Option<f64>,
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
        let configuration = object(rule, "defaultConfiguration", path)?;
        let configuration_path = path.key("defaultConfiguration");
        let (level, rank) = match configuration {
            None => (None, None),
            Some(configuration) => (
                word(configuration, "level", &LEVELS, &configuration_path)?,
                severity::rank(configuration, &configuration_path)?,
            ),
        };
        let properties = object(rule, "properties", path)?;
        let properties_path = path.key("properties");
        let tags = match properties {
            None => Vec::new(),
            Some(properties) => tidy::tags(properties, &properties_path)?,
        };
        let mut weaknesses = Weaknesses::default();
        tags.iter().for_each(|tag| weaknesses.add_tag(tag));
        if let Some(properties) = properties {
            weaknesses.add_property(properties);
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
        for key in severity::RULE_PROPERTIES {
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
            level,
            rank,
            properties,
            security_severity: properties.and_then(severity::security_severity),
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
