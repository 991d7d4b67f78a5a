//! Checks of the installation that SQL cannot make.

mod key_file;
pub mod preload;
pub mod sql;
