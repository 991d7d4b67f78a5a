//! Reads segments from codeverify.packed_segments.

use uuid::Uuid;

use super::block::Block;
use crate::audits::archives::datum::Row;
use crate::codeverify::errors::Error;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::query::select_as_seen;
use crate::codeverify::segment::Column;
use crate::tenancy::sql::to_datum;

/// What is stored of a segment.
pub struct Stored {
    pub org_id: Option<Uuid>,
    pub rows: i32,
    /// Names and types of its columns, as JSON.
    pub columns: String,
    pub content: Vec<u8>,
}

/// The rows of a segment. To be called as codeverify_owner.
pub fn read_block(id: Uuid) -> Result<Block, Error> {
    let damaged = |problem: String| Error::SegmentDamaged {
        segment: id.to_string(),
        problem,
    };
    let stored = read(id).ok_or_else(|| damaged("it is not there".to_owned()))?;
    let block = Block::unpack(&stored.content).map_err(|problem| damaged(problem.to_string()))?;
    if block.org_id != stored.org_id {
        return Err(damaged("its rows are of another organization".to_owned()));
    }
    if usize::try_from(stored.rows) != Ok(block.rows()) {
        return Err(damaged("it has another number of rows".to_owned()));
    }
    if !has_columns(&block, &stored.columns) {
        return Err(damaged("its columns have other names or types".to_owned()));
    }
    Ok(block)
}

fn read(id: Uuid) -> Option<Stored> {
    in_scratch_memory(|| {
        select_as_seen(
            "SELECT s.org_id, s.row_count, s.columns::text, s.content \
             FROM codeverify.packed_segments AS s \
             WHERE s.id = $1",
            &[to_datum(id).into()],
            |mut rows| {
                if rows.next().is_none() {
                    return Ok(None);
                }
                let row = Row(&rows);
                Ok(Some(Stored {
                    org_id: row.uuid(1)?,
                    rows: row.int4(2)?.unwrap_or_default(),
                    columns: row.text(3)?.unwrap_or_default(),
                    content: row.bytes(4)?.unwrap_or_default(),
                }))
            },
        )
    })
}

/// Whether the columns are those that the table says.
fn has_columns(block: &Block, stored: &str) -> bool {
    let stored: Vec<serde_json::Value> = serde_json::from_str(stored).unwrap_or_default();
    let is_same = |(column, stored): (&super::block::PackedColumn, &serde_json::Value)| {
        stored["name"] == column.name.as_str() && stored["type"] == column.type_name.as_str()
    };
    stored.len() == block.columns.len() && block.columns.iter().zip(&stored).all(is_same)
}

/// Least and greatest of the times, or days, of a column.
pub fn span_of(values: &Column) -> Option<(i64, i64)> {
    let bounds = |values: &[Option<i64>]| {
        let least = values.iter().flatten().min()?;
        let greatest = values.iter().flatten().max()?;
        Some((*least, *greatest))
    };
    match values {
        Column::Timestamp(values) => bounds(values),
        Column::Int64(days) => bounds(days).map(|(least, greatest)| {
            (
                least.saturating_mul(MICROS_PER_DAY),
                greatest.saturating_mul(MICROS_PER_DAY),
            )
        }),
        Column::Uuid(_) | Column::Text(_) | Column::Bytes(_) => None,
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
