//! Levels and ranks that a run's invocations set instead of a rule's defaults.

use std::collections::HashMap;

use super::error::SarifError;
use super::path::Path;
use super::rules::{RuleKey, Tool};
use super::severity::{self, LEVELS};
use super::value::{array, as_object, index, object, required_object, word, Object};

#[derive(Debug, Default)]
pub struct Overrides {
    levels: HashMap<(usize, RuleKey), &'static str>,
    ranks: HashMap<(usize, RuleKey), f64>,
    invocations: usize,
}

impl Overrides {
    pub fn read<'v>(run: &'v Object, tool: &Tool<'v>, path: &Path) -> Result<Self, SarifError> {
        let mut overrides = Overrides::default();
        let invocations = array(run, "invocations", path)?;
        overrides.invocations = invocations.len();
        let invocations_path = path.key("invocations");
        for (position, invocation) in invocations.iter().enumerate() {
            let path = invocations_path.index(position);
            let invocation = as_object(invocation, &path)?;
            let list = array(invocation, "ruleConfigurationOverrides", &path)?;
            let list_path = path.key("ruleConfigurationOverrides");
            for (number, entry) in list.iter().enumerate() {
                let path = list_path.index(number);
                let entry = as_object(entry, &path)?;
                let descriptor = required_object(entry, "descriptor", &path)?;
                let configuration = required_object(entry, "configuration", &path)?;
                let path_of = path.key("configuration");
                let level = word(configuration, "level", &LEVELS, &path_of)?;
                let rank = severity::rank(configuration, &path_of)?;
                let rule = tool.rule_by_reference(descriptor, &path.key("descriptor"))?;
                if let Some(rule) = rule {
                    level.map(|level| overrides.levels.insert((position, rule), level));
                    rank.map(|rank| overrides.ranks.insert((position, rule), rank));
                }
            }
        }
        Ok(overrides)
    }

    /// Level and rank of a rule where a result that names its invocation leaves them open.
    pub fn of(
        &self,
        result: &Object,
        rule: Option<RuleKey>,
        path: &Path,
    ) -> Result<(Option<&'static str>, Option<f64>), SarifError> {
        let Some(provenance) = object(result, "provenance", path)? else {
            return Ok((None, None));
        };
        let path = path.key("provenance");
        let Some(invocation) = index(provenance, "invocationIndex", &path)? else {
            return Ok((None, None));
        };
        if invocation >= self.invocations {
            return Err(path.key("invocationIndex").error(format!(
                "{invocation} is out of range: the run has {} invocations",
                self.invocations
            )));
        }
        let key = rule.map(|rule| (invocation, rule));
        let level = key.and_then(|key| self.levels.get(&key).copied());
        let rank = key.and_then(|key| self.ranks.get(&key).copied());
        Ok((level, rank))
    }
}
