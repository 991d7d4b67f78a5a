//! Walks a jsonb value as PostgreSQL stores it, without recursion and without a copy.
//!
//! A container is a word with flags and a count, then a word for each child with its type and its
//! length (or, in some, the offset of its end), then the children's data. An object has its keys
//! first, the shorter before the longer, then the values. All words are in the machine's byte order.
//! See src/include/utils/jsonb.h in PostgreSQL. The bytes are not trusted.

use std::cmp::Ordering;
use std::ops::Range;

use super::numeric::Numeric;
use super::writer::{Malformed, Writer};

const COUNT: u32 = 0x0FFF_FFFF;
const IS_SCALAR: u32 = 0x1000_0000;
const IS_OBJECT: u32 = 0x2000_0000;
const IS_ARRAY: u32 = 0x4000_0000;

const LENGTH: u32 = 0x0FFF_FFFF;
const TYPE: u32 = 0x7000_0000;
const HAS_OFFSET: u32 = 0x8000_0000;

const STRING: u32 = 0x0000_0000;
const NUMERIC: u32 = 0x1000_0000;
const FALSE: u32 = 0x2000_0000;
const TRUE: u32 = 0x3000_0000;
const NULL: u32 = 0x4000_0000;
const CONTAINER: u32 = 0x5000_0000;

const WORD: usize = size_of::<u32>();

/// A child of a container: its type and where its data is.
#[derive(Clone, Copy, Default)]
struct Child {
    kind: u32,
    start: u32,
    end: u32,
}

impl Child {
    fn of(self, root: &[u8]) -> &[u8] {
        &root[self.start as usize..self.end as usize]
    }
}

/// A container's children one after another.
#[derive(Clone, Copy)]
struct Children {
    /// Where the next child's word is.
    word: usize,
    left: usize,
    /// Where the data of all children is, and how far it has been given out.
    data: usize,
    given: usize,
    end: usize,
}

/// A container that has been entered and not yet left.
#[derive(Clone, Copy)]
enum Open {
    Array(Children),
    /// Its pairs that are still to come, and where they began.
    Object {
        first: usize,
        next: usize,
        end: usize,
    },
}

/// Most levels of nesting. PostgreSQL reads deeper values only while its stack lasts, which differs from call to
/// call: an entry that could be written must be readable ever after.
pub const DEEPEST: usize = 1_000;

/// The memory of a walk, to be used again.
#[derive(Default)]
pub struct Walker {
    open: Vec<Open>,
    /// Keys and values of the open objects, each object's in the order of the keys' bytes.
    pairs: Vec<(Child, Child)>,
}

impl Walker {
    /// Writes the value whose root container is `root`.
    pub fn walk(&mut self, root: &[u8], to: &mut Writer) -> Result<(), Malformed> {
        self.open.clear();
        self.pairs.clear();
        if u32::try_from(root.len()).is_err() {
            return Err(Malformed::TooLarge);
        }
        let (flags, mut children) = container(root, 0..root.len())?;
        if flags == IS_ARRAY | IS_SCALAR {
            let scalar = children.next(root)?;
            return match scalar {
                Some(scalar) if children.left == 0 && scalar.kind != CONTAINER => {
                    self.value(root, scalar, to)
                }
                _ => Err(Malformed::Corrupt("a scalar is not alone")),
            };
        }
        self.enter(root, 0..root.len(), to)?;
        while let Some(open) = self.open.last_mut() {
            let next = match open {
                Open::Array(children) => children.next(root)?,
                Open::Object { next, end, .. } if *next < *end => {
                    let (key, value) = self.pairs[*next];
                    *next += 1;
                    to.key(key.of(root))?;
                    Some(value)
                }
                Open::Object { first, .. } => {
                    self.pairs.truncate(*first);
                    None
                }
            };
            match next {
                Some(child) => self.value(root, child, to)?,
                None => {
                    self.open.pop();
                }
            }
        }
        Ok(())
    }

    /// Gives memory back if there is more than `kept`.
    pub fn shrink(&mut self, kept: usize) {
        if self.pairs.capacity() * size_of::<(Child, Child)>() > kept
            || self.open.capacity() * size_of::<Open>() > kept
        {
            *self = Walker::default();
        }
    }

    fn value(&mut self, root: &[u8], child: Child, to: &mut Writer) -> Result<(), Malformed> {
        match child.kind {
            STRING => to.string(child.of(root)),
            NUMERIC => {
                let number = Numeric::parse(child.of(root))?;
                to.number(number.longest(), |text| number.print(text))
            }
            FALSE => {
                to.boolean(false);
                Ok(())
            }
            TRUE => {
                to.boolean(true);
                Ok(())
            }
            NULL => {
                to.null();
                Ok(())
            }
            CONTAINER => self.enter(root, child.start as usize..child.end as usize, to),
            _ => Err(Malformed::Corrupt("a value has no known type")),
        }
    }

    fn enter(
        &mut self,
        root: &[u8],
        range: Range<usize>,
        to: &mut Writer,
    ) -> Result<(), Malformed> {
        if self.open.len() >= DEEPEST {
            return Err(Malformed::TooDeep);
        }
        let (flags, mut children) = container(root, range)?;
        match flags {
            IS_ARRAY => {
                to.array(children.left as u32);
                self.open.push(Open::Array(children));
            }
            IS_OBJECT => {
                let first = self.pairs.len();
                let count = children.left / 2;
                to.object(count as u32);
                for _ in 0..count {
                    let key = children.next(root)?.unwrap_or_default();
                    if key.kind != STRING {
                        return Err(Malformed::Corrupt("a key is not a string"));
                    }
                    self.pairs.push((key, Child::default()));
                }
                for (_, value) in &mut self.pairs[first..] {
                    *value = children.next(root)?.unwrap_or_default();
                }
                sort(root, &mut self.pairs[first..])?;
                let end = self.pairs.len();
                self.open.push(Open::Object {
                    first,
                    next: first,
                    end,
                });
            }
            _ => return Err(Malformed::Corrupt("a container has no known type")),
        }
        Ok(())
    }
}

impl Children {
    fn next(&mut self, root: &[u8]) -> Result<Option<Child>, Malformed> {
        if self.left == 0 {
            return Ok(None);
        }
        let word = word(root, self.word)?;
        let length = (word & LENGTH) as usize;
        let kind = word & TYPE;
        let mut start = self.given;
        let end = if word & HAS_OFFSET == 0 {
            start + length
        } else {
            length
        };
        if kind == NUMERIC || kind == CONTAINER {
            start = start.next_multiple_of(WORD);
        }
        if start > end || self.data + end > self.end {
            return Err(Malformed::Corrupt("a value reaches out of its container"));
        }
        self.word += WORD;
        self.left -= 1;
        self.given = end;
        Ok(Some(Child {
            kind,
            // walk() has seen to it that no offset needs more.
            start: (self.data + start) as u32,
            end: (self.data + end) as u32,
        }))
    }
}

/// The flags of the container at `range`, and its children.
fn container(root: &[u8], range: Range<usize>) -> Result<(u32, Children), Malformed> {
    let header = word(root, range.start)?;
    let flags = header & !COUNT;
    let count = (header & COUNT) as usize;
    let left = if flags == IS_OBJECT { 2 * count } else { count };
    let first = range.start + WORD;
    let data = first + left * WORD;
    if data > range.end {
        return Err(Malformed::Corrupt("a container is cut off"));
    }
    let children = Children {
        word: first,
        left,
        data,
        given: 0,
        end: range.end,
    };
    Ok((flags, children))
}

/// Puts pairs from the order that PostgreSQL stores, and looks them up by, into that of the bytes.
fn sort(root: &[u8], pairs: &mut [(Child, Child)]) -> Result<(), Malformed> {
    let key = |pair: &(Child, Child)| pair.0.of(root);
    let mut sorted = true;
    for two in pairs.windows(2) {
        let (one, other) = (key(&two[0]), key(&two[1]));
        let by_bytes = one.cmp(other);
        if one.len().cmp(&other.len()).then(by_bytes) != Ordering::Less {
            return Err(Malformed::Corrupt("an object's keys are out of order"));
        }
        sorted &= by_bytes == Ordering::Less;
    }
    if !sorted {
        pairs.sort_unstable_by(|one, other| key(one).cmp(key(other)));
    }
    Ok(())
}

fn word(root: &[u8], at: usize) -> Result<u32, Malformed> {
    root.get(at..)
        .and_then(<[u8]>::first_chunk)
        .map(|bytes| u32::from_ne_bytes(*bytes))
        .ok_or(Malformed::Corrupt("a container is cut off"))
}
