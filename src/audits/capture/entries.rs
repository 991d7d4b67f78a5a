//! Collects the rows of a statement into entries: one for each organization, several where there are many.

use std::collections::HashMap;

use uuid::Uuid;

use super::jsonb::{append_array, append_object, Values};

/// Most rows in an entry.
pub const MAX_ROWS: usize = 1000;
/// Size of an entry's rows at which the next row begins another; a single row may be larger.
pub const MAX_SIZE: usize = 256 * 1024;
/// Size of what is collected for all organizations, at which it is written early.
const MAX_COLLECTED: usize = 8 * 1024 * 1024;

/// An entry's payload, and the row it is about when that is a single one with a uuid for a key.
pub struct Entry {
    pub org_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
    rows: Values,
    chunk: Option<usize>,
}

impl Entry {
    /// The payload as jsonb without its header. `partition` is the partition that the statement named instead of
    /// its table.
    pub fn payload(&self, partition: Option<&str>) -> Vec<u8> {
        let mut array = Vec::with_capacity(self.rows.size() + 8 * self.rows.len() + 16);
        append_array(&mut array, &self.rows);
        let mut names = vec!["rows"];
        let mut values = Values::default();
        values.push_container(&array);
        if let Some(chunk) = self.chunk {
            names.push("chunk");
            values.push_integer(count(chunk));
        }
        names.push("count");
        values.push_integer(count(self.rows.len()));
        if let Some(partition) = partition {
            names.push("partition");
            values.push_string(partition.as_bytes());
        }
        let mut payload = Vec::with_capacity(array.len() + 128);
        append_object(&mut payload, names.into_iter(), &values);
        payload
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The rows of one organization that are not written yet.
#[derive(Default)]
struct Group {
    rows: Values,
    resource_id: Option<Uuid>,
    written: usize,
}

impl Group {
    fn take(&mut self, org_id: Option<Uuid>, more: bool) -> Option<Entry> {
        if self.rows.len() == 0 {
            return None;
        }
        let chunk = (more || self.written > 0).then_some(self.written + 1);
        self.written += 1;
        let rows = std::mem::take(&mut self.rows);
        Some(Entry {
            org_id,
            resource_id: self.resource_id.take().filter(|_| rows.len() == 1),
            rows,
            chunk,
        })
    }
}

/// Rows of a statement, by organization, in the order in which they came.
#[derive(Default)]
pub struct Entries {
    organizations: Vec<Option<Uuid>>,
    groups: HashMap<Option<Uuid>, Group>,
    collected: usize,
}

impl Entries {
    /// Adds a row and hands each entry that is complete now to `write`.
    pub fn add(
        &mut self,
        org_id: Option<Uuid>,
        resource_id: Option<Uuid>,
        row: &[u8],
        mut write: impl FnMut(Entry),
    ) {
        let group = self.groups.entry(org_id).or_insert_with(|| {
            self.organizations.push(org_id);
            Group::default()
        });
        if group.rows.len() >= MAX_ROWS
            || group.rows.len() > 0 && group.rows.size() + row.len() > MAX_SIZE
        {
            self.collected -= group.rows.size();
            group.take(org_id, true).into_iter().for_each(&mut write);
        }
        group.rows.push_container(row);
        group.resource_id = resource_id;
        self.collected += row.len();
        if self.collected > MAX_COLLECTED {
            self.write_all(true, write);
        }
    }

    /// Hands what is left to `write`.
    pub fn finish(mut self, write: impl FnMut(Entry)) {
        self.write_all(false, write);
    }

    fn write_all(&mut self, more: bool, mut write: impl FnMut(Entry)) {
        for org_id in &self.organizations {
            if let Some(group) = self.groups.get_mut(org_id) {
                group.take(*org_id, more).into_iter().for_each(&mut write);
            }
        }
        self.collected = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<Uuid> = Some(Uuid::from_u128(1));
    const B: Option<Uuid> = Some(Uuid::from_u128(2));
    const ROW: [u8; 4] = 0x2000_0000u32.to_ne_bytes();

    /// (organization, rows, chunk, resource) of each entry.
    fn collect(
        rows: impl IntoIterator<Item = (Option<Uuid>, Vec<u8>)>,
    ) -> Vec<(Option<Uuid>, usize, Option<usize>, bool)> {
        let mut written = Vec::new();
        let mut note = |entry: Entry| {
            written.push((
                entry.org_id,
                entry.rows.len(),
                entry.chunk,
                entry.resource_id.is_some(),
            ));
        };
        let mut entries = Entries::default();
        for (org_id, row) in rows {
            entries.add(org_id, A, &row, &mut note);
        }
        entries.finish(&mut note);
        written
    }

    #[test]
    fn there_is_an_entry_for_each_organization() {
        let row = || ROW.to_vec();
        assert_eq!(collect([]), []);
        assert_eq!(collect([(A, row())]), [(A, 1, None, true)]);
        assert_eq!(
            collect([(B, row()), (A, row()), (B, row()), (None, row())]),
            [
                (B, 2, None, false),
                (A, 1, None, true),
                (None, 1, None, true)
            ]
        );
    }

    #[test]
    fn many_rows_make_several_entries_with_numbers() {
        assert_eq!(
            collect((0..1000).map(|_| (A, ROW.to_vec()))),
            [(A, 1000, None, false)]
        );
        assert_eq!(
            collect(
                (0..2001)
                    .map(|_| (A, ROW.to_vec()))
                    .chain([(B, ROW.to_vec())])
            ),
            [
                (A, 1000, Some(1), false),
                (A, 1000, Some(2), false),
                (A, 1, Some(3), true),
                (B, 1, None, true)
            ]
        );
    }

    #[test]
    fn large_rows_do_too() {
        let large = || vec![0; 100 * 1024];
        assert_eq!(
            collect([
                (A, large()),
                (A, large()),
                (A, large()),
                (A, vec![0; 1024 * 1024])
            ]),
            [
                (A, 2, Some(1), false),
                (A, 1, Some(2), true),
                (A, 1, Some(3), true)
            ]
        );
        assert_eq!(collect([(A, vec![0; 1024 * 1024])]), [(A, 1, None, true)]);
    }

    #[test]
    fn what_is_collected_for_many_organizations_is_bounded() {
        let rows = (0..100u128).map(|n| (Some(Uuid::from_u128(n)), vec![0; 200 * 1024]));
        let written = collect(rows);
        assert_eq!(written.len(), 100);
        assert!(written.iter().any(|entry| entry.2 == Some(1)));
        assert!(written.iter().any(|entry| entry.2.is_none()));
    }
}
