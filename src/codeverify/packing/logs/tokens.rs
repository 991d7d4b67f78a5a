//! The words of messages, as a text search finds them.

use pgrx::direct_function_call_as_datum;
use pgrx::pg_sys::{self, Datum};

use super::super::block::Block;
use super::super::words::Words;
use super::BATCH;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::jsonb;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::segment::Column;

/// The text search configuration pg_catalog.simple, whose number is the same everywhere.
const SIMPLE: u32 = 3748;
/// Of what is longer, words after so many characters are not looked for: a tsvector has a largest size.
const SEARCHED_CHARACTERS: usize = 100_000;

/// The filter of the words that the messages have.
pub fn words_of(block: &Block) -> Option<Vec<u8>> {
    let Column::Text(messages) = block.column("message")? else {
        return None;
    };
    let mut words = Words::default();
    for (row, message) in messages.iter().enumerate() {
        if row % BATCH == 0 {
            check_for_interrupts();
        }
        if let Some(message) = message {
            in_scratch_memory(|| {
                // SAFETY: the tsvector was made here and lives as long as the scratch memory.
                unsafe { for_each_word(tsvector_of(message), |word| words.add(word)) }
            });
        }
    }
    Some(words.to_filter())
}

/// `to_tsvector('simple', left(message, …))`, in the current memory context.
pub(super) fn tsvector_of(message: &str) -> Option<Datum> {
    let end = message
        .char_indices()
        .nth(SEARCHED_CHARACTERS)
        .map_or(message.len(), |(place, _)| place);
    let text = jsonb::from_content(message.get(..end)?.as_bytes());
    // SAFETY: the function takes a configuration and a text.
    unsafe {
        direct_function_call_as_datum(
            pg_sys::to_tsvector_byid,
            &[Some(Datum::from(SIMPLE)), Some(text)],
        )
    }
}

/// # Safety
/// The datum is a tsvector: a count, for each word its flag, length (11 bits) and place (20 bits), then the words.
unsafe fn for_each_word(tsvector: Option<Datum>, mut read: impl FnMut(&[u8])) {
    let Some(tsvector) = tsvector else { return };
    // SAFETY: as promised by the caller.
    let bytes = unsafe { jsonb::content_of(tsvector) };
    let Some((count, rest)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let count = u32::from_ne_bytes(*count) as usize;
    let Some((entries, texts)) = rest.split_at_checked(count.saturating_mul(4)) else {
        return;
    };
    for entry in entries.as_chunks::<4>().0 {
        let entry = u32::from_ne_bytes(*entry);
        let (length, place) = ((entry >> 1 & 0x7ff) as usize, (entry >> 12) as usize);
        if let Some(word) = texts.get(place..place + length) {
            read(word);
        }
    }
}
