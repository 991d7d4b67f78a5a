//! What follows a table's name in CREATE INDEX, as a set's closed indexes are given.
//!
//! `parse` is glue to the server's own parser; what is judged and named here imports no pgrx.

mod parse;
pub mod sql;

/// Longest label; with a partition's name, a name of 63 bytes.
const LABEL_BYTES: usize = 40;

/// What an expression may name with a schema: functions that run when the index is built, as the table's owner.
const TRUSTED_SCHEMAS: [&str; 1] = ["pg_catalog"];

/// What the parser found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Number of statements in the text.
    pub statements: usize,
    /// Whether the first is CREATE INDEX on the table that was put before the text.
    pub is_index: bool,
    pub has_tablespace: bool,
    pub keys: Vec<Key>,
    /// Qualified names of functions, operators, types and collations, by their parts.
    pub names: Vec<Vec<String>>,
}

/// A column or expression that is indexed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// In the order in which they are named.
    pub columns: Vec<String>,
    /// The function that an expression calls last.
    pub function: Option<String>,
}

impl Definition {
    /// What is wrong with it, in words; None when nothing is. `domains` are the extension's own schemas.
    pub fn fault(&self, domains: &[&str]) -> Option<String> {
        if self.statements != 1 || !self.is_index {
            return Some("it is not the rest of one CREATE INDEX".to_owned());
        }
        if self.has_tablespace {
            return Some("it names a tablespace".to_owned());
        }
        self.names
            .iter()
            .find(|parts| !is_trusted(parts, domains))
            .map(|parts| {
                format!(
                    "it uses {}, which is neither the server's nor codeverify's",
                    parts.join(".")
                )
            })
    }

    /// What an index of it is called after its table, without `_idx`.
    pub fn label(&self) -> String {
        let mut parts: Vec<&str> = Vec::new();
        for key in &self.keys {
            for column in &key.columns {
                if !parts.contains(&column.as_str()) {
                    parts.push(column);
                }
            }
            if key.columns.is_empty() {
                parts.push("expr");
            }
            if key
                .function
                .as_deref()
                .is_some_and(|function| function.ends_with("to_tsvector"))
            {
                parts.push("fts");
            }
        }
        let mut label = parts.join("_");
        while label.len() > LABEL_BYTES {
            label.pop();
        }
        label
    }
}

/// Without a schema a name is looked up in pg_catalog, which is all that the path has.
fn is_trusted(parts: &[String], domains: &[&str]) -> bool {
    let [schema, _name] = parts else {
        return parts.len() < 2;
    };
    TRUSTED_SCHEMAS
        .iter()
        .chain(domains)
        .any(|trusted| trusted == schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(keys: Vec<Key>) -> Definition {
        Definition {
            statements: 1,
            is_index: true,
            keys,
            ..Definition::default()
        }
    }

    fn key(columns: &[&str], function: Option<&str>) -> Key {
        Key {
            columns: columns.iter().map(ToString::to_string).collect(),
            function: function.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn labels_are_made_of_columns() {
        let label = |keys| index(keys).label();
        assert_eq!(
            label(vec![key(&["message"], Some("to_tsvector"))]),
            "message_fts"
        );
        assert_eq!(label(vec![key(&["meta_json"], None)]), "meta_json");
        assert_eq!(label(vec![key(&["a"], None), key(&["b"], None)]), "a_b");
        assert_eq!(label(vec![key(&["a", "b", "a"], Some("lower"))]), "a_b");
        assert_eq!(label(vec![key(&[], Some("random"))]), "expr");
    }

    #[test]
    fn long_labels_are_cut_between_characters() {
        let label = index(vec![key(&["\u{e4}".repeat(30).as_str()], None)]).label();
        assert_eq!(label, "\u{e4}".repeat(20));
        let label = index(vec![key(&["a\u{20ac}".repeat(20).as_str()], None)]).label();
        assert_eq!(label, "a\u{20ac}".repeat(10));
    }

    #[test]
    fn only_one_statement_is_taken() {
        assert_eq!(index(Vec::new()).fault(&[]), None);
        for (statements, is_index) in [(0, false), (1, false), (2, true)] {
            let definition = Definition {
                statements,
                is_index,
                ..Definition::default()
            };
            assert!(definition.fault(&[]).is_some());
        }
    }

    #[test]
    fn a_tablespace_is_refused() {
        let definition = Definition {
            has_tablespace: true,
            ..index(Vec::new())
        };
        assert!(definition.fault(&[]).is_some());
    }

    #[test]
    fn functions_of_others_are_refused() {
        let fault = |parts: &[&str]| {
            let definition = Definition {
                names: vec![parts.iter().map(ToString::to_string).collect()],
                ..index(Vec::new())
            };
            definition.fault(&["audits"])
        };
        assert_eq!(fault(&["to_tsvector"]), None);
        assert_eq!(fault(&["pg_catalog", "to_tsvector"]), None);
        assert_eq!(fault(&["audits", "entry_document"]), None);
        assert!(fault(&["public", "to_tsvector"]).is_some_and(|f| f.contains("public.to_tsvector")));
        assert!(fault(&["here", "pg_catalog", "lower"]).is_some());
    }
}
