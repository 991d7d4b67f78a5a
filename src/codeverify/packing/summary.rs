//! What the rows of a segment have in common, by which a reader skips it.

use std::collections::BTreeSet;

use serde_json::{json, Map, Value};

use super::block::Block;
use crate::codeverify::segment::Column;

/// Most values of a column that are listed, and most bytes that they have together.
const MAX_VALUES: usize = 32;
const MAX_BYTES: usize = 2_000;

/// For each column of few values `{"in": […]}`, for each integer column `{"min": …, "max": …}`.
pub fn summarize(block: &Block) -> Value {
    let columns = block.columns.iter().zip(&block.values);
    let parts = columns.filter_map(|(column, values)| {
        let part = match values {
            Column::Uuid(values) => list(values.iter().map(|id| id.map(|id| id.to_string()))),
            Column::Text(values) => list(values.iter().cloned()),
            Column::Int64(values) if column.kind.is_integer() => range(values),
            Column::Int64(_) | Column::Timestamp(_) | Column::Bytes(_) => None,
        }?;
        Some((column.name.clone(), part))
    });
    Value::Object(parts.collect::<Map<String, Value>>())
}

fn list(values: impl Iterator<Item = Option<String>>) -> Option<Value> {
    let mut known: BTreeSet<Option<String>> = BTreeSet::new();
    let mut bytes = 0_usize;
    for value in values {
        if known.contains(&value) {
            continue;
        }
        bytes = bytes.saturating_add(value.as_ref().map_or(0, String::len));
        if known.len() == MAX_VALUES || bytes > MAX_BYTES {
            return None;
        }
        known.insert(value);
    }
    Some(json!({ "in": known }))
}

fn range(values: &[Option<i64>]) -> Option<Value> {
    let min = values.iter().flatten().min()?;
    let max = values.iter().flatten().max()?;
    Some(json!({ "min": min, "max": max }))
}

#[cfg(test)]
mod tests {
    use super::super::block::tests::lines;
    use super::*;

    #[test]
    fn few_values_are_listed_and_numbers_have_a_range() {
        let summary = summarize(&lines(10));
        assert_eq!(summary["id"], json!({ "min": 0, "max": 9 }));
        assert_eq!(summary["level"], json!({ "in": ["info", "warn"] }));
        assert_eq!(
            summary["service_id"]["in"].as_array().map(Vec::len),
            Some(5)
        );
        assert_eq!(summary["service_id"]["in"][0], Value::Null);
    }

    #[test]
    fn many_values_are_not() {
        let texts = (0..100).map(|n| Some(n.to_string()));
        assert_eq!(list(texts), None);
        let long = (0..3).map(|n| Some(n.to_string().repeat(1_000)));
        assert_eq!(list(long), None);
        assert_eq!(range(&[None, None]), None);
    }
}
