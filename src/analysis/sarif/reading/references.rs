//! Follows what the parts of a result refer to elsewhere in its run.

use std::cell::Cell;

use serde_json::Value;

use super::message;
use super::run::RunContext;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::shape::{Link, THREAD_FLOW_LOCATION};
use crate::analysis::sarif::standard::tidy::{tidy_record, Links};
use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::value::{index, member, object, string, Object};

/// Bounds the bytes that references may add to what a log holds itself. A small log whose every
/// result refers to one large string would otherwise fill the memory of the server.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    spent: Cell<usize>,
}

impl Budget {
    pub fn new(limit: usize) -> Self {
        Budget {
            limit,
            spent: Cell::new(0),
        }
    }

    pub fn spend(&self, bytes: usize, path: &Path) -> Result<(), SarifError> {
        let spent = self.spent.get().saturating_add(bytes);
        self.spent.set(spent);
        if spent > self.limit {
            let limit = self.limit;
            let problem = format!("references expand the log by more than {limit} bytes");
            return Err(path.error(problem));
        }
        Ok(())
    }
}

/// Follows the references of one result.
pub struct ResultLinks<'a, 'v> {
    pub run: &'a RunContext<'v>,
    /// Message strings of the rule and of its component.
    pub messages: [Option<&'v Object>; 2],
    pub budget: &'a Budget,
}

impl ResultLinks<'_, '_> {
    /// The element that the index of an object names.
    fn element<'v>(
        &self,
        elements: &'v [Value],
        name: &str,
        object: &Object,
        path: &Path,
    ) -> Result<Option<&'v Object>, SarifError> {
        let Some(position) = index(object, "index", path)? else {
            return Ok(None);
        };
        let path = path.key("index");
        let element = elements.get(position).ok_or_else(|| {
            let count = elements.len();
            path.error(format!(
                "{position} is out of range: the run has {count} {name}"
            ))
        })?;
        let element = element
            .as_object()
            .ok_or_else(|| path.error(format!("{name}[{position}] of the run is no object")))?;
        Ok(Some(element))
    }

    fn artifact(&self, target: &mut Object, path: &Path) -> Result<(), SarifError> {
        let artifact = self.element(self.run.artifacts, "artifacts", target, path)?;
        if let (Some(artifact), None) = (artifact, member(target, "uri")) {
            let path = path.key("index");
            if let Some(location) = object(artifact, "location", &path)? {
                let mut bytes = 0;
                for key in ["uri", "uriBaseId"] {
                    if let Some(text) = string(location, key, &path)? {
                        bytes += text.len();
                        target.insert(key.to_owned(), Value::from(text));
                    }
                }
                self.budget.spend(bytes, &path)?;
            }
        }
        let text = |key: &str| member(target, key).and_then(Value::as_str);
        let Some(uri) = text("uri").filter(|uri| !uri.is_empty()) else {
            target.remove("uri");
            return Ok(());
        };
        let placed = self.run.uri_bases.place(uri, text("uriBaseId"));
        let base = placed.base_id.as_deref().map_or(0, str::len);
        let added = placed.uri.len().saturating_sub(uri.len());
        self.budget.spend(added + base, path)?;
        target.insert("uri".to_owned(), uri::tidy(&placed.uri).into());
        target.remove("uriBaseId");
        if let Some(base_id) = placed.base_id {
            target.insert("uriBaseId".to_owned(), base_id.into());
        }
        Ok(())
    }

    /// Takes members an object lacks from the element its index names.
    fn complete(
        &self,
        object: &mut Object,
        element: impl IntoIterator<Item = (String, Value)>,
        path: &Path,
    ) -> Result<(), SarifError> {
        for (key, value) in element {
            if member(object, &key).is_none() {
                self.budget.spend(value.to_string().len(), path)?;
                object.insert(key, value);
            }
        }
        Ok(())
    }

    fn message(&self, object: &mut Object, path: &Path) -> Result<(), SarifError> {
        let references = object.contains_key("id") || object.contains_key("arguments");
        if object.contains_key("text") && !references {
            return Ok(());
        }
        // A message beside that of the result is carried as it is if it cannot be read.
        let Ok(read) = message::read(object, &self.messages, path) else {
            return Ok(());
        };
        self.budget.spend(read.text.len(), path)?;
        object.remove("id");
        object.remove("arguments");
        object.insert("text".to_owned(), read.text.into());
        if let Some(markdown) = read.markdown {
            self.budget.spend(markdown.len(), path)?;
            object.insert("markdown".to_owned(), markdown.into());
        }
        Ok(())
    }
}

impl Links for ResultLinks<'_, '_> {
    fn follow(&self, link: Link, object: &mut Object, path: &Path) -> Result<(), SarifError> {
        match link {
            Link::None => Ok(()),
            Link::Artifact => self.artifact(object, path),
            Link::Message => self.message(object, path),
            Link::LogicalLocation => {
                let all = self.run.logical_locations;
                let Some(element) = self.element(all, "logicalLocations", object, path)? else {
                    return Ok(());
                };
                let mut texts = Vec::new();
                for key in ["name", "fullyQualifiedName", "decoratedName", "kind"] {
                    if let Some(text) = string(element, key, &path.key("index"))? {
                        texts.push((key.to_owned(), Value::from(text)));
                    }
                }
                self.complete(object, texts, path)
            }
            Link::ThreadFlowLocation => {
                let all = self.run.thread_flow_locations;
                let Some(element) = self.element(all, "threadFlowLocations", object, path)? else {
                    return Ok(());
                };
                let path = path.key("index");
                let mut element = element.clone();
                element.remove("index");
                let element = tidy_record(&element, &THREAD_FLOW_LOCATION, self, &path)?;
                self.complete(object, element.unwrap_or_default(), &path)
            }
        }
    }

    fn strict(&self) -> bool {
        false
    }
}
