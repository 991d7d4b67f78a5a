//! What the invocations of a run set instead of the defaults of rules.

use std::collections::HashMap;

use super::configuration::Configuration;
use super::tool::{RuleKey, Tool};
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::value::{each_object, index, object, required_object, Object};

#[derive(Debug, Default)]
pub struct Invocations {
    count: usize,
    /// `ruleConfigurationOverrides` of each invocation.
    overrides: HashMap<(usize, RuleKey), Configuration>,
}

impl Invocations {
    pub fn read<'v>(run: &'v Object, tool: &Tool<'v>, path: &Path) -> Result<Self, SarifError> {
        let mut read = Invocations::default();
        each_object(run, "invocations", path, |invocation, path| {
            each_object(
                invocation,
                "ruleConfigurationOverrides",
                path,
                |entry, path| {
                    let descriptor = required_object(entry, "descriptor", path)?;
                    let set = required_object(entry, "configuration", path)?;
                    let set = Configuration::read(set, &path.key("configuration"))?;
                    let rule = tool.rule_by_reference(descriptor, &path.key("descriptor"))?;
                    if let Some(rule) = rule {
                        let overridden = read.overrides.entry((read.count, rule)).or_default();
                        *overridden = set.or(*overridden);
                    }
                    Ok(())
                },
            )?;
            read.count += 1;
            Ok(())
        })?;
        Ok(read)
    }

    /// Level and rank of a rule where a result that names its invocation leaves them open.
    pub fn configuration(
        &self,
        result: &Object,
        rule: Option<RuleKey>,
        path: &Path,
    ) -> Result<Configuration, SarifError> {
        let Some(provenance) = object(result, "provenance", path)? else {
            return Ok(Configuration::default());
        };
        let path = path.key("provenance");
        let Some(invocation) = index(provenance, "invocationIndex", &path)? else {
            return Ok(Configuration::default());
        };
        if invocation >= self.count {
            return Err(path.key("invocationIndex").error(format!(
                "{invocation} is out of range: the run has {} invocations",
                self.count
            )));
        }
        let set = rule.and_then(|rule| self.overrides.get(&(invocation, rule)));
        Ok(set.copied().unwrap_or_default())
    }
}
