//! How far a change of the key has come, as a text that its caller passes on from call to call.

use std::fmt;

use uuid::Uuid;

use super::columns::{Column, COLUMNS};

/// A secret, behind which the work goes on: columns in the order of COLUMNS, each by the key of its rows.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The place of its column in COLUMNS.
    pub place: usize,
    pub row: Uuid,
}

impl Position {
    /// Before all secrets.
    pub const START: Position = Position {
        place: 0,
        row: Uuid::nil(),
    };

    /// The columns that are left, each with the row behind which its secrets are.
    pub fn rest(self) -> impl Iterator<Item = (usize, &'static Column, Uuid)> {
        COLUMNS
            .iter()
            .enumerate()
            .skip(self.place)
            .map(move |(place, column)| {
                let row = if place == self.place {
                    self.row
                } else {
                    Uuid::nil()
                };
                (place, *column, row)
            })
    }

    /// None for what no call has returned.
    pub fn parse(text: &str) -> Option<Position> {
        let (name, row) = text.split_once(' ')?;
        Some(Position {
            place: COLUMNS.iter().position(|column| column.name == name)?,
            row: Uuid::try_parse(row).ok()?,
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let name = COLUMNS.get(self.place).map_or("", |column| column.name);
        write!(f, "{name} {}", self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rest_begins_behind_the_row() {
        let row = Uuid::from_u128(7);
        let rest: Vec<_> = Position { place: 1, row }
            .rest()
            .map(|(place, column, row)| (place, column.name, row))
            .collect();
        assert_eq!(rest[0], (1, COLUMNS[1].name, row));
        assert_eq!(rest[1], (2, COLUMNS[2].name, Uuid::nil()));
        assert_eq!(rest.len(), COLUMNS.len() - 1);
        assert_eq!(Position::START.rest().count(), COLUMNS.len());
    }

    #[test]
    fn nothing_else_is_a_position() {
        for text in [
            "",
            " ",
            "auth.users.totp_secret",
            "auth.users.totp_secret ",
            "auth.users.email 00000000-0000-0000-0000-000000000000",
            "auth.users.totp_secret x",
        ] {
            assert!(Position::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn positions_survive_the_journey(place in 0..COLUMNS.len(), row: u128) {
            let text = Position { place, row: Uuid::from_u128(row) }.to_string();
            let parsed = Position::parse(&text).expect("a position");
            prop_assert_eq!((parsed.place, parsed.row.as_u128()), (place, row));
        }

        #[test]
        fn any_text_can_be_read(text: String) {
            Position::parse(&text);
        }
    }
}
