//! What must hold for a whole log before any of it is read.

use serde_json::map::Iter as Members;
use serde_json::Value;
use std::iter::Enumerate;
use std::slice::Iter as Items;

use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::pace::Pace;
use crate::analysis::sarif::path::Path;

/// As deep as serde_json parses. Deeper values could only have been built, not parsed, and
/// everything that walks them by recursion (cloning, too) would run out of stack.
const DEEPEST: usize = 128;

/// Values between two calls of `interrupt`.
const VALUES: usize = 1 << 16;

enum Children<'v> {
    Items(Enumerate<Items<'v, Value>>),
    Members(Members<'v>),
}

#[derive(Clone, Copy)]
enum Step<'v> {
    Index(usize),
    Key(&'v str),
}

/// Refuses U+0000 in any string or key, which PostgreSQL cannot store, and excessive depth.
pub fn check(log: &Value, interrupt: &mut dyn FnMut()) -> Result<(), SarifError> {
    // open[n] yields the children of the value that steps[..n] leads to.
    let mut open: Vec<Children> = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut pace = Pace::new(VALUES, interrupt);
    let mut next = Some(log);
    while let Some(value) = next {
        pace.step();
        match value {
            Value::String(text) if has_nul(text) => {
                return Err(fault(&steps, "contains the character U+0000"))
            }
            Value::Array(items) => open.push(Children::Items(items.iter().enumerate())),
            Value::Object(members) => open.push(Children::Members(members.iter())),
            _ => {}
        }
        if open.len() > DEEPEST {
            let problem = format!("is nested more than {DEEPEST} levels deep");
            return Err(fault(&steps, problem));
        }
        next = advance(&mut open, &mut steps)?;
    }
    Ok(())
}

/// The next value in document order, with `steps` leading to it.
fn advance<'v>(
    open: &mut Vec<Children<'v>>,
    steps: &mut Vec<Step<'v>>,
) -> Result<Option<&'v Value>, SarifError> {
    while let Some(children) = open.last_mut() {
        let child = match children {
            Children::Items(items) => items.next().map(|(i, value)| (Step::Index(i), value)),
            Children::Members(members) => members
                .next()
                .map(|(key, value)| (Step::Key(key.as_str()), value)),
        };
        steps.truncate(open.len() - 1);
        match child {
            Some((step, value)) => {
                steps.push(step);
                return match step {
                    Step::Key(key) if has_nul(key) => {
                        Err(fault(steps, "has the character U+0000 in its name"))
                    }
                    _ => Ok(Some(value)),
                };
            }
            None => {
                open.pop();
            }
        }
    }
    Ok(None)
}

fn has_nul(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

fn fault(steps: &[Step], problem: impl Into<String>) -> SarifError {
    fn descend(path: &Path, steps: &[Step], problem: String) -> SarifError {
        match steps.split_first() {
            None => path.error(problem),
            Some((Step::Index(index), rest)) => descend(&path.index(*index), rest, problem),
            Some((Step::Key(key), rest)) => descend(&path.key(key), rest, problem),
        }
    }
    descend(&Path::Root, steps, problem.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault_of(log: &Value) -> String {
        check(log, &mut || {}).unwrap_err().to_string()
    }

    #[test]
    fn finds_nul_with_its_path() {
        let log = json!({"a": [1, {"b": [], "c": "x\u{0}y"}], "z": 1});
        assert_eq!(fault_of(&log), "$.a[1].c: contains the character U+0000");
        let log = json!([[], {}, {"k\u{0}": 1}]);
        assert_eq!(
            fault_of(&log),
            "$[2]['k\\u0000']: has the character U+0000 in its name"
        );
        assert!(check(&json!({"a": [[{}], "x", {"y": []}]}), &mut || {}).is_ok());
    }

    #[test]
    fn refuses_depth() {
        let mut deep = json!(1);
        for _ in 0..DEEPEST {
            deep = json!([deep]);
        }
        assert!(check(&deep, &mut || {}).is_ok());
        assert!(fault_of(&json!([deep])).ends_with("is nested more than 128 levels deep"));
    }

    #[test]
    fn lets_the_host_interrupt() {
        let mut calls = 0;
        check(&json!(vec![0; 200_000]), &mut || calls += 1).unwrap();
        assert_eq!(calls, 3);
    }
}
