//! When which database gets its maintenance from the background worker. Pure logic; times are microseconds.

/// Databases that can be named.
pub const MOST_DATABASES: usize = 64;

const SECOND: i64 = 1_000_000;

/// The first run after the server has started comes no later than this: earlier ones would be a storm where a server
/// crashes in them again and again.
const FIRST: i64 = 60 * SECOND;

/// The longest that failures put a run off, unless the interval itself is longer.
const LONGEST_REST: i64 = 3600 * SECOND;

/// What became of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went through, whatever steps failed.
    Ran,
    /// There is no extension, or there are no tables of it.
    NothingThere,
    /// It ended before, or could not connect.
    Failed,
}

/// A database and when it is next due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub database: String,
    pub due: i64,
    failures: u32,
    /// Whether it was said that there is nothing to maintain.
    was_told: bool,
}

impl Plan {
    /// Takes note of a worker's end. Whether it is to be said that there is nothing to maintain, which is said once.
    pub fn note(&mut self, outcome: Outcome, now: i64, interval: i64) -> bool {
        self.failures = match outcome {
            Outcome::Failed => self.failures.saturating_add(1),
            Outcome::Ran | Outcome::NothingThere => 0,
        };
        self.due = now.saturating_add(rest(interval, self.failures));
        let tells = outcome == Outcome::NothingThere && !self.was_told;
        match outcome {
            Outcome::NothingThere => self.was_told = true,
            Outcome::Ran => self.was_told = false,
            Outcome::Failed => {}
        }
        tells
    }
}

/// How long until the next run: twice as long after each failure.
fn rest(interval: i64, failures: u32) -> i64 {
    let longest = LONGEST_REST.max(interval);
    interval
        .saturating_mul(1_i64.checked_shl(failures.min(62)).unwrap_or(i64::MAX))
        .clamp(interval, longest)
}

/// The plans for the databases that the settings name: those that are known go on, but wait no longer than a new interval
/// asks for.
pub fn revise(plans: &[Plan], databases: Vec<String>, now: i64, interval: i64) -> Vec<Plan> {
    databases
        .into_iter()
        .take(MOST_DATABASES)
        .map(
            |database| match plans.iter().find(|plan| plan.database == database) {
                Some(plan) => Plan {
                    due: plan
                        .due
                        .min(now.saturating_add(rest(interval, plan.failures))),
                    ..plan.clone()
                },
                None => Plan {
                    database,
                    due: now.saturating_add(interval.min(FIRST)),
                    failures: 0,
                    was_told: false,
                },
            },
        )
        .collect()
}

/// How many workers may run at the same time: the server's processes are for others too.
pub fn share_of(max_worker_processes: i32) -> usize {
    usize::try_from(max_worker_processes / 4).map_or(1, |share| share.clamp(1, 2))
}

/// Reads a list of names as PostgreSQL writes them: separated by commas, folded to lower case unless in double quotes.
/// None when it is no such list.
pub fn parse_names(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = list.trim_start();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = rest
                    .find(|c: char| c == ',' || c.is_ascii_whitespace())
                    .unwrap_or(rest.len());
                (rest[..end].to_ascii_lowercase(), &rest[end..])
            }
        };
        if name.is_empty() || name.len() > 63 {
            return None;
        }
        if !names.contains(&name) {
            names.push(name);
        }
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(names);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// What is before the closing quote, in which two quotes are one; and what is after it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let at = rest.find('"')?;
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_000_000_000;
    const MINUTE: i64 = 60 * SECOND;

    fn plan(database: &str, interval: i64) -> Plan {
        revise(&[], vec![database.to_owned()], NOW, interval)
            .pop()
            .expect("a plan")
    }

    #[test]
    fn the_first_run_comes_soon_but_not_at_once() {
        assert_eq!(plan("a", SECOND).due, NOW + SECOND);
        assert_eq!(plan("a", 60 * MINUTE).due, NOW + FIRST);
    }

    #[test]
    fn failures_put_the_next_run_off() {
        let mut plan = plan("a", 10 * MINUTE);
        let dues: Vec<i64> = (0..5)
            .map(|_| {
                plan.note(Outcome::Failed, NOW, 10 * MINUTE);
                (plan.due - NOW) / MINUTE
            })
            .collect();
        assert_eq!(dues, [20, 40, 60, 60, 60]);
        plan.note(Outcome::Ran, NOW, 10 * MINUTE);
        assert_eq!(plan.due, NOW + 10 * MINUTE);
    }

    #[test]
    fn an_interval_that_is_longer_than_any_rest_is_kept() {
        let mut plan = plan("a", 100 * LONGEST_REST);
        plan.note(Outcome::Failed, NOW, 100 * LONGEST_REST);
        assert_eq!(plan.due, NOW + 100 * LONGEST_REST);
    }

    #[test]
    fn that_nothing_is_there_is_said_once() {
        let mut plan = plan("a", SECOND);
        let said: Vec<bool> = [
            Outcome::NothingThere,
            Outcome::NothingThere,
            Outcome::Failed,
            Outcome::NothingThere,
            Outcome::Ran,
            Outcome::NothingThere,
        ]
        .into_iter()
        .map(|outcome| plan.note(outcome, NOW, SECOND))
        .collect();
        assert_eq!(said, [true, false, false, false, false, true]);
    }

    #[test]
    fn new_settings_keep_what_is_known() {
        let mut old = revise(&[], vec!["a".into(), "b".into()], NOW, 60 * MINUTE);
        old[0].note(Outcome::Ran, NOW, 60 * MINUTE);
        let new = revise(&old, vec!["c".into(), "a".into()], NOW + 1, MINUTE);
        let names: Vec<&str> = new.iter().map(|plan| plan.database.as_str()).collect();
        assert_eq!(names, ["c", "a"]);
        assert_eq!(new[1].due, NOW + 1 + MINUTE);
        assert_eq!(
            revise(&new, vec!["a".into()], NOW + 2, MINUTE)[0].due,
            new[1].due
        );
    }

    #[test]
    fn the_share_is_one_or_two() {
        assert_eq!(share_of(0), 1);
        assert_eq!(share_of(8), 2);
        assert_eq!(share_of(100), 2);
    }

    #[test]
    fn lists_are_read_as_postgresql_reads_them() {
        let read = |list: &str| parse_names(list);
        let some = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        assert_eq!(read(""), some(&[]));
        assert_eq!(read("  "), some(&[]));
        assert_eq!(read("app"), some(&["app"]));
        assert_eq!(
            read(" App , \"App\",app, \"a \"\", b\" "),
            some(&["app", "App", "a \", b"])
        );
        for list in [
            ",",
            "a,",
            "a b",
            "\"",
            "\"a",
            "\"\"",
            "a,,b",
            &"x".repeat(64),
        ] {
            assert_eq!(read(list), None, "{list}");
        }
    }

    proptest! {
        #[test]
        fn names_survive_quoting(names in proptest::collection::btree_set("[^\0]{1,15}", 0..5)) {
            let list: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
            let read = parse_names(&list.join(" , "));
            prop_assert_eq!(read, Some(names.into_iter().collect::<Vec<_>>()));
        }

        #[test]
        fn no_list_is_too_odd(list in ".*") {
            let _ = parse_names(&list);
        }

        #[test]
        fn the_rest_grows_and_is_bounded(interval in 1..i64::MAX / 2, failures in 0..u32::MAX) {
            prop_assert!(rest(interval, failures) >= interval);
            prop_assert!(rest(interval, failures) <= interval.max(LONGEST_REST));
        }
    }
}
