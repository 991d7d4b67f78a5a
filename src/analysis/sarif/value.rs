//! Typed access to members of a JSON object. A null member counts as absent; a member of the
//! wrong type is an error that names its path.

use serde_json::{Map, Value};

use super::error::SarifError;
use super::path::Path;

pub type Object = Map<String, Value>;

/// The member, unless it is absent or null.
pub fn member<'v>(object: &'v Object, key: &str) -> Option<&'v Value> {
    object.get(key).filter(|value| !value.is_null())
}

pub fn as_object<'v>(value: &'v Value, path: &Path) -> Result<&'v Object, SarifError> {
    value
        .as_object()
        .ok_or_else(|| mismatch(value, "an object", path))
}

pub fn as_array<'v>(value: &'v Value, path: &Path) -> Result<&'v [Value], SarifError> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(mismatch(other, "an array", path)),
    }
}

pub fn as_string<'v>(value: &'v Value, path: &Path) -> Result<&'v str, SarifError> {
    value
        .as_str()
        .ok_or_else(|| mismatch(value, "a string", path))
}

pub fn as_strings<'v>(value: &'v Value, path: &Path) -> Result<Vec<&'v str>, SarifError> {
    as_array(value, path)?
        .iter()
        .enumerate()
        .map(|(position, text)| as_string(text, &path.index(position)))
        .collect()
}

/// A whole number that fits a column of type integer; `5.0` counts as whole.
pub fn as_integer(value: &Value, path: &Path) -> Result<i32, SarifError> {
    let number = match value {
        Value::Number(number) => number,
        _ => return Err(mismatch(value, "an integer", path)),
    };
    let wide = match (number.as_i64(), number.as_f64()) {
        (Some(wide), _) => Some(wide),
        (None, Some(float)) if float.fract() != 0.0 => {
            return Err(path.error(format!("must be an integer, not {number}")))
        }
        (None, Some(float)) if float.abs() < 1e15 => Some(float as i64),
        _ => None,
    };
    wide.and_then(|wide| i32::try_from(wide).ok())
        .ok_or_else(|| path.error(format!("{number} is out of the range of an integer")))
}

pub fn string<'v>(
    object: &'v Object,
    key: &str,
    path: &Path,
) -> Result<Option<&'v str>, SarifError> {
    member(object, key)
        .map(|value| as_string(value, &path.key(key)))
        .transpose()
}

pub fn object<'v>(
    object: &'v Object,
    key: &str,
    path: &Path,
) -> Result<Option<&'v Object>, SarifError> {
    member(object, key)
        .map(|value| as_object(value, &path.key(key)))
        .transpose()
}

pub fn required_object<'v>(
    parent: &'v Object,
    key: &str,
    path: &Path,
) -> Result<&'v Object, SarifError> {
    object(parent, key, path)?.ok_or_else(|| path.key(key).error("is missing"))
}

/// The elements of an array member; none if it is absent.
pub fn array<'v>(object: &'v Object, key: &str, path: &Path) -> Result<&'v [Value], SarifError> {
    member(object, key).map_or(Ok(&[]), |value| as_array(value, &path.key(key)))
}

/// The elements of an array member that must be strings; none if it is absent.
pub fn strings<'v>(object: &'v Object, key: &str, path: &Path) -> Result<Vec<&'v str>, SarifError> {
    member(object, key).map_or(Ok(Vec::new()), |value| as_strings(value, &path.key(key)))
}

/// Calls `read` with each element of an array member, which must be an object, and its path.
pub fn each_object<'v>(
    object: &'v Object,
    key: &str,
    path: &Path,
    mut read: impl FnMut(&'v Object, &Path) -> Result<(), SarifError>,
) -> Result<(), SarifError> {
    let list_path = path.key(key);
    for (position, item) in array(object, key, path)?.iter().enumerate() {
        let path = list_path.index(position);
        read(as_object(item, &path)?, &path)?;
    }
    Ok(())
}

/// The strings in an array of whatever, for values that cannot be trusted to be valid.
pub fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str)
}

pub fn integer(object: &Object, key: &str, path: &Path) -> Result<Option<i32>, SarifError> {
    member(object, key)
        .map(|value| as_integer(value, &path.key(key)))
        .transpose()
}

/// An index into an array; -1, which the standard defines as "not set", is none.
pub fn index(object: &Object, key: &str, path: &Path) -> Result<Option<usize>, SarifError> {
    match integer(object, key, path)? {
        None | Some(-1) => Ok(None),
        Some(number) => usize::try_from(number)
            .map(Some)
            .map_err(|_| path.key(key).error(format!("{number} is not an index"))),
    }
}

/// A number between two bounds.
pub fn bounded(
    object: &Object,
    key: &str,
    bounds: (f64, f64),
    path: &Path,
) -> Result<Option<f64>, SarifError> {
    let Some(value) = member(object, key) else {
        return Ok(None);
    };
    let path = path.key(key);
    match value.as_f64() {
        None => Err(mismatch(value, "a number", &path)),
        Some(number) if number < bounds.0 || number > bounds.1 => {
            Err(path.error(format!("must be between {} and {}", bounds.0, bounds.1)))
        }
        number => Ok(number),
    }
}

/// A string out of a fixed list.
pub fn word(
    object: &Object,
    key: &str,
    words: &[&'static str],
    path: &Path,
) -> Result<Option<&'static str>, SarifError> {
    let Some(text) = string(object, key, path)? else {
        return Ok(None);
    };
    match words.iter().find(|word| **word == text) {
        Some(word) => Ok(Some(word)),
        None => Err(path.key(key).error(not_one_of(text, words))),
    }
}

pub fn not_one_of(text: &str, words: &[&str]) -> String {
    let shown: String = text.chars().take(60).collect();
    format!("{shown:?} is not one of {}", words.join(", "))
}

pub fn mismatch(value: &Value, wanted: &str, path: &Path) -> SarifError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    path.error(format!("must be {wanted}, not {found}"))
}

/// Sets a member unless the value says nothing: null, or an empty string, array or object.
pub fn put(object: &mut Object, key: &str, value: impl Into<Value>) {
    let value = value.into();
    let empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    if !empty {
        object.insert(key.to_owned(), value);
    }
}

/// Like [`put`] for a value that may be absent.
pub fn put_some(object: &mut Object, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(object, key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn int(value: Value) -> Result<i32, String> {
        as_integer(&value, &Path::Root).map_err(|e| e.problem)
    }

    #[test]
    fn integers_are_whole_and_fit() {
        assert_eq!(int(json!(5.0)), Ok(5));
        assert_eq!(int(json!(2147483647)), Ok(i32::MAX));
        assert_eq!(int(json!(-2147483648i64)), Ok(i32::MIN));
        for (value, problem) in [
            (
                json!(2147483648i64),
                "2147483648 is out of the range of an integer",
            ),
            (
                json!(u64::MAX),
                "18446744073709551615 is out of the range of an integer",
            ),
            (json!(1e300), "1e+300 is out of the range of an integer"),
            (json!(1.5), "must be an integer, not 1.5"),
            (json!("1"), "must be an integer, not a string"),
        ] {
            assert_eq!(int(value), Err(problem.to_owned()));
        }
    }

    #[test]
    fn null_is_absent_and_minus_one_is_no_index() {
        let log = json!({"a": null, "b": -1, "c": -2, "d": 3});
        let log = log.as_object().unwrap();
        assert_eq!(index(log, "a", &Path::Root), Ok(None));
        assert_eq!(index(log, "b", &Path::Root), Ok(None));
        assert_eq!(index(log, "d", &Path::Root), Ok(Some(3)));
        let error = index(log, "c", &Path::Root).unwrap_err();
        assert_eq!(error.to_string(), "$.c: -2 is not an index");
        assert_eq!(array(log, "a", &Path::Root).unwrap().len(), 0);
        assert!(array(log, "b", &Path::Root).is_err());
    }
}
