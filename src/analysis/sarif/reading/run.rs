//! What of a run its results refer to.

use serde_json::Value;

use super::invocations::Invocations;
use super::taxonomies::Taxonomies;
use super::tool::Tool;
use super::uri_bases::UriBases;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::value::{array, Object};

#[derive(Debug)]
pub struct RunContext<'v> {
    pub tool: Tool<'v>,
    pub taxonomies: Taxonomies<'v>,
    pub invocations: Invocations,
    pub uri_bases: UriBases<'v>,
    pub artifacts: &'v [Value],
    pub logical_locations: &'v [Value],
    pub thread_flow_locations: &'v [Value],
}

impl<'v> RunContext<'v> {
    pub fn read(run: &'v Object, path: &Path) -> Result<Self, SarifError> {
        let taxonomies = Taxonomies::read(run, path)?;
        let tool = Tool::read(run, &taxonomies, path)?;
        Ok(RunContext {
            invocations: Invocations::read(run, &tool, path)?,
            uri_bases: UriBases::read(run, path)?,
            artifacts: array(run, "artifacts", path)?,
            logical_locations: array(run, "logicalLocations", path)?,
            thread_flow_locations: array(run, "threadFlowLocations", path)?,
            tool,
            taxonomies,
        })
    }
}
