//! Values of columns as jsonb.

use std::cell::Cell;
use std::ffi::{c_int, CStr, CString};

use pgrx::{direct_function_call_as_datum, pg_sys, varlena, IntoDatum};

use super::digest::Redactor;
use super::json::{fits_jsonb, DEEPEST};
use super::jsonb::{append_object, is_deeper_than, Values};
use super::plan::Column;
use super::rules::Treatment;
use crate::audits::erasure::fields::{mentions, ENCRYPTED, ERASED, PERSONAL};
use crate::codeverify::owner::set_for_now;

/// Longest value that is recorded as it is; a longer one is digested like a secret.
const MAX_VALUE: usize = 1024 * 1024;
/// Size of a row's values beyond which the rest of them is digested: jsonb holds 256 MB at most.
const MAX_ROW: usize = 64 * 1024 * 1024;

/// How a value of a type becomes jsonb.
#[derive(Clone, Copy)]
pub enum Conversion {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Uuid,
    /// Stored as the text that it is.
    Text,
    Json,
    Jsonb,
    /// As the type prints it.
    Output,
}

impl Conversion {
    pub fn of(type_oid: pg_sys::Oid) -> Conversion {
        // SAFETY: a catalog look-up of a column's type.
        match unsafe { pg_sys::getBaseType(type_oid) } {
            pg_sys::BOOLOID => Conversion::Bool,
            pg_sys::INT2OID => Conversion::Int2,
            pg_sys::INT4OID => Conversion::Int4,
            pg_sys::INT8OID => Conversion::Int8,
            pg_sys::FLOAT4OID => Conversion::Float4,
            pg_sys::FLOAT8OID => Conversion::Float8,
            pg_sys::NUMERICOID => Conversion::Numeric,
            pg_sys::UUIDOID => Conversion::Uuid,
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Conversion::Text,
            pg_sys::JSONOID => Conversion::Json,
            pg_sys::JSONBOID => Conversion::Jsonb,
            _ => Conversion::Output,
        }
    }
}

/// Settings that decide how values are printed, at their pinned values from the first value that needs
/// them until the statement is recorded: an entry must not depend on who made it.
#[derive(Default)]
pub struct PinnedOutput(Cell<Option<c_int>>);

impl PinnedOutput {
    fn pin(&self) {
        if self.0.get().is_some() {
            return;
        }
        // SAFETY: plain calls on the backend's one thread with 'static strings.
        unsafe {
            self.0.set(Some(pg_sys::NewGUCNestLevel()));
            for (name, value) in [
                (c"DateStyle", c"ISO, YMD"),
                (c"IntervalStyle", c"iso_8601"),
                (c"TimeZone", c"UTC"),
                (c"extra_float_digits", c"1"),
                (c"bytea_output", c"hex"),
                (c"lc_monetary", c"C"),
                (c"quote_all_identifiers", c"off"),
                (c"search_path", c"pg_catalog, pg_temp"),
            ] {
                set_for_now(name, value);
            }
        }
    }

    /// Puts the session's settings back. After an error the end of the (sub)transaction does.
    pub fn release(&self) {
        if let Some(level) = self.0.take() {
            // SAFETY: closes the level that pin() has opened.
            unsafe { pg_sys::AtEOXact_GUC(true, level) };
        }
    }
}

/// What converting takes besides the value.
pub struct Converter<'a> {
    pub output: &'a PinnedOutput,
    /// schema.table, for digests.
    pub table: &'a str,
    /// Whom a personal value concerns; None for nobody whose key could encrypt it.
    pub person: Option<uuid::Uuid>,
    pub redactor: &'a dyn Fn() -> Option<Redactor>,
    /// Bytes of memory that values have taken which are not in what was made of them.
    pub taken: Cell<usize>,
}

impl Converter<'_> {
    /// Adds a column's value. Memory that it takes of the current context is the caller's to free.
    ///
    /// # Safety
    /// The datum is one of the column, out of a row that lives.
    pub unsafe fn append(&self, column: &Column, datum: Option<pg_sys::Datum>, out: &mut Values) {
        let Some(datum) = datum else {
            return out.push_null();
        };
        // SAFETY: as promised.
        unsafe {
            match (column.treatment, self.person) {
                (Treatment::Redact, _) | (Treatment::Personal, None) => {
                    self.append_digest(column, datum, out);
                }
                (Treatment::Personal, Some(person)) => {
                    let mut value = Values::default();
                    let mut text = uuid::Uuid::encode_buffer();
                    value.push_string(person.hyphenated().encode_lower(&mut text).as_bytes());
                    self.append_content(column, datum, &mut value);
                    let mut object = Vec::new();
                    append_object(&mut object, ["subject", PERSONAL].into_iter(), &value);
                    out.push_container(&object);
                }
                _ => self.append_content(column, datum, out),
            }
        }
    }

    /// The value itself, unless it is too long.
    ///
    /// # Safety
    /// As for [`Converter::append`].
    unsafe fn append_content(&self, column: &Column, datum: pg_sys::Datum, out: &mut Values) {
        // SAFETY: as promised.
        unsafe {
            if out.size() > MAX_ROW || is_long(column, datum) {
                return self.append_digest(column, datum, out);
            }
            match column.conversion {
                Conversion::Bool => out.push_bool(datum.value() as u8 != 0),
                Conversion::Int2 => out.push_integer(i64::from(datum.value() as i16)),
                Conversion::Int4 => out.push_integer(i64::from(datum.value() as i32)),
                Conversion::Int8 => out.push_integer(datum.value() as i64),
                Conversion::Float4 => {
                    push_float(&format!("{:e}", f32::from_bits(datum.value() as u32)), out);
                }
                Conversion::Float8 => {
                    push_float(&format!("{:e}", f64::from_bits(datum.value() as u64)), out);
                }
                Conversion::Numeric => self.append_numeric(column, datum, out),
                Conversion::Uuid => {
                    let mut text = uuid::Uuid::encode_buffer();
                    let text = uuid_of(datum).hyphenated().encode_lower(&mut text);
                    out.push_string(text.as_bytes());
                }
                Conversion::Text => out.push_string(packed_bytes(datum)),
                Conversion::Json => match json_as_jsonb(packed_bytes(datum)) {
                    Some(jsonb) if !means_something(jsonb) => out.push_jsonb(jsonb),
                    _ => out.push_string(packed_bytes(datum)),
                },
                Conversion::Jsonb => {
                    let jsonb = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
                    let jsonb = varlena::varlena_to_byte_slice(jsonb);
                    if means_something(jsonb) || is_deeper_than(DEEPEST, jsonb) {
                        out.push_string(self.text(column, datum));
                    } else {
                        out.push_jsonb(jsonb);
                    }
                }
                Conversion::Output => {
                    let text = self.text(column, datum);
                    if text.len() > MAX_VALUE {
                        return self.push_digest(column, text, out);
                    }
                    out.push_string(text);
                }
            }
        }
    }

    /// # Safety
    /// As for [`Converter::append`]; the datum is a numeric.
    unsafe fn append_numeric(&self, column: &Column, datum: pg_sys::Datum, out: &mut Values) {
        // SAFETY: as promised.
        unsafe {
            let numeric = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            if pg_sys::numeric_is_nan(numeric.cast()) || pg_sys::numeric_is_inf(numeric.cast()) {
                out.push_string(self.text(column, datum));
            } else {
                push_numeric(numeric, out);
            }
        }
    }

    /// # Safety
    /// As for [`Converter::append`].
    unsafe fn append_digest(&self, column: &Column, datum: pg_sys::Datum, out: &mut Values) {
        // SAFETY: as promised.
        let text = unsafe {
            match column.conversion {
                Conversion::Text => packed_bytes(datum),
                _ => self.text(column, datum),
            }
        };
        self.push_digest(column, text, out);
    }

    fn push_digest(&self, column: &Column, text: &[u8], out: &mut Values) {
        self.taken.set(self.taken.get() + text.len());
        match (self.redactor)() {
            Some(redactor) => {
                out.push_string(redactor.digest(self.table, &column.name, text).as_bytes());
            }
            None => out.push_string(b"redacted"),
        }
    }

    /// The value as its type prints it.
    ///
    /// # Safety
    /// As for [`Converter::append`]; the text lives in the current memory context.
    unsafe fn text<'t>(&self, column: &Column, datum: pg_sys::Datum) -> &'t [u8] {
        self.output.pin();
        // SAFETY: the function is the output function of the datum's type.
        unsafe { CStr::from_ptr(pg_sys::OidOutputFunctionCall(column.output, datum)) }.to_bytes()
    }
}

/// Whether a value is too long to be recorded, told without reading it.
///
/// # Safety
/// The datum is one of the column.
unsafe fn is_long(column: &Column, datum: pg_sys::Datum) -> bool {
    // SAFETY: a length of -1 says that it is a varlena.
    column.length == -1
        && unsafe {
            match plain_content(datum.cast_mut_ptr()) {
                Some(content) => content.len() > MAX_VALUE,
                None => pg_sys::toast_raw_datum_size(datum) > MAX_VALUE,
            }
        }
}

/// The bytes of a text.
///
/// # Safety
/// The datum is a text; the bytes live as long as it and the current memory context.
unsafe fn packed_bytes<'t>(datum: pg_sys::Datum) -> &'t [u8] {
    // SAFETY: as promised.
    unsafe {
        let text = datum.cast_mut_ptr();
        plain_content(text).unwrap_or_else(|| {
            varlena::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(text))
        })
    }
}

/// The content of a varlena that is neither compressed nor stored elsewhere. No call to the server: there are
/// many of these in a row.
///
/// # Safety
/// A varlena, which lives as long as what is made of the content.
unsafe fn plain_content<'t>(value: *const pg_sys::varlena) -> Option<&'t [u8]> {
    // SAFETY: as promised.
    unsafe {
        let is_plain = varlena::varatt_is_4b_u(value)
            || varlena::varatt_is_1b(value) && !varlena::varatt_is_1b_e(value);
        is_plain.then(|| varlena::varlena_to_byte_slice(value))
    }
}

/// # Safety
/// The datum is a uuid.
pub unsafe fn uuid_of(datum: pg_sys::Datum) -> uuid::Uuid {
    // SAFETY: a uuid is sixteen bytes.
    uuid::Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() })
}

/// # Safety
/// A finite numeric with a header of four bytes.
unsafe fn push_numeric(numeric: *const pg_sys::varlena, out: &mut Values) {
    // SAFETY: as promised.
    out.push_numeric(unsafe { bytes_with_header(numeric) });
}

/// # Safety
/// A varlena with a header of four bytes.
unsafe fn bytes_with_header<'t>(value: *const pg_sys::varlena) -> &'t [u8] {
    // SAFETY: as promised.
    unsafe { std::slice::from_raw_parts(value.cast::<u8>(), varlena::varsize_4b(value)) }
}

/// The shortest digits that give the number back, as float8out prints with extra_float_digits = 1.
fn push_float(digits: &str, out: &mut Values) {
    let special = match digits {
        "NaN" => "NaN",
        "inf" => "Infinity",
        "-inf" => "-Infinity",
        _ => "",
    };
    if !special.is_empty() {
        return out.push_string(special.as_bytes());
    }
    let Ok(digits) = CString::new(digits) else {
        return out.push_null();
    };
    // SAFETY: digits are a number's text, which lives until the call returns.
    unsafe {
        let arguments = [
            Some(pg_sys::Datum::from(digits.as_ptr())),
            pg_sys::InvalidOid.into_datum(),
            (-1i32).into_datum(),
        ];
        match direct_function_call_as_datum(pg_sys::numeric_in, &arguments) {
            Some(numeric) => push_numeric(numeric.cast_mut_ptr(), out),
            None => out.push_null(),
        }
    }
}

/// Whether a jsonb may have a key that means something in a payload. What a tracked table holds must not: it is recorded
/// as text then.
fn means_something(jsonb: &[u8]) -> bool {
    [PERSONAL, ENCRYPTED, ERASED]
        .iter()
        .any(|key| mentions(jsonb, key))
}

/// A value of type json as jsonb without its header; None where jsonb cannot hold it. It lives in the current memory context.
fn json_as_jsonb<'t>(text: &[u8]) -> Option<&'t [u8]> {
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|text| fits_jsonb(text))?;
    let text = CString::new(text).ok()?;
    // SAFETY: jsonb_in takes a C string and returns a jsonb, which is not compressed.
    unsafe {
        let argument = Some(pg_sys::Datum::from(text.as_ptr()));
        direct_function_call_as_datum(pg_sys::jsonb_in, &[argument])
            .map(|jsonb| varlena::varlena_to_byte_slice(jsonb.cast_mut_ptr()))
    }
}

/// Whether two values of a column are the same, byte by byte: 1.0 and 1.00 are not.
///
/// # Safety
/// The data are of the column, out of rows that live.
pub unsafe fn are_identical(
    column: &Column,
    one: Option<pg_sys::Datum>,
    other: Option<pg_sys::Datum>,
) -> bool {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (None, None) => return true,
        _ => return false,
    };
    if column.is_by_value {
        return one == other;
    }
    let (one, other) = (one.cast_mut_ptr::<u8>(), other.cast_mut_ptr::<u8>());
    // SAFETY: what is not passed by value is a pointer, to as many bytes as the type's length says; to a
    // varlena for -1; to a C string for -2.
    unsafe {
        match usize::try_from(column.length) {
            Ok(length) => bytes(one, length) == bytes(other, length),
            Err(_) if column.length == -2 => {
                CStr::from_ptr(one.cast()) == CStr::from_ptr(other.cast())
            }
            Err(_) => are_identical_varlenas(one.cast(), other.cast()),
        }
    }
}

/// # Safety
/// Two varlenas.
unsafe fn are_identical_varlenas(one: *mut pg_sys::varlena, other: *mut pg_sys::varlena) -> bool {
    // SAFETY: as promised.
    unsafe {
        let as_stored =
            |value: *mut pg_sys::varlena| bytes(value.cast(), varlena::varsize_any(value));
        if as_stored(one) == as_stored(other) {
            // The same bytes, or the same place outside the row: nothing needs to be fetched.
            return true;
        }
        // Two plain values differ in their bytes, or in their headers alone.
        if let (Some(one), Some(other)) = (plain_content(one), plain_content(other)) {
            return one == other;
        }
        let size = |value| pg_sys::toast_raw_datum_size(pg_sys::Datum::from(value));
        if size(one) != size(other) {
            return false;
        }
        let fetched = [one, other].map(|value| pg_sys::pg_detoast_datum_packed(value));
        let [content, other_content] = fetched.map(|value| varlena::varlena_to_byte_slice(value));
        let are_identical = content == other_content;
        for (copy, value) in fetched.into_iter().zip([one, other]) {
            if copy != value {
                pg_sys::pfree(copy.cast());
            }
        }
        are_identical
    }
}

/// # Safety
/// There are as many bytes.
unsafe fn bytes<'t>(start: *const u8, length: usize) -> &'t [u8] {
    // SAFETY: as promised.
    unsafe { std::slice::from_raw_parts(start, length) }
}
