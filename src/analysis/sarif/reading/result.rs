//! A result with what it refers to elsewhere in its run.

use super::configuration::Configuration;
use super::locations::Place;
use super::message::{self, Message};
use super::references::{Budget, ResultLinks};
use super::rule::Rule;
use super::run::RunContext;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::words::{
    BASELINE_STATES, FINDING_KINDS, FINDING_STATES, KINDS,
};
use crate::analysis::sarif::value::{member, required_object, word, Object};

pub struct ResolvedResult<'a, 'v> {
    pub members: &'v Object,
    pub kind: &'static str,
    pub level: &'static str,
    pub rank: Option<f64>,
    pub baseline_state: Option<&'static str>,
    /// The id of the rule as the result gives it.
    pub rule_id: Option<&'v str>,
    pub rule: Option<&'a Rule<'v>>,
    pub message: Message,
    pub place: Place,
    pub links: ResultLinks<'a, 'v>,
}

impl<'a, 'v> ResolvedResult<'a, 'v> {
    /// None for a result that is no finding.
    pub fn read(
        result: &'v Object,
        run: &'a RunContext<'v>,
        budget: &'a Budget,
        path: &Path,
    ) -> Result<Option<Self>, SarifError> {
        let kind = word(result, "kind", &KINDS, path)?.unwrap_or("fail");
        let baseline_state = word(result, "baselineState", &BASELINE_STATES, path)?;
        let found = run.tool.rule_of(result, path)?;
        let here = baseline_state.is_none_or(|state| FINDING_STATES.contains(&state));
        if !here || !FINDING_KINDS.contains(&kind) {
            return Ok(None);
        }
        let rule = found.key.map(|key| run.tool.rule(key));
        let links = ResultLinks {
            run,
            messages: [
                rule.and_then(|rule| rule.messages),
                run.tool.components[found.component].messages,
            ],
            budget,
        };
        let message = read_message(result, &links, path)?;
        let place = Place::read(result, &links, path)?;
        let own = Configuration::read(result, path)?;
        let of_rule = rule.map(|rule| rule.configuration).unwrap_or_default();
        let configuration = own
            .or(run.invocations.configuration(result, found.key, path)?)
            .or(of_rule);
        Ok(Some(ResolvedResult {
            members: result,
            kind,
            level: match (own.level, configuration.level) {
                (Some(own), _) => own,
                (None, _) if kind != "fail" => "none",
                (None, level) => level.unwrap_or("warning"),
            },
            rank: configuration.rank,
            baseline_state,
            rule_id: found.id,
            rule,
            message,
            place,
            links,
        }))
    }
}

fn read_message(result: &Object, links: &ResultLinks, path: &Path) -> Result<Message, SarifError> {
    let raw = required_object(result, "message", path)?;
    let path = path.key("message");
    let message = message::read(raw, &links.messages, &path)?;
    if member(raw, "text").is_none() || member(raw, "arguments").is_some() {
        let markdown = message.markdown.as_deref().map_or(0, str::len);
        links.budget.spend(message.text.len() + markdown, &path)?;
    }
    Ok(message)
}
