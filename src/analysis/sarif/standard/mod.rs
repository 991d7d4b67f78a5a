//! What the standard lays down: its words, the objects that are kept whole, and URIs.

pub mod shape;
pub mod tidy;
pub mod uri;
pub mod words;
