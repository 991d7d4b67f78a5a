//! Round trips, and damage to every part of a segment.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use uuid::Uuid;

fn columns() -> impl Strategy<Value = Vec<Column>> {
    (0_usize..40).prop_flat_map(|rows| {
        vec(
            prop_oneof![
                vec(option::of(any::<u128>()), rows).prop_map(|values| Column::Uuid(
                    values
                        .into_iter()
                        .map(|value| value.map(Uuid::from_u128))
                        .collect()
                )),
                vec(option::of(any::<i64>()), rows).prop_map(Column::Int64),
                vec(option::of(any::<i64>()), rows).prop_map(Column::Timestamp),
                vec(any::<i64>(), rows)
                    .prop_map(|values| Column::Timestamp(values.into_iter().map(Some).collect())),
                vec(option::of(".{0,20}"), rows).prop_map(Column::Text),
                vec(option::of(vec(any::<u8>(), 0..20)), rows).prop_map(Column::Bytes),
            ],
            1..8,
        )
    })
}

fn sample() -> Vec<Column> {
    vec![
        Column::Int64((1..=20).map(Some).collect()),
        Column::Uuid(
            (0..20)
                .map(|n| (n % 3 != 0).then(|| Uuid::from_u128(n << 100)))
                .collect(),
        ),
        Column::Timestamp(
            (0..20)
                .map(|n| Some(1_700_000_000_000_000 + n * 999_983))
                .collect(),
        ),
        Column::Text(
            (0..20)
                .map(|n| Some(format!("{{\"number\": {n}, \"text\": \"größer\"}}")))
                .collect(),
        ),
        Column::Bytes(
            (0..20)
                .map(|n| (n % 2 == 0).then(|| vec![n; usize::from(n)]))
                .collect(),
        ),
        Column::Text(vec![None; 20]),
    ]
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(columns in columns()) {
        let segment = unpack(&pack(&columns).expect("to pack")).expect("to unpack");
        prop_assert_eq!(segment.header.rows, columns[0].len());
        prop_assert_eq!(segment.columns, columns);
    }

    #[test]
    fn noise_is_refused(noise in vec(any::<u8>(), 0..300)) {
        prop_assert!(unpack(&noise).is_err());
    }

    #[test]
    fn noise_behind_a_header_is_refused(noise in vec(any::<u8>(), 0..300)) {
        let mut segment = pack(&sample()).expect("to pack");
        segment.truncate(HEADER);
        segment.extend_from_slice(&noise);
        prop_assert!(unpack(&segment).is_err());
    }

    /// Past the checksum the reader still trusts nothing.
    #[test]
    fn noise_with_a_matching_checksum_is_refused_or_read(
        noise in vec(any::<u8>(), 0..200), rows in 0_usize..30, columns in 1_usize..5
    ) {
        let header = Header { rows, columns, span: None, content_length: noise.len() };
        let mut segment = Vec::new();
        header.write(&mut segment).expect("a header");
        let sum = checksum(&segment, &noise);
        segment.extend_from_slice(&sum);
        segment.extend_from_slice(&zstd::bulk::compress(&noise, 1).expect("to compress"));
        if let Ok(read) = unpack(&segment) {
            prop_assert_eq!(read.columns.len(), columns);
            prop_assert!(read.columns.iter().all(|column| column.len() == rows));
        }
    }
}

#[test]
fn a_header_says_what_is_in_a_segment() {
    let segment = pack(&sample()).expect("to pack");
    let header = Header::read(&segment).expect("a header");
    assert_eq!((header.rows, header.columns), (20, 6));
    assert_eq!(
        header.span,
        Some((1_700_000_000_000_000, 1_700_000_000_000_000 + 19 * 999_983))
    );
}

#[test]
fn every_flipped_bit_is_an_error_or_changes_nothing() {
    let columns = sample();
    let segment = pack(&columns).expect("to pack");
    for place in 0..segment.len() {
        for bit in 0..8 {
            let mut damaged = segment.clone();
            damaged[place] ^= 1 << bit;
            if let Ok(read) = unpack(&damaged) {
                assert_eq!(read.columns, columns, "bit {bit} of byte {place}");
                assert!(place >= HEADER, "bit {bit} of byte {place} of the header");
            }
        }
    }
}

#[test]
fn every_cut_and_every_extension_is_an_error() {
    let segment = pack(&sample()).expect("to pack");
    for length in 0..segment.len() {
        assert!(unpack(&segment[..length]).is_err(), "{length}");
    }
    let mut longer = segment.clone();
    longer.push(0);
    assert!(unpack(&longer).is_err());
    longer.pop();
    longer.extend_from_slice(&segment[HEADER..]);
    assert!(unpack(&longer).is_err(), "a second frame");
}

#[test]
fn a_frame_that_gives_more_than_it_should_is_stopped() {
    let zeros = vec![0_u8; 64 << 20];
    let mut segment = Vec::new();
    let header = Header {
        rows: 1,
        columns: 1,
        span: None,
        content_length: 100,
    };
    header.write(&mut segment).expect("a header");
    segment.extend_from_slice(&[0; CHECKSUM]);
    segment.extend_from_slice(&zstd::bulk::compress(&zeros, 1).expect("to compress"));
    assert!(segment.len() < 100_000);
    assert_eq!(unpack(&segment), Err(Error::Damaged));
}

#[test]
fn limits_hold() {
    assert_eq!(pack(&[]), Err(Error::ColumnCount));
    assert_eq!(
        pack(&[Column::Int64(vec![None; MAX_ROWS + 1])]),
        Err(Error::TooManyRows)
    );
    assert!(pack(&[Column::Int64(vec![None; MAX_ROWS])]).is_ok());
    assert_eq!(
        pack(&vec![Column::Int64(vec![]); MAX_COLUMNS + 1]),
        Err(Error::ColumnCount)
    );
    assert_eq!(
        pack(&[Column::Int64(vec![None]), Column::Int64(vec![])]),
        Err(Error::UnevenColumns)
    );
}

#[test]
fn sequences_cost_little() {
    let columns = [
        Column::Int64((1..=1_000).map(Some).collect()),
        Column::Timestamp(
            (0..1_000)
                .map(|n| Some(1_700_000_000_000_000 + n * 1_000))
                .collect(),
        ),
    ];
    assert!(pack(&columns).expect("to pack").len() < 250);
}
