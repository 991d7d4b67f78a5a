//! Packs rows into columnar segments, compressed, that are checked wholly when they are read again.
//!
//! ```text
//! segment  = magic "CVSG" | version u8 | rows u32 | columns u16 | min ts i64 | max ts i64
//!          | content length u64 | checksum 32 bytes | zstd frame of the content
//! content  = column, column, …
//! column   = type u8 | has NULLs u8 | bitmap, one bit a row, if it has | length u64 | values
//! ```
//!
//! Integers in the header are big-endian. The checksum is the SHA-256 of the header before it and of
//! the uncompressed content, so that nothing in a segment can change unnoticed. min and max ts are those
//! of the first timestamp column; i64::MAX and i64::MIN where there is none, or nothing but NULL in it.
//!
//! No pgrx in here: logs and usage can be packed in the same way as the ledger.

mod column;
#[cfg(test)]
mod tests;

use std::io::Read;

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use column::Column;
use column::{Reader, Writer};

/// Most rows of a segment; those of the ledger have fewer.
pub const MAX_ROWS: usize = 1 << 16;
/// Most columns of a segment: more than two for each that a table can have.
pub const MAX_COLUMNS: usize = 4_096;
/// Most bytes that the content of a segment may have uncompressed.
pub const MAX_CONTENT: usize = 1 << 30;

const MAGIC: &[u8; 4] = b"CVSG";
const VERSION: u8 = 1;
const CHECKSUM: usize = 32;
const HEADER: usize = 4 + 1 + 4 + 2 + 8 + 8 + 8 + CHECKSUM;
/// Segments are written once and read seldom.
const LEVEL: i32 = 9;
/// As far back as a frame may refer: what a reader has to keep in memory besides the content.
const MAX_WINDOW_LOG: u32 = 27;

/// Why rows could not be packed, or a segment not be unpacked.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error("a segment holds at most {MAX_ROWS} rows")]
    TooManyRows,
    #[error("a segment has 1 to {MAX_COLUMNS} columns")]
    ColumnCount,
    #[error("the columns of a segment have different lengths")]
    UnevenColumns,
    #[error("the content of a segment is larger than {MAX_CONTENT} bytes")]
    TooLarge,
    #[error("zstd cannot compress the content")]
    Compression,
    #[error("not a segment")]
    NotASegment,
    #[error("version {0} of the segment format is not known")]
    UnknownVersion(u8),
    #[error("the segment ends too early")]
    Truncated,
    #[error("the compressed content is damaged")]
    Damaged,
    #[error("the checksum does not match")]
    Checksum,
    #[error("the content does not follow the format")]
    Malformed,
}

/// What a segment says of itself before it is unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub rows: usize,
    pub columns: usize,
    /// Least and greatest value of the first timestamp column.
    pub span: Option<(i64, i64)>,
    content_length: usize,
}

/// A segment that has been unpacked and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub header: Header,
    pub columns: Vec<Column>,
}

/// Packs columns of equal length.
pub fn pack(columns: &[Column]) -> Result<Vec<u8>, Error> {
    let rows = columns.first().ok_or(Error::ColumnCount)?.len();
    if columns.len() > MAX_COLUMNS {
        return Err(Error::ColumnCount);
    }
    if rows > MAX_ROWS {
        return Err(Error::TooManyRows);
    }
    if columns.iter().any(|column| column.len() != rows) {
        return Err(Error::UnevenColumns);
    }
    let mut content = Writer::default();
    for column in columns {
        content.column(column);
        if content.bytes.len() > MAX_CONTENT {
            return Err(Error::TooLarge);
        }
    }
    let header = Header {
        rows,
        columns: columns.len(),
        span: span(columns),
        content_length: content.bytes.len(),
    };
    let compressed = zstd::bulk::compress(&content.bytes, LEVEL).map_err(|_| Error::Compression)?;
    let mut segment = Vec::with_capacity(HEADER + compressed.len());
    header.write(&mut segment)?;
    let checksum = checksum(&segment, &content.bytes);
    segment.extend_from_slice(&checksum);
    segment.extend_from_slice(&compressed);
    Ok(segment)
}

/// Unpacks a segment and checks everything that it says of itself.
pub fn unpack(segment: &[u8]) -> Result<Segment, Error> {
    let header = Header::read(segment)?;
    let (start, rest) = segment
        .split_at_checked(HEADER - CHECKSUM)
        .ok_or(Error::Truncated)?;
    let (expected, compressed) = rest.split_at_checked(CHECKSUM).ok_or(Error::Truncated)?;
    let content = decompress(compressed, header.content_length)?;
    if checksum(start, &content) != expected {
        return Err(Error::Checksum);
    }
    let mut reader = Reader::new(&content);
    let columns = (0..header.columns)
        .map(|_| reader.column(header.rows))
        .collect::<Result<Vec<Column>, Error>>()?;
    if !reader.is_at_end() || span(&columns) != header.span {
        return Err(Error::Malformed);
    }
    Ok(Segment { header, columns })
}

/// Never more than `length` bytes, however much the frame would give, and none before there is something
/// to put there.
fn decompress(compressed: &[u8], length: usize) -> Result<Vec<u8>, Error> {
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(compressed).map_err(|_| Error::Damaged)?;
    decoder
        .window_log_max(MAX_WINDOW_LOG)
        .map_err(|_| Error::Damaged)?;
    let mut content = Vec::new();
    decoder
        .by_ref()
        .take(length as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|_| Error::Damaged)?;
    // What follows a frame, or a second frame, is nothing that pack() wrote.
    if content.len() != length || !decoder.finish().is_empty() {
        return Err(Error::Damaged);
    }
    Ok(content)
}

fn checksum(header: &[u8], content: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = Sha256::new();
    hasher.update(header);
    hasher.update(content);
    hasher.finalize().into()
}

/// Least and greatest timestamp of the first column that has timestamps.
fn span(columns: &[Column]) -> Option<(i64, i64)> {
    let timestamps = columns.iter().find_map(|column| match column {
        Column::Timestamp(values) => Some(values),
        _ => None,
    })?;
    let mut known = timestamps.iter().flatten();
    let first = *known.next()?;
    Some(known.fold((first, first), |(least, greatest), &ts| {
        (least.min(ts), greatest.max(ts))
    }))
}

impl Header {
    /// All but the checksum.
    fn write(&self, into: &mut Vec<u8>) -> Result<(), Error> {
        let (least, greatest) = self.span.unwrap_or((i64::MAX, i64::MIN));
        into.extend_from_slice(MAGIC);
        into.push(VERSION);
        into.extend_from_slice(
            &u32::try_from(self.rows)
                .map_err(|_| Error::TooManyRows)?
                .to_be_bytes(),
        );
        into.extend_from_slice(
            &u16::try_from(self.columns)
                .map_err(|_| Error::ColumnCount)?
                .to_be_bytes(),
        );
        into.extend_from_slice(&least.to_be_bytes());
        into.extend_from_slice(&greatest.to_be_bytes());
        into.extend_from_slice(&(self.content_length as u64).to_be_bytes());
        Ok(())
    }

    /// Reads the start of a segment. What it says is proven only once the segment is unpacked.
    pub fn read(segment: &[u8]) -> Result<Header, Error> {
        let mut rest = segment;
        if take(&mut rest)? != *MAGIC {
            return Err(Error::NotASegment);
        }
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(Error::UnknownVersion(version));
        }
        let rows = u32::from_be_bytes(take(&mut rest)?) as usize;
        let columns = usize::from(u16::from_be_bytes(take(&mut rest)?));
        let least = i64::from_be_bytes(take(&mut rest)?);
        let greatest = i64::from_be_bytes(take(&mut rest)?);
        let content_length =
            usize::try_from(u64::from_be_bytes(take(&mut rest)?)).map_err(|_| Error::TooLarge)?;
        if rows > MAX_ROWS {
            return Err(Error::TooManyRows);
        }
        if columns == 0 || columns > MAX_COLUMNS {
            return Err(Error::ColumnCount);
        }
        if content_length > MAX_CONTENT {
            return Err(Error::TooLarge);
        }
        Ok(Header {
            rows,
            columns,
            span: (least <= greatest).then_some((least, greatest)),
            content_length,
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let (taken, left) = rest.split_first_chunk().ok_or(Error::Truncated)?;
    *rest = left;
    Ok(*taken)
}
