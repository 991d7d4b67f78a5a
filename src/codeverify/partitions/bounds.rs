//! Which partitions a table has, from the server's own description of it: neither time zone nor date style can
//! get between, as they could where bounds are printed and read again.

use pgrx::pg_sys;

use crate::codeverify::query::select_one;

const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;

/// A partition, with the times in between which its rows are: the first is within, the last is not.
pub struct Partition {
    pub table: pg_sys::Oid,
    /// None for DEFAULT. In microseconds since 2000.
    pub bounds: Option<(i64, i64)>,
}

/// The partitions of a table that is partitioned by range of one date or timestamptz column, in the order of their
/// bounds, DEFAULT last. None for any other table.
pub fn list(parent: pg_sys::Oid) -> Option<Vec<Partition>> {
    let key_type = select_one::<pg_sys::Oid>(
        "SELECT a.atttypid \
         FROM pg_catalog.pg_partitioned_table AS p \
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] \
         WHERE p.partrelid = $1 AND p.partstrat = 'r' AND p.partnatts = 1 \
           AND a.atttypid IN ('pg_catalog.date'::pg_catalog.regtype, 'pg_catalog.timestamptz'::pg_catalog.regtype)",
        &[parent.into()],
    )?;
    // SAFETY: it was just seen to be partitioned so.
    Some(unsafe { list_by(parent, key_type == pg_sys::DATEOID) })
}

/// The same for a table that is known to be partitioned so, without asking the catalogs.
///
/// # Safety
/// The table is partitioned by range of one column, a date or else a timestamptz.
pub unsafe fn list_by(parent: pg_sys::Oid, is_date: bool) -> Vec<Partition> {
    // SAFETY: the relation is open and locked while its description is read; one that was dropped since is an error.
    unsafe {
        let relation = pg_sys::table_open(parent, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let partitions = read(pg_sys::RelationGetPartitionDesc(relation, true), is_date);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        partitions
    }
}

/// The partition that a new one takes after in what the table itself does not have: the latest, DEFAULT when there is
/// no other.
pub fn find_sibling(partitions: &[Partition], besides: Option<pg_sys::Oid>) -> Option<pg_sys::Oid> {
    let (bounded, default): (Vec<_>, Vec<_>) = partitions.iter().partition(|p| p.bounds.is_some());
    bounded
        .into_iter()
        .rev()
        .chain(default)
        .map(|partition| partition.table)
        .filter(|table| Some(*table) != besides)
        // SAFETY: a catalog look-up.
        .find(|table| unsafe { pg_sys::get_rel_relkind(*table) } as u8 == pg_sys::RELKIND_RELATION)
}

/// # Safety
/// `description` is that of an open table that is partitioned by range of one column.
unsafe fn read(description: pg_sys::PartitionDesc, is_date: bool) -> Vec<Partition> {
    let mut partitions = Vec::new();
    // SAFETY: the arrays have the lengths that the server's headers tell; indexes has one entry more than there are
    // bounds, and names for each bound the partition below it, if there is one: then a bound goes before it.
    unsafe {
        let bounds = (*description).boundinfo;
        if bounds.is_null() {
            return partitions;
        }
        let oid = |index: i32| {
            usize::try_from(index)
                .ok()
                .map(|index| *(*description).oids.add(index))
        };
        let time = |place: usize| {
            let kind = **(*bounds).kind.add(place);
            match kind {
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => i64::MIN,
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => i64::MAX,
                _ => {
                    let datum = **(*bounds).datums.add(place);
                    if is_date {
                        time_of_date(datum.value() as i32)
                    } else {
                        datum.value() as i64
                    }
                }
            }
        };
        for place in 1..usize::try_from((*bounds).ndatums).unwrap_or(0) {
            if let Some(table) = oid(*(*bounds).indexes.add(place)) {
                partitions.push(Partition {
                    table,
                    bounds: Some((time(place - 1), time(place))),
                });
            }
        }
        if let Some(table) = oid((*bounds).default_index) {
            partitions.push(Partition {
                table,
                bounds: None,
            });
        }
    }
    partitions
}

/// The midnight in UTC on which a day begins. Dates go further than times, and have infinities too.
pub fn time_of_date(days: i32) -> i64 {
    match days {
        i32::MIN => i64::MIN,
        i32::MAX => i64::MAX,
        days => i64::from(days).saturating_mul(MICROSECONDS_OF_A_DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight() {
        assert_eq!(time_of_date(0), 0);
        assert_eq!(time_of_date(-1), -86_400_000_000);
        assert_eq!(time_of_date(i32::MAX), i64::MAX);
        assert_eq!(time_of_date(i32::MIN), i64::MIN);
    }
}
