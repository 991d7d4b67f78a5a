//! The rows of a segment for SQL, with the columns that the query asks for.

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use pgrx::PgTupleDesc;
use uuid::Uuid;

use super::datum::{with_exact_forms, Conversion};
use super::stored::read_block;
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::owner::as_owner;
use crate::codeverify::raise::{or_raise, raise};

/// Rows between two looks for a cancellation.
const BATCH: usize = 256;

/// codeverify.segment_rows(segment uuid). Written against the server's own interface: the columns are those of the
/// query's own list, found by name, NULL where the segment has none of the name.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_segment_rows(call: FunctionCallInfo) -> Datum {
    // SAFETY: the argument is that of the SQL declaration, which is STRICT; a uuid is 16 bytes behind a pointer.
    let (segment, result) = unsafe {
        let argument = *(*call).args.as_ptr();
        let result: *mut pg_sys::ReturnSetInfo = (*call).resultinfo.cast();
        if result.is_null() || (*result).expectedDesc.is_null() {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "codeverify.segment_rows() is called in FROM, with a list of columns"
            );
        }
        pg_sys::InitMaterializedSRF(call, pg_sys::MAT_SRF_USE_EXPECTED_DESC);
        let id = *argument.value.cast_mut_ptr::<[u8; 16]>();
        (Uuid::from_bytes(id), result)
    };
    let block = or_raise(as_owner(|| read_block(segment)));
    // SAFETY: the descriptor was made for this call and stays with its result.
    let wanted = unsafe { PgTupleDesc::from_pg_unchecked((*result).setDesc) };
    let sources: Vec<_> = wanted
        .iter()
        .map(|attribute| {
            let place = block
                .columns
                .iter()
                .position(|column| column.name == attribute.name())?;
            let (column, values) = (block.columns.get(place)?, block.values.get(place)?);
            let conversion = Conversion::new(column.kind, attribute.atttypid, attribute.atttypmod);
            Some((conversion, values))
        })
        .collect();
    with_exact_forms(|| {
        for row in 0..block.rows() {
            if row % BATCH == 0 {
                check_for_interrupts();
            }
            in_scratch_memory(|| {
                let mut nulls = Vec::with_capacity(sources.len());
                let mut values = Vec::with_capacity(sources.len());
                for source in &sources {
                    let value = match source {
                        Some((conversion, values)) => {
                            conversion.value(values, row).unwrap_or_else(|| {
                                raise(Error::SegmentDamaged {
                                    segment: segment.to_string(),
                                    problem: format!("row {row} has a value that cannot be"),
                                })
                            })
                        }
                        None => None,
                    };
                    nulls.push(value.is_none());
                    values.push(value.unwrap_or(Datum::null()));
                }
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
    });
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_segment_rows() -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}
