//! The bases of relative URI references.

use std::collections::HashSet;

use serde_json::Value;

use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::value::{as_object, each_object, object, string, Object};

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
pub struct UriBases<'v> {
    ids: Option<&'v Object>,
    roots: HashSet<&'v str>,
}

struct Base<'v> {
    uri: Option<&'v str>,
    parent: Option<&'v str>,
}

impl<'v> UriBases<'v> {
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
        each_object(run, "versionControlProvenance", path, |details, path| {
            if let Some(mapped) = object(details, "mappedTo", path)? {
                roots.extend(string(mapped, "uriBaseId", &path.key("mappedTo"))?);
            }
            Ok(())
        })?;
        Ok(UriBases { ids, roots })
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

    /// The absolute URI of a base that [`UriBases::place`] stops at.
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
