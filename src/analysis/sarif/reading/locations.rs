//! Where a result is: its file, its lines, and what the columns have no room for.

use serde_json::Value;

use super::references::ResultLinks;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::finding::NO_LOCATION;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::shape;
use crate::analysis::sarif::standard::tidy::tidy;
use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::value::{integer, member, put, Object};

/// The first location of a result that names a file, as the columns of a finding.
#[derive(Debug, Default, PartialEq)]
pub struct Place {
    pub file_path: String,
    pub line_start: Option<i32>,
    pub line_end: Option<i32>,
    pub code_snippet: Option<String>,
    /// Numbers that say where in the file, for the fingerprint.
    pub region: [Option<i32>; 8],
    /// What the columns do not hold of this location.
    pub remainder: Object,
    /// The other locations, whole.
    pub others: Vec<Value>,
}

const NUMBERS: [&str; 8] = [
    "startLine",
    "endLine",
    "startColumn",
    "endColumn",
    "charOffset",
    "charLength",
    "byteOffset",
    "byteLength",
];

fn file_uri(location: &Value) -> Option<&str> {
    location
        .pointer("/physicalLocation/artifactLocation/uri")?
        .as_str()
        .filter(|uri| !uri::to_path(uri).is_empty())
}

impl Place {
    pub fn read(result: &Object, links: &ResultLinks, path: &Path) -> Result<Self, SarifError> {
        let Some(locations) = member(result, "locations") else {
            return Ok(Place::nowhere());
        };
        let path = path.key("locations");
        let locations = match tidy(locations, &shape::LOCATIONS, links, &path)? {
            Some(Value::Array(locations)) => locations,
            _ => Vec::new(),
        };
        Place::split(locations, links, &path)
    }

    fn nowhere() -> Self {
        Place {
            file_path: NO_LOCATION.to_owned(),
            ..Place::default()
        }
    }

    /// Splits tidied locations.
    fn split(
        mut locations: Vec<Value>,
        links: &ResultLinks,
        path: &Path,
    ) -> Result<Self, SarifError> {
        let mut place = Place::nowhere();
        if locations.is_empty() {
            return Ok(place);
        }
        let primary = locations
            .iter()
            .position(|location| file_uri(location).is_some())
            .unwrap_or(0);
        let location = locations.remove(primary);
        place.others = locations;
        if let Some(uri) = file_uri(&location) {
            place.file_path = uri::to_path(uri);
        }
        let Value::Object(mut location) = location else {
            return Ok(place);
        };
        if let Some(Value::Object(physical)) = location.remove("physicalLocation") {
            let path = path.index(primary);
            place.take(physical, links, &path.key("physicalLocation"))?;
        }
        for (key, value) in location {
            put(&mut place.remainder, &key, value);
        }
        Ok(place)
    }

    fn take(
        &mut self,
        mut physical: Object,
        links: &ResultLinks,
        path: &Path,
    ) -> Result<(), SarifError> {
        if let Some(Value::Object(mut artifact)) = physical.remove("artifactLocation") {
            if let Some(Value::String(base_id)) = artifact.remove("uriBaseId") {
                if let Some(base_uri) = links.run.uri_bases.base_uri(&base_id) {
                    links.budget.spend(base_uri.len(), path)?;
                    put(&mut self.remainder, "baseUri", base_uri);
                }
                put(&mut self.remainder, "uriBaseId", base_id);
            }
        }
        if let Some(Value::Object(mut region)) = physical.remove("region") {
            self.take_region(&mut region, &path.key("region"))?;
            put(&mut self.remainder, "region", region);
        }
        if let Some(Value::Object(mut context)) = physical.remove("contextRegion") {
            if self.code_snippet.is_none() {
                self.code_snippet = take_snippet(&mut context);
            }
            put(&mut self.remainder, "contextRegion", context);
        }
        Ok(())
    }

    fn take_region(&mut self, region: &mut Object, path: &Path) -> Result<(), SarifError> {
        for (number, key) in self.region.iter_mut().zip(NUMBERS) {
            *number = integer(region, key, path)?;
        }
        let [start, end, ..] = self.region;
        if let Some(start) = start {
            let end = end.unwrap_or(start);
            if end < start {
                let problem = format!("{end} is less than startLine, {start}");
                return Err(path.key("endLine").error(problem));
            }
            self.line_start = Some(start);
            self.line_end = Some(end);
            region.remove("startLine");
            region.remove("endLine");
        }
        self.code_snippet = take_snippet(region);
        Ok(())
    }
}

/// Takes the text out of a region's snippet, and the snippet if nothing else is in it.
fn take_snippet(region: &mut Object) -> Option<String> {
    let snippet = region.get_mut("snippet")?.as_object_mut()?;
    let text = match snippet.remove("text") {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    if snippet.is_empty() {
        region.remove("snippet");
    }
    text
}
