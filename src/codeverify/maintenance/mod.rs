//! Maintenance: what has to be done again and again, in steps that fail one by one.

pub mod tasks;
