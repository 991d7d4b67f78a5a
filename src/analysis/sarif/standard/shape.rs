//! The parts of a result that are kept whole, as the standard defines them. [`super::tidy`]
//! walks these tables, so what is kept is what the schema of SARIF 2.1.0 allows.

/// What a member of an object holds.
#[derive(Debug)]
pub enum Shape {
    Text,
    /// A URI reference; characters no URI may have are percent-encoded.
    Reference,
    /// An absolute URI; anything else is left out.
    Uri,
    /// A GUID; anything else is left out.
    Guid,
    Word(&'static [&'static str]),
    /// An integer; one below the minimum is left out.
    Integer(i32),
    /// A line number, which must be at least 1.
    Line,
    Texts,
    /// Strings each of which is kept once.
    Set,
    /// A property bag: anything, with `tags` an array of different strings.
    Bag,
    Map(&'static Record),
    Record(&'static Record),
    /// At least this many records, which may or may not be equal.
    List(&'static Record, usize, Repeats),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    Kept,
    Dropped,
}

/// Members of a log that name an element of an array of the run, or a string of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    None,
    Artifact,
    LogicalLocation,
    ThreadFlowLocation,
    Message,
}

#[derive(Debug)]
pub struct Record {
    pub members: &'static [(&'static str, Shape)],
    pub required: &'static [&'static str],
    /// One of these must be there, unless the list is empty.
    pub one_of: &'static [&'static str],
    pub link: Link,
}

const fn record(members: &'static [(&'static str, Shape)]) -> Record {
    Record {
        members,
        required: &[],
        one_of: &[],
        link: Link::None,
    }
}

use Repeats::{Dropped, Kept};
use Shape::{Bag, Guid, Integer, Line, List, Map, Reference, Set, Text, Texts, Uri, Word};

static MESSAGE: Record = Record {
    one_of: &["text", "id"],
    link: Link::Message,
    ..record(&[
        ("text", Text),
        ("markdown", Text),
        ("id", Text),
        ("arguments", Texts),
        ("properties", Bag),
    ])
};

static FORMATTED: Record = Record {
    required: &["text"],
    ..record(&[("text", Text), ("markdown", Text), ("properties", Bag)])
};

static ARTIFACT_LOCATION: Record = Record {
    link: Link::Artifact,
    ..record(&[("uri", Reference), ("uriBaseId", Text)])
};

static CONTENT: Record = record(&[
    ("text", Text),
    ("binary", Text),
    ("rendered", Shape::Record(&FORMATTED)),
    ("properties", Bag),
]);

static REGION: Record = Record {
    one_of: &["startLine", "charOffset", "byteOffset"],
    ..record(&[
        ("startLine", Line),
        ("startColumn", Integer(1)),
        ("endLine", Line),
        ("endColumn", Integer(1)),
        ("charOffset", Integer(0)),
        ("charLength", Integer(0)),
        ("byteOffset", Integer(0)),
        ("byteLength", Integer(0)),
        ("snippet", Shape::Record(&CONTENT)),
        ("message", Shape::Record(&MESSAGE)),
        ("sourceLanguage", Text),
        ("properties", Bag),
    ])
};

static PHYSICAL_LOCATION: Record = Record {
    one_of: &["artifactLocation"],
    ..record(&[
        ("artifactLocation", Shape::Record(&ARTIFACT_LOCATION)),
        ("region", Shape::Record(&REGION)),
        ("contextRegion", Shape::Record(&REGION)),
        ("properties", Bag),
    ])
};

static LOGICAL_LOCATION: Record = Record {
    link: Link::LogicalLocation,
    ..record(&[
        ("name", Text),
        ("fullyQualifiedName", Text),
        ("decoratedName", Text),
        ("kind", Text),
        ("properties", Bag),
    ])
};

static RELATIONSHIP: Record = Record {
    required: &["target"],
    ..record(&[
        ("target", Integer(0)),
        ("kinds", Set),
        ("description", Shape::Record(&MESSAGE)),
        ("properties", Bag),
    ])
};

pub static LOCATION: Record = record(&[
    ("id", Integer(0)),
    ("physicalLocation", Shape::Record(&PHYSICAL_LOCATION)),
    ("logicalLocations", List(&LOGICAL_LOCATION, 0, Dropped)),
    ("message", Shape::Record(&MESSAGE)),
    ("annotations", List(&REGION, 0, Dropped)),
    ("relationships", List(&RELATIONSHIP, 0, Dropped)),
    ("properties", Bag),
]);

static FRAME: Record = record(&[
    ("location", Shape::Record(&LOCATION)),
    ("module", Text),
    ("threadId", Integer(i32::MIN)),
    ("parameters", Texts),
    ("properties", Bag),
]);

static STACK: Record = Record {
    required: &["frames"],
    ..record(&[
        ("message", Shape::Record(&MESSAGE)),
        ("frames", List(&FRAME, 0, Kept)),
        ("properties", Bag),
    ])
};

pub static THREAD_FLOW_LOCATION: Record = Record {
    link: Link::ThreadFlowLocation,
    ..record(&[
        ("location", Shape::Record(&LOCATION)),
        ("stack", Shape::Record(&STACK)),
        ("kinds", Set),
        ("module", Text),
        ("state", Map(&FORMATTED)),
        ("nestingLevel", Integer(0)),
        ("executionOrder", Integer(0)),
        (
            "importance",
            Word(&["important", "essential", "unimportant"]),
        ),
        ("properties", Bag),
    ])
};

static THREAD_FLOW: Record = Record {
    required: &["locations"],
    ..record(&[
        ("id", Text),
        ("message", Shape::Record(&MESSAGE)),
        ("initialState", Map(&FORMATTED)),
        ("immutableState", Map(&FORMATTED)),
        ("locations", List(&THREAD_FLOW_LOCATION, 1, Kept)),
        ("properties", Bag),
    ])
};

static CODE_FLOW: Record = Record {
    required: &["threadFlows"],
    ..record(&[
        ("message", Shape::Record(&MESSAGE)),
        ("threadFlows", List(&THREAD_FLOW, 1, Kept)),
        ("properties", Bag),
    ])
};

static SUPPRESSION: Record = Record {
    required: &["kind"],
    ..record(&[
        ("guid", Guid),
        ("kind", Word(&["inSource", "external"])),
        ("status", Word(&["accepted", "underReview", "rejected"])),
        ("justification", Text),
        ("location", Shape::Record(&LOCATION)),
        ("properties", Bag),
    ])
};

static REPLACEMENT: Record = Record {
    required: &["deletedRegion"],
    ..record(&[
        ("deletedRegion", Shape::Record(&REGION)),
        ("insertedContent", Shape::Record(&CONTENT)),
        ("properties", Bag),
    ])
};

static ARTIFACT_CHANGE: Record = Record {
    required: &["artifactLocation", "replacements"],
    ..record(&[
        ("artifactLocation", Shape::Record(&ARTIFACT_LOCATION)),
        ("replacements", List(&REPLACEMENT, 1, Kept)),
        ("properties", Bag),
    ])
};

static FIX: Record = Record {
    required: &["artifactChanges"],
    ..record(&[
        ("description", Shape::Record(&MESSAGE)),
        ("artifactChanges", List(&ARTIFACT_CHANGE, 1, Dropped)),
        ("properties", Bag),
    ])
};

pub static LOCATIONS: Shape = List(&LOCATION, 0, Kept);
pub static SUPPRESSIONS: Shape = List(&SUPPRESSION, 0, Dropped);
pub static FIXES: Shape = List(&FIX, 0, Dropped);

/// Members of a result that are carried from log to log without being looked into.
pub static CARRIED: &[(&str, Shape)] = &[
    ("codeFlows", List(&CODE_FLOW, 0, Kept)),
    ("correlationGuid", Guid),
    ("hostedViewerUri", Uri),
    ("occurrenceCount", Integer(1)),
    ("relatedLocations", List(&LOCATION, 0, Dropped)),
    ("stacks", List(&STACK, 0, Dropped)),
];
