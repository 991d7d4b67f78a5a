//! Functions of schema codeverify; their comments and grants are in sql/codeverify/functions.sql.

use std::str::FromStr;

use pgrx::prelude::*;
use pgrx::spi::quote_identifier;

use super::background::{hold_extension, Hold};
use super::deploy::{deployed_objects, Deployed, DEPLOYED, DOMAINS};
use super::errors::Error;
use super::owner::as_owner;
use super::query::{run_script, select, select_one};
use super::raise::{or_raise, raise};
use crate::audits::authority::{acting, Deed};

extension_sql_file!(
    "../../sql/codeverify/functions.sql",
    name = "codeverify_functions",
    requires = [version, is_cron_expression, deploy, uninstall]
);

#[pg_extern(schema = "codeverify", immutable, parallel_safe)]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pg_extern(schema = "codeverify", immutable, parallel_safe)]
fn is_cron_expression(expression: &str) -> bool {
    let fields = expression.split_ascii_whitespace().count();
    (fields == 5 || expression.starts_with('@')) && croner::Cron::from_str(expression).is_ok()
}

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn deploy() -> &'static str {
    or_raise(require_superuser());
    if is_citus_worker() {
        return "worker";
    }
    let objects = deployed_objects();
    let existing = existing_names(&objects);
    if existing.len() == objects.len() {
        let tables = unprotected_tables(&objects);
        if !tables.is_empty() {
            raise(Error::Unprotected { tables });
        }
        return "adopted";
    }
    if !existing.is_empty() {
        raise(Error::PartlyDeployed { existing });
    }
    // The owner may not change the ledger's tables; making them takes more than the owner's rights.
    acting(Deed::Maintenance, || {
        as_owner(|| {
            for file in DEPLOYED {
                debug1!("codeverify deploys {}", file.path);
                run_script(file.text);
            }
        });
    });
    // After uninstall() they are members: a dump would leave them out.
    alter_membership("DROP", domain_schemas(true));
    "deployed"
}

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn uninstall(confirm: &str) {
    or_raise(require_superuser());
    let database =
        select_one::<String>("SELECT pg_catalog.current_database()::text", &[]).unwrap_or_default();
    if confirm != database {
        raise(Error::NotConfirmed { database });
    }
    hold_extension(Hold::Removal);
    let objects = deployed_objects();
    let existing = existing_names(&objects);
    for kind in ["VIEW", "MATERIALIZED VIEW", "TABLE", "TYPE"] {
        let names: Vec<&str> = objects
            .iter()
            .filter(|object| object.kind == kind && existing.contains(&object.name))
            .map(|object| object.name.as_str())
            .collect();
        if !names.is_empty() {
            run_script(&format!("DROP {kind} {}", names.join(", ")));
        }
    }
    alter_membership("ADD", domain_schemas(false));
}

fn require_superuser() -> Result<(), Error> {
    // SAFETY: a look-up about the current role.
    if unsafe { pg_sys::superuser() } {
        Ok(())
    } else {
        Err(Error::DeployNeedsSuperuser)
    }
}

/// On a Citus worker the coordinator makes the tables.
fn is_citus_worker() -> bool {
    let citus = select_one::<bool>(
        "SELECT pg_catalog.to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL",
        &[],
    );
    citus == Some(true)
        && select_one::<bool>(
            "SELECT groupid > 0 FROM pg_catalog.pg_dist_local_group",
            &[],
        ) == Some(true)
}

fn existing_names(objects: &[Deployed]) -> Vec<String> {
    let names: Vec<String> = objects.iter().map(|object| object.name.clone()).collect();
    select(
        "SELECT n FROM pg_catalog.unnest($1) AS n \
         WHERE pg_catalog.to_regclass(n) IS NOT NULL OR pg_catalog.to_regtype(n) IS NOT NULL",
        &[names.into()],
        |rows| {
            rows.map(|row| Ok(row.get::<String>(1)?.unwrap_or_default()))
                .collect()
        },
    )
}

/// The domains' schemas that are members of the extension, or those that are not.
fn domain_schemas(members: bool) -> Vec<String> {
    let domains: Vec<String> = DOMAINS.iter().map(ToString::to_string).collect();
    select(
        "SELECT n.nspname::text FROM pg_catalog.pg_namespace AS n \
         WHERE n.nspname::text = ANY ($1) AND $2 = EXISTS ( \
             SELECT FROM pg_catalog.pg_depend AS d \
             WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass \
               AND d.objid = n.oid AND d.deptype = 'e')",
        &[domains.into(), members.into()],
        |rows| {
            rows.map(|row| Ok(row.get::<String>(1)?.unwrap_or_default()))
                .collect()
        },
    )
}

/// Makes the domains' schemas members of the extension (ADD) or the user's own (DROP).
fn alter_membership(verb: &str, schemas: Vec<String>) {
    for schema in schemas {
        run_script(&format!(
            "ALTER EXTENSION codeverify {verb} SCHEMA {}",
            quote_identifier(schema)
        ));
    }
}

/// Tables that have lost what isolates them, as after DROP EXTENSION ... CASCADE.
fn unprotected_tables(objects: &[Deployed]) -> Vec<String> {
    let names: Vec<String> = objects
        .iter()
        .filter(|object| object.kind == "TABLE")
        .map(|object| object.name.clone())
        .collect();
    select(
        "SELECT n FROM pg_catalog.unnest($1) AS n \
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = pg_catalog.to_regclass(n) AND a.attname = 'org_id' \
         WHERE NOT EXISTS ( \
             SELECT FROM pg_catalog.pg_policy AS p \
             WHERE p.polrelid = a.attrelid AND tenancy.is_isolating_policy(p.oid, a.attname))",
        &[names.into()],
        |rows| {
            rows.map(|row| Ok(row.get::<String>(1)?.unwrap_or_default()))
                .collect()
        },
    )
}
