//! Values of the server, into columns of a segment and back.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Datum};
use uuid::Uuid;

use super::block::Kind;
use crate::codeverify::jsonb;
use crate::codeverify::owner::set_for_now;
use crate::codeverify::segment::Column;

/// Runs `work` with settings under which output functions give what input functions read to the same value.
pub fn with_exact_forms<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: opens a nest level of settings, which is closed below or by the end of the (sub)transaction.
    let nest_level = unsafe {
        let nest_level = pg_sys::NewGUCNestLevel();
        set_for_now(c"datestyle", c"ISO, MDY");
        set_for_now(c"intervalstyle", c"postgres");
        set_for_now(c"timezone", c"UTC");
        set_for_now(c"extra_float_digits", c"1");
        set_for_now(c"bytea_output", c"hex");
        set_for_now(c"lc_monetary", c"C");
        set_for_now(c"xmloption", c"content");
        nest_level
    };
    let result = work();
    // SAFETY: closes what was opened above.
    unsafe { pg_sys::AtEOXact_GUC(true, nest_level) };
    result
}

/// How values of a type, or of a domain over it, are packed.
pub fn kind_of(type_oid: pg_sys::Oid) -> Kind {
    // SAFETY: a catalog look-up.
    match unsafe { pg_sys::getBaseType(type_oid) } {
        pg_sys::UUIDOID => Kind::Uuid,
        pg_sys::BOOLOID => Kind::Bool,
        pg_sys::INT2OID => Kind::Int2,
        pg_sys::INT4OID => Kind::Int4,
        pg_sys::INT8OID => Kind::Int8,
        pg_sys::DATEOID => Kind::Date,
        pg_sys::TIMESTAMPOID => Kind::Timestamp,
        pg_sys::TIMESTAMPTZOID => Kind::Timestamptz,
        pg_sys::TEXTOID | pg_sys::VARCHAROID => Kind::Text,
        pg_sys::BYTEAOID => Kind::Bytea,
        pg_sys::JSONBOID => Kind::Jsonb,
        _ => Kind::Form,
    }
}

/// The type whose values a kind stands for.
fn type_of(kind: Kind) -> pg_sys::Oid {
    match kind {
        Kind::Uuid => pg_sys::UUIDOID,
        Kind::Bool => pg_sys::BOOLOID,
        Kind::Int2 => pg_sys::INT2OID,
        Kind::Int4 => pg_sys::INT4OID,
        Kind::Int8 => pg_sys::INT8OID,
        Kind::Date => pg_sys::DATEOID,
        Kind::Timestamp => pg_sys::TIMESTAMPOID,
        Kind::Timestamptz => pg_sys::TIMESTAMPTZOID,
        Kind::Text => pg_sys::TEXTOID,
        Kind::Bytea => pg_sys::BYTEAOID,
        Kind::Jsonb => pg_sys::JSONBOID,
        Kind::Form => pg_sys::CSTRINGOID,
    }
}

/// Adds a value to a column and returns its size in bytes.
///
/// # Safety
/// The datum is of the type, whose kind the column is of. What it is unpacked into stays in the current memory
/// context.
pub unsafe fn push(
    column: &mut Column,
    kind: Kind,
    type_oid: pg_sys::Oid,
    datum: Option<Datum>,
) -> usize {
    match column {
        Column::Uuid(values) => {
            // SAFETY: a uuid is 16 bytes behind a pointer.
            let id = datum.map(|datum| unsafe { *datum.cast_mut_ptr::<[u8; 16]>() });
            values.push(id.map(Uuid::from_bytes));
            16
        }
        Column::Int64(values) => {
            values.push(datum.map(|datum| integer(kind, datum)));
            8
        }
        Column::Timestamp(values) => {
            values.push(datum.map(|datum| datum.value() as i64));
            8
        }
        Column::Text(values) => {
            let text = datum.map(|datum| {
                // SAFETY: a jsonb or a text, as the kind says; the copy does not depend on the memory.
                unsafe {
                    if kind == Kind::Jsonb {
                        jsonb::text_of(datum).to_owned()
                    } else {
                        // The database's encoding is UTF-8, which bootstrap.sql has made sure of.
                        String::from_utf8_unchecked(jsonb::content_of(datum).to_vec())
                    }
                }
            });
            let size = text.as_ref().map_or(0, String::len);
            values.push(text);
            size
        }
        Column::Bytes(values) => {
            // SAFETY: a bytea, or a value that is shown by its type's own output function.
            let bytes = datum.map(|datum| unsafe {
                if kind == Kind::Bytea {
                    jsonb::content_of(datum).to_vec()
                } else {
                    shown(type_oid, datum).to_bytes().to_vec()
                }
            });
            let size = bytes.as_ref().map_or(0, Vec::len);
            values.push(bytes);
            size
        }
    }
}

fn integer(kind: Kind, datum: Datum) -> i64 {
    // As the server takes them out of a datum: the bits above are not theirs.
    match kind {
        Kind::Bool => i64::from(datum.value() as u8 != 0),
        Kind::Int2 => i64::from(datum.value() as i16),
        Kind::Int4 | Kind::Date => i64::from(datum.value() as i32),
        _ => datum.value() as i64,
    }
}

/// # Safety
/// The datum is of the type. The text is in the current memory context.
unsafe fn shown<'a>(type_oid: pg_sys::Oid, datum: Datum) -> &'a CStr {
    let mut function = pg_sys::InvalidOid;
    let mut is_varlena = false;
    // SAFETY: as promised by the caller.
    unsafe {
        pg_sys::getTypeOutputInfo(type_oid, &mut function, &mut is_varlena);
        CStr::from_ptr(pg_sys::OidOutputFunctionCall(function, datum))
    }
}

/// How values of one column come to be of a type that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Conversion {
    kind: Kind,
    /// Input function of the type, with what it takes besides; None where the values are of the type already.
    input: Option<(pg_sys::Oid, pg_sys::Oid, i32)>,
}

impl Conversion {
    /// For a column of a kind that was packed, to a type.
    pub fn new(kind: Kind, type_oid: pg_sys::Oid, modifier: i32) -> Conversion {
        if kind != Kind::Form && kind_of(type_oid) == kind && modifier < 0 {
            return Conversion { kind, input: None };
        }
        let mut function = pg_sys::InvalidOid;
        let mut parameter = pg_sys::InvalidOid;
        // SAFETY: a catalog look-up, which raises an error for a type that is none.
        unsafe { pg_sys::getTypeInputInfo(type_oid, &mut function, &mut parameter) };
        Conversion {
            kind,
            input: Some((function, parameter, modifier)),
        }
    }

    /// The value of a row, in the current memory context: None within is NULL, and outside a value that cannot be.
    pub fn value(&self, column: &Column, row: usize) -> Option<Option<Datum>> {
        let Some((function, parameter, modifier)) = self.input else {
            return native(self.kind, column, row);
        };
        let text = match column {
            Column::Bytes(values) if self.kind == Kind::Form => match values.get(row)? {
                Some(bytes) => CString::new(bytes.as_slice()).ok()?,
                None => return Some(None),
            },
            _ => match native(self.kind, column, row)? {
                // SAFETY: the datum was made of that type.
                Some(datum) => unsafe { shown(type_of(self.kind), datum) }.to_owned(),
                None => return Some(None),
            },
        };
        // SAFETY: an input function, its parameters, and a C string that lives through the call.
        Some(Some(unsafe {
            pg_sys::OidInputFunctionCall(function, text.as_ptr().cast_mut(), parameter, modifier)
        }))
    }
}

fn native(kind: Kind, column: &Column, row: usize) -> Option<Option<Datum>> {
    Some(match column {
        Column::Uuid(values) => values.get(row)?.map(|id| copy(id.as_bytes())),
        Column::Int64(values) => match *values.get(row)? {
            Some(number) => Some(from_integer(kind, number)?),
            None => None,
        },
        Column::Timestamp(values) => values.get(row)?.map(Datum::from),
        Column::Text(values) => match values.get(row)? {
            Some(text) if kind == Kind::Jsonb => Some(jsonb::from_text(text)?),
            Some(text) => Some(jsonb::from_content(text.as_bytes())),
            None => None,
        },
        // Text, bytea and jsonb have the same shape: a length and what it counts.
        Column::Bytes(values) => values.get(row)?.as_deref().map(jsonb::from_content),
    })
}

fn from_integer(kind: Kind, number: i64) -> Option<Datum> {
    Some(match kind {
        Kind::Bool => Datum::from(match number {
            0 => false,
            1 => true,
            _ => return None,
        }),
        Kind::Int2 => Datum::from(i16::try_from(number).ok()?),
        Kind::Int4 | Kind::Date => Datum::from(i32::try_from(number).ok()?),
        _ => Datum::from(number),
    })
}

/// Bytes in the current memory context, for a type that is passed by reference.
fn copy(bytes: &[u8]) -> Datum {
    // SAFETY: the room is as large as what is written to it.
    unsafe {
        let room = pg_sys::palloc(bytes.len()).cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len());
        Datum::from(room)
    }
}
