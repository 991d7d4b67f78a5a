//! The one place that knows what the encoding looks like.

use thiserror::Error;

/// What the encoding of an entry starts with, so that no other record of ours can pass for one.
pub const DOMAIN: &[u8] = b"codeverify.audit.entry";

/// The version of all that follows it.
pub const VERSION: u8 = 1;

/// Most bytes of an encoding. A number of ten bytes in jsonb can have a hundred thousand digits here: without a
/// limit, small entries would take those who verify them all the memory there is.
const LARGEST: usize = 1 << 24;

/// An entry that has no encoding.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    #[error("the jsonb value is corrupt: {0}")]
    Corrupt(&'static str),
    #[error("the entry is too large to encode")]
    TooLarge,
    #[error("the entry's payload is nested too deeply")]
    TooDeep,
}

/// The type of a field, and its tag.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Type {
    Uuid = 1,
    Int64 = 2,
    Timestamp = 3,
    Text = 4,
    Hash = 5,
    Jsonb = 6,
}

const PRESENT: u8 = 0;
const NULL: u8 = 1;

/// The type of a JSON value, and its tag.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Json {
    Null = 0,
    False = 1,
    True = 2,
    Number = 3,
    String = 4,
    Array = 5,
    Object = 6,
}

/// A buffer that the encoding is written to.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Forgets what was written and starts an entry, after a `prefix` that is not part of it.
    pub fn start(&mut self, prefix: u8) {
        self.bytes.clear();
        self.bytes.push(prefix);
        self.bytes.extend_from_slice(DOMAIN);
        self.bytes.push(VERSION);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives memory back if there is more than `kept`.
    pub fn shrink(&mut self, kept: usize) {
        if self.bytes.capacity() > kept {
            self.bytes = Vec::new();
        }
    }

    /// A field of any type but jsonb.
    pub fn field<T: AsRef<[u8]> + ?Sized>(
        &mut self,
        ordinal: u8,
        kind: Type,
        value: Option<&T>,
    ) -> Result<(), Malformed> {
        match value {
            None => {
                self.bytes.extend_from_slice(&[ordinal, kind as u8, NULL]);
                Ok(())
            }
            Some(value) => {
                self.bytes
                    .extend_from_slice(&[ordinal, kind as u8, PRESENT]);
                self.sized(value.as_ref())
            }
        }
    }

    /// A field of type jsonb, whose value `write` writes.
    pub fn jsonb_field(
        &mut self,
        ordinal: u8,
        write: impl FnOnce(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.bytes
            .extend_from_slice(&[ordinal, Type::Jsonb as u8, PRESENT]);
        self.measured(write)
    }

    pub fn null(&mut self) {
        self.bytes.push(Json::Null as u8);
    }

    pub fn boolean(&mut self, value: bool) {
        let tag = if value { Json::True } else { Json::False };
        self.bytes.push(tag as u8);
    }

    /// A number, whose text `write` appends: no more than `longest` bytes.
    pub fn number(
        &mut self,
        longest: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Malformed> {
        self.bytes.push(Json::Number as u8);
        self.reserve(longest)?;
        self.measured(|to| {
            write(&mut to.bytes);
            Ok(())
        })
    }

    pub fn string(&mut self, value: &[u8]) -> Result<(), Malformed> {
        self.bytes.push(Json::String as u8);
        self.sized(value)
    }

    /// The start of an array; its `count` elements follow.
    pub fn array(&mut self, count: u32) {
        self.bytes.push(Json::Array as u8);
        self.bytes.extend_from_slice(&count.to_be_bytes());
    }

    /// The start of an object; `count` keys follow in the order of their bytes, each with its value.
    pub fn object(&mut self, count: u32) {
        self.bytes.push(Json::Object as u8);
        self.bytes.extend_from_slice(&count.to_be_bytes());
    }

    pub fn key(&mut self, key: &[u8]) -> Result<(), Malformed> {
        self.sized(key)
    }

    /// A length and so many bytes.
    fn sized(&mut self, value: &[u8]) -> Result<(), Malformed> {
        self.reserve(value.len())?;
        // reserve() keeps every length below 2^32.
        self.bytes
            .extend_from_slice(&(value.len() as u32).to_be_bytes());
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    /// What `write` writes, after its length.
    fn measured(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let start = self.bytes.len() + size_of::<u32>();
        self.bytes.extend_from_slice(&[0; size_of::<u32>()]);
        write(self)?;
        let length = u32::try_from(self.bytes.len() - start).map_err(|_| Malformed::TooLarge)?;
        self.bytes[start - size_of::<u32>()..start].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Makes room, with an error where a Vec would end the process.
    fn reserve(&mut self, more: usize) -> Result<(), Malformed> {
        if self.bytes.len() + more > LARGEST || self.bytes.try_reserve(more + 64).is_err() {
            return Err(Malformed::TooLarge);
        }
        Ok(())
    }
}
