//! The arguments of the capture triggers: which columns audits.track() was told to redact and which it was
//! told to name a row by. They are text in the catalog, so a dump carries them.
//!
//! Each is `redact=3:notes` or `key=1:id`, with the column's number and its name. The name is what counts
//! (a restore numbers columns anew); where no column has it any more, the number follows one that was renamed.

/// A column that an argument names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub number: i16,
    pub name: String,
}

/// All arguments of a trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    pub redact: Vec<Named>,
    /// Empty for the primary key.
    pub key: Vec<Named>,
}

impl Arguments {
    /// What is not an argument of ours is passed over.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Arguments {
        let mut arguments = Arguments::default();
        for text in texts {
            let Some((kind, column)) = text.split_once('=') else {
                continue;
            };
            let Some((number, name)) = column.split_once(':') else {
                continue;
            };
            let list = match kind {
                "redact" => &mut arguments.redact,
                "key" => &mut arguments.key,
                _ => continue,
            };
            list.push(Named {
                number: number.parse().unwrap_or(0),
                name: name.to_owned(),
            });
        }
        arguments
    }
}

/// Which of a table's columns (number and name of each) an argument means, if it still has one.
pub fn find(named: &Named, columns: &[(i16, &str)]) -> Option<usize> {
    columns
        .iter()
        .position(|(_, name)| *name == named.name)
        .or_else(|| {
            columns
                .iter()
                .position(|(number, _)| *number == named.number)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read() {
        let arguments = Arguments::parse([
            "redact=3:notes",
            "key=1:id",
            "redact=12:a=b:c",
            "nonsense",
            "x=1:y",
            "key=2",
        ]);
        let named = |number, name: &str| Named {
            number,
            name: name.to_owned(),
        };
        assert_eq!(arguments.redact, [named(3, "notes"), named(12, "a=b:c")]);
        assert_eq!(arguments.key, [named(1, "id")]);
        assert_eq!(Arguments::parse([]), Arguments::default());
    }

    #[test]
    fn a_column_is_found_by_name_and_followed_when_it_was_renamed() {
        let notes = Named {
            number: 3,
            name: "notes".to_owned(),
        };
        assert_eq!(
            find(&notes, &[(1, "id"), (2, "notes"), (3, "other")]),
            Some(1)
        );
        assert_eq!(find(&notes, &[(1, "id"), (3, "remarks")]), Some(1));
        assert_eq!(find(&notes, &[(1, "id"), (2, "other")]), None);
    }
}
