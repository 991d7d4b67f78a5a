//! Taxonomies of a run, and the taxa that results and rules refer to.

use std::collections::HashMap;

use serde_json::Value;

use super::error::SarifError;
use super::path::Path;
use super::value::{array, as_object, index, object, string, Object};
use super::weakness::Weaknesses;

#[derive(Debug)]
struct Taxonomy<'v> {
    name: &'v str,
    guid: Option<&'v str>,
    ids: Vec<&'v str>,
    by_guid: HashMap<&'v str, usize>,
}

/// The taxonomies of a run, and components of its tool that define taxa.
#[derive(Debug, Default)]
pub struct Taxonomies<'v> {
    all: Vec<Taxonomy<'v>>,
    /// How many of them are in `run.taxonomies`, where `toolComponent.index` counts.
    listed: usize,
}

/// Relations between a rule and a taxon that do not put the rule's results into it.
const OUTSIDE: [&str; 6] = [
    "disjoint",
    "incomparable",
    "canPrecede",
    "canFollow",
    "willPrecede",
    "willFollow",
];

impl<'v> Taxonomies<'v> {
    pub fn read(run: &'v Object, path: &Path) -> Result<Self, SarifError> {
        let mut taxonomies = Taxonomies::default();
        let listed = array(run, "taxonomies", path)?;
        taxonomies.read_all(listed, &path.key("taxonomies"))?;
        taxonomies.listed = taxonomies.all.len();
        if let Some(tool) = object(run, "tool", path)? {
            let path = path.key("tool");
            let extensions = array(tool, "extensions", &path)?;
            taxonomies.read_all(extensions, &path.key("extensions"))?;
            if let Some(driver) = object(tool, "driver", &path)? {
                taxonomies.read_one(driver, &path.key("driver"))?;
            }
        }
        Ok(taxonomies)
    }

    fn read_all(&mut self, components: &'v [Value], path: &Path) -> Result<(), SarifError> {
        for (position, component) in components.iter().enumerate() {
            let path = path.index(position);
            self.read_one(as_object(component, &path)?, &path)?;
        }
        Ok(())
    }

    fn read_one(&mut self, component: &'v Object, path: &Path) -> Result<(), SarifError> {
        let mut ids = Vec::new();
        let mut by_guid = HashMap::new();
        let taxa_path = path.key("taxa");
        for (position, taxon) in array(component, "taxa", path)?.iter().enumerate() {
            let path = taxa_path.index(position);
            let taxon = as_object(taxon, &path)?;
            ids.push(string(taxon, "id", &path)?.unwrap_or_default());
            if let Some(guid) = string(taxon, "guid", &path)? {
                by_guid.insert(guid, position);
            }
        }
        self.all.push(Taxonomy {
            name: string(component, "name", path)?.unwrap_or_default(),
            guid: string(component, "guid", path)?,
            ids,
            by_guid,
        });
        Ok(())
    }

    /// Adds what an element of `result.taxa` or the target of a relationship refers to.
    pub fn resolve(
        &self,
        reference: &Object,
        weaknesses: &mut Weaknesses,
        path: &Path,
    ) -> Result<(), SarifError> {
        let component = object(reference, "toolComponent", path)?;
        let component_path = path.key("toolComponent");
        let guid = string(reference, "guid", path)?;
        let mut name = None;
        let mut taxonomy = None;
        match component {
            Some(component) => {
                name = string(component, "name", &component_path)?;
                taxonomy = self.find(component, &component_path)?;
            }
            None => {
                if let Some(guid) = guid {
                    let mut all = self.all.iter();
                    taxonomy = all.find(|taxonomy| taxonomy.by_guid.contains_key(guid));
                }
            }
        }
        let mut id = string(reference, "id", path)?;
        if let (None, Some(taxonomy)) = (id, taxonomy) {
            let position = match index(reference, "index", path)? {
                Some(position) => Some(position),
                None => guid.and_then(|guid| taxonomy.by_guid.get(guid).copied()),
            };
            if let Some(position) = position {
                let found = taxonomy.ids.get(position).ok_or_else(|| {
                    path.key("index").error(format!(
                        "{position} is out of range: the taxonomy has {} taxa",
                        taxonomy.ids.len()
                    ))
                })?;
                id = Some(found);
            }
        }
        let name = name.or(taxonomy.map(|taxonomy| taxonomy.name));
        match (name, id.filter(|id| !id.is_empty())) {
            (Some(name), Some(id)) => weaknesses.add_taxon(name, id),
            // No taxonomy is named, but the id may speak for itself.
            (None, Some(id)) => weaknesses.add_tag(id),
            _ => {}
        }
        Ok(())
    }

    fn find(&self, component: &Object, path: &Path) -> Result<Option<&Taxonomy<'v>>, SarifError> {
        if let Some(guid) = string(component, "guid", path)? {
            let mut all = self.all.iter();
            if let Some(found) = all.find(|taxonomy| taxonomy.guid == Some(guid)) {
                return Ok(Some(found));
            }
        }
        if let Some(name) = string(component, "name", path)? {
            let mut all = self.all.iter();
            if let Some(found) = all.find(|taxonomy| taxonomy.name == name) {
                return Ok(Some(found));
            }
        }
        let Some(position) = index(component, "index", path)? else {
            return Ok(None);
        };
        self.all[..self.listed]
            .get(position)
            .map(Some)
            .ok_or_else(|| {
                path.key("index").error(format!(
                    "{position} is out of range: the run has {} taxonomies",
                    self.listed
                ))
            })
    }

    /// Adds the taxa a rule is related to.
    pub fn relate(
        &self,
        rule: &Object,
        weaknesses: &mut Weaknesses,
        path: &Path,
    ) -> Result<(), SarifError> {
        let relationships_path = path.key("relationships");
        for (position, relationship) in array(rule, "relationships", path)?.iter().enumerate() {
            let path = relationships_path.index(position);
            let relationship = as_object(relationship, &path)?;
            let kinds = array(relationship, "kinds", &path)?;
            let outside = |kind: &Value| kind.as_str().is_some_and(|kind| OUTSIDE.contains(&kind));
            if kinds.iter().any(outside) {
                continue;
            }
            if let Some(target) = object(relationship, "target", &path)? {
                self.resolve(target, weaknesses, &path.key("target"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn taxa() {
        let run = json!({
            "taxonomies": [
                {"name": "CWE", "guid": "g", "taxa": [{"id": "22"}, {"id": "CWE-23", "guid": "t"}]},
                {"name": "OWASP Top Ten", "taxa": [{"id": "A03:2021"}]},
            ],
            "tool": {"driver": {"name": "T"}, "extensions": [
                {"name": "WASC", "taxa": [{"id": "19"}]}]},
        });
        let run = run.as_object().unwrap();
        let taxonomies = Taxonomies::read(run, &Path::Root).unwrap();
        let mut weaknesses = Weaknesses::default();
        let mut resolve = |reference: Value| {
            let reference = reference.as_object().unwrap();
            taxonomies
                .resolve(reference, &mut weaknesses, &Path::Root)
                .map_err(|error| error.to_string())
        };
        resolve(json!({"index": 0, "toolComponent": {"index": 0}})).unwrap();
        resolve(json!({"guid": "t"})).unwrap();
        resolve(json!({"id": "077", "toolComponent": {"name": "cwe v4"}})).unwrap();
        resolve(json!({"index": 0, "toolComponent": {"index": 1}})).unwrap();
        resolve(json!({"index": 0, "toolComponent": {"name": "WASC"}})).unwrap();
        resolve(json!({"id": "CWE-5"})).unwrap();
        assert_eq!(
            resolve(json!({"index": 2, "toolComponent": {"guid": "g"}})),
            Err("$.index: 2 is out of range: the taxonomy has 2 taxa".to_owned())
        );
        assert_eq!(
            resolve(json!({"index": 0, "toolComponent": {"index": 2}})),
            Err("$.toolComponent.index: 2 is out of range: the run has 2 taxonomies".to_owned())
        );
        let numbers: Vec<u32> = weaknesses.cwe.iter().copied().collect();
        assert_eq!(numbers, [5, 22, 23, 77]);
        assert_eq!(weaknesses.owasp_names(), ["A03:2021"]);
        assert_eq!(
            weaknesses.other_taxa(),
            [json!({"id": "19", "taxonomy": "WASC"})]
        );
    }

    #[test]
    fn relationships() {
        let taxonomies = Taxonomies::default();
        let mut weaknesses = Weaknesses::default();
        let target = |id: &str| json!({"id": id, "toolComponent": {"name": "CWE"}});
        let rule = json!({"relationships": [
            {"target": target("1"), "kinds": ["superset"]},
            {"target": target("2")},
            {"target": target("3"), "kinds": ["incomparable"]},
        ]});
        let rule = rule.as_object().unwrap();
        taxonomies
            .relate(rule, &mut weaknesses, &Path::Root)
            .unwrap();
        assert_eq!(weaknesses.cwe_names(), ["CWE-1", "CWE-2"]);
    }
}
