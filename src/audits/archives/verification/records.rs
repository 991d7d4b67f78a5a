//! What the ledger itself says of the archives.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::whole::Archive;
use crate::audits::archives::datum::Row;
use crate::audits::archives::reading;
use crate::audits::archives::stored::{Scope, Span};
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select_as_seen;

/// What the ledger itself says of the archives.
#[derive(Default)]
pub(super) struct Records {
    /// Their roots, in hexadecimal.
    pub(super) roots: HashMap<Uuid, String>,
    pub(super) pruned: HashSet<Uuid>,
}

impl Records {
    /// From the live part of the platform's ledger and, for what is not there any more, from its archived part.
    pub(super) fn find(archives: &[Archive]) -> Records {
        let mut records = Records::default();
        let live = as_owner(|| {
            select_as_seen(
                "SELECT e.action, e.resource_id, e.payload ->> 'root' \
                 FROM audits.audit_log AS e \
                 WHERE e.org_id IS NULL \
                   AND e.entity = 'audits.audit_log' \
                   AND e.action IN ('partition.archived', 'archive.pruned')",
                &[],
                |mut rows| {
                    let mut found = Vec::with_capacity(rows.len());
                    while rows.next().is_some() {
                        let row = Row(&rows);
                        if let (Some(action), Some(archive)) = (row.text(1)?, row.uuid(2)?) {
                            found.push((action, archive, row.text(3)?));
                        }
                    }
                    Ok(found)
                },
            )
        });
        for (action, archive, root) in live {
            records.add(&action, archive, root);
        }
        let is_complete = archives.iter().all(|archive| {
            records.roots.contains_key(&archive.id)
                && (!archive.is_pruned || records.pruned.contains(&archive.id))
        });
        if !is_complete {
            // A damaged segment ends this; verification tells of it by itself.
            for entry in reading::read(Scope::Ledger(None), Span::default()).flatten() {
                if let (Some("audits.audit_log"), Some(archive)) =
                    (entry.entity.as_deref(), entry.resource_id)
                {
                    let root = serde_json::from_str::<serde_json::Value>(&entry.payload)
                        .ok()
                        .and_then(|payload| Some(payload.get("root")?.as_str()?.to_owned()));
                    records.add(&entry.action, archive, root);
                }
            }
        }
        records
    }

    fn add(&mut self, action: &str, archive: Uuid, root: Option<String>) {
        match action {
            "partition.archived" => {
                self.roots.insert(archive, root.unwrap_or_default());
            }
            "archive.pruned" => {
                self.pruned.insert(archive);
            }
            _ => {}
        }
    }
}
