//! People who can log in: their addresses, and the proof that they read the mail there.

pub mod email;
