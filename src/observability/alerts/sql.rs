//! Functions of schema observability; their comments and grants are in sql/observability/alert_rules.sql.

use pgrx::prelude::*;
use pgrx::JsonB;

use super::schema;
use crate::codeverify::jsonb::JsonbArgument;

extension_sql_file!(
    "../../../sql/observability/alert_rules.sql",
    name = "observability_alert_rules",
    requires = [alert_schema, list_alert_faults, complete_alert_params]
);
extension_sql_file!(
    "../../../sql/observability/alert_conditions.sql",
    name = "observability_alert_conditions"
);
extension_sql_file!(
    "../../../sql/observability/alert_evaluation.sql",
    name = "observability_alert_evaluation"
);

#[pg_extern(schema = "observability", immutable, parallel_safe, strict)]
fn alert_schema(rule_type: &str) -> Option<JsonB> {
    schema::of(rule_type).map(|schema| JsonB(schema.document.clone()))
}

#[pg_extern(schema = "observability", immutable, parallel_safe, strict)]
fn list_alert_faults(
    rule_type: &str,
    params: JsonbArgument,
) -> TableIterator<'static, (name!(path, String), name!(problem, String))> {
    let faults = schema::of(rule_type).map_or_else(Vec::new, |schema| schema.faults(params.text()));
    TableIterator::new(faults.into_iter().map(|fault| (fault.path, fault.problem)))
}

#[pg_extern(schema = "observability", immutable, parallel_safe, strict)]
fn complete_alert_params(rule_type: &str, params: JsonbArgument) -> Option<JsonB> {
    let params = serde_json::from_str(params.text()).ok()?;
    schema::of(rule_type).map(|schema| JsonB(schema.complete(params)))
}
