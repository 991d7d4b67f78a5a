//! Which words a segment may have: a Bloom filter, with a checksum before it.
//!
//! ```text
//! words = version u8 | CRC-32 of the filter u32, big-endian | filter
//! ```

use std::collections::HashSet;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

const VERSION: u8 = 1;
const HEADER: usize = 5;
/// With 10 bits and 7 probes, one of 120 segments is read for nothing.
const BITS_PER_WORD: usize = 10;
const PROBES: u64 = 7;

/// Collects the words of a segment.
#[derive(Default)]
pub struct Words {
    hashes: HashSet<u64>,
}

impl Words {
    pub fn add(&mut self, word: &[u8]) {
        self.hashes.insert(hash(word));
    }

    /// The filter of what was collected.
    pub fn to_filter(&self) -> Vec<u8> {
        let mut filter = vec![0_u8; (self.hashes.len() * BITS_PER_WORD).div_ceil(8).max(1)];
        for hash in &self.hashes {
            for (byte, bit) in places(*hash, filter.len()) {
                filter[byte] |= 1 << bit;
            }
        }
        let mut words = vec![VERSION];
        words.extend_from_slice(&crc32fast::hash(&filter).to_be_bytes());
        words.extend_from_slice(&filter);
        words
    }
}

/// A filter that is read.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a>(&'a [u8]);

impl<'a> Filter<'a> {
    /// None when it is damaged.
    pub fn read(words: &'a [u8]) -> Option<Filter<'a>> {
        let (header, filter) = words.split_at_checked(HEADER)?;
        let expected = [&[VERSION][..], &crc32fast::hash(filter).to_be_bytes()].concat();
        (header == expected && !filter.is_empty()).then_some(Filter(filter))
    }

    /// False only for a word that is not there.
    pub fn may_have(self, word: &[u8]) -> bool {
        places(hash(word), self.0.len())
            .all(|(byte, bit)| self.0.get(byte).is_some_and(|bits| bits >> bit & 1 == 1))
    }
}

fn hash(word: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x636f_6465, 0x7665_7269_6679);
    hasher.write(word);
    hasher.finish()
}

fn places(hash: u64, bytes: usize) -> impl Iterator<Item = (usize, u32)> {
    let bits = bytes as u64 * 8;
    let step = hash.rotate_left(32) | 1;
    (0..PROBES).map(move |probe| {
        let place = hash.wrapping_add(probe.wrapping_mul(step)) % bits;
        ((place / 8) as usize, (place % 8) as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{hash_set, vec};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_word_is_denied(texts in hash_set("[a-z0-9]{1,12}", 0..200)) {
            let mut words = Words::default();
            texts.iter().for_each(|text| words.add(text.as_bytes()));
            let filter = words.to_filter();
            let filter = Filter::read(&filter).expect("a filter");
            prop_assert!(texts.iter().all(|text| filter.may_have(text.as_bytes())));
        }

        #[test]
        fn noise_is_refused_or_read(noise in vec(any::<u8>(), 0..40)) {
            if let Some(filter) = Filter::read(&noise) {
                filter.may_have(b"word");
            }
        }
    }

    #[test]
    fn few_others_are_taken_for_there() {
        let mut words = Words::default();
        (0..10_000).for_each(|n| words.add(format!("there {n}").as_bytes()));
        let filter = words.to_filter();
        let filter = Filter::read(&filter).expect("a filter");
        let wrong = (0..10_000)
            .filter(|n| filter.may_have(format!("not there {n}").as_bytes()))
            .count();
        assert!(wrong < 200, "{wrong}");
    }

    #[test]
    fn every_flipped_bit_is_an_error() {
        let mut words = Words::default();
        words.add(b"word");
        let filter = words.to_filter();
        for place in 0..filter.len() {
            for bit in 0..8 {
                let mut damaged = filter.clone();
                damaged[place] ^= 1 << bit;
                assert!(Filter::read(&damaged).is_none());
            }
        }
        assert!(Filter::read(&filter[..HEADER]).is_none());
    }
}
