//! A jsonb argument that is looked at before it is read: pgrx's own would detoast and parse it first.

use std::ffi::{CStr, CString};

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, DatumWithOid};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::varlena::{vardata_any, varsize_any_exhdr};
use pgrx::{
    direct_function_call_as_datum, pg_sys, FromDatum, IntoDatum, PgSqlErrorCode, PgTryBuilder,
};

/// A jsonb argument as PostgreSQL passed it.
pub struct JsonbArgument(pg_sys::Datum);

impl JsonbArgument {
    /// Size in bytes before compression, without reading the value.
    pub fn size(&self) -> usize {
        // SAFETY: the datum is a jsonb, as the function's SQL signature says.
        unsafe { pg_sys::toast_raw_datum_size(self.0) }
    }

    /// The value, or NULL, as the parameter of a query.
    pub fn parameter<'a>(argument: Option<&'a JsonbArgument>) -> DatumWithOid<'a> {
        argument.map_or(DatumWithOid::null_oid(pg_sys::JSONBOID), |argument| {
            // SAFETY: the datum is a jsonb.
            unsafe { DatumWithOid::new(argument.0, pg_sys::JSONBOID) }
        })
    }

    /// The value's root container, as PostgreSQL stores it.
    pub fn container(&self) -> &[u8] {
        // SAFETY: the datum is a jsonb; the detoasted copy lives until the function returns.
        unsafe { content_of(self.0) }
    }

    /// The value as JSON text.
    pub fn text(&self) -> &str {
        // SAFETY: the datum is a jsonb; the text lives until the function returns.
        unsafe { text_of(self.0) }
    }

    /// The value itself, to be returned as it is.
    pub fn into_jsonb(self) -> Jsonb {
        Jsonb(self.0)
    }
}

/// A jsonb as JSON text, in the current memory context.
///
/// # Safety
/// The datum is a jsonb, and the text is not used after the memory context is gone.
pub unsafe fn text_of<'a>(jsonb: pg_sys::Datum) -> &'a str {
    // SAFETY: as promised by the caller; the text is in the database's encoding, UTF-8, which bootstrap.sql has
    // made sure of.
    unsafe {
        let size = i32::try_from(pg_sys::toast_raw_datum_size(jsonb)).unwrap_or(i32::MAX);
        let jsonb = pg_sys::pg_detoast_datum(jsonb.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
        let root = std::ptr::addr_of_mut!((*jsonb).root);
        let text = CStr::from_ptr(pg_sys::JsonbToCString(std::ptr::null_mut(), root, size));
        std::str::from_utf8_unchecked(text.to_bytes())
    }
}

/// A jsonb after its length, unpacked into the current memory context where it was not.
///
/// # Safety
/// The datum is a jsonb that lives, as the memory context does, for as long as the result is used.
pub unsafe fn content_of<'a>(jsonb: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: as promised by the caller.
    unsafe {
        let value = pg_sys::pg_detoast_datum_packed(jsonb.cast_mut_ptr());
        std::slice::from_raw_parts(vardata_any(value).cast(), varsize_any_exhdr(value))
    }
}

/// A jsonb in the current memory context, from what `content_of` gave.
pub fn from_content(content: &[u8]) -> pg_sys::Datum {
    let size = pg_sys::VARHDRSZ + content.len();
    // SAFETY: the room is as large as what is written to it, and aligned for any type.
    unsafe {
        let value = pg_sys::palloc(size).cast::<pg_sys::varlena>();
        pgrx::set_varsize_4b(value, size as i32);
        std::ptr::copy_nonoverlapping(
            content.as_ptr(),
            pgrx::varlena::vardata_4b(value).cast_mut().cast(),
            content.len(),
        );
        pg_sys::Datum::from(value)
    }
}

/// Reads JSON text into a jsonb in the current memory context; None when it is no JSON that a jsonb can hold. What says
/// something of the server and not of the text (the depth of its stack, its memory, a cancelled query) is an error.
pub fn from_text(text: &str) -> Option<pg_sys::Datum> {
    let text = CString::new(text).ok()?;
    PgTryBuilder::new(|| {
        // SAFETY: jsonb_in takes a C string. Its errors leave nothing behind: it opens no relation, takes no
        // lock and pins no page.
        unsafe {
            direct_function_call_as_datum(
                pg_sys::jsonb_in,
                &[Some(pg_sys::Datum::from(text.as_ptr()))],
            )
        }
    })
    .catch_when(PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION, |_| {
        None
    })
    .catch_when(PgSqlErrorCode::ERRCODE_UNTRANSLATABLE_CHARACTER, |_| None)
    .catch_when(PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, |_| None)
    .catch_when(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, |_| None)
    .execute()
}

impl FromDatum for JsonbArgument {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _type: pg_sys::Oid,
    ) -> Option<Self> {
        (!is_null).then_some(JsonbArgument(datum))
    }
}

// SAFETY: the datum is only stored; methods read it while the call that brought it lasts.
unsafe impl<'fcx> ArgAbi<'fcx> for JsonbArgument {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the function is STRICT, so the argument is not NULL.
        unsafe { arg.unbox_arg_using_from_datum() }.unwrap_or(JsonbArgument(pg_sys::Datum::null()))
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as promised by the caller.
        unsafe { arg.unbox_arg_using_from_datum().into() }
    }
}

// SAFETY: the SQL type is jsonb, as for pgrx's JsonB.
unsafe impl SqlTranslatable for JsonbArgument {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(JsonbArgument);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

/// A jsonb value to return.
pub struct Jsonb(pub pg_sys::Datum);

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the datum goes to the server as it is.
unsafe impl BoxRet for Jsonb {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: a jsonb in memory of the call.
        unsafe { fcinfo.return_raw_datum(self.0) }
    }
}

// SAFETY: the SQL type is jsonb, as for pgrx's JsonB.
unsafe impl SqlTranslatable for Jsonb {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Jsonb);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
