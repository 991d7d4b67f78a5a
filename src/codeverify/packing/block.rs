//! Rows of a table as a segment holds them.
//!
//! The first column of the segment has the manifest in its first row and nothing else: whose rows they are and what
//! the columns are, so that the checksum is over that too. A column of few values takes two: one has each value where
//! it comes first, the other its number, in a byte, in every row that has one.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codeverify::segment::{self, Column, Error};

/// Most values of a column that are numbered.
const MAX_NUMBERED: usize = 256;

/// How the values of a type are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Uuid,
    Bool,
    Int2,
    Int4,
    Int8,
    /// Days since 2000, as stored.
    Date,
    /// Microseconds since 2000, as stored.
    Timestamp,
    Timestamptz,
    Text,
    Bytea,
    /// As text, which gives the same jsonb when it is read again.
    Jsonb,
    /// What the type's output function gives.
    Form,
}

impl Kind {
    /// A column without rows.
    pub fn empty(self) -> Column {
        match self {
            Kind::Uuid => Column::Uuid(Vec::new()),
            Kind::Bool | Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Date => {
                Column::Int64(Vec::new())
            }
            Kind::Timestamp | Kind::Timestamptz => Column::Timestamp(Vec::new()),
            Kind::Text | Kind::Jsonb => Column::Text(Vec::new()),
            Kind::Bytea | Kind::Form => Column::Bytes(Vec::new()),
        }
    }

    /// Whether its numbers say in which range the rows are.
    pub fn is_integer(self) -> bool {
        matches!(self, Kind::Int2 | Kind::Int4 | Kind::Int8)
    }
}

/// A column of a table that was packed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedColumn {
    pub name: String,
    /// As `format_type` gives it, with its schema.
    #[serde(rename = "type")]
    pub type_name: String,
    pub kind: Kind,
}

/// Rows that were packed together.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub org_id: Option<Uuid>,
    pub columns: Vec<PackedColumn>,
    /// One for each of the columns.
    pub values: Vec<Column>,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    org_id: Option<Uuid>,
    columns: Vec<PackedColumn>,
    /// For each of the columns, whether it is numbered.
    numbered: Vec<bool>,
}

impl Block {
    pub fn rows(&self) -> usize {
        self.values.first().map_or(0, Column::len)
    }

    /// Values of the column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let place = self.columns.iter().position(|column| column.name == name)?;
        self.values.get(place)
    }

    /// Packs the rows.
    pub fn pack(&self) -> Result<Vec<u8>, Error> {
        let rows = self.rows();
        if rows == 0 || self.values.len() != self.columns.len() {
            return Err(Error::UnevenColumns);
        }
        let mut packed = vec![Column::Text(vec![None; rows])];
        let mut numbered = Vec::with_capacity(self.columns.len());
        for values in &self.values {
            match number(values) {
                Some((firsts, numbers)) => {
                    packed.extend([firsts, numbers]);
                    numbered.push(true);
                }
                None => {
                    packed.push(values.clone());
                    numbered.push(false);
                }
            }
        }
        let manifest = serde_json::to_string(&Manifest {
            org_id: self.org_id,
            columns: self.columns.clone(),
            numbered,
        })
        .map_err(|_| Error::Malformed)?;
        if let Some(Column::Text(texts)) = packed.first_mut() {
            texts[0] = Some(manifest);
        }
        segment::pack(&packed)
    }

    /// Unpacks rows and checks all that the segment says of them.
    pub fn unpack(content: &[u8]) -> Result<Block, Error> {
        let mut packed = segment::unpack(content)?.columns.into_iter();
        let Some(Column::Text(manifest)) = packed.next() else {
            return Err(Error::Malformed);
        };
        let rows = manifest.len();
        let mut manifest = manifest.into_iter();
        let text = manifest.next().flatten().ok_or(Error::Malformed)?;
        if manifest.any(|text| text.is_some()) {
            return Err(Error::Malformed);
        }
        let manifest: Manifest = serde_json::from_str(&text).map_err(|_| Error::Malformed)?;
        if manifest.numbered.len() != manifest.columns.len() {
            return Err(Error::Malformed);
        }
        let mut values = Vec::with_capacity(manifest.columns.len());
        for (column, numbered) in manifest.columns.iter().zip(manifest.numbered) {
            let first = packed.next().ok_or(Error::Malformed)?;
            let column_values = if numbered {
                let numbers = packed.next().ok_or(Error::Malformed)?;
                look_up(first, &numbers)?
            } else {
                first
            };
            let is_of_kind = column_values.column_type() == column.kind.empty().column_type();
            if !is_of_kind || column_values.len() != rows {
                return Err(Error::Malformed);
            }
            values.push(column_values);
        }
        if packed.next().is_some() {
            return Err(Error::Malformed);
        }
        Ok(Block {
            org_id: manifest.org_id,
            columns: manifest.columns,
            values,
        })
    }
}

/// The values where they come first, and their numbers; None where there are too many, or numbers are no shorter.
fn number(values: &Column) -> Option<(Column, Column)> {
    match values {
        Column::Uuid(values) => {
            number_each(values).map(|(firsts, numbers)| (Column::Uuid(firsts), numbers))
        }
        Column::Text(values) => {
            number_each(values).map(|(firsts, numbers)| (Column::Text(firsts), numbers))
        }
        Column::Bytes(values) => {
            number_each(values).map(|(firsts, numbers)| (Column::Bytes(firsts), numbers))
        }
        Column::Int64(_) | Column::Timestamp(_) => None,
    }
}

fn number_each<T: Clone + Eq + Hash>(values: &[Option<T>]) -> Option<(Vec<Option<T>>, Column)> {
    let mut known: HashMap<&T, u8> = HashMap::new();
    let mut firsts = Vec::with_capacity(values.len());
    let mut numbers = Vec::with_capacity(values.len());
    for value in values {
        let Some(value) = value else {
            firsts.push(None);
            numbers.push(None);
            continue;
        };
        let number = if let Some(number) = known.get(value) {
            firsts.push(None);
            *number
        } else {
            if known.len() == MAX_NUMBERED {
                return None;
            }
            let number = u8::try_from(known.len()).ok()?;
            known.insert(value, number);
            firsts.push(Some(value.clone()));
            number
        };
        numbers.push(Some(vec![number]));
    }
    (known.len() < values.len().div_ceil(2)).then_some((firsts, Column::Bytes(numbers)))
}

fn look_up(firsts: Column, numbers: &Column) -> Result<Column, Error> {
    let Column::Bytes(numbers) = numbers else {
        return Err(Error::Malformed);
    };
    match firsts {
        Column::Uuid(firsts) => look_up_each(firsts, numbers).map(Column::Uuid),
        Column::Text(firsts) => look_up_each(firsts, numbers).map(Column::Text),
        Column::Bytes(firsts) => look_up_each(firsts, numbers).map(Column::Bytes),
        Column::Int64(_) | Column::Timestamp(_) => Err(Error::Malformed),
    }
}

fn look_up_each<T: Clone>(
    firsts: Vec<Option<T>>,
    numbers: &[Option<Vec<u8>>],
) -> Result<Vec<Option<T>>, Error> {
    if firsts.len() != numbers.len() {
        return Err(Error::Malformed);
    }
    let mut known: Vec<T> = Vec::new();
    firsts
        .into_iter()
        .zip(numbers)
        .map(|(first, number)| {
            let is_first = first.is_some();
            known.extend(first);
            match number.as_deref() {
                None if is_first => Err(Error::Malformed),
                None => Ok(None),
                Some([number]) if !is_first || usize::from(*number) + 1 == known.len() => known
                    .get(usize::from(*number))
                    .cloned()
                    .map(Some)
                    .ok_or(Error::Malformed),
                Some(_) => Err(Error::Malformed),
            }
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    const KINDS: [Kind; 12] = [
        Kind::Uuid,
        Kind::Bool,
        Kind::Int2,
        Kind::Int4,
        Kind::Int8,
        Kind::Date,
        Kind::Timestamp,
        Kind::Timestamptz,
        Kind::Text,
        Kind::Bytea,
        Kind::Jsonb,
        Kind::Form,
    ];

    fn values(kind: Kind, rows: usize) -> BoxedStrategy<Column> {
        match kind.empty() {
            Column::Uuid(_) => vec(option::of(0_u128..9), rows)
                .prop_map(|ids| {
                    Column::Uuid(ids.into_iter().map(|id| id.map(Uuid::from_u128)).collect())
                })
                .boxed(),
            Column::Int64(_) => vec(option::of(any::<i64>()), rows)
                .prop_map(Column::Int64)
                .boxed(),
            Column::Timestamp(_) => vec(option::of(any::<i64>()), rows)
                .prop_map(Column::Timestamp)
                .boxed(),
            Column::Text(_) => prop_oneof![
                vec(option::of(".{0,12}"), rows),
                vec(option::of("[ab]"), rows)
            ]
            .prop_map(Column::Text)
            .boxed(),
            Column::Bytes(_) => vec(option::of(vec(any::<u8>(), 0..3)), rows)
                .prop_map(Column::Bytes)
                .boxed(),
        }
    }

    fn block() -> impl Strategy<Value = Block> {
        (
            option::of(any::<u128>()),
            vec((".{0,8}", proptest::sample::select(&KINDS[..])), 1..6),
            1_usize..60,
        )
            .prop_flat_map(|(org_id, columns, rows)| {
                let each: Vec<_> = columns
                    .iter()
                    .map(|(_, kind)| values(*kind, rows))
                    .collect();
                each.prop_map(move |values| Block {
                    org_id: org_id.map(Uuid::from_u128),
                    columns: columns
                        .iter()
                        .map(|(name, kind)| PackedColumn {
                            name: name.clone(),
                            type_name: "pg_catalog.whatever".to_owned(),
                            kind: *kind,
                        })
                        .collect(),
                    values,
                })
            })
    }

    /// Lines of a few levels and hosts.
    pub fn lines(rows: usize) -> Block {
        let column = |name: &str, kind| PackedColumn {
            name: name.to_owned(),
            type_name: "text".to_owned(),
            kind,
        };
        Block {
            org_id: Some(Uuid::from_u128(7)),
            columns: vec![
                column("id", Kind::Int8),
                column("service_id", Kind::Uuid),
                column("level", Kind::Text),
            ],
            values: vec![
                Column::Int64((0..rows as i64).map(Some).collect()),
                Column::Uuid(
                    (0..rows)
                        .map(|row| (row % 5 > 0).then(|| Uuid::from_u128((row % 5) as u128)))
                        .collect(),
                ),
                Column::Text(
                    (0..rows)
                        .map(|row| Some(["info", "warn", "error"][row * row % 3].to_owned()))
                        .collect(),
                ),
            ],
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(block in block()) {
            let content = block.pack().expect("to pack");
            prop_assert_eq!(Block::unpack(&content).expect("to unpack"), block);
        }

        #[test]
        fn numbers_give_their_values_or_nothing(
            firsts in vec(option::of(0_u8..4), 0..12),
            numbers in vec(option::of(vec(0_u8..4, 0..3)), 0..12),
        ) {
            if let Ok(values) = look_up_each(firsts.clone(), &numbers) {
                prop_assert_eq!(values.len(), firsts.len());
            }
        }
    }

    #[test]
    fn few_values_cost_little() {
        let block = lines(10_000);
        assert!(block.pack().expect("to pack").len() < 10_000);
    }

    #[test]
    fn every_flipped_bit_is_an_error_or_changes_nothing() {
        let block = lines(40);
        let content = block.pack().expect("to pack");
        for place in 0..content.len() {
            for bit in 0..8 {
                let mut damaged = content.clone();
                damaged[place] ^= 1 << bit;
                if let Ok(read) = Block::unpack(&damaged) {
                    assert_eq!(read, block, "bit {bit} of byte {place}");
                }
            }
        }
    }

    #[test]
    fn a_segment_of_the_ledger_is_none_of_rows() {
        let content = segment::pack(&[Column::Int64(vec![Some(1)])]).expect("to pack");
        assert_eq!(Block::unpack(&content), Err(Error::Malformed));
    }

    #[test]
    fn nothing_is_not_packed() {
        let mut block = lines(3);
        block.values.pop();
        assert_eq!(block.pack(), Err(Error::UnevenColumns));
        assert_eq!(lines(0).pack(), Err(Error::UnevenColumns));
    }
}
