//! The components of a tool, their rules, and the rule a result refers to.

use serde_json::Value;

use super::directory::Directory;
use super::message;
use super::rule::Rule;
use super::taxonomies::Taxonomies;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::value::{
    each_object, index, object, put, put_some, required_object, string, Object,
};

#[derive(Debug)]
pub struct Component<'v> {
    pub name: &'v str,
    guid: Option<&'v str>,
    pub rules: Vec<Rule<'v>>,
    pub messages: Option<&'v Object>,
    directory: Directory<'v, RuleKey>,
}

/// Where a rule is: the component (0 is the driver) and the rule in it.
pub type RuleKey = (usize, usize);

#[derive(Debug)]
pub struct Tool<'v> {
    /// The driver, then the extensions.
    pub components: Vec<Component<'v>>,
    pub version: Option<&'v str>,
    /// Name, version and home of the driver, as kept with each finding.
    pub facts: Object,
    pub size: usize,
    /// The rules of all components.
    directory: Directory<'v, RuleKey>,
    by_component: Directory<'v, usize>,
}

/// What a result says about its rule.
#[derive(Debug)]
pub struct Found<'v> {
    pub id: Option<&'v str>,
    pub component: usize,
    pub key: Option<RuleKey>,
}

impl<'v> Tool<'v> {
    pub fn read(run: &'v Object, taxonomies: &Taxonomies, path: &Path) -> Result<Self, SarifError> {
        let tool = required_object(run, "tool", path)?;
        let path = path.key("tool");
        let driver = required_object(tool, "driver", &path)?;
        let driver_path = path.key("driver");
        let mut components = vec![Component::read(0, driver, taxonomies, &driver_path)?];
        each_object(tool, "extensions", &path, |extension, path| {
            let number = components.len();
            components.push(Component::read(number, extension, taxonomies, path)?);
            Ok(())
        })?;
        let mut directory = Directory::default();
        let mut by_component = Directory::default();
        for (number, component) in components.iter().enumerate() {
            by_component.add(component.guid, component.name, number);
            for (position, rule) in component.rules.iter().enumerate() {
                directory.add(rule.guid, rule.id, (number, position));
            }
        }
        let version = match string(driver, "version", &driver_path)? {
            Some(version) => Some(version),
            None => string(driver, "semanticVersion", &driver_path)?,
        };
        let home = string(driver, "informationUri", &driver_path)?;
        let mut facts = Object::new();
        put(&mut facts, "name", components[0].name);
        put_some(&mut facts, "version", version);
        put_some(&mut facts, "informationUri", uri::absolute(home));
        Ok(Tool {
            components,
            version,
            size: Value::Object(facts.clone()).to_string().len(),
            facts,
            directory,
            by_component,
        })
    }

    pub fn name(&self) -> &'v str {
        self.components[0].name
    }

    pub fn rule(&self, key: RuleKey) -> &Rule<'v> {
        &self.components[key.0].rules[key.1]
    }

    /// The rule of a result, from `ruleId`, `ruleIndex` and `rule`.
    pub fn rule_of(&self, result: &'v Object, path: &Path) -> Result<Found<'v>, SarifError> {
        let reference = object(result, "rule", path)?;
        let reference_path = path.key("rule");
        let outer = index(result, "ruleIndex", path)?;
        let Some(reference) = reference else {
            let id = string(result, "ruleId", path)?;
            return self.find(id, outer, None, &path.key("ruleIndex"), None);
        };
        let inner = index(reference, "index", &reference_path)?;
        if let (Some(outer), Some(inner)) = (outer, inner) {
            if outer != inner {
                let problem = format!("{inner} contradicts ruleIndex, {outer}");
                return Err(reference_path.key("index").error(problem));
            }
        }
        let id = match string(result, "ruleId", path)? {
            Some(id) => Some(id),
            None => string(reference, "id", &reference_path)?,
        };
        let index_path = match inner {
            Some(_) => reference_path.key("index"),
            None => path.key("ruleIndex"),
        };
        let component = self.component_of(reference, &reference_path)?;
        let guid = string(reference, "guid", &reference_path)?;
        self.find(id, inner.or(outer), guid, &index_path, component)
    }

    /// The rule a reference outside of a result names.
    pub fn rule_by_reference(
        &self,
        reference: &'v Object,
        path: &Path,
    ) -> Result<Option<RuleKey>, SarifError> {
        let id = string(reference, "id", path)?;
        let position = index(reference, "index", path)?;
        let guid = string(reference, "guid", path)?;
        let component = self.component_of(reference, path)?;
        let found = self.find(id, position, guid, &path.key("index"), component)?;
        Ok(found.key)
    }

    fn find(
        &self,
        id: Option<&'v str>,
        position: Option<usize>,
        guid: Option<&str>,
        index_path: &Path,
        component: Option<usize>,
    ) -> Result<Found<'v>, SarifError> {
        let here = component.unwrap_or(0);
        let rules = &self.components[here].rules;
        let id = id.filter(|id| !id.is_empty());
        // In the component that is named, else in the driver and then in the extensions.
        let rules_here = match component {
            Some(component) => &self.components[component].directory,
            None => &self.directory,
        };
        let key = match (position, guid) {
            (Some(position), _) if position < rules.len() => Some((here, position)),
            (Some(position), _) => {
                let name = self.components[here].name;
                let name: String = name.chars().take(60).collect();
                let count = rules.len();
                let problem = format!("{position} is out of range: {name:?} has {count} rules");
                return Err(index_path.error(problem));
            }
            (None, Some(guid)) => rules_here.by_guid(guid),
            (None, None) => None,
        };
        let key = match (key, id) {
            (None, Some(id)) => rules_here.by_hierarchical_name(id),
            (key, _) => key,
        };
        Ok(Found {
            id: id.or(key.map(|key| self.rule(key).id)),
            component: key.map_or(here, |key| key.0),
            key,
        })
    }

    fn component_of(&self, reference: &Object, path: &Path) -> Result<Option<usize>, SarifError> {
        let Some(component) = object(reference, "toolComponent", path)? else {
            return Ok(None);
        };
        let path = path.key("toolComponent");
        if let Some(position) = index(component, "index", &path)? {
            let extensions = self.components.len() - 1;
            if position >= extensions {
                return Err(path.key("index").error(format!(
                    "{position} is out of range: the tool has {extensions} extensions"
                )));
            }
            return Ok(Some(position + 1));
        }
        let guid = string(component, "guid", &path)?;
        let name = string(component, "name", &path)?;
        Ok(match (guid, name) {
            (Some(guid), _) => self.by_component.by_guid(guid),
            (None, Some(name)) => self.by_component.by_name(name),
            (None, None) => None,
        })
    }
}

impl<'v> Component<'v> {
    fn read(
        number: usize,
        component: &'v Object,
        taxonomies: &Taxonomies,
        path: &Path,
    ) -> Result<Self, SarifError> {
        let name = string(component, "name", path)?
            .filter(|name| !name.trim().is_empty())
            .ok_or_else(|| path.key("name").error("is missing or empty"))?;
        let mut read = Component {
            name,
            guid: string(component, "guid", path)?,
            rules: Vec::new(),
            messages: message::table(component, "globalMessageStrings", path)?,
            directory: Directory::default(),
        };
        each_object(component, "rules", path, |rule, path| {
            let rule = Rule::read(rule, taxonomies, path)?;
            let key = (number, read.rules.len());
            read.directory.add(rule.guid, rule.id, key);
            read.rules.push(rule);
            Ok(())
        })?;
        Ok(read)
    }
}
