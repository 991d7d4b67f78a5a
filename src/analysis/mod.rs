//! Analyses and their findings.

mod export;
mod import;
pub mod sarif;
pub mod sql;
