//! The findings of one tool as a run.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{json, Value};

use super::result::Draft;
use super::rule::RuleDraft;
use super::taxonomies;
use crate::analysis::sarif::finding::StoredFinding;
use crate::analysis::sarif::pace::Pace;
use crate::analysis::sarif::value::{put, Object};

pub struct RunDraft<'f> {
    driver: Object,
    rules: Vec<RuleDraft<'f>>,
    by_descriptor: HashMap<String, usize>,
    /// Each with the index of its rule.
    results: Vec<(Draft<'f>, Option<usize>)>,
    bases: BTreeMap<&'f str, String>,
    taxonomies: BTreeMap<&'f str, BTreeSet<&'f str>>,
}

impl<'f> RunDraft<'f> {
    pub fn new(driver: Object) -> Self {
        RunDraft {
            driver,
            rules: Vec::new(),
            by_descriptor: HashMap::new(),
            results: Vec::new(),
            bases: BTreeMap::new(),
            taxonomies: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, mut draft: Draft<'f>) {
        let rule = draft.rule.take().map(|rule| self.rule(rule, &draft.tags));
        if let Some((id, uri)) = draft.base.take() {
            self.bases.entry(id).or_insert(uri);
        }
        for (taxonomy, id) in &draft.taxa {
            if taxonomies::guid(taxonomy).is_some() {
                self.taxonomies.entry(taxonomy).or_default().insert(id);
            }
        }
        self.results.push((draft, rule));
    }

    fn rule(&mut self, descriptor: Object, tags: &BTreeSet<&'f str>) -> usize {
        let key = Value::Object(descriptor.clone()).to_string();
        match self.by_descriptor.get(&key) {
            Some(&index) => {
                self.rules[index].tags.retain(|tag| tags.contains(tag));
                index
            }
            None => {
                self.rules.push(RuleDraft::new(descriptor, tags));
                self.by_descriptor.insert(key, self.rules.len() - 1);
                self.rules.len() - 1
            }
        }
    }

    /// The run, and the findings that its results are.
    pub fn finish(self, facts: &Object, pace: &mut Pace) -> (Value, Vec<&'f StoredFinding>) {
        let none = BTreeSet::new();
        let mut results = Vec::with_capacity(self.results.len());
        let mut findings = Vec::with_capacity(self.results.len());
        for (draft, rule) in &self.results {
            pace.step();
            let shared = rule.map_or(&none, |rule| &self.rules[rule].tags);
            results.push(Value::Object(draft.result(*rule, shared)));
            findings.push(draft.finding);
        }
        let rules: Vec<Value> = self.rules.into_iter().map(RuleDraft::finish).collect();
        let mut driver = self.driver;
        put(&mut driver, "rules", rules);
        let mut run = facts.clone();
        put(&mut run, "tool", json!({"driver": driver}));
        let bases = self.bases.into_iter();
        let bases: Object = bases
            .map(|(id, uri)| (id.to_owned(), json!({"uri": uri})))
            .collect();
        put(&mut run, "originalUriBaseIds", bases);
        let taxonomies = self.taxonomies.into_iter().map(taxonomies::taxonomy);
        put(&mut run, "taxonomies", taxonomies.collect::<Vec<_>>());
        // Empty, not absent: the tool ran and found nothing.
        run.insert("results".to_owned(), Value::Array(results));
        (Value::Object(run), findings)
    }
}
