//! Taxonomies of a run, and the taxa that results and rules refer to.

use serde_json::Value;

use super::directory::Directory;
use super::weaknesses::Weaknesses;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::value::{array, each_object, index, object, string, Object};

/// Longest name and id of a taxon that are kept, in bytes: every result may refer to them.
const LONGEST_NAME: usize = 200;

#[derive(Debug)]
struct Taxonomy<'v> {
    name: &'v str,
    ids: Vec<&'v str>,
}

/// The taxonomies of a run, and components of its tool that define taxa.
#[derive(Debug, Default)]
pub struct Taxonomies<'v> {
    all: Vec<Taxonomy<'v>>,
    /// How many of them are in `run.taxonomies`, where `toolComponent.index` counts.
    listed: usize,
    directory: Directory<'v, usize>,
    /// The taxonomy of each taxon, and its place in it.
    taxa: Directory<'v, (usize, usize)>,
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
        each_object(run, "taxonomies", path, |component, path| {
            taxonomies.add(component, path)
        })?;
        taxonomies.listed = taxonomies.all.len();
        if let Some(tool) = object(run, "tool", path)? {
            let path = path.key("tool");
            each_object(tool, "extensions", &path, |component, path| {
                taxonomies.add(component, path)
            })?;
            if let Some(driver) = object(tool, "driver", &path)? {
                taxonomies.add(driver, &path.key("driver"))?;
            }
        }
        Ok(taxonomies)
    }

    fn add(&mut self, component: &'v Object, path: &Path) -> Result<(), SarifError> {
        let mut ids = Vec::new();
        let number = self.all.len();
        each_object(component, "taxa", path, |taxon, path| {
            let id = string(taxon, "id", path)?.unwrap_or_default();
            let guid = string(taxon, "guid", path)?;
            self.taxa.add(guid, id, (number, ids.len()));
            ids.push(id);
            Ok(())
        })?;
        let name = string(component, "name", path)?.unwrap_or_default();
        let guid = string(component, "guid", path)?;
        self.directory.add(guid, name, number);
        self.all.push(Taxonomy { name, ids });
        Ok(())
    }

    /// Adds what an element of `result.taxa` or the target of a relationship refers to.
    pub fn resolve(
        &self,
        reference: &Object,
        weaknesses: &mut Weaknesses,
        path: &Path,
    ) -> Result<(), SarifError> {
        let component_path = path.key("toolComponent");
        let guid = string(reference, "guid", path)?;
        let by_guid = guid.and_then(|guid| self.taxa.by_guid(guid));
        let (name, taxonomy) = match object(reference, "toolComponent", path)? {
            Some(component) => (
                string(component, "name", &component_path)?,
                self.find(component, &component_path)?,
            ),
            None => (None, by_guid.and_then(|(number, _)| self.all.get(number))),
        };
        let mut id = string(reference, "id", path)?;
        if let (None, Some(taxonomy)) = (id, taxonomy) {
            if let Some(position) = index(reference, "index", path)? {
                let taxon = taxonomy.ids.get(position).ok_or_else(|| {
                    path.key("index").error(format!(
                        "{position} is out of range: the taxonomy has {} taxa",
                        taxonomy.ids.len()
                    ))
                })?;
                id = Some(taxon);
            } else if let Some((number, position)) = by_guid {
                id = self.all[number].ids.get(position).copied();
            }
        }
        let name = name.or(taxonomy.map(|taxonomy| taxonomy.name));
        let short = |text: &&str| !text.is_empty() && text.len() <= LONGEST_NAME;
        match (name.filter(short), id.filter(short)) {
            (Some(name), Some(id)) => weaknesses.add_taxon(name, id),
            // No taxonomy is named, but the id may speak for itself.
            (None, Some(id)) => weaknesses.add_tag(id),
            _ => {}
        }
        Ok(())
    }

    fn find(&self, component: &Object, path: &Path) -> Result<Option<&Taxonomy<'v>>, SarifError> {
        let by_guid = string(component, "guid", path)?.and_then(|g| self.directory.by_guid(g));
        let by_name = string(component, "name", path)?.and_then(|n| self.directory.by_name(n));
        if let Some(number) = by_guid.or(by_name) {
            return Ok(self.all.get(number));
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
        each_object(rule, "relationships", path, |relationship, path| {
            let kinds = array(relationship, "kinds", path)?;
            let outside = |kind: &Value| kind.as_str().is_some_and(|kind| OUTSIDE.contains(&kind));
            if kinds.iter().any(outside) {
                return Ok(());
            }
            match object(relationship, "target", path)? {
                Some(target) => self.resolve(target, weaknesses, &path.key("target")),
                None => Ok(()),
            }
        })
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
