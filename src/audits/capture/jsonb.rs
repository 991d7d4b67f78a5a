//! Builds jsonb as PostgreSQL stores it. Rows go straight from the transition tables into it: column names
//! are sorted once for each table, and no tree of values is made and sorted for each row.
//!
//! The format (src/include/utils/jsonb.h) is that of the data on disk, which all versions since 9.4 share. A
//! container is a header word (number of elements or pairs, kind), one word for each key, value or element
//! (kind and length, every 32nd the end offset instead), and their bytes: of an object first all keys, sorted
//! by length and then by bytes, then all values. Numbers and containers begin at multiples of 4.

const KIND_ARRAY: u32 = 0x4000_0000;
const KIND_OBJECT: u32 = 0x2000_0000;
const KIND_SCALAR: u32 = 0x1000_0000;

const HAS_OFFSET: u32 = 0x8000_0000;
const TYPE_MASK: u32 = 0x7000_0000;
const LENGTH_MASK: u32 = 0x0fff_ffff;
/// A numeric's header of two bytes: no digits behind the point, the weight of the first digit in the lowest bits.
const NUMERIC_SHORT: u16 = 0x8000;
const NUMERIC_NEGATIVE: u16 = 0x2000;

/// Every so many words hold an offset.
const STRIDE: usize = 32;

/// What a word says of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    String = 0,
    Numeric = 0x1000_0000,
    False = 0x2000_0000,
    True = 0x3000_0000,
    Null = 0x4000_0000,
    Container = 0x5000_0000,
}

impl Kind {
    fn is_aligned(self) -> bool {
        matches!(self, Kind::Numeric | Kind::Container)
    }
}

/// Values in a row, to become the values of an object or the elements of an array.
#[derive(Debug, Default)]
pub struct Values {
    kinds: Vec<Kind>,
    /// Where each value ends in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Values {
    /// Forgets the values and keeps the memory.
    pub fn clear(&mut self) {
        self.kinds.clear();
        self.ends.clear();
        self.bytes.clear();
    }

    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Size of the values alone.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    fn push(&mut self, kind: Kind, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.kinds.push(kind);
        self.ends.push(self.bytes.len());
    }

    pub fn push_null(&mut self) {
        self.push(Kind::Null, &[]);
    }

    pub fn push_bool(&mut self, value: bool) {
        self.push(if value { Kind::True } else { Kind::False }, &[]);
    }

    pub fn push_string(&mut self, text: &[u8]) {
        self.push(Kind::String, text);
    }

    /// A number: a finite numeric with its four-byte header, as PostgreSQL has it in memory.
    pub fn push_numeric(&mut self, numeric: &[u8]) {
        self.push(Kind::Numeric, numeric);
    }

    /// A whole number, as int64_to_numeric() would make it: no digits for zero, none that are zero at the end.
    pub fn push_integer(&mut self, number: i64) {
        // Header of the varlena, header of the numeric, up to five digits to the base of 10000.
        let mut numeric = [0; 4 + 2 + 2 * 5];
        let mut digits = [0u16; 5];
        let (mut first, mut rest) = (digits.len(), number.unsigned_abs());
        while rest > 0 {
            first -= 1;
            digits[first] = (rest % 10_000) as u16;
            rest /= 10_000;
        }
        let digits = &digits[first..];
        let weight = digits.len().saturating_sub(1) as u16;
        let kept = digits
            .iter()
            .rposition(|digit| *digit != 0)
            .map_or(0, |last| last + 1);
        let sign = if number < 0 { NUMERIC_NEGATIVE } else { 0 };
        numeric[4..6].copy_from_slice(&(NUMERIC_SHORT | sign | weight).to_ne_bytes());
        for (place, digit) in digits[..kept].iter().enumerate() {
            numeric[6 + 2 * place..8 + 2 * place].copy_from_slice(&digit.to_ne_bytes());
        }
        let size = 6 + 2 * kept;
        let header = if cfg!(target_endian = "little") {
            (size as u32) << 2
        } else {
            size as u32
        };
        numeric[..4].copy_from_slice(&header.to_ne_bytes());
        self.push_numeric(&numeric[..size]);
    }

    /// An object or an array that this module has built.
    pub fn push_container(&mut self, container: &[u8]) {
        self.push(Kind::Container, container);
    }

    /// A jsonb value without its header. A scalar on its own is stored as an array of one.
    pub fn push_jsonb(&mut self, jsonb: &[u8]) {
        let word = |at: usize| {
            jsonb
                .get(at..at + 4)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u32::from_ne_bytes)
        };
        if word(0) & KIND_SCALAR == 0 {
            return self.push_container(jsonb);
        }
        let kind = match word(4) & TYPE_MASK {
            kind if kind == Kind::String as u32 => Kind::String,
            kind if kind == Kind::Numeric as u32 => Kind::Numeric,
            kind if kind == Kind::False as u32 => Kind::False,
            kind if kind == Kind::True as u32 => Kind::True,
            _ => Kind::Null,
        };
        let length = (word(4) & LENGTH_MASK) as usize;
        self.push(kind, jsonb.get(8..8 + length).unwrap_or_default());
    }
}

/// Whether a jsonb without its header is nested in more than so many levels.
pub fn is_deeper_than(levels: usize, jsonb: &[u8]) -> bool {
    // Each level takes a header and a word.
    jsonb.len() > 8 * levels && reaches_below(levels, jsonb).unwrap_or(true)
}

/// None for what is no jsonb.
fn reaches_below(levels: usize, container: &[u8]) -> Option<bool> {
    if levels == 0 {
        return Some(true);
    }
    let word = |number: usize| {
        let bytes = container.get(4 * number..4 * number + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let header = word(0)?;
    let count = (header & LENGTH_MASK) as usize;
    let words = if header & KIND_OBJECT == 0 {
        count
    } else {
        2 * count
    };
    let data = container.get(4 + 4 * words..)?;
    let mut end = 0usize;
    for number in 1..=words {
        let start = end.next_multiple_of(4);
        let entry = word(number)?;
        let length = (entry & LENGTH_MASK) as usize;
        end = if entry & HAS_OFFSET == 0 {
            end + length
        } else {
            length
        };
        if entry & TYPE_MASK == Kind::Container as u32
            && reaches_below(levels - 1, data.get(start..end)?)?
        {
            return Some(true);
        }
    }
    Some(false)
}

/// Adds an object to `out`, whose end is at a multiple of 4 of what the object is to be part of. `names`
/// are the keys in the order of [`sort_key`], one for each of `values`.
pub fn append_object<'a>(
    out: &mut Vec<u8>,
    names: impl Iterator<Item = &'a str> + Clone,
    values: &Values,
) {
    let count = values.len();
    out.extend_from_slice(&(KIND_OBJECT | count as u32).to_ne_bytes());
    let mut words = Words::reserve(out, 2 * count);
    for name in names {
        let start = out.len();
        out.extend_from_slice(name.as_bytes());
        words.add(out, Kind::String, start);
    }
    words.add_values(out, values);
}

/// Adds an array to `out` under the same condition.
pub fn append_array(out: &mut Vec<u8>, values: &Values) {
    out.extend_from_slice(&(KIND_ARRAY | values.len() as u32).to_ne_bytes());
    let mut words = Words::reserve(out, values.len());
    words.add_values(out, values);
}

/// The order of an object's keys.
pub fn sort_key(name: &str) -> (usize, &[u8]) {
    (name.len(), name.as_bytes())
}

/// The words of a container under construction.
struct Words {
    place: usize,
    number: usize,
    total: usize,
}

impl Words {
    fn reserve(out: &mut Vec<u8>, count: usize) -> Words {
        let place = out.len();
        out.resize(place + 4 * count, 0);
        Words {
            place,
            number: 0,
            total: 0,
        }
    }

    /// Says what the bytes are that `out` has had since `start`.
    fn add(&mut self, out: &mut [u8], kind: Kind, start: usize) {
        let length = out.len() - start;
        self.total += length;
        let word = if self.number.is_multiple_of(STRIDE) {
            HAS_OFFSET | self.total as u32 & LENGTH_MASK
        } else {
            length as u32 & LENGTH_MASK
        };
        out[self.place..self.place + 4].copy_from_slice(&(kind as u32 | word).to_ne_bytes());
        self.place += 4;
        self.number += 1;
    }

    fn add_values(&mut self, out: &mut Vec<u8>, values: &Values) {
        let mut from = 0;
        for (kind, end) in values.kinds.iter().zip(&values.ends) {
            let start = out.len();
            if kind.is_aligned() {
                out.resize(start.next_multiple_of(4), 0);
            }
            out.extend_from_slice(&values.bytes[from..*end]);
            from = *end;
            self.add(out, *kind, start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bytes: &[u8]) -> Vec<u32> {
        bytes
            .chunks(4)
            .map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes")))
            .collect()
    }

    #[test]
    fn an_object_has_its_keys_first() {
        let mut values = Values::default();
        values.push_string(b"xyz");
        values.push_null();
        values.push_bool(true);
        let mut out = Vec::new();
        append_object(&mut out, ["a", "b", "cc"].into_iter(), &values);
        let (head, data) = out.split_at(4 * 7);
        assert_eq!(
            words(head),
            [
                KIND_OBJECT | 3,
                HAS_OFFSET | 1,
                1,
                2,
                3,
                Kind::Null as u32,
                Kind::True as u32
            ]
        );
        assert_eq!(data, b"abccxyz");
    }

    #[test]
    fn numbers_and_containers_are_aligned_and_the_gap_counts_as_theirs() {
        let mut inner = Vec::new();
        append_array(&mut inner, &Values::default());
        assert_eq!(words(&inner), [KIND_ARRAY]);
        let mut values = Values::default();
        values.push_string(b"x");
        values.push_container(&inner);
        values.push_numeric(&[1, 2, 3, 4, 5, 6]);
        values.push_numeric(&[7, 8, 9, 10]);
        let mut out = Vec::new();
        append_array(&mut out, &values);
        let (head, data) = out.split_at(4 * 5);
        assert_eq!(
            words(head),
            [
                KIND_ARRAY | 4,
                HAS_OFFSET | 1,
                Kind::Container as u32 | 7,
                Kind::Numeric as u32 | 6,
                Kind::Numeric as u32 | 6
            ]
        );
        assert_eq!(data.len(), 20);
        assert_eq!(&data[8..14], [1, 2, 3, 4, 5, 6]);
        assert_eq!(&data[16..], [7, 8, 9, 10]);
    }

    #[test]
    fn every_32nd_word_is_an_offset() {
        let mut values = Values::default();
        for _ in 0..70 {
            values.push_string(b"ab");
        }
        let mut out = Vec::new();
        append_array(&mut out, &values);
        let words = words(&out[..4 * 71]);
        assert_eq!(words[1], HAS_OFFSET | 2);
        assert_eq!(words[2], 2);
        assert_eq!(words[33], HAS_OFFSET | 66);
        assert_eq!(words[65], HAS_OFFSET | 130);
    }

    #[test]
    fn scalars_are_taken_out_of_their_array() {
        let mut scalar = Vec::new();
        scalar.extend((KIND_ARRAY | KIND_SCALAR | 1).to_ne_bytes());
        scalar.extend((HAS_OFFSET | 2).to_ne_bytes());
        scalar.extend(b"hi");
        let mut values = Values::default();
        values.push_jsonb(&scalar);
        values.push_jsonb(&words_as_bytes(&[KIND_OBJECT]));
        values.push_jsonb(&words_as_bytes(&[
            KIND_ARRAY | KIND_SCALAR | 1,
            HAS_OFFSET | Kind::True as u32,
        ]));
        assert_eq!(values.kinds, [Kind::String, Kind::Container, Kind::True]);
        assert_eq!(values.ends, [2, 6, 6]);
    }

    fn words_as_bytes(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn whole_numbers_have_their_digits_to_the_base_of_10000() {
        let bytes = |number| {
            let mut values = Values::default();
            values.push_integer(number);
            values.bytes
        };
        assert_eq!(bytes(0), [24, 0, 0, 0, 0, 0x80]);
        assert_eq!(bytes(1), [32, 0, 0, 0, 0, 0x80, 1, 0]);
        assert_eq!(bytes(-1), [32, 0, 0, 0, 0, 0xa0, 1, 0]);
        assert_eq!(bytes(10_000), [32, 0, 0, 0, 1, 0x80, 1, 0]);
        assert_eq!(bytes(10_001), [40, 0, 0, 0, 1, 0x80, 1, 0, 1, 0]);
        // -922 3372 0368 5477 5808
        assert_eq!(
            bytes(i64::MIN)[4..],
            [4, 0xa0, 0x9a, 0x03, 0x2c, 0x0d, 0x70, 0x01, 0x65, 0x15, 0xb0, 0x16]
        );
    }

    #[test]
    fn levels_are_counted() {
        let mut container = Vec::new();
        append_array(&mut container, &Values::default());
        for level in 1..=40 {
            // Not less than 32 words, of which one has an offset, and the deepest one last.
            let mut values = Values::default();
            for _ in 0..20 {
                values.push_string(b"abc");
            }
            values.push_container(&container);
            let names = [
                "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p",
                "q", "r", "s", "t", "u",
            ];
            container.clear();
            append_object(&mut container, names.into_iter(), &values);
            assert!(is_deeper_than(level, &container), "{level}");
            assert!(!is_deeper_than(level + 1, &container), "{level}");
        }
        assert!(is_deeper_than(1, &words_as_bytes(&[KIND_ARRAY | 9, 0, 0])));
    }

    #[test]
    fn keys_are_sorted_by_length_first() {
        let mut names = ["rows", "b", "count", "chunk", "aa"];
        names.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        assert_eq!(names, ["b", "aa", "rows", "chunk", "count"]);
    }
}
