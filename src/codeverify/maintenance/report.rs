//! What a run tells of what it did. Pure data: it travels from the worker to its caller as JSON.

use serde::{Deserialize, Serialize};

/// The run as a whole, among the tasks.
pub const RUN: &str = "maintain";

/// A row of codeverify.maintain().
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub task: String,
    pub target: String,
    pub action: String,
    pub detail: String,
    /// In microseconds.
    pub elapsed: i64,
}

impl Row {
    /// About the run as a whole.
    pub fn about_run(action: &str, detail: impl Into<String>) -> Row {
        Row {
            task: RUN.to_owned(),
            target: String::new(),
            action: action.to_owned(),
            detail: detail.into(),
            elapsed: 0,
        }
    }

    pub fn skipped() -> Row {
        Row::about_run("skipped", "maintenance of this database is running already")
    }
}

/// How much a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub steps: u64,
    pub failures: u64,
}

impl Tally {
    /// In words.
    pub fn describe(self) -> String {
        match self {
            Tally {
                steps: 0,
                failures: 0,
            } => "nothing was due".to_owned(),
            Tally { steps, failures } => {
                let s = if steps == 1 { "" } else { "s" };
                format!("{steps} step{s}, {failures} failed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_the_journey() {
        let row = Row {
            task: "clean_up".into(),
            target: "\"A b\".\"c\u{0}\u{1F600}\"".into(),
            action: "failed".into(),
            detail: "line\nbreak".repeat(10_000),
            elapsed: i64::MAX,
        };
        let bytes = serde_json::to_vec(&row).expect("JSON");
        assert_eq!(serde_json::from_slice::<Row>(&bytes).expect("a row"), row);
    }

    #[test]
    fn a_tally_is_told_in_words() {
        let tell = |steps, failures| Tally { steps, failures }.describe();
        assert_eq!(tell(0, 0), "nothing was due");
        assert_eq!(tell(1, 0), "1 step, 0 failed");
        assert_eq!(tell(0, 2), "0 steps, 2 failed");
    }
}
