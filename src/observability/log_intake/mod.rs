//! The view observability.log_intake: its triggers collect the lines of a statement and hand them on in batches.

mod queues;
mod sql;
