//! Makes segments of the rows of a table.

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys;
use pgrx::spi::{quote_identifier, Result as SpiResult};
use serde_json::{json, Value};
use uuid::Uuid;

use super::block::{Block, PackedColumn};
use super::datum::{kind_of, push, with_exact_forms};
use super::logs;
use super::stored::span_of;
use super::summary::summarize;
use crate::audits::archives::cursor::Cursor;
use crate::audits::archives::datum::Row;
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::query::{update, update_one};
use crate::codeverify::reading::reading;
use crate::codeverify::segment;
use crate::tenancy::sql::{from_datum, to_datum};

/// Rows that are read at a time. What is large is stored apart and read one by one.
const FETCHED: i64 = 500;
/// Larger segments take little less room, and more time where few of their rows are wanted.
const SEGMENT_ROWS: usize = 8_000;
/// A segment is closed when it has this much before compression: reading it again takes a small multiple.
const SEGMENT_BYTES: usize = 8 << 20;

/// Which rows are packed, and as what.
pub struct Task {
    /// The partitioned table.
    pub relation: pg_sys::Oid,
    /// The partition.
    pub source: pg_sys::Oid,
    /// The column that decides the partition.
    pub key: String,
    /// Which rows of the partition, in SQL.
    pub condition: String,
    pub period_start: TimestampWithTimeZone,
    pub period_end: TimestampWithTimeZone,
    /// Whether org_id says whose a row is.
    pub has_organizations: bool,
    /// Whether rows of organizations that are gone are kept, for operators alone.
    pub keeps_gone: bool,
    /// Rows to pack, for showing how far it is.
    pub total: i64,
}

/// A column of the partition.
struct SourceColumn {
    packed: PackedColumn,
    type_oid: pg_sys::Oid,
}

/// Packs rows, and says as JSON what came of it. To be called as codeverify_owner, where nobody else writes to the
/// partition.
pub fn write(task: &Task) -> Result<Value, Error> {
    with_exact_forms(|| {
        let columns = columns_of(task.source);
        let source = update_one::<String>(
            "SELECT format('%I.%I', n.nspname, c.relname) \
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE c.oid = $1",
            &[task.source.into()],
        )
        .unwrap_or_default();
        let mut writer = Writer::new(task, &columns, &source)?;
        let names: Vec<String> = columns
            .iter()
            .map(|column| quote_identifier(&column.packed.name))
            .collect();
        let mut order: Vec<String> = Vec::new();
        if task.has_organizations {
            order.push("org_id".to_owned());
        }
        order.push(quote_identifier(&task.key));
        order.extend(key_columns(task.source).iter().map(quote_identifier));
        let query = format!(
            "SELECT {} FROM ONLY {source} WHERE {} ORDER BY {}",
            names.join(", "),
            task.condition,
            order.join(", ")
        );
        let cursor = reading(task.relation, &query, |query| Cursor::open(query, &[]))?;
        while writer.take(&cursor)? {
            check_for_interrupts();
        }
        cursor.close();
        writer.finish()
    })
}

fn columns_of(source: pg_sys::Oid) -> Vec<SourceColumn> {
    update(
        "SELECT a.attname::text, format_type(a.atttypid, -1), a.atttypid \
         FROM pg_attribute AS a \
         WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attnum",
        &[source.into()],
        |rows| {
            rows.map(|row| {
                let type_oid = row.get::<pg_sys::Oid>(3)?.unwrap_or(pg_sys::InvalidOid);
                Ok(SourceColumn {
                    packed: PackedColumn {
                        name: row.get(1)?.unwrap_or_default(),
                        type_name: row.get(2)?.unwrap_or_default(),
                        kind: kind_of(type_oid),
                    },
                    type_oid,
                })
            })
            .collect()
        },
    )
}

/// Columns of the primary key.
fn key_columns(source: pg_sys::Oid) -> Vec<String> {
    update(
        "SELECT a.attname::text \
         FROM pg_index AS i \
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) \
         JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
         WHERE i.indrelid = $1 AND i.indisprimary \
         ORDER BY k.place",
        &[source.into()],
        |rows| {
            rows.map(|row| Ok(row.get(1)?.unwrap_or_default()))
                .collect::<SpiResult<Vec<String>>>()
        },
    )
}

/// Whose the rows are that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Of an organization, or of none.
    Kept(Option<Uuid>),
    /// Of an organization that is gone: its rows go as well.
    Gone,
}

/// Takes rows in order and stores them in segments.
struct Writer<'a> {
    task: &'a Task,
    columns: &'a [SourceColumn],
    source: &'a str,
    organization: Option<usize>,
    key: usize,
    is_of_logs: bool,
    progress: Progress,
    /// org_id of the rows that are read, and what is done with them.
    reading: Option<(Option<Uuid>, Owner)>,
    /// Whose the rows are that wait.
    waiting_of: Option<Uuid>,
    waiting: Block,
    waiting_bytes: usize,
    segments: Vec<Uuid>,
    rows: usize,
    skipped: usize,
    bytes: usize,
}

impl<'a> Writer<'a> {
    fn new(
        task: &'a Task,
        columns: &'a [SourceColumn],
        source: &'a str,
    ) -> Result<Writer<'a>, Error> {
        let place = |name: &str| columns.iter().position(|column| column.packed.name == name);
        let key = place(&task.key).ok_or_else(|| Error::NotPackable {
            partition: source.to_owned(),
            reason: "The column that decides the partition is not there.".to_owned(),
        })?;
        Ok(Writer {
            task,
            columns,
            source,
            organization: task.has_organizations.then(|| place("org_id")).flatten(),
            key,
            is_of_logs: logs::is_logs(task.relation),
            progress: Progress::start(
                Operation::Pack,
                usize::try_from(task.total).unwrap_or_default(),
            ),
            reading: None,
            waiting_of: None,
            waiting: empty(columns),
            waiting_bytes: 0,
            segments: Vec::new(),
            rows: 0,
            skipped: 0,
            bytes: 0,
        })
    }

    /// Takes the next rows; false at the end.
    fn take(&mut self, cursor: &Cursor) -> Result<bool, Error> {
        let mut result = Ok(());
        let taken = cursor.fetch(FETCHED, |row| {
            if result.is_ok() {
                result = self.push(row)?;
            }
            Ok(())
        });
        result?;
        Ok(!taken.is_empty())
    }

    fn push(&mut self, row: &Row) -> SpiResult<Result<(), Error>> {
        let org_id = match self.organization {
            Some(place) => row.uuid(place + 1)?,
            None => None,
        };
        let owner = match self.reading {
            Some((known, owner)) if known == org_id => owner,
            _ => {
                let owner = self.owner_of(org_id);
                self.reading = Some((org_id, owner));
                owner
            }
        };
        let Owner::Kept(owner) = owner else {
            self.skipped += 1;
            return Ok(Ok(()));
        };
        let is_full = self.waiting.rows() >= SEGMENT_ROWS || self.waiting_bytes >= SEGMENT_BYTES;
        if self.waiting.rows() > 0 && (is_full || self.waiting_of != owner) {
            if let Err(error) = self.flush() {
                return Ok(Err(error));
            }
        }
        self.waiting_of = owner;
        let columns = self.columns;
        let values = &mut self.waiting.values;
        let size = in_scratch_memory(|| {
            let mut size = 0_usize;
            for (place, (column, values)) in columns.iter().zip(values).enumerate() {
                let datum = row.datum(place + 1)?;
                // SAFETY: the value is of the column's type, and its kind that of the type.
                size += unsafe { push(values, column.packed.kind, column.type_oid, datum) };
            }
            SpiResult::Ok(size)
        })?;
        self.waiting_bytes = self.waiting_bytes.saturating_add(size);
        Ok(Ok(()))
    }

    /// An organization that is there stays until the segments are committed.
    fn owner_of(&self, org_id: Option<Uuid>) -> Owner {
        let Some(org_id) = org_id else {
            return Owner::Kept(None);
        };
        let is_there = update_one::<bool>(
            "SELECT true FROM tenancy.organizations AS o WHERE o.id = $1 FOR KEY SHARE",
            &[to_datum(org_id).into()],
        );
        match is_there {
            Some(_) => Owner::Kept(Some(org_id)),
            None if self.task.keeps_gone => Owner::Kept(None),
            None => Owner::Gone,
        }
    }

    /// Packs and stores what is waiting.
    fn flush(&mut self) -> Result<(), Error> {
        let mut block = std::mem::replace(&mut self.waiting, empty(self.columns));
        self.waiting_bytes = 0;
        let rows = block.rows();
        if rows == 0 {
            return Ok(());
        }
        block.org_id = self.waiting_of;
        let not_packable = |reason: String| Error::NotPackable {
            partition: self.source.to_owned(),
            reason,
        };
        let content = block.pack().map_err(|problem| {
            not_packable(match problem {
                segment::Error::TooLarge => "A row is larger than a segment can be.".to_owned(),
                problem => format!("Packing failed: {problem}."),
            })
        })?;
        let (min_ts, max_ts) = block
            .values
            .get(self.key)
            .and_then(span_of)
            .ok_or_else(|| not_packable("A row has no time.".to_owned()))?;
        let words = self.is_of_logs.then(|| logs::words_of(&block)).flatten();
        let id = in_scratch_memory(|| {
            let arguments: [DatumWithOid; 11] = [
                self.waiting_of.map(to_datum).into(),
                self.task.relation.into(),
                self.task.period_start.into(),
                self.task.period_end.into(),
                timestamptz(min_ts),
                timestamptz(max_ts),
                i32::try_from(rows).unwrap_or(i32::MAX).into(),
                json_of_columns(&block).to_string().into(),
                summarize(&block).to_string().into(),
                words.into(),
                content.as_slice().into(),
            ];
            update_one::<pgrx::Uuid>(
                "INSERT INTO codeverify.packed_segments \
                     (org_id, relation, period_start, period_end, min_ts, max_ts, row_count, columns, summary, \
                      words, content) \
                 VALUES ($1, $2::regclass, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10, $11) \
                 RETURNING id",
                &arguments,
            )
        });
        self.segments.extend(id.map(from_datum));
        self.rows += rows;
        self.bytes += content.len();
        self.progress.advance(rows);
        Ok(())
    }

    fn finish(mut self) -> Result<Value, Error> {
        self.flush()?;
        Ok(json!({
            "rows": self.rows,
            "skipped": self.skipped,
            "bytes": self.bytes,
            "segments": self.segments,
        }))
    }
}

/// A block that rows are added to.
fn empty(columns: &[SourceColumn]) -> Block {
    Block {
        org_id: None,
        columns: columns.iter().map(|column| column.packed.clone()).collect(),
        values: columns
            .iter()
            .map(|column| column.packed.kind.empty())
            .collect(),
    }
}

/// Names and types of the columns, for codeverify.packed_segments.
pub fn json_of_columns(block: &Block) -> Value {
    let columns = block
        .columns
        .iter()
        .map(|column| json!({ "name": column.name, "type": column.type_name }));
    Value::Array(columns.collect())
}

/// A time in PostgreSQL's microseconds as the parameter of a query.
fn timestamptz<'a>(micros: i64) -> DatumWithOid<'a> {
    // SAFETY: a timestamptz is those microseconds.
    unsafe { DatumWithOid::new(pg_sys::Datum::from(micros), pg_sys::TIMESTAMPTZOID) }
}
