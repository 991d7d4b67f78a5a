//! Searches the packed lines of observability.logs.

use std::collections::BTreeMap;
use std::ffi::CStr;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use pgrx::{direct_function_call_as_datum, IntoDatum};
use uuid::Uuid;

use super::block::Block;
use super::stored::read_block;
use super::terms::Terms;
use super::words::{Filter, Words};
use crate::audits::archives::datum::Row;
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::jsonb;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{select, select_one};
use crate::codeverify::raise::or_raise;
use crate::codeverify::segment::Column;
use crate::tenancy::sql::to_datum;

/// The text search configuration pg_catalog.simple, whose number is the same everywhere.
const SIMPLE: u32 = 3748;
/// Of what is longer, words after so many characters are not looked for: a tsvector has a largest size.
const SEARCHED_CHARACTERS: usize = 100_000;
/// Segments that are looked up at a time.
const PAGE: usize = 50;
/// Rows between two looks for a cancellation.
const BATCH: usize = 256;
/// Columns of codeverify.scan_packed_logs().
const WIDTH: usize = 7;

pub fn is_logs(relation: pg_sys::Oid) -> bool {
    select_one::<pg_sys::Oid>("SELECT to_regclass('observability.logs')::oid", &[])
        == Some(relation)
}

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
fn tsvector_of(message: &str) -> Option<Datum> {
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

/// Which lines are asked for.
struct Wanted {
    org_id: Uuid,
    since: i64,
    until: i64,
    service: Option<Uuid>,
    environment: Option<Uuid>,
    level: Option<String>,
    query: Option<(Datum, Option<Terms>)>,
    meta: Option<Datum>,
    before: Option<(i64, i64)>,
}

impl Wanted {
    fn may_be_in(&self, words: Option<&[u8]>) -> bool {
        let (Some((_, Some(terms))), Some(words)) = (&self.query, words) else {
            return true;
        };
        // A damaged filter says nothing; verify_packed() tells of it.
        Filter::read(words)
            .is_none_or(|filter| terms.may_match(&|word| filter.may_have(word.as_bytes())))
    }

    /// Whether a line is wanted, so far as that can be told without its message and meta_json.
    fn has(&self, lines: &Lines, row: usize) -> bool {
        let Some((ts, id)) = lines.place(row) else {
            return false;
        };
        ts >= self.since
            && ts < self.until
            && self.before.is_none_or(|before| (ts, id) < before)
            && is_equal(self.service, lines.service, row)
            && is_equal(self.environment, lines.environment, row)
            && self.level.as_ref().is_none_or(|level| {
                lines
                    .level
                    .get(row)
                    .is_some_and(|of| of.as_ref() == Some(level))
            })
    }

    /// Whether its message and meta_json are as wanted.
    fn matches(&self, lines: &Lines, row: usize) -> bool {
        if self.query.is_none() && self.meta.is_none() {
            return true;
        }
        in_scratch_memory(|| {
            // SAFETY: each function gets the two values that it takes.
            unsafe {
                let is_true = |function, left, right| {
                    direct_function_call_as_datum(function, &[left, Some(right)])
                        .is_some_and(|answer| answer.value() != 0)
                };
                let message = lines.message.get(row).and_then(Option::as_deref);
                let meta = lines.meta.get(row).and_then(Option::as_deref);
                self.query.as_ref().is_none_or(|(query, _)| {
                    let tsvector = message.and_then(tsvector_of);
                    tsvector.is_some() && is_true(pg_sys::ts_match_vq, tsvector, *query)
                }) && self.meta.is_none_or(|wanted| {
                    let meta = meta.and_then(jsonb::from_text);
                    meta.is_some() && is_true(pg_sys::jsonb_contains, meta, wanted)
                })
            }
        })
    }
}

fn is_equal(wanted: Option<Uuid>, values: &[Option<Uuid>], row: usize) -> bool {
    wanted.is_none() || values.get(row).is_some_and(|value| *value == wanted)
}

/// The columns of a segment of log lines.
struct Lines<'a> {
    id: &'a [Option<i64>],
    service: &'a [Option<Uuid>],
    environment: &'a [Option<Uuid>],
    ts: &'a [Option<i64>],
    level: &'a [Option<String>],
    message: &'a [Option<String>],
    meta: &'a [Option<String>],
}

impl<'a> Lines<'a> {
    fn of(block: &'a Block) -> Option<Lines<'a>> {
        let integers = |name| match block.column(name) {
            Some(Column::Int64(values) | Column::Timestamp(values)) => Some(values.as_slice()),
            _ => None,
        };
        let ids = |name| match block.column(name) {
            Some(Column::Uuid(values)) => Some(values.as_slice()),
            _ => None,
        };
        let texts = |name| match block.column(name) {
            Some(Column::Text(values)) => Some(values.as_slice()),
            _ => None,
        };
        Some(Lines {
            id: integers("id")?,
            service: ids("service_id")?,
            environment: ids("environment_id")?,
            ts: integers("ts")?,
            level: texts("level")?,
            message: texts("message")?,
            meta: texts("meta_json")?,
        })
    }

    /// By what lines are in order.
    fn place(&self, row: usize) -> Option<(i64, i64)> {
        Some(((*self.ts.get(row)?)?, (*self.id.get(row)?)?))
    }
}

/// A segment that may have lines that are wanted.
#[derive(Clone, Copy)]
struct Candidate {
    id: Uuid,
    max_ts: i64,
}

/// Goes through the segments that may have lines that are wanted, newest first.
struct Candidates<'a> {
    wanted: &'a Wanted,
    page: std::vec::IntoIter<(Candidate, bool)>,
    last: Option<Candidate>,
    at_end: bool,
}

impl<'a> Candidates<'a> {
    fn new(wanted: &'a Wanted) -> Candidates<'a> {
        Candidates {
            wanted,
            page: Vec::new().into_iter(),
            last: None,
            at_end: false,
        }
    }

    fn read_page(&mut self) {
        let wanted = self.wanted;
        let until = wanted.before.map_or(wanted.until, |(ts, _)| {
            wanted.until.min(ts.saturating_add(1))
        });
        let (last_ts, last_id) = self
            .last
            .map_or((i64::MAX, Uuid::max()), |last| (last.max_ts, last.id));
        let text = |id: Option<Uuid>| id.map(|id| id.to_string());
        let arguments: [DatumWithOid; 10] = [
            to_datum(wanted.org_id).into(),
            time(wanted.since),
            time(until),
            text(wanted.service).into(),
            text(wanted.environment).into(),
            wanted.level.clone().into(),
            wanted.query.is_some().into(),
            time(last_ts),
            to_datum(last_id).into(),
            (PAGE as i64).into(),
        ];
        let page: Vec<(Candidate, bool)> = in_scratch_memory(|| {
            as_owner(|| {
                select(
                    "SELECT s.id, s.max_ts, CASE WHEN $7 THEN s.words END \
                     FROM codeverify.packed_segments AS s \
                     WHERE s.org_id = $1 \
                       AND s.relation = to_regclass('observability.logs') \
                       AND s.max_ts >= $2 \
                       AND s.max_ts <= $8 \
                       AND (s.max_ts, s.id) < ($8, $9) \
                       AND s.min_ts < $3 \
                       AND ($4 IS NULL OR coalesce(s.summary -> 'service_id' -> 'in' ? $4, true)) \
                       AND ($5 IS NULL OR coalesce(s.summary -> 'environment_id' -> 'in' ? $5, true)) \
                       AND ($6 IS NULL OR coalesce(s.summary -> 'level' -> 'in' ? $6, true)) \
                     ORDER BY s.max_ts DESC, s.id DESC \
                     LIMIT $10",
                    &arguments,
                    |mut rows| {
                        let mut page = Vec::with_capacity(rows.len());
                        while rows.next().is_some() {
                            let row = Row(&rows);
                            let (Some(id), Some(max_ts)) = (row.uuid(1)?, row.int8(2)?) else {
                                continue;
                            };
                            let words = row.bytes(3)?;
                            page.push((
                                Candidate { id, max_ts },
                                wanted.may_be_in(words.as_deref()),
                            ));
                        }
                        Ok(page)
                    },
                )
            })
        });
        self.at_end = page.len() < PAGE;
        self.last = page.last().map(|(candidate, _)| *candidate).or(self.last);
        self.page = page.into_iter();
    }
}

impl Iterator for Candidates<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            for (candidate, may_have) in self.page.by_ref() {
                if may_have {
                    return Some(candidate);
                }
            }
            if self.at_end {
                return None;
            }
            check_for_interrupts();
            self.read_page();
        }
    }
}

/// A time in PostgreSQL's microseconds as the parameter of a query.
fn time<'a>(micros: i64) -> DatumWithOid<'a> {
    // SAFETY: a timestamptz is those microseconds.
    unsafe { DatumWithOid::new(Datum::from(micros), pg_sys::TIMESTAMPTZOID) }
}

/// Reads a segment of log lines; `read` gets its rows from the last to the first, and says whether it wants more.
fn read_lines(candidate: Candidate, mut read: impl FnMut(&Lines, usize) -> bool) {
    let block = or_raise(as_owner(|| read_block(candidate.id)));
    let lines = or_raise(Lines::of(&block).ok_or_else(|| Error::SegmentDamaged {
        segment: candidate.id.to_string(),
        problem: "it has not the columns of log lines".to_owned(),
    }));
    for row in (0..block.rows()).rev() {
        if row % BATCH == 0 {
            check_for_interrupts();
        }
        if !read(&lines, row) {
            break;
        }
    }
}

/// A line that was found and waits to be told.
struct Line {
    place: (i64, i64),
    service: Option<Uuid>,
    environment: Option<Uuid>,
    level: Option<String>,
    message: Option<String>,
    meta: Option<String>,
}

/// # Safety
/// `call` is the call of a function with arguments, at least so many.
unsafe fn argument(call: FunctionCallInfo, place: usize) -> Option<Datum> {
    // SAFETY: as promised by the caller.
    let argument = unsafe { *(*call).args.as_ptr().add(place) };
    (!argument.isnull).then_some(argument.value)
}

/// # Safety
/// The argument is a uuid.
unsafe fn uuid(call: FunctionCallInfo, place: usize) -> Option<Uuid> {
    // SAFETY: a uuid is 16 bytes behind a pointer.
    unsafe { argument(call, place).map(|id| Uuid::from_bytes(*id.cast_mut_ptr::<[u8; 16]>())) }
}

/// # Safety
/// The argument is a text.
unsafe fn text(call: FunctionCallInfo, place: usize) -> Option<String> {
    // SAFETY: as promised by the caller; texts are UTF-8, which bootstrap.sql has made sure of.
    unsafe {
        argument(call, place)
            .map(|text| String::from_utf8_lossy(jsonb::content_of(text)).into_owned())
    }
}

/// codeverify.scan_packed_logs(tenant uuid, since timestamptz, until timestamptz, query tsquery, of_service uuid,
/// of_environment uuid, of_level text, of_meta jsonb, max_rows integer, before_ts timestamptz, before_id bigint).
/// Written against the server's own interface, because pgrx would keep all rows of the result in memory.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_scan_packed_logs(call: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are those of the SQL declaration; the call lasts as long as this function.
    let (wanted, max_rows, result) = unsafe {
        pg_sys::InitMaterializedSRF(call, 0);
        let Some(org_id) = uuid(call, 0) else {
            return Datum::null();
        };
        let micros = |place| argument(call, place).map(|datum| datum.value() as i64);
        let query = argument(call, 3).map(|query| {
            let query = Datum::from(pg_sys::pg_detoast_datum(query.cast_mut_ptr()));
            let shown = direct_function_call_as_datum(pg_sys::tsqueryout, &[Some(query)]);
            let terms = shown.and_then(|shown| {
                Terms::read(&CStr::from_ptr(shown.cast_mut_ptr()).to_string_lossy())
            });
            (query, terms)
        });
        let wanted = Wanted {
            org_id,
            since: micros(1).unwrap_or(i64::MIN),
            until: micros(2).unwrap_or(i64::MAX),
            service: uuid(call, 4),
            environment: uuid(call, 5),
            level: text(call, 6),
            query,
            meta: argument(call, 7),
            before: micros(9).map(|ts| (ts, micros(10).unwrap_or(i64::MIN))),
        };
        let max_rows = argument(call, 8).map_or(usize::MAX, |max| {
            usize::try_from(max.value() as i32).unwrap_or(0)
        });
        let result: *mut pg_sys::ReturnSetInfo = (*call).resultinfo.cast();
        (wanted, max_rows, result)
    };
    let mut left = max_rows;
    let mut found: Vec<Line> = Vec::new();
    let mut candidates = Candidates::new(&wanted).peekable();
    while left > 0 {
        let Some(candidate) = candidates.next() else {
            break;
        };
        let mut of_segment = 0;
        read_lines(candidate, |lines, row| {
            if wanted.has(lines, row) && wanted.matches(lines, row) {
                if let Some(place) = lines.place(row) {
                    found.push(Line {
                        place,
                        service: lines.service.get(row).copied().flatten(),
                        environment: lines.environment.get(row).copied().flatten(),
                        level: lines.level.get(row).cloned().flatten(),
                        message: lines.message.get(row).cloned().flatten(),
                        meta: lines.meta.get(row).cloned().flatten(),
                    });
                    of_segment += 1;
                }
            }
            // A segment is in the order of time, so what is before the lines that were found is older.
            of_segment < left
        });
        found.sort_by_key(|line| std::cmp::Reverse(line.place));
        found.truncate(left);
        // What is newer than all that is left can be told.
        let next = candidates.peek().map_or(i64::MIN, |next| next.max_ts);
        let told = found.partition_point(|line| line.place.0 > next || next == i64::MIN);
        for line in found.drain(..told) {
            // SAFETY: store and descriptor were made for this call.
            unsafe { tell(result, line) };
        }
        left = left.saturating_sub(told);
    }
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_scan_packed_logs() -> &'static pg_sys::Pg_finfo_record
{
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

/// # Safety
/// The result is that of a call of codeverify.scan_packed_logs().
unsafe fn tell(result: *mut pg_sys::ReturnSetInfo, line: Line) {
    in_scratch_memory(|| {
        let values: [Option<Datum>; WIDTH] = [
            Some(Datum::from(line.place.1)),
            line.service.and_then(|id| to_datum(id).into_datum()),
            line.environment.and_then(|id| to_datum(id).into_datum()),
            Some(Datum::from(line.place.0)),
            line.level.into_datum(),
            line.message.into_datum(),
            line.meta.as_deref().and_then(jsonb::from_text),
        ];
        let mut nulls = values.map(|value| value.is_none());
        let mut values = values.map(|value| value.unwrap_or(Datum::null()));
        // SAFETY: as promised by the caller; the row is copied.
        unsafe {
            pg_sys::tuplestore_putvalues(
                (*result).setResult,
                (*result).setDesc,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    });
}

/// codeverify.count_packed_logs(tenant uuid, since timestamptz, until timestamptz, bucket interval, of_service uuid,
/// of_environment uuid, of_level text).
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_count_packed_logs(call: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are those of the SQL declaration; an interval is behind a pointer.
    let (wanted, stride, result) = unsafe {
        pg_sys::InitMaterializedSRF(call, 0);
        let (Some(org_id), Some(bucket)) = (uuid(call, 0), argument(call, 3)) else {
            return Datum::null();
        };
        let micros = |place| argument(call, place).map(|datum| datum.value() as i64);
        let wanted = Wanted {
            org_id,
            since: micros(1).unwrap_or(i64::MIN),
            until: micros(2).unwrap_or(i64::MAX),
            service: uuid(call, 4),
            environment: uuid(call, 5),
            level: text(call, 6),
            query: None,
            meta: None,
            before: None,
        };
        let bucket = *bucket.cast_mut_ptr::<pg_sys::Interval>();
        let result: *mut pg_sys::ReturnSetInfo = (*call).resultinfo.cast();
        (wanted, stride_of(bucket), result)
    };
    let Some(stride) = stride else {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "a bucket is a positive interval without months"
        );
    };
    let mut counts: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for candidate in Candidates::new(&wanted) {
        read_lines(candidate, |lines, row| {
            if let (true, Some((ts, _))) = (wanted.has(lines, row), lines.place(row)) {
                let bucket = bucket_of(ts, stride);
                let level = lines.level.get(row).cloned().flatten().unwrap_or_default();
                *counts.entry((bucket, level)).or_default() += 1;
            }
            true
        });
    }
    for ((bucket, level), count) in counts {
        in_scratch_memory(|| {
            let mut values = [
                Datum::from(bucket),
                level.into_datum().unwrap_or(Datum::null()),
                Datum::from(count),
            ];
            let mut nulls = [false; 3];
            // SAFETY: store and descriptor were made for this call; the row is copied.
            unsafe {
                pg_sys::tuplestore_putvalues(
                    (*result).setResult,
                    (*result).setDesc,
                    values.as_mut_ptr(),
                    nulls.as_mut_ptr(),
                );
            }
        });
    }
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_count_packed_logs() -> &'static pg_sys::Pg_finfo_record
{
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

/// Where the bucket of a time begins, as date_bin() has it from the first Monday of 2000 on.
fn bucket_of(ts: i64, stride: i64) -> i64 {
    const FIRST_MONDAY: i64 = 2 * 86_400_000_000;
    let since = ts.saturating_sub(FIRST_MONDAY);
    since
        .div_euclid(stride)
        .saturating_mul(stride)
        .saturating_add(FIRST_MONDAY)
}

/// Microseconds of a bucket; None for one that has months, or nothing.
fn stride_of(bucket: pg_sys::Interval) -> Option<i64> {
    let days = i64::from(bucket.day).checked_mul(86_400_000_000)?;
    let stride = days.checked_add(bucket.time)?;
    (bucket.month == 0 && stride > 0).then_some(stride)
}
