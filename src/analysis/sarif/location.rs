//! Where a result is: its file, its lines, and what the columns have no room for.

use std::collections::HashSet;

use serde_json::Value;

use super::error::SarifError;
use super::path::Path;
use super::uri;
use super::value::{as_object, integer, object, put, put_some, string, Object};

/// The path of a finding whose result names no file.
pub const NO_LOCATION: &str = "(no location)";

/// Longest chain of bases that is followed.
const LONGEST_CHAIN: usize = 16;

/// A reference brought down to the base at the root of its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Relative to the root base if there is one.
    pub uri: String,
    pub base_id: Option<String>,
    /// The absolute URI of the root base, where the log gives it.
    pub base_uri: Option<String>,
}

/// `run.originalUriBaseIds`, and the bases that stand for the root of a repository.
#[derive(Debug, Default)]
pub struct Bases<'v> {
    ids: Option<&'v Object>,
    roots: HashSet<&'v str>,
}

struct Base<'v> {
    uri: Option<&'v str>,
    parent: Option<&'v str>,
}

impl<'v> Bases<'v> {
    pub fn read(run: &'v Object, path: &Path) -> Result<Self, SarifError> {
        let ids = object(run, "originalUriBaseIds", path)?;
        let ids_path = path.key("originalUriBaseIds");
        for (id, base) in ids.into_iter().flatten() {
            let path = ids_path.key(id);
            let base = as_object(base, &path)?;
            string(base, "uri", &path)?;
            string(base, "uriBaseId", &path)?;
        }
        let mut roots = HashSet::new();
        let provenance = path.key("versionControlProvenance");
        let details = super::value::array(run, "versionControlProvenance", path)?;
        for (position, detail) in details.iter().enumerate() {
            let path = provenance.index(position);
            let detail = as_object(detail, &path)?;
            if let Some(mapped) = object(detail, "mappedTo", &path)? {
                roots.extend(string(mapped, "uriBaseId", &path.key("mappedTo"))?);
            }
        }
        Ok(Bases { ids, roots })
    }

    fn base(&self, id: &str) -> Option<Base<'v>> {
        let base = self.ids?.get(id)?.as_object()?;
        let text = |key: &str| base.get(key).and_then(Value::as_str);
        Some(Base {
            uri: text("uri").filter(|uri| !uri.is_empty()),
            parent: text("uriBaseId"),
        })
    }

    /// Follows the chain of bases until one is absolute, unknown or the root of a repository.
    /// Relative bases are put in front of the reference; the last one is only named, because
    /// paths are kept relative to the repository. A chain without end leaves it as it is.
    pub fn place(&self, reference: &str, base_id: Option<&str>) -> Placed {
        let unplaced = |base_id: Option<&str>| Placed {
            uri: reference.to_owned(),
            base_id: base_id.map(str::to_owned),
            base_uri: None,
        };
        if uri::is_absolute(reference) {
            return unplaced(None);
        }
        let mut placed = unplaced(base_id);
        for _ in 0..LONGEST_CHAIN {
            let Some(id) = placed.base_id.as_deref() else {
                return placed;
            };
            let Some(base) = self.base(id) else {
                return placed;
            };
            match base.uri {
                Some(uri) if uri::is_absolute(uri) => {
                    placed.base_uri = Some(uri.to_owned());
                    return placed;
                }
                Some(uri) if self.roots.contains(id) => {
                    placed.base_uri = base.parent.and_then(|parent| self.absolute(uri, parent));
                    return placed;
                }
                None if base.parent.is_none() => return placed,
                uri => {
                    if let Some(uri) = uri {
                        placed.uri = uri::join(uri, &placed.uri);
                    }
                    placed.base_id = base.parent.map(str::to_owned);
                }
            }
        }
        unplaced(base_id)
    }

    /// The absolute URI of a base that [`Bases::place`] stops at.
    pub fn base_uri(&self, id: &str) -> Option<String> {
        let placed = self.place("x", Some(id));
        placed
            .base_uri
            .filter(|_| placed.base_id.as_deref() == Some(id))
    }

    fn absolute(&self, reference: &str, base_id: &str) -> Option<String> {
        let mut joined = reference.to_owned();
        let mut id = base_id;
        for _ in 0..LONGEST_CHAIN {
            let base = self.base(id)?;
            joined = uri::join(base.uri?, &joined);
            if uri::is_absolute(base.uri?) {
                return Some(joined);
            }
            id = base.parent?;
        }
        None
    }
}

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

/// Splits tidied locations. `base_uris` tells the absolute URI of a base id.
pub fn split(
    mut locations: Vec<Value>,
    base_uri: impl Fn(&str) -> Option<String>,
    path: &Path,
) -> Result<Place, SarifError> {
    let primary = locations
        .iter()
        .position(|location| file_uri(location).is_some())
        .unwrap_or(0);
    let mut place = Place {
        file_path: NO_LOCATION.to_owned(),
        ..Place::default()
    };
    if locations.is_empty() {
        return Ok(place);
    }
    let location = locations.remove(primary);
    if let Some(uri) = file_uri(&location) {
        place.file_path = uri::to_path(uri);
    }
    place.others = locations;
    let Value::Object(mut location) = location else {
        return Ok(place);
    };
    if let Some(Value::Object(physical)) = location.remove("physicalLocation") {
        let path = path.index(primary);
        place.take(physical, base_uri, &path.key("physicalLocation"))?;
    }
    for (key, value) in location {
        put(&mut place.remainder, &key, value);
    }
    Ok(place)
}

fn file_uri(location: &Value) -> Option<&str> {
    location
        .pointer("/physicalLocation/artifactLocation/uri")?
        .as_str()
        .filter(|uri| !uri::to_path(uri).is_empty())
}

impl Place {
    fn take(
        &mut self,
        mut physical: Object,
        base_uri: impl Fn(&str) -> Option<String>,
        path: &Path,
    ) -> Result<(), SarifError> {
        if let Some(Value::Object(mut artifact)) = physical.remove("artifactLocation") {
            if let Some(Value::String(base_id)) = artifact.remove("uriBaseId") {
                put_some(&mut self.remainder, "baseUri", base_uri(&base_id));
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

/// The location that [`split`] takes apart again: columns and remainder together.
pub fn join(
    file_path: &str,
    lines: (Option<i32>, Option<i32>),
    code_snippet: Option<&str>,
    remainder: &Object,
) -> Object {
    let mut location = remainder.clone();
    let base_id = location.remove("uriBaseId");
    location.remove("baseUri");
    let region = location.remove("region");
    let context = location.remove("contextRegion");
    let mut physical = Object::new();
    if file_path != NO_LOCATION {
        let mut artifact = Object::new();
        put(&mut artifact, "uri", uri::from_path(file_path));
        put_some(&mut artifact, "uriBaseId", base_id);
        put(&mut physical, "artifactLocation", artifact);
        let mut region = match region {
            Some(Value::Object(region)) => region,
            _ => Object::new(),
        };
        put_some(&mut region, "startLine", lines.0);
        put_some(&mut region, "endLine", lines.0.and(lines.1));
        if let Some(text) = code_snippet {
            let snippet = region
                .entry("snippet")
                .or_insert_with(|| Value::Object(Object::new()));
            if let Some(snippet) = snippet.as_object_mut() {
                put(snippet, "text", text);
            }
        }
        put(&mut physical, "region", region);
        put_some(&mut physical, "contextRegion", context);
    }
    put(&mut location, "physicalLocation", physical);
    location
}
