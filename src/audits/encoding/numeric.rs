//! PostgreSQL's numeric as stored, to the text that numeric_out prints.
//!
//! A varlena with a header of one or four bytes, then a word with sign and scale (and, in the short
//! form, the weight), in the long form a word with the weight, then digits to base 10000. All words
//! are in the machine's byte order. See src/backend/utils/adt/numeric.c in PostgreSQL.

use super::writer::Malformed;

const FORM: u16 = 0xC000;
const FORM_NEGATIVE: u16 = 0x4000;
const FORM_SHORT: u16 = 0x8000;
const FORM_SPECIAL: u16 = 0xC000;

const NAN: u16 = 0xC000;
const POSITIVE_INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_SCALE: u16 = 0x1F80;
const SHORT_SCALE_SHIFT: u32 = 7;
const SHORT_WEIGHT_NEGATIVE: u16 = 0x0040;
const SHORT_WEIGHT: u16 = 0x003F;
const LONG_SCALE: u16 = 0x3FFF;

const BASE: u16 = 10_000;
/// Decimal digits in one digit to base 10000.
const PLACES: usize = 4;

const CORRUPT: Malformed = Malformed::Corrupt("a number is damaged");

/// A number, checked, not yet printed.
pub enum Numeric<'a> {
    Special(&'static str),
    Finite {
        negative: bool,
        /// The power of the base that the first digit stands for.
        weight: i32,
        /// How many decimal places are printed.
        scale: usize,
        digits: &'a [[u8; 2]],
    },
}

impl<'a> Numeric<'a> {
    /// Reads a numeric at the start of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (words, rest) = body(bytes).ok_or(CORRUPT)?.as_chunks::<2>();
        let (&head, words) = words.split_first().ok_or(CORRUPT)?;
        if !rest.is_empty() {
            return Err(CORRUPT);
        }
        let head = u16::from_ne_bytes(head);
        let (negative, weight, scale, digits) = match head & FORM {
            FORM_SPECIAL => {
                return match head {
                    NAN => Ok(Numeric::Special("NaN")),
                    POSITIVE_INFINITY => Ok(Numeric::Special("Infinity")),
                    NEGATIVE_INFINITY => Ok(Numeric::Special("-Infinity")),
                    _ => Err(CORRUPT),
                }
            }
            FORM_SHORT => {
                let weight = i32::from(head & SHORT_WEIGHT);
                let below_zero = head & SHORT_WEIGHT_NEGATIVE != 0;
                (
                    head & SHORT_NEGATIVE != 0,
                    if below_zero { weight - 64 } else { weight },
                    (head & SHORT_SCALE) >> SHORT_SCALE_SHIFT,
                    words,
                )
            }
            form => {
                let (&weight, digits) = words.split_first().ok_or(CORRUPT)?;
                (
                    form == FORM_NEGATIVE,
                    i32::from(i16::from_ne_bytes(weight)),
                    head & LONG_SCALE,
                    digits,
                )
            }
        };
        if digits
            .iter()
            .any(|digit| u16::from_ne_bytes(*digit) >= BASE)
        {
            return Err(CORRUPT);
        }
        Ok(Numeric::Finite {
            negative,
            weight,
            scale: usize::from(scale),
            digits,
        })
    }

    /// At least as many bytes as the text has.
    pub fn longest(&self) -> usize {
        match self {
            Numeric::Special(text) => text.len(),
            Numeric::Finite { weight, scale, .. } => {
                let whole = usize::try_from(weight + 1).unwrap_or(0) * PLACES;
                // Sign, a zero before the point, the point, and what is cut off after the scale.
                whole + scale + 3 + PLACES
            }
        }
    }

    /// Appends the text.
    pub fn print(&self, to: &mut Vec<u8>) {
        let (negative, weight, scale, digits) = match self {
            Numeric::Special(text) => return to.extend_from_slice(text.as_bytes()),
            Numeric::Finite {
                negative,
                weight,
                scale,
                digits,
            } => (*negative, *weight, *scale, *digits),
        };
        let places = |position: i32| {
            let digit = usize::try_from(position).ok().and_then(|at| digits.get(at));
            let digit = digit.map_or(0, |digit| u16::from_ne_bytes(*digit));
            [1000, 100, 10, 1].map(|unit| b'0' + (digit / unit % 10) as u8)
        };
        if negative {
            to.push(b'-');
        }
        if weight < 0 {
            to.push(b'0');
        } else {
            let first = places(0);
            let zeros = first
                .iter()
                .take(PLACES - 1)
                .take_while(|place| **place == b'0');
            to.extend_from_slice(&first[zeros.count()..]);
            for position in 1..=weight {
                to.extend_from_slice(&places(position));
            }
        }
        if scale > 0 {
            to.push(b'.');
            let end = to.len() + scale;
            // Below zero there are zeros between the point and the first digit.
            let mut position = weight + 1;
            while to.len() < end {
                to.extend_from_slice(&places(position));
                position += 1;
            }
            to.truncate(end);
        }
    }
}

/// What is inside a varlena that is neither compressed nor elsewhere.
fn body(bytes: &[u8]) -> Option<&[u8]> {
    let first = *bytes.first()?;
    let (header, length) = if cfg!(target_endian = "little") {
        match first & 0x03 {
            0x00 => (4, u32::from_le_bytes(*bytes.first_chunk()?) >> 2),
            0x01 | 0x03 => (1, u32::from(first >> 1)),
            _ => return None,
        }
    } else {
        match first & 0xC0 {
            0x00 => (4, u32::from_be_bytes(*bytes.first_chunk()?)),
            0x80 | 0xC0 => (1, u32::from(first & 0x7F)),
            _ => return None,
        }
    };
    bytes.get(header..usize::try_from(length).ok()?)
}
