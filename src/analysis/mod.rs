//! Analyses and their findings.


