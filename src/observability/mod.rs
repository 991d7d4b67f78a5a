//! Schema observability: logs, alerts and incidents.

pub mod alerts;
