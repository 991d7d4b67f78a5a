//! The findings of one tool as a run.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{json, Value};

use super::result::{taxonomy_guid, Draft};
use super::value::{put, put_some, Object};

/// Results between two calls of `interrupt`.
const PACE: usize = 256;

pub struct RunDraft<'f> {
    driver: Object,
    rules: Vec<RuleDraft<'f>>,
    by_descriptor: HashMap<String, usize>,
    results: Vec<(Draft<'f>, Option<usize>)>,
    /// Where the findings of the results are among all findings.
    positions: Vec<usize>,
    bases: BTreeMap<&'f str, String>,
    taxonomies: BTreeMap<&'f str, BTreeSet<&'f str>>,
}

struct RuleDraft<'f> {
    descriptor: Object,
    /// Tags that all findings of the rule have: those are the rule's.
    tags: BTreeSet<&'f str>,
}

impl<'f> RunDraft<'f> {
    pub fn new(first: &Draft<'f>) -> Self {
        RunDraft {
            driver: first.driver.clone(),
            rules: Vec::new(),
            by_descriptor: HashMap::new(),
            results: Vec::new(),
            positions: Vec::new(),
            bases: BTreeMap::new(),
            taxonomies: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, mut draft: Draft<'f>, position: usize) {
        let rule = draft.rule.take().map(|rule| self.rule(rule, &draft.tags));
        if let Some((id, uri)) = draft.base.take() {
            self.bases.entry(id).or_insert(uri);
        }
        for (taxonomy, id) in &draft.taxa {
            if taxonomy_guid(taxonomy).is_some() {
                self.taxonomies.entry(taxonomy).or_default().insert(id);
            }
        }
        self.results.push((draft, rule));
        self.positions.push(position);
    }

    fn rule(&mut self, descriptor: Object, tags: &BTreeSet<&'f str>) -> usize {
        let key = Value::Object(descriptor.clone()).to_string();
        match self.by_descriptor.get(&key) {
            Some(&index) => {
                self.rules[index].tags.retain(|tag| tags.contains(tag));
                index
            }
            None => {
                self.rules.push(RuleDraft {
                    descriptor,
                    tags: tags.clone(),
                });
                self.by_descriptor.insert(key, self.rules.len() - 1);
                self.rules.len() - 1
            }
        }
    }

    /// The run, and where the findings of its results are among all findings.
    pub fn finish(self, facts: &Object, interrupt: &mut dyn FnMut()) -> (Object, Vec<usize>) {
        let none = BTreeSet::new();
        let mut results = Vec::with_capacity(self.results.len());
        for (position, (draft, rule)) in self.results.iter().enumerate() {
            if position % PACE == PACE - 1 {
                interrupt();
            }
            let shared = rule.map_or(&none, |rule| &self.rules[rule].tags);
            results.push(Value::Object(draft.result(*rule, shared)));
        }
        let rules: Vec<Value> = self.rules.into_iter().map(RuleDraft::finish).collect();
        let mut driver = self.driver;
        put(&mut driver, "rules", rules);
        let mut run = facts.clone();
        put(&mut run, "tool", json!({"driver": driver}));
        let bases: Object = self
            .bases
            .into_iter()
            .map(|(id, uri)| (id.to_owned(), json!({"uri": uri})))
            .collect();
        put(&mut run, "originalUriBaseIds", bases);
        let taxonomies: Vec<Value> = self.taxonomies.into_iter().map(taxonomy).collect();
        put(&mut run, "taxonomies", taxonomies);
        // Empty, not absent: the tool ran and found nothing.
        run.insert("results".to_owned(), Value::Array(results));
        (run, self.positions)
    }
}

impl RuleDraft<'_> {
    fn finish(mut self) -> Value {
        if !self.tags.is_empty() {
            let tags: Vec<&str> = self.tags.into_iter().collect();
            let properties = self
                .descriptor
                .entry("properties")
                .or_insert_with(|| Value::Object(Object::new()));
            if let Value::Object(properties) = properties {
                put(properties, "tags", tags);
            }
        }
        Value::Object(self.descriptor)
    }
}

fn taxonomy((name, ids): (&str, BTreeSet<&str>)) -> Value {
    let mut taxonomy = Object::new();
    put(&mut taxonomy, "name", name);
    put_some(&mut taxonomy, "guid", taxonomy_guid(name));
    let taxa: Vec<Value> = ids.into_iter().map(|id| json!({"id": id})).collect();
    put(&mut taxonomy, "taxa", taxa);
    Value::Object(taxonomy)
}
