//! One column of a segment: its values and how they are written.

use uuid::Uuid;

use super::Error;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ColumnType {
    Uuid = 1,
    Int64 = 2,
    Timestamp = 3,
    Text = 4,
    Bytes = 5,
}

/// The values of a column; None is NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    Uuid(Vec<Option<Uuid>>),
    Int64(Vec<Option<i64>>),
    /// Microseconds from whatever epoch the writer counts from.
    Timestamp(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    pub fn column_type(&self) -> ColumnType {
        match self {
            Column::Uuid(_) => ColumnType::Uuid,
            Column::Int64(_) => ColumnType::Int64,
            Column::Timestamp(_) => ColumnType::Timestamp,
            Column::Text(_) => ColumnType::Text,
            Column::Bytes(_) => ColumnType::Bytes,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Column::Uuid(values) => values.len(),
            Column::Int64(values) | Column::Timestamp(values) => values.len(),
            Column::Text(values) => values.len(),
            Column::Bytes(values) => values.len(),
        }
    }
}

impl TryFrom<u8> for ColumnType {
    type Error = Error;

    fn try_from(tag: u8) -> Result<ColumnType, Error> {
        [
            ColumnType::Uuid,
            ColumnType::Int64,
            ColumnType::Timestamp,
            ColumnType::Text,
            ColumnType::Bytes,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == tag)
        .ok_or(Error::Malformed)
    }
}

/// The content of a segment while it is made.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn column(&mut self, column: &Column) {
        self.bytes.push(column.column_type() as u8);
        match column {
            Column::Uuid(values) => {
                self.values(values, |bytes, present| {
                    present.for_each(|value| bytes.extend_from_slice(value.as_bytes()));
                });
            }
            Column::Int64(values) | Column::Timestamp(values) => {
                self.values(values, |bytes, present| {
                    let mut before = 0_i64;
                    for &value in present {
                        write_varint(bytes, zigzag(value.wrapping_sub(before)));
                        before = value;
                    }
                });
            }
            Column::Text(values) => self.values(values, |bytes, present| {
                write_strings(bytes, present.map(|value| value.as_bytes()));
            }),
            Column::Bytes(values) => self.values(values, |bytes, present| {
                write_strings(bytes, present.map(|value| value.as_slice()));
            }),
        }
    }

    /// The NULLs, then what `write` makes of the rest, with its length before it.
    fn values<'a, T>(
        &mut self,
        values: &'a [Option<T>],
        write: impl FnOnce(&mut Vec<u8>, &mut dyn DoubleEndedIterator<Item = &'a T>),
    ) {
        let has_nulls = values.iter().any(Option::is_none);
        self.bytes.push(u8::from(has_nulls));
        if has_nulls {
            let mut bitmap = vec![0_u8; values.len().div_ceil(8)];
            for (row, value) in values.iter().enumerate() {
                if value.is_none() {
                    bitmap[row / 8] |= 1 << (row % 8);
                }
            }
            self.bytes.extend_from_slice(&bitmap);
        }
        let start = self.bytes.len() + 8;
        self.bytes.extend_from_slice(&[0; 8]);
        write(&mut self.bytes, &mut values.iter().flatten());
        let length = (self.bytes.len() - start) as u64;
        self.bytes[start - 8..start].copy_from_slice(&length.to_be_bytes());
    }
}

/// All lengths, then all contents: like stays with like, which is what zstd is good at.
fn write_strings<'a>(bytes: &mut Vec<u8>, present: impl Iterator<Item = &'a [u8]>) {
    let strings: Vec<&[u8]> = present.collect();
    for string in &strings {
        write_varint(bytes, string.len() as u64);
    }
    for string in strings {
        bytes.extend_from_slice(string);
    }
}

/// What is left to read of a segment's content.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(content: &'a [u8]) -> Reader<'a> {
        Reader { rest: content }
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn column(&mut self, rows: usize) -> Result<Column, Error> {
        let kind = ColumnType::try_from(self.byte()?)?;
        let presence = self.presence(rows)?;
        let present = presence.iter().filter(|present| **present).count();
        let length = self.chunk(8)?.try_into().map_or(0, u64::from_be_bytes);
        let length = usize::try_from(length).map_err(|_| Error::Malformed)?;
        let mut values = Reader::new(self.chunk(length)?);
        let column = match kind {
            ColumnType::Uuid => Column::Uuid(spread(&presence, values.uuids(present)?)),
            ColumnType::Int64 => Column::Int64(spread(&presence, values.integers(present)?)),
            ColumnType::Timestamp => {
                Column::Timestamp(spread(&presence, values.integers(present)?))
            }
            ColumnType::Text => {
                let texts = values
                    .strings(present)?
                    .into_iter()
                    .map(|string| String::from_utf8(string).map_err(|_| Error::Malformed))
                    .collect::<Result<Vec<String>, Error>>()?;
                Column::Text(spread(&presence, texts))
            }
            ColumnType::Bytes => Column::Bytes(spread(&presence, values.strings(present)?)),
        };
        if values.is_at_end() {
            Ok(column)
        } else {
            Err(Error::Malformed)
        }
    }

    /// For each row whether it has a value.
    fn presence(&mut self, rows: usize) -> Result<Vec<bool>, Error> {
        match self.byte()? {
            0 => Ok(vec![true; rows]),
            1 => {
                let bitmap = self.chunk(rows.div_ceil(8))?;
                let is_null = |row: usize| {
                    bitmap
                        .get(row / 8)
                        .is_some_and(|byte| byte >> (row % 8) & 1 == 1)
                };
                // Bits behind the last row stay unset.
                if (rows..bitmap.len() * 8).any(is_null) {
                    return Err(Error::Malformed);
                }
                Ok((0..rows).map(|row| !is_null(row)).collect())
            }
            _ => Err(Error::Malformed),
        }
    }

    fn uuids(&mut self, count: usize) -> Result<Vec<Uuid>, Error> {
        (0..count)
            .map(|_| Uuid::from_slice(self.chunk(16)?).map_err(|_| Error::Malformed))
            .collect()
    }

    fn integers(&mut self, count: usize) -> Result<Vec<i64>, Error> {
        let mut before = 0_i64;
        (0..count)
            .map(|_| {
                before = before.wrapping_add(unzigzag(self.varint()?));
                Ok(before)
            })
            .collect()
    }

    fn strings(&mut self, count: usize) -> Result<Vec<Vec<u8>>, Error> {
        let lengths = (0..count)
            .map(|_| usize::try_from(self.varint()?).map_err(|_| Error::Malformed))
            .collect::<Result<Vec<usize>, Error>>()?;
        lengths
            .into_iter()
            .map(|length| Ok(self.chunk(length)?.to_vec()))
            .collect()
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let (&first, rest) = self.rest.split_first().ok_or(Error::Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    fn chunk(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (chunk, rest) = self.rest.split_at_checked(length).ok_or(Error::Malformed)?;
        self.rest = rest;
        Ok(chunk)
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Error::Malformed);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::Malformed)
    }
}

/// Puts the values back on the rows that have one.
fn spread<T>(presence: &[bool], values: Vec<T>) -> Vec<Option<T>> {
    let mut values = values.into_iter();
    presence
        .iter()
        .map(|present| if *present { values.next() } else { None })
        .collect()
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
