//! The schemas that `#[pg_extern(schema = "…")]` may name. sql/codeverify/bootstrap.sql has made
//! them by the time pgrx's own CREATE SCHEMA IF NOT EXISTS statements run.

use pgrx::pg_schema;

#[pg_schema]
mod codeverify {}
#[pg_schema]
mod tenancy {}
#[pg_schema]
mod auth {}
#[pg_schema]
mod analysis {}
#[pg_schema]
mod audits {}
#[pg_schema]
mod integrations {}
#[pg_schema]
mod scm {}
#[pg_schema]
mod telemetry {}
#[pg_schema]
mod observability {}
