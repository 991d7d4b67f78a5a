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
        // Zeros in front and a negative zero are never stored: they would be second spellings.
        let is_zero = digits.is_empty();
        if digits.first() == Some(&[0, 0])
            || digits
                .iter()
                .any(|digit| u16::from_ne_bytes(*digit) >= BASE)
            || is_zero && (negative || weight != 0)
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
        if negative {
            to.push(b'-');
        }
        let start = to.len();
        let whole = usize::try_from(weight + 1).unwrap_or(0);
        print_digits(to, digits, 0, whole);
        let zeros = to[start..].iter().take_while(|place| **place == b'0');
        to.drain(start..start + zeros.count());
        if to.len() == start {
            to.push(b'0');
        }
        if scale > 0 {
            to.push(b'.');
            let end = to.len() + scale;
            print_digits(to, digits, weight + 1, scale.div_ceil(PLACES));
            to.truncate(end);
        }
    }
}

/// Appends the decimal places of `count` digits from position `first` on; those that are not stored, before the
/// first and after the last, are zeros.
fn print_digits(to: &mut Vec<u8>, digits: &[[u8; 2]], first: i32, count: usize) {
    let end = to.len() + count * PLACES;
    let before = usize::try_from(-first).unwrap_or(0).min(count);
    to.resize(to.len() + before * PLACES, b'0');
    let stored = digits.get(usize::try_from(first).unwrap_or(0)..);
    for digit in stored.unwrap_or_default().iter().take(count - before) {
        let digit = u16::from_ne_bytes(*digit);
        to.extend_from_slice(&[1000, 100, 10, 1].map(|unit| b'0' + (digit / unit % 10) as u8));
    }
    to.resize(end, b'0');
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
