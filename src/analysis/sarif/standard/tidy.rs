//! Copies parts of a result for safekeeping: members the standard does not define are left out,
//! references into arrays of the run are replaced by what they refer to, and a member of the
//! wrong type is an error. Tidying twice changes nothing.

use std::collections::HashSet;

use serde_json::Value;

use super::shape::{Link, Record, Repeats, Shape};
use super::uri;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::value::{
    as_array, as_integer, as_object, as_string, as_strings, member, not_one_of, strings, Object,
};

/// Knows the run a part belongs to.
pub trait Links {
    /// Completes an object from what its `index` or `id` refers to.
    fn follow(&self, link: Link, object: &mut Object, path: &Path) -> Result<(), SarifError>;

    /// Whether an object without any of the members one of which it must have is left out, as a
    /// valid log demands, or kept.
    fn strict(&self) -> bool;
}

/// No run: nothing to follow, and only what is valid is kept.
pub struct Unlinked;

impl Links for Unlinked {
    fn follow(&self, _: Link, _: &mut Object, _: &Path) -> Result<(), SarifError> {
        Ok(())
    }

    fn strict(&self) -> bool {
        true
    }
}

/// The tidied value, or none if nothing of it is worth keeping.
pub fn tidy(
    value: &Value,
    shape: &Shape,
    links: &dyn Links,
    path: &Path,
) -> Result<Option<Value>, SarifError> {
    Ok(match shape {
        Shape::Text => Some(Value::from(as_string(value, path)?)),
        Shape::Reference => Some(Value::from(uri::tidy(as_string(value, path)?))),
        Shape::Uri => uri::absolute(Some(as_string(value, path)?)).map(Value::from),
        Shape::Guid => {
            let text = as_string(value, path)?;
            is_guid(text).then(|| Value::from(text))
        }
        Shape::Word(words) => {
            let text = as_string(value, path)?;
            if !words.contains(&text) {
                return Err(path.error(not_one_of(text, words)));
            }
            Some(Value::from(text))
        }
        Shape::Integer(minimum) => {
            let number = as_integer(value, path)?;
            (number >= *minimum).then(|| Value::from(number))
        }
        Shape::Line => {
            let number = as_integer(value, path)?;
            if number < 1 {
                return Err(path.error(format!("{number} is no line number")));
            }
            Some(Value::from(number))
        }
        Shape::Texts => some_texts(as_strings(value, path)?),
        Shape::Set => {
            let mut seen = HashSet::new();
            let mut texts = as_strings(value, path)?;
            texts.retain(|text| seen.insert(*text));
            some_texts(texts)
        }
        Shape::Bag => tidy_bag(as_object(value, path)?, path)?.map(Value::Object),
        Shape::Map(record) => tidy_map(as_object(value, path)?, record, links, path)?,
        Shape::Record(record) => {
            tidy_record(as_object(value, path)?, record, links, path)?.map(Value::Object)
        }
        Shape::List(record, least, repeats) => {
            let items = tidy_list(as_array(value, path)?, record, *repeats, links, path)?;
            (items.len() >= *least).then_some(Value::Array(items))
        }
    })
}

pub fn tidy_record(
    object: &Object,
    record: &Record,
    links: &dyn Links,
    path: &Path,
) -> Result<Option<Object>, SarifError> {
    let mut tidied = Object::new();
    for (key, shape) in record.members {
        if let Some(value) = member(object, key) {
            if let Some(value) = tidy(value, shape, links, &path.key(key))? {
                tidied.insert((*key).to_owned(), value);
            }
        }
    }
    if record.link != Link::None {
        // The index is of no use outside of this log, but needed to follow it.
        if let Some(index) = member(object, "index") {
            tidied.insert("index".to_owned(), index.clone());
        }
        links.follow(record.link, &mut tidied, path)?;
        tidied.remove("index");
    }
    for key in record.required {
        if !tidied.contains_key(*key) {
            return Err(path.key(key).error("is missing or empty"));
        }
    }
    let valid = record.one_of.is_empty() || record.one_of.iter().any(|k| tidied.contains_key(*k));
    let kept = if links.strict() {
        valid
    } else {
        !tidied.is_empty()
    };
    Ok(kept.then_some(tidied))
}

fn tidy_list(
    items: &[Value],
    record: &Record,
    repeats: Repeats,
    links: &dyn Links,
    path: &Path,
) -> Result<Vec<Value>, SarifError> {
    let mut seen = HashSet::new();
    let mut tidied = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let path = path.index(position);
        let item = tidy_record(as_object(item, &path)?, record, links, &path)?;
        match (repeats, item) {
            // Others may count on the position of an element, even of one that is empty now.
            (Repeats::Kept, item) => tidied.push(Value::Object(item.unwrap_or_default())),
            (Repeats::Dropped, None) => {}
            (Repeats::Dropped, Some(item)) => {
                let item = Value::Object(item);
                if items.len() == 1 || seen.insert(item.to_string()) {
                    tidied.push(item);
                }
            }
        }
    }
    Ok(tidied)
}

fn tidy_map(
    object: &Object,
    record: &Record,
    links: &dyn Links,
    path: &Path,
) -> Result<Option<Value>, SarifError> {
    let mut tidied = Object::new();
    for (key, value) in object {
        let path = path.key(key);
        if let Some(value) = tidy_record(as_object(value, &path)?, record, links, &path)? {
            tidied.insert(key.clone(), Value::Object(value));
        }
    }
    Ok((!tidied.is_empty()).then_some(Value::Object(tidied)))
}

/// A property bag without null and empty `tags`, and with each tag once.
fn tidy_bag(bag: &Object, path: &Path) -> Result<Option<Object>, SarifError> {
    let mut tidied = bag.clone();
    if tidied.contains_key("tags") {
        let mut tags = strings(bag, "tags", path)?;
        tags.sort_unstable();
        tags.dedup();
        tidied.remove("tags");
        if !tags.is_empty() {
            tidied.insert("tags".to_owned(), Value::from(tags));
        }
    }
    Ok((!tidied.is_empty()).then_some(tidied))
}

fn some_texts(texts: Vec<&str>) -> Option<Value> {
    (!texts.is_empty()).then(|| Value::from(texts))
}

/// The form of GUID the schema of the standard allows.
fn is_guid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, &byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => (b'1'..=b'5').contains(&byte),
            19 => matches!(byte, b'8' | b'9' | b'a' | b'A' | b'b' | b'B'),
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::super::shape;
    use super::*;
    use serde_json::json;

    fn tidied(value: Value, shape: &Shape) -> Result<Option<Value>, String> {
        tidy(&value, shape, &Unlinked, &Path::Root).map_err(|error| error.to_string())
    }

    #[test]
    fn keeps_what_the_standard_defines() {
        let locations = json!([
            {"id": 1, "color": "red", "physicalLocation": {
                "artifactLocation": {"uri": "a b", "index": 7, "x": 1},
                "region": {"startLine": 3, "startColumn": 0, "snippet": {}}}},
            {"physicalLocation": {"region": {"startLine": 1}}},
        ]);
        let kept = json!([
            {"id": 1, "physicalLocation": {
                "artifactLocation": {"uri": "a%20b"},
                "region": {"startLine": 3, "snippet": {}}}},
            {},
        ]);
        assert_eq!(tidied(locations, &shape::LOCATIONS), Ok(Some(kept.clone())));
        assert_eq!(tidied(kept.clone(), &shape::LOCATIONS), Ok(Some(kept)));
    }

    #[test]
    fn names_the_fault() {
        let flow = |location: Value| json!([{"threadFlows": [{"locations": [location]}]}]);
        let flows = &shape::CARRIED[0].1;
        for (value, fault) in [
            (json!({}), "$: must be an array, not an object"),
            (json!([{}]), "$[0].threadFlows: is missing or empty"),
            (
                json!([{"threadFlows": []}]),
                "$[0].threadFlows: is missing or empty",
            ),
            (
                flow(json!({"importance": "big"})),
                "$[0].threadFlows[0].locations[0].importance: \"big\" is not one of important, \
                 essential, unimportant",
            ),
            (
                flow(json!({"kinds": ["a", 1]})),
                "$[0].threadFlows[0].locations[0].kinds[1]: must be a string, not a number",
            ),
            (
                flow(json!({"location": {"annotations": [{"startLine": 0}]}})),
                "$[0].threadFlows[0].locations[0].location.annotations[0].startLine: 0 is no line \
                 number",
            ),
        ] {
            assert_eq!(tidied(value, flows), Err(fault.to_owned()));
        }
    }

    #[test]
    fn drops_repeats_where_they_are_not_allowed() {
        let twice = json!([{"kind": "external", "x": 1}, {"kind": "external", "x": 2}]);
        assert_eq!(
            tidied(twice, &shape::SUPPRESSIONS),
            Ok(Some(json!([{"kind": "external"}])))
        );
        let bag = json!([{"kind": "inSource", "properties": {"tags": ["b", "a", "b"]}}]);
        assert_eq!(
            tidied(bag, &shape::SUPPRESSIONS),
            Ok(Some(
                json!([{"kind": "inSource", "properties": {"tags": ["a", "b"]}}])
            ))
        );
    }

    #[test]
    fn guids() {
        assert!(is_guid("11111111-1111-4111-8111-111111111111"));
        assert!(!is_guid("11111111-1111-4111-8111-11111111111"));
        assert!(!is_guid("11111111-1111-7111-8111-111111111111"));
        assert!(!is_guid("11111111x1111-4111-8111-111111111111"));
    }
}
