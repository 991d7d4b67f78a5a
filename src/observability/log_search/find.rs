//! Finds log lines: window by window from the newest on, until there are enough.

use std::rc::Rc;

use pgrx::pg_sys::{self, Datum};
use pgrx::{direct_function_call, direct_function_call_as_datum, IntoDatum, Spi};
use uuid::Uuid;

use super::partitions::{self, Held, Known};
use super::plans::{run, Planning, Rows, Values};
use super::statements::{self, Fixed, Parameter, Shape, Step};
use super::windows::{self, Window};
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::set_for_now;
use crate::codeverify::raise::warn;
use crate::tenancy::sql::to_datum;

/// The text search configuration pg_catalog.simple, whose number is the same everywhere.
const SIMPLE: u32 = 3748;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Of up to so many lines that an index finds, all are read and sorted. When there are more, the words are frequent,
/// and are looked for in the newest lines first.
const FEW: i64 = 5_000;
/// How many of these.
const NEWEST: i64 = 20_000;
/// So many of the newest lines tell whether the words are so frequent that the index is not worth asking: it would
/// list most lines of the day before the first is read.
const GLANCE: i64 = 4;

/// What is looked for. Values are of the types that SQL declares, and outlive the search.
pub struct Wanted {
    pub tenant: Uuid,
    pub query: Option<String>,
    pub service: Option<Datum>,
    pub environment: Option<Datum>,
    pub level: Option<Datum>,
    pub since: i64,
    pub until: i64,
    pub meta: Option<Datum>,
    pub before_id: Option<i64>,
    pub max_rows: i64,
    /// Lines that are read, where no index has words or metadata, before the search stops with a warning.
    pub scan_limit: i64,
}

/// Hands the lines to `tell`, newest first.
pub fn find(wanted: &Wanted, tell: impl FnMut(&Rows, usize)) {
    if wanted.max_rows <= 0 || wanted.since >= wanted.until {
        return;
    }
    let held = partitions::hold(wanted.since, wanted.until);
    // SAFETY: what was read has been locked before the snapshot is taken, which all of the search sees by. The level
    // of settings and the snapshot are given back below; after an error the (sub)transaction's end does it.
    let nest_level = unsafe {
        let nest_level = pg_sys::NewGUCNestLevel();
        // A text search says of each word above 2 kB that it is none.
        if pg_sys::client_min_messages < pg_sys::WARNING as i32 {
            set_for_now(c"client_min_messages", c"warning");
        }
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        nest_level
    };
    Spi::connect(|_| {
        let held = held.seen();
        if let Some(mut search) = Search::new(wanted, tell) {
            search.run(&held);
        }
    });
    // SAFETY: undoes what was done above.
    unsafe {
        pg_sys::PopActiveSnapshot();
        pg_sys::AtEOXact_GUC(true, nest_level);
    }
}

struct Search<F> {
    tenant: Uuid,
    values: Values,
    shape: Shape,
    /// Whether an index finds the words: where only some are excluded it does not.
    words_by_index: bool,
    since: i64,
    until: i64,
    before_id: Option<i64>,
    missing: i64,
    /// How many lines may still be read where no index helps.
    scannable: i64,
    scan_limit: i64,
    tell: F,
}

/// Whether the search goes on.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    Stop,
}

/// The last line that a walk has read.
struct End {
    ts: i64,
    id: i64,
    place: i64,
    time: String,
}

impl<F: FnMut(&Rows, usize)> Search<F> {
    /// None when nothing can be found.
    fn new(wanted: &Wanted, tell: F) -> Option<Search<F>> {
        let mut values = Values::new();
        values.set(Parameter::Tenant, to_datum(wanted.tenant).into_datum());
        values.set(Parameter::Service, wanted.service);
        values.set(Parameter::Environment, wanted.environment);
        values.set(Parameter::Level, wanted.level);
        values.set(Parameter::Meta, wanted.meta);
        let terms = wanted.query.as_deref().map(Terms::of);
        if terms.as_ref().is_some_and(|terms| terms.nodes == 0) {
            return None;
        }
        values.set(Parameter::Terms, terms.as_ref().map(|terms| terms.query));
        Some(Search {
            tenant: wanted.tenant,
            values,
            shape: Shape {
                whole: false,
                service: wanted.service.is_some(),
                environment: wanted.environment.is_some(),
                level: wanted.level.is_some(),
                words: terms.is_some(),
                meta: wanted.meta.is_some(),
                before: false,
            },
            words_by_index: terms.is_some_and(|terms| terms.by_index),
            since: wanted.since,
            until: wanted.until,
            before_id: wanted.before_id,
            missing: wanted.max_rows,
            scannable: wanted.scan_limit,
            scan_limit: wanted.scan_limit,
            tell,
        })
    }

    fn run(&mut self, held: &Held) {
        let packed = self.packed_periods();
        if let Some(id) = self.before_id {
            let Some(ts) = self.time_of(id, held, &packed) else {
                return;
            };
            self.go_on_before(ts, id);
            self.until = ts.saturating_add(1);
        }
        for window in self.windows(held, &packed) {
            if self.read_window(&window) == Then::Stop {
                return;
            }
        }
    }

    fn windows(&self, held: &Held, packed: &[(i64, i64)]) -> Vec<Window<pg_sys::Oid>> {
        windows::cut(self.since, self.until, &held.partitions, held.other, packed)
    }

    fn set_window(&mut self, start: i64, end: i64) {
        self.values.set(Parameter::Since, Some(Datum::from(start)));
        self.values.set(Parameter::Until, Some(Datum::from(end)));
    }

    fn go_on_before(&mut self, ts: i64, id: i64) {
        self.shape.before = true;
        self.values.set(Parameter::BeforeTs, Some(Datum::from(ts)));
        self.values.set(Parameter::BeforeId, Some(Datum::from(id)));
    }

    /// The periods in which the organization has packed lines.
    fn packed_periods(&mut self) -> Vec<(i64, i64)> {
        if partitions::nothing_is_packed() {
            return Vec::new();
        }
        self.set_window(self.since, self.until);
        let rows = run(statements::PACKED_PERIODS, Planning::Once, &self.values);
        (0..rows.count())
            .filter_map(|row| rows.number(row, 1).zip(rows.number(row, 2)))
            .collect()
    }

    /// When the organization's line of that number was written, if it is one of those looked at.
    fn time_of(&mut self, id: i64, held: &Held, packed: &[(i64, i64)]) -> Option<i64> {
        self.values.set(Parameter::BeforeId, Some(Datum::from(id)));
        for window in self.windows(held, packed) {
            let Some(known) = readable(window.partition) else {
                continue;
            };
            self.set_window(window.start, window.end);
            let statement = statements::time_of_line(&known.name);
            if let Some(ts) = run(&statement, Planning::Once, &self.values).number(0, 1) {
                return Some(ts);
            }
        }
        if packed.is_empty() {
            return None;
        }
        self.set_window(self.since, self.until);
        run(
            statements::TIME_OF_PACKED_LINE,
            Planning::EachTime,
            &self.values,
        )
        .number(0, 1)
    }

    fn read_window(&mut self, window: &Window<pg_sys::Oid>) -> Then {
        let known = if window.is_packed {
            partitions::know(window.partition)
        } else {
            readable(window.partition)
        };
        let Some(known) = known else {
            return Then::GoOn;
        };
        let has_index = self.has_index(&known);
        // Each window sets it anew.
        self.shape.whole = window.is_whole && (known.is_ordered || has_index) && !window.is_packed;
        // Where no index has the lines in order, all of a window would be read for the newest ones. So it is read in
        // pieces from its end on, each twice as long as the one before.
        let in_one_go = known.is_ordered || has_index || window.is_packed;
        let mut piece = 15 * MINUTE;
        let mut end = window.end;
        loop {
            check_for_interrupts();
            let start = if in_one_go || piece > 30 * DAY {
                window.start
            } else {
                window.start.max(end.min(now()).saturating_sub(piece))
            };
            self.set_window(start, end);
            let then = if window.is_packed {
                // What is not packed of such a day are a few late lines.
                self.take(Step::Packed, &known);
                Then::GoOn
            } else if !self.shape.has_filter() {
                self.take(Step::Newest, &known);
                Then::GoOn
            } else if has_index {
                self.look_up(&known);
                Then::GoOn
            } else {
                self.scan(&known)
            };
            if then == Then::Stop || self.missing <= 0 {
                return Then::Stop;
            }
            if start <= window.start {
                return Then::GoOn;
            }
            end = start;
            piece = piece.saturating_mul(2);
        }
    }

    fn has_index(&self, known: &Known) -> bool {
        self.words_by_index && known.has_words || self.shape.meta && known.has_meta
    }

    /// Reads where an index has the words or the metadata.
    fn look_up(&mut self, known: &Known) {
        let before = self.shape.before;
        let is_frequent = known.is_ordered && self.glance(known);
        if !is_frequent && self.take_few(known) {
            return;
        }
        if let Some(end) = self.walk(known, NEWEST) {
            self.go_on_before(end.ts, end.id);
            if !(is_frequent && self.take_few(known)) {
                self.take(Step::Newest, known);
            }
            // The other windows are before this one.
            self.shape.before = before;
        }
    }

    /// Whether half of the newest lines are wanted.
    fn glance(&mut self, known: &Known) -> bool {
        let rows = self.read(Step::Glance, known, GLANCE);
        let number = |column| rows.number(0, column).unwrap_or(0);
        number(1) == GLANCE && 2 * number(2) >= GLANCE
    }

    /// Takes what an index finds, unless that is too much to be sorted.
    fn take_few(&mut self, known: &Known) -> bool {
        let rows = self.read(Step::Indexed, known, FEW + 1);
        if rows.number(0, 8).is_some_and(|total| total > FEW) {
            return false;
        }
        self.take_all(&rows);
        true
    }

    /// Takes what is wanted of the newest lines. The last of them if there are more to be read.
    fn walk(&mut self, known: &Known, limit: i64) -> Option<End> {
        let rows = self.read(Step::Walk, known, limit);
        self.take_all(&rows);
        if self.missing <= 0 {
            return None;
        }
        self.end_of_walk(known, limit)
            .filter(|end| end.place == limit)
    }

    fn end_of_walk(&mut self, known: &Known, limit: i64) -> Option<End> {
        let rows = self.read(Step::EndOfWalk, known, limit);
        Some(End {
            ts: rows.number(0, 1)?,
            id: rows.number(0, 2)?,
            place: rows.number(0, 3)?,
            time: rows.text(0, 4)?,
        })
    }

    /// Reads line by line where no index helps.
    fn scan(&mut self, known: &Known) -> Then {
        if self.scannable <= 0 {
            return Then::GoOn;
        }
        let limit = self.scannable;
        let rows = self.read(Step::Walk, known, limit);
        self.take_all(&rows);
        if self.missing <= 0 {
            return Then::Stop;
        }
        let Some(end) = self.end_of_walk(known, limit) else {
            return Then::GoOn;
        };
        if end.place < limit {
            self.scannable -= end.place;
            return Then::GoOn;
        }
        warn(&Error::SearchCut {
            limit: self.scan_limit,
            time: end.time,
            id: end.id,
        });
        Then::Stop
    }

    fn take(&mut self, step: Step, known: &Known) {
        let rows = self.read(step, known, 0);
        self.take_all(&rows);
    }

    fn take_all(&mut self, rows: &Rows) {
        for row in 0..rows.count() {
            (self.tell)(rows, row);
        }
        self.missing -= i64::try_from(rows.count()).unwrap_or(i64::MAX);
    }

    fn read(&mut self, step: Step, known: &Known, limit: i64) -> Rows {
        self.values
            .set(Parameter::MaxRows, Some(Datum::from(self.missing)));
        self.values.set(Parameter::Limit, Some(Datum::from(limit)));
        let fixed = self.shape.is_plain().then_some(Fixed {
            tenant: self.tenant,
            max_rows: self.missing,
            limit,
        });
        let planning = match (step, fixed) {
            // By the index that has the lines in order, whatever the values are.
            (Step::Glance, _) | (_, Some(_)) => Planning::Once,
            (_, None) => Planning::EachTime,
        };
        let statement = self.shape.statement(step, &known.name, fixed);
        run(&statement, planning, &self.values)
    }
}

/// A partition that has been written to.
fn readable(partition: pg_sys::Oid) -> Option<Rc<Known>> {
    if partitions::is_empty(partition) {
        None
    } else {
        partitions::know(partition)
    }
}

/// When the transaction began.
fn now() -> i64 {
    // SAFETY: reads a variable of the current transaction.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// What a text asks for.
struct Terms {
    query: Datum,
    /// How many words and operators it has.
    nodes: i32,
    by_index: bool,
}

impl Terms {
    fn of(text: &str) -> Terms {
        // SAFETY: functions of the server on values of their types, which raise no error for any text; what they
        // return lives until the connection to SPI ends.
        unsafe {
            let query = pg_sys::websearch_to_tsquery_byid;
            let query = direct_function_call_as_datum(
                query,
                &[
                    Some(Datum::from(pg_sys::Oid::from(SIMPLE))),
                    text.into_datum(),
                ],
            )
            .unwrap_or(Datum::null());
            let nodes = direct_function_call::<i32>(pg_sys::tsquery_numnode, &[Some(query)]);
            let tree = direct_function_call::<String>(pg_sys::tsquerytree, &[Some(query)]);
            Terms {
                query,
                nodes: nodes.unwrap_or(0),
                by_index: tree.is_some_and(|tree| !tree.is_empty() && tree != "T"),
            }
        }
    }
}
