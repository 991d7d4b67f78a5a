//! The fingerprint of a result.

use super::result::ResolvedResult;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::fingerprint::{self, Fingerprints, Identity};
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::value::{as_string, object, Object};

/// The fingerprint the result carries if its log was written here, else one made of its identity.
pub fn fingerprint(
    result: &ResolvedResult,
    fingerprints: &mut Fingerprints,
    path: &Path,
) -> Result<String, SarifError> {
    let full = pairs(result.members, "fingerprints", path)?;
    let partial = pairs(result.members, "partialFingerprints", path)?;
    let own = full.iter().find(|(name, _)| *name == fingerprint::KEY);
    if let Some(stored) = own.and_then(|(_, value)| fingerprint::stored(value)) {
        return Ok(fingerprints.distinct(stored));
    }
    let place = &result.place;
    let identity = if !full.is_empty() {
        Identity::Full(full)
    } else if !partial.is_empty() {
        Identity::Partial(partial, &place.file_path)
    } else {
        Identity::Content(&place.file_path, place.region, &result.message.text)
    };
    let tool = result.links.run.tool.name();
    Ok(fingerprints.of(&fingerprint::encode(tool, result.rule_id, &identity)))
}

/// The entries of an object of strings, sorted by name.
fn pairs<'v>(
    result: &'v Object,
    key: &str,
    path: &Path,
) -> Result<Vec<(&'v str, &'v str)>, SarifError> {
    let path_of = path.key(key);
    let mut pairs = Vec::new();
    for (name, value) in object(result, key, path)?.into_iter().flatten() {
        if !value.is_null() {
            pairs.push((name.as_str(), as_string(value, &path_of.key(name))?));
        }
    }
    pairs.sort_unstable();
    Ok(pairs)
}
