//! A JSON value as a tree.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::audits::encoding::writer::{Malformed, Writer};

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// As numeric_out prints it.
    Number(String),
    String(String),
    Array(Vec<Value>),
    /// Strings are ordered by their bytes.
    Object(BTreeMap<String, Value>),
}

pub fn number(text: &str) -> Value {
    Value::Number(text.into())
}

pub fn string(text: &str) -> Value {
    Value::String(text.into())
}

pub fn array<const N: usize>(elements: [Value; N]) -> Value {
    Value::Array(elements.into())
}

pub fn object<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Object(pairs.map(|(key, value)| (key.into(), value)).into())
}

impl Value {
    pub fn write(&self, to: &mut Writer) -> Result<(), Malformed> {
        match self {
            Value::Null => to.null(),
            Value::Bool(value) => to.boolean(*value),
            Value::Number(text) => {
                to.number(text.len(), |bytes| bytes.extend_from_slice(text.as_bytes()))?
            }
            Value::String(text) => to.string(text.as_bytes())?,
            Value::Array(elements) => {
                to.array(elements.len() as u32);
                elements.iter().try_for_each(|element| element.write(to))?;
            }
            Value::Object(pairs) => {
                to.object(pairs.len() as u32);
                pairs.iter().try_for_each(|(key, value)| {
                    to.key(key.as_bytes())?;
                    value.write(to)
                })?;
            }
        }
        Ok(())
    }
}

pub fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "-[1-9][0-9]{0,20}|(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?".prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 100, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..40).prop_map(Value::Array),
            prop::collection::btree_map("[a-cé]{0,3}|\\PC{0,8}", inner, 0..40)
                .prop_map(Value::Object),
        ]
    })
}
