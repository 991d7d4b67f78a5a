//! Look-up of what has a GUID or a name.

use std::collections::HashMap;

/// Finds the first entry of a GUID, whatever its case, or of a name.
#[derive(Debug)]
pub struct Directory<'v, T> {
    by_guid: HashMap<String, T>,
    by_name: HashMap<&'v str, T>,
}

impl<T> Default for Directory<'_, T> {
    fn default() -> Self {
        Directory {
            by_guid: HashMap::new(),
            by_name: HashMap::new(),
        }
    }
}

impl<'v, T: Copy> Directory<'v, T> {
    pub fn add(&mut self, guid: Option<&str>, name: &'v str, entry: T) {
        if let Some(guid) = guid {
            let guid = guid.to_ascii_lowercase();
            self.by_guid.entry(guid).or_insert(entry);
        }
        self.by_name.entry(name).or_insert(entry);
    }

    pub fn by_guid(&self, guid: &str) -> Option<T> {
        self.by_guid.get(&guid.to_ascii_lowercase()).copied()
    }

    pub fn by_name(&self, name: &str) -> Option<T> {
        self.by_name.get(name).copied()
    }

    /// The entry of a hierarchical name such as `CA1000/1`, or of the longest part of it that
    /// ends before a slash.
    pub fn by_hierarchical_name(&self, name: &str) -> Option<T> {
        /// Parts that are tried.
        const DEEPEST: usize = 32;
        let mut part = Some(name);
        for _ in 0..DEEPEST {
            let name = part?;
            if let Some(entry) = self.by_name(name) {
                return Some(entry);
            }
            part = name.rfind('/').map(|slash| &name[..slash]);
        }
        None
    }
}
