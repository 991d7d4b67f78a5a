//! The statements of a search: each reads one partition, and its text says which conditions there are and nothing of
//! what they compare with, so that a session keeps it prepared.

use std::fmt::Write;

use uuid::Uuid;

/// What the parameters $1, $2, … are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    Tenant,
    Since,
    Until,
    Service,
    Environment,
    Level,
    Terms,
    Meta,
    BeforeTs,
    BeforeId,
    /// How many lines are returned at most.
    MaxRows,
    /// How many lines are read at most.
    Limit,
    /// A partition, where the catalogs are asked about it.
    Partition,
}

impl Parameter {
    pub const COUNT: usize = Parameter::Partition as usize + 1;

    pub fn place(self) -> usize {
        self as usize
    }
}

/// What is written into a statement instead of parameters, for one that is planned once: how much of a partition an
/// organization has decides by which index its lines are found. The words do not, for there are no statistics of them.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    pub tenant: Uuid,
    pub max_rows: i64,
    pub limit: i64,
}

/// Which conditions a search has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Whether all the time of the partition is searched.
    pub whole: bool,
    pub service: bool,
    pub environment: bool,
    pub level: bool,
    pub words: bool,
    pub meta: bool,
    pub before: bool,
}

/// What of a partition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The newest lines that are wanted, however they are found.
    Newest,
    /// How many of the newest lines there are, and how many of them are wanted.
    Glance,
    /// All that are wanted, up to a limit, as an index has them; sorted, each with how many there are.
    Indexed,
    /// Those of the newest lines that are wanted.
    Walk,
    /// The last line of a walk: its time, id, place, and its time as text.
    EndOfWalk,
    /// What is wanted of a period that is packed, beside the lines that came after it was.
    Packed,
}

const COLUMNS: &str = "l.id, l.ts, l.level, l.service_id, l.environment_id, l.message, l.meta_json";
const NEWEST_FIRST: &str = "ORDER BY l.ts DESC, l.id DESC";

impl Shape {
    /// Whether it takes reading a line to know if it is wanted.
    pub fn has_filter(self) -> bool {
        self.words || self.meta
    }

    /// Whether nothing but the organization decides how a partition is best read.
    pub fn is_plain(self) -> bool {
        self.whole && !(self.service || self.environment || self.level || self.before)
    }

    /// The statement that reads a partition; `table` is its name, quoted.
    pub fn statement(self, step: Step, table: &str, fixed: Option<Fixed>) -> String {
        let (tenant, rows, limit) = match fixed {
            Some(fixed) => (
                format!("'{}'::uuid", fixed.tenant),
                fixed.max_rows.to_string(),
                fixed.limit.to_string(),
            ),
            None => ("$1".to_owned(), "$11".to_owned(), "$12".to_owned()),
        };
        let source = self.source(table, &tenant);
        let filter = self.filter();
        match step {
            Step::Newest => {
                format!("SELECT {COLUMNS} {source} AND {filter} {NEWEST_FIRST} LIMIT {rows}")
            }
            Step::Glance => format!(
                "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE {filter}) \
                 FROM (SELECT l.message, l.meta_json {source} ORDER BY l.ts DESC LIMIT {limit}) AS l"
            ),
            // The limit keeps the planner from reading the newest lines one by one, hoping to find enough soon.
            Step::Indexed => format!(
                "SELECT {COLUMNS}, pg_catalog.count(*) OVER () \
                 FROM (SELECT {COLUMNS} {source} AND {filter} LIMIT {limit}) AS l {NEWEST_FIRST} LIMIT {rows}"
            ),
            Step::Walk => format!(
                "SELECT {COLUMNS} FROM (SELECT {COLUMNS} {source} {NEWEST_FIRST} LIMIT {limit}) AS l \
                 WHERE {filter} {NEWEST_FIRST} LIMIT {rows}"
            ),
            Step::EndOfWalk => format!(
                "SELECT l.ts, l.id, l.place, (l.ts AT TIME ZONE 'UTC')::text || '+00' \
                 FROM (SELECT l.ts, l.id, pg_catalog.row_number() OVER ({NEWEST_FIRST}) AS place \
                 {source} {NEWEST_FIRST} LIMIT {limit}) AS l ORDER BY l.place DESC LIMIT 1"
            ),
            Step::Packed => format!(
                "SELECT {COLUMNS} FROM ((SELECT {COLUMNS} {source} AND {filter} {NEWEST_FIRST} LIMIT {rows}) UNION ALL \
                 (SELECT {COLUMNS} FROM codeverify.scan_packed_logs(\
                 $1, $2, $3, $7, $4, $5, $6, $8, $11::int, $9, $10) AS l)) AS l {NEWEST_FIRST} LIMIT {rows}"
            ),
        }
    }

    /// What a btree or a cheap comparison decides.
    fn source(self, table: &str, tenant: &str) -> String {
        let mut source = format!("FROM {table} AS l WHERE l.org_id = {tenant}");
        for (is_there, condition) in [
            (!self.whole, "l.ts >= $2 AND l.ts < $3"),
            (self.service, "l.service_id = $4"),
            (self.environment, "l.environment_id = $5"),
            (self.level, "l.level = $6"),
            (self.before, "(l.ts, l.id) < ($9, $10)"),
        ] {
            if is_there {
                // Writing into a string does not fail.
                let _ = write!(source, " AND {condition}");
            }
        }
        source
    }

    /// What takes reading the line.
    fn filter(self) -> &'static str {
        // As the indexes of closed partitions have it.
        const WORDS: &str =
            "pg_catalog.to_tsvector('pg_catalog.simple', pg_catalog.\"left\"(l.message, 100000)) @@ $7";
        const META: &str = "l.meta_json @> $8";
        const BOTH: &str =
            "pg_catalog.to_tsvector('pg_catalog.simple', pg_catalog.\"left\"(l.message, 100000)) @@ $7 \
             AND l.meta_json @> $8";
        match (self.words, self.meta) {
            (true, true) => BOTH,
            (true, false) => WORDS,
            (false, true) => META,
            (false, false) => "true",
        }
    }
}

/// The time of a line by its id.
pub fn time_of_line(table: &str) -> String {
    format!(
        "SELECT l.ts FROM {table} AS l \
         WHERE l.org_id = $1 AND l.id = $10 AND l.ts >= $2 AND l.ts < $3"
    )
}

/// The same among what is packed.
pub const TIME_OF_PACKED_LINE: &str = "SELECT l.ts \
     FROM codeverify.packed_segments AS s \
     CROSS JOIN LATERAL codeverify.segment_rows(s.id) AS l (id bigint, ts timestamptz) \
     WHERE s.org_id = $1 \
       AND s.relation = 'observability.logs'::pg_catalog.regclass \
       AND s.max_ts >= $2 \
       AND s.min_ts < $3 \
       AND coalesce($10 >= (s.summary -> 'id' ->> 'min')::bigint, true) \
       AND coalesce($10 <= (s.summary -> 'id' ->> 'max')::bigint, true) \
       AND l.id = $10 \
       AND l.ts >= $2 \
       AND l.ts < $3";

/// The periods in which the organization has packed lines.
pub const PACKED_PERIODS: &str = "SELECT DISTINCT s.period_start, s.period_end \
     FROM codeverify.packed_segments AS s \
     WHERE s.org_id = $1 \
       AND s.relation = 'observability.logs'::pg_catalog.regclass \
       AND s.max_ts >= $2 \
       AND s.min_ts < $3";

/// The partitions that there are for a snapshot.
pub const PARTITIONS: &str = "SELECT i.inhrelid::bigint \
     FROM pg_catalog.pg_inherits AS i \
     WHERE i.inhparent = 'observability.logs'::pg_catalog.regclass";

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 6] = [
        Step::Newest,
        Step::Glance,
        Step::Indexed,
        Step::Walk,
        Step::EndOfWalk,
        Step::Packed,
    ];

    fn shapes() -> impl Iterator<Item = Shape> {
        (0..128_u8).map(|bits| Shape {
            whole: bits & 64 != 0,
            service: bits & 1 != 0,
            environment: bits & 2 != 0,
            level: bits & 4 != 0,
            words: bits & 8 != 0,
            meta: bits & 16 != 0,
            before: bits & 32 != 0,
        })
    }

    #[test]
    fn every_statement_keeps_to_the_organization_and_the_time() {
        let fixed = Fixed {
            tenant: Uuid::from_u128(7),
            max_rows: 70,
            limit: 700,
        };
        for (shape, step) in shapes().flat_map(|shape| STEPS.map(|step| (shape, step))) {
            let statement = shape.statement(step, "observability.logs_2026_01_01", None);
            assert!(
                statement.contains(" observability.logs_2026_01_01 AS l WHERE l.org_id = $1"),
                "{statement}"
            );
            assert_eq!(
                statement.contains(" AND l.ts >= $2 AND l.ts < $3"),
                !shape.whole,
                "{statement}"
            );
            assert_eq!(
                statement.matches("observability.logs_2026_01_01").count(),
                1
            );
            let statement = shape.statement(step, "t", Some(fixed));
            assert!(
                statement.contains(
                    " t AS l WHERE l.org_id = '00000000-0000-0000-0000-000000000007'::uuid"
                ),
                "{statement}"
            );
        }
    }

    #[test]
    fn conditions_are_there_when_they_are_wanted() {
        for shape in shapes() {
            let statement = shape.statement(Step::Newest, "t", None);
            for (is_there, condition) in [
                (shape.service, "l.service_id = $4"),
                (shape.environment, "l.environment_id = $5"),
                (shape.level, "l.level = $6"),
                (shape.words, "@@ $7"),
                (shape.meta, "@> $8"),
                (shape.before, "(l.ts, l.id) < ($9, $10)"),
            ] {
                assert_eq!(statement.contains(condition), is_there, "{statement}");
            }
            assert_eq!(shape.has_filter(), shape.words || shape.meta);
        }
    }

    #[test]
    fn what_is_planned_once_compares_with_nothing_that_differs_but_words_and_metadata() {
        let fixed = Fixed {
            tenant: Uuid::from_u128(7),
            max_rows: 70,
            limit: 700,
        };
        for shape in shapes().filter(|shape| shape.is_plain()) {
            for step in STEPS.into_iter().filter(|step| *step != Step::Packed) {
                let statement = shape.statement(step, "t", Some(fixed));
                let rest = statement.replace("@@ $7", "").replace("@> $8", "");
                assert!(!rest.contains('$'), "{statement}");
            }
        }
    }

    #[test]
    fn parameters_have_the_places_that_the_statements_mean() {
        assert_eq!(Parameter::Tenant.place(), 0);
        assert_eq!(Parameter::Terms.place(), 6);
        assert_eq!(Parameter::BeforeId.place(), 9);
        assert_eq!(Parameter::Limit.place(), 11);
        assert_eq!(Parameter::Partition.place(), 12);
        assert_eq!(Parameter::COUNT, 13);
    }
}
